"""`Ledger`: what was released, of whom, and how each edition of a page came to stand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from outcomes.disclosure.ledger.backups import keep_backup
from outcomes.disclosure.ledger.cell import Cell
from outcomes.disclosure.ledger.chain import (
    Event,
    Head,
    append_event,
    describe_head,
    list_events,
    write_head,
)
from outcomes.disclosure.ledger.comparison import judge_cells
from outcomes.disclosure.ledger.database import report_full_disk, write_transaction
from outcomes.disclosure.ledger.edition import Edition
from outcomes.disclosure.ledger.entry import build_cells
from outcomes.disclosure.ledger.patient_sets import drop_unused
from outcomes.disclosure.ledger.shelf import hash_cells, keep_cells, read_cells
from outcomes.disclosure.released import Release
from outcomes.errors import DisclosureError
from outcomes.machine.lock import hold_lock

_COLUMNS = tuple(entry.name for entry in dataclasses.fields(Edition))
_LOCK_SECONDS = 60.0


class Ledger:
    """An open ledger; a context manager. Made by `open_ledger`, which has looked whether it can be trusted.

    Parameters
    ----------
    path : Path
        Of the database.
    connection : sqlite3.Connection
    key : bytes
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, key: bytes) -> None:
        self.path = path
        self.connection = connection
        self._key = key

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def key(self) -> bytes:
        """The key under which patients stand in it."""
        return self._key

    @property
    def head(self) -> Head:
        """The end of its chain, which a release record may repeat."""
        pages = {edition.id: edition.page for edition in self.list_editions()}
        return describe_head(list_events(self.connection), pages)

    def list_events(self) -> list[Event]:
        """Return what happened, in order."""
        return list_events(self.connection)

    def list_editions(self) -> list[Edition]:
        """Return all editions, in the order of the last event of each."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM editions ORDER BY sequence, id"
        return [_read_edition(row) for row in self.connection.execute(query)]

    def find_edition(self, id: str) -> Edition:
        """Return one edition.

        Raises
        ------
        DisclosureError
            When there is none.
        """
        found = [edition for edition in self.list_editions() if edition.id == id]
        if not found:
            raise DisclosureError(f"The ledger of releases knows no edition {id!r}.")
        return found[0]

    def find_last_released(self, series: str, slice: Mapping[str, str]) -> Edition | None:
        """Return the last edition of a page of a series that was released and stands, if any."""
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

    def read_cells(
        self, editions: Iterable[Edition] | None = None, quantities: Iterable[str] | None = None
    ) -> list[Cell]:
        """Return released rows, of some editions or quantities, in a fixed order."""
        ids = None if editions is None else [edition.id for edition in editions]
        return read_cells(self.connection, ids, quantities)

    def enter(self, edition: Edition, releases: Sequence[Release]) -> Edition:
        """Enter a page that was made; an earlier making of the same page and slot gives way.

        Parameters
        ----------
        edition : Edition
        releases : sequence of Release
            All that the page shows, with who stands behind each row.

        Returns
        -------
        Edition
            As it now stands.

        Raises
        ------
        DisclosureError
            When an edition with that id is there in another state than made, or a release does not say who
            stands behind it.
        ReportError
            When the disk is full (exit code 9) or another process keeps the lock (8).
        """
        with self._write() as day:
            for other in self.list_editions():
                if other.id == edition.id and other.state != "made":
                    raise DisclosureError(f"The edition {edition.id!r} is {other.state} already.")
                if other.id == edition.id or edition.replaces(other):
                    self._drop(other, day)
            edition = dataclasses.replace(edition, state="made", made=edition.made or day)
            self._store(edition, build_cells(self.connection, self._key, edition, releases), day)
        return self.find_edition(edition.id)

    def prepare(self, edition_id: str, approved_by: str, day: str) -> Edition:
        """Note that an edition is about to be released, and by whom it was approved."""
        return self._change(edition_id, "made", "prepared", approved_by=approved_by, approved_on=day)

    def settle(self, edition_id: str) -> Edition:
        """Note that a prepared edition was released, and keep a copy of the ledger."""
        edition = self._change(edition_id, "prepared", "released")
        with report_full_disk(self.path):
            keep_backup(self.connection, self.path.parent / "backups", self.head)
        return edition

    def withdraw(self, edition_id: str) -> Edition | None:
        """Take an edition back.

        What was released stays known to whoever read it, and counts in all later comparisons; what was only
        made is forgotten.
        """
        edition = self.find_edition(edition_id)
        if edition.state != "made":
            return self._change(edition_id, "released", "withdrawn")
        with self._write() as day:
            self._drop(edition, day)
        return None

    def check(self, edition_id: str) -> list[str]:
        """Say what would keep an edition, as it was made, from being released now.

        Since it was made, other pages may have been released beside which it would tell of a few patients.

        Returns
        -------
        list of str
            Analysis and statistic of each part that does not go together with what was released; empty where
            all does. Make the page again: it then is compared with these too.
        """
        edition, others = self.find_edition(edition_id), self.list_editions()
        known = [other for other in others if other.id != edition.id and other.state != "made"]
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
        """End what a crash left prepared: released where its page stands, else back to made.

        Parameters
        ----------
        is_published : callable
            Says whether the page that stands is the prepared one, by its hash.

        Returns
        -------
        list of Edition
            Those that were ended, as they now stand.
        """
        prepared = [edition for edition in self.list_editions() if edition.state == "prepared"]
        ended = []
        for edition in prepared:
            if is_published(edition):
                ended.append(self.settle(edition.id))
            else:
                ended.append(
                    self._change(
                        edition.id, "prepared", "made", as_event="returned", approved_by="", approved_on=""
                    )
                )
        return ended

    def _change(
        self, edition_id: str, before: str, after: str, *, as_event: str = "", **further: Any
    ) -> Edition:
        with self._write() as day:
            edition = self.find_edition(edition_id)
            if edition.state != before:
                raise DisclosureError(
                    f"The edition of {edition.page!r} is {edition.state}, not {before}; nothing was changed."
                )
            self._note(dataclasses.replace(edition, state=after, **further), as_event or after, day)
        return self.find_edition(edition_id)

    def _store(self, edition: Edition, cells: Sequence[Cell], day: str) -> None:
        values = _write_edition(edition)
        places = ", ".join("?" for _ in (*_COLUMNS, "cells_sha256"))
        self.connection.execute(
            f"INSERT INTO editions ({', '.join(_COLUMNS)}, cells_sha256) VALUES ({places})", (*values, "")
        )
        keep_cells(self.connection, edition.id, cells)
        self.connection.execute(
            "UPDATE editions SET cells_sha256 = ? WHERE id = ?",
            (hash_cells(self.connection, edition.id), edition.id),
        )
        self._note(edition, "made", day)

    def _note(self, edition: Edition, change: str, day: str) -> None:
        """Write how an edition stands together with the event that tells it."""
        last = self.connection.execute("SELECT max(sequence) FROM events").fetchone()[0] or 0
        edition = dataclasses.replace(edition, sequence=last + 1)
        changes = ", ".join(f"{name} = ?" for name in _COLUMNS)
        self.connection.execute(
            f"UPDATE editions SET {changes} WHERE id = ?", (*_write_edition(edition), edition.id)
        )
        append_event(
            self.connection, self._key, day, change, edition.id, hash_edition(self.connection, edition.id)
        )

    def _drop(self, edition: Edition, day: str) -> None:
        self.connection.execute("DELETE FROM cells WHERE edition = ?", (edition.id,))
        self.connection.execute("DELETE FROM editions WHERE id = ?", (edition.id,))
        drop_unused(self.connection)
        append_event(self.connection, self._key, day, "replaced", edition.id)

    @contextmanager
    def _write(self) -> Iterator[str]:
        """Hold the lock, write all or nothing, then write the head; yield today."""
        with hold_lock(self.path.parent.parent, "ledger", _LOCK_SECONDS):
            with write_transaction(self.connection, self.path):
                yield dt.datetime.now(dt.UTC).date().isoformat()
            with report_full_disk(self.path):
                write_head(self.path.parent, self.head)


def hash_edition(connection: sqlite3.Connection, id: str) -> str:
    """Return a hash over an edition as it stands in the database, its cells included."""
    columns = (*_COLUMNS, "cells_sha256")
    row = connection.execute(f"SELECT {', '.join(columns)} FROM editions WHERE id = ?", (id,)).fetchone()
    return hashlib.sha256(json.dumps(list(row), ensure_ascii=False).encode()).hexdigest()


def _write_edition(edition: Edition) -> tuple[Any, ...]:
    values = {name: getattr(edition, name) for name in _COLUMNS}
    values["slice"] = json.dumps(dict(edition.slice), sort_keys=True, ensure_ascii=False)
    return tuple(values.values())


def _read_edition(row: Sequence[Any]) -> Edition:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Edition(**{**values, "slice": json.loads(values["slice"])})
