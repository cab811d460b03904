"""The engine that works everywhere: papermill's own, with a fresh kernel for each report."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from outcomes.reports.engine.kernel import build_kernel_manager
from outcomes.reports.engine.task import Task
from outcomes.reports.engine.verdict import blame_death, blame_disk, blame_time, refuse_failures
from outcomes.reports.notebook_file import read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode


def execute_in_kernel(task: Task) -> NotebookNode:
    """Run a notebook in a fresh kernel and return it with its outputs.

    Parameters
    ----------
    task : Task

    Returns
    -------
    NotebookNode

    Raises
    ------
    ReportError
        When a cell fails (exit code of the package's error where it was one, else 6), the kernel dies
        (6) or time runs out (10). Names cell and type of error; their text stays in the run's folder.
    """
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        # what failed stands in the executed notebook
        with quiet("papermill", "traitlets"), suppress(PapermillExecutionError):
            _run_papermill(task)
    except TimeoutError:
        task.run.write("error.txt", traceback.format_exc())
        raise blame_time(task) from None
    except OSError:
        raise blame_disk(task) from None
    except (DeadKernelError, RuntimeError):
        task.run.write("error.txt", traceback.format_exc())
        raise blame_death(task) from None
    return refuse_failures(read_notebook(task.executed), task)


def _run_papermill(task: Task) -> None:
    import papermill

    deadline = time.monotonic() + task.limits.report

    def limit_seconds(cell: NotebookNode) -> float:
        # nbclient knows limits for a cell only: the report's limit is what remains of it
        return max(0.1, min(task.limits.cell, deadline - time.monotonic()))

    def on_cell(cell: NotebookNode, cell_index: int) -> None:
        task.on_cell(cell_index)

    papermill.execute_notebook(
        task.notebook,
        task.executed,
        parameters=dict(task.values),
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        kernel_manager_class=build_kernel_manager(task),
        shutdown_kernel="immediate",
        timeout_func=limit_seconds,
        on_cell_start=on_cell,
        store_widget_state=False,
    )


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Silence loggers that would repeat paths and parameters."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
