"""Notebook files: read without the seconds that their library spends on what notebooks do not have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Builds a grammar of addresses when it is imported, which takes longer than all else of a report's start.
_SLOW = "rfc3987_syntax"


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NotebookNode
        In version 4 of the format.
    """
    import nbformat

    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return notebook


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
