"""Files to text: the mapped columns of one file, each record at its line."""

from outcomes.records.files.excel import SHEET_TITLE
from outcomes.records.files.file_reader import escape_name, read_cells, read_text_table
from outcomes.records.files.headers import join_header_rows
from outcomes.records.files.locations import find_root, list_files, list_other_files
from outcomes.records.spelling import simplify_name
from outcomes.records.text_table import SheetCells, TextTable

__all__ = [
    "SHEET_TITLE",
    "SheetCells",
    "TextTable",
    "escape_name",
    "find_root",
    "join_header_rows",
    "list_files",
    "list_other_files",
    "read_cells",
    "read_text_table",
    "simplify_name",
]
