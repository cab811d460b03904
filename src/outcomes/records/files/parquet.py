"""The mapped columns of a Parquet file, as text."""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.headers import check_width, match_headers, name_headers
from outcomes.records.findings import FileFindings
from outcomes.records.text_table import RawColumns, SheetCells

_EXTENSION_KEY = b"ARROW:extension:name"


def read_parquet_columns(content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped columns, null as a blank cell; nested, binary and extension types are refused."""
    with _refuse_damaged(findings):
        footer, schema = _open(content, findings)
        positions = _check_columns(schema, footer, spec, findings)
        _check_size(footer, len(positions), len(content), findings)
        findings.stop()
        names = [schema.names[place] for place in positions]
        file = pq.ParquetFile(pa.BufferReader(content))
        table = file.read(columns=list(dict.fromkeys(names)), use_threads=False)
        table.validate(full=True)
    columns = {mapped: _spell(table.column(name)) for mapped, name in zip(spec.mapped, names, strict=True)}
    lines = np.arange(1, table.num_rows + 1, dtype=np.int32)
    return RawColumns(columns, lines, name_headers(schema.names, spec.mapped, positions), typed=True)


def list_parquet_cells(content: bytes, findings: FileFindings, most: int) -> list[SheetCells]:
    """Return the first cells of a Parquet file under its headers; those of nested columns are blank."""
    with _refuse_damaged(findings):
        footer, schema = _open(content, findings)
        check_width(schema.names, 1, findings)
        readable = [place for place, kind in enumerate(schema.types) if _is_readable(_get_value_type(kind))]
        _check_size(footer, len(readable), len(content), findings)
        findings.stop()
        file = pq.ParquetFile(pa.BufferReader(content))
        names = list(dict.fromkeys(schema.names[place] for place in readable))
        batch = next(file.iter_batches(most, columns=names, use_threads=False), None) if names else None
        cells = {name: batch.column(name).to_pylist() for name in names} if batch is not None else {}
        blank = [None] * (batch.num_rows if batch is not None else 0)
    columns = [cells.get(name, blank) for name in schema.names]
    return [SheetCells([tuple(schema.names), *zip(*columns, strict=True)], footer.num_rows + 1)]


@contextmanager
def _refuse_damaged(findings: FileFindings) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError):
        findings.refuse_now("PARQUET_CORRUPT")


def _open(content: bytes, findings: FileFindings) -> tuple[pq.FileMetaData, pa.Schema]:
    """Refuse extension types by the raw metadata, before any of it is turned into types."""
    footer = pq.read_metadata(pa.BufferReader(content))
    metadata = footer.metadata or {}
    try:
        stored = base64.b64decode(metadata.get(b"ARROW:schema", b""), validate=True)
    except binascii.Error:
        stored = _EXTENSION_KEY
    if _EXTENSION_KEY in stored:
        findings.refuse_now("PARQUET_EXTENSION")
    return footer, footer.schema.to_arrow_schema()


def _check_columns(
    schema: pa.Schema, footer: pq.FileMetaData, spec: FileSpec, findings: FileFindings
) -> list[int]:
    """Match the mapped headers and refuse what cannot be text; note types that were converted."""
    check_width(schema.names, 1, findings)
    if not footer.num_rows:
        findings.refuse("FILE_NO_ROWS.columns")
    positions = match_headers(schema.names, spec.mapped, 1, findings)
    for name, place in zip(spec.mapped, positions, strict=True):
        kind = _get_value_type(schema.field(place).type) if place >= 0 else pa.string()
        if not _is_readable(kind):
            findings.refuse("PARQUET_TYPES.unreadable", column=name, type=str(kind))
        elif not pa.types.is_string(schema.field(place).type):
            findings.accept("PARQUET_TYPES.read", column=name, type=str(schema.field(place).type))
    return positions


def _get_value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_readable(kind: pa.DataType) -> bool:
    names = "string large_string string_view integer floating decimal boolean date timestamp null"
    return any(getattr(pa.types, f"is_{name}")(kind) for name in names.split())


def _check_size(footer: pq.FileMetaData, n_columns: int, packed: int, findings: FileFindings) -> None:
    """Refuse what would grow too far in memory, judged by the footer alone.

    Encodings can hide a size, so the plain width of fixed columns counts beside the sizes that are stated.
    """
    limits = read_facts("limits")["parquet"]
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    stated = sum(group.total_byte_size for group in groups)
    plain = footer.num_rows * 8 * n_columns
    size = max(stated, plain)
    inflated = stated > limits["ratio_from_bytes"] and stated > limits["max_ratio"] * packed
    if footer.num_rows > limits["max_rows"] or size > limits["max_bytes"] or inflated:
        findings.refuse("PARQUET_BOMB", records=footer.num_rows, size=size)


def _spell(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's cells as text; null is blank."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # Without zeros that end the decimals: 7.50 is 7.5, 7.00 is 7; NaN is blank.
        texts = pc.replace_substring_regex(column.cast(pa.string()), r"^([-+]?\d+)\.0*$", r"\1")
        texts = pc.replace_substring_regex(texts, r"^([-+]?\d+\.\d*[1-9])0+$", r"\1")
        texts = pc.if_else(pc.equal(texts, "nan"), "", texts)
    elif pa.types.is_boolean(kind):
        texts = pc.if_else(column, "TRUE", "FALSE")
    elif pa.types.is_timestamp(kind):
        # ISO form; those at midnight without a time zone as dates.
        texts = column.cast(pa.timestamp("us", kind.tz)).cast(pa.string())
        texts = pc.replace_substring_regex(pc.replace_substring(texts, " ", "T"), r"\.0+", "")
        texts = texts if kind.tz else pc.replace_substring_regex(texts, r"T00:00:00$", "")
    else:
        texts = column.cast(pa.string())
    return pc.fill_null(texts, "")
