"""Effect sizes: standardised response mean, standardised effect size, Hedges g."""

from __future__ import annotations

import numpy as np

from outcomes.analyses._declaration import (
    explain_no_improvement,
    label_timepoint,
    list_follow_ups,
    percent,
    say,
    trace_provenance,
)
from outcomes.analyses._effect_size import bootstrap_ses, estimate_hedges_g, estimate_standardised_mean
from outcomes.analyses._grid import Grid, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses._rows import Rows
from outcomes.analyses.comparability import check_comparability, check_follow_up
from outcomes.cohort import Cohort, list_patients
from outcomes.errors import AnalysisError
from outcomes.result import Result, build_result

__all__ = ["estimate_effect_sizes"]


def estimate_effect_sizes(
    cohort: Cohort,
    *,
    by: str = "therapy",
    conf_level: float = 0.95,
    resamples: int = 2000,
    seed: int = 20261123,
) -> Result:
    """Estimate effect sizes of improvement, within groups and between each group and the reference.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of each interval, a proportion.
    resamples, seed : int
        Of the bootstrap of the standardised effect size.

    Returns
    -------
    Result
        Per group, then for ``all``, and follow-up ``srm`` (mean over standard deviation of improvement;
        noncentral t interval) and ``ses`` (mean improvement over the standard deviation at baseline of the
        same patients; bootstrap interval); per comparable follow-up and group against the reference
        ``hedges_g`` of improvement, not adjusted. In standard deviations; patients seen who have a baseline
        score. No spread: ``degenerate``. Improvement not defined (no score at the start, no direction): no
        rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, there is no such column, or no bootstrap can be drawn.
    """
    check_level(conf_level)
    if not all(isinstance(value, int) for value in (resamples, seed)) or resamples < 100 or seed < 0:
        raise AnalysisError("resamples is a whole number of at least 100, seed one of at least 0.")
    absent = explain_no_improvement(cohort)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, unit="sd")
    gate = check_comparability(cohort, by=by)
    for column, timepoint in () if absent else grid.follow_ups:
        amount = grid.improvement[:, column]
        for group, members in grid.members():
            held = members[~np.isnan(amount[members])]
            _add_within(rows, grid, group, timepoint, held, amount, conf_level, resamples, seed)
    warnings = [*gate.warnings, absent or say("effect_sizes.description")]
    for timepoint in () if absent else list_follow_ups(cohort, comparable=True):
        short = gate.comparable and timepoint != cohort.primary
        if short and not check_follow_up(cohort, by, grid, timepoint):
            warnings.append(say("comparison.not_followed_up", time=label_timepoint(cohort, timepoint)))
            _add_between(rows, cohort, grid, timepoint, conf_level, "too_few")
        else:
            _add_between(rows, cohort, grid, timepoint, conf_level, "ok")
    return build_result(
        "effect_sizes", rows.table, support=rows.support,
        patients=list_patients(cohort.records), provenance=trace_provenance(cohort),
        warnings=warnings, method=say("effect_sizes.method", level=percent(conf_level), resamples=resamples),
        comparable=gate.comparable,
    )  # fmt: skip


def _add_within(
    rows: Rows, grid: Grid, group: str, timepoint: str, held: np.ndarray, amount: np.ndarray,
    conf_level: float, resamples: int, seed: int,
) -> None:  # fmt: skip
    patients = grid.patients(held)
    place = {"group": group, "timepoint": timepoint, "n": len(patients)}
    srm = estimate_standardised_mean(amount[held], len(patients), conf_level)
    ses = bootstrap_ses(amount[held], grid.baseline[held], grid.patient[held], conf_level, resamples, seed)
    rows.add({"all": patients}, statistic="srm", **place, **srm)
    rows.add({"all": patients}, statistic="ses", **place, **ses)


def _add_between(
    rows: Rows, cohort: Cohort, grid: Grid, timepoint: str, conf_level: float, state: str
) -> None:
    if cohort.reference not in grid.groups:
        return
    amount = grid.improvement[:, grid.column(timepoint)]
    held = {name: members[~np.isnan(amount[members])] for name, members in grid.members()}
    second = held[cohort.reference]
    versus = grid.patients(second)
    for name in grid.groups:
        if name == cohort.reference:
            continue
        patients = grid.patients(held[name])
        found = {"state": state}
        if state == "ok":
            found = estimate_hedges_g(
                amount[held[name]], amount[second], len(patients), len(versus), conf_level
            )
        rows.add(
            {"group": patients, "versus": versus}, statistic="hedges_g", group=name, versus=cohort.reference,
            timepoint=timepoint, n=len(patients), n_versus=len(versus), **found,
        )  # fmt: skip
