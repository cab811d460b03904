"""From a path to a `TextTable`: the mapped columns of a file, by the reader of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from outcomes.errors import FactsError
from outcomes.facts import FileSpec
from outcomes.records.files.cells import RawColumns, tidy_columns
from outcomes.records.files.csv_text import read_csv_columns
from outcomes.records.files.dataset import DATASETS, read_dataset_columns
from outcomes.records.files.excel import read_excel_columns, refuse_macro_workbook
from outcomes.records.files.findings import FileFindings, MarksTexts
from outcomes.records.files.opening import open_file
from outcomes.records.files.parquet import read_parquet_columns
from outcomes.records.files.text_table import Refusal, TextTable


def read_text_table(
    path: Path | str,
    spec: FileSpec,
    *,
    root: Path | str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
    name_sheet: bool = False,
) -> TextTable:
    """Read the mapped columns of one file as text.

    Parameters
    ----------
    path : Path or str
        A CSV file (plain, or compressed as ``.csv.gz`` or ``.csv.zip``), an Excel workbook (``.xlsx``), a
        Parquet file, or a file of SPSS, Stata or SAS (``.sav, .zsav, .por, .dta, .xpt, .sas7bdat``).
    spec : FileSpec
        What is mapped and how the file is written; columns that are not mapped are never loaded.
    root : Path or str, optional
        Folder that the file may not lie outside of, links resolved.
    check_name : callable, optional
        Takes the file's name and says whether it may identify a person, beside the patterns of
        ``limits.toml``.
    mark_texts : callable, optional
        Says which texts may identify a person: headers that no message then shows, and what is hidden in a
        workbook, which is then refused.
    name_sheet : bool
        Whether messages name the sheet beside the file, of which several sheets are read.

    Raises
    ------
    RecordsError
        When the file is refused; it holds all problems found, each with rule, line, column and remedy.
    PrivacyError
        When one of the problems is that the file may identify people.
    FactsError
        When the source TOML maps no column, or names an encoding that does not exist.
    """
    path = Path(path)
    if not spec.mapped:
        raise FactsError(
            f"[[file]] path = {spec.path!r} maps no column; add [file.columns] or [[file.scores]]."
        )
    opened = open_file(path, root=root, check_name=check_name, mark_texts=mark_texts)
    findings = opened.findings
    if name_sheet and spec.sheet:
        findings.file = f"{findings.file} [{spec.sheet}]"
    if opened.kind in DATASETS:
        raw = read_dataset_columns(opened.kind, opened.content, spec, findings)
    else:
        raw = _READERS[opened.kind](opened.content, spec, findings)
    opened.content = b""
    table, bad_cells = tidy_columns(raw, spec, findings)
    opened.check_unchanged()
    findings.stop()
    refused = sorted(raw.refused, key=lambda refusal: (refusal.line, refusal.rule))
    _report_refused(refused, findings)
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


def _report_refused(refused: list[Refusal], findings: FileFindings) -> None:
    """Add one finding per rule and column for the refused records."""
    for rule, column in dict.fromkeys((refusal.rule, refusal.column) for refusal in refused):
        same = [refusal for refusal in refused if (refusal.rule, refusal.column) == (rule, column)]
        lines = [refusal.line for refusal in same]
        findings.add("quarantine_row", rule, same[0].reason, lines=lines, column=column)


_READERS: dict[str, Callable[[bytes, FileSpec, FileFindings], RawColumns]] = {
    "csv": read_csv_columns,
    "xlsx": read_excel_columns,
    "xlsm": lambda content, spec, findings: refuse_macro_workbook(findings),
    "parquet": read_parquet_columns,
}
