"""Putting the last good copy of a ledger back, where no release is known that it does not hold."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from outcomes.disclosure.ledger.backups import list_backups
from outcomes.disclosure.ledger.chain import Head, append_event, list_events, read_head, write_head
from outcomes.disclosure.ledger.database import open_database, report_full_disk, write_transaction
from outcomes.disclosure.ledger.key import read_key
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.opening import (
    check_whole,
    find_ledger_file,
    open_as_it_is,
    set_aside,
)
from outcomes.errors import DisclosureError
from outcomes.machine.lock import hold_lock

_LOCK_SECONDS = 60.0


def restore_ledger(
    private: Path, released: Mapping[str, int] | None = None, withdrawn: Collection[str] = ()
) -> Ledger:
    """Put the newest good copy back; the ledger as it is is kept aside.

    Parameters
    ----------
    private : Path
        The private folder of the project.
    released : mapping, optional
        The names of the pages that stand released, each with the ledger's sequence in its release record.
    withdrawn : collection of str
        Names of pages that were taken back: their releases may be forgotten.

    Returns
    -------
    Ledger
        Open.

    Raises
    ------
    DisclosureError
        When no copy is good, or one would forget a release that is not named as withdrawn (exit code 7).
    """
    private = Path(private)
    path, key = find_ledger_file(private), read_key(private)
    with hold_lock(private, "ledger", _LOCK_SECONDS):
        copy, last = _find_good(path.parent / "backups", key)
        later = _list_later(path.parent, last, dict(released or {}))
        standing = sorted(later.keys() - set(withdrawn))
        if standing:
            raise DisclosureError(
                f"The newest good copy of the ledger ends before the release of {', '.join(standing)}; with "
                "it these pages would be forgotten. Take them back (delete them where they were given to "
                "others) and name each with --withdrawn PAGE, or declare a new series (`outcomes ledger "
                "begin REASON`)."
            )
        with report_full_disk(path):
            draft = path.with_name(f"{path.name}.restored")
            shutil.copyfile(copy, draft)
            draft.chmod(0o600)
            set_aside(private, keep_backups=True)
            draft.replace(path)
            _note(path, key, max([last, *later.values()]), withdrawn)
    return open_as_it_is(private, max((released or {}).values(), default=0))


def _find_good(folder: Path, key: bytes) -> tuple[Path, int]:
    """Return the newest copy that is whole, and the sequence of its last event."""
    for copy in list_backups(folder):
        with ExitStack() as stack:
            try:
                connection = open_database(copy)
                stack.callback(connection.close)
                check_whole(connection, key, Head(0, ""), 0)
            except DisclosureError:
                continue
            return copy, list_events(connection)[-1].sequence
    raise DisclosureError(
        "There is no good copy of the ledger of releases (ledger/backups in the private folder). Look for "
        "one in the backups of the machine, or declare a new series (`outcomes ledger begin REASON`)."
    )


def _list_later(folder: Path, last: int, released: Mapping[str, int]) -> dict[str, int]:
    """Return the releases after a sequence that anything tells of."""
    later = {page: sequence for page, sequence in released.items() if sequence > last}
    try:
        head = read_head(folder)
    except DisclosureError:
        head = None
    if head is not None and head.released > last:
        later.setdefault(PurePosixPath(head.page).name, head.released)
    return later


def _note(path: Path, key: bytes, known: int, withdrawn: Collection[str]) -> None:
    """Note the restoring as an event later than all that is known, so that no sequence means two events."""
    connection = open_database(path)
    try:
        with write_transaction(connection, path):
            today = dt.datetime.now(dt.UTC).date().isoformat()
            reason = f"withdrawn: {', '.join(sorted(withdrawn))}" if withdrawn else ""
            event = append_event(connection, key, today, "restored", reason, least=known + 2)
        write_head(path.parent, Head(event.sequence, event.hash))
    finally:
        connection.close()
