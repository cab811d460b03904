"""The mapped columns of a file as the gate sees them: what each is declared to be, and its distinct texts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_schema
from outcomes.records.files import TextTable

_SHOWN_LINES = 10


@dataclass(frozen=True)
class GatedColumn:
    """A mapped column as the gate sees it.

    Parameters
    ----------
    header : str
    name : str
        Column of the schema it is mapped to; ``""`` for scores and what excludes records.
    kind : str
        ``id``, ``category``, ``number`` or ``date``.
    codes : numpy.ndarray
        One per row, -1 for a bad cell.
    texts : pyarrow.Array
        Distinct texts.
    lines : numpy.ndarray
        First physical line of each row.
    """

    header: str
    name: str
    kind: str
    codes: np.ndarray = field(repr=False)
    texts: pa.Array = field(repr=False)
    lines: np.ndarray = field(repr=False)

    def count(self, hits: np.ndarray) -> tuple[int, tuple[int, ...]]:
        """Return how many rows hold one of the marked texts, and the first lines of those."""
        rows = np.flatnonzero(np.append(hits, False)[self.codes])
        return len(rows), tuple(int(line) for line in self.lines[rows[:_SHOWN_LINES]])


def list_gated_columns(text: TextTable, spec: FileSpec) -> list[GatedColumn]:
    """Return the mapped columns that a file has.

    Parameters
    ----------
    text : TextTable
    spec : FileSpec
        What each column is mapped to.
    """
    roles: dict[str, tuple[str, str]] = {}
    for entry in spec.exclude:
        roles[entry.column] = ("", "category")
    for score in spec.scores:
        roles |= {
            header: ("", "number") for header in (score.column, score.day_column, *score.items) if header
        }
        if score.date_column:
            roles[score.date_column] = ("", "date")
    for name, headers in spec.joined.items():
        roles |= {header: (name, "id") for header in headers if header not in roles}
    roles |= {header: (name, _find_kind(name)) for name, header in spec.columns.items()}
    return [
        GatedColumn(header, name, kind, *text.split(header), text.lines)
        for header, (name, kind) in roles.items()
        if header in text.table.column_names
    ]


def _find_kind(name: str) -> str:
    if name == "date":
        return "date"
    for columns in read_schema().values():
        if name in columns:
            kind = columns[name].type
            return kind if kind in ("id", "date", "category") else "number"
    return "category"
