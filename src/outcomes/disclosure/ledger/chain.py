"""The chain of events: each is signed with the one before; its head is kept outside the database."""

from __future__ import annotations

import hmac
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from outcomes.disclosure.ledger.database import refuse_damage
from outcomes.disclosure.ledger.key import refuse_open_file, sign
from outcomes.machine.private_files import write_private_file

_HEAD = "head.json"
#: What can happen to an edition, and to the ledger as a whole.
CHANGES = ("made", "replaced", "prepared", "returned", "released", "withdrawn", "begun", "restored")


@dataclass(frozen=True)
class Head:
    """The end of the chain, as it stands outside the database.

    Parameters
    ----------
    sequence : int
        Of the last event.
    hash : str
        Of it.
    released : int
        Sequence of the last release.
    page : str
        That it released; empty where nothing was.
    """

    sequence: int
    hash: str
    released: int = 0
    page: str = ""


@dataclass(frozen=True)
class Event:
    """One event of the chain.

    Parameters
    ----------
    sequence : int
        One more than that of the event before; more where the ledger was restored.
    day : str
        ISO.
    change : str
        One of `CHANGES`.
    edition : str
        Id of the edition; the reason where the event concerns the whole ledger.
    content : str
        Hash of the edition as it then stood.
    hash : str
        Keyed, over all of these and the hash before.
    """

    sequence: int
    day: str
    change: str
    edition: str
    content: str
    hash: str


def list_events(connection: sqlite3.Connection) -> list[Event]:
    """Return all events in order."""
    query = "SELECT sequence, day, change, edition, content, hash FROM events ORDER BY sequence"
    return [Event(*row) for row in connection.execute(query)]


def append_event(
    connection: sqlite3.Connection,
    key: bytes,
    day: str,
    change: str,
    edition: str,
    content: str = "",
    *,
    least: int = 0,
) -> Event:
    """Append an event within the transaction of what it tells; its sequence is at least `least`."""
    last = connection.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
    before, previous = last or (0, "")
    sequence = max(before + 1, least)
    event = Event(
        sequence, day, change, edition, content, _sign(key, sequence, day, change, edition, content, previous)
    )
    connection.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
        (event.sequence, event.day, event.change, event.edition, event.content, event.hash),
    )
    return event


def _sign(key: bytes, sequence: int, day: str, change: str, edition: str, content: str, previous: str) -> str:
    return sign(key, str(sequence), day, change, json.dumps(edition), content, previous)


def check_chain(events: list[Event], key: bytes) -> None:
    """Check that no event was changed, added or taken away in between.

    Raises
    ------
    DisclosureError
    """
    previous, before = "", 0
    for event in events:
        follows = event.sequence == before + 1 or event.change in ("restored", "begun")
        expected = _sign(key, event.sequence, event.day, event.change, event.edition, event.content, previous)
        if not follows or not hmac.compare_digest(expected, event.hash):
            raise refuse_damage(f"event {event.sequence} does not follow from the one before")
        previous, before = event.hash, event.sequence


def describe_head(events: list[Event], pages: dict[str, str]) -> Head:
    """Return the head of a chain; `pages` gives the page of each edition."""
    if not events:
        return Head(0, "")
    releases = [event for event in events if event.change == "released"]
    last = releases[-1] if releases else None
    page = pages.get(last.edition, "") if last else ""
    return Head(events[-1].sequence, events[-1].hash, last.sequence if last else 0, page)


def write_head(folder: Path, head: Head) -> None:
    """Write the head beside the database, in one step."""
    content = {"sequence": head.sequence, "hash": head.hash, "released": head.released, "page": head.page}
    write_private_file(folder / _HEAD, json.dumps(content, indent=2).encode("utf-8"))


def read_head(folder: Path) -> Head | None:
    """Read the head; None where there is none.

    Raises
    ------
    DisclosureError
        When it is damaged or open to others.
    """
    try:
        refuse_open_file(folder / _HEAD)
        return Head(**json.loads((folder / _HEAD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise refuse_damage(f"{_HEAD} cannot be read") from None


def check_head(events: list[Event], head: Head | None, newest_known: int = 0) -> None:
    """Check that the ledger is not older than what is known to have followed.

    Parameters
    ----------
    events : list of Event
    head : Head or None
        Read before the events were.
    newest_known : int
        Largest sequence that a release record names.

    Raises
    ------
    DisclosureError
    """
    hashes = {event.sequence: event.hash for event in events}
    last = max(hashes, default=0)
    if newest_known > last:
        raise refuse_damage(
            f"it is older than the newest release (event {last}, a page was released with event "
            f"{newest_known})"
        )
    if head is None and any(event.change != "begun" for event in events):
        raise refuse_damage(f"{_HEAD} is missing")
    if head is not None and head.sequence > last:
        raise refuse_damage(f"it is an old copy (event {last}, it had come to event {head.sequence})")
    if head is not None and head.sequence and hashes.get(head.sequence) != head.hash:
        raise refuse_damage(f"event {head.sequence} is another than the one that {_HEAD} names")
