"""What an Excel container is and holds beside cells, checked before these are read."""

import io
import posixpath
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from xml.etree import ElementTree

from outcomes.facts import FileSpec, read_facts
from outcomes.records.findings import FileFindings

_RATIO_FROM_BYTES = 1 << 20
_PROLOG_BYTES = 1 << 16
_BLOCK = 1 << 20
_TAG_BYTES = 4096
#: Properties that say who works with the workbook, not whom it is about; they are never read.
_AUTHORS = frozenset({"creator", "lastModifiedBy"})
#: What Excel writes into headers and footers beside text: places, fonts, sizes, fields.
_CODES = re.compile(r'&(?:"[^"]*"|\d+|[A-Z])')
_PAGE_MARGINS = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")


@dataclass(frozen=True)
class Sheet:
    """A sheet as the workbook lists it: its title, whether it is hidden, and its part in the container."""

    title: str
    hidden: bool
    part: str


@dataclass
class SheetStructure:
    """What a sheet holds beside values; rows and columns are counted from 1."""

    last_row: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    #: First row, first column, last row, last column of each merged range.
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    #: Row and column of formulas whose value was not saved.
    unvalued: set[tuple[int, int]] = field(default_factory=set)
    #: Row and column of cells with a comment.
    comments: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True)
class Workbook:
    """A workbook whose container may be read."""

    content: bytes = field(repr=False)
    container: zipfile.ZipFile
    sheets: list[Sheet]

    @property
    def visible(self) -> list[Sheet]:
        """The sheets that are not hidden."""
        return [sheet for sheet in self.sheets if not sheet.hidden]

    @contextmanager
    def open_book(self) -> Iterator[Any]:
        """Open it for reading its values row by row."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that hold no values
            import openpyxl

            stream = io.BytesIO(self.content)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()


def open_workbook(content: bytes, findings: FileFindings) -> Workbook:
    """Open a workbook after checking its container's directory; nothing is unpacked before.

    One that is damaged, too large when unpacked, or holds macros, links, entities or a password is refused.
    """
    try:
        container = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        findings.refuse_now("XLSX_CORRUPT.workbook")
    limits, members = read_facts("limits")["excel"], container.infolist()
    total = sum(member.file_size for member in members)
    large = [member for member in members if member.file_size > _RATIO_FROM_BYTES]
    inflated = any(one.file_size > limits["max_ratio"] * max(one.compress_size, 1) for one in large)
    if total > limits["max_bytes"] or len(members) > limits["max_members"] or inflated:
        findings.refuse("XLSX_BOMB", size=total, parts=len(members))
    if any(member.flag_bits & 1 for member in members):
        findings.refuse("XLSX_ENCRYPTED.parts")
    findings.stop()
    active = tuple(limits["active_members"])
    if any(name.casefold().startswith(active) for name in container.namelist()):
        findings.refuse("XLSX_ACTIVE_CONTENT.parts")
    _check_entities(container, findings)
    findings.stop()
    return Workbook(content, container, _list_sheets(container))


def _check_entities(container: zipfile.ZipFile, findings: FileFindings) -> None:
    """Refuse a document type: it precedes the root element, and records never need one."""
    for name in container.namelist():
        if not name.casefold().endswith((".xml", ".rels", ".vml")):
            continue
        try:
            with container.open(name) as part:
                prolog = part.read(_PROLOG_BYTES)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError):
            findings.refuse("XLSX_CORRUPT.part")
            return
        if re.search(rb"<!(DOCTYPE|ENTITY)", prolog, re.IGNORECASE) or b"\0" in prolog:
            findings.refuse("XLSX_ENTITY")
            return


def _list_sheets(container: zipfile.ZipFile) -> list[Sheet]:
    """Return the worksheets in their order; charts are left out."""
    roots = [part for _, kind, part in _list_relations(container, "") if kind.endswith("/officeDocument")]
    book = roots[0] if roots else "xl/workbook.xml"
    parts = {id: part for id, kind, part in _list_relations(container, book) if kind.endswith("/worksheet")}
    sheets = []
    for element in ElementTree.fromstring(container.read(book)).iter():
        if _local_name(element.tag) == "sheet":
            id = next((value for key, value in element.attrib.items() if _local_name(key) == "id"), "")
            if id in parts:
                hidden = element.get("state", "visible") != "visible"
                sheets.append(Sheet(element.get("name", ""), hidden, parts[id]))
    return sheets


def find_last_row(workbook: Workbook, sheet: Sheet) -> int:
    """Return the number of the last row without parsing the rows; 0 where rows have no numbers."""
    last, kept = 0, b""
    with workbook.container.open(sheet.part) as part:
        while block := part.read(_BLOCK):
            text = kept + block
            place = text.rfind(b"row ", 0, max(text.rfind(b">"), 0))
            tag = text[max(text.rfind(b"<", 0, place), 0) :] if place >= 0 else b""
            found = re.match(rb'<\w*:?row\b[^>]*?\br="(\d{1,7})"', tag)
            last = int(found[1]) if found else last
            kept = text[-_TAG_BYTES:]
    return last


def read_structure(workbook: Workbook, sheet: Sheet) -> SheetStructure:
    """Read what a sheet holds beside values, in one pass and bounded memory."""
    structure, container = SheetStructure(), workbook.container
    with container.open(sheet.part) as part:
        rows: ElementTree.Element | None = None
        for event, element in ElementTree.iterparse(part, events=("start", "end")):
            name = _local_name(element.tag)
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
    for _, kind, comments in _list_relations(container, sheet.part):
        if kind.casefold().endswith(("/comments", "/threadedcomment")) and comments in container.namelist():
            for element in ElementTree.fromstring(container.read(comments)).iter():
                if _local_name(element.tag) in ("comment", "threadedComment") and element.get("ref"):
                    structure.comments.add(_read_range(element.get("ref", ""))[:2])
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
        inner = {_local_name(child.tag): child for child in cell}
        value = inner.get("v")
        if "f" in inner and (value is None or not value.text) and cell.get("t") != "str":
            structure.unvalued.add((number, column))


def _is_hidden(element: ElementTree.Element, size: str) -> bool:
    return element.get("hidden") in ("1", "true") or element.get(size) == "0"


def _list_relations(container: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str, str]]:
    """Yield id, kind and target of what a part of the container refers to."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in container.namelist():
        return
    for element in ElementTree.fromstring(container.read(relations)).iter():
        if _local_name(element.tag) == "Relationship" and element.get("TargetMode") != "External":
            target = element.get("Target", "")
            if not target.startswith("/"):
                target = f"/{posixpath.normpath(posixpath.join(folder, target))}"
            yield element.get("Id", ""), element.get("Type", ""), target[1:]


