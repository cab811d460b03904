"""Refused records kept privately: where they stood, why they were refused, and the value that did it."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from outcomes.machine.private_files import open_private_folder, spell_safely, write_private_file
from outcomes.records.columns import Part


def keep_refused(
    refused: pd.DataFrame,
    values: Sequence[str],
    sha256: Mapping[str, str],
    source_name: str,
    private_folder: Path,
) -> Path | None:
    """Write the refused records and cells of a source to its private quarantine.

    Parameters
    ----------
    refused : pandas.DataFrame
        One row per refused record or cell: ``file, line, column, rule, reason, scope``.
    values : sequence of str
        What stood in each refused cell, as text; the only place outside the source where it is kept.
    sha256 : mapping
        File name to the fingerprint of its bytes.
    source_name : str
    private_folder : Path

    Returns
    -------
    Path or None
        The file written; None where nothing was refused (an older file is removed).
    """
    folder = open_private_folder(open_private_folder(private_folder) / "quarantine")
    folder = open_private_folder(folder / spell_safely(source_name))
    path = folder / "refused.csv"
    if refused.empty:
        path.unlink(missing_ok=True)
        return None
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sha256", "file", "line", "column", "rule", "reason", "scope", "value"])
    columns = ["file", "line", "column", "rule", "reason", "scope"]
    for row, value in zip(refused[columns].to_numpy().tolist(), values, strict=True):
        writer.writerow([sha256.get(row[0], ""), *row, value])
    write_private_file(path, text.getvalue().encode("utf-8"))
    return path


def find_values(refused: pd.DataFrame, parts: Sequence[Part]) -> list[str]:
    """Return what stood in each refused cell, ``""`` where a whole record was refused or it is not kept."""
    values = []
    starts = [part.place.start for part in parts]
    for record, column in zip(refused["record"], refused["column"], strict=True):
        part = parts[bisect_right(starts, record) - 1]
        row = record - part.place.start
        known = column in part.raw and row < part.n_rows
        code = part.columns[column].codes[row] if known else -1
        values.append(str(part.raw[column][code]) if code >= 0 else "")
    return values
