"""The mapped columns of one sheet of an Excel workbook, or of all its sheets, as text."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.excel_cells import (
    dates_from_1904,
    list_sheet_cells,
    narrow_to_rows,
    shows_percent,
    spell_cell,
    spell_percent,
    spell_rows,
    stack_sheets,
)
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
    check_hidden_content,
    find_last_row,
    list_sheets,
    open_book,
    open_container,
    read_structure,
)
from outcomes.records.findings import FileFindings, Refusal, describe
from outcomes.records.spelling import is_total
from outcomes.records.text_table import RawColumns, SheetCells

#: What a source writes as its sheet where all visible ones are read.
_EVERY_SHEET = "*"
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


def read_excel_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns of a workbook's sheet.

    Dates become ISO text, whole numbers lose their decimals, booleans read TRUE and FALSE. A formula gives
    the value that was saved with it; where none was saved the cell is a bad cell, as are errors.
    """
    with _refuse_damaged(findings):
        container = open_container(content, findings)
        sheets = list_sheets(container)
        if spec.sheet == _EVERY_SHEET:
            return _read_every_sheet(content, container, sheets, spec, findings)
        sheet = _choose_sheet(sheets, spec.sheet, findings)
        structure = _check_sheet(content, container, sheets, sheet, findings)
        with open_book(content) as book:
            page = book[sheet.title]
            page.reset_dimensions()
            if dates_from_1904(book):
                findings.repair("DATE_EXCEL_1904")
            return _take_rows(enumerate(page.iter_rows(), start=1), structure, spec, findings)


@contextmanager
def _refuse_damaged(findings: FileFindings) -> Iterator[None]:
    """Refuse a workbook whose parts cannot be read."""
    try:
        yield
    except _DAMAGE:
        findings.refuse_now("XLSX_CORRUPT.workbook")


def _check_sheet(
    content: bytes, container: zipfile.ZipFile, sheets: Sequence[Sheet], sheet: Sheet, findings: FileFindings
) -> SheetStructure:
    """Return what a sheet holds beside values, after refusing one that is cut off or hides people."""
    _check_full(find_last_row(container, sheet), findings)
    structure = read_structure(container, sheet)
    _check_full(structure.last_row, findings)
    check_hidden_content(content, container, sheets, sheet, structure, findings)
    return structure


def _check_full(last_row: int, findings: FileFindings) -> None:
    if last_row >= read_facts("limits")["excel"]["max_rows"]:
        findings.refuse_now("XLSX_ROW_LIMIT", last_row=last_row)


def list_excel_cells(
    content: bytes, findings: FileFindings, most: int, wanted: str | None = None
) -> list[SheetCells]:
    """Return the cells of every visible sheet, or of the one that is wanted."""
    with _refuse_damaged(findings):
        container = open_container(content, findings)
        sheets = list_sheets(container)
        chosen = [_choose_sheet(sheets, wanted, findings)] if wanted else [s for s in sheets if not s.hidden]
        for sheet in chosen:
            _check_sheet(content, container, sheets, sheet, findings)
        findings.stop()
        with open_book(content) as book:
            return [list_sheet_cells(book, sheet.title, most) for sheet in chosen]
    raise AssertionError("a refused file stops")


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


def _read_every_sheet(
    content: bytes,
    container: zipfile.ZipFile,
    sheets: Sequence[Sheet],
    spec: FileSpec,
    findings: FileFindings,
) -> RawColumns:
    """Read all visible sheets that have the mapped headers, and count those that have not."""
    searched = read_facts("limits")["text"]["header_search_lines"]

    def read() -> Iterator[tuple[int, RawColumns, str, list[list[str]]]]:
        without = 0
        with open_book(content) as book:
            for number, sheet in enumerate([sheet for sheet in sheets if not sheet.hidden], start=1):
                page = book[sheet.title]
                page.reset_dimensions()
                rows = list(page.iter_rows())
                texts = spell_rows(rows[:searched])
                own = narrow_to_rows(spec, texts)
                if own is None or not any(map(any, texts[list_header_lines(own)[0] :])):
                    without += 1
                    continue
                structure = _check_sheet(content, container, sheets, sheet, findings)
                raw = _take_rows(enumerate(iter(rows), start=1), structure, own, findings)
                yield number, raw, sheet.title, texts[: list_header_lines(own)[0] - 1]
        if without:
            findings.warn("SHEET_WITHOUT_HEADER", count=without)

    return stack_sheets(read(), spec, findings)


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
    _check_structure(structure, headers, positions, header_lines, spec, findings)
    findings.stop()
    taken = _Taken(spec, positions, structure)
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
    return RawColumns(
        columns, np.array(taken.lines, np.int32), names, taken.refused, taken.bad_cells, typed=True
    )


