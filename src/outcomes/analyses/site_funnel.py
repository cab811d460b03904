"""Sites set side by side on one outcome, adjusted for case mix, against the limits of chance."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from outcomes.analyses._charts import (
    Measured,
    limit_mean,
    limit_share,
    measure_outcome,
    measure_overdispersion,
)
from outcomes.analyses._covariates import build_design, fit_least_squares, fit_logistic, list_covariates
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    conclude_nothing,
    label_covariate,
    label_timepoint,
    percent,
    say,
    state_estimand,
)
from outcomes.analyses._grid import NOT_RECORDED, Grid, Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Listing, Text, read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.records.absence import explain_column
from outcomes.result import ALL, Result

__all__ = ["compare_sites"]

#: Statistic of the adjusted mean improvement, share improved and share in a state.
_ADJUSTED = ("adjusted_improvement", "adjusted_share_improved", "adjusted_share_in_state")

#: Multiples to which the numbers of patients along the funnel are rounded, so that none of them is a site's.
_STEP = 5
#: From one of these numbers to the next.
_RATIO = 1.15


@dataclass(frozen=True)
class _Site:
    """A site that may be named."""

    name: str
    #: Positions of its episodes, of those with an outcome, and of those due.
    members: np.ndarray
    seen: np.ndarray
    due: np.ndarray
    #: Its outcome, had it the case mix of all named sites.
    adjusted: float = np.nan


@dataclass(frozen=True)
class _Funnel:
    """Where a site would lie by chance alone, were all sites alike."""

    #: Mean and standard deviation of a patient's outcome.
    target: float
    sd: float
    #: Factor on the limits' distance from the target.
    widening: float
    is_share: bool

    def limit(self, n: np.ndarray, level: float) -> np.ndarray:
        """Return the lower and upper limits for numbers of patients, shape (2, n)."""
        if self.is_share:
            return limit_share(self.target, n, level, self.widening)
        return limit_mean(self.target, self.sd, n, level, self.widening)


@in_one_thread
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
    expected to have. A site's adjusted improvement is that of all named sites plus what its own patients seen
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
        patients seen and enough of those due are named and used (``facts/monitoring.toml``). Per named site
        (``group``): ``adjusted_improvement`` or ``adjusted_share_improved``; not adjusted
        ``mean_improvement`` of all who began, as in `outcomes.analyses.change.summarise_change`, or
        ``share_improved`` of those seen; ``share_seen`` and ``position`` (``level`` such as ``within`` or
        ``above_95``). For ``all``: the one not adjusted and ``funnel_limit`` (shares: ``funnel_limit_share``)
        with ``level`` ``95`` and ``99.8``, ``x`` the number of patients, ``conf_low`` and ``conf_high`` the
        limits; and ``overdispersion``. Fewer sites than may be set side by side: counts alone.

    Raises
    ------
    AnalysisError
        When there is no such follow-up, unit, outcome or threshold.
    """
    if by not in ("site", "therapist"):
        raise AnalysisError(f"Sites are compared by site or therapist, not by {by!r}.")
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    outcome = measure_outcome(cohort, grid, timepoint, measured, threshold)
    if outcome.reason:
        return conclude_nothing("site_funnel", cohort, outcome.reason)
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint, term=by)
    sites, why = _name_sites(rows, cohort, outcome, by)
    spread = say("site_funnel.spread_none")
    if not why:
        why, spread = _set_side_by_side(rows, cohort, outcome, sites)
    method = say(
        f"site_funnel.method_{measured}",
        time=label_timepoint(cohort, timepoint),
        covariates=Listing(tuple(label_covariate(entry.name) for entry in list_covariates(cohort, grid))),
        rule=outcome.rule,
        **_read_needs(),
    )
    return conclude(
        "site_funnel",
        cohort,
        rows,
        method=(method, spread),
        warnings=[*([why] if why else []), say("site_funnel.description")],
        estimand=state_estimand(cohort, f"site_funnel.summary_{measured}", [timepoint]),
    )


def _read_needs() -> dict[str, str]:
    rules = read_facts("monitoring")["sites"]
    return {
        "n_seen": f"{rules['n_seen']['at_least']:g}",
        "share_seen": percent(rules["share_seen"]["at_least"]),
        "number": f"{rules['number']['at_least']:g}",
    }


def _name_sites(rows: Rows, cohort: Cohort, outcome: Measured, by: str) -> tuple[list[_Site], Text | None]:
    """Count the sites and return those that may be named, and why they are not set side by side, if so."""
    rules, grid = read_facts("monitoring")["sites"], outcome.grid
    found: dict[str, list[_Site]] = {"named": [], "few_patients": [], "incomplete": []}
    for name, members in list(grid.members())[:-1]:
        if name == NOT_RECORDED:
            continue
        site = _Site(name, members, outcome.find_seen(members), outcome.find_due(members))
        share = grid.seen[site.due, outcome.column].mean() if len(site.due) else 0.0
        few = len(grid.patients(site.seen)) < rules["n_seen"]["at_least"]
        complete = share >= rules["share_seen"]["at_least"]
        found["few_patients" if few else "named" if complete else "incomplete"].append(site)
    for level, sites in found.items():
        # The patients of the sites that are not named may be few: nothing is said of their number.
        place = {"statistic": "n_sites", "level": level, "group": ALL, "unit": "sites"}
        rows.add_of(np.array([], dtype=int), **place, estimate=len(sites))
    if not any(found.values()):
        return [], say(f"site_funnel.{explain_column(cohort.records, by)}")
    few_sites = len(found["named"]) < rules["number"]["at_least"]
    return found["named"], say("site_funnel.few_sites", **_read_needs()) if few_sites else None


