"""From a path to the bytes of a file: what it may be is checked before any of it is read."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from outcomes.facts import read_facts
from outcomes.records.files.compressed import unpack_gzip, unpack_zip
from outcomes.records.files.findings import FileFindings, MarksTexts

_ZIP, _OLE, _GZIP, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1"
_SIGNATURES = {
    _ZIP: "a zip container, perhaps an Excel workbook",
    _OLE: "an old or encrypted Office file",
    _PARQUET: "a Parquet file",
    _GZIP: "a gzip file",
    b"%pdf": "a PDF",
    b"\x80\x04\x95": "a pickle",
    b"<html": "an HTML page",
    b"<!doctype": "an HTML page",
    b"<?xml": "an XML file",
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
_UNPACKING = {"gzip": unpack_gzip, "zip": unpack_zip}
_BLOCK = 4 << 20


@dataclass
class OpenedFile:
    """The bytes of a file that may be read.

    Parameters
    ----------
    kind : str
        What it holds: ``csv``, ``xlsx``, ``xlsm``, ``parquet``, or a format of statistics packages.
    content : bytes
        Unpacked, where it is a compressed text file.
    sha256 : str
        Of the bytes as they lie on the disk.
    findings : FileFindings
        What was noticed so far; takes what its reader notices.
    """

    kind: str
    content: bytes = field(repr=False)
    sha256: str
    findings: FileFindings = field(repr=False)
    _path: Path = field(repr=False)
    _before: os.stat_result = field(repr=False)

    def check_unchanged(self) -> None:
        """Refuse a file that changed while it was read."""
        _check_unchanged(self._path, self._before, self.sha256, self.findings)


def open_file(
    path: Path,
    *,
    root: Path | str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
) -> OpenedFile:
    """Read a file's bytes after checking its name, its place, its size and its first bytes.

    Parameters are those of `read_text_table`.
    """
    findings = _check_name(path.name, check_name, mark_texts)
    kind = _check_place(path, root, findings)
    before = path.stat()
    content = _read_bytes(path, kind, findings)
    digest = hashlib.sha256(content).hexdigest()
    if kind in _UNPACKING:
        kind, content = "csv", _UNPACKING[kind](content, findings)
    return OpenedFile(kind, content, digest, findings, path, before)


def escape_name(name: str) -> str:
    r"""Return a file name as messages and pages may show it.

    Examples
    --------
    >>> escape_name('<b>"visits".csv')
    '\\x3cb\\x3e\\x22visits\\x22.csv'
    """
    unsafe = read_facts("limits")["file"]["unsafe_characters"]
    return "".join(
        f"\\x{ord(sign):02x}" if sign in unsafe or not sign.isprintable() else sign for sign in name
    )


def _check_name(
    name: str, check_name: Callable[[str], bool] | None, mark_texts: MarksTexts | None
) -> FileFindings:
    """Refuse a name that may identify a person, without repeating it; note one that must be escaped."""
    limits = read_facts("limits")["file"]
    found = any(re.search(pattern, name) for pattern in limits["identifying_names"])
    if found or (check_name is not None and check_name(name)):
        findings = FileFindings(None)
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        what = f"the name of a file may identify a person (SHA-256 of the name starts with {digest})"
        findings.refuse_privately("FILENAME_IDENTIFIER", what, remedy="rename the file")
        findings.stop()
    findings = FileFindings(escape_name(name), mark_texts)
    if findings.file != name:
        findings.repair("FILENAME_UNSAFE", "the name holds unusual characters and is shown escaped")
    return findings


def _check_place(path: Path, root: Path | str | None, findings: FileFindings) -> str:
    """Return the kind of a file after checking where it lies, what it is and how large; nothing is opened."""
    limits = read_facts("limits")["file"]
    remedy = "check the path that was given, or the one in the source TOML"
    try:
        status = path.stat()
        resolved = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        _refuse(findings, "FILE_NOT_FOUND", "there is no such file or folder", remedy)
    except OSError as error:
        _refuse(findings, "FILE_UNREADABLE", f"the file cannot be reached ({error.strerror})")
    if root is not None and not resolved.is_relative_to(Path(root).resolve()):
        what = "the file lies outside the folder of the records"
        _refuse(findings, "PATH_OUTSIDE_ROOT", what, "copy the file into the folder instead of linking to it")
    if not stat.S_ISREG(status.st_mode):
        _refuse(findings, "FILE_NOT_REGULAR", "this is not a file but a folder, a pipe or a device")
    if status.st_size > limits["max_bytes"]:
        what = f"the file has {status.st_size} bytes, more than {limits['max_bytes']}"
        _refuse(findings, "FILE_TOO_LARGE", what, "split the export, for instance by year")
    return _find_kind(path.name, findings)


def _refuse(findings: FileFindings, rule: str, what: str, remedy: str | None = None) -> None:
    findings.refuse(rule, what, remedy=remedy)
    findings.stop()


def _find_kind(name: str, findings: FileFindings) -> str:
    limits = read_facts("limits")["file"]
    suffixes = limits["suffixes"]
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.casefold().endswith(suffix):
            return suffixes[suffix]
    known = any(name.casefold().endswith(suffix) for suffix in limits["refused_suffixes"])
    what = "files of this format are never opened" if known else "this is not a format of records"
    readable = ", ".join(suffix for suffix, kind in suffixes.items() if kind != "xlsm")
    _refuse(findings, "FORMAT_NOT_ALLOWED", what, f"export as one of {readable}")
    raise AssertionError("refusing raises")


def _read_bytes(path: Path, kind: str, findings: FileFindings) -> bytes:
    """Read the whole file once, so that all that follows sees the same bytes; stop at a line without end."""
    limit = read_facts("limits")["text"]["max_line_bytes"]
    blocks, size, last_end = [], 0, 0
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
                    what = f"a line is longer than {limit} bytes"
                    _refuse(findings, "LINE_TOO_LONG", what, "export again with one record a line")
    except OSError as error:
        _refuse(
            findings,
            "FILE_UNREADABLE",
            f"the file cannot be read ({error.strerror})",
            "ask for the right to read it",
        )
    if not size:
        _refuse(findings, "FILE_EMPTY", "the file is empty", "export it again")
    return b"".join(blocks)


def _check_signature(block: bytes, kind: str, findings: FileFindings) -> None:
    """Refuse a file whose first bytes contradict its name."""
    start = block[:512].removeprefix(b"\xef\xbb\xbf").lstrip()[:16]
    if kind in ("xlsx", "xlsm") and block.startswith(_OLE):
        what = "the workbook is protected by a password or in the format before 2007"
        _refuse(findings, "XLSX_ENCRYPTED", what, "save it as .xlsx without a password")
    expected = _EXPECTED.get(kind)
    if expected is not None and block.startswith(expected):
        return
    found = next((what for sign, what in _SIGNATURES.items() if start.lower().startswith(sign.lower())), None)
    if expected is not None or found is not None:
        what = f"the name says {kind} and the content is {found or 'something else'}"
        _refuse(findings, "TYPE_MISMATCH", what, "export the file in the format that its name says")


def _check_unchanged(path: Path, before: os.stat_result, digest: str, findings: FileFindings) -> None:
    """Refuse a file that changed while it was read."""
    try:
        after = path.stat()
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and time.time() - after.st_mtime < read_facts("limits")["file"]["checked_again_seconds"]:
            with path.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        same = False
    if not same:
        findings.refuse(
            "SOURCE_CHANGED", "the file changed while it was read", remedy="read it again when it rests"
        )
