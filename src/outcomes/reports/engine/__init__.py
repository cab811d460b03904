"""Engines: a notebook is run from top to bottom, and nothing that it started outlives it.

``fork`` runs it in a child of a warm parent (Linux), ``stock`` in a fresh kernel, elsewhere and on request.
"""

import sys
from typing import TYPE_CHECKING

from outcomes.errors import ReportError
from outcomes.reports.engine.task import Task, TimeLimits

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["ENGINES", "Task", "TimeLimits", "choose_engine", "execute_notebook", "settle_engine"]

#: ``auto`` is ``fork`` where that is possible and ``stock`` elsewhere; the page is the same from both.
ENGINES = ("auto", "fork", "stock")


def choose_engine(name: str = "auto") -> str:
    """Return ``fork`` or ``stock``; an engine that is unknown or impossible here is refused (exit code 2)."""
    can_fork = sys.platform == "linux"
    if name not in ENGINES:
        raise ReportError(f"There is no engine {name!r}; there are {', '.join(ENGINES)}.", exit_code=2)
    if name == "fork" and not can_fork:
        raise ReportError("The engine fork works on Linux only; use auto or stock.", exit_code=2)
    return "fork" if can_fork and name != "stock" else "stock"


def settle_engine(name: str = "auto") -> str:
    """Return the engine that will run: ``fork`` only where a process that is safe to fork could be started.

    ``fork`` that was asked for by name and is not safe here is refused (exit code 2).
    """
    if choose_engine(name) == "stock":
        return "stock"
    from outcomes.reports.engine.fork import may_fork

    return "fork" if may_fork(required=name == "fork") else "stock"


def execute_notebook(task: Task, engine: str) -> "NotebookNode":
    """Run a notebook and return it with its outputs; the engine is one that `settle_engine` returned.

    `ReportError` says that a cell failed (exit code of the package's error where it was one, else 6), the
    process died (6), the disk is full (9) or time ran out (10). It names cell and type of error; the error's
    text stays in the run's folder.
    """
    if engine == "fork":
        from outcomes.reports.engine.fork import execute_in_fork

        return execute_in_fork(task)
    from outcomes.reports.engine.stock import execute_in_kernel

    return execute_in_kernel(task)
