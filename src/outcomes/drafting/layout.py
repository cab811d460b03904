"""Where the header of a grid stands, and which of its rows are data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outcomes.drafting.spelling import is_number_or_date, normalise
from outcomes.errors import RecordsError
from outcomes.facts import read_facts
from outcomes.records.headers import join_header_rows

#: Lines above which a header is looked for, and the most lines it may take.
_MAX_TITLE_LINES = 40
_MAX_HEADER_LINES = 3


@dataclass(frozen=True)
class Layout:
    """Where things stand in a grid; lines are counted from 1.

    Parameters
    ----------
    header_lines : tuple of int
        Lines of the header, several where it is merged from several.
    headers : tuple of str
        One per column; the lines of a merged header joined by a space, a blank upper cell taking the one
        to its left; empty where a column has none.
    first_line : int
        First line of data.
    summary_lines : tuple of int
        Lines that hold totals.
    """

    header_lines: tuple[int, ...]
    headers: tuple[str, ...]
    first_line: int
    summary_lines: tuple[int, ...]


def find_layout(rows: Sequence[Sequence[Any]]) -> Layout:
    """Find the header of a grid under title rows, also where it is merged from several rows.

    Parameters
    ----------
    rows : sequence of sequences
        Cells, None where blank.

    Returns
    -------
    Layout

    Raises
    ------
    RecordsError
        When no row of names stands above rows of data.

    Examples
    --------
    >>> rows = [["Export", None, None], ["Pt", "Baseline", None], [None, "ODI", "Pain"], ["P1", 40, 6]]
    >>> find_layout(rows).header_lines
    (2, 3)
    >>> find_layout(rows).headers
    ('Pt', 'Baseline ODI', 'Baseline Pain')
    """
    first = _find_first_data_row(rows)
    last_header = first - 1
    while last_header >= 0 and not _filled(rows[last_header]):
        last_header -= 1
    if last_header < 0 or not _is_names(rows[last_header]):
        raise RecordsError(
            "No row of column names was found above the data; add one, with a different name for each column."
        )
    top = last_header
    while top > 0 and last_header - top + 1 < _MAX_HEADER_LINES and _needs_more(rows, top, last_header):
        top -= 1
    lines = tuple(range(top + 1, last_header + 2))
    headers = _join([rows[line - 1] for line in lines])
    return Layout(lines, headers, first + 1, _find_summaries(rows, first))


def _join(lines: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    texts = [["" if cell is None else str(cell) for cell in line] for line in lines]
    return tuple(join_header_rows(texts))


def _filled(row: Sequence[Any]) -> list[Any]:
    return [cell for cell in row if cell is not None]


def _is_names(row: Sequence[Any]) -> bool:
    """Whether a row could be names of columns: text that is neither number nor date."""
    cells = _filled(row)
    return bool(cells) and all(isinstance(cell, str) and not is_number_or_date(cell) for cell in cells)


def _find_first_data_row(rows: Sequence[Sequence[Any]]) -> int:
    """Return the index of the first row that holds values and is about as full as those below it."""
    sizes = sorted(len(_filled(row)) for row in rows if _filled(row))
    usual = sizes[len(sizes) // 2]
    for i, row in enumerate(rows[: _MAX_TITLE_LINES + 1]):
        cells = _filled(row)
        if len(cells) * 2 >= usual and len(cells) > 1 and any(is_number_or_date(cell) for cell in cells):
            return i
    raise RecordsError(
        f"No row with numbers or dates was found in the first {_MAX_TITLE_LINES} lines; "
        "put the table at the top of the sheet."
    )


def _needs_more(rows: Sequence[Sequence[Any]], top: int, last: int) -> bool:
    """Whether the line above belongs to the header: names are lacking or doubled without it."""
    above = rows[top - 1]
    if len(_filled(above)) < 2 or not _is_names(above):
        return False
    names = _join([rows[line] for line in range(top, last + 1)])
    used = [
        names[i] for i in range(len(names)) if any(row[i] is not None for row in rows[last + 1 : last + 200])
    ]
    return "" in used or len(set(used)) < len(used)


def _find_summaries(rows: Sequence[Sequence[Any]], first: int) -> tuple[int, ...]:
    words = {normalise(word) for word in read_facts("limits")["text"]["total_words"]}
    found = []
    for i in range(first, len(rows)):
        cells = _filled(rows[i])
        if cells and isinstance(cells[0], str) and normalise(cells[0]) in words:
            found.append(i + 1)
    return tuple(found)
