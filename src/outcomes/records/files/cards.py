"""Workbooks in which every sheet holds one patient: labels with values above rows of visits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.cells import RawColumns
from outcomes.records.files.excel_cells import spell_cell
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.headers import simplify_header
from outcomes.records.files.text_table import Refusal

#: What stands for the title of the sheet among the labels of a heading.
SHEET_TITLE = "sheet title"
#: Lines of the records of one sheet are counted on from a multiple of this.
LINES_PER_SHEET = 10_000


def narrow_to_rows(spec: FileSpec, texts: Sequence[Sequence[str]]) -> FileSpec | None:
    """Return what describes the rows of one sheet without its heading, None where no line is their header."""
    columns = {name: header for name, header in spec.columns.items() if header not in spec.heading}
    narrow = replace(spec, columns=columns, heading=())
    wanted = {simplify_header(name) for name in narrow.mapped}
    for line, row in enumerate(texts, start=1):
        if wanted and wanted <= {simplify_header(cell) for cell in row}:
            return replace(narrow, header_row=line)
    return None


def find_heading(label: str, texts: Iterable[Sequence[str]]) -> str:
    """Return the value of a label: after a colon in its cell, else in the next filled cell of its row."""
    wanted = simplify_header(label).rstrip(":： ")
    for row in texts:
        for place, cell in enumerate(row):
            name, colon, value = cell.replace("：", ":").partition(":")
            if simplify_header(name).rstrip() == wanted:
                if colon and value.strip():
                    return value.strip()
                return next((other for other in row[place + 1 :] if other), "")
    return ""


def _find_value(label: str, above: Sequence[Sequence[str]]) -> str:
    return above[0][0] if label == SHEET_TITLE else find_heading(label, above[1:])


def spell_rows(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Return cells as text."""
    return [[spell_cell(cell)[0] or "" for cell in row] for row in rows]


def stack_sheets(
    sheets: Iterator[tuple[int, RawColumns, list[list[str]]]], spec: FileSpec, findings: FileFindings
) -> RawColumns:
    """Put the records of all sheets beneath each other, the values of each heading beside them.

    Parameters
    ----------
    sheets : iterator of tuples
        Number of the sheet, its columns, and its title with the text of the lines above its header.
    spec : FileSpec
    findings : FileFindings
    """
    columns: dict[str, list[pa.Array]] = {name: [] for name in spec.mapped}
    lines: list[np.ndarray] = []
    headers: dict[str, None] = dict.fromkeys(spec.heading)
    refused: list[Refusal] = []
    bad_cells: list[Refusal] = []
    for number, raw, above in sheets:
        start = LINES_PER_SHEET * number
        lines.append(raw.lines + start)
        headers |= dict.fromkeys(raw.headers)
        refused += [refusal._replace(line=refusal.line + start) for refusal in raw.refused]
        bad_cells += [cell._replace(line=cell.line + start) for cell in raw.bad_cells]
        for name in columns:
            value = _find_value(name, above) if name in spec.heading else None
            cells = (
                pa.array([value] * len(raw.lines), pa.string()) if value is not None else raw.columns[name]
            )
            columns[name] += [cells] if isinstance(cells, pa.Array) else cells.chunks
    if not lines:
        findings.refuse(
            "COLUMN_MISSING",
            "no visible sheet has a line with all mapped headers",
            remedy="check [file.columns], and heading = [...] for labels that stand above the rows",
        )
        findings.stop()
    what = f"{len(lines)} sheets stand beneath each other; line 30006 is line 6 of the third sheet"
    findings.add("accept", "SHEETS_STACKED", what)
    tables = {name: pa.chunked_array(parts, pa.string()) for name, parts in columns.items()}
    return RawColumns(
        tables, np.concatenate(lines).astype(np.int32), tuple(headers), refused, bad_cells, typed=True
    )


def read_limit() -> int:
    """Return in how many lines of a sheet its header is looked for."""
    return int(read_facts("limits")["text"]["header_search_lines"])
