"""From a path to what a file holds: the mapped columns as a `TextTable`, or the cells of all its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts import FileSpec, Text
from outcomes.records.files.cells import tidy_columns
from outcomes.records.files.csv_text import list_csv_cells, read_csv_columns
from outcomes.records.files.dataset import DATASETS, list_dataset_cells, read_dataset_columns
from outcomes.records.files.excel import list_excel_cells, read_excel_columns
from outcomes.records.files.opening import open_file
from outcomes.records.files.parquet import list_parquet_cells, read_parquet_columns
from outcomes.records.text_table import SheetCells, TextTable


def read_text_table(
    path: Path | str,
    spec: FileSpec,
    *,
    name_sheet: bool = False,
    **checks: Any,
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
    """Return what a file is and the cells of its tables: the visible sheets of a workbook (or one), else one.

    At most ``most`` rows of each are kept. What reading would refuse, whatever is mapped, is refused here.
    """
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
