"""The mapped columns of one sheet of an Excel workbook, or of all its sheets, as text.

Sheets of one patient each have labels with values above rows of visits; the rows of all sheets stand beneath
each other.
"""

import datetime
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import chain, islice
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.headers import (
    check_header_place,
    check_width,
    join_header_rows,
    list_header_lines,
    list_numeric_headers,
    match_headers,
    name_headers,
)
from outcomes.records.files.workbook import (
    Sheet,
    SheetStructure,
    Workbook,
    check_hidden_content,
    check_structure,
    find_last_row,
    open_workbook,
    read_structure,
)
from outcomes.records.findings import FileFindings, Refusal, describe
from outcomes.records.spelling import is_total, simplify_header
from outcomes.records.text_table import RawColumns, SheetCells

#: Parts of a number format that are text or a condition, not a sign of the format.
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
#: What stands for the title of the sheet among the labels of a heading.
SHEET_TITLE = "sheet title"
#: What a source writes as its sheet where all visible ones are read.
_EVERY_SHEET = "*"
#: Lines of the records of one sheet are counted on from a multiple of this.
_LINES_PER_SHEET = 10_000
#: Sheets of which a message proposes one.
_SHOWN_SHEETS = 5
#: What reading the parts of a damaged workbook ends with.
_DAMAGE = (
    ElementTree.ParseError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    OSError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
)


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