class _Taken:
    """The cells of the mapped columns, taken row by row."""

    def __init__(self, spec: FileSpec, positions: Sequence[int], structure: SheetStructure) -> None:
        self.numeric = list_numeric_headers(spec)
        self.mapped = list(zip(spec.mapped, positions, strict=True))
        self.structure = structure
        self.columns: dict[str, list[str | None]] = {name: [] for name in spec.mapped}
        self.lines: list[int] = []
        self.refused: list[Refusal] = []
        self.bad_cells: list[Refusal] = []
        #: Column to the lines of its numbers that are shown as per cent.
        self.percent: dict[str, list[int]] = {}

    def add(self, line: int, row: Sequence[Any]) -> None:
        """Take a row, unless it is blank or sums up others."""
        first = next((cell for cell in row if cell.value is not None and str(cell.value).strip()), None)
        unvalued = any((line, place + 1) in self.structure.unvalued for _, place in self.mapped)
        if first is None and not unvalued:
            return
        if first is not None and isinstance(first.value, str) and is_total(first.value):
            self.refused.append(Refusal(line, None, **_word_refusal("TOTAL_ROW")))
            return
        self.lines.append(line)
        for name, place in self.mapped:
            self.columns[name].append(self._take_cell(line, name, place, row))

    def _take_cell(self, line: int, name: str, place: int, row: Sequence[Any]) -> str | None:
        text: str | None = ""
        problem = None
        if (line, place + 1) in self.structure.unvalued:
            text, problem = None, "XLSX_FORMULA_UNCACHED"
        elif place < len(row) and name in self.numeric and shows_percent(row[place]):
            self.percent.setdefault(name, []).append(line)
            text = spell_percent(row[place])
        elif place < len(row):
            text, problem = spell_cell(row[place])
        if problem is not None:
            self.bad_cells.append(Refusal(line, name, **_word_refusal(problem)))
        return text


@cache
def _word_refusal(key: str) -> dict[str, str]:
    """Return rule and words of a refused row or cell, once for all that are alike."""
    return describe(f"files.{key}", digits=read_facts("limits")["excel"]["exact_digits"])


def _check_structure(
    structure: SheetStructure,
    headers: Sequence[str],
    positions: Sequence[int],
    header_lines: Sequence[int],
    spec: FileSpec,
    findings: FileFindings,
) -> None:
    """Refuse hidden parts, comments and merged cells in what is read; note those beside it."""
    mapped = {place + 1: name for name, place in zip(spec.mapped, positions, strict=True) if place >= 0}
    hidden_rows = sorted(row for row in structure.hidden_rows if row >= header_lines[0])
    if hidden_rows:
        findings.refuse_privately("XLSX_HIDDEN.rows", lines=hidden_rows)
    comments = [place for place in structure.comments if place[0] >= header_lines[0] and place[1] in mapped]
    if comments:
        findings.refuse_privately("XLSX_HIDDEN.comments", lines=[row for row, _ in comments])
    if len(structure.comments) > len(comments):
        findings.warn("XLSX_HIDDEN.other_comments")
    for column in sorted(column for column in structure.hidden_columns if column <= len(headers)):
        if column in mapped:
            findings.refuse_privately("XLSX_HIDDEN.column", column=mapped[column])
        elif headers[column - 1]:
            findings.warn("XLSX_HIDDEN.other_column")
    _check_merged(structure, mapped, header_lines, spec, findings)


def _check_merged(
    structure: SheetStructure,
    mapped: dict[int, str],
    header_lines: Sequence[int],
    spec: FileSpec,
    findings: FileFindings,
) -> None:
    """Refuse merged cells among the records, unless fill_down says what their blank cells mean."""
    lines: dict[str, list[int]] = {}
    for top, left, bottom, right in structure.merged:
        if bottom <= header_lines[-1]:
            continue
        for column in range(left, right + 1):
            name = mapped.get(column)
            if name is not None and (left != right or name not in spec.fill_down):
                lines.setdefault(name, []).append(max(top, header_lines[-1] + 1))
    for name, rows in lines.items():
        findings.refuse("XLSX_MERGED", lines=rows, column=name, name=name)
