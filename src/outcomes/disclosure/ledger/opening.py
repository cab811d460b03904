"""Opening a ledger, after a check that refuses one that cannot be trusted; and restoring a damaged one."""

import os
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath

from outcomes.disclosure.ledger.checking import check_contents, open_database, sign_key
from outcomes.disclosure.ledger.database import (
    FORM,
    list_backups,
    load_database,
    lock_ledger,
    make_database,
    report_full_disk,
    write_database,
)
from outcomes.disclosure.ledger.editions import (
    Head,
    append_event,
    find_head,
    list_events,
    list_pages,
    read_head,
    write_head,
)
from outcomes.disclosure.ledger.key import KEY_BYTES, find_key_file, keep_key, read_key
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.machine.private_files import open_private_folder


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
    elif not is_begun(private) and not newest_known:
        with lock_ledger(private):
            if not is_begun(private):
                _begin(private, "first series", 1)
    return open_as_it_is(private, newest_known)


def open_as_it_is(private: Path, newest_known: int = 0) -> Ledger:
    """Open a ledger as `open_ledger` does, but never make one."""
    path = _find_file(private)
    if not path.is_file():
        raise DisclosureError(Text.of("errors.ledger.missing"))
    key = read_key(private)
    with lock_ledger(private):  # file and head are read together, while no other process writes them
        connection, _ = open_database(path, key, read_head(path.parent), newest_known)
    return Ledger(path, connection, key)


def is_begun(private: Path) -> bool:
    """Return whether a key, a backup, a head or more than a first event shows that a ledger was begun."""
    path = _find_file(private)
    if (private / "keys" / "ledger.key").exists() or any((path.parent / "backups").glob("*")):
        return True
    if not path.exists():
        return (path.parent / "head.json").exists()
    with closing(load_database(path.read_bytes())) as connection:
        has_events = any(event.change != "begun" for event in list_events(connection))
        return has_events or find_key_file(private).exists()


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
        connection = _find_good(path.parent / "backups", key)
        with closing(connection):
            last = list_events(connection)[-1].sequence
            later = _list_later(path.parent, last, dict(released or {}))
            standing = sorted(later.keys() - set(withdrawn))
            if standing:
                raise DisclosureError(Text.of("errors.ledger.forgets", pages=", ".join(standing)))
            # later than all that is known, so that no sequence means two events
            reason = f"withdrawn: {', '.join(sorted(withdrawn))}" if withdrawn else ""
            append_event(connection, key, "restored", reason, least=max([last, *later.values()]) + 2)
            with report_full_disk(path):
                _set_aside(private, with_backups=False)
                write_database(path, connection, key)
                write_head(path.parent, find_head(list_events(connection), list_pages(connection)))
    return open_as_it_is(private, max((released or {}).values(), default=0))


def _find_file(private: Path) -> Path:
    return private / "ledger" / "ledger.sqlite"


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
        connection.execute("INSERT INTO about VALUES ('key', ?)", (sign_key(key),))
        begun = append_event(connection, key, "begun", reason, least=sequence)
        head = Head(begun.sequence, begun.hash)

    with report_full_disk(path):
        make_database(path, key, fill)
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


def _find_good(folder: Path, key: bytes) -> sqlite3.Connection:
    """Return the newest backup that is whole, in memory."""
    for copy in list_backups(folder):
        try:
            connection, _ = open_database(copy, key, Head(0, ""))
            check_contents(connection)
        except DisclosureError:
            continue
        return connection
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
