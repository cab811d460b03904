"""Processes on Linux: ended with their parent, ended as a group, and none left behind."""

import contextlib
import os
import signal
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_SECONDS = 0.01


def die_with_parent() -> None:
    """Have this process killed as soon as the one that started it ends."""
    _call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of processes that its children leave behind."""
    _call_prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_group(leader: int, watched: int, grace_seconds: float) -> None:
    """End a group of processes: ask, wait for its leader, then kill all of it."""
    import select

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGTERM)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll(grace_seconds * 1000)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_children() -> None:
    """Kill and wait for every child of this process, until none is left."""
    while children := _list_children():
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(_LOOK_SECONDS)


def _list_children() -> list[int]:
    wanted, found = str(os.getpid()), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # the name in brackets may hold anything; the parent is the second field after it
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                if fields[1] == wanted:
                    found.append(int(entry.name))
    return found


def count_threads() -> int:
    """Return how many threads this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


def _call_prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(option, value)
