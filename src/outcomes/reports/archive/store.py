"""Where the archive keeps its runs, how the last release of a page is found in it, and what is removed.

Layout, below the private folder: ``archive/<series>/<run id>/manifest.json`` and, for a run that published,
``results.json``, and ``snapshot.zip`` where the page says what changed (its last two releases only). Runs
are only added; `prune_runs` removes the run folders of notebooks, never these.
"""

import dataclasses
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes.disclosure.page_context import find_run_folder
from outcomes.disclosure.released import RELEASE_COLUMNS, read_releases
from outcomes.errors import OutcomesError
from outcomes.machine.private_files import (
    encode_record,
    load_record,
    make_private,
    remove_drafts,
    write_private_file,
)
from outcomes.reports.job import Run

_NAME = "manifest.json"
#: Exit code to class of reasons; the words of an index have these names.
_REASONS = {
    1: "bug",
    2: "configuration",
    3: "records",
    4: "privacy",
    5: "refused_records",
    6: "notebook",
    7: "disclosure",
    8: "locked",
    9: "output",
    10: "time",
    130: "interrupted",
    143: "interrupted",
}


@dataclass(frozen=True)
class Manifest:
    """One run of a report."""

    run: str
    report: str
    #: ``team`` or ``stakeholder``; empty where the parameters were refused.
    audience: str = ""
    #: ``running``, ``published``, ``failed`` or ``interrupted``; a killed run leaves ``running`` behind.
    state: str = "running"
    #: Id of the series in ``reports.toml``; empty for a page made by hand.
    series: str = ""
    #: What one page of a series is about: ``{"site": "meadow"}``; empty where the series is one page.
    slice: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    #: When that fell due, in UTC, ISO; releases are in this order.
    due: str = ""
    title: str = ""
    #: Why there is no page: a class of reasons such as ``notebook`` or ``time``, never a text of the run.
    reason: str = ""
    exit_code: int = 0
    #: In UTC, ISO; ``ended`` is empty while it runs.
    started: str = ""
    ended: str = ""
    #: Hash of notebook, parameters, records and packages: two runs with one key make one page.
    key: str = ""
    #: Of the records, the notebook, the names and versions of the installed packages, and
    #: ``requirements.lock`` (empty where there is none).
    records_sha256: str = ""
    notebook_sha256: str = ""
    packages_sha256: str = ""
    lock_sha256: str = ""
    outcomes: str = ""
    python: str = ""
    engine: str = ""
    #: Those that name no person and no place on a disk.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    #: Where the page lies below the folder of pages, and its hash.
    page: str = ""
    page_sha256: str = ""
    n_read: int | None = None
    #: The newest day in the records (ISO); empty where they hold no dates.
    newest: str = ""
    #: Outputs of the notebook that are not on the page.
    n_dropped: int = 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into a run's folder, whole or not at all, for its owner only."""
    write_private_file(folder / _NAME, encode_record(manifest))


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a run's folder; None where it holds none that is whole."""
    return load_record(Manifest, folder / _NAME)


def name_reason(error: BaseException) -> str:
    """Return the class of an error: by its exit code, ``interrupted`` or ``bug`` where it has none.

    Records of which nothing is wrong but what they mean is open have a class of their own.

    >>> from outcomes.errors import ReportError
    >>> name_reason(ReportError("Time ran out.", exit_code=10)), name_reason(KeyError())
    ('time', 'bug')
    """
    if isinstance(error, OutcomesError):
        if error.questions and not any(finding.outcome == "refuse_file" for finding in error.findings):
            return "open_question"
        return _REASONS.get(error.exit_code, "bug")
    if isinstance(error, OSError):
        return "output"
    return "bug" if isinstance(error, Exception) else "interrupted"


_PREVIOUS, _RESULTS = "previous", "results.json"
_SERIES = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
#: Days that the folder of a run by hand is kept.
_USUAL_DAYS = 30
# a file that is being written is whole within seconds
_DRAFT_DAYS = 1
_MOMENT = "%Y%m%dT%H%M%S"


@dataclass(frozen=True)
class PastRelease:
    """A release of a page that was published."""

    manifest: Manifest
    #: Private: its manifest and results, and what else is kept of it.
    folder: Path

    def results(self) -> pd.DataFrame:
        """Return its released numbers, one row per estimate: ``analysis`` and the columns of a `Release`."""
        text = (self.folder / _RESULTS).read_text(encoding="utf-8")
        return pd.read_json(StringIO(text), orient="table", precise_float=True)


