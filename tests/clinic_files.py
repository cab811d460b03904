"""Small files of a clinic, written and read as one source."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes.errors import Finding, RecordsError
from outcomes.facts.source import build_source
from outcomes.records import Records, read_records

RUN_DATE = "2026-11-30"
_NUMBERS = itertools.count()


def score(timepoint: str | None, column: str, instrument: str = "odi", **more: Any) -> dict[str, Any]:
    """Return the block of one score column."""
    block = {"instrument": instrument, "timepoint": timepoint, "column": column, **more}
    return {name: value for name, value in block.items() if value is not None}


#: One row a patient: ODI at the start and at three months.
WIDE: dict[str, Any] = {
    "path": "*.csv",
    "rows": "episode",
    "columns": {"patient_id": "id", "therapy": "therapy"},
    "scores": [score("baseline", "odi0"), score("month_3", "odi3")],
}


def read_clinic(
    folder: Path, files: Mapping[str, str | pd.DataFrame], *blocks: Mapping[str, Any], **source: Any
) -> Records:
    """Write files into a new folder and read them by some ``[[file]]`` blocks."""
    place = folder / f"clinic{next(_NUMBERS)}"
    place.mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else content.to_csv(index=False, lineterminator="\n")
        (place / name).write_text(text, encoding="utf-8")
    return read_place(place, *blocks, private=folder / "private", **source)


def read_place(place: Path, *blocks: Mapping[str, Any], private: Path, **source: Any) -> Records:
    """Read a folder or file as a source of some blocks."""
    declared = {
        "name": "clinic", "label": "A clinic", "k_min": 0, "max_refused_share": 1.0,
        "primary": {"instrument": "odi", "timepoint": "month_3"}, **source,
    }  # fmt: skip
    built = build_source({**declared, "file": [dict(block) for block in blocks]}, "clinic.toml")
    return read_records(built, place, run_date=RUN_DATE, private_folder=private)


def list_asked(read: Any) -> list[Finding]:
    """Return the questions that a reading ends with; none where it goes through."""
    try:
        read()
    except RecordsError as error:
        return [finding for finding in error.findings if finding.outcome == "ask"]
    return []


def list_rules(records: Records, outcome: str) -> set[str]:
    """Return the rules with findings of an outcome."""
    return {finding.rule for finding in records.findings if finding.outcome == outcome}


def extend(block: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a block with more columns and keys."""
    columns = {**block.get("columns", {}), **more.pop("columns", {})}
    return {**block, **more, "columns": columns}
