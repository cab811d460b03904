"""Refused records kept privately: where they stood, why they were refused, and the value that did it."""

from __future__ import annotations

import csv
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from outcomes.records.columns import Part


def open_private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, where the platform can, and return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, replacing an older one in one step."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    draft.replace(path)


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
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in source_name)
    folder = open_private_folder(open_private_folder(private_folder) / "quarantine")
    folder = open_private_folder(folder / name)
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
