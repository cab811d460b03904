"""From a path to the cells of all its tables, for a draft: opened and refused as for reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from outcomes.records.files.csv_cells import list_csv_cells
from outcomes.records.files.dataset import DATASETS, list_dataset_cells
from outcomes.records.files.excel import list_excel_cells, refuse_macro_workbook
from outcomes.records.files.findings import MarksTexts
from outcomes.records.files.opening import open_file
from outcomes.records.files.parquet import list_parquet_cells
from outcomes.records.files.sheet_cells import SheetCells


def read_cells(
    path: Path,
    *,
    most: int,
    sheet: str | None = None,
    check_name: Callable[[str], bool] | None = None,
    mark_texts: MarksTexts | None = None,
) -> tuple[str, list[SheetCells]]:
    """Return what a file is and the cells of its tables: the visible sheets of a workbook, else one.

    Parameters
    ----------
    path : Path
    most : int
        Rows of each that are kept.
    sheet : str, optional
        The only sheet of a workbook that is wanted.
    check_name, mark_texts : callable, optional
        As in `read_text_table`.

    Raises
    ------
    RecordsError
        Whenever reading would refuse the file, whatever is mapped.
    PrivacyError
        When its name, or what is hidden in it, may identify people.
    """
    opened = open_file(path, check_name=check_name, mark_texts=mark_texts)
    content, findings = opened.content, opened.findings
    if opened.kind == "csv":
        tables = list_csv_cells(content, findings, most)
    elif opened.kind == "parquet":
        tables = list_parquet_cells(content, findings, most)
    elif opened.kind in DATASETS:
        tables = list_dataset_cells(opened.kind, content, findings, most)
    elif opened.kind == "xlsm":
        refuse_macro_workbook(findings)
    else:
        tables = list_excel_cells(content, findings, most, sheet)
    opened.check_unchanged()
    findings.stop()
    return opened.kind, tables
