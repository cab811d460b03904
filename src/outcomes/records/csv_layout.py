"""The layout of delimited text: which line is the header, what delimits fields, which records are not data."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from outcomes.facts import FileSpec, read_facts
from outcomes.records.file_findings import FileFindings
from outcomes.records.headers import count_matches, join_header_rows
from outcomes.records.lines import RecordLines, split_fields
from outcomes.records.text_table import Refusal

_DELIMITER_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LOOKS_LIKE_DATA = re.compile(r"[-+]?\d[\d.,/:-]*\Z")


def list_header_lines(spec: FileSpec) -> tuple[int, ...]:
    """Return the lines of the header in their order, counted from 1."""
    rows = spec.header_row
    return (rows,) if isinstance(rows, int) else tuple(sorted(rows))


def find_layout(data: bytes, spec: FileSpec, findings: FileFindings) -> tuple[tuple[int, ...], str]:
    """Find the header's lines and the delimiter; a header elsewhere than declared refuses the file.

    Parameters
    ----------
    data : bytes
        UTF-8 with line feeds.
    spec : FileSpec
    findings : FileFindings

    Returns
    -------
    lines : tuple of int
        Physical lines of the header, counted from 1.
    delimiter : str
    """
    limits = read_facts("limits")["text"]
    wanted = list_header_lines(spec)
    top = data.split(b"\n", limits["header_search_lines"] + wanted[-1])
    texts = [line.decode("utf-8") for line in top[: limits["header_search_lines"] + wanted[-1]]]
    if wanted == (1,) and any(text.strip() for text in texts):
        wanted = (1 + next(place for place, text in enumerate(texts) if text.strip()),)
    if wanted[-1] > len(texts):
        _refuse_preamble(f"header_row is {wanted[-1]} and the file ends before", [], None, findings)
    matches = {
        sign: _count_at(texts, wanted, sign, spec.mapped)
        for sign in dict.fromkeys([spec.delimiter or ",", *limits["delimiters"]])
    }
    delimiter = max(matches, key=lambda sign: (matches[sign], sign == spec.delimiter))
    if not any(found for found, _ in matches.values()):
        delimiter = spec.delimiter or delimiter
    _check_place(texts, wanted, delimiter, matches[delimiter][0], spec, findings)
    _report_delimiter(delimiter, spec, findings)
    findings.stop()
    return wanted, delimiter


def _count_at(
    texts: Sequence[str], lines: Sequence[int], delimiter: str, mapped: Sequence[str]
) -> tuple[int, int]:
    """Return how many mapped headers a delimiter finds on the header's lines, and how many fields."""
    rows = [split_fields(texts[line - 1], delimiter) for line in lines]
    headers = join_header_rows(rows) if len(rows) > 1 else rows[0]
    return count_matches(headers, mapped), len(headers)


def _check_place(texts, wanted, delimiter, found, spec: FileSpec, findings: FileFindings) -> None:
    """Refuse a file whose header stands on a later line, or that has none."""
    if found == len(spec.mapped) or not spec.mapped:
        return
    signs = read_facts("limits")["text"]["delimiters"]
    counts = [
        max(_count_at(texts, [line], sign, spec.mapped)[0] for sign in signs)
        for line in range(1, len(texts) + 1)
    ]
    best = counts.index(max(counts)) + 1
    if len(wanted) == 1 and counts[best - 1] > max(found, 1):
        _refuse_preamble(f"the header stands on line {best}", [best], f"add header_row = {best}", findings)
    cells = split_fields(texts[wanted[0] - 1], delimiter)
    if not found and any(_LOOKS_LIKE_DATA.match(cell.strip()) for cell in cells):
        findings.refuse(
            "HEADER_MISSING",
            "the first line holds data, not headers",
            lines=[wanted[0]],
            remedy=f"add a line of headers to the file, with {', '.join(map(repr, spec.mapped))}",
        )
        findings.stop()


def _refuse_preamble(what: str, lines: Sequence[int], remedy: str | None, findings: FileFindings) -> None:
    findings.refuse("PREAMBLE", f"{what}, not where the source TOML says", lines=lines, remedy=remedy)
    findings.stop()


def _report_delimiter(delimiter: str, spec: FileSpec, findings: FileFindings) -> None:
    name = _DELIMITER_NAMES.get(delimiter, repr(delimiter))
    if spec.delimiter and delimiter != spec.delimiter:
        what = f"delimiter = {spec.delimiter!r} is declared and the header is delimited by {name}"
        findings.refuse("DELIM_DECLARED", what, remedy=f"write delimiter = {delimiter!r} or leave it out")
    elif not spec.delimiter and delimiter != ",":
        findings.repair("DELIM_DETECTED", f"fields are delimited by {name}")


def drop_blank_records(
    data: bytes, records: RecordLines, delimiter: str, ended_by_mark: bool, findings: FileFindings
) -> RecordLines:
    """Leave out lines that hold nothing, or nothing but delimiters; they are no records."""
    filled = records.ends > records.starts
    first = np.frombuffer(data, np.uint8)[np.minimum(records.starts, len(data) - 1)]
    hollow = np.isin(first, np.frombuffer(f" \t{delimiter}".encode(), np.uint8)) & filled
    signs = f" \t{delimiter}".encode()
    for index in np.flatnonzero(hollow):
        filled[index] = bool(data[records.starts[index] : records.ends[index]].strip(signs))
    lines = records.lines[~filled]
    if len(lines) or ended_by_mark:
        what = "blank lines were skipped" + (", and an end-of-file mark" if ended_by_mark else "")
        findings.repair("BLANK_LINES", what, lines=lines)
    return records.keep(filled)


def find_repeated_headers(data: bytes, records: RecordLines, headers: Sequence[bytes]) -> list[Refusal]:
    """Return the records that repeat a line of the header (two exports joined)."""
    refused = []
    sizes = records.ends - records.starts
    for header in headers:
        for index in np.flatnonzero(sizes == len(header)):
            if data.startswith(header, records.starts[index]):
                reason = "the header is repeated in the middle of the file"
                refused.append(Refusal(int(records.lines[index]), None, "HEADER_REPEATED", reason))
    return refused


def is_total(cell: str) -> bool:
    """Whether the first cell of a row says that it sums up others.

    Examples
    --------
    >>> is_total(" Total: "), is_total("T001")
    (True, False)
    """
    return cell.strip(" :\u00a0").casefold() in read_facts("limits")["text"]["total_words"]


def find_total_records(data: bytes, records: RecordLines, delimiter: str, last: int = 3) -> list[Refusal]:
    """Return those of the last records whose first filled cell says that they sum up others."""
    refused = []
    for start, end, line in zip(
        records.starts[-last:], records.ends[-last:], records.lines[-last:], strict=True
    ):
        cells = split_fields(data[start:end].decode("utf-8"), delimiter)
        if is_total(next((cell for cell in cells if cell.strip()), "")):
            refused.append(refuse_total(int(line)))
    return refused


def refuse_total(line: int) -> Refusal:
    """Return the refusal of a row that sums up others."""
    return Refusal(line, None, "TOTAL_ROW", "the row sums up others and is no record")
