"""Sites set side by side on one outcome, adjusted for case mix, against the limits of chance."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outcomes.analyses._covariates import list_covariates
from outcomes.analyses._declaration import (
    choose_timepoint,
    explain_no_improvement,
    join_names,
    label_covariate,
    label_timepoint,
    percent,
    say,
    state_estimand,
    trace_provenance,
)
from outcomes.analyses._funnel import limit_mean, limit_share, measure_overdispersion
from outcomes.analyses._grid import NOT_RECORDED, Grid, arrange_grid
from outcomes.analyses._interval import estimate_mean, estimate_share
from outcomes.analyses._regression import build_design, fit_least_squares
from outcomes.analyses._rows import Rows
from outcomes.analyses._thresholds import choose_threshold, describe_threshold, mark_improved
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.result import Result, build_result

__all__ = ["compare_sites"]

_MEASURED = ("improvement", "responders")
#: Multiples to which the numbers of patients along the funnel are rounded, so that none of them is a site's.
_STEP = 5


@dataclass(frozen=True)
class _Site:
    """A site that may be named.

    Parameters
    ----------
    seen, due : array of int
        Positions of its episodes seen with a score at the start, and of those due.
    adjusted : float
        Its outcome, had it the case mix of all named sites.
    """

    name: str
    seen: np.ndarray
    due: np.ndarray
    adjusted: float = np.nan


def compare_sites(
    cohort: Cohort,
    *,
    by: str = "site",
    timepoint: str | None = None,
    measured: str = "improvement",
    threshold: str | None = None,
) -> Result:
    """Compare sites on one outcome, adjusted for case mix by indirect standardisation.

    A regression on the score at the start and the covariates, without sites, says what each patient would be
    expected to have. A site's adjusted improvement is the mean of all named sites plus what its own patients
    had beyond that; an adjusted share is the share of all times the ratio of observed to expected. Therapies
    are not adjusted for: which of them a site chooses is part of what it does.

    Parameters
    ----------
    cohort : Cohort
    by : str
        ``site`` or ``therapist``; the latter is for the team only.
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.
    measured : str
        ``improvement`` (mean) or ``responders`` (share that reaches a threshold).
    threshold : str, optional
        For ``responders``, as in `outcomes.analyses.responders.count_responders`; by default that of the
        source, else the instrument's default.

    Returns
    -------
    Result
        ``n_sites`` with ``level`` ``named``, ``few_patients`` and ``incomplete``: only sites with enough
        patients seen and enough of those due are named (``facts/monitoring.toml``), and only their patients
        are used. Per named site (``group``): ``adjusted_improvement`` or ``adjusted_share_improved``,
        ``mean_improvement`` or ``share_improved`` as observed, ``share_seen`` and ``position`` with ``level``
        ``within``, ``above_95``, ``below_95``, ``above_998`` or ``below_998``. For ``all``: the observed one
        and ``funnel_limit`` (shares: ``funnel_limit_share``) with ``level`` ``95`` and ``99.8``, ``x`` the
        number of patients, ``conf_low`` and ``conf_high`` the limits; and ``overdispersion`` where there
        are sites enough to estimate it. Fewer sites than may be set side by side: counts alone.

    Raises
    ------
    AnalysisError
        When there is no such follow-up, unit, outcome or threshold.
    """
    if by not in ("site", "therapist"):
        raise AnalysisError(f"Sites are compared by site or therapist, not by {by!r}.")
    if measured not in _MEASURED:
        raise AnalysisError(f"Sites are compared on {' or '.join(_MEASURED)}, not on {measured!r}.")
    timepoint = choose_timepoint(cohort, timepoint)
    reason = explain_no_improvement(cohort)
    if reason:
        return build_result(
            "site_funnel", [], method=reason, warnings=[reason], provenance=trace_provenance(cohort)
        )
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint, term=by)
    sites, why = _name_sites(rows, cohort, grid, timepoint)
    outcome, rule = _measure(cohort, grid, timepoint, measured, threshold)
    if outcome is None:
        why = say("responders.none", instrument=cohort.instrument.short_name)
    spread = say("site_funnel.spread_none")
    if not why and outcome is not None:
        why, spread = _set_side_by_side(rows, cohort, grid, sites, outcome, measured, rule)
    names = join_names(label_covariate(entry.name) for entry in list_covariates(cohort, grid))
    method = say(
        f"site_funnel.method_{measured}", time=label_timepoint(cohort, timepoint), covariates=names,
        rule=rule, **_read_needs(),
    )  # fmt: skip
    return build_result(
        "site_funnel", rows.table, support=rows.support, provenance=trace_provenance(cohort),
        method=f"{method} {spread}", warnings=[*([why] if why else []), say("site_funnel.description")],
        estimand=state_estimand(cohort, f"site_funnel.summary_{measured}", [timepoint]),
    )  # fmt: skip


def _read_needs() -> dict[str, str]:
    rules = read_facts("monitoring")["sites"]
    return {
        "n_seen": f"{rules['n_seen']['at_least']:g}",
        "share_seen": percent(rules["share_seen"]["at_least"]),
        "number": f"{rules['number']['at_least']:g}",
    }


def _name_sites(rows: Rows, cohort: Cohort, grid: Grid, timepoint: str) -> tuple[list[_Site], str]:
    """Count the sites and return those that may be named, and why none may, if so."""
    rules, column = read_facts("monitoring")["sites"], grid.column(timepoint)
    usable = grid.seen[:, column] & grid.based
    found: dict[str, list[_Site]] = {"named": [], "few_patients": [], "incomplete": []}
    for name, members in list(grid.members())[:-1]:
        if name == NOT_RECORDED:
            continue
        due = members[grid.due[members, column]]
        site = _Site(name, members[usable[members]], due)
        complete = len(due) > 0 and grid.seen[due, column].mean() >= rules["share_seen"]["at_least"]
        few = len(grid.patients(site.seen)) < rules["n_seen"]["at_least"]
        found["few_patients" if few else "named" if complete else "incomplete"].append(site)
    for level, sites in found.items():
        # The patients of the sites that are not named may be few: nothing is said of their number.
        nobody = np.array([], dtype=int)
        rows.add(
            {"all": nobody}, statistic="n_sites", level=level, group="all", estimate=len(sites), n=0,
            unit="sites",
        )  # fmt: skip
    if not any(found.values()):
        return [], say("site_funnel.not_recorded")
    if len(found["named"]) < rules["number"]["at_least"]:
        return found["named"], say("site_funnel.few_sites", **_read_needs())
    return found["named"], ""


def _measure(
    cohort: Cohort, grid: Grid, timepoint: str, measured: str, threshold: str | None
) -> tuple[np.ndarray | None, str]:
    """Return each episode's outcome (missing where it has none) and the rule in words."""
    column = grid.column(timepoint)
    if measured == "improvement":
        return grid.improvement[:, column], ""
    chosen = choose_threshold(cohort, threshold)
    if chosen is None:
        return None, ""
    improved, _, defined = (mark[:, column] for mark in mark_improved(cohort, grid, chosen))
    return np.where(defined, improved.astype(float), np.nan), describe_threshold(cohort, chosen)


