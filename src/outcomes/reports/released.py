"""What a run released: views found by their ids in its folder, and the numbers behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from outcomes.disclosure import Release
from outcomes.disclosure.backing import read_backing
from outcomes.errors import DisclosureError
from outcomes.result import read_origin
from outcomes.views.view import MEDIA_TYPE, View, read_view

if TYPE_CHECKING:
    from nbformat import NotebookNode

_ID = re.compile(r"[a-z][a-z0-9_-]{0,99}")


def find_view_ids(cell: NotebookNode) -> Iterator[str]:
    """Yield the ids that a code cell's outputs carry; whatever else an output holds is left alone."""
    for output in cell.outputs:
        carried = output.get("data", {}).get(MEDIA_TYPE)
        id = carried.get("id") if isinstance(carried, dict) else None
        if isinstance(id, str) and _ID.fullmatch(id):
            yield id


def collect_views(notebook: NotebookNode, folder: Path, audience: str, k: int) -> dict[str, View]:
    """Return the views that an executed notebook shows, each once, in order.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.
    folder : Path
        Where the run kept its views; an id without a view there is dropped.
    audience : str
        Of the page.
    k : int
        Smallest number of patients that the page may show.

    Returns
    -------
    dict of View by id

    Raises
    ------
    DisclosureError
        When a view was released for another audience or with another k.
    """
    views: dict[str, View] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for id in find_view_ids(cell):
            if id not in views and (folder / f"{id}.json").is_file():
                views[id] = _check_audience(read_view(folder, id), audience, k)
    return views


def read_releases(run_folder: Path) -> list[Release]:
    """Return the releases behind all views that a run showed, each with who stands behind its rows.

    Parameters
    ----------
    run_folder : Path
        Private folder of the run.

    Returns
    -------
    list of Release
        In the order of their names; several may hold the same rows, where several views show them. Without
        warnings and notes.
    """
    found = []
    for path in sorted((run_folder / "releases").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        table = pd.read_json(StringIO(json.dumps(content["table"])), orient="table", precise_float=True)
        backed = (run_folder / "backing" / f"{path.stem}.parquet").is_file()
        backing = read_backing(run_folder / "backing", path.stem) if backed else None
        n_withheld = int((~table["shown"]).sum())
        release = Release(
            content["analysis"], table, content["method"], (), "", read_origin(content["provenance"]), None,
            content["audience"], content["k"], n_withheld, backing=backing,
        )  # fmt: skip
        found.append(release)
    return found


def count_dropped(notebook: NotebookNode, views: dict[str, View]) -> int:
    """Return how many outputs of an executed notebook are not on its page."""
    outputs = shown = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs += len(cell.outputs)
            shown += sum(id in views for id in find_view_ids(cell))
    return outputs - shown


def _check_audience(view: View, audience: str, k: int) -> View:
    if view.audience != audience or view.k != k:
        raise DisclosureError(
            f"The view {view.id!r} was released for {view.audience} with k = {view.k}, the page is for "
            f"{audience} with k = {k}; nothing was published. Pass audience and k to release in the notebook."
        )
    return view
