"""The layout of delimited text: where the header is, what delimits fields, which lines are no records."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.headers import count_matches, join_header_rows
from outcomes.records.files.lines import RecordLines, split_fields
from outcomes.records.files.text_table import Refusal

_DELIMITER_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LOOKS_LIKE_DATA = re.compile(r"[-+]?\d[\d.,/:-]*\Z")


def list_header_lines(spec: FileSpec) -> tuple[int, ...]:
    """Return the lines of the header in their order, counted from 1."""
    rows = spec.header_row
    return (rows,) if isinstance(rows, int) else tuple(sorted(rows))


def find_layout(content: bytes, spec: FileSpec, findings: FileFindings) -> tuple[tuple[int, ...], str]:
    """Find the header's lines and the delimiter; a header elsewhere than declared refuses the file.

    Parameters
    ----------
    content : bytes
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
    top = content.split(b"\n", limits["header_search_lines"] + wanted[-1])
    # A line too long for a header is not searched for one, unless it is declared to be it.
    texts = [
        line.decode("utf-8") if len(line) < limits["max_field_chars"] or number in wanted else ""
        for number, line in enumerate(top[: limits["header_search_lines"] + wanted[-1]], 1)
    ]
    if wanted == (1,) and any(text.strip() for text in texts):
        wanted = (1 + next(place for place, text in enumerate(texts) if text.strip()),)
    signs = list(dict.fromkeys([spec.delimiter or ",", *limits["delimiters"]]))
    readings = {sign: [split_fields(text, sign) for text in texts] for sign in signs}
    matches = {sign: _count_at(readings[sign], wanted, spec.mapped) for sign in signs}
    delimiter = max(signs, key=lambda sign: matches[sign])
    if not matches[delimiter][0]:
        delimiter = spec.delimiter or delimiter
    others = [readings[sign] for sign in signs if sign != delimiter]
    check_header_place([readings[delimiter], *others], wanted, spec.mapped, findings)
    _report_delimiter(delimiter, spec, findings)
    findings.stop()
    return wanted, delimiter


def _count_at(rows: Sequence[Sequence[str]], lines: Sequence[int], mapped: Sequence[str]) -> tuple[int, int]:
    """Return how many mapped headers stand on the header's lines, and how many fields there are."""
    if lines[-1] > len(rows):
        return 0, 0
    headers = join_header_rows([rows[line - 1] for line in lines])
    return count_matches(headers, mapped), len(headers)


def check_header_place(
    readings: Sequence[Sequence[Sequence[str]]],
    wanted: Sequence[int],
    mapped: Sequence[str],
    findings: FileFindings,
) -> None:
    """Refuse a file whose header stands on another line than declared, or that has none; raised at once.

    Parameters
    ----------
    readings : sequence of tables
        The first lines as rows of cells, once for every delimiter that may be meant; the first reading
        is the one in use.
    wanted : sequence of int
        Lines of the header, counted from 1.
    mapped : sequence of str
    findings : FileFindings
    """
    if not mapped:
        return
    if wanted[-1] > len(readings[0]):
        _refuse_preamble(f"the file ends before line {wanted[-1]}, its header", [], None, findings)
    rows = [readings[0][line - 1] for line in wanted]
    found = count_matches(join_header_rows(rows), mapped)
    if found == len(mapped):
        return
    places = _list_places(readings, mapped)
    best = max(places, key=lambda lines: places[lines])
    if places[best] > max(found, 1):
        named, value = (
            (f"line {best[0]}", best[0]) if len(best) == 1 else (f"lines {best[0]} and {best[1]}", list(best))
        )
        _refuse_preamble(f"the header stands on {named}", best, f"add header_row = {value}", findings)
    if not found and any(_LOOKS_LIKE_DATA.match(cell.strip()) for row in rows for cell in row):
        findings.refuse(
            "HEADER_MISSING",
            "the first line holds values, not headers",
            lines=wanted[:1],
            remedy=f"add a line of headers to the file, with {', '.join(map(repr, mapped))}",
        )
        findings.stop()


def _list_places(
    readings: Sequence[Sequence[Sequence[str]]], mapped: Sequence[str]
) -> dict[tuple[int, ...], int]:
    """Return how many mapped headers stand on each line, and on each two lines read as a merged header."""
    places: dict[tuple[int, ...], int] = {}
    for lines in [(line,) for line in range(1, len(readings[0]) + 1)]:
        places[lines] = max(count_matches(rows[lines[0] - 1], mapped) for rows in readings)
    for line in range(1, len(readings[0])):
        pairs = (join_header_rows(rows[line - 1 : line + 1]) for rows in readings)
        places[line, line + 1] = max(count_matches(pair, mapped) for pair in pairs)
    return places


def _refuse_preamble(what: str, lines: Sequence[int], remedy: str | None, findings: FileFindings) -> None:
    what = f"{what}, not where the source TOML says"
    findings.refuse("PREAMBLE", what, lines=lines, count=1, remedy=remedy)
    findings.stop()


def _report_delimiter(delimiter: str, spec: FileSpec, findings: FileFindings) -> None:
    name = _DELIMITER_NAMES.get(delimiter, repr(delimiter))
    if spec.delimiter and delimiter != spec.delimiter:
        what = f"delimiter = {spec.delimiter!r} is declared and the header is delimited by {name}"
        findings.refuse("DELIM_DECLARED", what, remedy=f"write delimiter = {delimiter!r} or leave it out")
    elif not spec.delimiter and delimiter != ",":
        findings.repair("DELIM_DETECTED", f"fields are delimited by {name}")


def drop_blank_records(
    content: bytes, records: RecordLines, delimiter: str, ended_by_mark: bool, findings: FileFindings
) -> RecordLines:
    """Leave out lines that hold nothing, or nothing but delimiters; they are no records."""
    filled = records.ends > records.starts
    first = np.frombuffer(content, np.uint8)[np.minimum(records.starts, len(content) - 1)]
    hollow = np.isin(first, np.frombuffer(f" \t{delimiter}".encode(), np.uint8)) & filled
    signs = f" \t{delimiter}".encode()
    for index in np.flatnonzero(hollow):
        filled[index] = bool(content[records.starts[index] : records.ends[index]].strip(signs))
    lines = records.lines[~filled]
    if len(lines) or ended_by_mark:
        what = "blank lines were skipped" + (", and an end-of-file mark" if ended_by_mark else "")
        findings.repair("BLANK_LINES", what, lines=lines)
    return records.keep(filled)


def find_repeated_headers(content: bytes, records: RecordLines, headers: Sequence[bytes]) -> list[Refusal]:
    """Return the records that repeat a line of the header (two exports joined)."""
    refused = []
    sizes = records.ends - records.starts
    for header in headers:
        for index in np.flatnonzero(sizes == len(header)):
            if content.startswith(header, records.starts[index]):
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


def find_total_records(content: bytes, records: RecordLines, delimiter: str, last: int = 3) -> list[Refusal]:
    """Return those of the last records whose first filled cell says that they sum up others."""
    refused = []
    for start, end, line in zip(
        records.starts[-last:], records.ends[-last:], records.lines[-last:], strict=True
    ):
        cells = split_fields(content[start:end].decode("utf-8"), delimiter)
        if is_total(next((cell for cell in cells if cell.strip()), "")):
            refused.append(refuse_total(int(line)))
    return refused


def refuse_total(line: int) -> Refusal:
    """Return the refusal of a row that sums up others."""
    return Refusal(line, None, "TOTAL_ROW", "the row sums up others and is no record")
