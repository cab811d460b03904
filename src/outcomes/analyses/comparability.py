"""The gate: whether groups may be compared on what was recorded."""

from typing import Any

import numpy as np

from outcomes.analyses._allotment import find_differences_by_chance
from outcomes.analyses._covariates import compare_covariate, list_covariates, measure_imbalance
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    label_covariate,
    label_group,
    label_timepoint,
    percent,
    say,
)
from outcomes.analyses._grid import Grid, Rows, arrange_grid
from outcomes.cohort import EVERY, Cohort
from outcomes.facts import Listing, Text, read_facts
from outcomes.result import Result

__all__ = ["check_comparability"]


def check_comparability(cohort: Cohort, *, by: str = "therapy", timepoint: str | None = None) -> Result:
    """Check whether groups may be compared: enough patients seen, enough of those due, and balance.

    Every group needs so many patients seen and such a share of those due, and no baseline covariate may
    differ by more than a given standardised mean difference between any two groups; see
    ``facts/comparability.toml``. In a randomised design therapies are compared whatever the checks find, and
    the difference at the start is set against what chance usually brings.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.

    Returns
    -------
    Result
        Three rows ``check``: ``term`` is ``n_seen``, ``share_seen`` (proportion of those due) or ``smd``,
        ``level`` the worst group or covariate, ``estimate`` what was found, ``x`` what is needed; an ``smd``
        without an estimate fails. In a randomised design ``smd`` is that of the covariate which is largest
        for what chance brings, without ``x``; ``smd_by_chance`` has, for the team, what 95 % of random
        allotments stay below, and a ``check`` with ``term`` ``chance`` 1 where the difference does too,
        else 0. Last a row ``verdict`` with ``level`` ``comparable``, ``not_comparable``, ``randomised`` or
        ``one_therapy`` and estimate 1 or 0. `Result.comparable` says the same, None for ``one_therapy``.
        Where patients of a source declared randomised have episodes of several therapies, these are no
        parallel groups: ``not_comparable``.

    Raises
    ------
    AnalysisError
        When there is no such follow-up or column.
    """
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint)
    randomised = cohort.source.design == "randomised" and by == "therapy"
    parallel = not (randomised and _has_several_groups(grid))
    allotted = randomised and parallel
    passed = {
        "n_seen": _check_seen(rows, grid, timepoint),
        "share_seen": _check_share(rows, grid, timepoint),
        "smd": (_set_against_chance if allotted else _check_balance)(rows, cohort, grid),
        "timepoint": cohort.timepoints[timepoint].comparable,
        "parallel": parallel,
    }
    verdict = "comparable" if all(passed.values()) else "not_comparable"
    if allotted and passed["timepoint"]:
        verdict = "randomised"
    if len(grid.groups) < 2:
        verdict = "one_therapy"
    comparable = verdict in ("comparable", "randomised")
    everyone = grid.patients(np.arange(len(grid.patient)))
    rows.add_of(everyone, statistic="verdict", level=verdict, estimate=float(comparable))
    return conclude(
        "comparability",
        cohort,
        rows,
        method=_describe(cohort, timepoint, allotted),
        warnings=_explain(cohort, grid, rows, verdict, passed, timepoint, by),
        comparable=None if verdict == "one_therapy" else comparable,
    )


def is_followed_up(cohort: Cohort, by: str, grid: Grid, timepoint: str, gate: Result) -> bool:
    """Return whether enough patients of every group were seen then, where the gate has not said so already.

    True where groups are not comparable anyway, at the primary time point, and in a randomised design.
    """
    randomised = cohort.source.design == "randomised" and by == "therapy"
    if not gate.comparable or timepoint == cohort.primary or randomised:
        return True
    unused = Rows()
    return _check_seen(unused, grid, timepoint) and _check_share(unused, grid, timepoint)


def _read_needs() -> dict[str, str]:
    facts = read_facts("comparability")
    return {
        "n_seen": f"{facts['n_seen']['at_least']:g}",
        "share_seen": f"{100 * facts['share_seen']['at_least']:g} %",
        "smd": f"{facts['smd']['at_most']:g}",
    }


def _describe(cohort: Cohort, timepoint: str, allotted: bool) -> tuple[Text, ...]:
    method = say("comparability.method", time=label_timepoint(cohort, timepoint), **_read_needs())
    if not allotted:
        return (method,)
    facts = read_facts("comparability")["chance"]
    values = {"n": facts["reallotments"], "share": percent(facts["share"])}
    return method, say("comparability.method_randomised", **values)


def _has_several_groups(grid: Grid) -> bool:
    """Return whether any patient has episodes in more than one group."""
    pairs = np.unique(np.column_stack([grid.patient, grid.group]), axis=0)
    return len(pairs) > len(np.unique(grid.patient))


