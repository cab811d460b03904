"""What an engine is given, and the settings under which any engine runs a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.disclosure.page_context import name_run_folder
from outcomes.machine.threads import THREADS
from outcomes.reports.engine.limits import TimeLimits
from outcomes.reports.runs import Run


def _say_nothing(index: int) -> None:
    """Take notice of a cell that nobody watches."""


@dataclass(frozen=True)
class Task:
    """A notebook to be run.

    Parameters
    ----------
    notebook : Path
    values : mapping
        Plain values for its ``parameters`` cell, all of which JSON has.
    run : Run
        Where the executed notebook and the text of errors are kept.
    limits : TimeLimits
    seed : int
        Of Python's and NumPy's random numbers; the same for the same inputs.
    on_cell : callable
        Called with the index of each cell that begins.
    """

    notebook: Path
    values: Mapping[str, Any]
    run: Run
    limits: TimeLimits = field(default_factory=TimeLimits)
    seed: int = 0
    on_cell: Callable[[int], None] = _say_nothing

    @property
    def executed(self) -> Path:
        """Where the notebook lies once it has run."""
        return self.run.folder / "executed.ipynb"


def build_environment(run_folder: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a notebook's process.

    Parameters
    ----------
    run_folder : Path, optional
        Of the run; absent for a process in which runs begin later.

    Returns
    -------
    dict
        Those of this process, with one thread for linear algebra (the same sums on any number of cores, and
        safe to fork), and a home for IPython in the run's
        folder, so that a user's start-up files take no part.
    """
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if run_folder is not None:
        environment |= {**name_run_folder(run_folder), "IPYTHONDIR": str(run_folder / "ipython")}
    return environment
