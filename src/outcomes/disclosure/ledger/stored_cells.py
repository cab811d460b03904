"""Cells and their sets of patients in the database: written and read back.

A set of patients is kept once, as sorted numbers, compressed.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from outcomes.disclosure.ledger.cell import Cell, write_row
from outcomes.disclosure.ledger.hashes import CELL_COLUMNS, SET_COLUMNS, hash_set, pack, unpack


def number_patients(connection: sqlite3.Connection, tokens: Sequence[bytes]) -> np.ndarray:
    """Return the number of each token in the ledger; new ones get the next numbers."""
    known = read_numbers(connection)
    added = number_new(known, tokens)
    connection.executemany("INSERT INTO patients (token, number) VALUES (?, ?)", added.items())
    known |= added
    return np.array([known[token] for token in tokens], dtype="int64")


def read_numbers(connection: sqlite3.Connection) -> dict[bytes, int]:
    """Return the number of each known token."""
    return dict(connection.execute("SELECT token, number FROM patients"))


def number_new(known: Mapping[bytes, int], tokens: Iterable[bytes]) -> dict[bytes, int]:
    """Return the next numbers for the tokens that are not known."""
    new = sorted(set(tokens) - known.keys())
    return {token: number for number, token in enumerate(new, start=max(known.values(), default=0) + 1)}


def store_cells(connection: sqlite3.Connection, edition: str, cells: Sequence[Cell]) -> None:
    """Store the cells of an edition."""
    tokens = dict(connection.execute("SELECT number, token FROM patients"))
    stored: dict[bytes, int] = {}  # most cells of a page share a few sets
    query = f"INSERT INTO cells ({', '.join(CELL_COLUMNS)}) VALUES ({', '.join('?' for _ in CELL_COLUMNS)})"
    for cell in cells:
        ids: list[int | None] = []
        for members in (cell.whole, cell.counted, cell.versus):
            if members is not None and members.tobytes() not in stored:
                stored[members.tobytes()] = keep_set(connection, members, tokens)
            ids.append(None if members is None else stored[members.tobytes()])
        named = (edition, cell.analysis, cell.quantity, cell.place, cell.definition)
        marks = None
        if cell.marks is not None:
            content = pack(cell.marks)
            digest = hashlib.sha256(content).digest()
            marks = _keep(connection, "marks", "marks", digest, content)
        shown = (cell.origin, cell.as_of, write_row(cell.row), cell.digest)
        connection.execute(query, (*named, *ids, marks, *shown))


def keep_set(connection: sqlite3.Connection, numbers: np.ndarray, tokens: Mapping[int, bytes]) -> int:
    """Store a set of patients, unless it is there, and return its id."""
    digest = hash_set(tokens[number] for number in numbers.tolist())
    return _keep(connection, "patient_sets", "members", digest, pack(numbers))


def _keep(connection: sqlite3.Connection, table: str, column: str, digest: bytes, content: bytes) -> int:
    connection.execute(
        f"INSERT INTO {table} (digest, {column}) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, content)
    )
    found = connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
    return int(found[0])


def read_cells(connection: sqlite3.Connection, editions: Iterable[str] | None = None) -> list[Cell]:
    """Return all cells, or those of some editions, in the order of their editions' events, then by place."""
    wanted = None if editions is None else set(editions)
    query = (
        f"SELECT cells.id, {', '.join(f'cells.{name}' for name in CELL_COLUMNS)} FROM cells JOIN editions ON "
        "editions.id = cells.edition ORDER BY editions.sequence, cells.place, cells.id"
    )
    rows = [
        dict(zip(("id", *CELL_COLUMNS), row, strict=True))
        for row in connection.execute(query)
        if wanted is None or row[1] in wanted
    ]
    sets = _read(connection, "members", "patient_sets", (row[name] for row in rows for name in SET_COLUMNS))
    marks = _read(connection, "marks", "marks", (row["marks"] for row in rows))
    found = []
    for row in rows:
        del row["digest"]
        members = {name: sets[row[name]] for name in SET_COLUMNS}
        found.append(Cell(**{**row, **members, "marks": marks[row["marks"]], "row": json.loads(row["row"])}))
    return found


def _read(
    connection: sqlite3.Connection, column: str, table: str, ids: Iterable[int | None]
) -> dict[int | None, np.ndarray | None]:
    """Return the packed numbers of some rows by their ids; None for no row."""
    query = f"SELECT {column} FROM {table} WHERE id = ?"
    wanted = sorted({id for id in ids if id is not None})
    return {None: None, **{id: unpack(connection.execute(query, (id,)).fetchone()[0]) for id in wanted}}


def drop_unused(connection: sqlite3.Connection) -> None:
    """Remove sets of patients and marks that no cell needs any more."""
    connection.execute(
        "DELETE FROM patient_sets WHERE id NOT IN (SELECT whole FROM cells UNION SELECT counted FROM cells "
        "WHERE counted IS NOT NULL UNION SELECT versus FROM cells WHERE versus IS NOT NULL)"
    )
    connection.execute("DELETE FROM marks WHERE id NOT IN (SELECT marks FROM cells WHERE marks IS NOT NULL)")