def _check_seen(rows: Rows, grid: Grid, timepoint: str) -> bool:
    seen = grid.seen[:, grid.column(timepoint)]
    counts = [(grid.patients(members[seen[members]]), name) for name, members in list(grid.members())[:-1]]
    patients, worst = min(counts, key=lambda entry: len(entry[0]))
    needed = read_facts("comparability")["n_seen"]["at_least"]
    rows.add_count(patients, statistic="check", term="n_seen", level=worst, x=needed)
    return len(patients) >= needed


def _check_share(rows: Rows, grid: Grid, timepoint: str) -> bool:
    column = grid.column(timepoint)
    shares = []
    for name, members in list(grid.members())[:-1]:
        due = members[grid.due[members, column]]
        seen = grid.seen[due, column]
        shares.append((seen.mean() if len(due) else 0.0, name, due, seen))
    share, worst, due, seen = min(shares, key=lambda entry: entry[0])
    sets, needed = grid.split(due, seen), read_facts("comparability")["share_seen"]["at_least"]
    found: dict[str, Any] = {"estimate": share} if len(due) else {"state": "too_few"}
    found |= {"x": needed, "n": len(sets["all"]), "unit": "proportion"}
    rows.add(sets, statistic="check", term="share_seen", level=worst, **found)
    return bool(share >= needed)


def _check_balance(rows: Rows, cohort: Cohort, grid: Grid) -> bool:
    if len(grid.groups) < 2:
        return True
    found, needed = Rows(), read_facts("comparability")["smd"]["at_most"]
    place = {"statistic": "check", "term": "smd", "unit": "sd", "x": needed}
    for covariate in list_covariates(cohort, grid):
        compare_covariate(found, grid, covariate, list(grid.members())[:-1])
    if not found.table:  # nothing is known of the start, so nobody can say who was given what
        rows.add({}, **place, n=0, state="too_few")
        return False
    pairs = zip(found.table, found.support, strict=True)
    largest = [(row, sets) for row, sets in pairs if row["statistic"] == "max_smd"]
    row, sets = max(largest, key=lambda entry: measure_imbalance(entry[0]))
    rows.add(sets, **place, level=row["term"], n=row["n"], estimate=row["estimate"], state=row["state"])
    return measure_imbalance(row) <= needed


def _set_against_chance(rows: Rows, cohort: Cohort, grid: Grid) -> bool:
    """Add the difference at the start that is largest for what chance brings, and whether it is larger."""
    covariates, found = list_covariates(cohort, grid), Rows()
    for covariate in covariates:
        compare_covariate(found, grid, covariate, list(grid.members())[:-1])
    limits = find_differences_by_chance(grid, covariates)
    judged = [
        (row, sets, limits[row["term"]])
        for row, sets in zip(found.table, found.support, strict=True)
        if row["statistic"] == "max_smd" and row["state"] != "too_few" and row["term"] in limits
    ]
    place = {"statistic": "check", "term": "smd", "unit": "sd"}
    if not judged:
        rows.add({}, **place, n=0, state="degenerate" if found.table else "too_few")
        return True
    row, sets, limit = max(judged, key=lambda entry: measure_imbalance(entry[0]) / entry[2])
    usual, named = measure_imbalance(row) <= limit, {"level": row["term"], "n": row["n"]}
    rows.add(sets, **place, **named, estimate=row["estimate"], state=row["state"])
    rows.add(sets, statistic="check", term="chance", **named, estimate=float(usual))
    rows.add(sets, statistic="smd_by_chance", **named, estimate=limit, unit="sd")
    return True


def _explain(
    cohort: Cohort, grid: Grid, rows: Rows, verdict: str, passed: dict[str, bool], timepoint: str, by: str
) -> list[Text]:
    if verdict == "one_therapy" and EVERY in (cohort.asked.get("merge") or ()):
        return [Text("detail.nothing_compared")]
    if verdict == "one_therapy":
        kind = f"one_therapy{f'_{cohort.one_therapy}' if cohort.one_therapy else ''}"
        return [say(f"comparability.{kind if by == 'therapy' else 'one_group'}")]
    if verdict != "not_comparable":
        return [say(f"comparability.{verdict}")] if verdict != "comparable" else []
    worst = {row["term"]: row.get("level", "") for row in rows.table if row["statistic"] == "check"}
    time, needs = label_timepoint(cohort, timepoint), _read_needs()
    if not list_covariates(cohort, grid):
        passed = {**passed, "smd": True, "start": False}
    reasons = []
    for term in (term for term, good in passed.items() if not good):
        level = worst.get(term, "")
        names = {"group": label_group(cohort, level), "covariate": label_covariate(level), "time": time}
        reasons.append(say(f"comparability.fails_{term}", **names, needed=needs.get(term)))
    return [say("comparability.not_comparable", reasons=Listing(tuple(reasons)))]
