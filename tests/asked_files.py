"""One file read as one source: what it gives, and what is asked before it gives anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import RecordsError
from outcomes.facts import read_instrument
from outcomes.facts.source import build_source
from outcomes.records import Records, read_records

TIMES = ("baseline", "week_6", "month_3")


def read_table(folder: Path, table: pd.DataFrame | str, block: Mapping[str, Any], **content: Any) -> Records:
    """Write a table as CSV and read it by a block of a source."""
    text = table if isinstance(table, str) else table.to_csv(index=False)
    (folder / "x.csv").write_text(text, encoding="utf-8")
    told = {"name": "by-hand", "label": "by hand", "max_refused_share": 1.0, "k_min": 0, **content}
    source = build_source({**told, "file": [{"path": "x.csv", "rows": "episode", **block}]}, "by-hand.toml")
    return read_records(source, folder, run_date="2026-11-23", private_folder=folder / "private")


def list_asked(
    folder: Path, table: pd.DataFrame | str, block: Mapping[str, Any], **content: Any
) -> dict[str, str]:
    """Return the questions that a file meets, each with its text; none where it is read."""
    try:
        read_table(folder, table, block, **content)
    except RecordsError as error:
        return {it.rule: f"{it.what}\n{it.remedy}" for it in error.findings if it.outcome == "ask"}
    return {}


def describe_scores(names: Sequence[str], times: Sequence[str] = TIMES) -> list[dict[str, Any]]:
    """Return the blocks of measures whose columns are called ``<measure> <time point>``."""
    split = [(name, *name.partition(":")[::2]) for name in names]
    return [
        {"instrument": id, "timepoint": time, "column": f"{name} {time}"}
        | ({"variant": variant} if variant else {})
        for name, id, variant in split
        for time in times
    ]


def draw_wide(
    names: Sequence[str], n: int, *, seed: int = 1, start: float = 0.5, gain: float = 0.12
) -> pd.DataFrame:
    """Draw patients who get somewhat better, one a row: no measure comes near the best score."""
    rng = np.random.default_rng(seed)
    burden = np.clip(rng.normal(start, 0.1, n), 0.3, 0.95)
    table = pd.DataFrame({"id": [f"p{i}" for i in range(n)]})
    for name in names:
        instrument = read_instrument(name)
        for visit, time in enumerate(TIMES):
            share = burden - visit * gain / 2 + rng.normal(0, 0.04, n)
            share = np.clip(np.where(share < 0.2, 0.4 - share, share), 0.2, 0.95)  # no heap at 0.2
            share = share if instrument.direction == "higher_worse" else 1 - share
            score = instrument.minimum + share * (instrument.maximum - instrument.minimum)
            step = instrument.step or 0.1
            steps = np.round((score - instrument.minimum) / step)
            table[f"{name} {time}"] = np.round(instrument.minimum + steps * step, 2)
    return table


def mean_of(records: Records, time: str, instrument: str) -> float:
    """Return the mean score of a measure at a time point."""
    scores = records.assessments
    return float(scores[(scores["timepoint"] == time) & (scores["instrument"] == instrument)]["score"].mean())
