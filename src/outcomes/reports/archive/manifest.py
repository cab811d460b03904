"""`Manifest`: what one run was made from, and how it ended. It holds counts, hashes and codes, no values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.reports.publication import replace_file

#: How a run may stand. ``running`` of a run that nobody works on any more means ``interrupted``.
STATES = ("running", "published", "failed", "interrupted")
_NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """One run of a report.

    Parameters
    ----------
    run : str
        Its id.
    report : str
        Name of the notebook.
    audience : str
        ``team`` or ``stakeholder``; empty where the parameters were refused.
    state : str
        One of `STATES`.
    series : str
        Id of the series in ``reports.toml``; empty for a page made by hand.
    slice : mapping
        What one page of a series is about: ``{"site": "meadow"}``; empty where the series is one page.
    slot : str
        Which release of the series: ``2026-Q3``.
    due : str
        When that fell due, in UTC, ISO; releases are in this order.
    title : str
        The page's title.
    reason : str
        Why there is no page: a class of reasons such as ``notebook`` or ``time``, never a text of the run.
    exit_code : int
        As of the command line.
    started, ended : str
        In UTC, ISO; ``ended`` is empty while it runs.
    key : str
        Hash of notebook, parameters, records and packages: two runs with one key make one page.
    records_sha256, notebook_sha256, packages_sha256, lock_sha256 : str
        Of the records, the notebook, the names and versions of the installed packages, and
        ``requirements.lock`` (empty where there is none).
    outcomes, python : str
        Versions.
    engine : str
        ``fork`` or ``stock``.
    parameters : mapping
        Those that name no person and no place on a disk.
    seed : int
        Of random numbers.
    page, page_sha256 : str
        Where the page lies below the folder of pages, and its hash.
    n_read : int or None
        Source records read.
    newest : str
        The newest day in the records (ISO); empty where they hold no dates.
    n_dropped : int
        Outputs of the notebook that are not on the page.
    """

    run: str
    report: str
    audience: str = ""
    state: str = "running"
    series: str = ""
    slice: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    due: str = ""
    title: str = ""
    reason: str = ""
    exit_code: int = 0
    started: str = ""
    ended: str = ""
    key: str = ""
    records_sha256: str = ""
    notebook_sha256: str = ""
    packages_sha256: str = ""
    lock_sha256: str = ""
    outcomes: str = ""
    python: str = ""
    engine: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    page: str = ""
    page_sha256: str = ""
    n_read: int | None = None
    newest: str = ""
    n_dropped: int = 0


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write a manifest into a run's folder, whole or not at all, for its owner only."""
    path = folder / _NAME
    text = json.dumps(dataclasses.asdict(manifest), indent=2, ensure_ascii=False) + "\n"
    replace_file(path, text.encode("utf-8"), mode=0o600)
    return path


def read_manifest(folder: Path) -> Manifest | None:
    """Read a manifest; None where a folder holds none that is whole."""
    try:
        content = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = {entry.name for entry in dataclasses.fields(Manifest)}
    content = {key: value for key, value in content.items() if key in known}
    return Manifest(**content)
