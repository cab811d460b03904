"""The folder of released pages: what stands there, and what a crash left between it and the ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

from outcomes.disclosure.ledger import Edition, Ledger
from outcomes.facts import find_project
from outcomes.reports.editions.record import ReleaseRecord, hash_file, list_records
from outcomes.reports.publication import remove_drafts

#: Where pages lie that may leave.
RELEASED = Path("reports") / "released"
#: The lock of whoever makes a page for stakeholders, or releases one.
EDITIONS_LOCK = "editions"


def list_released() -> dict[Path, ReleaseRecord]:
    """Return the record of every released page that stands as it was released, by its place."""
    found = list_records(find_project() / RELEASED)
    return {page: record for page, record in found.items() if hash_file(page) == record.page_sha256}


def find_newest_known() -> int:
    """Return the highest entry of the ledger that a released page knows of; 0 where there is none."""
    return max((record.ledger_sequence for record in list_released().values()), default=0)


def find_place(edition: Edition) -> Path:
    """Return where the page of an edition lies in the team's folder.

    The ledger knows a page by a name that is the same for all its editions; each slot has a folder.
    """
    page = find_project() / edition.page
    return page.parent / edition.slot / page.name if edition.series else page


def recover_editions(ledger: Ledger) -> list[Edition]:
    """Carry on, or undo, what a crash left between the ledger and the folder of released pages.

    Returns
    -------
    list of Edition
        Those that were about to be released: now ``released`` where the page stands, ``made`` where it does
        not, and then without any file of it in the folder.
    """
    if (folder := find_project() / RELEASED).is_dir():
        remove_drafts(folder)
    standing = {record.page_sha256 for record in list_released().values()}
    recovered = ledger.recover(lambda edition: edition.page_sha256 in standing)
    for edition in recovered:
        if edition.page_sha256 not in standing:
            _clear_place(edition)
    return recovered


def _clear_place(edition: Edition) -> None:
    """Remove the files beside a page that was never put in place."""
    for beside in (find_project() / RELEASED).rglob(Path(edition.page).stem):
        if beside.is_dir() and not beside.with_name(f"{beside.name}.html").is_file():
            shutil.rmtree(beside)