def read_excel_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns of a workbook's sheet.

    Dates become ISO text, whole numbers lose their decimals, booleans read TRUE and FALSE. A formula gives
    the value that was saved with it; where none was saved the cell is a bad cell, as are errors.
    """
    with _refuse_damaged(findings):
        workbook = open_workbook(content, findings)
        if spec.sheet == _EVERY_SHEET:
            return _read_every_sheet(workbook, spec, findings)
        sheet = _choose_sheet(workbook.sheets, spec.sheet, findings)
        structure = _check_sheet(workbook, sheet, findings)
        with workbook.open_book() as book:
            from openpyxl.utils.datetime import CALENDAR_MAC_1904

            if book.epoch == CALENDAR_MAC_1904:
                findings.repair("DATE_EXCEL_1904")
            return _take_rows(_iterate_rows(book, sheet), structure, spec, findings)


def list_excel_cells(
    content: bytes, findings: FileFindings, most: int, wanted: str | None = None
) -> list[SheetCells]:
    """Return the cells of every visible sheet, or of the one that is wanted."""
    with _refuse_damaged(findings):
        workbook = open_workbook(content, findings)
        chosen = [_choose_sheet(workbook.sheets, wanted, findings)] if wanted else workbook.visible
        for sheet in chosen:
            _check_sheet(workbook, sheet, findings)
        findings.stop()
        with workbook.open_book() as book:
            return [_list_sheet_cells(book, sheet, most) for sheet in chosen]
    raise AssertionError("a refused file stops")


@contextmanager
def _refuse_damaged(findings: FileFindings) -> Iterator[None]:
    """Refuse a workbook whose parts cannot be read."""
    try:
        yield
    except _DAMAGE:
        findings.refuse_now("XLSX_CORRUPT.workbook")


def _iterate_rows(book: Any, sheet: Sheet) -> Iterator[tuple[int, Sequence[Any]]]:
    """Return the rows of a sheet, each with its line, counted from 1."""
    page = book[sheet.title]
    page.reset_dimensions()
    return enumerate(page.iter_rows(), start=1)


def _check_sheet(workbook: Workbook, sheet: Sheet, findings: FileFindings) -> SheetStructure:
    """Return what a sheet holds beside values, after refusing one that is cut off or hides people."""
    _check_full(find_last_row(workbook, sheet), findings)
    structure = read_structure(workbook, sheet)
    _check_full(structure.last_row, findings)
    check_hidden_content(workbook, sheet, structure, findings)
    return structure


def _check_full(last_row: int, findings: FileFindings) -> None:
    if last_row >= read_facts("limits")["excel"]["max_rows"]:
        findings.refuse_now("XLSX_ROW_LIMIT", last_row=last_row)


def _list_sheet_cells(book: Any, sheet: Sheet, most: int) -> SheetCells:
    """Return the cells of a sheet as they are shown, errors and formulas without a value as blanks."""
    rows: list[tuple[Any, ...]] = []
    fills: dict[tuple[int, int], str] = {}
    n_rows = 0
    for line, row in _iterate_rows(book, sheet):
        cells = tuple(
            spell_percent(cell) if shows_percent(cell) else None if cell.data_type == "e" else cell.value
            for cell in row
        )
        n_rows += any(cell is not None and str(cell).strip() for cell in cells)
        if line <= most:
            rows.append(cells)
            colours = {(line, place): find_fill(cell) for place, cell in enumerate(row, 1)}
            fills |= {place: colour for place, colour in colours.items() if colour}
    return SheetCells(rows, n_rows, sheet.title, fills=fills)


def _choose_sheet(sheets: Sequence[Sheet], wanted: str | None, findings: FileFindings) -> Sheet:
    """Return the sheet that is named, or the only visible one."""
    visible = [sheet for sheet in sheets if not sheet.hidden]
    chosen = visible
    if wanted is not None:
        chosen = [sheet for sheet in sheets if sheet.title.strip() == wanted.strip()]
    if len(chosen) != 1:
        key = "XLSX_SHEET_AMBIGUOUS" if wanted is None else "XLSX_SHEET_MISSING"
        titles = "\n".join(findings.veil([sheet.title for sheet in visible[:_SHOWN_SHEETS]]))
        findings.refuse_now(key, wanted=repr(wanted), number=len(visible), titles=titles)
    if chosen[0].hidden:
        findings.refuse_privately("XLSX_HIDDEN.read_sheet")
    others = sum(sheet.hidden for sheet in sheets) - chosen[0].hidden
    if others:
        findings.warn("XLSX_HIDDEN.other_sheets", count=others)
    return chosen[0]


def _read_every_sheet(workbook: Workbook, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read all visible sheets that have the mapped headers, their headings beside them; count the others."""
    columns: dict[str, list[pa.Array]] = {name: [] for name in spec.mapped}
    lines: list[np.ndarray] = []
    headers: dict[str, None] = dict.fromkeys(spec.heading)
    refused: list[Refusal] = []
    bad_cells: list[Refusal] = []
    without = 0
    with workbook.open_book() as book:
        for number, sheet in enumerate(workbook.visible, start=1):
            rows = list(_iterate_rows(book, sheet))
            texts = spell_rows(row for _, row in rows[: read_facts("limits")["text"]["header_search_lines"]])
            own = _narrow_to_rows(spec, texts)
            if own is None or not any(map(any, texts[list_header_lines(own)[0] :])):
                without += 1
                continue
            structure = _check_sheet(workbook, sheet, findings)
            raw = _take_rows(iter(rows), structure, own, findings)
            start = _LINES_PER_SHEET * number
            lines.append(raw.lines + start)
            headers |= dict.fromkeys(raw.headers)
            refused += [refusal._replace(line=refusal.line + start) for refusal in raw.refused]
            bad_cells += [cell._replace(line=cell.line + start) for cell in raw.bad_cells]
            above = texts[: list_header_lines(own)[0] - 1]
            for name in columns:
                if name in spec.heading:
                    value = _find_heading(name, sheet.title, above)
                    columns[name].append(pa.array([value] * len(raw.lines), pa.string()))
                else:
                    columns[name] += raw.columns[name].chunks
    if without:
        findings.warn("SHEET_WITHOUT_HEADER", count=without)
    if not lines:
        findings.refuse_now("COLUMN_MISSING.sheets")
    findings.accept("SHEETS_STACKED", number=len(lines))
    tables = {name: pa.chunked_array(parts, pa.string()) for name, parts in columns.items()}
    places = np.concatenate(lines).astype(np.int32)
    return RawColumns(tables, places, tuple(headers), refused, bad_cells, typed=True)


