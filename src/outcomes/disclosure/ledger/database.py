"""The file of the ledger: one SQLite database and its keyed digest, read and written as a whole; its backups.

A change is made in memory and put in place by one rename, so that a crash leaves the old file or the new
one, each with its digest.
"""

import hmac
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from outcomes.disclosure.ledger.key import refuse_open_file
from outcomes.errors import DisclosureError, ReportError
from outcomes.facts import Text
from outcomes.machine.lock import hold_lock
from outcomes.machine.private_files import open_private_folder, write_private_file

#: Version of the file; stands in the database. Form 1 had no digest.
FORM = "2"
FORM_UNSEALED = "1"
_DIGEST_BYTES = 32
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


def make_database(path: Path, key: bytes, fill: Callable[[sqlite3.Connection], object]) -> None:
    """Make a database, whole or not at all; `fill` writes its first rows."""
    open_private_folder(path.parent)
    with closing(_connect()) as connection:
        connection.executescript(_TABLES)
        fill(connection)
        write_database(path, connection, key)


def read_database(path: Path, key: bytes) -> tuple[sqlite3.Connection, bool]:
    """Read the file into memory, and say whether its digest is right; refuse one that is open to others.

    The digest (HMAC-SHA256 with the ledger's key) ends the file, so that one rename puts both in place.
    """
    try:
        refuse_open_file(path)
        content = path.read_bytes()
        is_sealed = hmac.compare_digest(_digest(content[:-_DIGEST_BYTES], key), content[-_DIGEST_BYTES:])
        if not is_sealed and path.with_name(f"{path.name}-journal").exists():
            content = _roll_back(path)
    except PermissionError:
        raise refuse_damage("this user may not read it") from None
    return load_database(content[:-_DIGEST_BYTES] if is_sealed else content), is_sealed


def load_database(content: bytes) -> sqlite3.Connection:
    """Return a database in memory that holds these bytes; refuse bytes that are no database."""
    connection = _connect()
    try:
        connection.deserialize(content)
        connection.execute("SELECT count(*) FROM about").fetchone()
    except Exception as error:  # whatever the bytes do to SQLite
        connection.close()
        raise refuse_damage(f"it cannot be read ({type(error).__name__})") from None
    return connection


def write_database(path: Path, connection: sqlite3.Connection, key: bytes) -> None:
    """Write the file with its digest, whole or not at all; a full disk is an error with exit code 9."""
    content = connection.serialize()
    with report_full_disk(path):
        write_private_file(path, content + _digest(content, key))


def _digest(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _roll_back(path: Path) -> bytes:
    """Let SQLite undo what an earlier version left half written, and return what the file then holds."""
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM about").fetchone()
    except sqlite3.Error as error:
        raise refuse_damage(f"it cannot be read ({type(error).__name__})") from None
    return path.read_bytes()


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def report_full_disk(path: Path) -> Iterator[None]:
    """Turn a failure to write into a ReportError that names the free bytes."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        said = Text.of("errors.ledger.full", file=path.name, reason=error.strerror or str(error), free=free)
        raise ReportError(said, exit_code=9) from None


def refuse_damage(what: str) -> DisclosureError:
    """Return the error for a ledger that cannot be trusted; it says what to do."""
    return DisclosureError(Text.of("errors.ledger.damaged", what=what))


def keep_backup(connection: sqlite3.Connection, key: bytes, folder: Path, sequence: int) -> None:
    """Write the database as it is after an event, with its digest; the last ten copies are kept."""
    path = open_private_folder(folder) / f"ledger-{sequence:08d}.sqlite"
    write_database(path, connection, key)
    for old in list_backups(folder)[_BACKUPS_KEPT:]:
        old.unlink()


def list_backups(folder: Path) -> list[Path]:
    """Return the backups, the newest first."""
    return sorted(folder.glob("ledger-*.sqlite"), reverse=True)
