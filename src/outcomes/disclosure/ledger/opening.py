"""Opening a ledger: it is looked over first, and one that cannot be trusted is refused."""

from __future__ import annotations

import datetime as dt
import hmac
import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path

from outcomes.disclosure.ledger.chain import (
    Head,
    append_event,
    check_chain,
    check_head,
    list_events,
    read_head,
    write_head,
)
from outcomes.disclosure.ledger.database import (
    FORM,
    make_database,
    open_database,
    refuse_damage,
    report_full_disk,
)
from outcomes.disclosure.ledger.key import find_key_file, keep_key, new_key, read_key, sign
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.verification import check_contents
from outcomes.errors import DisclosureError
from outcomes.machine.lock import hold_lock
from outcomes.machine.private_files import open_private_folder

_LOCK_SECONDS = 60.0
_KEY_CHECK = "the key of this ledger"


def find_ledger_file(private: Path) -> Path:
    """Return where the database of a project's ledger is, or is to be."""
    return private / "ledger" / "ledger.sqlite"


def open_ledger(private: Path, *, new_series: str = "", newest_known: int = 0) -> Ledger:
    """Open the ledger of releases of a project, after it was found whole.

    Parameters
    ----------
    private : Path
        The private folder of the project.
    new_series : str
        Why earlier releases shall no longer be compared; the ledger as it is is kept aside, and a new one
        begins with this reason. Empty, as a rule.
    newest_known : int
        Largest sequence that a release record of a page names, so that an older copy is noticed.

    Returns
    -------
    Ledger
        A new one only where nothing was ever released, or for a new series.

    Raises
    ------
    DisclosureError
        When the ledger is missing, damaged, cut off, older than the newest release, open to others, or was
        written with another key (exit code 7).
    ReportError
        When it cannot be written (9), or another process keeps the lock (8).

    Examples
    --------
    >>> import tempfile
    >>> with open_ledger(Path(tempfile.mkdtemp()) / ".outcomes") as ledger:
    ...     ledger.list_editions(), ledger.head.sequence
    ([], 1)
    """
    private = Path(private)
    if new_series.strip():
        with hold_lock(private, "ledger", _LOCK_SECONDS):
            set_aside(private)
            _set_key_aside(private)
            _begin(private, " ".join(new_series.split()), newest_known + 1)
    elif not _is_begun(private) and not newest_known:
        with hold_lock(private, "ledger", _LOCK_SECONDS):
            if not _is_begun(private):
                _begin(private, "first series", 1)
    return open_as_it_is(private, newest_known)


def open_as_it_is(private: Path, newest_known: int = 0) -> Ledger:
    """Open a ledger that is there, after it was found whole; never make one.

    Raises
    ------
    DisclosureError
        As `open_ledger`.
    """
    path = find_ledger_file(private)
    head = read_head(path.parent)  # before the events, to which another process may add meanwhile
    if not path.is_file():
        raise DisclosureError(
            "The ledger of releases is missing, though pages were released or made for release. Nothing was "
            "released, since a new page could not be compared with earlier ones. Put the last good copy back "
            "with `outcomes ledger restore`, or declare a new series (`outcomes ledger begin REASON`)."
        )
    key = read_key(private)
    with ExitStack() as stack:
        connection = open_database(path)
        stack.callback(connection.close)
        check_whole(connection, key, head, newest_known)
        stack.pop_all()
    return Ledger(path, connection, key)


def check_whole(connection: sqlite3.Connection, key: bytes, head: Head | None, newest_known: int) -> None:
    """Check key, chain, head and contents of a database.

    Raises
    ------
    DisclosureError
    """
    try:
        held = connection.execute("SELECT value FROM about WHERE name = 'key'").fetchone()
        if held is None or not hmac.compare_digest(held[0], sign(key, _KEY_CHECK)):
            raise DisclosureError(
                "The ledger of releases was written with another key, so that no patient would be known "
                "again. Put the right file back (keys/ledger.key in the private folder), or declare a new "
                "series (`outcomes ledger begin REASON`)."
            )
        events = list_events(connection)
        check_chain(events, key)
        check_head(events, head, newest_known)
        check_contents(connection, events)
    except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
        raise refuse_damage(f"it cannot be read ({type(error).__name__})") from None


def _is_begun(private: Path) -> bool:
    """Say whether anything tells of a ledger: its key, a copy, its head, more than a beginning."""
    path = find_ledger_file(private)
    if (private / "keys" / "ledger.key").exists() or any((path.parent / "backups").glob("*")):
        return True
    if not path.exists():
        return (path.parent / "head.json").exists()
    with ExitStack() as stack:
        connection = open_database(path)
        stack.callback(connection.close)
        return any(event.change != "begun" for event in list_events(connection)) or _has_key(private)


def _has_key(private: Path) -> bool:
    return find_key_file(private).exists()


def _begin(private: Path, reason: str, sequence: int) -> None:
    """Make a new ledger.

    The key is written last: a ledger that has only begun, and has none, was left by a crash, and is begun
    anew.
    """
    path = find_ledger_file(private)
    open_private_folder(private)
    key = read_key(private) if _has_key(private) else new_key()
    head = Head(0, "")

    def fill(connection: sqlite3.Connection) -> None:
        nonlocal head
        connection.execute("INSERT INTO about VALUES ('form', ?)", (FORM,))
        connection.execute("INSERT INTO about VALUES ('key', ?)", (sign(key, _KEY_CHECK),))
        today = dt.datetime.now(dt.UTC).date().isoformat()
        begun = append_event(connection, key, today, "begun", reason, least=sequence)
        head = Head(begun.sequence, begun.hash)

    with report_full_disk(path):
        make_database(path, fill)
        write_head(path.parent, head)
        if not _has_key(private):
            keep_key(private, key)


def set_aside(private: Path, *, keep_backups: bool = False) -> None:
    """Keep the files of a ledger that shall no longer count, in a folder of their own."""
    path = find_ledger_file(private)
    if not path.parent.is_dir():
        return
    place, number = path.parent / "aside-1", 1
    while place.exists():
        number += 1
        place = path.parent / f"aside-{number}"
    for old in (path, path.parent / "head.json", path.parent / "backups"):
        if old.exists() and not (keep_backups and old.is_dir()):
            open_private_folder(place)
            old.replace(place / old.name)


def _set_key_aside(private: Path) -> None:
    """Keep a key that cannot be used under another name, where it lies in the private folder."""
    path = private / "keys" / "ledger.key"
    try:
        read_key(private)
    except DisclosureError:
        if path.exists() and path == find_key_file(private):
            path.replace(path.with_name(f"ledger-{os.urandom(4).hex()}.key.aside"))
