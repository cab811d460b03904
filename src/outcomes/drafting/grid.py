"""`SheetGrid`: the cells of one table of a file; `SheetLayout`: where its header and its data are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.drafting.column import SheetColumn, read_number
from outcomes.drafting.question import say
from outcomes.drafting.role import guess_role
from outcomes.drafting.spelling import is_number_or_date, normalise, split_scale
from outcomes.drafting.words import find_instrument_word, words_of
from outcomes.errors import RecordsError
from outcomes.facts import read_facts
from outcomes.records.files.file_reader import read_cells
from outcomes.records.files.headers import join_header_rows
from outcomes.records.gate.inspection import mark_identifying, names_person
from outcomes.records.text_table import SheetCells

#: Rows that a draft looks at; enough to see every usual code, few enough to answer at once.
MAX_ROWS = 20_000
#: Lines above which a header is looked for, and the most lines it may take.
MAX_TITLE_LINES = 40
_MAX_HEADER_LINES = 3
#: Proportion of cells of a line that must be words of headers for it to repeat the line above in other words.
_MOST_NAMES = 0.6


@dataclass(frozen=True)
class SheetGrid:
    """The cells of one sheet, or of a file that holds one table."""

    file: str
    #: Cell values as the file types them (text, numbers, dates), None where blank, all of one width; numbers
    #: that are shown as per cent as text (``42%``); labels for codes and names where a file of a statistics
    #: package has them. At most `MAX_ROWS` rows. Never shown.
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    #: The cells as they were read, with what the file says of itself.
    cells: SheetCells = field(repr=False)
    #: Title of the sheet; ``*`` for all of one header.
    sheet: str | None = None
    #: The workbook's other visible sheets.
    other_sheets: tuple[str, ...] = ()


def read_grids(path: Path, sheet: str | None = None) -> tuple[SheetGrid, ...]:
    """Read the cells of all tables of a file: the visible filled sheets of a workbook, else one."""
    _, tables = read_cells(
        path, most=MAX_ROWS, sheet=sheet, check_name=names_person, mark_texts=mark_identifying
    )
    filled = [table for table in tables if table.n_rows]
    if not filled:
        raise RecordsError(f"{path.name} holds no rows.")
    titles = [table.title for table in filled if table.title is not None]
    grids = []
    for table in filled:
        others = tuple(title for title in titles if title != table.title)
        grids.append(SheetGrid(path.name, _say_labels(_trim(table.rows), table), table, table.title, others))
    return tuple(grids)


def _say_labels(rows: tuple[tuple[Any, ...], ...], table: SheetCells) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of a file of a statistics package with labels in place of codes and names.

    A variable goes by its label where that says what it is and its name does not; values go by their labels
    but in scores, where the number counts.
    """
    if not table.labels and not table.value_labels:
        return rows
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


@dataclass(frozen=True)
class SheetLayout:
    """Where the header and the data of a grid are; lines are counted from 1."""

    #: Lines of the header, several where it is merged from several.
    header_lines: tuple[int, ...]
    #: One per column; the lines of a merged header joined by a space, a blank upper cell taking the one to
    #: its left; empty where a column has none.
    headers: tuple[str, ...]
    first_line: int
    summary_lines: tuple[int, ...]


def find_layout(rows: Sequence[Sequence[Any]]) -> SheetLayout:
    """Find the header of a grid under title rows, also where it is merged from several rows.

    >>> rows = [["Export", None, None], ["Pt", "Baseline", None], [None, "ODI", "Pain"], ["P1", 40, 6]]
    >>> find_layout(rows).header_lines
    (2, 3)
    >>> find_layout(rows).headers
    ('Pt', 'Baseline ODI', 'Baseline Pain')
    """
    top = _find_names(rows)
    used = [i for i in range(len(rows[top])) if any(row[i] is not None for row in rows[top + 1 :])]
    bottom = top
    while bottom - top + 1 < _MAX_HEADER_LINES and (
        _belongs_below(rows, top, bottom, used) or _says_the_same(rows, bottom, used)
    ):
        bottom += 1
    if top > 0 and _belongs_above(rows, top, bottom, used):
        top -= 1
    lines = tuple(range(top + 1, bottom + 2))
    return SheetLayout(lines, _join(rows[top : bottom + 1]), bottom + 2, _find_summaries(rows, bottom + 1))