def _set_side_by_side(
    rows: Rows, cohort: Cohort, grid: Grid, sites: list[_Site], outcome: np.ndarray, measured: str, rule: str
) -> tuple[str, str]:
    """Add the rows of the named sites; return why there are none, if so, and how limits were widened."""
    sites = [_Site(site.name, site.seen[~np.isnan(outcome[site.seen])], site.due) for site in sites]
    fitted = np.sort(np.concatenate([site.seen for site in sites]))
    expected, sd = _expect(cohort, grid, fitted, outcome, measured)
    if expected is None:
        return say("site_funnel.not_estimated"), say("site_funnel.spread_none")
    target = float(outcome[fitted].mean())
    adjusted = []
    for site in sites:
        had, would = float(outcome[site.seen].mean()), float(expected[site.seen].mean())
        value = target + had - would if measured == "improvement" else min(1.0, target * had / would)
        adjusted.append(_Site(site.name, site.seen, site.due, value))
    n = np.array([len(grid.patients(site.seen)) for site in adjusted], dtype=float)
    z = (np.array([site.adjusted for site in adjusted]) - target) / (sd / np.sqrt(n))
    widening, spread = _widen(rows, grid, fitted, z)
    limits = {
        level: _limit(target, sd, n, level, widening, measured)
        for level in read_facts("monitoring")["sites"]["limits"]["levels"]
    }
    for place, site in enumerate(adjusted):
        inside = {level: ends[:, place] for level, ends in limits.items()}
        _add_site(rows, grid, site, outcome, measured, _find_position(site.adjusted, inside))
    _add_whole(rows, grid, fitted, outcome, measured)
    _add_limits(rows, grid, fitted, outcome, target, sd, float(n.max()), widening, measured)
    return "", spread


