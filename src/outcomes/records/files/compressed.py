"""Unpacking a compressed CSV file without letting it grow beyond what records do."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from typing import IO

from outcomes.facts import read_facts
from outcomes.records.files.findings import FileFindings

_BLOCK = 1 << 20


def unpack_gzip(content: bytes, findings: FileFindings) -> bytes:
    """Return the content of a gzip file; one that expands too far is refused before that."""
    with gzip.open(io.BytesIO(content)) as stream:
        return _read_bounded(stream, len(content), findings)


def unpack_zip(content: bytes, findings: FileFindings) -> bytes:
    """Return the only member of a zip file; one that expands too far is refused before that."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) == 1 and not members[0].flag_bits & 1:
                with archive.open(members[0]) as stream:
                    return _read_bounded(stream, len(content), findings)
            what = "the zip file holds several files or is protected by a password"
            findings.refuse("ZIP_MEMBERS", what, remedy="unpack it and name the CSV file")
    except (zipfile.BadZipFile, NotImplementedError):
        findings.refuse("FILE_CORRUPT", "the zip file is damaged", remedy="export it again")
    findings.stop()
    raise AssertionError("a refused file stops")


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, packed: int, findings: FileFindings) -> bytes:
    limits = read_facts("limits")["file"]
    allowed = min(limits["max_bytes"], max(packed * limits["max_decompression_ratio"], _BLOCK))
    blocks, size = [], 0
    try:
        while block := stream.read(_BLOCK):
            blocks.append(block)
            size += len(block)
            if size > allowed:
                what = f"the file expands more than {limits['max_decompression_ratio']} times"
                findings.refuse("DECOMPRESSION_RATIO", what, remedy="export it again, uncompressed")
                break
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        findings.refuse("FILE_CORRUPT", "the compressed file is damaged", remedy="export it again")
    findings.stop()
    return b"".join(blocks)
