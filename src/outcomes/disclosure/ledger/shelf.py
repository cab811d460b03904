"""Cells in the database: kept, read back, and hashed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence

from outcomes.disclosure.ledger.cell import Cell, write_row
from outcomes.disclosure.ledger.patient_sets import keep_marks, keep_set, read_marks, read_sets

_SETS = ("whole", "counted", "versus")
_COLUMNS = (
    "edition", "analysis", "quantity", "place", "definition", *_SETS, "marks", "origin", "as_of", "row",
    "digest",
)  # fmt: skip


def keep_cells(connection: sqlite3.Connection, edition: str, cells: Sequence[Cell]) -> None:
    """Keep the cells of an edition."""
    tokens = dict(connection.execute("SELECT number, token FROM patients"))
    kept: dict[bytes, int] = {}  # most cells of a page share a few sets
    query = f"INSERT INTO cells ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"
    for cell in cells:
        ids: list[int | None] = []
        for name in _SETS:
            members = getattr(cell, name)
            if members is None:
                ids.append(None)
                continue
            known = members.tobytes()
            if known not in kept:
                kept[known] = keep_set(connection, members, tokens)
            ids.append(kept[known])
        marks = None if cell.marks is None else keep_marks(connection, cell.marks)
        connection.execute(
            query,
            (
                edition, cell.analysis, cell.quantity, cell.place, cell.definition, *ids, marks, cell.origin,
                cell.as_of,
                write_row(cell.row), cell.digest,
            ),
        )  # fmt: skip


def read_cells(
    connection: sqlite3.Connection,
    editions: Iterable[str] | None = None,
    quantities: Iterable[str] | None = None,
) -> list[Cell]:
    """Return cells of some editions or quantities, in the order of their editions' events, then by place."""
    wanted_editions = None if editions is None else set(editions)
    wanted_quantities = None if quantities is None else set(quantities)
    query = (
        f"SELECT cells.id, {', '.join(f'cells.{name}' for name in _COLUMNS)} FROM cells JOIN editions ON "
        "editions.id = cells.edition ORDER BY editions.sequence, cells.place, cells.id"
    )
    rows = [
        row
        for row in connection.execute(query)
        if (wanted_editions is None or row[1] in wanted_editions)
        and (wanted_quantities is None or row[3] in wanted_quantities)
    ]
    sets = read_sets(connection, (id for row in rows for id in row[6:9] if id is not None))
    marks = read_marks(connection, (row[9] for row in rows if row[9] is not None))
    return [
        Cell(
            analysis=row[2], quantity=row[3], place=row[4], definition=row[5], whole=sets[row[6]],
            counted=None if row[7] is None else sets[row[7]], versus=None if row[8] is None else sets[row[8]],
            marks=None if row[9] is None else marks[row[9]], origin=row[10], as_of=row[11],
            row=json.loads(row[12]),
            id=row[0], edition=row[1],
        )
        for row in rows
    ]  # fmt: skip


def hash_cells(connection: sqlite3.Connection, edition: str) -> str:
    """Return a hash over the cells of an edition, with the patients of each."""
    digests = dict(connection.execute("SELECT id, digest FROM patient_sets"))
    marks = dict(connection.execute("SELECT id, digest FROM marks"))
    held = hashlib.sha256()
    query = f"SELECT {', '.join(_COLUMNS)} FROM cells WHERE edition = ? ORDER BY id"
    for row in connection.execute(query, (edition,)):
        named = [digests[id].hex() if id is not None else "" for id in row[5:8]]
        told = [*row[:5], *named, marks[row[8]].hex() if row[8] is not None else "", *row[9:]]
        held.update(json.dumps(told, ensure_ascii=False).encode())
    return held.hexdigest()
