"""The cells of a workbook's sheets: how each is spelt, and all of a sheet of which nothing is known yet."""

from __future__ import annotations

import datetime
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from outcomes.facts import read_facts
from outcomes.records.files.sheet_cells import SheetCells

#: Parts of a number format that are text or a condition, not a sign of the format.
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')


@contextmanager
def open_book(content: bytes) -> Iterator[Any]:
    """Open a workbook for reading its values row by row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that hold no values
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            yield book
        finally:
            book.close()


def dates_from_1904(book: Any) -> bool:
    """Return whether the dates of a workbook count from 1904."""
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    return book.epoch == CALENDAR_MAC_1904


def spell_cell(cell: Any) -> tuple[str | None, tuple[str, str] | None]:
    """Return a cell's value as text, or None with the rule and the reason why it cannot be read."""
    value = cell.value
    if value is None:
        return "", None
    if cell.data_type == "e":
        return None, ("XLSX_ERROR_CELL", "an Excel error such as #N/A")
    if isinstance(value, bool):
        return str(value).upper(), None
    if isinstance(value, int | float):
        return _spell_number(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return (value.date() if midnight else value).isoformat(), None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat(), None
    return str(value), None


def _spell_number(value: float) -> tuple[str | None, tuple[str, str] | None]:
    """Return the shortest text of a number; one with more digits than Excel keeps is damaged."""
    digits = read_facts("limits")["excel"]["exact_digits"]
    if abs(value) >= 10**digits:
        return None, (
            "KEY_EXCEL_DAMAGED",
            f"a number of more than {digits} digits, of which Excel keeps {digits}",
        )
    if float(value).is_integer():
        return str(int(value)), None
    return format(value, f".{digits}g"), None


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
