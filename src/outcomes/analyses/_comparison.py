"""What adjusted comparisons of a cohort share: groups, covariates, clusters, and the model over time."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._covariates import SCORE, Covariate, build_design, list_covariates, read_covariate
from outcomes.analyses._declaration import label_covariate, percent, say
from outcomes.analyses._grid import Grid
from outcomes.analyses.mmrm import MmrmFit, fit
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Count, Listing, Text, read_facts

_CHOICES = ("auto", "therapist", "site", "patient", "none")


@dataclass(frozen=True)
class Clustering:
    """How a comparison allows for patients who resemble each other."""

    #: ``therapist``, ``site``, ``patient`` or ``none``.
    unit: str
    #: Cluster of each episode of the grid, shape (E,).
    codes: np.ndarray | None
    #: Whether sites, too few to be clusters, enter as a fixed effect.
    site_effect: bool
    warnings: tuple[Text, ...]


def choose_clusters(grid: Grid, fitted: np.ndarray, cluster: str, by: str) -> Clustering:
    """Choose the clusters of a comparison.

    ``auto`` takes therapists where enough are recorded among the fitted episodes, else sites, else patients
    with several episodes, else none; enough is a fact (``facts/comparability.toml``). Two or more sites that
    are too few enter as a fixed effect: with few sites this is what removes differences between them without
    asking for a variance that cannot be estimated. Therapists that are too few are named in a warning, not
    in the model, since they would often be the same thing as a therapy. A unit that is named is used whatever
    its number; the column `by`, whose values are the groups, is never a cluster.
    """
    if cluster not in _CHOICES:
        raise AnalysisError(f"There is no cluster {cluster!r}; choose one of: {', '.join(_CHOICES)}.")
    needed = read_facts("comparability")["clusters"]["at_least"]
    nobody = np.full(len(grid.patient), -1)
    held = {
        unit: pd.Categorical(grid.episodes[unit].astype("str")).codes.astype("int64")
        if unit in grid.episodes
        else nobody
        for unit in ("therapist", "site")
    }
    if cluster in held and (held[cluster] < 0).all():
        raise AnalysisError(f"No {cluster} is recorded, so patients cannot be clustered by it.")
    numbers = {unit: 0 if unit == by else count_clusters(codes[fitted]) for unit, codes in held.items()}
    alone = "none" if grid.one_each else "patient"
    enough = (name for name, number in numbers.items() if number >= needed)
    unit = next(enough, alone) if cluster == "auto" else cluster
    few = [
        say(f"clusters.few_{name}", found=Count(number), needed=needed)
        for name, number in numbers.items()
        if name != unit and 1 < number < needed and cluster == "auto" and unit not in ("therapist", "site")
    ]
    nested = _describe_nesting(grid, held["therapist"], fitted) if numbers["therapist"] > 1 else []
    codes = {**held, "patient": grid.patient}.get(unit)
    if codes is not None:  # an episode without a recorded cluster has one of its own
        codes = np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)
    site_effect = "site" not in (unit, by) and 1 < numbers["site"] < needed
    return Clustering(unit, codes, site_effect, (*few, *nested))


def count_clusters(codes: np.ndarray) -> int:
    """Return how many distinct recorded clusters there are."""
    return len(np.unique(codes[codes >= 0]))


def _describe_nesting(grid: Grid, therapists: np.ndarray, fitted: np.ndarray) -> list[Text]:
    recorded = fitted[therapists[fitted] >= 0]
    pairs = np.unique(np.column_stack([therapists[recorded], grid.group[recorded]]), axis=0)
    _, groups_each = np.unique(pairs[:, 0], return_counts=True)
    n_nested = int((groups_each == 1).sum()) if len(grid.groups) > 1 else 0
    said = say("clusters.nested", nested=Count(n_nested), found=Count(len(groups_each)))
    return [said] if n_nested else []


@dataclass(frozen=True)
class Comparison:
    """A plan that holds at all time points."""

    grid: Grid
    #: In the order of the cohort, the reference last.
    groups: tuple[str, ...]
    #: The baseline score first.
    covariates: list[Covariate]
    clustering: Clustering
    conf_level: float

    def describe(self, fit: str) -> tuple[Text, ...]:
        """Say the standard errors of ``least_squares`` or ``likelihood``, sites and missing."""
        errors = f"{fit}_alone" if self.clustering.codes is None else "robust"
        parts = [say(f"clusters.by_{self.clustering.unit}"), say(f"clusters.{errors}")]
        if self.clustering.site_effect:
            parts.append(say("clusters.site_effect"))
        return (*parts, say("clusters.missing"))

    def describe_family(self) -> Text:
        """Say how p-values and intervals allow for the number of pairs."""
        key = "several" if len(self.groups) > 2 else "one"
        missed = percent(round(1 - self.conf_level, 10))
        return say(f"comparison.{key}", level=percent(self.conf_level), missed=missed)

    def name_covariates(self) -> Listing | Text:
        """Return the covariates as a sentence names them."""
        names = tuple(label_covariate(entry.name) for entry in self.covariates)
        return Listing(names) if names else say("nothing")


def plan_comparison(cohort: Cohort, grid: Grid, by: str, conf_level: float, cluster: str) -> Comparison:
    """Decide groups, covariates and clusters from the patients seen at the primary time point."""
    scored = np.flatnonzero(grid.based & grid.seen[:, grid.column(cohort.primary)])
    clustering = choose_clusters(grid, scored, cluster, by)
    covariates = [entry for entry in list_covariates(cohort, grid) if entry.name != by]
    groups = grid.groups
    if cohort.reference in groups:
        groups = (*(name for name in groups if name != cohort.reference), cohort.reference)
    if clustering.site_effect:
        sites = read_covariate(grid.episodes["site"], "site")
        if build_design(grid, [*covariates, sites], scored, groups).state == "ok":
            covariates.append(sites)
        else:  # groups could not be told from sites
            warnings = (*clustering.warnings, say("clusters.sites_confounded"))
            clustering = replace(clustering, site_effect=False, warnings=warnings)
    return Comparison(grid, groups, covariates, clustering, conf_level)


#: Covariances that take the place of those before, from the first that has no trustworthy maximum.
LADDER = ("us", "adh", "csh")
_NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Visits:
    """The scores of a comparison over time, and their model once fitted."""

    #: One row per episode and time point at which it was seen: ``episode, visit, score, group``, ``baseline``
    #: and one or two columns per covariate.
    table: pd.DataFrame
    formula: str
    #: Those compared, in order.
    timepoints: tuple[str, ...]
    #: Positions in the grid of the episodes with any row.
    episodes: np.ndarray
    #: Distinct patients seen, by time point and group.
    patients: dict[tuple[str, str], np.ndarray]
    #: Patients of whom no compared follow-up was seen.
    without: np.ndarray
    #: Of the model.
    state: str = "ok"
    #: Covariance and degrees of freedom used in the end.
    covariance: str = "us"
    df: str = ""
    #: Covariances that had no trustworthy maximum.
    given_up: tuple[str, ...] = ()
    #: Whether standard errors are cluster-robust.
    robust: bool = False
    fitted: MmrmFit | None = field(repr=False, default=None)
    #: Columns of the model that repeat others and were left out.
    n_absent: int = 0

    def tabulate_means(self, conf_level: float) -> dict[Any, dict[Any, Any]]:
        """Return the estimates of marginal means by time point and group, covariates as observed."""
        if self.fitted is None:
            return {}
        held = self.fitted.marginal_means("group", weights="observed", over="patients", conf_level=conf_level)
        return {(row["visit"], row["group"]): row for row in held.to_dict("records")}

    def tabulate_contrasts(self, conf_level: float) -> dict[Any, dict[Any, Any]]:
        """Return the estimates of contrasts by time point and both groups."""
        if self.fitted is None:
            return {}
        held = self.fitted.contrasts("group", weights="observed", over="patients", conf_level=conf_level)
        return {(row["visit"], row["group"], row["versus"]): row for row in held.to_dict("records")}


def gather_visits(plan: Comparison, timepoints: list[str]) -> Visits:
    """Gather the scores seen at some time points, of episodes that have a score at the start."""
    grid = plan.grid
    columns = [grid.column(id) for id in timepoints]
    seen = grid.seen[:, columns] & grid.based[:, None]
    episode, visit = np.nonzero(seen)
    held = np.unique(episode)
    group = np.array(grid.groups, dtype=object)[grid.group[episode]]
    table = {
        "episode": episode,
        "visit": pd.Categorical(np.array(timepoints, dtype=object)[visit], categories=timepoints),
        "score": grid.score[:, columns][episode, visit],
        "group": pd.Categorical(group, categories=list(plan.groups)),
    }
    terms = []
    for number, covariate in enumerate(plan.covariates):
        terms += _add_covariate(table, covariate, number, episode, held)
    if plan.clustering.codes is not None:
        table["cluster"] = plan.clustering.codes[episode]
    patients = {
        (id, name): grid.patients(np.flatnonzero(seen[:, place] & grid.is_in(name)))
        for place, id in enumerate(timepoints)
        for name in plan.groups
    }
    # Covariates come first, so that a group that cannot be told from them is the one left out, and is named.
    formula = " + ".join([*terms, "group*visit"])
    without = np.setdiff1d(grid.patient, grid.patient[held])
    return Visits(pd.DataFrame(table), f"score ~ {formula}", tuple(timepoints), held, patients, without)


def _add_covariate(
    table: dict[str, Any], covariate: Covariate, number: int, episode: np.ndarray, held: np.ndarray
) -> list[str]:
    """Add the columns of a covariate; one that is not recorded keeps its episode by a mark of its own."""
    name = "baseline" if covariate.name == SCORE else f"covariate_{number}"
    values = covariate.values
    if covariate.levels:
        levels = np.array([*covariate.levels, _NOT_RECORDED], dtype=object)
        table[name] = pd.Categorical(levels[values[episode].astype(int)], categories=list(levels))
        return [name]
    known = values[held[covariate.recorded[held]]]
    filled = np.where(covariate.recorded, values, known.mean() if len(known) else 0.0)
    table[name] = filled[episode]
    if covariate.name == SCORE:
        return ["baseline*visit"]
    if covariate.recorded[held].all():
        return [name]
    table[f"{name}_absent"] = (~covariate.recorded[episode]).astype("float64")
    return [name, f"{name}_absent"]


def choose_df(df: str, method: str, *, robust: bool) -> str | None:
    """Return the degrees of freedom to ask for; None where those of the model cannot be had."""
    return None if robust or (method == "ml" and df.startswith("kenward-roger")) else df


def fit_visits(visits: Visits, plan: Comparison, *, covariance: str, method: str, df: str) -> Visits:
    """Fit the model, down the ladder of covariances where one has no trustworthy maximum."""
    if len(plan.groups) < 2 or not len(visits.table):
        state = "degenerate" if len(plan.groups) < 2 else "too_few"
        return replace(visits, state=state, covariance=covariance, df=df)
    ladder = LADDER[LADDER.index(covariance) :] if covariance in LADDER else (covariance,)
    clustered = plan.clustering.codes is not None
    given_up: list[str] = []
    for name in ladder:
        robust = clustered or bool(given_up)
        options: dict[str, Any] = {
            "df": choose_df(df, method, robust=robust),
            "vcov": "CR2" if robust else None,
        }
        options["cluster"] = "cluster" if clustered else None
        level = plan.conf_level
        fitted = fit_alternative(visits, covariance=name, method=method, conf_level=level, **options)
        if fitted.state not in ("not_converged", "boundary") or name == ladder[-1]:
            break
        given_up.append(name)
    found: dict[str, Any] = {"fitted": fitted, "state": fitted.state, "covariance": name, "df": fitted.df}
    return replace(visits, **found, given_up=tuple(given_up), robust=robust, n_absent=len(fitted.dropped))


def fit_alternative(visits: Visits, **options: Any) -> MmrmFit:
    """Fit the same model with other options of `outcomes.analyses.mmrm.fit`, and without its ladder."""
    return fit(visits.formula, visits.table, subject="episode", visit="visit", **options)
