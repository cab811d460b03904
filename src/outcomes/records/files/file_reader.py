"""From a path to what a file holds: the mapped columns as a `TextTable`, or the cells of all its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from outcomes.errors import FactsError
from outcomes.facts import FileSpec, Text
from outcomes.records.files.cells import tidy_columns
from outcomes.records.files.csv_text import list_csv_cells, read_csv_columns
from outcomes.records.files.dataset import DATASETS, list_dataset_cells, read_dataset_columns
from outcomes.records.files.excel import list_excel_cells, read_excel_columns
from outcomes.records.files.opening import open_file
from outcomes.records.files.parquet import list_parquet_cells, read_parquet_columns
from outcomes.records.findings import FileFindings, MarksTexts
from outcomes.records.text_table import RawColumns, SheetCells, TextTable


def read_text_table(
    path: Path | str,
    spec: FileSpec,
    *,
    root: Path | str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
    name_sheet: bool = False,
) -> TextTable:
    """Read the mapped columns of one file as text; columns that are not mapped are never loaded.

    A file is CSV (plain, or compressed as ``.csv.gz`` or ``.csv.zip``), an Excel workbook (``.xlsx``),
    Parquet, or of SPSS, Stata or SAS (``.sav, .zsav, .por, .dta, .xpt, .sas7bdat``). One that is refused
    raises all problems found, each with rule, line, column and remedy: a `PrivacyError` where it may identify
    people.

    ``root`` is the folder that the file may not lie outside of, links resolved. ``check_name`` says whether
    the file's name may identify a person, beside the patterns of ``limits.toml``; ``mark_texts`` which texts
    may: headers that no message then shows, and what is hidden in a workbook, which is then refused. With
    ``name_sheet`` messages name the sheet beside the file, of which several sheets are read.
    """
    path = Path(path)
    if not spec.mapped:
        raise FactsError(str(Text.of("findings_files.errors.maps_nothing", path=repr(spec.path))))
    opened = open_file(path, root=root, check_name=check_name, mark_texts=mark_texts)
    findings = opened.findings
    if name_sheet and spec.sheet:
        findings.file = f"{findings.file} [{spec.sheet}]"
    raw = _read_columns(opened.kind, opened.content, spec, findings)
    opened.content = b""
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


def _read_columns(kind: str, content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    if kind == "csv":
        return read_csv_columns(content, spec, findings)
    if kind == "parquet":
        return read_parquet_columns(content, spec, findings)
    if kind in DATASETS:
        return read_dataset_columns(kind, content, spec, findings)
    if kind == "xlsm":
        findings.refuse_now("XLSX_ACTIVE_CONTENT.macros")
    return read_excel_columns(content, spec, findings)


def read_cells(
    path: Path,
    *,
    most: int,
    sheet: str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
) -> tuple[str, list[SheetCells]]:
    """Return what a file is and the cells of its tables: the visible sheets of a workbook (or one), else one.

    At most ``most`` rows of each are kept. What reading would refuse, whatever is mapped, is refused here.
    """
    opened = open_file(path, check_name=check_name, mark_texts=mark_texts)
    kind, content, findings = opened.kind, opened.content, opened.findings
    if kind == "csv":
        tables = list_csv_cells(content, findings, most)
    elif kind == "parquet":
        tables = list_parquet_cells(content, findings, most)
    elif kind in DATASETS:
        tables = list_dataset_cells(kind, content, findings, most)
    elif kind == "xlsm":
        findings.refuse_now("XLSX_ACTIVE_CONTENT.macros")
    else:
        tables = list_excel_cells(content, findings, most, sheet)
    opened.check_unchanged()
    findings.stop()
    return kind, tables
