"""Outcomes period by period, as a control chart: is it still the same care with the same results?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._control_chart import Signal, find_signals
from outcomes.analyses._declaration import (
    choose_timepoint,
    explain_no_improvement,
    label_timepoint,
    say,
    trace_provenance,
)
from outcomes.analyses._grid import ALL, Grid, arrange_grid
from outcomes.analyses._interval import estimate_share
from outcomes.analyses._rows import Rows
from outcomes.analyses._thresholds import choose_threshold, describe_threshold, mark_improved
from outcomes.cohort import STATUSES, Cohort
from outcomes.cohort.grid import find_bounds
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.result import Result, build_result

__all__ = ["monitor_periods"]

_MEASURED = ("improvement", "responders")
_FREQUENCIES = {"month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class _Period:
    """One period.

    Parameters
    ----------
    name : str
        Such as ``2024Q1``.
    role : str
        ``baseline``, ``later`` or ``open`` (its follow-up had not ended when the records were taken).
    seen, due : array of int
        Positions of its episodes with an outcome, and of those due.
    value : float
    patients : array of int
    """

    name: str
    role: str
    seen: np.ndarray
    due: np.ndarray
    value: float
    patients: np.ndarray


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
        Per period (``group``, such as ``2024Q1``): ``mean_improvement`` or ``share_improved`` with ``term``
        ``baseline``, ``later`` or ``open``; per closed period ``share_seen`` of those due and, where there
        are baseline periods enough, ``control_limit`` (shares: ``control_limit_share``; ``conf_low`` and
        ``conf_high``) and one row ``signal`` per rule that it fulfils (``level`` the rule, ``term``
        ``better`` or ``worse``). For ``all`` with ``term`` ``baseline`` the centre. A period of whom nobody
        was seen has no row.

    Raises
    ------
    AnalysisError
        When there is no such period, follow-up, outcome or threshold.
    """
    sizes = read_facts("monitoring")["periods"]["sizes"]
    if every not in sizes:
        raise AnalysisError(f"Periods are a {', a '.join(sizes)}; {every!r} is none of them.")
    if measured not in _MEASURED:
        raise AnalysisError(f"Periods are followed by {' or '.join(_MEASURED)}, not by {measured!r}.")
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort)
    outcome, rule, reason = _measure(cohort, grid, timepoint, measured, threshold)
    starts = pd.to_datetime(grid.episodes["start_date"]) if "start_date" in grid.episodes else None
    if not reason and (starts is None or starts.isna().all()):
        reason = say("trend.no_dates")
    if reason or starts is None:
        return build_result(
            "trend", [], method=reason, warnings=[reason], provenance=trace_provenance(cohort)
        )
    periods = _divide(cohort, grid, starts, outcome, every, timepoint)
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint)
    chart = _set_limits(periods, outcome, measured, every)
    _add_periods(rows, grid, periods, outcome, measured, timepoint)
    if chart is not None:
        _add_chart(rows, grid, periods, chart, outcome, measured)
    facts = read_facts("monitoring")["periods"]
    method = say(
        f"trend.method_{measured}", time=label_timepoint(cohort, timepoint),
        every=say(f"trend.every.{every}"), baseline=facts["baseline"][every], rule=rule,
        source=facts["rules"]["source"],
        **{key: facts["rules"][key] for key in ("shift", "trend", "name")},
    )  # fmt: skip
    warnings = [say("trend.few_periods", needed=facts["baseline"][every])] if chart is None else []
    return build_result(
        "trend", rows.table, support=rows.support, method=method, provenance=trace_provenance(cohort),
        warnings=[*warnings, say("trend.description")],
    )  # fmt: skip


def _measure(
    cohort: Cohort, grid: Grid, timepoint: str, measured: str, threshold: str | None
) -> tuple[np.ndarray, str, str]:
    """Return each episode's outcome (missing where it has none), the rule in words, and why there is none."""
    column = grid.column(timepoint)
    nothing = np.full(len(grid.patient), np.nan)
    reason = explain_no_improvement(cohort)
    if reason:
        return nothing, "", reason
    if measured == "improvement":
        return grid.improvement[:, column], "", ""
    chosen = choose_threshold(cohort, threshold)
    if chosen is None:
        return nothing, "", say("responders.none", instrument=cohort.instrument.short_name)
    improved, _, defined = (mark[:, column] for mark in mark_improved(cohort, grid, chosen))
    return np.where(defined, improved.astype(float), np.nan), describe_threshold(cohort, chosen), ""


def _divide(
    cohort: Cohort, grid: Grid, starts: pd.Series, outcome: np.ndarray, every: str, timepoint: str
) -> list[_Period]:
    """Return the periods in order, those of whom anybody was seen."""
    period = starts.dt.to_period(_FREQUENCIES[every]).reset_index(drop=True)
    closes = _find_closing(cohort, grid, timepoint)
    needed = read_facts("monitoring")["periods"]["baseline"][every]
    column, periods, n_closed = grid.column(timepoint), list[_Period](), 0
    for name in sorted(period.dropna().unique()):
        members = np.flatnonzero((period == name).to_numpy(dtype=bool))
        seen = members[~np.isnan(outcome[members])]
        if not len(seen):
            continue
        open_ = name.end_time > closes or not grid.due[members, column].all()
        role = "open" if open_ else "baseline" if n_closed < needed else "later"
        n_closed += not open_
        periods.append(
            _Period(
                str(name), role, seen, members[grid.due[members, column]], float(outcome[seen].mean()),
                grid.patients(seen),
            )
        )  # fmt: skip
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


