"""The engine that forks: papermill runs in a child of a process that has everything imported already."""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outcomes.errors import ReportError
from outcomes.reports.engine.task import Task, build_environment, describe_end, refuse_failures
from outcomes.reports.engine.warm_parent import LARGEST_MESSAGE
from outcomes.reports.notebook_file import read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

_SETTINGS = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of pyarrow; forking needs a single thread
}
_START_SECONDS = 120.0
# how much longer than a report's limit its warm parent may stay silent
_SLACK_SECONDS = 30.0
_END_SECONDS = 10.0
# exit code of a child that could not write the executed notebook; its module is imported in children only
_CANNOT_WRITE = 9


class WarmParentError(Exception):
    """The warm parent ended, or never began to serve."""


class WarmParent:
    """A process that forks a child for each report; the only one that talks to it is this object."""

    def __init__(self) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "outcomes.reports.engine.warm_parent", str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**build_environment(), **_SETTINGS},
                start_new_session=True,  # an interrupt at the terminal is for the caller to pass on
            )
        finally:
            other.close()
        self.threads = 0
        try:
            self.threads = int(self._receive(time.monotonic() + _START_SECONDS)["threads"])
        finally:
            if self.threads != 1:
                self.close()

    def is_serving(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def run(self, task: dict[str, Any], seconds: float, on_cell: Callable[[int], None]) -> tuple[str, int]:
        """Have a task run; return ``done``, ``died`` or ``time``, and the child's exit code."""
        deadline = time.monotonic() + seconds + _SLACK_SECONDS
        try:
            self._channel.send(json.dumps(task).encode())
            while "ended" not in (event := self._receive(deadline)):
                on_cell(int(event["cell"]))
        except OSError:
            raise WarmParentError from None
        return str(event["ended"]), int(event["status"])

    def close(self) -> None:
        """End the process and with it the child that it may have; wait until it is gone."""
        self._channel.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self, deadline: float) -> dict[str, Any]:
        self._channel.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            message = self._channel.recv(LARGEST_MESSAGE)
        except OSError:
            raise WarmParentError from None
        if not message:
            raise WarmParentError
        return dict(json.loads(message))


class _WarmParents:
    """The free warm parents of this process: one for each report that is made at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[WarmParent] = []
        self._owner = os.getpid()

    @contextmanager
    def take(self) -> Iterator[WarmParent]:
        """Give a free one, or a new one; afterwards it is free again, or ended where anything went wrong."""
        with self._lock:
            if self._owner != os.getpid():  # after a fork, inherited warm parents belong to the parent
                self._free, self._owner = [], os.getpid()
            taken = self._free.pop() if self._free else None
        if taken is not None and not taken.is_serving():
            taken.close()
            taken = None
        taken, in_order = taken or WarmParent(), False
        try:
            yield taken
            in_order = taken.threads == 1
        finally:
            if in_order:
                with self._lock:
                    self._free.append(taken)
            else:
                taken.close()

    def close(self) -> None:
        """End all that are free."""
        with self._lock:
            while self._free and self._owner == os.getpid():
                self._free.pop().close()


_WARM_PARENTS = _WarmParents()
atexit.register(_WARM_PARENTS.close)


def may_fork(*, required: bool = False) -> bool:
    """Return whether a warm parent has a single thread, which forking needs; raise if not and required."""
    try:
        with _WARM_PARENTS.take() as parent:
            threads = parent.threads
    except WarmParentError:
        threads = 0
    if threads != 1 and required:
        reason = f"it had {threads} threads" if threads else "it did not start"
        raise ReportError(f"No warm parent can be forked here ({reason}); use the engine stock.", exit_code=2)
    return threads == 1


def execute_in_fork(task: Task) -> "NotebookNode":
    """Run a notebook in a child of a warm parent; see `execute_notebook`."""
    described = {
        "notebook": str(task.notebook),
        "executed": str(task.executed),
        "values": json.dumps(dict(task.values)),
        "folder": str(task.run.folder),
        "environment": build_environment(task.run.folder),
        "working_folder": str(Path.cwd()),
        "seed": task.seed,
        "cell_seconds": task.limits.cell,
        "report_seconds": task.limits.report,
    }
    try:
        with _WARM_PARENTS.take() as parent:
            ended, status = parent.run(described, task.limits.report, task.on_cell)
    except WarmParentError:
        raise describe_end(task, "death") from None
    if ended == "time":
        raise describe_end(task, "time")
    if ended != "done":
        log = task.run.folder / "kernel.log"
        with contextlib.suppress(OSError):
            task.run.write("error.txt", log.read_text(encoding="utf-8", errors="replace"))
        raise describe_end(task, "disk" if status == _CANNOT_WRITE else "death")
    return refuse_failures(read_notebook(task.executed), task)
