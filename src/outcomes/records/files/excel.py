"""The mapped columns of one sheet of an Excel workbook, as text."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.cards import narrow_to_rows, read_limit, spell_rows, stack_sheets
from outcomes.records.files.cells import RawColumns, list_numeric_headers
from outcomes.records.files.csv_layout import check_header_place, is_total, list_header_lines, refuse_total
from outcomes.records.files.excel_cells import (
    dates_from_1904,
    list_sheet_cells,
    open_book,
    shows_percent,
    spell_cell,
    spell_percent,
)
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.headers import check_width, join_header_rows, match_headers, name_headers
from outcomes.records.files.hidden_content import check_hidden_content
from outcomes.records.files.sheet_cells import SheetCells
from outcomes.records.files.text_table import Refusal
from outcomes.records.files.workbook import (
    Sheet,
    SheetStructure,
    find_last_row,
    list_sheets,
    open_container,
    read_structure,
)

#: What a source writes as its sheet where all visible ones are read.
EVERY_SHEET = "*"

#: What reading the parts of a damaged workbook ends with.
_DAMAGE = (
    ElementTree.ParseError,
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
)


def read_excel_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns of a workbook's sheet.

    Dates become ISO text, whole numbers lose their decimals, booleans read TRUE and FALSE. A formula gives
    the value that was saved with it; where none was saved the cell is a bad cell, as are errors.

    Parameters
    ----------
    content : bytes
        The workbook.
    spec : FileSpec
        What is mapped; ``sheet`` where there are several.
    findings : FileFindings

    Raises
    ------
    RecordsError
        With all findings, when the workbook is refused.
    PrivacyError
        When hidden rows, a hidden mapped column, a hidden sheet or comments are in what would be read.
    """
    with refuse_damaged(findings):
        container = open_container(content, findings)
        sheets = list_sheets(container)
        if spec.sheet == EVERY_SHEET:
            return _read_every_sheet(content, container, sheets, spec, findings)
        sheet = _choose_sheet(sheets, spec.sheet, findings)
        structure = check_sheet(content, container, sheets, sheet, findings)
        return _read_sheet(content, sheet, structure, spec, findings)


@contextmanager
def refuse_damaged(findings: FileFindings) -> Iterator[None]:
    """Refuse a workbook whose parts cannot be read."""
    try:
        yield
    except (
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
    ):
        findings.refuse("XLSX_CORRUPT", "the workbook is damaged", remedy="save it again")
        findings.stop()


def check_sheet(
    content: bytes, container: zipfile.ZipFile, sheets: Sequence[Sheet], sheet: Sheet, findings: FileFindings
) -> SheetStructure:
    """Return what a sheet holds beside values, after refusing one that is cut off or hides people."""
    _check_full(find_last_row(container, sheet), findings)
    structure = read_structure(container, sheet)
    _check_full(structure.last_row, findings)
    check_hidden_content(content, container, sheets, sheet, structure, findings)
    return structure


def list_excel_cells(
    content: bytes, findings: FileFindings, most: int, wanted: str | None = None
) -> list[SheetCells]:
    """Return the cells of every visible sheet, or of the one that is wanted."""
    with refuse_damaged(findings):
        container = open_container(content, findings)
        sheets = list_sheets(container)
        chosen = [_choose_sheet(sheets, wanted, findings)] if wanted else [s for s in sheets if not s.hidden]
        for sheet in chosen:
            check_sheet(content, container, sheets, sheet, findings)
        findings.stop()
        with open_book(content) as book:
            return [list_sheet_cells(book, sheet.title, most) for sheet in chosen]
    raise AssertionError("a refused file stops")


def _check_full(last_row: int, findings: FileFindings) -> None:
    if last_row >= read_facts("limits")["excel"]["max_rows"]:
        what = f"the sheet is full to its last row ({last_row}), so records may have been cut off"
        findings.refuse("XLSX_ROW_LIMIT", what, remedy="export as CSV, or split the export by year")
        findings.stop()


def refuse_macro_workbook(findings: FileFindings) -> NoReturn:
    """Refuse a workbook that may hold macros, whatever is in it."""
    what = "workbooks with macros (.xlsm) are never opened"
    findings.refuse("XLSX_ACTIVE_CONTENT", what, remedy="save it as .xlsx")
    findings.stop()
    raise AssertionError("a refused file stops")