def _set_limits(periods: list[_Period], outcome: np.ndarray, measured: str, every: str) -> _Chart | None:
    """Return the chart that the baseline periods give; None where they are too few or all alike."""
    baseline = [period for period in periods if period.role == "baseline"]
    if len(baseline) < read_facts("monitoring")["periods"]["baseline"][every]:
        return None
    values = [outcome[period.seen] for period in baseline]
    centre = float(np.concatenate(values).mean())
    if measured == "responders":
        sd = float(np.sqrt(centre * (1 - centre)))
    else:
        free = sum(len(held) - 1 for held in values)
        spread = sum(float(((held - held.mean()) ** 2).sum()) for held in values)
        sd = float(np.sqrt(spread / free)) if free else 0.0
    return _Chart(centre, sd) if sd > 0 else None


def _add_periods(
    rows: Rows, grid: Grid, periods: list[_Period], outcome: np.ndarray, measured: str, timepoint: str
) -> None:
    column, seen = grid.column(timepoint), STATUSES.index("seen")
    for period in periods:
        sets = _support(grid, period.seen, outcome, measured)
        rows.add(
            sets, **_name(measured), term=period.role, group=period.name, estimate=period.value,
            n=len(sets["all"]), std_error=_measure_error(outcome[period.seen]),
        )  # fmt: skip
        if period.role == "open":
            continue
        found = grid.status[period.due, column] == seen
        due = {
            "all": grid.patients(period.due), "with": grid.patients(period.due[found]),
            "without": grid.patients(period.due[~found]),
        }  # fmt: skip
        share = estimate_share(int(found.sum()), len(period.due), len(due["all"]), 0.95)
        rows.add(due, statistic="share_seen", group=period.name, **share, unit="proportion")


def _measure_error(values: np.ndarray) -> float:
    """Return the standard error of a mean; of 0, whoever all have the same is not shown."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _name(measured: str, prefix: str = "") -> dict[str, Any]:
    if measured == "improvement":
        return {"statistic": prefix or "mean_improvement"}
    return {"statistic": f"{prefix}_share" if prefix else "share_improved", "unit": "proportion"}


def _support(grid: Grid, seen: np.ndarray, outcome: np.ndarray, measured: str) -> dict[str, np.ndarray]:
    sets = {"all": grid.patients(seen)}
    if measured == "responders":
        has = outcome[seen] == 1
        sets |= {"with": grid.patients(seen[has]), "without": grid.patients(seen[~has])}
    return sets


def _add_chart(
    rows: Rows, grid: Grid, periods: list[_Period], chart: _Chart, outcome: np.ndarray, measured: str
) -> None:
    facts = read_facts("monitoring")["periods"]
    whole = np.concatenate([period.seen for period in periods if period.role == "baseline"])
    sets = _support(grid, whole, outcome, measured)
    rows.add(sets, **_name(measured), term="baseline", group=ALL, estimate=chart.centre, n=len(sets["all"]))
    multiple, width = int(facts["limits"]["multiple"]), float(facts["limits"]["standard_errors"])
    ends = (0.0, 1.0) if measured == "responders" else (-np.inf, np.inf)
    closed = [period for period in periods if period.role != "open"]
    for period in closed:
        margin = width * chart.measure_error(len(period.patients), multiple)
        low, high = np.clip([chart.centre - margin, chart.centre + margin], *ends)
        rows.add(
            _support(grid, period.seen, outcome, measured), **_name(measured, "control_limit"),
            group=period.name, estimate=chart.centre, conf_low=low, conf_high=high, n=len(period.patients),
        )  # fmt: skip
    errors = [chart.measure_error(len(period.patients), multiple) for period in closed]
    z = [(period.value - chart.centre) / error for period, error in zip(closed, errors, strict=True)]
    signals = find_signals(z, [period.value for period in closed], {**facts["rules"], **facts["limits"]})
    for signal in signals:
        _add_signal(rows, grid, closed, signal, outcome, measured)


def _add_signal(
    rows: Rows, grid: Grid, closed: list[_Period], signal: Signal, outcome: np.ndarray, measured: str
) -> None:
    """Add a signal; it tells something of every period that makes it, so each must have patients enough."""
    period = closed[signal.point]
    sets = {"all": period.patients}
    for place in signal.points:
        held = _support(grid, closed[place].seen, outcome, measured)
        sets |= {f"{name}_{closed[place].name}": patients for name, patients in held.items()}
    rows.add(
        sets, statistic="signal", group=period.name, level=signal.rule, unit="",
        term="better" if signal.better else "worse", estimate=1.0, n=len(period.patients),
    )  # fmt: skip
