"""Whether an executed notebook went well: read from its outputs, never from what papermill says of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import outcomes.errors
from outcomes.errors import OutcomesError, PrivacyError, RecordsError, ReportError
from outcomes.reports.engine.task import Task

if TYPE_CHECKING:
    from nbformat import NotebookNode

_KEPT = "What it said is kept in the private run folder {run} (error.txt)."
#: Where records were refused; a log that repeats this learns nothing of them.
_CHECK = (
    "The records were refused: outcomes check, with the same --source and --path, says what is wrong, where, "
    "and what to do. "
)


def refuse_failures(notebook: NotebookNode, task: Task) -> NotebookNode:
    """Return an executed notebook in which every cell ran and none failed.

    Errors that papermill lets pass (tagged cells, ``sys.exit``) and cells that never ran are failures too:
    the status that papermill writes beside a cell says "completed" even after its process was killed.

    Raises
    ------
    ReportError
        Naming cell and type of error (exit code of the package's error where it was one, else 6).
    """
    number = 0
    for cell in notebook.cells:
        if cell.cell_type != "code" or "injected-parameters" in cell.metadata.get("tags", ()):
            continue
        number += 1
        for output in cell.outputs:
            if output.output_type == "error":
                told = "\n".join(output.traceback)
                task.run.write("error.txt", told)
                # an error of the package shows its words alone, and they hold no value of the records
                raise _blame_cell(task, output.ename, number, told if told == output.evalue else "")
        if cell.source.strip() and cell.execution_count is None:
            raise _blame_cell(task, "NotRun", number)
    return notebook


def blame_time(task: Task) -> ReportError:
    """Return the error of a report that took too long (exit code 10)."""
    return ReportError(
        f"{task.notebook.stem}: time ran out ({task.limits.cell:g} s for a cell, {task.limits.report:g} s "
        f"for the report); nothing was published. Private run folder: {task.run.id}.",
        exit_code=10,
    )


def blame_death(task: Task) -> ReportError:
    """Return the error of a report whose process ended by itself (exit code 6)."""
    return ReportError(
        f"{task.notebook.stem}: the notebook's Python ended unexpectedly (often too little memory); nothing "
        f"was published. Private run folder: {task.run.id}."
    )


def blame_disk(task: Task) -> ReportError:
    """Return the error of a report whose run folder could not be written (exit code 9)."""
    free = shutil.disk_usage(task.run.folder).free
    return ReportError(
        f"{task.notebook.stem}: the private run folder {task.run.id} cannot be written ({free} bytes are "
        "free); nothing was published.",
        exit_code=9,
    )


def _blame_cell(task: Task, kind: str, number: int, told: str = "") -> ReportError:
    known = getattr(outcomes.errors, kind, None)
    mistake = isinstance(known, type) and issubclass(known, OutcomesError)
    name = kind if kind.isidentifier() and len(kind) <= 60 else "an error"
    refused = mistake and issubclass(known, (RecordsError, PrivacyError))  # type: ignore[arg-type]
    where = f"{task.notebook.stem}: code cell {number} ended with {name}; nothing was published. "
    if mistake and told:
        text = f"{told}\n{where}Private run folder: {task.run.id}."
        return ReportError(text, exit_code=known.exit_code)  # type: ignore[union-attr]
    return ReportError(
        where + (_CHECK if refused else "") + _KEPT.format(run=task.run.id),
        exit_code=known.exit_code if mistake else 6,  # type: ignore[union-attr]
    )