def _read_range(reference: str) -> tuple[int, int, int, int]:
    """Return first row, first column, last row, last column of a reference such as ``B2:C5``."""
    ends = re.findall(r"([A-Z]{1,3})(\d{1,7})", reference.upper().replace("$", ""))
    places = []
    for letters, digits in ends or [("", "0")]:
        column = 0
        for letter in letters:
            column = column * 26 + ord(letter) - ord("A") + 1
        places.append((int(digits), column))
    return (*places[0], *places[-1])


def _local_name(tag: str) -> str:
    """Return the name of an XML element without its namespace."""
    return tag.rpartition("}")[2]


def check_hidden_content(
    workbook: Workbook, sheet: Sheet, structure: SheetStructure, findings: FileFindings
) -> None:
    """Refuse a workbook in which something hidden may identify people, for nobody meant to pass it on.

    That are hidden sheets, comments of the sheet that is read, its page headers, texts in drawings, and the
    document's properties; where they are harmless the workbook is read without them. A hidden column that is
    not mapped is only pointed out.
    """
    container = workbook.container
    places: dict[str, Iterator[list[str]]] = {
        "sheet": _list_columns(workbook, [other for other in workbook.sheets if other.hidden], None),
        "comment": _list_related(container, sheet, "/comments"),
        "drawing": _list_related(container, sheet, "/drawing"),
        "page": _list_part(container, sheet.part, _PAGE_MARGINS),
        "property": _list_properties(container),
    }
    for place, columns in places.items():
        if number := sum(map(findings.count_identifying, columns)):
            findings.refuse_privately(f"XLSX_HIDDEN.identifying_{place}", count=number)
    columns = _list_columns(workbook, [sheet], structure.hidden_columns)
    if number := sum(map(findings.count_identifying, columns)):
        findings.warn("XLSX_HIDDEN.identifying_column", count=number)
    if findings.count_identifying([sheet.title]):
        findings.refuse_privately("XLSX_HIDDEN.identifying_title")


