"""What every adjusted comparison of a cohort shares: groups, covariates and clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from outcomes.analyses._covariates import Covariate, list_covariates, read_covariate
from outcomes.analyses._declaration import label_covariate, say
from outcomes.analyses._grid import Grid
from outcomes.analyses._regression import build_design
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
    return Clustering(
        unit,
        codes,
        "site" not in (unit, by) and 1 < numbers["site"] < needed,
        (*few, *nested),
    )


def count_clusters(codes: np.ndarray) -> int:
    """Return how many distinct recorded clusters there are."""
    return len(np.unique(codes[codes >= 0]))


def _describe_nesting(grid: Grid, therapists: np.ndarray, fitted: np.ndarray) -> list[Text]:
    recorded = fitted[therapists[fitted] >= 0]
    pairs = np.unique(np.column_stack([therapists[recorded], grid.group[recorded]]), axis=0)
    _, groups_each = np.unique(pairs[:, 0], return_counts=True)
    n_nested = int((groups_each == 1).sum())
    if not n_nested or len(grid.groups) < 2:
        return []
    return [say("clusters.nested", nested=Count(n_nested), found=Count(len(groups_each)))]


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
        errors = "alone" if self.clustering.codes is None else "clustered"
        parts = [say(f"clusters.by_{self.clustering.unit}"), say(f"clusters.{fit}_{errors}")]
        if self.clustering.site_effect:
            parts.append(say("clusters.site_effect"))
        return (*parts, say("clusters.missing"))

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
