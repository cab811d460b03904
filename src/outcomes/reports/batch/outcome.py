"""`Outcome`: how one job of a batch ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from outcomes.reports.job import Job


@dataclass(frozen=True)
class Outcome:
    """How one job of a batch ended.

    Parameters
    ----------
    job : Job
    state : str
        ``published``, ``unchanged`` (the page stood already) or ``failed``.
    page : Path or None
    exit_code : int
        As of the command line; 0 where the page stands.
    reason : str
        Class of reasons of a failure.
    message : str
        What to tell a person; holds no value of the records.
    error : BaseException or None
        Where it failed; of a bug it may hold values, and is kept privately.
    """

    job: Job
    state: str
    page: Path | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    error: BaseException | None = field(default=None, repr=False, compare=False)