def check_structure(
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
    comments = [row for row, column in structure.comments if row >= header_lines[0] and column in mapped]
    if comments:
        findings.refuse_privately("XLSX_HIDDEN.comments", lines=comments)
    if len(structure.comments) > len(comments):
        findings.warn("XLSX_HIDDEN.other_comments")
    for column in sorted(column for column in structure.hidden_columns if column <= len(headers)):
        if column in mapped:
            findings.refuse_privately("XLSX_HIDDEN.column", column=mapped[column])
        elif headers[column - 1]:
            findings.warn("XLSX_HIDDEN.other_column")
    # Merged cells among the records, unless fill_down says what their blank cells mean.
    lines: dict[str, list[int]] = {}
    for top, left, bottom, right in structure.merged:
        for column in range(left, right + 1) if bottom > header_lines[-1] else ():
            name = mapped.get(column)
            if name is not None and (left != right or name not in spec.fill_down):
                lines.setdefault(name, []).append(max(top, header_lines[-1] + 1))
    for name, rows in lines.items():
        findings.refuse("XLSX_MERGED", lines=rows, column=name, name=name)


def _list_columns(
    workbook: Workbook, sheets: Sequence[Sheet], columns: set[int] | None
) -> Iterator[list[str]]:
    """Yield the distinct texts of sheets' columns, all of them or those counted from 1."""
    if not sheets or columns == set():
        return
    most = read_facts("limits")["excel"]["max_hidden_rows"]
    with workbook.open_book() as book:
        for sheet in sheets:
            if sheet.title not in book.sheetnames:
                continue
            found: dict[int, dict[str, None]] = {}
            for row in islice(book[sheet.title].iter_rows(values_only=True), most):
                for place, value in enumerate(row, start=1):
                    if value is not None and (columns is None or place in columns):
                        found.setdefault(place, {})[str(value)] = None
            yield from (list(texts) for texts in found.values())


def _list_related(container: zipfile.ZipFile, sheet: Sheet, kind: str) -> Iterator[list[str]]:
    for _, found, part in _list_relations(container, sheet.part):
        if found.casefold().endswith((kind, "/threadedcomment" if kind == "/comments" else kind)):
            yield from _list_part(
                container, part, ("t", "text") if "threaded" in found.casefold() else ("t",)
            )


def _list_part(container: zipfile.ZipFile, part: str, names: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the texts of some elements of a part, whole and in windows of two and three words."""
    if part not in container.namelist():
        return
    texts: list[str] = []
    with container.open(part) as stream:
        for _, element in ElementTree.iterparse(stream):
            if _local_name(element.tag) in names and element.text:
                texts += _cut_windows(element.text)
            if _local_name(element.tag) == "row":
                element.clear()
    yield texts


def _cut_windows(text: str) -> list[str]:
    """Return a text and its two and three words in a row, among which a name may be."""
    words = [word.strip(",;:.!?()") for word in _CODES.sub(" ", text).split()]
    starts = [(size, place) for size in (2, 3) for place in range(len(words) - size + 1)]
    windows = [" ".join(words[place : place + size]) for size, place in starts]
    return [" ".join(words), *windows] if len(words) > 2 else [" ".join(words)]


def _list_properties(container: zipfile.ZipFile) -> Iterator[list[str]]:
    for part in ("docProps/core.xml", "docProps/custom.xml", "docProps/app.xml"):
        if part in container.namelist():
            for element in ElementTree.fromstring(container.read(part)).iter():
                name = _local_name(element.tag)
                wanted = part != "docProps/app.xml" or name == "Manager"
                if wanted and element.text and element.text.strip() and name not in _AUTHORS:
                    yield _cut_windows(element.text)
