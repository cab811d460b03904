"""How the cells of a workbook are spelt."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from outcomes.facts import read_facts

#: Parts of a number format that are text or a condition, not a sign of the format.
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')


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


def find_fill(cell: Any) -> str | None:
    """Return the colour behind a cell: red, green and blue in hexadecimal, or the name of a theme colour."""
    if not getattr(cell, "has_style", False) or cell.fill.fill_type != "solid":
        return None
    colour = cell.fill.fgColor
    return colour.rgb[-6:] if colour.type == "rgb" else f"{colour.type} {colour.value} {colour.tint:g}"


def spell_rows(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Return cells as text, those that cannot be read as blanks."""
    return [[spell_cell(cell)[0] or "" for cell in row] for row in rows]
