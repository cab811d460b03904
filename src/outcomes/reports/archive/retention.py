"""How long private things are kept: run folders of notebooks go, manifests and released numbers stay."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from outcomes.reports.archive.manifest import read_manifest
from outcomes.reports.publication import remove_drafts

#: Days that the folder of a run by hand is kept.
_USUAL_DAYS = 30
# a file that is being written is whole within seconds
_DRAFT_DAYS = 1
_MOMENT = "%Y%m%dT%H%M%S"


def prune_runs(private: Path, now: datetime, days: Mapping[str, int]) -> int:
    """Remove the private folders of runs that are old enough.

    Executed notebooks and what failed cells said may hold values of patients, and serve only to find out
    what went wrong. The last run of each series is kept.

    Parameters
    ----------
    private : Path
        The private folder.
    now : datetime
        In UTC.
    days : mapping
        Days for which each series keeps its runs.

    Returns
    -------
    int
        How many were removed.
    """
    folders = sorted((private / "runs").glob("*"), reverse=True)
    seen, removed = set[str](), 0
    for folder in folders:
        begun = _find_moment(folder.name, now)
        if begun is None:
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


def _find_moment(run: str, now: datetime) -> datetime | None:
    try:
        return datetime.strptime(run.split("-")[0], _MOMENT).replace(tzinfo=now.tzinfo)
    except ValueError:
        return None
