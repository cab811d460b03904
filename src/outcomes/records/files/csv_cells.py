"""The cells of delimited text of which nothing is known yet, each row at its line."""

from __future__ import annotations

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.files.encoding import find_encoding, recode_as_utf8
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.lines import locate_records, split_fields
from outcomes.records.files.sheet_cells import SheetCells

_SEARCHED = 1 << 16


def list_csv_cells(content: bytes, findings: FileFindings, most: int) -> list[SheetCells]:
    """Return the cells of delimited text; its encoding and its delimiter are told from what it holds.

    Records whose quotes do not enclose whole fields are blank rows: reading refuses them.
    """
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

    return max(limits["delimiters"], key=regularity)
