"""Records written as text tables, so that every cohort can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes import read_records
from outcomes.facts import FileSpec, Source
from outcomes.facts.source import build_source
from outcomes.records.tables import Records
from outcomes.synthetic.clinic import complete_columns

PRIMARY = {"instrument": "nprs", "timepoint": "month_3", "reference": "usual_care", "covariates": []}


def write_records(
    episodes: str, assessments: str, *, sessions: str = "", events: str = "", **source: Any
) -> Records:
    """Write records as tables with a header line; ``.`` is missing.

    Episodes without ``patient_id`` are patients of their own, those without ``therapy`` have usual care, and
    assessments without ``instrument`` are pain (``nprs``).
    """
    held = read_table(episodes)
    held["patient_id"] = held["patient_id"] if "patient_id" in held else held["episode_id"]
    held["therapy"] = held.get("therapy", "usual_care")
    scores = read_table(assessments)
    scores["instrument"] = scores.get("instrument", "nprs")
    tables = {
        "episodes": held,
        "assessments": scores,
        "sessions": read_table(sessions or "episode_id day"),
        "events": read_table(events or "episode_id day event"),
    }
    declared = {
        "name": "by-hand",
        "label": "By hand",
        "files": (FileSpec("x.csv", "episode"),),
        "primary": PRIMARY,
    }
    n_read = len(held)
    return Records(
        source=Source(**{**declared, **source}),
        **{name: complete_columns(_type_columns(table), name) for name, table in tables.items()},
        refused=pd.DataFrame(), findings=(), unmapped={}, n_read=n_read, n_accepted=n_read, n_refused=0,
        fingerprint="by-hand",
    )  # fmt: skip


def read_table(text: str) -> pd.DataFrame:
    """Return a frame of text, with None where there is a dot."""
    header, *lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    frame = pd.DataFrame(lines, columns=header, dtype="object")
    return frame.where(frame != ".", None)


def _type_columns(table: pd.DataFrame) -> pd.DataFrame:
    numbers = (
        "day",
        "score",
        "age_years",
        "observable_days",
        "discharge_day",
        "n_sessions",
        "minutes",
        "bmi",
    )
    typed = {name: pd.to_numeric(table[name]) for name in numbers if name in table}
    if "start_date" in table:
        typed["start_date"] = pd.to_datetime(table["start_date"])
    if "previous_episodes" in table:
        typed["previous_episodes"] = (
            table["previous_episodes"].map({"yes": True, "no": False}).astype("boolean")
        )
    return table.assign(**typed)


def lay_grid(cohort: Any, column: str = "score") -> pd.DataFrame:
    """Return one column of a cohort's grid as episodes x time points."""
    table = cohort.table.assign(timepoint=cohort.table["timepoint"].astype("str"))
    wide = table.pivot(index="episode_id", columns="timepoint", values=column)
    return wide[list(cohort.timepoints)]


def assert_grid(cohort, column: str, expected: str) -> None:
    """Compare a column of the grid with a text table whose first column is the episode."""
    wanted = read_table(expected).set_index("episode_id")
    found = lay_grid(cohort, column).loc[wanted.index, wanted.columns]
    for name in wanted.columns:
        told = [None if pd.isna(value) else value for value in found[name]]
        meant = [None if pd.isna(value) else value for value in wanted[name]]
        if column != "status":
            meant = [None if value is None else float(value) for value in meant]
        assert told == meant, f"{column} at {name}"


def make_block_reader(folder: Path) -> Callable[..., Records]:
    """Return what reads a table by one block of a source, from and into a folder."""

    def read_table(table: pd.DataFrame, block: dict) -> Records:
        table.to_csv(folder / "a.csv", index=False)
        content = {
            "name": "by-hand",
            "label": "by hand",
            "max_refused_share": 1.0,
            "k_min": 0,
            "file": [block],
        }
        source = build_source(content, "by-hand.toml")
        return read_records(source, folder, private_folder=folder / "private")

    return read_table
