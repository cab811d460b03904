"""The strict read of delimited text: mapped columns only, as text, each record at its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.cells import RawColumns, list_numeric_headers
from outcomes.records.files.csv_layout import (
    drop_blank_records,
    find_layout,
    find_repeated_headers,
    find_total_records,
)
from outcomes.records.files.encoding import recode_as_utf8
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.headers import check_width, join_header_rows, match_headers, name_headers
from outcomes.records.files.lines import (
    RecordLines,
    check_lengths,
    count_whole_fields,
    locate_records,
    split_fields,
)
from outcomes.records.files.text_table import Refusal

_BLOCK = 4 << 20


@dataclass(frozen=True)
class _CsvText:
    """Delimited text (UTF-8, line feeds) with its layout: header, delimiter, and where the records stand."""

    content: bytes
    delimiter: str
    head: tuple[str, ...]
    headers: list[str]
    positions: list[int]
    records: RecordLines

    def get_record(self, index: int) -> str:
        return self.content[self.records.starts[index] : self.records.ends[index]].decode("utf-8")

    def split_record(self, index: int) -> list[str]:
        return split_fields(self.get_record(index), self.delimiter)

    def without(self, refused: Sequence[Refusal]) -> _CsvText:
        if not refused:
            return self
        lines = np.array([refusal.line for refusal in refused])
        return replace(self, records=self.records.keep(~np.isin(self.records.lines, lines)))


def read_csv_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns of delimited text.

    Parameters
    ----------
    content : bytes
        The file's content, as it lies on the disk.
    spec : FileSpec
        What is mapped; encoding, delimiter and header line where declared.
    findings : FileFindings
        Takes repairs and refusals.

    Raises
    ------
    RecordsError
        With all findings, when the file is refused.
    """
    text = _lay_out(recode_as_utf8(content, spec.encoding, findings), spec, findings)
    refused = _refuse_lines(text, findings)
    text = text.without(refused)
    table, misshapen = _parse(text)
    padded = _judge_shapes(text, misshapen, spec, refused, findings)
    findings.stop()
    columns, lines = _assemble(text, table, misshapen, padded, spec)
    headers = name_headers(text.headers, spec.mapped, text.positions)
    return RawColumns(columns, lines, headers, refused)


def _lay_out(content: bytes, spec: FileSpec, findings: FileFindings) -> _CsvText:
    """Find header, delimiter and records, and check the header."""
    marked = b"\x1a" in content[-64:]
    content = content.rstrip(b"\n \x1a") + b"\n" if marked else content
    if not content or content.isspace():
        findings.refuse("FILE_EMPTY", "the file is empty", remedy="export it again")
        findings.stop()
    header_lines, delimiter = find_layout(content, spec, findings)
    records = locate_records(content, delimiter, findings, _find_offset(content, header_lines[0]))
    is_head = np.isin(records.lines, header_lines)
    text = _CsvText(content, delimiter, (), [], [], records.keep(is_head))
    rows = [text.split_record(index) for index in range(len(text.records.lines))]
    head = tuple(text.get_record(index) for index in range(len(rows)))
    headers = join_header_rows(rows)
    check_width(headers, header_lines[0], findings)
    positions = match_headers(headers, spec.mapped, header_lines[0], findings)
    records = records.keep(records.lines > header_lines[-1])
    records = drop_blank_records(content, records, delimiter, marked, findings)
    if not len(records.lines):
        findings.refuse("FILE_NO_ROWS", "the file has a header and no records", remedy="export it again")
    check_lengths(content, records, delimiter, headers, findings)
    findings.stop()
    return _CsvText(content, delimiter, head, headers, positions, records)


def _find_offset(content: bytes, line: int) -> int:
    offset = 0
    for _ in range(line - 1):
        offset = content.index(b"\n", offset) + 1
    return offset


def _refuse_lines(text: _CsvText, findings: FileFindings) -> list[Refusal]:
    """Return the records that are none by their bytes: stray quotes, repeated headers, totals."""
    reason = "a quote stands inside a field, so the fields cannot be told apart"
    stray = []
    for index in np.flatnonzero(np.isin(text.records.lines, text.records.stray)).tolist():
        place = count_whole_fields(text.get_record(index), text.delimiter)
        header = text.headers[place] if place in text.positions else None
        stray.append(Refusal(int(text.records.lines[index]), header, "QUOTE_STRAY", reason))
    if len(stray) > read_facts("limits")["text"]["max_misshapen_share"] * len(text.records.lines):
        what, remedy = "quotes stand inside the fields of most records", "export without blanks beside quotes"
        findings.refuse("QUOTE_STRAY", what, lines=text.records.stray, remedy=remedy)
        findings.stop()
    rest = text.without(stray)
    repeated = find_repeated_headers(text.content, rest.records, [head.encode("utf-8") for head in text.head])
    rest = rest.without(repeated)
    return [*stray, *repeated, *find_total_records(text.content, rest.records, text.delimiter)]


