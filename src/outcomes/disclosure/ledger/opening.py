"""Opening a ledger, after a check that refuses one that cannot be trusted; and restoring a damaged one."""

import hmac
import os
import shutil
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from outcomes.disclosure.ledger.database import (
    FORM,
    list_backups,
    lock_ledger,
    make_database,
    open_database,
    refuse_damage,
    report_full_disk,
    write_transaction,
)
from outcomes.disclosure.ledger.editions import (
    Event,
    Head,
    append_event,
    check_chain,
    check_head,
    list_events,
    read_head,
    write_head,
)
from outcomes.disclosure.ledger.key import KEY_BYTES, find_key_file, keep_key, read_key, sign
from outcomes.disclosure.ledger.ledger import Ledger, hash_edition
from outcomes.disclosure.ledger.stored_cells import hash_cells, hash_set, unpack
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.machine.private_files import open_private_folder

_KEY_CHECK = "the key of this ledger"


def open_ledger(private: Path, *, new_series: str = "", newest_known: int = 0) -> Ledger:
    """Open the ledger in a private folder; make a new one only where nothing was ever released.

    `new_series` is the reason why earlier releases are no longer compared: the old ledger is set aside,
    and a new one begins with this reason. `newest_known` is the largest sequence in the release record of
    a page, by which an older copy of the ledger is noticed. A DisclosureError where the ledger is
    missing, damaged, older than that, open to others, or written with another key.

    Examples
    --------
    >>> import tempfile
    >>> with open_ledger(Path(tempfile.mkdtemp()) / ".outcomes") as ledger:
    ...     ledger.list_editions(), ledger.head.sequence
    ([], 1)
    """
    private = Path(private)
    if new_series.strip():
        with lock_ledger(private):
            _set_aside(private)
            path = private / "keys" / "ledger.key"
            try:
                read_key(private)
            except DisclosureError:
                if path.exists() and path == find_key_file(private):
                    path.replace(path.with_name(f"ledger-{os.urandom(4).hex()}.key.aside"))
            _begin(private, " ".join(new_series.split()), newest_known + 1)
    elif not _is_begun(private) and not newest_known:
        with lock_ledger(private):
            if not _is_begun(private):
                _begin(private, "first series", 1)
    return open_as_it_is(private, newest_known)


def open_as_it_is(private: Path, newest_known: int = 0) -> Ledger:
    """Open a ledger as `open_ledger` does, but never make one."""
    path = _find_file(private)
    head = read_head(path.parent)  # before the events, to which another process may add meanwhile
    if not path.is_file():
        raise DisclosureError(Text.of("errors.ledger.missing"))
    key = read_key(private)
    with ExitStack() as stack:
        connection = open_database(path)
        stack.callback(connection.close)
        _check_whole(connection, key, head, newest_known)
        stack.pop_all()
    return Ledger(path, connection, key)


def restore_ledger(
    private: Path, released: Mapping[str, int] | None = None, withdrawn: Collection[str] = ()
) -> Ledger:
    """Put the newest good backup back and open it; the damaged ledger is set aside.

    `released` gives the names of the released pages, each with the ledger's sequence in its release record;
    `withdrawn` names pages that were taken back, whose releases may be forgotten. A DisclosureError where no
    backup is good, or the newest good one would forget the release of another page.
    """
    private = Path(private)
    path, key = _find_file(private), read_key(private)
    with lock_ledger(private):
        copy, last = _find_good(path.parent / "backups", key)
        later = _list_later(path.parent, last, dict(released or {}))
        standing = sorted(later.keys() - set(withdrawn))
        if standing:
            raise DisclosureError(Text.of("errors.ledger.forgets", pages=", ".join(standing)))
        with report_full_disk(path):
            draft = path.with_name(f"{path.name}.restored")
            shutil.copyfile(copy, draft)
            draft.chmod(0o600)
            _set_aside(private, with_backups=False)
            draft.replace(path)
            _note_restored(path, key, max([last, *later.values()]), withdrawn)
    return open_as_it_is(private, max((released or {}).values(), default=0))


def _find_file(private: Path) -> Path:
    return private / "ledger" / "ledger.sqlite"


