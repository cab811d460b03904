"""What sites and periods are measured by: mean improvement, or the share that reached a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from outcomes.analyses._declaration import explain_no_improvement, say
from outcomes.analyses._grid import Grid, Rows
from outcomes.analyses._interval import estimate_mean, estimate_share
from outcomes.analyses._thresholds import choose_threshold, describe_threshold, mark_improved
from outcomes.cohort import STATUSES, Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Listing, Text

#: What may be measured.
MEASURED = ("improvement", "responders")


@dataclass(frozen=True)
class Measured:
    """The outcome of every episode at one time point."""

    grid: Grid
    #: Position of the time point.
    column: int
    #: ``improvement`` or ``responders``.
    kind: str
    #: Improvement, or 1 and 0; missing where it was not seen or has no score at the start; shape (E,).
    values: np.ndarray
    #: The threshold in words.
    rule: Text | Listing | None = None
    #: Why nothing is measured, if so.
    reason: Text | None = None

    @property
    def is_share(self) -> bool:
        """Whether its mean is a share."""
        return self.kind == "responders"

    def find_seen(self, members: np.ndarray) -> np.ndarray:
        """Return those of some episodes, given by position, that have an outcome."""
        return members[~np.isnan(self.values[members])]

    def find_due(self, members: np.ndarray) -> np.ndarray:
        """Return those of some episodes whose time point had closed."""
        return members[self.grid.due[members, self.column]]

    def support(self, seen: np.ndarray) -> dict[str, np.ndarray]:
        """Return the distinct patients behind the mean of some episodes; of a share both sides too."""
        if self.is_share:
            return self.grid.split(seen, self.values[seen] == 1)
        return {"all": self.grid.patients(seen)}

    def name(self, improvement: str, share: str) -> dict[str, str]:
        """Return the columns that name a statistic, by what is measured."""
        return {"statistic": share, "unit": "proportion"} if self.is_share else {"statistic": improvement}

    def add_observed(self, rows: Rows, seen: np.ndarray, **place: Any) -> None:
        """Add the mean or share of some episodes with its 95 % interval."""
        sets = self.support(seen)
        if self.is_share:
            found = estimate_share(int(self.values[seen].sum()), len(seen), len(sets["all"]), 0.95)
        else:
            found = estimate_mean(self.values[seen], self.grid.patient[seen], 0.95, self.grid.one_each)
            if found["state"] == "boundary":
                found["std_error"] = 0.0  # what all have the same is not shown
        rows.add(sets, **self.name("mean_improvement", "share_improved"), **place, **found)

    def add_share_seen(self, rows: Rows, due: np.ndarray, **place: Any) -> None:
        """Add the share seen of some episodes that were due."""
        seen = self.grid.status[due, self.column] == STATUSES.index("seen")
        rows.add_share(self.grid, due, seen, 0.95, statistic="share_seen", **place)


def measure_outcome(
    cohort: Cohort, grid: Grid, timepoint: str, measured: str, threshold: str | None
) -> Measured:
    """Measure one of `MEASURED` of every episode; the threshold is that of the source where none is named."""
    if measured not in MEASURED:
        raise AnalysisError(f"What is measured is {' or '.join(MEASURED)}; {measured!r} is neither.")
    column = grid.column(timepoint)
    reason = explain_no_improvement(cohort)
    if reason is None and measured == "improvement":
        return Measured(grid, column, measured, grid.improvement[:, column])
    chosen = choose_threshold(cohort, threshold) if reason is None else None
    if chosen is None:
        reason = reason or say("responders.none", instrument=cohort.instrument.called_short)
        return Measured(grid, column, measured, np.full(len(grid.patient), np.nan), reason=reason)
    improved, _, defined = (mark[:, column] for mark in mark_improved(cohort, grid, chosen))
    reached = np.where(defined & grid.based, improved.astype(float), np.nan)
    return Measured(grid, column, measured, reached, describe_threshold(cohort, chosen))
