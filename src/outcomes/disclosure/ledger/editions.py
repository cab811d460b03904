"""Editions of pages, and the chain of events that happened to them.

Each event is signed together with the one before. The head of the chain is kept outside the database, so
that an older or edited database is noticed.
"""

import datetime as dt
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from outcomes.disclosure.ledger.database import refuse_damage
from outcomes.disclosure.ledger.key import refuse_open_file, sign
from outcomes.machine.private_files import write_private_file

_HEAD = "head.json"


@dataclass(frozen=True)
class Edition:
    """One page of one slot of a series, or a page made by hand."""

    #: Of the run that made it.
    id: str
    report: str
    #: Name of the page, the same from edition to edition.
    page: str
    #: Id of the series; empty for a page made by hand.
    series: str = ""
    slot: str = ""
    #: What one page of a series is about: ``{"site": "meadow"}``.
    slice: Mapping[str, str] = field(default_factory=dict)
    k: int = 11
    profile: str = ""
    #: Day (ISO).
    made: str = ""
    #: When the slot fell due, in UTC (ISO).
    due: str = ""
    #: ``made``, ``prepared``, ``released`` or ``withdrawn``: released once, and known to whoever read it.
    state: str = "made"
    page_sha256: str = ""
    #: Hash of the list of the files beside the page, each with its own hash.
    files_sha256: str = ""
    approved_by: str = ""
    approved_on: str = ""
    #: Number of the last event that concerns it.
    sequence: int = 0

    @property
    def counts(self) -> bool:
        """Whether new pages are compared with it: it was released, or a declared series has it ready."""
        return self.state != "made" or bool(self.series)

    def replaces(self, other: "Edition") -> bool:
        """Return whether `other` is an earlier version of this edition that was never released."""
        same = (self.page, self.series, self.slot) == (other.page, other.series, other.slot)
        return same and other.state == "made"

    def follows(self, other: "Edition") -> bool:
        """Return whether both are editions of one page."""
        return (self.page, self.series) == (other.page, other.series)


#: Columns of the table of editions.
EDITION_COLUMNS = tuple(entry.name for entry in fields(Edition))


def hash_edition(connection: sqlite3.Connection, id: str) -> str:
    """Return a hash over an edition as it is in the database, its cells included."""
    columns = (*EDITION_COLUMNS, "cells_sha256")
    row = connection.execute(f"SELECT {', '.join(columns)} FROM editions WHERE id = ?", (id,)).fetchone()
    return hashlib.sha256(json.dumps(list(row), ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Event:
    """One event of the chain."""

    #: One more than that of the event before; more where the ledger was restored.
    sequence: int
    day: str
    #: ``made``, ``replaced``, ``prepared``, ``returned``, ``released`` or ``withdrawn`` for an edition;
    #: ``begun`` or ``restored`` for the whole ledger.
    change: str
    #: Id of the edition; the reason where the event concerns the whole ledger.
    edition: str
    #: Hash of the edition as it then was.
    content: str
    #: Keyed, over all of these and the hash of the event before.
    hash: str


@dataclass(frozen=True)
class Head:
    """The end of the chain, as it is kept outside the database."""

    #: Number and hash of the last event.
    sequence: int
    hash: str
    #: Number of the last release, and the page that it released; empty where nothing was released.
    released: int = 0
    page: str = ""


def list_events(connection: sqlite3.Connection) -> list[Event]:
    """Return all events in order."""
    query = "SELECT sequence, day, change, edition, content, hash FROM events ORDER BY sequence"
    return [Event(*row) for row in connection.execute(query)]


def append_event(
    connection: sqlite3.Connection, key: bytes, change: str, edition: str, content: str = "", least: int = 0
) -> Event:
    """Append an event of today, within the transaction of the change; its sequence is at least `least`."""
    last = connection.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
    before, previous = last or (0, "")
    event = Event(max(before + 1, least), find_today(), change, edition, content, "")
    event = Event(**{**asdict(event), "hash": _sign(event, previous, key)})
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", tuple(asdict(event).values()))
    return event


def find_today() -> str:
    """Return today's date in UTC (ISO)."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def _sign(event: Event, previous: str, key: bytes) -> str:
    parts = (str(event.sequence), event.day, event.change, json.dumps(event.edition), event.content)
    return sign(key, *parts, previous)


def check_chain(events: list[Event], key: bytes) -> None:
    """Refuse a chain in which an event was changed, added or removed."""
    previous, before = "", 0
    for event in events:
        follows = event.sequence == before + 1 or event.change in ("restored", "begun")
        if not follows or not hmac.compare_digest(_sign(event, previous, key), event.hash):
            raise refuse_damage(f"event {event.sequence} does not follow from the one before")
        previous, before = event.hash, event.sequence


def find_head(events: list[Event], pages: Mapping[str, str]) -> Head:
    """Return the head of a chain; `pages` gives the page of each edition."""
    if not events:
        return Head(0, "")
    last = next((event for event in reversed(events) if event.change == "released"), None)
    page = pages.get(last.edition, "") if last else ""
    return Head(events[-1].sequence, events[-1].hash, last.sequence if last else 0, page)


def list_pages(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the page of each edition by the edition's id."""
    return dict(connection.execute("SELECT id, page FROM editions"))


def write_head(folder: Path, head: Head) -> None:
    """Write the head beside the database, in one step."""
    write_private_file(folder / _HEAD, json.dumps(asdict(head), indent=2).encode("utf-8"))


def read_head(folder: Path) -> Head | None:
    """Read the head, None where there is none; refuse one that is damaged or open to others."""
    try:
        refuse_open_file(folder / _HEAD)
        return Head(**json.loads((folder / _HEAD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise refuse_damage(f"{_HEAD} cannot be read") from None


def check_head(
    events: list[Event], head: Head | None, pages: Mapping[str, str], newest_known: int = 0
) -> None:
    """Refuse a chain that ends before what is known to have followed; `head` was read before the events."""
    last = max((event.sequence for event in events), default=0)
    if newest_known > last:
        raise refuse_damage(
            f"it is older than the newest release (event {last}, a page was released with event "
            f"{newest_known})"
        )
    if head is None and any(event.change != "begun" for event in events):
        raise refuse_damage(f"{_HEAD} is missing")
    if head is None or not head.sequence:
        return
    if head.sequence > last:
        raise refuse_damage(f"it is an old copy (event {last}, it had come to event {head.sequence})")
    known = [event for event in events if event.sequence <= head.sequence]
    expected = [find_head(known, pages)]
    if known and known[-1].change == "restored":  # earlier versions named no release there
        expected.append(Head(known[-1].sequence, known[-1].hash))
    if head not in expected:
        raise refuse_damage(f"{_HEAD} is not that of event {head.sequence}")
