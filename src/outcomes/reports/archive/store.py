"""Where the archive keeps its runs, and how the last release of a page is found in it.

Layout, below the private folder: ``archive/<series>/<run id>/manifest.json`` and, for a run that published,
``results.json``, and ``snapshot.zip`` where the page says what changed (its last two releases only). Runs
are only added; retention removes the run folders of notebooks, never these.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from outcomes.disclosure.page_context import find_run_folder
from outcomes.reports.archive.manifest import Manifest, read_manifest
from outcomes.reports.archive.results import read_results
from outcomes.reports.runs import make_private

_PREVIOUS = "previous"
_SERIES = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True)
class PastRelease:
    """A release of a page that was published.

    Parameters
    ----------
    manifest : Manifest
    folder : Path
        Private: its manifest and results, and whatever else is kept of it.
    """

    manifest: Manifest
    folder: Path

    def results(self) -> pd.DataFrame:
        """Return its released numbers, one row per estimate (see `collect_results`)."""
        return read_results(self.folder)


def open_entry(archive: Path, series: str, run: str) -> Path:
    """Make the archive's folder for a run of a series, for its owner only.

    Parameters
    ----------
    archive : Path
        The folder ``.outcomes/archive``.
    series : str
        Id of the series.
    run : str
        Id of the run.
    """
    if not _SERIES.fullmatch(series):
        raise ValueError("a series id is made of small letters, digits, - and _")
    folder = archive / series / run
    make_private(archive.parent, archive, archive / series, folder)
    return folder


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

    Parameters
    ----------
    archive : Path
        The folder ``.outcomes/archive``.
    series : str
        Id of the series.
    slice : mapping, optional
        Which page of it: ``{"site": "meadow"}``.
    before : str, optional
        Only releases that fell due earlier than this moment (UTC, ISO) count.

    Returns
    -------
    PastRelease or None
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

    Returns
    -------
    PastRelease or None
        None where there is none yet, and wherever no page of a series is being made.
    """
    run_folder = find_run_folder()
    if run_folder is None:
        return None
    folder = run_folder / _PREVIOUS
    manifest = read_manifest(folder)
    return PastRelease(manifest, folder) if manifest else None