def _set_side_by_side(
    rows: Rows, cohort: Cohort, outcome: Measured, sites: list[_Site]
) -> tuple[Text | None, Text]:
    """Add the rows of the named sites; return why there are none, if so, and how limits were widened."""
    grid, values = outcome.grid, outcome.values
    fitted = np.sort(np.concatenate([site.seen for site in sites]))
    everybody = np.sort(np.concatenate([site.members for site in sites]))
    expected, sd = _expect(cohort, grid, fitted, values, outcome.is_share)
    target = outcome.describe(everybody)[1].get("estimate")
    if expected is None or target is None:
        return say("site_funnel.not_estimated"), say("site_funnel.spread_none")
    for place, site in enumerate(sites):  # indirect standardisation
        had, would = float(values[site.seen].mean()), float(expected[site.seen].mean())
        adjusted = min(1.0, target * had / would) if outcome.is_share else target + had - would
        sites[place] = replace(site, adjusted=adjusted)
    n = np.array([len(grid.patients(site.seen)) for site in sites], dtype=float)
    z = (np.array([site.adjusted for site in sites]) - target) / (sd / np.sqrt(n))
    widening, spread = _widen(rows, grid, fitted, z)
    funnel = _Funnel(target, sd, widening, outcome.is_share)
    levels = read_facts("monitoring")["sites"]["limits"]["levels"]
    limits = {level: funnel.limit(n, level) for level in levels}
    for place, site in enumerate(sites):
        inside = {level: ends[:, place] for level, ends in limits.items()}
        _add_site(rows, outcome, site, _find_position(site.adjusted, inside))
    outcome.add_described(rows, everybody, group=ALL)
    _add_limits(rows, outcome, fitted, funnel, float(n.max()))
    return None, spread


def _expect(
    cohort: Cohort, grid: Grid, fitted: np.ndarray, values: np.ndarray, is_share: bool
) -> tuple[np.ndarray | None, float]:
    """Return what each episode would be expected to have, and a patient's standard deviation around it."""
    design = build_design(grid, list_covariates(cohort, grid), fitted, (ALL,))
    held = values[fitted]
    if len(fitted) <= design.columns.shape[1] + 1 or np.ptp(held) == 0:
        return None, np.nan
    expected = np.full(len(values), np.nan)
    if is_share:
        logistic = fit_logistic(design.columns, held)
        if logistic is None or not logistic.converged:
            return None, np.nan
        expected[fitted] = np.asarray(logistic.fittedvalues)
        return expected, float(np.sqrt(held.mean() * (1 - held.mean())))
    fit = fit_least_squares(design.columns, held)
    if not fit.variance > 1e-20 * held.var():
        return None, np.nan
    expected[fitted] = held - fit.residuals
    return expected, float(np.sqrt(fit.variance))


def _widen(rows: Rows, grid: Grid, fitted: np.ndarray, z: np.ndarray) -> tuple[float, Text]:
    """Return the factor by which limits are widened, and the sentence that says so."""
    rules = read_facts("monitoring")["sites"]["overdispersion"]
    if len(z) < rules["at_least"]:
        return 1.0, say("site_funnel.spread_few", needed=rules["at_least"])
    found = measure_overdispersion(z, rules["winsorised"])
    rows.add_of(grid.patients(fitted), statistic="overdispersion", group=ALL, estimate=found, unit="ratio")
    widening = float(np.sqrt(max(1.0, found)))
    key = "spread_wide" if widening > 1 else "spread_chance"
    return widening, say(f"site_funnel.{key}", factor=f"{widening:.2f}", tail=percent(rules["winsorised"]))


def _find_position(value: float, limits: Mapping[float, np.ndarray]) -> str:
    """Return beyond which limits a site lies, the widest first."""
    for level, (low, high) in sorted(limits.items(), reverse=True):
        name = f"{100 * level:g}".replace(".", "")
        if value > high:
            return f"above_{name}"
        if value < low:
            return f"below_{name}"
    return "within"


def _add_site(rows: Rows, outcome: Measured, site: _Site, position: str) -> None:
    sets = outcome.support(site.seen)
    name, n = outcome.name(*_ADJUSTED), len(sets["all"])
    rows.add(sets, **name, group=site.name, estimate=site.adjusted, n=n)
    outcome.add_described(rows, site.members, group=site.name)
    outcome.add_share_seen(rows, site.due, group=site.name)
    place = {"statistic": "position", "group": site.name, "level": position}
    rows.add_of(sets["all"], **place, estimate=1.0, unit="")


def _add_limits(rows: Rows, outcome: Measured, fitted: np.ndarray, funnel: _Funnel, largest: float) -> None:
    sets, numbers = outcome.support(fitted), _choose_numbers(largest)
    name = outcome.name("funnel_limit", "funnel_limit_share")
    for level in read_facts("monitoring")["sites"]["limits"]["levels"]:
        for x, low, high in zip(numbers, *funnel.limit(numbers, level), strict=True):
            place = {**name, "group": ALL, "level": f"{100 * level:g}", "x": x, "n": len(sets["all"])}
            rows.add(sets, **place, estimate=funnel.target, conf_low=low, conf_high=high)


def _choose_numbers(largest: float) -> np.ndarray:
    """Return round numbers of patients, closer together where the limits bend, the same for every edition."""
    least = read_facts("monitoring")["sites"]["n_seen"]["at_least"]
    most = max(largest, 2 * least) * 1.05
    steps = np.arange(np.ceil(np.log(most / least) / np.log(_RATIO)) + 1)
    return np.unique(np.ceil(least * _RATIO**steps / _STEP) * _STEP)
