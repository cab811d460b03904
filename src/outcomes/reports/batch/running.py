"""`run_batch`: jobs on any executor; all of them end, each in its own way."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed

from outcomes.errors import OutcomesError
from outcomes.reports.batch.outcome import Outcome
from outcomes.reports.job import Job
from outcomes.reports.reasons import name_reason
from outcomes.reports.report import Report, make_page

# how much longer than its limit a batch may take until its running pages have been ended
_SLACK_SECONDS = 60.0


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
    if isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ == "KilledWorker":
        message = (
            f"{job.report}: the process that made it was killed, again and again; nothing was published."
        )
        return Outcome(job, "failed", None, 6, "killed", message, error)
    if isinstance(error, OSError):
        message = f"{job.report}: a file could not be read or written ({error.strerror})."
        return Outcome(job, "failed", None, 9, "output", message, error)
    message = f"{job.report}: a bug of outcomes ({type(error).__name__}); nothing was published."
    return Outcome(job, "failed", None, 1, "bug", message, error)
