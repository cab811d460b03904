"""Which rows of a file each block reads, where several blocks share them out by the values of a column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from outcomes.errors import Finding
from outcomes.facts import FileSpec, RowsSpec
from outcomes.records.files import TextTable, simplify_name

_LEFT = "rows that no block reads, as ``only`` and ``without`` say"
_SAID = "Rows of the files that the source gives to no block are left out."


def share_rows(
    texts: Sequence[tuple[FileSpec, TextTable]],
) -> tuple[list[tuple[FileSpec, TextTable]], list[Finding]]:
    """Keep of each file the rows that its block reads, and name those that no block reads.

    Parameters
    ----------
    texts : sequence of (FileSpec, TextTable)

    Returns
    -------
    texts : list of (FileSpec, TextTable)
    findings : list of Finding
        One for each file with rows that no block reads.
    """
    if not any(spec.only or spec.without for spec, _ in texts):
        return list(texts), []
    kept = [(spec, _keep(text, _find_rows(text, spec))) for spec, text in texts]
    read: dict[str, set[int]] = defaultdict(set)
    for _, text in kept:
        read[text.file].update(text.lines.tolist())
    findings = {}
    for spec, text in texts:
        left = sorted(set(text.lines.tolist()) - read[text.file]) if spec.only or spec.without else []
        if left:
            findings[text.file] = Finding(
                "ROWS_LEFT", "accept_with_warning", _LEFT, text.file, tuple(left[:10]), None, len(left),
                said=_SAID,
            )  # fmt: skip
    return kept, list(findings.values())


def _find_rows(text: TextTable, spec: FileSpec) -> np.ndarray:
    rows = np.ones(text.table.num_rows, dtype=bool)
    for entry in spec.only:
        rows &= _hold(text, entry)
    for entry in spec.without:
        rows &= ~_hold(text, entry)
    return rows


def _hold(text: TextTable, entry: RowsSpec) -> np.ndarray:
    codes, held = text.split(entry.column)
    wanted = {simplify_name(value) for value in entry.values}
    marked = [simplify_name(value) in wanted for value in held.to_pylist()]
    return np.array([*marked, False], dtype=bool)[codes]


def _keep(text: TextTable, rows: np.ndarray) -> TextTable:
    if rows.all():
        return text
    lines = text.lines[rows]
    left = set(text.lines[~rows].tolist())
    return replace(
        text,
        table=text.table.filter(pa.array(rows)).combine_chunks().unify_dictionaries(),
        lines=lines,
        n_read=len(lines) + len(text.refused),
        bad_cells=tuple(cell for cell in text.bad_cells if cell.line not in left),
    )
