"""The score of another instrument at a time point, against which change is held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from outcomes.analyses._grid import Grid
from outcomes.cohort import Cohort
from outcomes.cohort.grid import find_follow_up, gather_rows
from outcomes.errors import AnalysisError
from outcomes.facts import Instrument, read_facts, read_instrument


@dataclass(frozen=True)
class Anchor:
    """A rating of change, or any other instrument, at one time point."""

    #: ``id`` or ``id:variant``.
    name: str
    instrument: Instrument
    #: One per episode of the grid; missing where not rated then.
    score: np.ndarray


def read_anchor(cohort: Cohort, grid: Grid, name: str | None, timepoint: str) -> Anchor:
    """Return the scores of an anchor, by the rule by which a follow-up score is chosen.

    Where no name is given, the only recorded rating of change is the anchor.
    """
    table, looking_back = cohort.assessments, read_facts("cohort")["domains_without_baseline"]
    others = [entry for entry in _list_measures(table) if entry != cohort.outcome]
    ratings = [entry for entry in others if read_instrument(entry).domain in looking_back]
    name = ratings[0] if name is None and len(ratings) == 1 else name
    if name not in others:
        raise AnalysisError(
            f"There is no anchor {name!r} in this cohort; name one of: {', '.join(others) or 'none'}."
        )
    id, _, variant = name.partition(":")
    own = table["variant"] == variant if variant else table["variant"].isna()
    rows = gather_rows(
        table[(table["instrument"] == id) & own & table["score"].notna()],
        grid.episodes["episode_id"],
        cohort.timepoints,
    )
    code = list(cohort.timepoints).index(timepoint)
    found = find_follow_up(rows, cohort.timepoints[timepoint], code, len(grid.patient))
    return Anchor(name, read_instrument(name), np.append(rows.score, np.nan)[found])


def _list_measures(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return []
    pairs = table[["instrument", "variant"]].drop_duplicates().astype("object").itertuples(index=False)
    return sorted(f"{id}:{variant}" if isinstance(variant, str) else str(id) for id, variant in pairs)


def correlate_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation; missing where one does not vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
