"""`Ledger`: what was released, of whom, and the state of each edition of a page."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from outcomes.disclosure.ledger.cell import Cell, PatientNumbers, build_row_cells
from outcomes.disclosure.ledger.checking import check_contents, open_database
from outcomes.disclosure.ledger.comparison import judge_cells
from outcomes.disclosure.ledger.database import keep_backup, lock_ledger, report_full_disk, write_database
from outcomes.disclosure.ledger.editions import (
    EDITION_COLUMNS,
    Edition,
    Event,
    Head,
    append_event,
    find_head,
    find_today,
    hash_edition,
    list_events,
    list_pages,
    read_head,
    write_head,
)
from outcomes.disclosure.ledger.hashes import hash_cells
from outcomes.disclosure.ledger.stored_cells import (
    drop_unused,
    number_patients,
    read_cells,
    store_cells,
)
from outcomes.disclosure.released import Release
from outcomes.disclosure.rules import read_rules
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.machine.private_files import remove_drafts
from outcomes.result import write_origin


class Ledger(AbstractContextManager["Ledger"]):
    """An open ledger, a context manager; made by `open_ledger`, which has checked it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: bytes) -> None:
        self.path = path
        self.connection = connection
        #: The key of the patients' tokens.
        self.key = key

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def head(self) -> Head:
        """The end of its chain, which a release record may repeat."""
        return find_head(self.list_events(), list_pages(self.connection))

    def rehash(self) -> None:
        """Refuse a ledger in which something is not what the events and hashes say; all of it is read."""
        check_contents(self.connection)

    def list_events(self) -> list[Event]:
        """Return what happened, in order."""
        return list_events(self.connection)

    def list_editions(self) -> list[Edition]:
        """Return all editions, in the order of the last event of each."""
        query = f"SELECT {', '.join(EDITION_COLUMNS)} FROM editions ORDER BY sequence, id"
        found = [dict(zip(EDITION_COLUMNS, row, strict=True)) for row in self.connection.execute(query)]
        return [Edition(**{**values, "slice": json.loads(values["slice"])}) for values in found]

    def find_edition(self, id: str) -> Edition:
        """Return one edition; a DisclosureError where there is none."""
        for edition in self.list_editions():
            if edition.id == id:
                return edition
        raise DisclosureError(f"The ledger of releases knows no edition {id!r}.")

    def find_last_released(self, series: str, slice: Mapping[str, str]) -> Edition | None:
        """Return the last edition of a page of a series that was released and not withdrawn, if any."""
        found = [
            edition
            for edition in self.list_editions()
            if edition.state == "released" and edition.series == series and dict(edition.slice) == dict(slice)
        ]
        return max(found, key=lambda edition: (edition.due, edition.sequence)) if found else None

    def count_cells(self) -> dict[str, tuple[int, int]]:
        """Return for each edition's id its numbers, and how many of them are those of an earlier one."""
        query = (
            "SELECT editions.id, count(cells.id), coalesce(sum(cells.origin != editions.id), 0) FROM "
            "editions LEFT JOIN cells ON cells.edition = editions.id GROUP BY editions.id"
        )
        return {id: (n, n_held) for id, n, n_held in self.connection.execute(query)}

    def read_cells(self, editions: Iterable[Edition] | None = None) -> list[Cell]:
        """Return all released rows, or those of some editions, in a fixed order."""
        return read_cells(self.connection, None if editions is None else [edition.id for edition in editions])

    def enter(self, edition: Edition, releases: Sequence[Release]) -> Edition:
        """Enter a page that was made, and return its edition; an earlier version of the slot is replaced.

        `releases` are all that the page shows. Refused (DisclosureError) where an edition of that id was
        released, or a release does not say whose numbers it holds; a ReportError where the disk is full (exit
        code 9) or another process keeps the lock (8).
        """
        with self._write():
            for other in self.list_editions():
                if other.id == edition.id and other.state != "made":
                    raise DisclosureError(f"The edition {edition.id!r} is {other.state} already.")
                if other.id == edition.id or edition.replaces(other):
                    self._drop(other)
            edition = dataclasses.replace(edition, state="made", made=edition.made or find_today())
            cells = build_cells(self.connection, self.key, edition, releases)
            places = ", ".join("?" for _ in (*EDITION_COLUMNS, "cells_sha256"))
            self.connection.execute(
                f"INSERT INTO editions ({', '.join(EDITION_COLUMNS)}, cells_sha256) VALUES ({places})",
                (*_list_values(edition), ""),
            )
            store_cells(self.connection, edition.id, cells)
            self.connection.execute(
                "UPDATE editions SET cells_sha256 = ? WHERE id = ?",
                (hash_cells(self.connection, edition.id), edition.id),
            )
            self._note(edition, "made")
        return self.find_edition(edition.id)

    def prepare(self, edition_id: str, approved_by: str, day: str) -> Edition:
        """Record that an edition is about to be released, and who approved it."""
        return self._change(edition_id, "made", "prepared", approved_by=approved_by, approved_on=day)

    def settle(self, edition_id: str) -> Edition:
        """Record that a prepared edition was released, and keep a backup."""
        edition = self._change(edition_id, "prepared", "released")
        with lock_ledger(self.path.parent.parent):
            self._keep_backup()
        return edition

    def withdraw(self, edition_id: str) -> Edition | None:
        """Withdraw an edition.

        A released one stays known to its readers, and counts in all later comparisons; one that was only made
        is removed.
        """
        edition = self.find_edition(edition_id)
        if edition.state != "made":
            return self._change(edition_id, "released", "withdrawn")
        with self._write():
            self._drop(edition)
        return None

    def check(self, edition_id: str) -> list[str]:
        """Return what keeps an edition from being released beside pages that were released since it was made.

        One text per conflict, analysis and statistic; empty where there is none. A page that is made again is
        compared with these pages too.
        """
        edition = self.find_edition(edition_id)
        known = [other for other in self.list_editions() if other.id != edition.id and other.state != "made"]
        cells = [cell for cell in self.read_cells([edition]) if not cell.is_kept_back]
        earlier = [cell for cell in self.read_cells(known) if not cell.is_kept_back]
        judged = judge_cells(cells, earlier, edition.k, {other.id: other.k for other in known})
        found = {
            f"{cell.analysis}: {cell.row['statistic']}"
            for cell, judgement in zip(cells, judged, strict=True)
            if judgement.reason
        }
        return sorted(found)

    def recover(self, is_published: Callable[[Edition], bool]) -> list[Edition]:
        """Complete the prepared editions that a crash left, and return them: released where the page is
        in place.

        The others are ``made`` again. `is_published` returns whether the page in place is the prepared one.
        """
        ended = []
        for edition in self.list_editions():
            if edition.state == "prepared" and is_published(edition):
                ended.append(self.settle(edition.id))
            elif edition.state == "prepared":
                nobody = {"approved_by": "", "approved_on": ""}
                ended.append(self._change(edition.id, "prepared", "made", as_event="returned", **nobody))
        return ended

    def _change(self, id: str, before: str, after: str, as_event: str = "", **further: Any) -> Edition:
        with self._write():
            edition = self.find_edition(id)
            if edition.state != before:
                said = {"page": repr(edition.page), "state": edition.state, "before": before}
                raise DisclosureError(Text.of("errors.ledger.other_state", **said))
            self._note(dataclasses.replace(edition, state=after, **further), as_event or after)
        return self.find_edition(id)

    def _note(self, edition: Edition, change: str) -> None:
        """Write the state of an edition together with its event."""
        last = self.connection.execute("SELECT max(sequence) FROM events").fetchone()[0] or 0
        edition = dataclasses.replace(edition, sequence=last + 1)
        changes = ", ".join(f"{name} = ?" for name in EDITION_COLUMNS)
        self.connection.execute(
            f"UPDATE editions SET {changes} WHERE id = ?", (*_list_values(edition), edition.id)
        )
        append_event(self.connection, self.key, change, edition.id, hash_edition(self.connection, edition.id))

    def _drop(self, edition: Edition) -> None:
        self.connection.execute("DELETE FROM cells WHERE edition = ?", (edition.id,))
        self.connection.execute("DELETE FROM editions WHERE id = ?", (edition.id,))
        drop_unused(self.connection)
        append_event(self.connection, self.key, "replaced", edition.id)

    @contextmanager
    def _write(self) -> Iterator[None]:
        """Hold the lock and change what the file now holds, all or nothing; then write the head."""
        kept, folder = self.connection, self.path.parent
        with lock_ledger(folder.parent):
            remove_drafts(folder)
            changed, is_sealed = open_database(self.path, self.key, read_head(folder))
            self.connection, left = changed, changed
            try:
                if not is_sealed:  # of an earlier version, which had no digest
                    self._keep_backup()
                changed.execute("BEGIN")
                yield
                changed.execute("COMMIT")
                write_database(self.path, changed, self.key)
                kept, left = changed, kept
            finally:
                self.connection = kept
                left.close()
            with report_full_disk(self.path):
                write_head(folder, self.head)

    def _keep_backup(self) -> None:
        keep_backup(self.connection, self.key, self.path.parent / "backups", self.head.sequence)


