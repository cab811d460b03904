"""`Manifest`: what one run was made from, and how it ended. It holds counts, hashes and codes, no values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.errors import OutcomesError
from outcomes.machine.json_record import encode_record, load_record
from outcomes.machine.private_files import replace_file

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

    #: Its id.
    run: str
    #: Name of the notebook.
    report: str
    #: ``team`` or ``stakeholder``; empty where the parameters were refused.
    audience: str = ""
    #: ``running``, ``published``, ``failed`` or ``interrupted``; a killed run leaves ``running`` behind.
    state: str = "running"
    #: Id of the series in ``reports.toml``; empty for a page made by hand.
    series: str = ""
    #: What one page of a series is about: ``{"site": "meadow"}``; empty where the series is one page.
    slice: Mapping[str, str] = field(default_factory=dict)
    #: Which release of the series: ``2026-Q3``.
    slot: str = ""
    #: When that fell due, in UTC, ISO; releases are in this order.
    due: str = ""
    #: The page's title.
    title: str = ""
    #: Why there is no page: a class of reasons such as ``notebook`` or ``time``, never a text of the run.
    reason: str = ""
    #: As of the command line.
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
    #: Versions.
    outcomes: str = ""
    python: str = ""
    #: ``fork`` or ``stock``.
    engine: str = ""
    #: Those that name no person and no place on a disk.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Of random numbers.
    seed: int = 0
    #: Where the page lies below the folder of pages, and its hash.
    page: str = ""
    page_sha256: str = ""
    #: Source records read.
    n_read: int | None = None
    #: The newest day in the records (ISO); empty where they hold no dates.
    newest: str = ""
    #: Outputs of the notebook that are not on the page.
    n_dropped: int = 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into a run's folder, whole or not at all, for its owner only."""
    replace_file(folder / _NAME, encode_record(manifest), mode=0o600)


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
