"""The engine that works everywhere: papermill's own, with a fresh kernel of the caller's Python."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from outcomes.reports.engine.task import Task, build_environment, describe_end, refuse_failures
from outcomes.reports.notebook_file import read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

# signal 9 when the starter dies: a kernel within compiled code would not notice otherwise
_ENDING = "import ctypes; ctypes.CDLL(None).prctl(1, 9)"
# right before the first cell: the kernel itself draws random numbers until then
_SEEDING = (
    'get_ipython().events.register("pre_run_cell", lambda info, seeds=[{seed}]: seeds and '
    '(__import__("random").seed(seeds[0]), __import__("numpy").random.seed(seeds.pop())))'
)


class RunKernelManager(AsyncKernelManager):
    """A kernel of the current interpreter, whose files and messages stay in a run's private folder.

    No installed kernel specification is asked: the one called ``python3`` may belong to another
    environment.
    """

    task: Task

    def __init__(self, **kw: Any) -> None:
        """Keep the connection file, which holds the kernel's key, in the run's folder."""
        super().__init__(**{**kw, "connection_file": str(self.task.run.folder / "kernel.json")})

    @property
    def kernel_spec(self) -> KernelSpec:
        """The current interpreter."""
        lines = [*([_ENDING] if sys.platform == "linux" else []), _SEEDING.format(seed=self.task.seed)]
        launcher = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        settings = [f"--IPKernelApp.exec_lines={line}" for line in lines]
        argv = [*launcher, "--HistoryManager.enabled=False", *settings]
        return KernelSpec(argv=argv, display_name="Python", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Start the kernel with its own folder and with what it prints kept in the run's folder."""
        environment = kw.pop("env", {}) | build_environment(self.task.run.folder)
        with (self.task.run.folder / "kernel.log").open("ab") as log:
            await super()._async_launch_kernel(kernel_cmd, env=environment, stdout=log, stderr=log, **kw)


def execute_in_kernel(task: Task) -> "NotebookNode":
    """Run a notebook in a fresh kernel; see `execute_notebook`."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        # the executed notebook holds the failure
        with _quiet("papermill", "traitlets"), suppress(PapermillExecutionError):
            _run_papermill(task)
    except TimeoutError:
        task.run.write("error.txt", traceback.format_exc())
        raise describe_end(task, "time") from None
    except OSError:
        raise describe_end(task, "disk") from None
    except (DeadKernelError, RuntimeError):
        task.run.write("error.txt", traceback.format_exc())
        raise describe_end(task, "death") from None
    return refuse_failures(read_notebook(task.executed), task)


def _run_papermill(task: Task) -> None:
    import papermill

    deadline = time.monotonic() + task.limits.report

    def limit_seconds(cell: "NotebookNode") -> float:
        # nbclient knows limits for a cell only: the report's limit is what remains of it
        return max(0.1, min(task.limits.cell, deadline - time.monotonic()))

    def on_cell(cell: "NotebookNode", cell_index: int) -> None:
        task.on_cell(cell_index)

    papermill.execute_notebook(
        task.notebook,
        task.executed,
        parameters=dict(task.values),
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        kernel_manager_class=type("RunKernelManager", (RunKernelManager,), {"task": task}),
        shutdown_kernel="immediate",
        timeout_func=limit_seconds,
        on_cell_start=on_cell,
        store_widget_state=False,
    )


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
