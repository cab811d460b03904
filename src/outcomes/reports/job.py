"""`Job`: one page to be made by any process or machine, what it is made from, and its private run folder."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import outcomes
from outcomes.errors import ReportError
from outcomes.facts import Text, find_project
from outcomes.machine.private_files import make_private, write_private_file
from outcomes.reports.engine import TimeLimits
from outcomes.reports.notebook_file import find_notebook
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

    def limit_time(self) -> TimeLimits:
        """Return the page's time limits; what is left of its batch may be less."""
        if self.ends_by is None:
            return self.limits
        left = max(0.0, self.ends_by - time.time())
        return TimeLimits(min(self.limits.cell, left), min(self.limits.report, left))


@dataclass(frozen=True)
class RunInputs:
    """What a page is made from, as hashes; ``notebook``, ``packages`` and ``lock`` as in a `Manifest`."""

    #: Of all of them, the parameters included: two runs with one key make one page.
    key: str
    notebook_sha256: str
    packages_sha256: str
    lock_sha256: str
    #: Of random numbers: the same for the same notebook and parameters, wherever the records are.
    seed: int


def hash_inputs(job: Job, values: Mapping[str, Value]) -> RunInputs:
    """Return the hashes of what a job's page is made from; ``values`` are all parameters, checked."""
    notebook = hashlib.sha256(find_notebook(job.report).read_bytes()).hexdigest()
    lock = find_project() / "requirements.lock"
    locked = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""
    content = [notebook, json.dumps(dict(values), sort_keys=True), job.records_sha256]
    place = [str(job.out), job.folder, job.series, json.dumps(dict(job.slice), sort_keys=True), job.slot]
    key = _hash(*content, outcomes.__version__, hash_packages(), *place)
    # numbers of a page must not follow from a hash of the records, which values could be tried against
    asked = {name: value for name, value in values.items() if name != "path"}
    seed = int(_hash(notebook, json.dumps(asked, sort_keys=True))[:8], 16)
    return RunInputs(key, notebook, hash_packages(), locked, seed)


@cache
def hash_packages() -> str:
    """Return a hash over the names and versions of all installed packages."""
    return _hash(*sorted({f"{one.metadata['Name']}=={one.version}" for one in distributions()}))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def find_finished(job: Job, inputs: RunInputs) -> tuple[Path, Path] | None:
    """Return page and manifest of an earlier run with the same inputs, if the page was not touched since."""
    try:
        note = json.loads(_find_note(job, inputs).read_text(encoding="utf-8"))
        page = find_project() / job.out / note["page"]
        stands = hashlib.sha256(page.read_bytes()).hexdigest() == note["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    manifest = find_project() / job.private_folder / "runs" / str(note["run"]) / "manifest.json"
    return (page, manifest) if stands else None


def note_finished(job: Job, inputs: RunInputs, page: Path, run_id: str) -> None:
    """Note that a job is done, so that a batch goes on with the rest; written after page and manifest."""
    note = _find_note(job, inputs)
    make_private(note.parent)
    content = {
        "page": page.relative_to(find_project() / job.out).as_posix(),
        "sha256": hashlib.sha256(page.read_bytes()).hexdigest(),
        "run": run_id,
    }
    write_private_file(note, json.dumps(content).encode("utf-8"))


def _find_note(job: Job, inputs: RunInputs) -> Path:
    return find_project() / job.private_folder / "finished" / f"{inputs.key}.json"


@dataclass(frozen=True)
class Run:
    """One run of a report."""

    #: Moment (UTC) and a random part; says nothing about the parameters.
    id: str
    #: Private, readable by its owner only: the executed notebook, released views, what went wrong.
    folder: Path
    #: In UTC.
    started: datetime

    @property
    def private(self) -> Path:
        """The private folder, in which the run's own folder lies."""
        return self.folder.parent.parent

    @property
    def archive(self) -> Path:
        """Folder of the releases of series."""
        return self.private / "archive"

    @property
    def views(self) -> Path:
        """Folder in which released views are kept during the run."""
        return self.folder / "views"

    def write(self, name: str, text: str) -> Path:
        """Write a private text file into the run's folder."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def close_to_others(self) -> None:
        """Close the folder to all but its owner: a kernel wrote with the caller's umask."""
        for path in self.folder.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)


def open_run(private_folder: str | Path = ".outcomes") -> Run:
    """Make the private folder of a new run, below the folder ``.outcomes`` of the project."""
    started = datetime.now(UTC)
    id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    home = find_project() / private_folder
    folder = home / "runs" / id
    try:
        make_private(home, home / "runs", folder, folder / "views")
    except OSError as error:
        said = Text.of("errors.report.private", folder=repr(home.name), reason=error.strerror)
        raise ReportError(said, exit_code=9) from None
    return Run(id, folder, started)
