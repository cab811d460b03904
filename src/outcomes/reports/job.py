"""`Job`: one page to be made, written so that another process or machine can make it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import outcomes
from outcomes.facts import find_project
from outcomes.reports.catalogue import find_notebook
from outcomes.reports.engine import TimeLimits
from outcomes.reports.parameters import Value


@dataclass(frozen=True)
class Job:
    """A page to be made.

    Parameters
    ----------
    report : str
        Name of the notebook.
    parameters : mapping
        Values for its ``parameters`` cell.
    source : str or Path
        Name of a source, or a source TOML.
    path : str, Path or None
        File or folder of records; where the source says when absent.
    out : str or Path
        Folder of pages.
    private_folder : str or Path
        Where the run's folder is made.
    limits : TimeLimits
    engine : str
        ``auto``, ``fork`` or ``stock``.
    project : str
        Folder in which relative places are meant; the current one when absent.
    records_sha256 : str
        Fingerprint of the records, where the caller has read them. The page is then made of these or not at
        all, and a job that was finished before is not run again.
    n_read : int or None
        Source records read.
    newest : str
        The newest day in the records.
    series, slice, slot
        As in a `Manifest`; empty for a page made by hand.
    folder : str
        Folder below ``out`` in which the page is put.
    due : str
        When the slot fell due, in UTC, ISO.
    ends_by : float or None
        Seconds of the clock (``time.time``) by which the page must have been made.
    """

    report: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: str | Path = "made-up-clinic"
    path: str | Path | None = None
    out: str | Path = "reports/html"
    private_folder: str | Path = ".outcomes"
    limits: TimeLimits = field(default_factory=TimeLimits)
    engine: str = "auto"
    project: str = ""
    records_sha256: str = ""
    n_read: int | None = None
    newest: str = ""
    series: str = ""
    slice: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    folder: str = ""
    due: str = ""
    ends_by: float | None = None


@dataclass(frozen=True)
class Making:
    """What a page is made from, as hashes.

    Parameters
    ----------
    key : str
        Of all of them, the parameters included: two runs with one key make one page.
    notebook_sha256, packages_sha256, lock_sha256 : str
        As in a `Manifest`.
    seed : int
        Of random numbers: the same for the same notebook, parameters and records.
    """

    key: str
    notebook_sha256: str
    packages_sha256: str
    lock_sha256: str
    seed: int


def describe_making(job: Job, values: Mapping[str, Value]) -> Making:
    """Return the hashes of what a job's page is made from.

    Parameters
    ----------
    job : Job
    values : mapping
        All parameters, checked.
    """
    notebook = hashlib.sha256(find_notebook(job.report).read_bytes()).hexdigest()
    lock = find_project() / "requirements.lock"
    locked = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""
    content = [notebook, json.dumps(dict(values), sort_keys=True), job.records_sha256]
    place = [str(job.out), job.folder, job.series, json.dumps(dict(job.slice), sort_keys=True), job.slot]
    key = _hash(*content, outcomes.__version__, hash_packages(), *place)
    return Making(key, notebook, hash_packages(), locked, int(_hash(*content)[:8], 16))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


@cache
def hash_packages() -> str:
    """Return a hash over the names and versions of all installed packages."""
    found = sorted({f"{one.metadata['Name']}=={one.version}" for one in distributions()})
    return _hash(*found)