def _is_begun(private: Path) -> bool:
    """Return whether a key, a backup, a head or more than a first event shows that a ledger was begun."""
    path = _find_file(private)
    if (private / "keys" / "ledger.key").exists() or any((path.parent / "backups").glob("*")):
        return True
    if not path.exists():
        return (path.parent / "head.json").exists()
    with ExitStack() as stack:
        connection = open_database(path)
        stack.callback(connection.close)
        has_events = any(event.change != "begun" for event in list_events(connection))
        return has_events or find_key_file(private).exists()


def _begin(private: Path, reason: str, sequence: int) -> None:
    """Make a new ledger.

    The key is written last: a ledger with only a first event and without a key was left by a crash, and
    is begun again.
    """
    path = _find_file(private)
    open_private_folder(private)
    has_key = find_key_file(private).exists()
    key = read_key(private) if has_key else os.urandom(KEY_BYTES)
    head = Head(0, "")

    def fill(connection: sqlite3.Connection) -> None:
        nonlocal head
        connection.execute("INSERT INTO about VALUES ('form', ?)", (FORM,))
        connection.execute("INSERT INTO about VALUES ('key', ?)", (sign(key, _KEY_CHECK),))
        begun = append_event(connection, key, "begun", reason, least=sequence)
        head = Head(begun.sequence, begun.hash)

    with report_full_disk(path):
        make_database(path, fill)
        write_head(path.parent, head)
        if not has_key:
            keep_key(private, key)


def _set_aside(private: Path, *, with_backups: bool = True) -> None:
    """Move the files of a ledger that no longer counts into a folder of their own."""
    folder = _find_file(private).parent
    if not folder.is_dir():
        return
    number = 1
    while (place := folder / f"aside-{number}").exists():
        number += 1
    for old in (_find_file(private), folder / "head.json", *([folder / "backups"] if with_backups else [])):
        if old.exists():
            open_private_folder(place)
            old.replace(place / old.name)


def _check_whole(connection: sqlite3.Connection, key: bytes, head: Head | None, newest_known: int) -> None:
    """Refuse a database whose key, chain, head or contents do not fit."""
    try:
        held = connection.execute("SELECT value FROM about WHERE name = 'key'").fetchone()
        if held is None or not hmac.compare_digest(held[0], sign(key, _KEY_CHECK)):
            raise DisclosureError(Text.of("errors.ledger.other_key"))
        events = list_events(connection)
        check_chain(events, key)
        check_head(events, head, newest_known)
        _check_contents(connection, events)
    except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
        raise refuse_damage(f"it cannot be read ({type(error).__name__})") from None


def _check_contents(connection: sqlite3.Connection, events: list[Event]) -> None:
    """Check every edition, cell and set of patients against the hashes of the events."""
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
    tokens = dict(connection.execute("SELECT number, token FROM patients"))
    for digest, members in connection.execute("SELECT digest, members FROM patient_sets"):
        if hash_set(tokens[number] for number in unpack(members).tolist()) != digest:
            raise refuse_damage("a set of patients was changed")


def _find_good(folder: Path, key: bytes) -> tuple[Path, int]:
    """Return the newest backup that is whole, and the sequence of its last event."""
    for copy in list_backups(folder):
        with ExitStack() as stack:
            try:
                connection = open_database(copy)
                stack.callback(connection.close)
                _check_whole(connection, key, Head(0, ""), 0)
            except DisclosureError:
                continue
            return copy, list_events(connection)[-1].sequence
    raise DisclosureError(Text.of("errors.ledger.no_copy"))


def _list_later(folder: Path, last: int, released: Mapping[str, int]) -> dict[str, int]:
    """Return the known releases after a sequence, by page."""
    later = {page: sequence for page, sequence in released.items() if sequence > last}
    try:
        head = read_head(folder)
    except DisclosureError:
        head = None
    if head is not None and head.released > last:
        later.setdefault(PurePosixPath(head.page).name, head.released)
    return later


def _note_restored(path: Path, key: bytes, known: int, withdrawn: Collection[str]) -> None:
    """Append the event `restored`, later than all that is known, so that no sequence means two events."""
    connection = open_database(path)
    try:
        with write_transaction(connection, path):
            reason = f"withdrawn: {', '.join(sorted(withdrawn))}" if withdrawn else ""
            event = append_event(connection, key, "restored", reason, least=known + 2)
        write_head(path.parent, Head(event.sequence, event.hash))
    finally:
        connection.close()