def _join(lines: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    texts = [["" if cell is None else str(cell) for cell in line] for line in lines]
    return tuple(join_header_rows(texts))


def _filled(row: Sequence[Any]) -> list[Any]:
    return [cell for cell in row if cell is not None]


def is_names(row: Sequence[Any]) -> bool:
    """Return whether a row could be names of columns: text that is neither number nor date."""
    cells = _filled(row)
    return bool(cells) and all(isinstance(cell, str) and not is_number_or_date(cell) for cell in cells)


def _find_names(rows: Sequence[Sequence[Any]]) -> int:
    """Return the index of the first row that is about as full as most; it has to hold names."""
    sizes = sorted(len(_filled(row)) for row in rows if _filled(row))
    usual = sizes[len(sizes) // 2]
    for i, row in enumerate(rows[:MAX_TITLE_LINES]):
        size = len(_filled(row))
        if size < 2 or 2 * size < usual:
            continue
        if not is_names(row):
            break
        if any(_is_value(cell) for below in rows[i + 1 :] for cell in _filled(below)):
            return i
    raise RecordsError(say("errors.no_header"))


def _is_value(cell: Any) -> bool:
    return is_number_or_date(cell) or read_number(cell) is not None


def _belongs_below(rows: Sequence[Sequence[Any]], top: int, bottom: int, used: Sequence[int]) -> bool:
    """Return whether the next line belongs to a merged header.

    It names columns that the lines so far leave without a name, is blank beneath most of those that have
    one, and none of its cells stands again in its column, as a value would.
    """
    if bottom + 1 >= len(rows) or not is_names(rows[bottom + 1]):
        return False
    below, above = rows[bottom + 1], rows[bottom]
    lacking = [i for i in used if all(row[i] is None for row in rows[top : bottom + 1])]
    doubly = [i for i in used if below[i] is not None and above[i] is not None]
    recurs = any(row[i] == below[i] for i in used if below[i] is not None for row in rows[bottom + 2 :])
    names_all = bool(lacking) and all(below[i] is not None for i in lacking)
    return names_all and 2 * len(doubly) <= len(used) and not recurs


def _says_the_same(rows: Sequence[Sequence[Any]], bottom: int, used: Sequence[int]) -> bool:
    """Return whether the next line names the columns, or measures, once more, as in a second language."""
    if bottom + 2 >= len(rows) or not is_names(rows[bottom + 1]):
        return False
    below = {i: str(rows[bottom + 1][i]) for i in used if rows[bottom + 1][i] is not None}
    bare = [normalise(split_scale(name)[0]) for name in below.values()]
    known = [name for name in bare if name in words_of("columns") or find_instrument_word(name) is not None]
    recurs = any(row[i] == name for row in rows[bottom + 2 :] for i, name in below.items())
    return len(known) >= _MOST_NAMES * len(below) and 2 * len(below) >= len(used) and not recurs


def _belongs_above(rows: Sequence[Sequence[Any]], top: int, bottom: int, used: Sequence[int]) -> bool:
    """Return whether the line above groups columns whose names stand twice without it."""
    above = rows[top - 1]
    if not 2 <= len(_filled(above)) <= len(used) // 2 or not is_names(above):
        return False
    names = _join(rows[top : bottom + 1])
    return len({names[i] for i in used}) < len(used)


def _find_summaries(rows: Sequence[Sequence[Any]], first: int) -> tuple[int, ...]:
    words = {normalise(word) for word in read_facts("limits")["text"]["total_words"]}
    found = []
    for i in range(first, len(rows)):
        cells = _filled(rows[i])
        if cells and isinstance(cells[0], str) and normalise(cells[0]) in words:
            found.append(i + 1)
    return tuple(found)
