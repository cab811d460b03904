"""Files to text: the mapped columns of one file, each record at its line."""

from outcomes.records.files.file_reader import read_text_table
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.headers import join_header_rows
from outcomes.records.files.locations import find_root, list_files
from outcomes.records.files.spelling import simplify_name
from outcomes.records.files.text_table import TextTable
from outcomes.records.files.workbook import open_container

__all__ = [
    "FileFindings",
    "TextTable",
    "find_root",
    "join_header_rows",
    "list_files",
    "open_container",
    "read_text_table",
    "simplify_name",
]
