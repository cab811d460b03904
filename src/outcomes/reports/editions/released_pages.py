"""Released pages: their folder, the release record beside each, and recovery after a crash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.disclosure.ledger import Edition, Ledger
from outcomes.facts import find_project
from outcomes.reports.publication import remove_drafts

#: Folder of the pages that may leave.
RELEASED = Path("reports") / "released"
#: Name of the release record in the folder beside a page.
RECORD_NAME = "release-record.json"
#: Name of the lock for making or releasing a page for stakeholders.
EDITIONS_LOCK = "editions"


@dataclass(frozen=True)
class ReleaseRecord:
    """What the recipient of a page may know of its edition: counts and names, no values."""

    #: File name of the page.
    page: str
    page_sha256: str
    #: Name of each file beside the page to its SHA-256.
    files: Mapping[str, str]
    title: str
    #: Name of the notebook.
    report: str
    #: Which release of which series; empty for a page made by hand.
    series: str = ""
    slot: str = ""
    due: str = ""
    #: What one page of the series is about.
    slice: Mapping[str, str] = field(default_factory=dict)
    #: Parameters that name no person and no place on a disk.
    about: Mapping[str, Any] = field(default_factory=dict)
    #: Profile of the disclosure rules.
    profile: str = ""
    #: Smallest number of patients behind a shown number.
    k: int = 0
    #: Numbers of the page; of these withheld; and of these shown as they were in an earlier edition.
    n_numbers: int = 0
    n_withheld: int = 0
    n_held: int = 0
    #: Sentences on what was merged or left out so that more could be shown.
    merged: Sequence[str] = ()
    #: ``passed``; a page that fails is not made.
    audit: str = ""
    #: Number of the ledger's event by which the edition was released; 0 before.
    ledger_sequence: int = 0
    #: ``made`` (waits for approval; for the team only) or ``released``.
    state: str = "made"
    #: Days (ISO).
    made_on: str = ""
    approved_on: str = ""
    approved_by: str = ""
    #: Version of the package.
    outcomes: str = ""


def encode_record(record: ReleaseRecord) -> bytes:
    """Return a record as the bytes of its file."""
    text = json.dumps(dataclasses.asdict(record), indent=2, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def read_record(page: Path) -> ReleaseRecord | None:
    """Read the record beside a page; None where there is no complete one."""
    try:
        content = json.loads((page.with_suffix("") / RECORD_NAME).read_text(encoding="utf-8"))
        known = {entry.name for entry in dataclasses.fields(ReleaseRecord)}
        return ReleaseRecord(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError):
        return None


def hash_list(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of a list of files with their own, whatever their order."""
    listed = "".join(f"{sha}  {name}\n" for name, sha in sorted(files.items()))
    return hashlib.sha256(listed.encode("utf-8")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def list_released() -> dict[Path, ReleaseRecord]:
    """Return the record of every released page that is unchanged since its release, by its place."""
    found = {}
    for path in sorted((find_project() / RELEASED).rglob(RECORD_NAME)):
        page = path.parent.with_suffix(".html")
        record = read_record(page) if page.is_file() else None
        if record is not None and hash_file(page) == record.page_sha256:
            found[page] = record
    return found


def find_newest_known() -> int:
    """Return the highest event of the ledger that a released page names; 0 where there is none."""
    return max((record.ledger_sequence for record in list_released().values()), default=0)


def find_place(edition: Edition) -> Path:
    """Return where the page of an edition is in the team's folder.

    The ledger knows a page by a name that is the same for all its editions; each slot has a folder.
    """
    page = find_project() / edition.page
    return page.parent / edition.slot / page.name if edition.series else page


def recover_editions(ledger: Ledger) -> None:
    """Complete or undo the releases that a crash interrupted between the ledger and the released pages.

    An edition that was about to be released is released where its page is in place; else it is ``made``
    again, and its files are removed.
    """
    folder = find_project() / RELEASED
    if folder.is_dir():
        remove_drafts(folder)
    standing = {record.page_sha256 for record in list_released().values()}
    for edition in ledger.recover(lambda edition: edition.page_sha256 in standing):
        if edition.page_sha256 not in standing:
            for beside in folder.rglob(Path(edition.page).stem):
                if beside.is_dir() and not beside.with_name(f"{beside.name}.html").is_file():
                    shutil.rmtree(beside)
