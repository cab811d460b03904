"""What changed since the last release: what a run keeps for the next one, and what stakeholders see."""

import io
import json
import math
import shutil
import zipfile
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes.cohort import Cohort, Snapshot, take_snapshot
from outcomes.cohort.snapshot import TABLES
from outcomes.disclosure import RELEASE_COLUMNS, Release
from outcomes.disclosure.page_context import find_run_folder
from outcomes.disclosure.released import Backing
from outcomes.errors import ReportError
from outcomes.facts import Text, read_schema
from outcomes.machine.private_files import make_private, write_private_file
from outcomes.reports.archive.store import PastRelease, list_manifests, read_previous

_NAME, _ABOUT, _NUMBERS = "snapshot.zip", "about.json", "headline"
#: Folder of a run in which its notebook may leave what is kept; absent where nothing is.
_KEPT = "kept"


def recall_release() -> Snapshot | None:
    """Return what the last release of the page that is being made has kept.

    Returns
    -------
    Snapshot or None
        None where there is no earlier release, and wherever no page of a series is being made.
    """
    previous = read_previous()
    if previous is None:
        return None
    return read_snapshot(previous.folder / _NAME, label=previous.manifest.slot or previous.manifest.due[:10])


def keep_release(cohort: Cohort) -> None:
    """Keep what the next release of the page that is being made needs of this one.

    Nothing is kept where no page of a series is being made.

    Parameters
    ----------
    cohort : Cohort
        Its records, as they were read, and its headline numbers go to the private folder.
    """
    from outcomes.analyses.headline import list_headline  # costs a command its start

    run_folder = find_run_folder()
    folder = run_folder / _KEPT if run_folder else None
    if folder is not None and folder.is_dir():
        write_snapshot(take_snapshot(cohort, list_headline(cohort).table), folder / _NAME)


def ask_to_keep(run_folder: Path) -> None:
    """Let the notebook of a run keep what the next release needs."""
    make_private(run_folder / _KEPT)


def keep_snapshot(run_folder: Path, entry: Path) -> None:
    """Copy what a run's notebook kept into the run's folder of the archive, for its owner only."""
    path = run_folder / _KEPT / _NAME
    if path.is_file():
        write_private_file(entry / _NAME, path.read_bytes())
    shutil.rmtree(run_folder / _KEPT, ignore_errors=True)


def forget_snapshots(archive: Path, series: str, slice: Mapping[str, str], last: PastRelease | None) -> None:
    """Remove the snapshots of a page's releases that fell due before its last one.

    That one's stays with the new one's, so that the same slot can be made once more.
    """
    if last is None:
        return
    for manifest in list_manifests(archive, series):
        if dict(manifest.slice) == dict(slice) and manifest.due < last.manifest.due:
            (archive / series / manifest.run / _NAME).unlink(missing_ok=True)


def write_snapshot(snapshot: Snapshot, path: Path) -> Path:
    """Write a snapshot as one file, whole or not at all, for its owner only."""
    held = io.BytesIO()
    about = {"definitions": dict(snapshot.definitions), "files": dict(snapshot.files)}
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(_ABOUT, json.dumps(about, ensure_ascii=False))
        for name, table in {**snapshot.tables, _NUMBERS: snapshot.headline}.items():
            content = io.BytesIO()
            table.to_parquet(content, index=False, compression="zstd")
            archive.writestr(f"{name}.parquet", content.getvalue())
    try:
        write_private_file(path, held.getvalue())
    except OSError as error:
        said = Text.of("errors.report.not_kept", reason=error.strerror)
        raise ReportError(said, exit_code=9) from None
    return path


def read_snapshot(path: Path, label: str = "") -> Snapshot | None:
    """Read a snapshot back; None where there is none."""
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(_ABOUT))
            held = {
                name: pd.read_parquet(io.BytesIO(archive.read(f"{name}.parquet")))
                for name in (*TABLES, _NUMBERS)
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise ReportError(Text.of("errors.report.snapshot", file=path.name), exit_code=9) from None
    headline = held.pop(_NUMBERS)
    tables = {name: _hold_as_records(table, name) for name, table in held.items()}
    return Snapshot(tables, headline, about["definitions"], about["files"], label)


def _hold_as_records(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with its columns held as those of records are; Parquet loses some of that."""
    types = {column: spec.type for column, spec in read_schema()[name].items() if column in table}
    named = {column: "str" for column, type in types.items() if type in ("category", "id")}
    dates = {column: "datetime64[s]" for column, type in types.items() if type == "date"}
    return table.astype({**named, **dates}).astype(dict.fromkeys(named, "category"))


#: Numbers worth comparing, by analysis: the statistic, and what else its rows must be.
_HEADLINE: dict[str, dict[str, Any]] = {
    "change": {"statistic": "mean_improvement"},
    "responders": {"statistic": ["share_improved", "share_in_state"], "term": "seen"},
    "over_time": {"statistic": "contrast"},
}
_KEY = ("outcome", "statistic", "term", "level", "group", "versus", "timepoint")


def set_beside_last(since_last: Release, *shown: Release) -> Release:
    """Set the headline numbers of a page for stakeholders beside those of the edition that they had last.

    Both were released, so that neither tells more beside the other; what a difference comes from - new
    patients, corrections, definitions - would, and is for the team.

    Parameters
    ----------
    since_last : Release
        Of `split_changes`.
    *shown : Release
        What the page shows: of `summarise_change`, `count_responders`, `compare_over_time`.

    Returns
    -------
    Release
        For the team `since_last` as it is. For stakeholders one row per number and edition: ``statistic`` is
        ``before`` or ``after``, ``term`` what the number is, ``display`` as the edition wrote it; empty where
        no edition was released before.
    """
    if since_last.audience == "team":
        return since_last
    previous = read_previous()
    rows, label = list[dict[str, Any]](), ""
    if previous is not None:
        results = previous.results().to_dict("records")
        earlier = {(str(row["analysis"]), *_name(row)): row for row in results}
        rows = [row for release in shown for row in _list_rows(release, earlier)]
        label = previous.manifest.slot or previous.manifest.due[:10]
    table = pd.DataFrame(rows, columns=list(RELEASE_COLUMNS))
    table = table.astype({name: since_last.table[name].dtype for name in RELEASE_COLUMNS})
    origin = replace(since_last.origin, earlier=label)
    # the page shows these rows elsewhere, with the patients behind them
    backing = Backing(("shown",) * len(rows), tuple({} for _ in rows), None)
    return replace(
        since_last, table=table, warnings=(), origin=origin, n_withheld=0, notes=(), backing=backing
    )


def _name(row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    return tuple("" if pd.isna(row[name]) else str(row[name]) for name in _KEY)


def _list_rows(
    release: Release, earlier: Mapping[tuple[str, ...], Mapping[Hashable, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the headline numbers of a release at its primary time point, before and after."""
    wanted = {**_HEADLINE[release.name], "timepoint": release.origin.primary}
    if wanted["statistic"] == "contrast":
        wanted["versus"] = release.origin.reference
    for row in release.where(**wanted).table.to_dict("records"):
        before = earlier.get((release.name, *_name(row)))
        for step, held in (("before", before), ("after", row)):
            if held is not None:
                kept = {name: held.get(name) for name in RELEASE_COLUMNS}
                yield {**kept, "statistic": step, "term": row["statistic"], "x": math.nan}
