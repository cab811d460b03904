"""`WorkerPool`: processes of this machine that make pages, mended when one of them is killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")


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
            except BrokenProcessPool:  # found out before what was running has told
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
