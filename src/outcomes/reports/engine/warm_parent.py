"""The warm parent: a process of its own that has imported what notebooks use, and forks a child for each.

It has one thread, runs no notebook itself, keeps the time limits, and ends whatever a notebook started.
Started by `outcomes.reports.engine.fork` with one end of a pair of sockets; when the other end closes, it
ends its child and itself.
"""

import contextlib
import gc
import json
import os
import select
import socket
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from outcomes.reports.engine.processes import adopt_orphans, count_threads, end_children, end_group

#: Largest message; a task holds its parameters and the environment.
LARGEST_MESSAGE = 1 << 20
_GRACE_SECONDS = 2.0
_IMPORTED = (
    *("papermill", "IPython.core.application", "IPython.core.completerlib", "IPython.core.magics"),
    *("ipykernel.jsonutil", "matplotlib_inline.backend_inline", "outcomes.reports.engine.child"),
    *("outcomes.records", "pyarrow.csv", "pyarrow.compute", "encodings.utf_8_sig"),
)
_REHEARSED = ("ancova", "over_time", "standardised", "change", "completeness", "baseline", "flow")


def warm_up() -> None:
    """Import what notebooks use, and do once what costs most when it is done first."""
    for name in _IMPORTED:
        import_module(name)
    from outcomes import views
    from outcomes.analyses import list_analyses, read_analysis
    from outcomes.cohort import select_cohort
    from outcomes.disclosure import release
    from outcomes.synthetic import simulate_clinic

    for name in list_analyses():
        read_analysis(name)
    # not from files: reading them would start a thread
    cohort = select_cohort(simulate_clinic(300, seed=1))
    found = {name: release(read_analysis(name)(cohort), "team") for name in _REHEARSED}
    views.draw_trajectory(found["change"])
    views.draw_completeness(found["completeness"])
    views.tabulate_baseline(found["baseline"], found["completeness"])
    views.say_flow(found["flow"])
    for name in views.__all__:  # those that are not needed here are loaded all the same
        getattr(views, name)


def serve(channel: socket.socket) -> None:
    """Run tasks that come through the channel, one after the other, until it closes."""
    while message := channel.recv(LARGEST_MESSAGE):
        if not _run_task(channel, json.loads(message)):
            return


def _run_task(channel: socket.socket, task: Mapping[str, Any]) -> bool:
    """Fork a child for a task and watch it; return whether the other end of the channel is still there."""
    events, reported = os.pipe()
    child = os.fork()
    if not child:
        channel.close()
        os.close(events)
        from outcomes.reports.engine.child import run_task

        run_task(task, reported)
    os.close(reported)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # parent and child both set it: either may be first
    watched = os.pidfd_open(child)
    try:
        ended, status = _watch(channel, task, child, watched, events)
    finally:
        os.close(watched)
        os.close(events)
    end_children()
    if ended != "gone":
        channel.send(json.dumps({"ended": ended, "status": status}).encode())
    return ended != "gone"


def _watch(
    channel: socket.socket, task: Mapping[str, Any], child: int, watched: int, events: int
) -> tuple[str, int]:
    """Wait for the child's end, its limits or the caller's; return which, with the child's status."""
    os.set_blocking(events, False)
    poll = select.poll()
    for handle in (channel.fileno(), watched, events):
        poll.register(handle, select.POLLIN)
    now = time.monotonic()
    report_ends, cell_ends = now + task["report_seconds"], now + task["cell_seconds"]
    ended, done = "", False
    while not ended:
        left = min(report_ends, cell_ends) - time.monotonic()
        ready = [handle for handle, _ in poll.poll(max(0.0, left) * 1000)]
        for event in _read_events(events):
            done = done or "done" in event
            if "cell" in event:
                cell_ends = time.monotonic() + task["cell_seconds"]
                channel.send(json.dumps(event).encode())
        if events in ready and done:
            poll.unregister(events)
        if watched in ready:
            ended = "done" if done else "died"
        elif channel.fileno() in ready:
            ended = "stopped" if channel.recv(LARGEST_MESSAGE) else "gone"
        elif time.monotonic() >= min(report_ends, cell_ends):
            ended = "time"
    end_group(child, watched, 0.0 if ended in ("done", "died") else _GRACE_SECONDS)
    return ended, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read_events(events: int) -> list[dict[str, Any]]:
    try:
        lines = os.read(events, LARGEST_MESSAGE).splitlines()
    except BlockingIOError:
        return []
    return [json.loads(line) for line in lines]


def main() -> None:
    """Warm up, say whether forking is safe, and serve."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    adopt_orphans()
    warm_up()
    gc.collect()
    gc.freeze()  # what is warm stays on pages that all children share
    threads = count_threads()
    channel.send(json.dumps({"threads": threads}).encode())
    if threads == 1:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            serve(channel)


if __name__ == "__main__":
    main()
