"""Delimited text: where its header is and what delimits fields, read strictly, each record at its line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.encoding import find_encoding, recode_as_utf8
from outcomes.records.files.headers import (
    check_header_place,
    check_width,
    count_matches,
    join_header_rows,
    list_header_lines,
    list_numeric_headers,
    match_headers,
    name_headers,
)
from outcomes.records.files.lines import (
    RecordLines,
    check_lengths,
    count_whole_fields,
    locate_records,
    split_fields,
)
from outcomes.records.findings import FileFindings, Refusal, describe
from outcomes.records.spelling import is_total
from outcomes.records.text_table import RawColumns, SheetCells

_BLOCK = 4 << 20
_SEARCHED = 1 << 16
#: Records at the end of a text that may sum up others.
_LAST = 3


@dataclass(frozen=True)
class _CsvText:
    """Delimited text (UTF-8, line feeds) with its layout: header, delimiter, and where the records stand."""

    content: bytes
    delimiter: str
    records: RecordLines
    head: tuple[str, ...] = ()
    headers: Sequence[str] = ()
    positions: Sequence[int] = ()

    def get_record(self, index: int) -> str:
        return self.content[self.records.starts[index] : self.records.ends[index]].decode("utf-8")

    def split_record(self, index: int) -> list[str]:
        return split_fields(self.get_record(index), self.delimiter)

    def without(self, refused: Sequence[Refusal]) -> "_CsvText":
        lines = [refusal.line for refusal in refused]
        if not lines:
            return self
        return replace(self, records=self.records.keep(~np.isin(self.records.lines, lines)))

    def allows(self, n_misshapen: int) -> bool:
        """Return whether so few records are misshapen that the text may be what it is taken for."""
        share = read_facts("limits")["text"]["max_misshapen_share"]
        return bool(n_misshapen <= share * len(self.records.lines))


def read_csv_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns of delimited text; encoding, delimiter and header line as far as declared."""
    text = _lay_out(recode_as_utf8(content, spec.encoding, findings), spec, findings)
    refused = _refuse_lines(text, findings)
    text = text.without(refused)
    table, misshapen = _parse(text)
    padded = _judge_shapes(text, misshapen, spec, refused, findings) if misshapen else {}
    findings.stop()
    kept = np.ones(len(text.records.lines), bool)
    kept[list(misshapen)] = False
    index = np.append(np.flatnonzero(kept), np.array(list(padded), np.int64))
    order = np.argsort(index, kind="stable")
    columns = {}
    for name, place in zip(spec.mapped, text.positions, strict=True):
        columns[name] = column = table.column(str(place))
        if padded:
            cells = pa.chunked_array([*column.chunks, pa.array([row[place] for row in padded.values()])])
            columns[name] = cells.take(pa.array(order))
    headers = name_headers(text.headers, spec.mapped, text.positions)
    return RawColumns(columns, text.records.lines[index[order]], headers, refused)


def list_csv_cells(content: bytes, findings: FileFindings, most: int) -> list[SheetCells]:
    """Return the cells of delimited text, its form told from what it holds; stray quotes blank a row."""
    encoding, certain = find_encoding(content)
    text = recode_as_utf8(content, encoding, findings)
    delimiter = _find_delimiter(text[:_SEARCHED].decode("utf-8", errors="ignore"))
    records = locate_records(text, delimiter, findings)
    records = records.keep((records.ends > records.starts) & ~np.isin(records.lines, records.stray))
    rows: list[tuple[str, ...]] = []
    for start, end, line in zip(records.starts, records.ends, records.lines, strict=True):
        if line > most:
            break
        rows += [()] * (int(line) - len(rows) - 1)
        rows.append(tuple(split_fields(text[start:end].decode("utf-8"), delimiter)))
    shown = None if delimiter == "," else delimiter
    return [SheetCells(rows, len(records.lines), delimiter=shown, encoding=encoding, certain=certain)]


def _find_delimiter(start: str) -> str:
    """Return the delimiter that cuts most lines into the same number of fields, more than one."""
    limits = read_facts("limits")["text"]
    lines = [line for line in start.splitlines() if line.strip()][: limits["header_search_lines"]]

    def regularity(delimiter: str) -> tuple[int, int]:
        widths = [len(split_fields(line, delimiter)) for line in lines if delimiter in line]
        usual = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(usual) if usual > 1 else 0, usual)

    return str(max(limits["delimiters"], key=regularity))


def _lay_out(content: bytes, spec: FileSpec, findings: FileFindings) -> _CsvText:
    """Find header, delimiter and records, and check the header."""
    marked = b"\x1a" in content[-64:]
    content = content.rstrip(b"\n \x1a") + b"\n" if marked else content
    if not content or content.isspace():
        findings.refuse_now("FILE_EMPTY")
    header_lines, delimiter = _find_layout(content, spec, findings)
    offset = 0
    for _ in range(header_lines[0] - 1):
        offset = content.index(b"\n", offset) + 1
    records = locate_records(content, delimiter, findings, offset)
    text = _CsvText(content, delimiter, records.keep(np.isin(records.lines, header_lines)))
    head = tuple(text.get_record(index) for index in range(len(text.records.lines)))
    headers = join_header_rows([split_fields(record, delimiter) for record in head])
    check_width(headers, header_lines[0], findings)
    positions = match_headers(headers, spec.mapped, header_lines[0], findings)
    records = records.keep(records.lines > header_lines[-1])
    records = _drop_blank_records(content, records, delimiter, marked, findings)
    if not len(records.lines):
        findings.refuse("FILE_NO_ROWS.text")
    check_lengths(content, records, delimiter, headers, findings)
    findings.stop()
    return _CsvText(content, delimiter, records, head, headers, positions)


