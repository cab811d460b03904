"""Running a notebook from top to bottom, and learning from its outputs whether that went well."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import outcomes.errors
from outcomes.errors import OutcomesError, ReportError
from outcomes.reports.kernel import build_kernel_manager
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.runs import Run

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass(frozen=True)
class TimeLimits:
    """How long a report may take, in seconds.

    Parameters
    ----------
    cell, report : float
        For one cell and for all of them.
    """

    cell: float = 600.0
    report: float = 1800.0


def execute_notebook(
    path: Path,
    parameters: Mapping[str, Any],
    run: Run,
    *,
    limits: TimeLimits | None = None,
    show_progress: bool = False,
) -> NotebookNode:
    """Run a notebook in a fresh kernel and return it with its outputs.

    Parameters
    ----------
    path : Path
        The notebook.
    parameters : mapping
        Plain values for its ``parameters`` cell.
    run : Run
        Where the executed notebook and the text of errors are kept.
    limits : TimeLimits, optional
        Time limits for each cell and for the whole.
    show_progress : bool
        Whether to show which cell is running, on a terminal.

    Returns
    -------
    NotebookNode

    Raises
    ------
    ReportError
        When a cell fails (exit code of the package's error where it was one, else 6), the kernel dies
        (6) or time runs out (10). Names cell and type of error; their text stays in the run's folder.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    limits = limits or TimeLimits()
    try:
        with _show_cells(path, show_progress) as on_cell, _quiet("papermill", "traitlets"):
            notebook = _run_papermill(path, parameters, run, limits, on_cell)
    except PapermillExecutionError as error:
        run.write("error.txt", "\n".join(error.traceback))
        raise _blame_cell(path, error.ename, _number_of_cell(path, error.cell_index), run) from None
    except (CellTimeoutError, TimeoutError):
        run.write("error.txt", traceback.format_exc())
        raise ReportError(
            f"{path.stem}: time ran out ({limits.cell:g} s for a cell, {limits.report:g} s for the report); "
            f"nothing was published. Private run folder: {run.id}.",
            exit_code=10,
        ) from None
    except (DeadKernelError, RuntimeError):
        run.write("error.txt", traceback.format_exc())
        raise ReportError(
            f"{path.stem}: the notebook's Python ended unexpectedly (often too little memory); nothing was "
            f"published. Private run folder: {run.id}."
        ) from None
    _refuse_failures(notebook, path, run)
    return notebook


def _run_papermill(
    path: Path, parameters: Mapping[str, Any], run: Run, limits: TimeLimits, on_cell: Callable[..., None]
) -> NotebookNode:
    import papermill

    deadline = time.monotonic() + limits.report

    def limit_seconds(cell: NotebookNode) -> float:
        # nbclient knows limits for a cell only: the report's limit is what remains of it
        return max(0.1, min(limits.cell, deadline - time.monotonic()))

    return papermill.execute_notebook(
        path,
        run.folder / "executed.ipynb",
        parameters=dict(parameters),
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        kernel_manager_class=build_kernel_manager(run.folder),
        shutdown_kernel="immediate",
        timeout_func=limit_seconds,
        on_cell_start=on_cell,
        store_widget_state=False,
    )


def _refuse_failures(notebook: NotebookNode, path: Path, run: Run) -> None:
    """Refuse errors that papermill lets pass (tagged cells, sys.exit) and cells that never ran.

    The status that papermill writes beside a cell says "completed" even after its kernel was killed.
    """
    number = 0
    for cell in notebook.cells:
        if cell.cell_type != "code" or "injected-parameters" in cell.metadata.get("tags", ()):
            continue
        number += 1
        for output in cell.outputs:
            if output.output_type == "error":
                run.write("error.txt", "\n".join(output.traceback))
                raise _blame_cell(path, output.ename, number, run)
        if cell.source.strip() and cell.execution_count is None:
            raise _blame_cell(path, "NotRun", number, run)


def _blame_cell(path: Path, kind: str, number: int, run: Run) -> ReportError:
    known = getattr(outcomes.errors, kind, None)
    mistake = isinstance(known, type) and issubclass(known, OutcomesError)
    name = kind if kind.isidentifier() and len(kind) <= 60 else "an error"
    return ReportError(
        f"{path.stem}: code cell {number} ended with {name}; nothing was published. "
        f"What it said is kept in the private run folder {run.id} (error.txt).",
        exit_code=known.exit_code if mistake else 6,  # type: ignore[union-attr]
    )


def _number_of_cell(path: Path, index: int) -> int:
    """Return the number of a code cell as the notebook's author counts, from its index when it ran."""
    cells = read_notebook(path).cells
    tagged = [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", ())]
    # papermill has put one cell, the given parameters, below the tagged one
    last = index - 1 if tagged and index > tagged[0] else index
    return sum(cell.cell_type == "code" for cell in cells[: last + 1])


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
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


@contextmanager
def _show_cells(path: Path, show_progress: bool) -> Iterator[Callable[..., None]]:
    """Show on a terminal which cell is running; yield what nbclient calls at each cell's start."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not (show_progress and console.is_terminal)
    ) as progress:
        task = progress.add_task(path.stem, total=None)

        def on_cell(cell: NotebookNode, cell_index: int) -> None:
            progress.update(task, completed=cell_index, description=f"{path.stem}, cell {cell_index + 1}")

        yield on_cell