def _choose_sheet(sheets: Sequence[Sheet], wanted: str | None, findings: FileFindings) -> Sheet:
    """Return the sheet that is named, or the only visible one."""
    visible = [sheet for sheet in sheets if not sheet.hidden]
    if wanted is not None:
        chosen = [sheet for sheet in sheets if sheet.title.strip() == wanted.strip()]
        rule, what = "XLSX_SHEET_MISSING", f"there is no sheet {wanted!r}"
    else:
        chosen = visible
        rule, what = "XLSX_SHEET_AMBIGUOUS", f"the workbook has {len(visible)} sheets and none is named"
    if len(chosen) != 1:
        shown = findings.veil([sheet.title for sheet in visible[:5]])
        titles = " or ".join(f'sheet = "{title}"' for title in shown)
        findings.refuse(rule, what, remedy=f"add {titles}")
        findings.stop()
    if chosen[0].hidden:
        what = "the sheet is hidden, so its records were not meant to be passed on"
        findings.refuse_privately("XLSX_HIDDEN", what, remedy="show the sheet, look at it, save it")
    others = sum(sheet.hidden for sheet in sheets) - chosen[0].hidden
    if others:
        findings.warn("XLSX_HIDDEN", "hidden sheets were not read", count=others)
    return chosen[0]


def _read_sheet(
    content: bytes, sheet: Sheet, structure: SheetStructure, spec: FileSpec, findings: FileFindings
) -> RawColumns:
    with open_book(content) as book:
        page = book[sheet.title]
        page.reset_dimensions()
        if dates_from_1904(book):
            what = "dates count from 1904; they were shifted by 1462 days accordingly"
            findings.repair("DATE_EXCEL_1904", what)
        rows = enumerate(page.iter_rows(), start=1)
        return _take_rows(rows, structure, spec, findings)


def _read_every_sheet(
    content: bytes,
    container: zipfile.ZipFile,
    sheets: Sequence[Sheet],
    spec: FileSpec,
    findings: FileFindings,
) -> RawColumns:
    """Read all visible sheets that have the mapped headers, and count those that have not."""

    def read() -> Iterator[tuple[int, RawColumns, list[list[str]]]]:
        without = 0
        with open_book(content) as book:
            for number, sheet in enumerate([sheet for sheet in sheets if not sheet.hidden], start=1):
                page = book[sheet.title]
                page.reset_dimensions()
                rows = list(page.iter_rows())
                texts = spell_rows(rows[: read_limit()])
                own = narrow_to_rows(spec, texts)
                if own is None or not any(map(any, texts[list_header_lines(own)[0] :])):
                    without += 1
                    continue
                structure = check_sheet(content, container, sheets, sheet, findings)
                raw = _take_rows(enumerate(iter(rows), start=1), structure, own, findings)
                yield number, raw, [[sheet.title], *texts[: list_header_lines(own)[0] - 1]]
        if without:
            findings.warn(
                "SHEET_WITHOUT_HEADER",
                "sheets without the mapped headers, or without rows beneath them, were not read",
                count=without,
            )

    return stack_sheets(read(), spec, findings)


def _take_rows(
    rows: Iterator, structure: SheetStructure, spec: FileSpec, findings: FileFindings
) -> RawColumns:
    header_lines = list_header_lines(spec)
    search = read_facts("limits")["text"]["header_search_lines"]
    top = list(islice(rows, max(header_lines[-1], search)))
    texts = [[spell_cell(cell)[0] or "" for cell in row] for _, row in top]
    check_header_place([texts], header_lines, spec.mapped, findings)
    headers = join_header_rows([texts[line - 1] for line in header_lines])
    check_width(headers, header_lines[0], findings)
    positions = match_headers(headers, spec.mapped, header_lines[0], findings)
    _check_structure(structure, headers, positions, header_lines, spec, findings)
    findings.stop()
    taken = _Taken(spec.mapped, positions, structure, list_numeric_headers(spec))
    for line, row in chain(top, rows):
        if line > header_lines[-1]:
            taken.add(line, row)
    taken.report(findings)
    columns = {
        name: pa.chunked_array([pa.array(cells, pa.string())]) for name, cells in taken.columns.items()
    }
    lines = np.array(taken.lines, np.int32)
    names = name_headers(headers, spec.mapped, positions)
    return RawColumns(columns, lines, names, taken.refused, taken.bad_cells, typed=True)


