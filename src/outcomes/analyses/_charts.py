"""What sites and periods are measured by; limits of funnels and control charts, and rules for signals.

Funnel limits and overdispersion after Spiegelhalter 2005 (Stat Med 24:1185, doi 10.1002/sim.1970).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from outcomes.analyses._declaration import explain_no_improvement, say
from outcomes.analyses._expected import describe_course
from outcomes.analyses._grid import Grid, Rows
from outcomes.analyses._interval import estimate_share
from outcomes.analyses._thresholds import choose_threshold, describe_threshold, mark_improved
from outcomes.cohort import STATUSES, Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Instrument, Listing, Text
from outcomes.result import Support

MEASURED = ("improvement", "responders")
#: Statistic of the mean improvement, of the share improved and of the share in a state, as observed.
OBSERVED = ("mean_improvement", "share_improved", "share_in_state")


@dataclass(frozen=True)
class Measured:
    """The outcome of every episode at one time point."""

    grid: Grid
    instrument: Instrument
    #: Position of the time point.
    column: int
    #: ``improvement`` or ``responders``.
    kind: str
    #: Improvement, or 1 and 0; missing where it was not seen or has no score at the start; shape (E,).
    values: np.ndarray
    #: The threshold in words.
    rule: Text | Listing | None = None
    #: Whether the threshold is a score that is reached, not an amount of improvement.
    is_state: bool = False
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
        """Return the distinct patients seen of some episodes; of a share both sides too."""
        if self.is_share:
            return self.grid.split(seen, self.values[seen] == 1)
        return {"all": self.grid.patients(seen)}

    def name(self, improvement: str, share: str, state: str = "") -> dict[str, str]:
        """Return the columns that name a statistic, by what is measured; a state has a name of its own."""
        named = state if state and self.is_state else share
        return {"statistic": named, "unit": "proportion"} if self.is_share else {"statistic": improvement}

    def describe(self, members: np.ndarray) -> tuple[Support, dict[str, Any]]:
        """Return patients and columns of a row: the improvement of all who began, or a share of those seen.

        The improvement is that of `outcomes.analyses._expected`, as every page has it.
        """
        if self.is_share:
            seen = self.find_seen(members)
            sets = self.grid.split(seen, self.values[seen] == 1)
            return sets, estimate_share(int(self.values[seen].sum()), len(seen), len(sets["all"]), 0.95)
        course = describe_course(self.grid, self.instrument, members, self.column, 0.95)
        return course.support, course.improvement

    def add_described(self, rows: Rows, members: np.ndarray, **place: Any) -> None:
        """Add the improvement or the share of some episodes with its 95 % interval."""
        sets, found = self.describe(members)
        rows.add(sets, **self.name(*OBSERVED), **place, **found)

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
        return Measured(grid, cohort.instrument, column, measured, grid.improvement[:, column])
    chosen = choose_threshold(cohort, threshold) if reason is None else None
    if chosen is None:
        reason = reason or say("responders.none", instrument=cohort.instrument.called_short)
        return Measured(
            grid, cohort.instrument, column, measured, np.full(len(grid.patient), np.nan), reason=reason
        )
    improved, _, defined = (mark[:, column] for mark in mark_improved(cohort, grid, chosen))
    reached = np.where(defined & grid.based, improved.astype(float), np.nan)
    rule, is_state = describe_threshold(cohort, chosen), chosen.rule == "state"
    return Measured(grid, cohort.instrument, column, measured, reached, rule, is_state)


def limit_mean(target: float, sd: float, n: np.ndarray, level: float, widening: float = 1.0) -> np.ndarray:
    """Return the lower and upper limit of the mean of n patients, shape (2, n).

    `target` and `sd` are mean and standard deviation of a patient, were all sites alike; `level` is the share
    of sites within the limits by chance alone; `widening` is a factor on the distance from the target.

    >>> limit_mean(10.0, 5.0, np.array([25.0, 100.0]), 0.95).round(2).tolist()
    [[8.04, 9.02], [11.96, 10.98]]
    """
    margin = widening * float(special.ndtri((1 + level) / 2)) * sd / np.sqrt(np.asarray(n, dtype=float))
    return np.array([target - margin, target + margin])


def limit_share(target: float, n: np.ndarray, level: float, widening: float = 1.0) -> np.ndarray:
    """Return the exact lower and upper limit of a share of n patients, shape (2, n).

    The binomial quantile is interpolated between counts, so that limits do not jump from one n to the next.
    """
    n = np.asarray(n, dtype=float)
    ends = []
    for p in ((1 - level) / 2, (1 + level) / 2):
        count = stats.binom.ppf(p, n, target)
        below, reached = stats.binom.cdf(count - 1, n, target), stats.binom.cdf(count, n, target)
        ends.append((count - (reached - p) / (reached - below)) / n)
    return np.clip(target + widening * (np.array(ends) - target), 0.0, 1.0)


def measure_overdispersion(z: np.ndarray, winsorised: float) -> float:
    """Return the mean square of z-scores whose extremes are drawn in; 1 where sites differ by chance alone.

    Limits are widened by the root of it. Drawing in the extremes keeps a site that is truly different from
    hiding itself by widening the limits. `winsorised` is the share at each end that is set to the quantile
    there (linear between neighbours).

    >>> measure_overdispersion(np.array([-1.0, 1.0, -1.0, 1.0]), 0.1)
    1.0
    """
    low, high = np.quantile(z, [winsorised, 1 - winsorised])
    return float((np.clip(z, low, high) ** 2).mean())


@dataclass(frozen=True)
class Signal:
    """A point that chance alone hardly explains."""

    #: Position of the point at which the rule is fulfilled.
    point: int
    #: ``beyond_limits``, ``near_limit``, ``shift`` or ``trend``.
    rule: str
    #: Whether it lies on the side of more improvement.
    better: bool
    #: Positions of all the points that make it.
    points: tuple[int, ...]


def find_signals(z: Sequence[float], values: Sequence[float], rules: Mapping[str, Any]) -> list[Signal]:
    """Find the signals of a control chart, by point and then by rule.

    `z` is the distance of each point from the centre in standard errors, positive for better; `rules` are
    those of ``facts/monitoring.toml``.

    >>> rules = {"standard_errors": 3, "shift": 7, "trend": 7, "near": 2, "near_of": [2, 3]}
    >>> [(s.point, s.rule, s.better) for s in find_signals([0.1, -3.2, 0.4], [5.0, 1.0, 5.2], rules)]
    [(1, 'beyond_limits', False)]
    """
    beyond = [place for place, value in enumerate(z) if abs(value) > rules["standard_errors"]]
    found = [Signal(place, "beyond_limits", z[place] > 0, (place,)) for place in beyond]
    found += _find_near(z, rules)
    found += _find_runs(np.sign(z), int(rules["shift"]), "shift", 0)
    found += _find_runs(np.sign(np.diff(values)), int(rules["trend"]) - 1, "trend", 1)
    order = ("beyond_limits", "near_limit", "shift", "trend")
    return sorted(found, key=lambda signal: (signal.point, order.index(signal.rule)))


def _find_near(z: Sequence[float], rules: Mapping[str, Any]) -> Iterator[Signal]:
    """Find points that complete so many of so many in a row near the same limit."""
    needed, window = rules["near_of"]
    for place in range(len(z)):
        last = range(max(0, place - window + 1), place + 1)
        for side in (1, -1):
            near = tuple(i for i in last if side * z[i] > rules["near"])
            if place in near and len(near) >= needed:
                yield Signal(place, "near_limit", side > 0, near)


def _find_runs(signs: np.ndarray, length: int, rule: str, offset: int) -> Iterator[Signal]:
    """Find the points at which a run of one sign is long enough; a zero ends a run."""
    run = 0
    for place, sign in enumerate(signs):
        run = run + 1 if place and sign == signs[place - 1] and sign != 0 else int(sign != 0)
        if run >= length:
            last = place + offset
            yield Signal(last, rule, bool(sign > 0), tuple(range(last - length + 1 - offset, last + 1)))