def _narrow_to_rows(spec: FileSpec, texts: Sequence[Sequence[str]]) -> FileSpec | None:
    """Return what describes the rows of one sheet without its heading, None where no line is their header."""
    columns = {name: header for name, header in spec.columns.items() if header not in spec.heading}
    narrow = replace(spec, columns=columns, heading=())
    wanted = {simplify_header(name) for name in narrow.mapped}
    for line, row in enumerate(texts, start=1):
        if wanted and wanted <= {simplify_header(cell) for cell in row}:
            return replace(narrow, header_row=line)
    return None


def _find_heading(label: str, title: str, texts: Sequence[Sequence[str]]) -> str:
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


def _take_rows(
    rows: Iterator[tuple[int, Sequence[Any]]],
    structure: SheetStructure,
    spec: FileSpec,
    findings: FileFindings,
) -> RawColumns:
    header_lines = list_header_lines(spec)
    search = read_facts("limits")["text"]["header_search_lines"]
    top = list(islice(rows, max(header_lines[-1], search)))
    texts = spell_rows(row for _, row in top)
    check_header_place([texts], header_lines, spec.mapped, findings)
    headers = join_header_rows([texts[line - 1] for line in header_lines])
    check_width(headers, header_lines[0], findings)
    positions = match_headers(headers, spec.mapped, header_lines[0], findings)
    check_structure(structure, headers, positions, header_lines, spec, findings)
    findings.stop()
    taken = _TakenRows(spec, positions, structure)
    for line, row in chain(top, rows):
        if line > header_lines[-1]:
            taken.add(line, row)
    for name, lines in taken.percent.items():
        findings.repair("XLSX_PERCENT", lines=lines, column=name)
    if not taken.lines and not taken.refused:
        findings.refuse_now("FILE_NO_ROWS.sheet")
    columns = {
        name: pa.chunked_array([pa.array(cells, pa.string())]) for name, cells in taken.columns.items()
    }
    names = name_headers(headers, spec.mapped, positions)
    places = np.array(taken.lines, np.int32)
    return RawColumns(columns, places, names, taken.refused, taken.bad_cells, typed=True)


class _TakenRows:
    """The cells of the mapped columns, taken row by row."""

    def __init__(self, spec: FileSpec, positions: Sequence[int], structure: SheetStructure) -> None:
        self.numeric = list_numeric_headers(spec)
        self.mapped = list(zip(spec.mapped, positions, strict=True))
        self.unvalued = structure.unvalued
        self.columns: dict[str, list[str | None]] = {name: [] for name in spec.mapped}
        self.lines: list[int] = []
        self.refused: list[Refusal] = []
        self.bad_cells: list[Refusal] = []
        #: Column to the lines of its numbers that are shown as per cent.
        self.percent: dict[str, list[int]] = {}

    def add(self, line: int, row: Sequence[Any]) -> None:
        """Take a row, unless it is blank or sums up others."""
        first = next((cell for cell in row if cell.value is not None and str(cell.value).strip()), None)
        if first is None and not any((line, place + 1) in self.unvalued for _, place in self.mapped):
            return
        if first is not None and isinstance(first.value, str) and is_total(first.value):
            self.refused.append(Refusal(line, None, **_word_refusal("TOTAL_ROW")))
            return
        self.lines.append(line)
        for name, place in self.mapped:
            text: str | None = ""
            problem = None
            if (line, place + 1) in self.unvalued:
                text, problem = None, "XLSX_FORMULA_UNCACHED"
            elif place < len(row) and name in self.numeric and shows_percent(row[place]):
                self.percent.setdefault(name, []).append(line)
                text = spell_percent(row[place])
            elif place < len(row):
                text, problem = spell_cell(row[place])
            if problem is not None:
                self.bad_cells.append(Refusal(line, name, **_word_refusal(problem)))
            self.columns[name].append(text)


@cache
def _word_refusal(key: str) -> dict[str, Any]:
    """Return rule and words of a refused row or cell, once for all that are alike."""
    return describe(f"files.{key}", digits=read_facts("limits")["excel"]["exact_digits"])
