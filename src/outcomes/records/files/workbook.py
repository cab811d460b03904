"""What an Excel container is and holds, checked before its cells are read: sizes, entities, active content,
hidden parts, merged cells, comments, formulas without a value.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from outcomes.facts import read_facts
from outcomes.records.files.findings import FileFindings

_RATIO_FROM_BYTES = 1 << 20
_PROLOG_BYTES = 1 << 16
_BLOCK = 1 << 20
_TAG_BYTES = 4096


@dataclass(frozen=True)
class Sheet:
    """A sheet as the workbook lists it: its title, whether it is hidden, and its part in the container."""

    title: str
    hidden: bool
    part: str


@dataclass
class SheetStructure:
    """What a sheet holds beside values; rows and columns are counted from 1.

    Parameters
    ----------
    last_row : int
        Number of the last row with a cell.
    hidden_rows, hidden_columns : set of int
    merged : list of tuple
        First row, first column, last row, last column of each merged range.
    unvalued : set of tuple
        Row and column of formulas whose value was not saved.
    comments : set of tuple
        Row and column of cells with a comment.
    """

    last_row: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    unvalued: set[tuple[int, int]] = field(default_factory=set)
    comments: set[tuple[int, int]] = field(default_factory=set)


def open_container(content: bytes, findings: FileFindings) -> zipfile.ZipFile:
    """Open a workbook's zip container after checking its directory; nothing is unpacked before.

    Raises
    ------
    RecordsError
        When it is damaged, too large when unpacked, or holds macros, links, entities or a password.
    """
    try:
        container = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        findings.refuse("XLSX_CORRUPT", "the workbook is damaged", remedy="save it again")
        findings.stop()
    _check_sizes(container, findings)
    findings.stop()
    _check_active(container, findings)
    _check_entities(container, findings)
    findings.stop()
    return container


def _check_sizes(container: zipfile.ZipFile, findings: FileFindings) -> None:
    limits = read_facts("limits")["excel"]
    members = container.infolist()
    total = sum(member.file_size for member in members)
    inflated = any(
        member.file_size > _RATIO_FROM_BYTES
        and member.file_size > limits["max_ratio"] * max(member.compress_size, 1)
        for member in members
    )
    if total > limits["max_bytes"] or len(members) > limits["max_members"] or inflated:
        what = f"unpacked, the workbook has {total} bytes in {len(members)} parts, more than records have"
        findings.refuse("XLSX_BOMB", what, remedy="save the sheet with the records as a workbook of its own")
    if any(member.flag_bits & 1 for member in members):
        findings.refuse("XLSX_ENCRYPTED", "parts of the workbook are encrypted", remedy="save it without")


def _check_active(container: zipfile.ZipFile, findings: FileFindings) -> None:
    active = tuple(read_facts("limits")["excel"]["active_members"])
    if any(name.casefold().startswith(active) for name in container.namelist()):
        what = "the workbook holds macros, embedded objects or links to other workbooks"
        remedy = "save the sheet with the records as .xlsx, values only"
        findings.refuse("XLSX_ACTIVE_CONTENT", what, remedy=remedy)


def _check_entities(container: zipfile.ZipFile, findings: FileFindings) -> None:
    """Refuse a document type: it precedes the root element, and records never need one."""
    for name in container.namelist():
        if not name.casefold().endswith((".xml", ".rels", ".vml")):
            continue
        try:
            with container.open(name) as part:
                prolog = part.read(_PROLOG_BYTES)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError):
            findings.refuse("XLSX_CORRUPT", "a part of the workbook is damaged", remedy="save it again")
            return
        if re.search(rb"<!(DOCTYPE|ENTITY)", prolog, re.IGNORECASE) or b"\0" in prolog:
            what = "a part of the workbook declares a document type or entities"
            findings.refuse("XLSX_ENTITY", what, remedy="save the workbook again in Excel or LibreOffice")
            return


def list_sheets(container: zipfile.ZipFile) -> list[Sheet]:
    """Return the worksheets in their order; charts are left out."""
    book = _find_part(container, "", "/officeDocument") or "xl/workbook.xml"
    parts = {id: part for id, kind, part in list_relations(container, book) if kind.endswith("/worksheet")}
    sheets = []
    for element in ElementTree.fromstring(container.read(book)).iter():
        if local_name(element.tag) == "sheet":
            id = next((value for key, value in element.attrib.items() if local_name(key) == "id"), "")
            if id in parts:
                hidden = element.get("state", "visible") != "visible"
                sheets.append(Sheet(element.get("name", ""), hidden, parts[id]))
    return sheets


def find_last_row(container: zipfile.ZipFile, sheet: Sheet) -> int:
    """Return the number of the last row without parsing the rows; 0 where rows have no numbers."""
    last, kept = 0, b""
    with container.open(sheet.part) as part:
        while block := part.read(_BLOCK):
            text = kept + block
            found = re.match(rb'<\w*:?row\b[^>]*?\br="(\d{1,7})"', text[_find_last_tag(text) :])
            last = int(found[1]) if found else last
            kept = text[-_TAG_BYTES:]
    return last


def _find_last_tag(text: bytes) -> int:
    """Return where the last complete tag of a row starts, or the end of the text."""
    place = text.rfind(b"row ", 0, max(text.rfind(b">"), 0))
    return max(text.rfind(b"<", 0, place), 0) if place >= 0 else len(text)


def read_structure(container: zipfile.ZipFile, sheet: Sheet) -> SheetStructure:
    """Read what a sheet holds beside values, in one pass and bounded memory."""
    structure = SheetStructure()
    with container.open(sheet.part) as part:
        rows: ElementTree.Element | None = None
        for event, element in ElementTree.iterparse(part, events=("start", "end")):
            name = local_name(element.tag)
            if event == "start":
                rows = element if name == "sheetData" else rows
            elif name == "row":
                _note_row(element, structure)
                if rows is not None:
                    rows.clear()
            elif name == "col" and _is_hidden(element, "width"):
                first, last = int(element.get("min", 1)), int(element.get("max", 1))
                structure.hidden_columns |= set(range(first, min(last, 16_384) + 1))
            elif name == "mergeCell":
                structure.merged.append(_read_range(element.get("ref", "")))
    comments = (place for place in _list_comments(container, sheet))
    structure.comments |= {(row, column) for row, column, *_ in comments}
    return structure


def _note_row(element: ElementTree.Element, structure: SheetStructure) -> None:
    number = int(element.get("r", structure.last_row + 1))
    structure.last_row = max(structure.last_row, number)
    if _is_hidden(element, "ht"):
        structure.hidden_rows.add(number)
    column = 0
    for cell in element:
        place = cell.get("r")
        column = _read_range(place)[1] if place else column + 1
        inner = {local_name(child.tag): child for child in cell}
        value = inner.get("v")
        if "f" in inner and (value is None or not value.text) and cell.get("t") != "str":
            structure.unvalued.add((number, column))


def _is_hidden(element: ElementTree.Element, size: str) -> bool:
    return element.get("hidden") in ("1", "true") or element.get(size) == "0"


def _list_comments(container: zipfile.ZipFile, sheet: Sheet) -> Iterator[tuple[int, int, int, int]]:
    for _, kind, part in list_relations(container, sheet.part):
        if kind.casefold().endswith(("/comments", "/threadedcomment")) and part in container.namelist():
            for element in ElementTree.fromstring(container.read(part)).iter():
                if local_name(element.tag) in ("comment", "threadedComment") and element.get("ref"):
                    yield _read_range(element.get("ref", ""))


def list_relations(container: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str, str]]:
    """Yield id, kind and target of what a part of the container refers to."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in container.namelist():
        return
    for element in ElementTree.fromstring(container.read(relations)).iter():
        if local_name(element.tag) == "Relationship" and element.get("TargetMode") != "External":
            target = element.get("Target", "")
            path = (
                target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            )
            yield element.get("Id", ""), element.get("Type", ""), path


def _find_part(container: zipfile.ZipFile, part: str, kind: str) -> str | None:
    return next((path for _, found, path in list_relations(container, part) if found.endswith(kind)), None)


def _read_range(reference: str) -> tuple[int, int, int, int]:
    """Return first row, first column, last row, last column of a reference such as ``B2:C5``."""
    ends = re.findall(r"([A-Z]{1,3})(\d{1,7})", reference.upper().replace("$", ""))
    places = [(int(digits), _count_column(letters)) for letters, digits in ends] or [(0, 0)]
    return (*places[0], *places[-1])


def _count_column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def local_name(tag: str) -> str:
    """Return the name of an XML element without its namespace."""
    return tag.rpartition("}")[2]
