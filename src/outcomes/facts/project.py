"""The user's project: the folder in which ``data/``, ``notebooks/`` and ``.outcomes/`` lie."""

from __future__ import annotations

from pathlib import Path

#: Where Jupyter starts the kernel of a notebook that lies there.
_NOTEBOOKS = "notebooks"


def find_project() -> Path:
    """Return the current folder, or the one above it where that is the folder of notebooks.

    The command line works in the project's folder, a notebook opened in Jupyter in the notebook's own;
    both mean the same records.
    """
    here = Path.cwd()
    return here.parent if here.name == _NOTEBOOKS else here
