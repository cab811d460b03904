"""Snapshots on disk: what a release keeps privately, so that the next one can say what changed since."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd

from outcomes.analyses._snapshot import TABLES, Snapshot
from outcomes.errors import ReportError
from outcomes.facts import read_schema
from outcomes.records.private_files import open_private_folder, write_private_file

_ABOUT, _HEADLINE = "snapshot.json", "headline.parquet"


def write_snapshot(snapshot: Snapshot, folder: Path) -> Path:
    """Write a snapshot into a folder of its own, for its owner only.

    What says that it is whole is written last, so that a snapshot that was broken off counts as none.

    Parameters
    ----------
    snapshot : Snapshot
    folder : Path
        Made where it is absent.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ReportError
        When it cannot be written (exit code 9).
    """
    try:
        open_private_folder(folder)
        (folder / _ABOUT).unlink(missing_ok=True)
        for name in TABLES:
            write_private_file(folder / f"{name}.parquet", _to_bytes(snapshot.tables[name]))
        write_private_file(folder / _HEADLINE, _to_bytes(snapshot.headline))
        about = {
            "label": snapshot.label, "definitions": dict(snapshot.definitions), "files": dict(snapshot.files),
        }  # fmt: skip
        write_private_file(folder / _ABOUT, json.dumps(about, ensure_ascii=False).encode("utf-8"))
    except OSError as error:
        raise ReportError(
            f"What this release keeps for the next one cannot be written ({error.strerror}).", exit_code=9
        ) from None
    return folder


def _to_bytes(table: pd.DataFrame) -> bytes:
    held = io.BytesIO()
    table.to_parquet(held, index=False, compression="zstd")
    return held.getvalue()


def read_snapshot(folder: Path) -> Snapshot | None:
    """Read a snapshot back; None where there is none that is whole.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ReportError
        When there is one and it cannot be read (exit code 9): without it nobody could say what changed.
    """
    if not (folder / _ABOUT).is_file():
        return None
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        tables = {
            name: _hold_as_records(pd.read_parquet(folder / f"{name}.parquet"), name) for name in TABLES
        }
        headline = pd.read_parquet(folder / _HEADLINE)
        return Snapshot(tables, headline, about["definitions"], about["files"], about["label"])
    except (OSError, ValueError, KeyError):
        raise ReportError(
            "What the last release kept cannot be read; remove its folder 'snapshot' in the private folder, and "
            "the next release has nothing to compare with.",
            exit_code=9,
        ) from None


def _hold_as_records(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with its columns held as those of records are; Parquet loses some of that."""
    held = {}
    for column, spec in read_schema()[name].items():
        if column not in table:
            continue
        if spec.type in ("category", "id"):
            held[column] = table[column].astype("str").astype("category")
        elif spec.type == "date":
            held[column] = table[column].astype("datetime64[s]")
    return table.assign(**held)
