"""What a run released: its views, the numbers behind them, and the audit of them before publication."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from outcomes.disclosure import Audit, audit_page
from outcomes.disclosure.released import read_releases
from outcomes.errors import DisclosureError
from outcomes.facts import Text, Value
from outcomes.views.view import MEDIA_TYPE, View, read_view

if TYPE_CHECKING:
    from nbformat import NotebookNode

_ID = re.compile(r"[a-z][a-z0-9_-]{0,99}")


def find_view_ids(cell: "NotebookNode") -> Iterator[str]:
    """Yield the ids that a code cell's outputs carry; everything else in an output is ignored."""
    for output in cell.outputs:
        carried = output.get("data", {}).get(MEDIA_TYPE)
        id = carried.get("id") if isinstance(carried, dict) else None
        if isinstance(id, str) and _ID.fullmatch(id):
            yield id


def collect_views(notebook: "NotebookNode", folder: Path, audience: str, k: int) -> dict[str, View]:
    """Return the views that an executed notebook shows by their ids, each once, in order.

    An id without a view in the folder is dropped; a view that was released for another audience or with
    another k is refused.
    """
    views: dict[str, View] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for id in find_view_ids(cell):
            if id not in views and (folder / f"{id}.json").is_file():
                views[id] = _check_audience(read_view(folder, id), audience, k)
    return views


def audit_run(run_folder: Path, audience: str) -> Audit | None:
    """Audit all numbers behind the views of a run; a page for the team is not audited.

    `DisclosureError` says that the page gives a small group away, or that it could not be checked; in
    either case nothing may be published.
    """
    if audience != "stakeholder":
        return None
    try:
        releases = read_releases(run_folder)
        for release in releases:
            if release.backing is None:
                raise DisclosureError(Text.of("errors.page.not_known", name=repr(release.name)))
        audit = audit_page(releases)
    except DisclosureError:
        raise
    except Exception as error:
        raise DisclosureError(Text.of("errors.page.not_checked", error=type(error).__name__)) from error
    if not audit.passed:
        tables = " and ".join(f"'{name}'" for name in audit.tables)
        raise DisclosureError(Text.of("errors.page.tells_together", tables=tables))
    return audit


def count_dropped(notebook: "NotebookNode", views: dict[str, View]) -> int:
    """Return how many outputs of an executed notebook are not on its page."""
    outputs = shown = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs += len(cell.outputs)
            shown += sum(id in views for id in find_view_ids(cell))
    return outputs - shown


def _check_audience(view: View, audience: str, k: int) -> View:
    if view.audience != audience or view.k != k:
        said: dict[str, Value] = {"audience": view.audience, "k": view.k, "wanted": audience, "wanted_k": k}
        raise DisclosureError(Text.of("errors.page.other_audience", view=repr(view.id), **said))
    return view