def build_cells(
    connection: sqlite3.Connection, key: bytes, edition: Edition, releases: Sequence[Release]
) -> list[Cell]:
    """Return the cells of a page, each once, within a transaction; new patients get a number."""
    numbering = PatientNumbers(key, lambda tokens: number_patients(connection, tokens))
    shows_earlier = any(release.backing is not None and any(release.backing.earlier) for release in releases)
    stored = {cell.id: cell for cell in read_cells(connection)} if shows_earlier else {}
    found: dict[tuple[str, str, bytes], Cell] = {}
    for release in sorted(releases, key=lambda release: release.name):
        backing = release.backing
        if release.audience != "stakeholder" or backing is None:
            raise DisclosureError(Text.of("errors.ledger.unbacked", name=repr(release.name)))
        rows = [{str(name): value for name, value in row.items()} for row in release.table.to_dict("records")]
        cells = build_row_cells(
            release.name, rows, backing, write_origin(release.origin), numbering, read_rules(release.k)
        )
        for place, cell in cells.items():
            id = backing.earlier[place] if backing.earlier else 0
            if id and id not in stored:
                raise DisclosureError(Text.of("errors.ledger.changed", report=edition.report))
            cell = stored[id] if id else dataclasses.replace(cell, origin=edition.id, as_of=edition.made)
            found.setdefault((cell.place, cell.digest, cell.whole.tobytes()), cell)
    return sorted(found.values(), key=lambda cell: (cell.place, cell.digest, cell.whole.tobytes()))


def _list_values(edition: Edition) -> tuple[Any, ...]:
    """Return the values of an edition as its table holds them."""
    values = {name: getattr(edition, name) for name in EDITION_COLUMNS}
    values["slice"] = json.dumps(dict(edition.slice), sort_keys=True, ensure_ascii=False)
    return tuple(values.values())