class _Taken:
    """The cells of the mapped columns, taken row by row."""

    def __init__(
        self, mapped: Sequence[str], positions: Sequence[int], structure: SheetStructure, numeric: set[str]
    ) -> None:
        self.numeric = numeric
        self.mapped = list(zip(mapped, positions, strict=True))
        self.structure = structure
        self.columns: dict[str, list[str | None]] = {name: [] for name in mapped}
        self.lines: list[int] = []
        self.refused: list[Refusal] = []
        self.bad_cells: list[Refusal] = []
        self.percent: dict[str, list[int]] = {}

    def add(self, line: int, row: Sequence) -> None:
        """Take a row, unless it is blank or sums up others."""
        first = next((cell for cell in row if cell.value is not None and str(cell.value).strip()), None)
        unvalued = any((line, place + 1) in self.structure.unvalued for _, place in self.mapped)
        if first is None and not unvalued:
            return
        if first is not None and isinstance(first.value, str) and is_total(first.value):
            self.refused.append(refuse_total(line))
            return
        self.lines.append(line)
        for name, place in self.mapped:
            self.columns[name].append(self._take_cell(line, name, place, row))

    def _take_cell(self, line: int, name: str, place: int, row: Sequence) -> str | None:
        if (line, place + 1) in self.structure.unvalued:
            reason = (
                "a formula whose value was not saved; open the workbook in Excel, save it and read it again"
            )
            self.bad_cells.append(Refusal(line, name, "XLSX_FORMULA_UNCACHED", reason))
            return None
        if place >= len(row):
            return ""
        if name in self.numeric and shows_percent(row[place]):
            self.percent.setdefault(name, []).append(line)
            return spell_percent(row[place])
        text, problem = spell_cell(row[place])
        if problem is not None:
            self.bad_cells.append(Refusal(line, name, *problem))
        return text

    def report(self, findings: FileFindings) -> None:
        """Note numbers shown as per cent; refuse a sheet without records."""
        for name, lines in self.percent.items():
            what = "numbers are shown as per cent and were read as they are shown: a stored 0.4 is 40 %"
            findings.repair("XLSX_PERCENT", what, lines=lines, column=name)
        if not self.lines and not self.refused:
            findings.refuse("FILE_NO_ROWS", "the sheet has a header and no records")
            findings.stop()


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
        what = "rows are hidden (or filtered out), so they were not meant to be passed on"
        findings.refuse_privately(
            "XLSX_HIDDEN", what, lines=hidden_rows, remedy="show or delete them, then save"
        )
    comments = [place for place in structure.comments if place[0] >= header_lines[0] and place[1] in mapped]
    if comments:
        what = "cells carry comments, which may name people"
        rows = [row for row, _ in comments]
        findings.refuse_privately("XLSX_HIDDEN", what, lines=rows, remedy="delete the comments, then save")
    if len(structure.comments) > len(comments):
        findings.warn("XLSX_HIDDEN", "comments beside the mapped columns were not read")
    for column in sorted(column for column in structure.hidden_columns if column <= len(headers)):
        if column in mapped:
            what, remedy = "the column is hidden and mapped", "show the column, look at it, save it"
            findings.refuse_privately("XLSX_HIDDEN", what, column=mapped[column], remedy=remedy)
        elif headers[column - 1]:
            findings.warn("XLSX_HIDDEN", "a hidden column was not read")
    _check_merged(structure, mapped, header_lines, spec, findings)


def _check_merged(structure, mapped, header_lines, spec: FileSpec, findings: FileFindings) -> None:
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
        findings.refuse(
            "XLSX_MERGED",
            "cells are merged, so some records have none of their own",
            lines=rows,
            column=name,
            remedy=f'add fill_down = ["{name}"] if each merged cell holds for all its rows',
        )
