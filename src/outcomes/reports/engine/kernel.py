"""The Python in which the stock engine runs a notebook: always the interpreter of the caller."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from outcomes.reports.engine.task import Task, build_environment

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
        argv = [
            sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}",
            "--HistoryManager.enabled=False",
            *(f"--IPKernelApp.exec_lines={line}" for line in lines),
        ]  # fmt: skip
        return KernelSpec(argv=argv, display_name="Python", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Start the kernel with its own folder and with what it prints kept in the run's folder."""
        environment = kw.pop("env", {}) | build_environment(self.task.run.folder)
        with (self.task.run.folder / "kernel.log").open("ab") as log:
            await super()._async_launch_kernel(kernel_cmd, env=environment, stdout=log, stderr=log, **kw)


def build_kernel_manager(task: Task) -> type[RunKernelManager]:
    """Build the class of kernel managers that belongs to one run.

    Parameters
    ----------
    task : Task
        The kernel finds its run's folder by an environment variable.

    Returns
    -------
    type
        For nbclient, which makes, starts and ends the kernel itself.
    """
    return type("RunKernelManager", (RunKernelManager,), {"task": task})
