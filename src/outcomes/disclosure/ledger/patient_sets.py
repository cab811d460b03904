"""Sets of patients as the ledger keeps them: sorted numbers, compressed, each set once."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np


def pack(numbers: np.ndarray) -> bytes:
    """Return whole numbers as compressed bytes.

    Examples
    --------
    >>> unpack(pack(np.array([3, 5, 900]))).tolist()
    [3, 5, 900]
    """
    return zlib.compress(np.asarray(numbers, dtype="<u4").tobytes(), 6)


def unpack(content: bytes) -> np.ndarray:
    """Return the numbers of `pack`."""
    return np.frombuffer(zlib.decompress(content), dtype="<u4").astype("int64")


def number_patients(connection: sqlite3.Connection, tokens: Sequence[bytes]) -> np.ndarray:
    """Return the number of each token in the ledger; whoever is new gets the next one."""
    known = read_numbers(connection)
    new = sorted(set(tokens) - known.keys())
    first = max(known.values(), default=0) + 1
    connection.executemany("INSERT INTO patients VALUES (?, ?)", list(enumerate(new, start=first)))
    known |= {token: number for number, token in enumerate(new, start=first)}
    return np.array([known[token] for token in tokens], dtype="int64")


def read_numbers(connection: sqlite3.Connection) -> dict[bytes, int]:
    """Return the number of each known token."""
    return {token: number for number, token in connection.execute("SELECT number, token FROM patients")}


def digest_set(tokens: Iterable[bytes]) -> bytes:
    """Return a digest of a set of tokens, whatever their order."""
    return hashlib.sha256(b"".join(sorted(tokens))).digest()


def keep_set(connection: sqlite3.Connection, numbers: np.ndarray, tokens: Mapping[int, bytes]) -> int:
    """Keep a set of patients, unless it is there, and return its id."""
    digest = digest_set(tokens[number] for number in numbers.tolist())
    return _keep(connection, "patient_sets", "members", digest, pack(numbers))


def keep_marks(connection: sqlite3.Connection, marks: np.ndarray) -> int:
    """Keep what was recorded of the patients of a set, as a mark for each, and return its id."""
    content = pack(marks)
    return _keep(connection, "marks", "marks", hashlib.sha256(content).digest(), content)


def _keep(connection: sqlite3.Connection, table: str, column: str, digest: bytes, content: bytes) -> int:
    connection.execute(
        f"INSERT INTO {table} (digest, {column}) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, content)
    )
    found = connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
    return int(found[0])


def read_sets(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Return the members of sets by their ids."""
    return _read(connection, "SELECT members FROM patient_sets WHERE id = ?", ids)


def read_marks(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Return marks by their ids."""
    return _read(connection, "SELECT marks FROM marks WHERE id = ?", ids)


def _read(connection: sqlite3.Connection, query: str, ids: Iterable[int]) -> dict[int, np.ndarray]:
    return {id: unpack(connection.execute(query, (id,)).fetchone()[0]) for id in sorted(set(ids))}


def drop_unused(connection: sqlite3.Connection) -> None:
    """Remove sets, marks and patients that no cell needs any more."""
    connection.execute(
        "DELETE FROM patient_sets WHERE id NOT IN (SELECT whole FROM cells UNION SELECT counted FROM cells "
        "WHERE counted IS NOT NULL UNION SELECT versus FROM cells WHERE versus IS NOT NULL)"
    )
    connection.execute("DELETE FROM marks WHERE id NOT IN (SELECT marks FROM cells WHERE marks IS NOT NULL)")
