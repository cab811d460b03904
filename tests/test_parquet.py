"""Parquet files are read as text, whatever plain types their columns have."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcomes.errors import RecordsError
from outcomes.facts import FileSpec
from outcomes.records.files.file_reader import read_text_table

SPEC = FileSpec("*", "assessment", {"patient_id": "id", "therapy": "score"})


@pytest.fixture
def read(tmp_path):
    """Write a table and read it."""

    def write_and_read(table: pa.Table, **options):
        path = tmp_path / "visits.parquet"
        pq.write_table(table, path, **options)
        return read_text_table(path, SPEC)

    return write_and_read


def spell(read, values, kind) -> list[str]:
    cells = pa.array(values, kind)
    return read(pa.table({"id": ["P1"] * len(cells), "score": cells})).table.column("score").to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["7", " 007", None], pa.string(), ["7", " 007", ""]),
        (["7", None], pa.large_string(), ["7", ""]),
        (["a", "a", None], pa.dictionary(pa.int8(), pa.string()), ["a", "a", ""]),
        ([7, 100, None], pa.int8(), ["7", "100", ""]),
        ([7.0, 7.5, 0.1, 1200.0, float("nan"), None], pa.float64(), ["7", "7.5", "0.1", "1200", "", ""]),
        ([Decimal("7.00"), Decimal("7.50"), Decimal("100.00")], pa.decimal128(5, 2), ["7", "7.5", "100"]),
        ([True, False, None], pa.bool_(), ["TRUE", "FALSE", ""]),
        ([datetime.date(2026, 4, 3)], pa.date32(), ["2026-04-03"]),
        ([datetime.datetime(2026, 4, 3), datetime.datetime(2026, 4, 3, 9, 30)], pa.timestamp("ns"),
         ["2026-04-03", "2026-04-03T09:30:00"]),
        ([None, None], pa.null(), ["", ""]),
    ],
)  # fmt: skip
def test_plain_types_are_spelt_as_people_would(read, values, kind, expected):
    assert spell(read, values, kind) == expected


def test_a_timestamp_keeps_its_time_zone(read):
    when = datetime.datetime(2026, 4, 3, 23, 30, tzinfo=datetime.UTC)
    (text,) = spell(read, [when], pa.timestamp("us", "UTC"))
    assert datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) == when


def test_only_mapped_columns_are_read_and_records_are_numbered(read):
    text = read(pa.table({"id": ["P1", "P2"], "name": ["Ann", "Bo"], "score": [7, 4]}), row_group_size=1)
    assert text.lines.tolist() == [1, 2]
    assert text.unmapped == ("name",)
    assert text.n_read == 2


def test_a_file_without_metadata_as_other_programs_write_it_is_read(read, tmp_path):
    text = read(pa.table({"id": ["P1", "P2"], "score": [7, 4]}), store_schema=False)
    assert pq.read_metadata(tmp_path / "visits.parquet").metadata is None
    assert text.table.column("score").to_pylist() == ["7", "4"]


def test_nested_and_binary_columns_cannot_be_mapped(read):
    with pytest.raises(RecordsError) as caught:
        read(pa.table({"id": pa.array([b"P1"]), "score": [[7]]}))
    assert [(finding.rule, finding.column) for finding in caught.value.findings] == [
        ("PARQUET_TYPES", "id"),
        ("PARQUET_TYPES", "score"),
    ]


def test_missing_columns_and_records_are_told_together(read):
    with pytest.raises(RecordsError) as caught:
        read(pa.table({"id": pa.array([], pa.string()), "scores": pa.array([], pa.string())}))
    assert {finding.rule for finding in caught.value.findings} == {"FILE_NO_ROWS", "COLUMN_MISSING"}


def test_a_page_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "visits.parquet"
    pq.write_table(pa.table({"id": [f"P{n}" for n in range(5000)], "score": list(range(5000))}), path)
    content = bytearray(path.read_bytes())
    content[20:400] = bytes(380)
    path.write_bytes(content)
    with pytest.raises(RecordsError, match="PARQUET_CORRUPT"):
        read_text_table(path, SPEC)
