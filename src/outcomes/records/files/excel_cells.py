"""The cells of a workbook's sheets: how each is spelt, those of one for a draft, sheets of one patient each.

The last have labels with values above rows of visits; the rows of all sheets stand beneath each other.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_facts
from outcomes.records.findings import FileFindings, Refusal
from outcomes.records.spelling import simplify_header
from outcomes.records.text_table import RawColumns, SheetCells

#: Parts of a number format that are text or a condition, not a sign of the format.
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
#: What stands for the title of the sheet among the labels of a heading.
SHEET_TITLE = "sheet title"
#: Lines of the records of one sheet are counted on from a multiple of this.
_LINES_PER_SHEET = 10_000


def dates_from_1904(book: Any) -> bool:
    """Return whether the dates of a workbook count from 1904."""
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    return bool(book.epoch == CALENDAR_MAC_1904)


def spell_cell(cell: Any) -> tuple[str | None, str | None]:
    """Return a cell's value as text, or None with the key of why it cannot be read."""
    value = cell.value
    if value is None:
        return "", None
    if cell.data_type == "e":
        return None, "XLSX_ERROR_CELL"
    if isinstance(value, bool):
        return str(value).upper(), None
    if isinstance(value, int | float):
        # The shortest text of a number; one with more digits than Excel keeps is damaged.
        digits = read_facts("limits")["excel"]["exact_digits"]
        if abs(value) >= 10**digits:
            return None, "KEY_EXCEL_DAMAGED"
        return (str(int(value)) if float(value).is_integer() else format(value, f".{digits}g")), None
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return (value.date() if midnight else value).isoformat(), None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat(), None
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}", None
    return str(value), None


def shows_percent(cell: Any) -> bool:
    """Return whether a number is shown as per cent, so that a stored 0.42 reads 42 %."""
    value = cell.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return "%" in _LITERAL.sub("", cell.number_format or "")


def spell_percent(cell: Any) -> str:
    """Return a number that is shown as per cent as it is shown, with all its decimals.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> [spell_percent(SimpleNamespace(value=value)) for value in (0.42, 0.07, 0.125, 1, 0.29)]
    ['42%', '7%', '12.5%', '100%', '29%']
    """
    digits = read_facts("limits")["excel"]["exact_digits"]
    percent = Decimal(format(cell.value, f".{digits}g")) * 100
    return f"{percent.normalize():f}%"


def list_sheet_cells(book: Any, title: str, most: int) -> SheetCells:
    """Return the cells of a sheet as they are shown, errors and formulas without a value as blanks."""
    page = book[title]
    page.reset_dimensions()
    rows: list[tuple[Any, ...]] = []
    fills: dict[tuple[int, int], str] = {}
    n_rows = 0
    for line, row in enumerate(page.iter_rows(), start=1):
        cells = tuple(_show(cell) for cell in row)
        n_rows += any(cell is not None and str(cell).strip() for cell in cells)
        if line <= most:
            rows.append(cells)
            fills |= {
                (line, place): colour for place, cell in enumerate(row, 1) if (colour := _find_fill(cell))
            }
    return SheetCells(rows, n_rows, title, fills=fills)


def _show(cell: Any) -> Any:
    if shows_percent(cell):
        return spell_percent(cell)
    return None if cell.data_type == "e" else cell.value


def _find_fill(cell: Any) -> str | None:
    """Return the colour behind a cell: red, green and blue in hexadecimal, or the name of a theme colour."""
    if not getattr(cell, "has_style", False) or cell.fill.fill_type != "solid":
        return None
    colour = cell.fill.fgColor
    return colour.rgb[-6:] if colour.type == "rgb" else f"{colour.type} {colour.value} {colour.tint:g}"


def narrow_to_rows(spec: FileSpec, texts: Sequence[Sequence[str]]) -> FileSpec | None:
    """Return what describes the rows of one sheet without its heading, None where no line is their header."""
    columns = {name: header for name, header in spec.columns.items() if header not in spec.heading}
    narrow = replace(spec, columns=columns, heading=())
    wanted = {simplify_header(name) for name in narrow.mapped}
    for line, row in enumerate(texts, start=1):
        if wanted and wanted <= {simplify_header(cell) for cell in row}:
            return replace(narrow, header_row=line)
    return None


def _find_heading(label: str, title: str, texts: Iterable[Sequence[str]]) -> str:
    """Return the value of a label: after a colon in its cell, else in the next filled cell of its row."""
    if label == SHEET_TITLE:
        return title
    wanted = simplify_header(label).rstrip(":： ")
    for row in texts:
        for place, cell in enumerate(row):
            name, colon, value = cell.replace("：", ":").partition(":")
            if simplify_header(name).rstrip() == wanted:
                if colon and value.strip():
                    return value.strip()
                return next((other for other in row[place + 1 :] if other), "")
    return ""


def spell_rows(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Return cells as text, those that cannot be read as blanks."""
    return [[spell_cell(cell)[0] or "" for cell in row] for row in rows]


def stack_sheets(
    sheets: Iterator[tuple[int, RawColumns, str, list[list[str]]]], spec: FileSpec, findings: FileFindings
) -> RawColumns:
    """Put the records of all sheets beneath each other, the values of each heading beside them.

    Of each sheet ``sheets`` holds its number, its columns, its title and the text of the lines above its
    header.
    """
    columns: dict[str, list[pa.Array]] = {name: [] for name in spec.mapped}
    lines: list[np.ndarray] = []
    headers: dict[str, None] = dict.fromkeys(spec.heading)
    refused: list[Refusal] = []
    bad_cells: list[Refusal] = []
    for number, raw, title, above in sheets:
        start = _LINES_PER_SHEET * number
        lines.append(raw.lines + start)
        headers |= dict.fromkeys(raw.headers)
        refused += [refusal._replace(line=refusal.line + start) for refusal in raw.refused]
        bad_cells += [cell._replace(line=cell.line + start) for cell in raw.bad_cells]
        for name in columns:
            if name in spec.heading:
                value = _find_heading(name, title, above)
                columns[name].append(pa.array([value] * len(raw.lines), pa.string()))
            else:
                columns[name] += raw.columns[name].chunks
    if not lines:
        findings.refuse_now("COLUMN_MISSING.sheets")
    findings.accept("SHEETS_STACKED", number=len(lines))
    tables = {name: pa.chunked_array(parts, pa.string()) for name, parts in columns.items()}
    return RawColumns(
        tables, np.concatenate(lines).astype(np.int32), tuple(headers), refused, bad_cells, typed=True
    )
