"""Whether a ledger can be trusted: its digest, key, chain of events, head and contents."""

import hashlib
import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from outcomes.disclosure.ledger.database import FORM, FORM_UNSEALED, read_database, refuse_damage
from outcomes.disclosure.ledger.editions import (
    Event,
    Head,
    check_chain,
    check_head,
    hash_edition,
    list_events,
    list_pages,
)
from outcomes.disclosure.ledger.hashes import hash_cells, hash_set, unpack
from outcomes.disclosure.ledger.key import sign
from outcomes.errors import DisclosureError
from outcomes.facts import Text

_KEY_CHECK = "the key of this ledger"


def open_database(
    path: Path, key: bytes, head: Head | None, newest_known: int = 0
) -> tuple[sqlite3.Connection, bool]:
    """Read the database into memory and check it; return whether it had a digest.

    Where an earlier version wrote it without one, everything in it is hashed; in memory it has today's form.
    """
    connection, is_sealed = read_database(path, key)
    with ExitStack() as stack:
        stack.callback(connection.close)
        with _tell_damage():
            events = list_events(connection)
            _check_key(connection, key, events)
            _check_form(connection, is_sealed, path.stat().st_size)
            check_chain(events, key)
            check_head(events, head, list_pages(connection), newest_known)
            connection.execute("UPDATE about SET value = ? WHERE name = 'form'", (FORM,))
        if not is_sealed:
            check_contents(connection)
        stack.pop_all()
    return connection, is_sealed


def sign_key(key: bytes) -> str:
    """Return what stands in a ledger to tell whether a key is its own."""
    return sign(key, _KEY_CHECK)


def check_contents(connection: sqlite3.Connection) -> None:
    """Check structure, editions, cells, sets of patients and marks against the hashes of the events."""
    with _tell_damage():
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"] or connection.execute("PRAGMA foreign_key_check").fetchone():
            raise refuse_damage("its pages do not fit together")
        _check_editions(connection, list_events(connection))
        tokens = dict(connection.execute("SELECT number, token FROM patients"))
        for digest, members in connection.execute("SELECT digest, members FROM patient_sets"):
            if hash_set(tokens[number] for number in unpack(members).tolist()) != digest:
                raise refuse_damage("a set of patients was changed")
        for digest, marks in connection.execute("SELECT digest, marks FROM marks"):
            if hashlib.sha256(marks).digest() != digest:
                raise refuse_damage("the marks of a set of patients were changed")


@contextmanager
def _tell_damage() -> Iterator[None]:
    """Tell whatever goes wrong in reading changed bytes as damage."""
    try:
        yield
    except DisclosureError:
        raise
    except Exception as error:
        raise refuse_damage(f"it cannot be read ({type(error).__name__})") from None


def _check_key(connection: sqlite3.Connection, key: bytes, events: list[Event]) -> None:
    """Refuse a ledger of another key, or one damaged where its first event is signed with this key."""
    held = connection.execute("SELECT value FROM about WHERE name = 'key'").fetchone()
    if held is None or not hmac.compare_digest(held[0], sign_key(key)):
        try:
            check_chain(events[:1], key)
        except DisclosureError:
            raise DisclosureError(Text.of("errors.ledger.other_key")) from None
        raise refuse_damage("what it says of its key was changed")


def _check_form(connection: sqlite3.Connection, is_sealed: bool, size: int) -> None:
    """Refuse a file that is neither of today's form with its digest nor of the form without one."""
    form = connection.execute("SELECT value FROM about WHERE name = 'form'").fetchone()[0]
    if is_sealed and form != FORM:
        raise DisclosureError(Text.of("errors.ledger.form", form=form, own=FORM))
    pages = [connection.execute(f"PRAGMA page_{name}").fetchone()[0] for name in ("count", "size")]
    if not is_sealed and (form != FORM_UNSEALED or size != pages[0] * pages[1]):
        raise refuse_damage("its digest does not fit its contents")


def _check_editions(connection: sqlite3.Connection, events: list[Event]) -> None:
    """Check every edition and its cells against its last event."""
    last = {event.edition: event for event in events if event.change not in ("begun", "restored")}
    expected = {id: event for id, event in last.items() if event.change != "replaced"}
    found = dict(connection.execute("SELECT id, cells_sha256 FROM editions"))
    if found.keys() != expected.keys():
        raise refuse_damage("it does not hold the editions that its events name")
    for id, event in expected.items():
        if hash_edition(connection, id) != event.content:
            raise refuse_damage(f"the edition of event {event.sequence} was changed")
        if hash_cells(connection, id) != found[id]:
            raise refuse_damage(f"the released numbers of event {event.sequence} were changed")
