"""What an engine is given, under which settings it runs a notebook, and whether the notebook went well."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import outcomes.errors
from outcomes.disclosure.page_context import name_run_folder
from outcomes.errors import OutcomesError, PrivacyError, RecordsError, ReportError
from outcomes.facts import Text, Value
from outcomes.machine.threads import THREADS

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from outcomes.reports.job import Run


@dataclass(frozen=True)
class TimeLimits:
    """How long a report may take, in seconds."""

    #: For one cell and for all of them.
    cell: float = 600.0
    report: float = 1800.0


@dataclass(frozen=True)
class Task:
    """A notebook to be run."""

    notebook: Path
    #: Plain values for its ``parameters`` cell, all of which JSON has.
    values: Mapping[str, Any]
    #: Where the executed notebook and the text of errors are kept.
    run: "Run"
    limits: TimeLimits = field(default_factory=TimeLimits)
    #: Of Python's and NumPy's random numbers; the same for the same inputs.
    seed: int = 0
    #: Called with the index of each cell that begins.
    on_cell: Callable[[int], None] = lambda index: None

    @property
    def executed(self) -> Path:
        """Where the notebook lies once it has run."""
        return self.run.folder / "executed.ipynb"


def build_environment(run_folder: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a notebook's process: this one's, and those of a run where given.

    Linear algebra has one thread: the same sums on any number of cores, and safe to fork. IPython's home is
    in the run's folder, so that a user's start-up files take no part.
    """
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if run_folder is not None:
        environment |= {**name_run_folder(run_folder), "IPYTHONDIR": str(run_folder / "ipython")}
    return environment


def refuse_failures(notebook: "NotebookNode", task: Task) -> "NotebookNode":
    """Return an executed notebook; raise the error of a cell that failed or never ran.

    Outputs alone decide. Papermill lets some errors pass (tagged cells, ``sys.exit``), and writes "completed"
    beside a cell even after its process was killed.
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
                raise _describe_failure(task, output.ename, number, told if told == output.evalue else "")
        if cell.source.strip() and cell.execution_count is None:
            raise _describe_failure(task, "NotRun", number)
    return notebook


def describe_end(task: Task, why: str) -> ReportError:
    """Return the error of an unfinished report: ``time`` ran out, the ``disk`` is full, or ``death``."""
    name, run = task.notebook.stem, task.run.id
    if why == "time":
        seconds = {"cell": f"{task.limits.cell:g}", "all": f"{task.limits.report:g}"}
        return ReportError(Text.of("errors.report.time", report=name, run=run, **seconds), exit_code=10)
    if why == "disk":
        free = shutil.disk_usage(task.run.folder).free
        return ReportError(Text.of("errors.report.disk", report=name, run=run, free=free), exit_code=9)
    return ReportError(Text.of("errors.report.ended", report=name, run=run))


def _describe_failure(task: Task, kind: str, number: int, told: str = "") -> ReportError:
    known = getattr(outcomes.errors, kind, None)
    mistake = isinstance(known, type) and issubclass(known, OutcomesError)
    name = kind if kind.isidentifier() and len(kind) <= 60 else "an error"
    refused = mistake and issubclass(known, (RecordsError, PrivacyError))  # type: ignore[arg-type]
    said: dict[str, Value] = {"told": told if mistake else "", "refused": refused, "error": name}
    text = Text.of("errors.report.failed", report=task.notebook.stem, cell=number, run=task.run.id, **said)
    return ReportError(text, exit_code=known.exit_code if mistake else 6)  # type: ignore[union-attr]
