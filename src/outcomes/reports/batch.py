"""Batches: many pages at once, on this machine or on a cluster; one that fails never stops the others."""

import dataclasses
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from outcomes.errors import OutcomesError, ReportError
from outcomes.reports.archive.store import name_reason
from outcomes.reports.job import Job
from outcomes.reports.report import Report, make_page

T = TypeVar("T")
# how much longer than its limit a batch may take until its running pages have been ended
_SLACK_SECONDS = 60.0
_CONNECT_SECONDS = 30


@dataclass(frozen=True)
class Outcome:
    """How one job of a batch ended."""

    job: Job
    #: ``published``, ``unchanged`` (the page stood already) or ``failed``.
    state: str
    page: Path | None = None
    #: As of the command line; 0 where the page stands.
    exit_code: int = 0
    #: Class of reasons of a failure.
    reason: str = ""
    #: What to tell a person; holds no value of the records.
    message: str = ""
    #: Where it failed; of a bug it may hold values, and is kept privately.
    error: BaseException | None = field(default=None, repr=False, compare=False)


def run_batch(
    executor: Executor,
    jobs: Iterable[Job],
    *,
    limit_seconds: float | None = None,
    on_ended: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Make the pages of many jobs on an executor; one that fails never stops the others.

    Only ``submit`` of the executor is used, so that one code serves `WorkerPool`, a process or thread pool
    of the standard library, and ``dask.distributed``'s ``client.get_executor(pure=False, retries=0)``.
    Jobs that were finished before, from the same records by the same code, are not run again.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    jobs : iterable of Job
    limit_seconds : float, optional
        For all of them together: pages that are being made then are ended, those that wait are not begun.
    on_ended : callable, optional
        Called with each outcome when it is there.

    Returns
    -------
    list of Outcome
        One per job, in the order of the jobs.

    Examples
    --------
    >>> jobs = [Job("therapy_comparison", {"instrument": id}) for id in ("odi", "nprs")]
    >>> with WorkerPool() as pool:  # doctest: +SKIP
    ...     outcomes = run_batch(pool, jobs)
    """
    ends_by = None if limit_seconds is None else time.time() + limit_seconds
    jobs = [job if ends_by is None else dataclasses.replace(job, ends_by=ends_by) for job in jobs]
    futures: dict[Future[Report], int] = {
        executor.submit(make_page, job): number for number, job in enumerate(jobs)
    }
    ended: dict[int, Outcome] = {}
    patience = None if limit_seconds is None else limit_seconds + _SLACK_SECONDS
    try:
        for future in as_completed(futures, timeout=patience):
            number = futures[future]
            ended[number] = _describe(jobs[number], future)
            if on_ended:
                on_ended(ended[number])
    except TimeoutError:
        for future in futures:
            future.cancel()
    silent = "it was not begun, or did not answer, before time ran out for the batch"
    return [
        ended.get(number) or Outcome(job, "failed", None, 10, "time", f"{job.report}: {silent}.")
        for number, job in enumerate(jobs)
    ]


def _describe(job: Job, future: Future[Report]) -> Outcome:
    if future.cancelled():
        return Outcome(job, "failed", None, 10, "time", f"{job.report}: it was not begun in time.")
    error = future.exception()
    if error is None:
        report = future.result()
        return Outcome(job, report.state, report.page)
    if isinstance(error, OutcomesError):
        return Outcome(job, "failed", None, error.exit_code, name_reason(error), str(error), error)
    code, reason = 1, "bug"
    said = f"a bug of outcomes ({type(error).__name__}); nothing was published."
    if isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ == "KilledWorker":
        code, reason = 6, "killed"
        said = "the process that made it was killed, again and again; nothing was published."
    elif isinstance(error, OSError):
        code, reason = 9, "output"
        said = f"a file could not be read or written ({error.strerror})."
    return Outcome(job, "failed", None, code, reason, f"{job.report}: {said}", error)


class WorkerPool(Executor):
    """An executor of fresh processes that outlives the loss of one.

    The standard pool breaks for all its jobs when one process is killed. Here those that waited are given to
    a new pool, and those that may have been running are tried once more, each in a pool of its own: whichever
    kills its process again is the one that fails.

    Parameters
    ----------
    workers : int, optional
        Number of processes; as many as there are processors when absent.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1
        self._lock = threading.RLock()
        self._pool: ProcessPoolExecutor | None = None
        self._alone: list[ProcessPoolExecutor] = []
        self._others = {process.pid for process in multiprocessing.active_children()}
        self._closed = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a function run in one of the processes."""
        asked: Future[T] = Future()
        self._send(asked, fn, args, kwargs)
        return asked

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, when they are done or, with ``cancel_futures``, without beginning what waits."""
        with self._lock:
            self._closed = True
            pools = [pool for pool in (self._pool, *self._alone) if pool]
        for pool in pools:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """End the processes at once; what they had started ends with them."""
        with self._lock:
            self._closed = True
        for process in multiprocessing.active_children():
            if process.pid not in self._others:
                process.kill()
        self.shutdown(wait=False, cancel_futures=True)

    def __exit__(self, kind: Any, *rest: Any) -> None:
        """End in order; after an error or an interrupt at once."""
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _send(self, asked: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
        with self._lock:
            pool = self._pool = self._pool or self._open(self._workers)
            try:
                sent = pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:  # noticed before the running jobs have failed
                self._pool = self._open(self._workers)
                return self._send(asked, fn, args, kwargs)

        def settle(sent: Future[T]) -> None:
            error = None if sent.cancelled() else sent.exception()
            if isinstance(error, BrokenProcessPool) and not self._closed:
                with self._lock:
                    if self._pool is pool:
                        self._pool = None
                self._try_alone(asked, fn, args, kwargs)
            else:
                _pass_on(sent, asked)

        sent.add_done_callback(settle)

    def _try_alone(self, asked: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
        with self._lock:
            pool = self._open(1)
            self._alone.append(pool)

        def settle(sent: Future[T]) -> None:
            pool.shutdown(wait=False)
            _pass_on(sent, asked)

        pool.submit(fn, *args, **kwargs).add_done_callback(settle)

    def _open(self, workers: int) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_settle_worker)


def _settle_worker() -> None:
    """Have a worker end with the process that started it, and leave interrupts to that one."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        from outcomes.reports.engine.processes import die_with_parent

        die_with_parent()


def _pass_on(sent: Future[T], asked: Future[T]) -> None:
    if sent.cancelled():
        asked.cancel()
        asked.set_running_or_notify_cancel()
        return
    error = sent.exception()
    if error is not None:
        asked.set_exception(error)
    else:
        asked.set_result(sent.result())


@contextmanager
def open_cluster(address: str) -> Iterator[Executor]:
    """Connect to a Dask scheduler at an address such as ``tcp://10.0.0.5:8786``, and give its executor.

    Its workers need this version of the package, and the project's folder at the same place: pages are
    written by whichever worker makes them. A worker that is lost has its pages made again by another.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ReportError(
            "--cluster needs the extra cluster: pip install outcomes[cluster].", exit_code=2
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        raise ReportError("No Dask scheduler answers at the address of --cluster.", exit_code=2) from None
    try:
        yield client.get_executor(pure=False, retries=0)
    finally:
        client.close()
