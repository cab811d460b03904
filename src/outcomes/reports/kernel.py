"""The Python in which a report's notebook runs: always the interpreter of the caller, seen by nobody else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

_OPTIONS = ("--HistoryManager.enabled=False", "--IPKernelApp.quiet=True")


class RunKernelManager(AsyncKernelManager):
    """A kernel of the current interpreter, whose files and messages stay in a run's private folder.

    No installed kernel specification is asked: the one called ``python3`` may belong to another
    environment.
    """

    run_folder: Path

    def __init__(self, **kw: Any) -> None:
        """Keep the connection file, which holds the kernel's key, in the run's folder."""
        super().__init__(**{**kw, "connection_file": str(self.run_folder / "kernel.json")})

    @property
    def kernel_spec(self) -> KernelSpec:
        """The current interpreter."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Start the kernel with its own folder and with what it prints kept in the run's folder."""
        environment = {
            **kw.pop("env", os.environ),
            "OUTCOMES_RUN_DIR": str(self.run_folder),
            "IPYTHONDIR": str(self.run_folder / "ipython"),  # a user's start-up files take no part
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        with (self.run_folder / "kernel.log").open("ab") as log:
            await super()._async_launch_kernel(kernel_cmd, env=environment, stdout=log, stderr=log, **kw)


def build_kernel_manager(run_folder: Path) -> type[RunKernelManager]:
    """Build the class of kernel managers that belongs to one run.

    Parameters
    ----------
    run_folder : Path
        Private folder of the run; the kernel finds it in the environment variable ``OUTCOMES_RUN_DIR``.

    Returns
    -------
    type
        For nbclient, which makes, starts and ends the kernel itself.
    """
    return type("RunKernelManager", (RunKernelManager,), {"run_folder": run_folder})
