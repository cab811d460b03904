"""Approval: a person lets an edition leave; ledger and publication are one transaction."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from outcomes.disclosure.ledger import Edition, Ledger, is_begun, open_as_it_is, open_ledger
from outcomes.errors import DisclosureError, ReportError
from outcomes.facts import Text, find_project
from outcomes.machine.lock import hold_lock
from outcomes.reports.editions.released_pages import (
    EDITIONS_LOCK,
    RECORD_NAME,
    RELEASED,
    ReleaseRecord,
    encode_release,
    find_newest_known,
    find_place,
    hash_file,
    hash_list,
    read_record,
    recover_editions,
)
from outcomes.reports.publication import prepare_folder, publish


def list_waiting(private: Path) -> list[Edition]:
    """Return the editions that wait for approval, in the order in which they fell due."""
    with open_ledger(private, newest_known=find_newest_known()) as ledger:
        waiting = [edition for edition in ledger.list_editions() if edition.state == "made"]
    return sorted(waiting, key=lambda edition: (edition.series, edition.due, edition.page))


def read_states(private: Path) -> dict[str, str]:
    """Return the state of every edition by the id of its run; none where no ledger was ever begun.

    A DisclosureError where the ledger cannot be trusted.
    """
    newest_known = find_newest_known()
    if not newest_known and not is_begun(private):
        return {}
    with open_as_it_is(private, newest_known) as ledger:
        return {edition.id: edition.state for edition in ledger.list_editions()}


def find_waiting(private: Path, what: Sequence[str]) -> list[Edition]:
    """Return the waiting editions that are named: by ids of series (the latest slot), or places of pages."""
    waiting, found = list_waiting(private), list[Edition]()
    for word in what:
        of_series = [edition for edition in waiting if edition.series == word]
        place = Path.cwd() / word
        meant = [one for one in of_series if one.slot == of_series[-1].slot] if of_series else []
        meant = meant or [edition for edition in waiting if find_place(edition) == place]
        if not meant:
            raise ReportError(Text.of("errors.editions.none_waits", name=repr(word)), exit_code=2)
        found += [edition for edition in meant if edition not in found]
    return found


def approve_editions(
    editions: Sequence[Edition], *, by: str, private: Path, now: dt.datetime
) -> dict[str, Path]:
    """Release editions for stakeholders, each in one transaction with the ledger.

    The ledger notes that an edition is about to be released, page and files are put in place, and the ledger
    notes that it is released. After a stop in between, the next command completes it where the page stands,
    and undoes it where it does not. Returns the page of each edition by its id.

    The ledger refuses an edition (exit code 7) when it is damaged, a page was changed, a later one was
    released already, or it may no longer stand beside what was released meanwhile.
    """
    if not by.strip():
        raise ReportError("Say who approves: outcomes approve ... --by NAME", exit_code=2)
    placed = {}
    with (
        hold_lock(private, EDITIONS_LOCK, wait_seconds=60),
        open_ledger(private, newest_known=find_newest_known()) as ledger,
    ):
        ledger.rehash()
        recover_editions(ledger)
        for edition in editions:
            record = _check_edition(edition, ledger)
            place = _choose_place(edition, now.date())
            folder = prepare_folder(place.parent)
            prepared = ledger.prepare(edition.id, approved_by=by.strip(), day=now.date().isoformat())
            released = dataclasses.replace(
                record,
                state="released",
                approved_by=prepared.approved_by,
                approved_on=prepared.approved_on,
                ledger_sequence=prepared.sequence,
            )
            team = find_place(edition)
            content = {name: (team.with_suffix("") / name).read_bytes() for name in record.files}
            content[RECORD_NAME] = encode_release(released)
            placed[edition.id] = publish(folder, place.stem, team.read_bytes(), content)
            ledger.settle(edition.id)
    return placed


def refuse_editions(editions: Sequence[Edition], *, private: Path) -> None:
    """Take back editions that wait: they are never released, and no longer count for others."""
    with (
        hold_lock(private, EDITIONS_LOCK, wait_seconds=60),
        open_ledger(private, newest_known=find_newest_known()) as ledger,
    ):
        for edition in editions:
            ledger.withdraw(edition.id)


def _check_edition(edition: Edition, ledger: Ledger) -> ReleaseRecord:
    """Check an edition once more; its files and the ledger may have changed since it was made."""
    page = find_place(edition)
    record = read_record(page) if page.is_file() else None
    beside = page.with_suffix("")
    # the ledger's hashes cannot be changed together with the record
    if (
        record is None
        or hash_list(record.files) != edition.files_sha256
        or not hash_file(page) == edition.page_sha256 == record.page_sha256
        or any(
            Path(name).name != name or not (beside / name).is_file() or hash_file(beside / name) != sha
            for name, sha in record.files.items()
        )
    ):
        raise DisclosureError(Text.of("errors.editions.changed", page=page.name))
    last = ledger.find_last_released(edition.series, edition.slice) if edition.series else None
    if last is not None and edition.due < last.due:
        raise DisclosureError(Text.of("errors.editions.older", page=page.name, slot=last.slot))
    conflicts = ledger.check(edition.id)
    if conflicts:
        said = Text.of("errors.editions.conflicts", page=page.name, conflicts=", ".join(conflicts))
        raise DisclosureError(said)
    return record


def _choose_place(edition: Edition, day: dt.date) -> Path:
    """Return where an edition is put; one that was released once is never written over."""
    team = Path(edition.page)
    folder = RELEASED / edition.series / edition.slot if edition.series else RELEASED / "by-hand" / f"{day}"
    places = [folder, *(folder.with_name(f"{folder.name}-r{number}") for number in range(2, 100))]
    free = (place for place in places if not (find_project() / place / team.name).exists())
    return next(free) / team.name
