"""From a path to what a file holds, checked first: the mapped columns, or the cells of all its tables."""

import gzip
import hashlib
import io
import os
import re
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from outcomes.errors import FactsError
from outcomes.facts import FileSpec, Text, read_facts
from outcomes.records.files.cells import tidy_columns
from outcomes.records.files.csv_text import list_csv_cells, read_csv_columns
from outcomes.records.files.dataset import DATASETS, list_dataset_cells, read_dataset_columns
from outcomes.records.files.excel import list_excel_cells, read_excel_columns
from outcomes.records.files.parquet import list_parquet_cells, read_parquet_columns
from outcomes.records.findings import FileFindings, MarksTexts
from outcomes.records.text_table import SheetCells, TextTable

_ZIP, _OLE, _GZIP, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1"
#: First bytes to what a file is that begins with them.
_SIGNATURES = {
    _ZIP: "zip",
    _OLE: "ole",
    _PARQUET: "parquet",
    _GZIP: "gzip",
    b"%pdf": "pdf",
    b"\x80\x04\x95": "pickle",
    b"<html": "html",
    b"<!doctype": "html",
    b"<?xml": "xml",
}
#: First bytes of each kind; those of Stata before version 13 are its version and the order of bytes.
_EXPECTED: dict[str, tuple[bytes, ...]] = {
    "gzip": (_GZIP,),
    "zip": (_ZIP,),
    "xlsx": (_ZIP,),
    "xlsm": (_ZIP,),
    "parquet": (_PARQUET,),
    "sav": (b"$FL2", b"$FL3"),
    "dta": (b"<stata_dta>", *(bytes([version, order]) for version in range(104, 116) for order in (1, 2))),
    "xpt": (b"HEADER RECORD*******",),
    "sas7bdat": (bytes(12) + b"\xc2\xea\x81\x60",),
}
_BLOCK = 4 << 20
_UNPACKED_BLOCK = 1 << 20


