"""The release record beside a stakeholder page: by which rules it was made, and who approved it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.reports.publication import replace_file

#: Its name in the folder beside the page.
RECORD_NAME = "release-record.json"


@dataclass(frozen=True)
class ReleaseRecord:
    """What may be known of an edition by whoever is given its page. It holds counts and names, no values.

    Parameters
    ----------
    page : str
        File name of the page.
    page_sha256 : str
    files : mapping
        Name of each file beside the page to its SHA-256.
    title, report : str
        The page's title, and the name of its notebook.
    series, slot, due : str
        Which release of which series; empty for a page made by hand.
    slice : mapping
        What one page of the series is about.
    about : mapping
        Parameters that name no person and no place on a disk.
    profile : str
        Name of the rules of disclosure control.
    k : int
        Smallest number of patients behind a shown number.
    n_numbers, n_withheld, n_held : int
        Numbers of the page; of these withheld; and of these shown as they were in an earlier edition.
    merged : tuple of str
        What was merged or left out so that more could be shown, in words.
    audit : str
        ``passed``; a page that fails is not made.
    ledger_sequence : int
        Number of the entry in the ledger of releases by which the edition was released; 0 before.
    state : str
        ``made`` (waits for approval; for the team only) or ``released``.
    made_on, approved_on : str
        Days (ISO).
    approved_by : str
        Who approved it for stakeholders.
    outcomes : str
        Version of the package.
    """

    page: str
    page_sha256: str
    files: Mapping[str, str]
    title: str
    report: str
    series: str = ""
    slot: str = ""
    due: str = ""
    slice: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    profile: str = ""
    k: int = 0
    n_numbers: int = 0
    n_withheld: int = 0
    n_held: int = 0
    merged: Sequence[str] = ()
    audit: str = ""
    ledger_sequence: int = 0
    state: str = "made"
    made_on: str = ""
    approved_on: str = ""
    approved_by: str = ""
    outcomes: str = ""


def write_record(page: Path, record: ReleaseRecord) -> Path:
    """Write a record into the folder beside its page, whole or not at all."""
    path = page.with_suffix("") / RECORD_NAME
    replace_file(path, encode_record(record))
    return path


def encode_record(record: ReleaseRecord) -> bytes:
    """Return a record as the bytes of its file."""
    text = json.dumps(dataclasses.asdict(record), indent=2, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def read_record(page: Path) -> ReleaseRecord | None:
    """Read the record beside a page; None where there is none that is whole."""
    try:
        content = json.loads((page.with_suffix("") / RECORD_NAME).read_text(encoding="utf-8"))
        known = {entry.name for entry in dataclasses.fields(ReleaseRecord)}
        return ReleaseRecord(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError):
        return None


def list_records(folder: Path) -> dict[Path, ReleaseRecord]:
    """Return the records of all pages below a folder, by the place of the page."""
    found = {}
    for path in sorted(folder.rglob(RECORD_NAME)):
        page = path.parent.with_suffix(".html")
        if page.is_file() and (record := read_record(page)):
            found[page] = record
    return found


def hash_list(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of a list of files with their own, whatever their order."""
    listed = "".join(f"{sha}  {name}\n" for name, sha in sorted(files.items()))
    return hashlib.sha256(listed.encode("utf-8")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