def _parse(text: _CsvText) -> tuple[pa.Table, dict[int, int]]:
    """Read the mapped columns; also return the number of fields of misshapen records, by index."""
    misshapen: dict[int, int] = {}

    def skip(row) -> str:
        misshapen[row.number - 1] = row.actual_columns
        return "skip"

    names = [str(place) for place in range(len(text.headers))]
    wanted = [str(place) for place in text.positions]
    longest = int((text.records.ends - text.records.starts).max(initial=0))
    table = pa.csv.read_csv(
        pa.BufferReader(_join_records(text)),
        # One thread: only then does a wrong record tell its number.
        pa.csv.ReadOptions(use_threads=False, column_names=names, block_size=max(_BLOCK, 2 * longest)),
        pa.csv.ParseOptions(
            delimiter=text.delimiter, newlines_in_values=text.records.spans_lines, invalid_row_handler=skip
        ),
        pa.csv.ConvertOptions(
            check_utf8=False,  # the byte pass has checked all of it
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(dict.fromkeys(wanted)),
            strings_can_be_null=False,
        ),
    )
    if table.num_rows + len(misshapen) != len(text.records.lines):
        raise RuntimeError("the two readings of a text disagree on its number of records")
    return table, misshapen


def _join_records(text: _CsvText) -> pa.Buffer:
    """Return the bytes of the records, uncopied where none was left out in between."""
    starts, ends = text.records.starts, text.records.ends
    if not len(starts):
        return pa.py_buffer(b"")
    breaks = np.flatnonzero(starts[1:] != ends[:-1] + 1)
    first, last = np.append(0, breaks + 1), np.append(breaks, len(starts) - 1)
    if len(first) == 1:
        return pa.py_buffer(text.content).slice(int(starts[0]), int(ends[-1] - starts[0]))
    runs = zip(starts[first], ends[last], strict=True)
    return pa.py_buffer(b"\n".join(text.content[start:end] for start, end in runs))


def _judge_shapes(
    text: _CsvText, misshapen: dict[int, int], spec: FileSpec, refused: list[Refusal], findings: FileFindings
) -> dict[int, list[str]]:
    """Refuse records with a wrong number of fields, or the file; return those lacking unmapped ones only."""
    width = len(text.headers)
    if not misshapen:
        return {}
    last = len(text.records.lines) - 1
    if misshapen.get(last, width) < width and not text.content.endswith(b"\n"):
        findings.refuse(
            "TRUNCATED",
            f"the last line has no end and {misshapen[last]} of {width} fields; the file was cut off",
            lines=[text.records.lines[last]],
            remedy="export it again",
        )
    needed = max(text.positions)
    padded = {index: text.split_record(index) for index, count in misshapen.items() if needed < count < width}
    wrong = {index: count for index, count in misshapen.items() if index not in padded}
    if padded:
        places = text.records.lines[list(padded)]
        findings.repair("FIELDS_ABSENT", "the last fields are absent; none of them is mapped", lines=places)
    _refuse_split_decimals(text, wrong, spec, findings)
    if len(wrong) > read_facts("limits")["text"]["max_misshapen_share"] * len(text.records.lines):
        counts = sorted(set(wrong.values()))
        findings.refuse(
            "FIELD_COUNT",
            f"the header has {width} fields and most records have {_name_counts(counts)}",
            lines=text.records.lines[list(wrong)],
            remedy="add the missing header to the file, or declare delimiter = ...",
        )
    for index, count in wrong.items():
        reason = f"{count} fields where the header has {width}"
        refused.append(Refusal(int(text.records.lines[index]), None, "FIELD_COUNT", reason))
    return padded


def _name_counts(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _refuse_split_decimals(
    text: _CsvText, wrong: dict[int, int], spec: FileSpec, findings: FileFindings
) -> None:
    """Refuse a file in which the comma seems to be both delimiter and decimal sign.

    A surplus field of 5, 25 or 75 right after a number is taken for a split half or quarter; any other
    surplus may be anything, and refuses its record only.
    """
    if text.delimiter != ",":
        return
    decimals = read_facts("limits")["text"]["split_decimals"]
    numeric = list_numeric_headers(spec)
    places = [place for place, name in zip(text.positions, spec.mapped, strict=True) if name in numeric]
    lines = []
    for index in (index for index, count in wrong.items() if count == len(text.headers) + 1):
        cells = text.split_record(index)
        if any(cells[place].strip().isdigit() and cells[place + 1].strip() in decimals for place in places):
            lines.append(int(text.records.lines[index]))
    if lines:
        findings.refuse(
            "DELIM_AMBIGUOUS",
            "the comma seems to be both delimiter and decimal sign",
            lines=lines,
            remedy='export with semicolons and add decimal = ",", or export with decimal points',
        )


def _assemble(
    text: _CsvText, table: pa.Table, misshapen: dict[int, int], padded: dict[int, list[str]], spec: FileSpec
) -> tuple[dict[str, pa.ChunkedArray], np.ndarray]:
    """Return the mapped columns and the lines of the records kept, in the order of the file."""
    kept = np.ones(len(text.records.lines), bool)
    kept[list(misshapen)] = False
    index = np.append(np.flatnonzero(kept), np.array(list(padded), np.int64))
    order = np.argsort(index, kind="stable") if padded else None
    columns = {}
    for name, place in zip(spec.mapped, text.positions, strict=True):
        column = table.column(str(place))
        if order is not None:
            cells = pa.chunked_array([*column.chunks, pa.array([row[place] for row in padded.values()])])
            column = cells.take(pa.array(order))
        columns[name] = column
    return columns, text.records.lines[index if order is None else index[order]]
