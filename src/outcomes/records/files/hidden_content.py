"""What a workbook holds beside the cells that its reader sees, searched for what may identify people."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from xml.etree import ElementTree

from outcomes.facts import read_facts
from outcomes.records.files.excel_cells import open_book
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.workbook import Sheet, SheetStructure, list_relations, local_name

#: Properties that say who works with the workbook, not whom it is about; they are never read.
_AUTHORS = frozenset({"creator", "lastModifiedBy"})
#: What Excel writes into headers and footers beside text: places, fonts, sizes, fields.
_CODES = re.compile(r'&(?:"[^"]*"|\d+|[A-Z])')
_PAGE_MARGINS = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")


def check_hidden_content(
    content: bytes,
    container: zipfile.ZipFile,
    sheets: Sequence[Sheet],
    sheet: Sheet,
    structure: SheetStructure,
    findings: FileFindings,
) -> None:
    """Refuse a workbook in which something hidden may identify people, for nobody meant to pass it on.

    Hidden sheets, comments of the sheet that is read, its page headers, texts in drawings, and the document's
    properties. None of them is ever taken along; a workbook whose hidden parts are harmless is read. A hidden
    column that is not mapped is as unread as one that shows, and only pointed out.

    Parameters
    ----------
    content : bytes
        The workbook.
    container : zipfile.ZipFile
        The same, opened.
    sheets : sequence of Sheet
    sheet : Sheet
        The one that is read.
    structure : SheetStructure
        What it holds beside values.
    findings : FileFindings
    """
    places: dict[str, Iterator[list[str]]] = {
        "a hidden sheet": _list_columns(content, [other for other in sheets if other.hidden], None),
        "a comment": _list_related(container, sheet, "/comments", ("t",)),
        "a text in a drawing": _list_related(container, sheet, "/drawing", ("t",)),
        "the header or footer of the page": _list_part(container, sheet.part, _PAGE_MARGINS),
        "a property of the document": _list_properties(container),
    }
    for place, columns in places.items():
        number = sum(findings.count_identifying(texts) for texts in columns)
        if number:
            what = f"{place} holds what may identify people"
            findings.refuse_privately("XLSX_HIDDEN", what, count=number, remedy="delete it, then save")
    columns = _list_columns(content, [sheet], structure.hidden_columns)
    number = sum(findings.count_identifying(texts) for texts in columns)
    if number:
        what = "a hidden column holds what may identify people; it was not read"
        findings.warn("XLSX_HIDDEN", what, count=number, remedy="delete it before the file is passed on")
    if findings.count_identifying([sheet.title]):
        what = "the title of the sheet may identify a person"
        findings.refuse_privately("XLSX_HIDDEN", what, remedy="rename the sheet, then save")


def _list_columns(content: bytes, sheets: Sequence[Sheet], columns: set[int] | None) -> Iterator[list[str]]:
    """Yield the distinct texts of sheets' columns, all of them or those counted from 1."""
    if not sheets or columns == set():
        return
    most = read_facts("limits")["excel"]["max_hidden_rows"]
    with open_book(content) as book:
        for sheet in sheets:
            if sheet.title not in book.sheetnames:
                continue
            found: dict[int, dict[str, None]] = {}
            for row in islice(book[sheet.title].iter_rows(values_only=True), most):
                for place, value in enumerate(row, start=1):
                    if value is not None and (columns is None or place in columns):
                        found.setdefault(place, {})[str(value)] = None
            yield from (list(texts) for texts in found.values())


def _list_related(
    container: zipfile.ZipFile, sheet: Sheet, kind: str, names: tuple[str, ...]
) -> Iterator[list[str]]:
    for _, found, part in list_relations(container, sheet.part):
        if found.casefold().endswith((kind, "/threadedcomment" if kind == "/comments" else kind)):
            names_here = (*names, "text") if "threaded" in found.casefold() else names
            yield from _list_part(container, part, names_here)


def _list_part(container: zipfile.ZipFile, part: str, names: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the texts of some elements of a part, whole and in windows of two and three words."""
    if part not in container.namelist():
        return
    texts: list[str] = []
    with container.open(part) as stream:
        for _, element in ElementTree.iterparse(stream):
            if local_name(element.tag) in names and element.text:
                texts += _cut_windows(element.text)
            if local_name(element.tag) == "row":
                element.clear()
    yield texts


def _cut_windows(text: str) -> list[str]:
    """Return a text and its two and three words in a row, among which a name may be."""
    words = [word.strip(",;:.!?()") for word in _CODES.sub(" ", text).split()]
    windows = [
        " ".join(words[place : place + size]) for size in (2, 3) for place in range(len(words) - size + 1)
    ]
    return [" ".join(words), *windows] if len(words) > 2 else [" ".join(words)]


def _list_properties(container: zipfile.ZipFile) -> Iterator[list[str]]:
    for part in ("docProps/core.xml", "docProps/custom.xml", "docProps/app.xml"):
        if part in container.namelist():
            for element in ElementTree.fromstring(container.read(part)).iter():
                name = local_name(element.tag)
                wanted = part != "docProps/app.xml" or name == "Manager"
                if wanted and element.text and element.text.strip() and name not in _AUTHORS:
                    yield _cut_windows(element.text)
