"""Outcomes period by period, as a control chart: is it still the same care with the same results?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._charts import OBSERVED, Measured, Signal, find_signals, measure_outcome
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    conclude_nothing,
    label_timepoint,
    say,
)
from outcomes.analyses._grid import Grid, Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.cohort.grid import find_bounds
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.result import ALL, Result, Support

__all__ = ["monitor_periods"]

_FREQUENCIES = {"month": "M", "quarter": "Q", "year": "Y"}
#: What a row says of a period; its chart has limits in place of an interval.
_KEPT = ("estimate", "std_error", "n", "state")


@dataclass(frozen=True)
class _Period:
    """One period."""

    #: Such as ``2024Q1``.
    name: str
    #: ``baseline``, ``later`` or ``open`` (its follow-up had not ended when the records were taken).
    role: str
    #: Positions of its episodes, of those with an outcome, and of those due.
    members: np.ndarray
    seen: np.ndarray
    due: np.ndarray
    #: The patients behind its number, and the columns of that.
    support: Support
    found: Mapping[str, Any]

    @property
    def patients(self) -> np.ndarray:
        """The distinct patients seen."""
        return self.support["all"]

    @property
    def value(self) -> float:
        """The improvement or the share; missing where it is not estimated."""
        return float(self.found.get("estimate", np.nan))


@dataclass(frozen=True)
class _Chart:
    """Centre and standard deviation of a patient, from the baseline periods."""

    centre: float
    sd: float

    def measure_error(self, n: int, multiple: int) -> float:
        """Return the standard error of a period, its number of patients rounded."""
        return float(self.sd / np.sqrt(max(multiple, np.floor(n / multiple + 0.5) * multiple)))


def monitor_periods(
    cohort: Cohort,
    *,
    every: str = "quarter",
    timepoint: str | None = None,
    measured: str = "improvement",
    threshold: str | None = None,
) -> Result:
    """Follow an outcome by the period in which therapy started, as a control chart.

    Centre and limits come from the first periods, the baseline (means: pooled standard deviation within
    periods; shares: binomial), three standard errors by each period's number of patients. Signals follow the
    rules of ``facts/monitoring.toml``. A period whose follow-up was still open when the records were taken
    is shown and signals nothing: those who come back early may differ from those to come.

    Parameters
    ----------
    cohort : Cohort
    every : str
        ``month``, ``quarter`` or ``year`` of time zero.
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.
    measured : str
        ``improvement`` (mean; positive is better, whatever the direction of the instrument) or
        ``responders`` (share that reaches a threshold).
    threshold : str, optional
        For ``responders``, as in `outcomes.analyses.responders.count_responders`.

    Returns
    -------
    Result
        Per period (``group``, such as ``2024Q1``): ``mean_improvement`` of all who began, as in
        `outcomes.analyses.change.summarise_change`, or ``share_improved`` of those seen, with ``term``
        ``baseline``, ``later`` or ``open``; per closed period ``share_seen`` of those due and, where there
        are baseline periods enough, ``control_limit`` (shares: ``control_limit_share``) and one row
        ``signal`` per rule that it fulfils (``level`` the rule, ``term`` ``better`` or ``worse``). For
        ``all`` with ``term`` ``baseline`` the centre.

    Raises
    ------
    AnalysisError
        When there is no such period, follow-up, outcome or threshold.
    """
    sizes = read_facts("monitoring")["periods"]["sizes"]
    if every not in sizes:
        raise AnalysisError(f"Periods are a {', a '.join(sizes)}; {every!r} is none of them.")
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort)
    outcome = measure_outcome(cohort, grid, timepoint, measured, threshold)
    starts = pd.to_datetime(grid.episodes.get("start_date", pd.Series(pd.NaT, grid.episodes.index)))
    if outcome.reason or starts.isna().all():
        return conclude_nothing("trend", cohort, outcome.reason or say("trend.no_dates"))
    periods = _divide(cohort, outcome, starts, every, timepoint)
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint)
    chart = _set_limits(periods, outcome, every)
    _add_periods(rows, outcome, periods)
    if chart is not None:
        _add_chart(rows, outcome, periods, chart)
    facts = read_facts("monitoring")["periods"]
    method = say(
        f"trend.method_{measured}",
        time=label_timepoint(cohort, timepoint),
        every=say(f"trend.every.{every}"),
        baseline=facts["baseline"][every],
        rule=outcome.rule,
        **{key: facts["rules"][key] for key in ("shift", "trend", "name", "source")},
    )
    warnings = [say("trend.few_periods", needed=facts["baseline"][every])] if chart is None else []
    return conclude("trend", cohort, rows, method=method, warnings=[*warnings, say("trend.description")])


def _divide(
    cohort: Cohort, outcome: Measured, starts: pd.Series, every: str, timepoint: str
) -> list[_Period]:
    """Return the periods in order, those of whom anybody was seen."""
    grid = outcome.grid
    period = starts.dt.to_period(_FREQUENCIES[every]).reset_index(drop=True)
    closes = _find_closing(cohort, grid, timepoint)
    needed = read_facts("monitoring")["periods"]["baseline"][every]
    periods, n_closed = list[_Period](), 0
    for name in sorted(period.dropna().unique()):
        members = np.flatnonzero((period == name).to_numpy(dtype=bool))
        seen, due = outcome.find_seen(members), outcome.find_due(members)
        if not len(seen):
            continue
        is_open = name.end_time > closes or len(due) < len(members)
        role = "open" if is_open else "baseline" if n_closed < needed else "later"
        n_closed += not is_open
        periods.append(_Period(str(name), role, members, seen, due, *outcome.describe(members)))
    return periods


def _find_closing(cohort: Cohort, grid: Grid, timepoint: str) -> pd.Timestamp:
    """Return the last day of time zero whose follow-up had ended when the records were taken."""
    episodes = grid.episodes
    if "observable_days" not in episodes or episodes["observable_days"].isna().all():
        return pd.Timestamp.max
    days = pd.to_timedelta(episodes["observable_days"].astype("float64"), unit="D")
    taken = (pd.to_datetime(episodes["start_date"]) + days).max()
    nobody = np.zeros(1)
    closes = find_bounds({timepoint: cohort.timepoints[timepoint]}, nobody)[1][0, 0]
    # The day itself counts: whoever started then has just reached the end of the window.
    return taken - pd.Timedelta(days=float(closes)) + pd.Timedelta(days=1)


def _set_limits(periods: list[_Period], outcome: Measured, every: str) -> _Chart | None:
    """Return the chart that the baseline periods give; None where they are too few or all alike."""
    baseline = [period for period in periods if period.role == "baseline"]
    if len(baseline) < read_facts("monitoring")["periods"]["baseline"][every]:
        return None
    values = [outcome.values[period.seen] for period in baseline]
    centre = outcome.describe(_join_members(baseline))[1].get("estimate", np.nan)
    if outcome.is_share:
        sd = float(np.sqrt(centre * (1 - centre)))
    else:
        free = sum(len(held) - 1 for held in values)
        spread = sum(float(((held - held.mean()) ** 2).sum()) for held in values)
        sd = float(np.sqrt(spread / free)) if free else 0.0
    return _Chart(centre, sd) if sd > 0 and not np.isnan(centre) else None


def _join_members(periods: list[_Period]) -> np.ndarray:
    return np.sort(np.concatenate([period.members for period in periods]))


def _add_periods(rows: Rows, outcome: Measured, periods: list[_Period]) -> None:
    for period in periods:
        named = outcome.name(*OBSERVED)
        place = {"term": period.role, "group": period.name}
        found = {key: period.found[key] for key in _KEPT if key in period.found}
        rows.add(period.support, **named, **place, **found)
        if period.role != "open":
            outcome.add_share_seen(rows, period.due, group=period.name)


def _add_chart(rows: Rows, outcome: Measured, periods: list[_Period], chart: _Chart) -> None:
    facts = read_facts("monitoring")["periods"]
    sets, _ = outcome.describe(_join_members([period for period in periods if period.role == "baseline"]))
    named = outcome.name(*OBSERVED)
    rows.add(sets, **named, term="baseline", group=ALL, estimate=chart.centre, n=len(sets["all"]))
    named = outcome.name("control_limit", "control_limit_share")
    multiple, width = int(facts["limits"]["multiple"]), float(facts["limits"]["standard_errors"])
    ends = (0.0, 1.0) if outcome.is_share else (-np.inf, np.inf)
    closed = [period for period in periods if period.role != "open" and not np.isnan(period.value)]
    errors = [chart.measure_error(len(period.patients), multiple) for period in closed]
    for period, error in zip(closed, errors, strict=True):
        low, high = np.clip([chart.centre - width * error, chart.centre + width * error], *ends)
        columns = {"estimate": chart.centre, "conf_low": low, "conf_high": high, "n": len(period.patients)}
        rows.add(outcome.support(period.seen), **named, group=period.name, **columns)
    z = [(period.value - chart.centre) / error for period, error in zip(closed, errors, strict=True)]
    values = [period.value for period in closed]
    for signal in find_signals(z, values, {**facts["rules"], **facts["limits"]}):
        _add_signal(rows, outcome, closed, signal)


def _add_signal(rows: Rows, outcome: Measured, closed: list[_Period], signal: Signal) -> None:
    """Add a signal; it tells something of every period that makes it, so each must have patients enough."""
    period = closed[signal.point]
    sets = {"all": period.patients}
    for place in signal.points:
        held = outcome.support(closed[place].seen)
        sets |= {f"{name}_{closed[place].name}": patients for name, patients in held.items()}
    named = {"group": period.name, "level": signal.rule, "term": "better" if signal.better else "worse"}
    rows.add(sets, statistic="signal", **named, estimate=1.0, n=len(period.patients), unit="")