def _find_layout(content: bytes, spec: FileSpec, findings: FileFindings) -> tuple[tuple[int, ...], str]:
    """Return the header's lines, from 1 on, and the delimiter; refuse a header elsewhere than declared."""
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
    matches = dict.fromkeys(signs, (0, 0))  # mapped headers on the header's lines, and fields
    for sign, rows in readings.items() if wanted[-1] <= len(texts) else ():
        headers = join_header_rows([rows[line - 1] for line in wanted])
        matches[sign] = count_matches(headers, spec.mapped), len(headers)
    delimiter = max(signs, key=lambda sign: matches[sign])
    if not matches[delimiter][0]:
        delimiter = spec.delimiter or delimiter
    others = [readings[sign] for sign in signs if sign != delimiter]
    check_header_place([readings[delimiter], *others], wanted, spec.mapped, findings)
    if spec.delimiter and delimiter != spec.delimiter:
        spelt = {"declared": repr(spec.delimiter), "spelt": repr(delimiter)}
        findings.refuse_now("DELIM_DECLARED", sign=delimiter, **spelt)
    elif not spec.delimiter and delimiter != ",":
        findings.repair("DELIM_DETECTED", sign=delimiter)
    return wanted, delimiter


def _drop_blank_records(
    content: bytes, records: RecordLines, delimiter: str, ended_by_mark: bool, findings: FileFindings
) -> RecordLines:
    """Leave out lines that hold nothing, or nothing but delimiters; they are no records."""
    filled = records.ends > records.starts
    signs = f" \t{delimiter}".encode()
    first = np.frombuffer(content, np.uint8)[np.minimum(records.starts, len(content) - 1)]
    hollow = np.isin(first, np.frombuffer(signs, np.uint8)) & filled
    for index in np.flatnonzero(hollow):
        filled[index] = bool(content[records.starts[index] : records.ends[index]].strip(signs))
    lines = records.lines[~filled]
    if len(lines) or ended_by_mark:
        findings.repair("BLANK_LINES", lines=lines, mark=ended_by_mark)
    return records.keep(filled)


def _refuse_lines(text: _CsvText, findings: FileFindings) -> list[Refusal]:
    """Return the records that are none by their bytes: stray quotes, repeated headers, totals."""
    worded = describe("files.QUOTE_STRAY.record")
    stray = []
    for index in np.flatnonzero(np.isin(text.records.lines, text.records.stray)).tolist():
        place = count_whole_fields(text.get_record(index), text.delimiter)
        header = text.headers[place] if place in text.positions else None
        stray.append(Refusal(int(text.records.lines[index]), header, **worded))
    if not text.allows(len(stray)):
        findings.refuse_now("QUOTE_STRAY.file", lines=text.records.stray)
    rest = text.without(stray)
    worded = describe("files.HEADER_REPEATED")  # two exports joined
    sizes = rest.records.ends - rest.records.starts
    repeated = [
        Refusal(int(rest.records.lines[index]), None, **worded)
        for header in (head.encode("utf-8") for head in rest.head)
        for index in np.flatnonzero(sizes == len(header))
        if rest.content.startswith(header, rest.records.starts[index])
    ]
    rest = rest.without(repeated)
    totals = []
    for index in range(len(rest.records.lines))[-_LAST:]:
        if is_total(next((cell for cell in rest.split_record(index) if cell.strip()), "")):
            totals.append(Refusal(int(rest.records.lines[index]), None, **describe("files.TOTAL_ROW")))
    return [*stray, *repeated, *totals]


def _parse(text: _CsvText) -> tuple[pa.Table, dict[int, int]]:
    """Read the mapped columns; also return the number of fields of misshapen records, by index."""
    misshapen: dict[int, int] = {}

    def skip(row: pa.csv.InvalidRow) -> str:
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
    last = misshapen.get(len(text.records.lines) - 1, width)
    if last < width and not text.content.endswith(b"\n"):
        findings.refuse("TRUNCATED.text", lines=text.records.lines[-1:], fields=last, width=width)
    needed = max(text.positions)
    padded = {index: text.split_record(index) for index, count in misshapen.items() if needed < count < width}
    wrong = {index: count for index, count in misshapen.items() if index not in padded}
    if padded:
        findings.repair("FIELDS_ABSENT", lines=text.records.lines[list(padded)])
    _refuse_split_decimals(text, wrong, spec, findings)
    if not text.allows(len(wrong)):
        places = text.records.lines[list(wrong)]
        fewest, most = min(wrong.values()), max(wrong.values())
        findings.refuse("FIELD_COUNT.file", lines=places, width=width, fewest=fewest, most=most)
    for fields in set(wrong.values()):
        worded = describe("files.FIELD_COUNT.record", fields=fields, width=width)
        lines = text.records.lines[[index for index, count in wrong.items() if count == fields]]
        refused += [Refusal(int(line), None, **worded) for line in lines]
    return padded


def _refuse_split_decimals(
    text: _CsvText, wrong: dict[int, int], spec: FileSpec, findings: FileFindings
) -> None:
    """Refuse a file in which the comma seems to be both delimiter and decimal sign.

    A surplus field of 5, 25 or 75 right after a number is taken for a split half or quarter.
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
        findings.refuse("DELIM_AMBIGUOUS", lines=lines)