@contextmanager
def keep_manifest(begun: Manifest, run: Run) -> Iterator[Callable[..., None]]:
    """Keep a run's manifest from its start to its end, for a series also in the archive.

    Yields a function that adds to it. A run that is killed leaves ``running`` behind, which the next one
    reads as ``interrupted``.
    """
    entry = None
    if begun.series:
        entry = run.archive / begun.series / run.id
        if not _SERIES.fullmatch(begun.series):
            raise ValueError("a series id is made of small letters, digits, - and _")
        make_private(run.private, run.archive, entry.parent, entry)
        write_manifest(entry, begun)
    added: dict[str, Any] = {}
    try:
        yield added.update
    finally:
        error = sys.exc_info()[1]
        if error is not None:
            added["state"] = "failed" if isinstance(error, Exception) else "interrupted"
            added["reason"] = name_reason(error)
            added["exit_code"] = getattr(error, "exit_code", 1)
        added["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = dataclasses.replace(begun, **added)
        run.close_to_others()
        write_manifest(run.folder, manifest)
        if entry:
            if manifest.state == "published":
                _keep_results(entry, run.folder)
            write_manifest(entry, manifest)


def _keep_results(entry: Path, run_folder: Path) -> None:
    """Keep all released numbers behind the views that a run showed, so that the next release has them."""
    columns = ["analysis", *RELEASE_COLUMNS]
    results = pd.DataFrame(columns=columns)
    frames = [release.table.assign(analysis=release.name) for release in read_releases(run_folder)]
    if frames:
        # several views may show parts of one release, and write it several times
        results = pd.concat(frames, ignore_index=True)[columns].drop_duplicates(ignore_index=True)
    text = results.to_json(orient="table", index=False, double_precision=15)
    write_private_file(entry / _RESULTS, str(text).encode("utf-8"))


def list_manifests(archive: Path, series: str | None = None) -> list[Manifest]:
    """Return the manifests of all runs, or of one series' runs, the oldest first."""
    folders = archive.glob("*/*" if series is None else f"{series}/*")
    return [
        manifest for folder in sorted(folders, key=lambda f: f.name) if (manifest := read_manifest(folder))
    ]


def find_last_release(
    archive: Path, series: str, slice: Mapping[str, str] | None = None, *, before: str | None = None
) -> PastRelease | None:
    """Return the last published release of a page of a series.

    ``slice`` says which page of it, such as ``{"site": "meadow"}``; with ``before`` (UTC, ISO) only releases
    that fell due earlier count.
    """
    found = [
        manifest
        for manifest in list_manifests(archive, series)
        if manifest.state == "published"
        and dict(manifest.slice) == dict(slice or {})
        and (before is None or manifest.due < before)
    ]
    if not found:
        return None
    last = max(found, key=lambda manifest: (manifest.due, manifest.run))
    return PastRelease(last, archive / series / last.run)


def find_release(archive: Path, series: str, run: str) -> PastRelease | None:
    """Return the release that a run made; None where the archive no longer has it."""
    manifest = read_manifest(archive / series / run)
    return PastRelease(manifest, archive / series / run) if manifest else None


def hand_over(release: PastRelease | None, run_folder: Path) -> None:
    """Put a copy of the last release into the folder of a run, where its notebook finds it."""
    if release is not None:
        target = run_folder / _PREVIOUS
        make_private(target)
        for path in release.folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, target / path.name)


def read_previous() -> PastRelease | None:
    """Return the last published release of the page that is being made.

    None where there is none yet, and wherever no page of a series is being made.
    """
    run_folder = find_run_folder()
    if run_folder is None:
        return None
    folder = run_folder / _PREVIOUS
    manifest = read_manifest(folder)
    return PastRelease(manifest, folder) if manifest else None


def prune_runs(private: Path, now: datetime, days: Mapping[str, int]) -> int:
    """Remove the private folders of runs that are old enough, and return how many; ``days`` is by series.

    Executed notebooks and texts of failed cells may hold values of patients, and serve only to find out what
    went wrong. The last run of each series is kept; so are manifests and released numbers.
    """
    seen, removed = set[str](), 0
    for folder in sorted((private / "runs").glob("*"), reverse=True):
        try:
            begun = datetime.strptime(folder.name.split("-")[0], _MOMENT).replace(tzinfo=now.tzinfo)
        except ValueError:
            continue
        manifest = read_manifest(folder)
        series = manifest.series if manifest else ""
        is_last = bool(series) and series not in seen
        seen.add(series)
        if not is_last and now - begun > timedelta(days=days.get(series, _USUAL_DAYS)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    remove_drafts(private, older_than=now - timedelta(days=_DRAFT_DAYS))
    return removed