@dataclass
class OpenedFile:
    """The bytes of a file that may be read."""

    #: What it holds: ``csv``, ``xlsx``, ``xlsm``, ``parquet``, or a format of statistics packages.
    kind: str
    #: Unpacked, where it is a compressed text file.
    content: bytes = field(repr=False)
    #: Of the bytes as they lie on the disk.
    sha256: str
    #: What was noticed so far; takes what its reader notices.
    findings: FileFindings = field(repr=False)
    _path: Path = field(repr=False)
    _before: os.stat_result = field(repr=False)

    def check_unchanged(self) -> None:
        """Refuse a file that changed while it was read."""
        try:
            after = self._path.stat()
            same = (self._before.st_size, self._before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
            if same and time.time() - after.st_mtime < read_facts("limits")["file"]["checked_again_seconds"]:
                with self._path.open("rb") as file:
                    same = hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            same = False
        if not same:
            self.findings.refuse("SOURCE_CHANGED")


def open_file(
    path: Path,
    *,
    root: Path | str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
) -> OpenedFile:
    """Read a file's bytes after checking its name, its place, its size and its first bytes.

    ``root`` is the folder that the file may not lie outside of, links resolved. ``check_name`` says whether
    the file's name may identify a person, beside the patterns of ``limits.toml``; ``mark_texts`` which texts
    may: headers that no message then shows, and what is hidden in a workbook, which is then refused.
    """
    patterns = read_facts("limits")["file"]["identifying_names"]
    if any(re.search(pattern, path.name) for pattern in patterns) or (check_name and check_name(path.name)):
        findings = FileFindings(None)
        digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        findings.refuse_privately("FILENAME_IDENTIFIER", digest=digest)
        findings.stop()
    findings = FileFindings(escape_name(path.name), mark_texts)
    if findings.file != path.name:
        findings.repair("FILENAME_UNSAFE")
    kind = _check_place(path, root, findings)
    before = path.stat()
    content = _read_bytes(path, kind, findings)
    digest = hashlib.sha256(content).hexdigest()
    if kind == "xlsm":
        findings.refuse_now("XLSX_ACTIVE_CONTENT.macros")
    if kind == "gzip":
        with gzip.open(io.BytesIO(content)) as stream:
            content, kind = _read_bounded(stream, len(content), findings), "csv"
    elif kind == "zip":
        content, kind = _unpack_zip(content, findings), "csv"
    return OpenedFile(kind, content, digest, findings, path, before)


def escape_name(name: str) -> str:
    r"""Return a file name as messages and pages may show it.

    Examples
    --------
    >>> escape_name('<b>"visits".csv')
    '\\x3cb\\x3e\\x22visits\\x22.csv'
    """
    unsafe = read_facts("limits")["file"]["unsafe_characters"]
    signs = ((sign, sign in unsafe or not sign.isprintable()) for sign in name)
    return "".join(f"\\x{ord(sign):02x}" if escaped else sign for sign, escaped in signs)


def _check_place(path: Path, root: Path | str | None, findings: FileFindings) -> str:
    """Return the kind of a file after checking where it lies, what it is and how large; nothing is opened."""
    limits = read_facts("limits")["file"]
    try:
        status = path.stat()
        resolved = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        findings.refuse_now("FILE_NOT_FOUND")
    except OSError as error:
        findings.refuse_now("FILE_UNREADABLE.place", error=error.strerror)
    if root is not None and not resolved.is_relative_to(Path(root).resolve()):
        findings.refuse_now("PATH_OUTSIDE_ROOT")
    if not stat.S_ISREG(status.st_mode):
        findings.refuse_now("FILE_NOT_REGULAR")
    if status.st_size > limits["max_bytes"]:
        findings.refuse_now("FILE_TOO_LARGE", size=status.st_size, most=limits["max_bytes"])
    name, suffixes = path.name.casefold(), limits["suffixes"]
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.endswith(suffix):
            return str(suffixes[suffix])
    readable = ", ".join(suffix for suffix, kind in suffixes.items() if kind != "xlsm")
    known = name.endswith(tuple(limits["refused_suffixes"]))
    findings.refuse_now(f"FORMAT_NOT_ALLOWED.{'known' if known else 'unknown'}", readable=readable)


def _read_bytes(path: Path, kind: str, findings: FileFindings) -> bytes:
    """Read the whole file once, so that all that follows sees the same bytes; stop at a line without end."""
    limit = read_facts("limits")["text"]["max_line_bytes"]
    blocks: list[bytes] = []
    size = last_end = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if not size:
                    _check_signature(block, kind, findings)
                blocks.append(block)
                feed = max(block.rfind(b"\n"), block.rfind(b"\r"))
                last_end = size + feed if feed >= 0 else last_end
                size += len(block)
                if kind == "csv" and size - last_end > limit:
                    findings.refuse_now("LINE_TOO_LONG", most=limit)
    except OSError as error:
        findings.refuse_now("FILE_UNREADABLE.content", error=error.strerror)
    if not size:
        findings.refuse_now("FILE_EMPTY")
    return b"".join(blocks)


def _check_signature(block: bytes, kind: str, findings: FileFindings) -> None:
    """Refuse a file whose first bytes contradict its name."""
    start = block[:512].removeprefix(b"\xef\xbb\xbf").lstrip()[:16]
    if kind in ("xlsx", "xlsm") and block.startswith(_OLE):
        findings.refuse_now("XLSX_ENCRYPTED.workbook")
    expected = _EXPECTED.get(kind, ())
    if block.startswith(expected):
        return
    found = next((what for sign, what in _SIGNATURES.items() if start.lower().startswith(sign.lower())), None)
    if expected or found:
        content = Text.of(f"findings_files.signatures.{found or 'unknown'}")
        findings.refuse_now("TYPE_MISMATCH", kind=kind, content=content)


def _unpack_zip(content: bytes, findings: FileFindings) -> bytes:
    """Return the only member of a zip file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) == 1 and not members[0].flag_bits & 1:
                with archive.open(members[0]) as stream:
                    return _read_bounded(stream, len(content), findings)
    except (zipfile.BadZipFile, NotImplementedError):
        findings.refuse_now("FILE_CORRUPT.zip")
    findings.refuse_now("ZIP_MEMBERS")


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, packed: int, findings: FileFindings) -> bytes:
    """Return what a compressed file holds; one that expands beyond what records do is refused before that."""
    limits = read_facts("limits")["file"]
    allowed = min(limits["max_bytes"], max(packed * limits["max_decompression_ratio"], _UNPACKED_BLOCK))
    blocks: list[bytes] = []
    size = 0
    try:
        while block := stream.read(_UNPACKED_BLOCK):
            blocks.append(block)
            size += len(block)
            if size > allowed:
                findings.refuse_now("DECOMPRESSION_RATIO", ratio=limits["max_decompression_ratio"])
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        findings.refuse_now("FILE_CORRUPT.compressed")
    return b"".join(blocks)


def read_text_table(
    path: Path | str, spec: FileSpec, *, name_sheet: bool = False, **checks: Any
) -> TextTable:
    """Read the mapped columns of one file as text; columns that are not mapped are never loaded.

    A file that is refused raises all problems found, a `PrivacyError` where it may identify people. With
    ``name_sheet`` messages name the sheet beside the file; further options are those of `open_file`.
    """
    if not spec.mapped:
        raise FactsError(Text.of("findings_files.errors.maps_nothing", path=repr(spec.path)))
    opened = open_file(Path(path), **checks)
    findings = opened.findings
    if name_sheet and spec.sheet:
        findings.file = f"{findings.file} [{spec.sheet}]"
    kind, content, opened.content = opened.kind, opened.content, b""
    if kind == "csv":
        raw = read_csv_columns(content, spec, findings)
    elif kind == "parquet":
        raw = read_parquet_columns(content, spec, findings)
    elif kind in DATASETS:
        raw = read_dataset_columns(kind, content, spec, findings)
    else:
        raw = read_excel_columns(content, spec, findings)
    del content
    table, bad_cells = tidy_columns(raw, spec, findings)
    opened.check_unchanged()
    findings.stop()
    refused = sorted(raw.refused, key=lambda refusal: (refusal.line, refusal.rule))
    findings.report_refused(refused)
    return TextTable(
        file=str(findings.file),
        table=table,
        lines=raw.lines,
        headers=tuple(findings.veil(raw.headers, spec.mapped)),
        findings=findings.all,
        refused=tuple(refused),
        bad_cells=tuple(bad_cells),
        n_read=len(raw.lines) + len(refused),
        sha256=opened.sha256,
    )


def read_cells(
    path: Path, *, most: int, sheet: str | None = None, **checks: Any
) -> tuple[str, list[SheetCells]]:
    """Return what a file is and the cells of its tables: visible sheets of a workbook, else one."""
    opened = open_file(path, **checks)
    kind, content, findings = opened.kind, opened.content, opened.findings
    if kind == "csv":
        tables = list_csv_cells(content, findings, most)
    elif kind == "parquet":
        tables = list_parquet_cells(content, findings, most)
    elif kind in DATASETS:
        tables = list_dataset_cells(kind, content, findings, most)
    else:
        tables = list_excel_cells(content, findings, most, sheet)
    opened.check_unchanged()
    findings.stop()
    return kind, tables
