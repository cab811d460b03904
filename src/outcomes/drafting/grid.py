"""`Grid`: the cells of one table as they stand in a file, before anything is known about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.drafting.column import SheetColumn
from outcomes.drafting.role import guess_role
from outcomes.errors import RecordsError
from outcomes.records.files import SheetCells, read_cells
from outcomes.records.gate import mark_identifying, names_person

#: Rows that a draft looks at; enough to see every usual code, few enough to answer at once.
MAX_ROWS = 20_000


@dataclass(frozen=True)
class Grid:
    """The cells of one sheet, or of a file that holds one table."""

    #: Name of the file.
    file: str
    #: ``csv``, ``xlsx``, ``parquet``, ``sav``, ``dta``, ``xpt``, ...
    kind: str
    #: Cell values as the file types them (text, numbers, dates), None where blank, all of one width; numbers
    #: that are shown as per cent as text (``42%``); labels for codes and names where a file of a statistics
    #: package has them. At most `MAX_ROWS` rows. Never shown.
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    #: Title of the sheet.
    sheet: str | None = None
    #: The workbook's other visible sheets.
    other_sheets: tuple[str, ...] = ()
    #: Of a text file, where they are not comma and UTF-8.
    delimiter: str | None = None
    encoding: str | None = None
    #: Whether the encoding leaves no doubt.
    encoding_certain: bool = True
    #: Rows that hold something, also beyond `MAX_ROWS`.
    n_rows: int = 0
    #: Line and column (from 1) of cells with a colour behind them, to the colour.
    fills: Mapping[tuple[int, int], str] = field(default_factory=dict, repr=False)


def read_grids(path: Path, sheet: str | None = None) -> tuple[Grid, ...]:
    """Read the cells of all tables of a file: the visible sheets of a workbook that hold something, else one."""
    kind, tables = read_cells(
        path, most=MAX_ROWS, sheet=sheet, check_name=names_person, mark_texts=mark_identifying
    )
    titles = [table.title for table in tables if table.title is not None and table.n_rows]
    grids = tuple(_lay_out(path.name, kind, table, titles) for table in tables if table.n_rows)
    if not grids:
        raise RecordsError(f"{path.name} holds no rows.")
    return grids


def read_grid(path: Path, sheet: str | None = None) -> Grid:
    """Read the cells of the fullest table of a file; parameters and errors are those of `read_grids`."""
    grids = read_grids(path, sheet)
    return max(grids, key=lambda grid: sum(cell is not None for row in grid.rows for cell in row))


def _lay_out(name: str, kind: str, table: SheetCells, titles: Sequence[str]) -> Grid:
    rows = _trim(table.rows)
    return Grid(
        name,
        kind,
        _say_labels(rows, table) if table.labels or table.value_labels else rows,
        table.title,
        tuple(title for title in titles if title != table.title),
        table.delimiter,
        table.encoding,
        table.certain,
        table.n_rows,
        table.fills,
    )


def _say_labels(rows: tuple[tuple[Any, ...], ...], table: SheetCells) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of a file of a statistics package with the labels by which they are read too.

    A variable goes by its label where that says what it is and its name does not; values go by their labels
    but in scores, where the number counts.
    """
    columns = []
    for name, *cells in zip(*rows, strict=True):
        column = SheetColumn(name, tuple(cells))
        label = table.labels.get(name, name)
        role = guess_role(column)
        by_label = guess_role(SheetColumn(label, column.cells))
        says_more = role.name is None and by_label.kind != "unknown" and by_label != role
        if says_more and list(table.labels.values()).count(label) == 1:
            name, role = label, by_label
        codes = table.value_labels.get(column.header, {}) if role.kind != "score" else {}
        columns.append((name, *(codes.get(str(cell), cell) for cell in cells)))
    return tuple(zip(*columns, strict=True))


def _trim(rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    """Return rows of one width, blank text as None, without blank rows at the end."""
    kept = [
        tuple(None if isinstance(cell, str) and not cell.strip() else cell for cell in row) for row in rows
    ]
    while kept and all(cell is None for cell in kept[-1]):
        kept.pop()
    width = max((len(row) for row in kept), default=0)
    return tuple(row + (None,) * (width - len(row)) for row in kept)
