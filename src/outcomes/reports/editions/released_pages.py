"""Released pages: the record beside each, the folder they are in, and what a crash left behind there."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.disclosure.ledger import Edition, Ledger
from outcomes.facts import find_project
from outcomes.machine.private_files import encode_record, load_record, remove_drafts

#: Where pages lie that may leave.
RELEASED = Path("reports") / "released"
#: The lock for making a page for stakeholders, and for releasing one.
EDITIONS_LOCK = "editions"
#: Name of the release record in the folder beside a page.
RECORD_NAME = "release-record.json"


@dataclass(frozen=True)
class ReleaseRecord:
    """What a reader of an edition may know of it: by which rules it was made, and who approved it.

    It is kept in the folder beside the page and holds counts and names, no values.
    """

    page: str
    page_sha256: str
    #: Name of each file beside the page to its SHA-256.
    files: Mapping[str, str]
    #: The page's title, and the name of its notebook.
    title: str
    report: str
    #: Which release of which series; empty for a page made by hand.
    series: str = ""
    slot: str = ""
    due: str = ""
    #: What one page of the series is about.
    slice: Mapping[str, str] = field(default_factory=dict)
    #: Parameters that name no person and no place on a disk.
    about: Mapping[str, Any] = field(default_factory=dict)
    profile: str = ""
    k: int = 0
    #: Numbers of the page; of these withheld; and of these shown as they were in an earlier edition.
    n_numbers: int = 0
    n_withheld: int = 0
    n_held: int = 0
    #: What was merged or left out so that more could be shown, in words.
    merged: Sequence[str] = ()
    #: ``passed``; a page that fails is not made.
    audit: str = ""
    #: Number of the entry in the ledger of releases by which the edition was released; 0 before.
    ledger_sequence: int = 0
    #: ``made`` (waits for approval; for the team only) or ``released``.
    state: str = "made"
    #: Days (ISO).
    made_on: str = ""
    approved_on: str = ""
    approved_by: str = ""
    outcomes: str = ""


def encode_release(record: ReleaseRecord) -> bytes:
    """Return a release record as the bytes of its file."""
    return encode_record(record, sort_keys=True)


def read_record(page: Path) -> ReleaseRecord | None:
    """Read the record beside a page; None where there is none that is whole."""
    return load_record(ReleaseRecord, page.with_suffix("") / RECORD_NAME)


def hash_list(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of a list of files with their own hashes, in any order."""
    listed = "".join(f"{sha}  {name}\n" for name, sha in sorted(files.items()))
    return hashlib.sha256(listed.encode("utf-8")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def list_released() -> dict[Path, ReleaseRecord]:
    """Return the record of every released page that was not changed since, by its place."""
    found = {}
    for path in sorted((find_project() / RELEASED).rglob(RECORD_NAME)):
        page = path.parent.with_suffix(".html")
        if page.is_file() and (record := read_record(page)) and hash_file(page) == record.page_sha256:
            found[page] = record
    return found


def find_newest_known() -> int:
    """Return the highest entry of the ledger that a released page knows of; 0 where there is none."""
    return max((record.ledger_sequence for record in list_released().values()), default=0)


def find_place(edition: Edition) -> Path:
    """Return where the page of an edition lies in the team's folder; each slot has a folder."""
    page = find_project() / edition.page
    return page.parent / edition.slot / page.name if edition.series else page


def recover_editions(ledger: Ledger) -> list[Edition]:
    """Carry on, or undo, what a crash left between the ledger and the folder of released pages.

    Returns the editions that were about to be released: now ``released`` where the page stands, else ``made``
    and without any file in the folder.
    """
    if (folder := find_project() / RELEASED).is_dir():
        remove_drafts(folder)
    standing = {record.page_sha256 for record in list_released().values()}
    recovered = ledger.recover(lambda edition: edition.page_sha256 in standing)
    for edition in recovered:
        if edition.page_sha256 not in standing:
            for beside in (find_project() / RELEASED).rglob(Path(edition.page).stem):
                if beside.is_dir() and not beside.with_name(f"{beside.name}.html").is_file():
                    shutil.rmtree(beside)
    return recovered
