"""Notebook files: which of them are reports, where they lie, and how they are read without delay."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from outcomes.errors import ReportError
from outcomes.facts import find_project
from outcomes.facts.toml import suggest_name

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Builds a grammar of addresses when it is imported, which takes longer than all else of a report's start.
_SLOW = "rfc3987_syntax"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def read_notebook(path: Path) -> "NotebookNode":
    """Read a notebook file in version 4 of the format."""
    import nbformat

    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return notebook


def list_reports() -> tuple[str, ...]:
    """Return the names of all report notebooks, one's own (``notebooks/``) and the shipped ones, sorted.

    A notebook is a report when its cell tagged ``parameters`` says for which ``audience`` it is made;
    others, such as ``explore``, are for working in.
    """
    found = {path.stem for folder in _list_folders() for path in folder.glob("*.ipynb") if _is_report(path)}
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


def find_notebook(name: str) -> Path:
    """Return the notebook of a report by its name without suffix; one's own goes before a shipped one."""
    if _NAME.fullmatch(name):
        for folder in _list_folders():
            path = folder / f"{name}.ipynb"
            if path.is_file() and _is_report(path):
                return path
    raise ReportError(f"There is no report of that name; {suggest_name(name, list_reports())}", exit_code=2)


def count_cells(name: str) -> int:
    """Return how many cells the notebook of a report has."""
    return len(json.loads(find_notebook(name).read_text(encoding="utf-8"))["cells"])


def _list_folders() -> list[Path]:
    package = Path(__file__).resolve().parent.parent
    # an installed package carries the notebooks inside; in a clone they lie at the top level
    return [find_project() / "notebooks", package / "notebooks", package.parent.parent / "notebooks"]


def _is_report(path: Path) -> bool:
    cells = json.loads(path.read_text(encoding="utf-8")).get("cells", ())
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", ())]
    return any(re.search(r"^audience\b", "".join(cell["source"]), flags=re.MULTILINE) for cell in tagged)


def _spare_slow_import() -> None:
    """Import nbformat while its slow companion is out of sight, unless someone needed that already.

    None is Python's own sign for "cannot be imported"; jsonschema then goes without a check of addresses
    that the schema of notebooks never asks for.
    """
    if _SLOW in sys.modules or "nbformat" in sys.modules:
        return
    sys.modules[_SLOW] = None  # type: ignore[assignment]
    try:
        __import__("nbformat")
    finally:
        del sys.modules[_SLOW]


_spare_slow_import()
