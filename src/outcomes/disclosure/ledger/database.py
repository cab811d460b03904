"""The file of the ledger - one SQLite database that survives a crash at any moment - and its backups."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from outcomes.disclosure.ledger.key import refuse_open_file
from outcomes.errors import DisclosureError, ReportError
from outcomes.facts import Text
from outcomes.machine.lock import hold_lock
from outcomes.machine.private_files import open_private_folder

#: Version of the tables; stands in the database.
FORM = "1"
_WAIT_SECONDS = 60.0
_BACKUPS_KEPT = 10
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE patients (number INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE);
CREATE TABLE patient_sets (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, members BLOB NOT NULL);
CREATE TABLE marks (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, marks BLOB NOT NULL);
CREATE TABLE editions (
  id TEXT PRIMARY KEY, report TEXT NOT NULL, page TEXT NOT NULL, series TEXT NOT NULL, slot TEXT NOT NULL,
  slice TEXT NOT NULL, k INTEGER NOT NULL, profile TEXT NOT NULL, made TEXT NOT NULL, due TEXT NOT NULL,
  state TEXT NOT NULL, page_sha256 TEXT NOT NULL, files_sha256 TEXT NOT NULL, approved_by TEXT NOT NULL,
  approved_on TEXT NOT NULL, sequence INTEGER NOT NULL, cells_sha256 TEXT NOT NULL);
CREATE TABLE cells (
  id INTEGER PRIMARY KEY, edition TEXT NOT NULL REFERENCES editions(id), analysis TEXT NOT NULL,
  quantity TEXT NOT NULL, place TEXT NOT NULL, definition TEXT NOT NULL, whole INTEGER NOT NULL
  REFERENCES patient_sets(id), counted INTEGER REFERENCES patient_sets(id), versus INTEGER REFERENCES
  patient_sets(id), marks INTEGER REFERENCES marks(id), origin TEXT NOT NULL,
  as_of TEXT NOT NULL, row TEXT NOT NULL,
  digest TEXT NOT NULL);
CREATE INDEX cells_of_quantity ON cells (quantity);
CREATE INDEX cells_of_edition ON cells (edition);
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY, day TEXT NOT NULL, change TEXT NOT NULL, edition TEXT NOT NULL,
  content TEXT NOT NULL, hash TEXT NOT NULL);
"""


def lock_ledger(private: Path) -> AbstractContextManager[None]:
    """Hold the lock of the ledger in a private folder: one process at a time changes it."""
    return hold_lock(private, "ledger", _WAIT_SECONDS)


def make_database(path: Path, fill: Callable[[sqlite3.Connection], object]) -> None:
    """Make a database, whole or not at all; `fill` writes its first rows."""
    draft = open_private_folder(path.parent) / f"{path.name}.new"
    with report_full_disk(path):
        _make_private(draft)
        connection = _connect(draft)
        try:
            connection.executescript(_TABLES)
            fill(connection)
        finally:
            connection.close()
        draft.replace(path)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database; refuse one that is damaged, of another form, or open to others."""
    try:
        refuse_open_file(path)
        connection = _connect(path)
        found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
        form = connection.execute("SELECT value FROM about WHERE name = 'form'").fetchone()
    except sqlite3.DatabaseError as error:
        raise refuse_damage(f"it cannot be read ({error})") from None
    except PermissionError:
        raise refuse_damage("this user may not read it") from None
    if found != ["ok"]:
        raise refuse_damage("its pages do not fit together")
    if form is not None and form[0] != FORM:
        raise DisclosureError(Text.of("errors.ledger.form", form=form[0], own=FORM))
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # what a write needs beside the database stays in memory, never in a public folder of temporary files
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


@contextmanager
def write_transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write all or nothing; a full or failing disk is an error with exit code 9."""
    with report_full_disk(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextmanager
def report_full_disk(path: Path) -> Iterator[None]:
    """Turn a failure to write into a ReportError that names the free bytes."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        free = shutil.disk_usage(path.parent).free
        reason = getattr(error, "strerror", None) or str(error)
        said = Text.of("errors.ledger.full", file=path.name, reason=reason, free=free)
        raise ReportError(said, exit_code=9) from None


def refuse_damage(what: str) -> DisclosureError:
    """Return the error for a ledger that cannot be trusted; it says what to do."""
    return DisclosureError(Text.of("errors.ledger.damaged", what=what))


def keep_backup(connection: sqlite3.Connection, folder: Path, sequence: int) -> None:
    """Copy the database as it is after an event, whole or not at all; the last ten copies are kept."""
    path = open_private_folder(folder) / f"ledger-{sequence:08d}.sqlite"
    draft = path.with_name(f"{path.name}.new")
    _make_private(draft)
    copy = sqlite3.connect(draft)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    draft.replace(path)
    for old in list_backups(folder)[_BACKUPS_KEPT:]:
        old.unlink()


def list_backups(folder: Path) -> list[Path]:
    """Return the backups, the newest first."""
    return sorted(folder.glob("ledger-*.sqlite"), reverse=True)


def _make_private(draft: Path) -> None:
    """Make an empty file that only its owner may read."""
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