def _expect(
    cohort: Cohort, grid: Grid, fitted: np.ndarray, outcome: np.ndarray, measured: str
) -> tuple[np.ndarray | None, float]:
    """Return what each episode would be expected to have, and a patient's standard deviation around it."""
    design = build_design(grid, list_covariates(cohort, grid), fitted, ("all",))
    held = outcome[fitted]
    if len(fitted) <= design.columns.shape[1] + 1 or np.ptp(held) == 0:
        return None, np.nan
    expected = np.full(len(outcome), np.nan)
    if measured == "improvement":
        fit = fit_least_squares(design.columns, held)
        if not fit.variance > 1e-20 * held.var():
            return None, np.nan
        expected[fitted] = held - fit.residuals
        return expected, float(np.sqrt(fit.variance))
    chance = _predict_shares(design.columns, held)
    if chance is None:
        return None, np.nan
    expected[fitted] = chance
    return expected, float(np.sqrt(held.mean() * (1 - held.mean())))


def _predict_shares(columns: np.ndarray, improved: np.ndarray) -> np.ndarray | None:
    """Return the chance of improving by a logistic regression on case mix; None without a stable fit."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            fit = GLM(improved, columns, family=Binomial()).fit()
    except np.linalg.LinAlgError:
        return None
    return np.asarray(fit.fittedvalues) if fit.converged else None


def _widen(rows: Rows, grid: Grid, fitted: np.ndarray, z: np.ndarray) -> tuple[float, str]:
    """Return the factor by which limits are widened, and the sentence that says so."""
    rules = read_facts("monitoring")["sites"]["overdispersion"]
    if len(z) < rules["at_least"]:
        return 1.0, say("site_funnel.spread_few", needed=rules["at_least"])
    found = measure_overdispersion(z, rules["winsorised"])
    patients = grid.patients(fitted)
    rows.add(
        {"all": patients},
        statistic="overdispersion",
        group="all",
        estimate=found,
        n=len(patients),
        unit="ratio",
    )
    widening = float(np.sqrt(max(1.0, found)))
    key = "spread_wide" if widening > 1 else "spread_chance"
    tail = percent(rules["winsorised"])
    return widening, say(f"site_funnel.{key}", factor=f"{widening:.2f}", tail=tail)


def _limit(
    target: float, sd: float, n: np.ndarray, level: float, widening: float, measured: str
) -> np.ndarray:
    if measured == "improvement":
        return limit_mean(target, sd, n, level, widening)
    return limit_share(target, n, level, widening)


def _find_position(value: float, limits: Mapping[float, np.ndarray]) -> str:
    """Return beyond which limits a site lies, the widest first."""
    for level, (low, high) in sorted(limits.items(), reverse=True):
        name = f"{100 * level:g}".replace(".", "")
        if value > high:
            return f"above_{name}"
        if value < low:
            return f"below_{name}"
    return "within"


def _add_site(rows: Rows, grid: Grid, site: _Site, outcome: np.ndarray, measured: str, position: str) -> None:
    sets = _support(grid, site.seen, outcome, measured)
    statistic = "adjusted_improvement" if measured == "improvement" else "adjusted_share_improved"
    n, unit = len(sets["all"]), "proportion" if measured == "responders" else None
    shared = {"unit": unit} if unit else {}
    rows.add(sets, statistic=statistic, group=site.name, estimate=site.adjusted, n=n, **shared)
    _add_observed(rows, grid, site.seen, outcome, measured, site.name)
    seen = grid.status[site.due, grid.timepoints.index(str(rows.shared["timepoint"]))] == 0
    due = {
        "all": grid.patients(site.due), "with": grid.patients(site.due[seen]),
        "without": grid.patients(site.due[~seen]),
    }  # fmt: skip
    share = estimate_share(int(seen.sum()), len(site.due), len(due["all"]), 0.95)
    rows.add(due, statistic="share_seen", group=site.name, **share, unit="proportion")
    rows.add(
        {"all": sets["all"]}, statistic="position", group=site.name, level=position, estimate=1.0, n=n,
        unit="",
    )  # fmt: skip


def _support(grid: Grid, seen: np.ndarray, outcome: np.ndarray, measured: str) -> dict[str, np.ndarray]:
    sets = {"all": grid.patients(seen)}
    if measured == "responders":
        has = outcome[seen] == 1
        sets |= {"with": grid.patients(seen[has]), "without": grid.patients(seen[~has])}
    return sets


def _add_observed(
    rows: Rows, grid: Grid, seen: np.ndarray, outcome: np.ndarray, measured: str, group: str
) -> None:
    sets = _support(grid, seen, outcome, measured)
    if measured == "improvement":
        mean = estimate_mean(outcome[seen], grid.patient[seen], 0.95, grid.one_each)
        if mean["state"] == "boundary":
            mean["std_error"] = 0.0  # whoever all have the same is not shown
        rows.add(sets, statistic="mean_improvement", group=group, **mean)
        return
    share = estimate_share(int(outcome[seen].sum()), len(seen), len(sets["all"]), 0.95)
    rows.add(sets, statistic="share_improved", group=group, **share, unit="proportion")


def _add_whole(rows: Rows, grid: Grid, fitted: np.ndarray, outcome: np.ndarray, measured: str) -> None:
    _add_observed(rows, grid, fitted, outcome, measured, "all")


def _add_limits(
    rows: Rows, grid: Grid, fitted: np.ndarray, outcome: np.ndarray, target: float, sd: float, largest: float,
    widening: float, measured: str,
) -> None:  # fmt: skip
    sets = _support(grid, fitted, outcome, measured)
    statistic = "funnel_limit" if measured == "improvement" else "funnel_limit_share"
    shared = {"unit": "proportion"} if measured == "responders" else {}
    numbers = _choose_numbers(largest)
    for level in read_facts("monitoring")["sites"]["limits"]["levels"]:
        low, high = _limit(target, sd, numbers, level, widening, measured)
        for place, x in enumerate(numbers):
            rows.add(
                sets, statistic=statistic, group="all", level=f"{100 * level:g}", x=x, estimate=target,
                conf_low=low[place], conf_high=high[place], n=len(sets["all"]), **shared,
            )  # fmt: skip


def _choose_numbers(largest: float) -> np.ndarray:
    """Return round numbers of patients, closer together where the limits bend."""
    least = read_facts("monitoring")["sites"]["n_seen"]["at_least"]
    ends = least, max(largest, 2 * least) * 1.05
    return np.unique(np.ceil(np.geomspace(*ends, 16) / _STEP) * _STEP)
