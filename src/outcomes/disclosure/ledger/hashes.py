"""Hashes over what the database holds of cells and sets of patients, and how numbers are packed there."""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable

import numpy as np

#: Columns of the table of cells; those that name a set of patients.
SET_COLUMNS = ("whole", "counted", "versus")
CELL_COLUMNS = (
    *("edition", "analysis", "quantity", "place", "definition", *SET_COLUMNS),
    *("marks", "origin", "as_of", "row", "digest"),
)


def hash_cells(connection: sqlite3.Connection, edition: str) -> str:
    """Return a hash over the cells of an edition, with the patients of each."""
    digests = dict(connection.execute("SELECT id, digest FROM patient_sets"))
    marks = dict(connection.execute("SELECT id, digest FROM marks"))
    held = hashlib.sha256()
    query = f"SELECT {', '.join(CELL_COLUMNS)} FROM cells WHERE edition = ? ORDER BY id"
    for row in connection.execute(query, (edition,)):
        named = [digests[id].hex() if id is not None else "" for id in row[5:8]]
        told = [*row[:5], *named, marks[row[8]].hex() if row[8] is not None else "", *row[9:]]
        held.update(json.dumps(told, ensure_ascii=False).encode())
    return held.hexdigest()


def hash_set(tokens: Iterable[bytes]) -> bytes:
    """Return a hash of a set of tokens, whatever their order."""
    return hashlib.sha256(b"".join(sorted(tokens))).digest()


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
