"""What every adjusted comparison of a cohort shares: groups, covariates and clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from outcomes.analyses._clusters import Clustering, choose_clusters
from outcomes.analyses._covariates import Covariate, list_covariates, read_covariate
from outcomes.analyses._declaration import join_names, label_covariate, say
from outcomes.analyses._grid import Grid
from outcomes.analyses._regression import build_design
from outcomes.cohort import Cohort


@dataclass(frozen=True)
class Comparison:
    """A plan that holds at all time points.

    Parameters
    ----------
    grid : Grid
    groups : tuple of str
        In the order of the cohort, the reference last.
    covariates : list of Covariate
        The baseline score first.
    clustering : Clustering
    conf_level : float
    """

    grid: Grid
    groups: tuple[str, ...]
    covariates: list[Covariate]
    clustering: Clustering
    conf_level: float

    def describe(self, fit: str) -> str:
        """Say the standard errors of ``least_squares`` or ``likelihood``, sites and missing."""
        errors = "alone" if self.clustering.codes is None else "clustered"
        parts = [say(f"clusters.by_{self.clustering.unit}"), say(f"clusters.{fit}_{errors}")]
        if self.clustering.site_effect:
            parts.append(say("clusters.site_effect"))
        return " ".join([*parts, say("clusters.missing")])

    def name_covariates(self) -> str:
        """Return the covariates as a sentence names them."""
        return join_names(label_covariate(entry.name) for entry in self.covariates) or say("nothing")


def plan_comparison(cohort: Cohort, grid: Grid, by: str, conf_level: float, cluster: str) -> Comparison:
    """Decide groups, covariates and clusters from the patients seen at the primary time point.

    Parameters
    ----------
    cohort : Cohort
    grid : Grid
    by, cluster : str
    conf_level : float
        As in `outcomes.analyses.ancova.compare_at_timepoints`.

    Returns
    -------
    Comparison
    """
    scored = np.flatnonzero(grid.based & grid.seen[:, grid.column(cohort.primary)])
    clustering = choose_clusters(grid, scored, cluster, by)
    covariates = [entry for entry in list_covariates(cohort, grid) if entry.name != by]
    groups = grid.groups
    if cohort.reference in groups:
        groups = (*(name for name in groups if name != cohort.reference), cohort.reference)
    if clustering.site_effect:
        clustering = _add_sites(grid, groups, covariates, clustering, scored)
    return Comparison(grid, groups, covariates, clustering, conf_level)


def _add_sites(
    grid: Grid,
    groups: tuple[str, ...],
    covariates: list[Covariate],
    clustering: Clustering,
    scored: np.ndarray,
) -> Clustering:
    """Add the sites to the covariates unless groups could then not be told from sites."""
    sites = read_covariate(grid.episodes["site"], "site")
    if build_design(grid, [*covariates, sites], scored, groups).state == "ok":
        covariates.append(sites)
        return clustering
    warnings = (*clustering.warnings, say("clusters.sites_confounded"))
    return replace(clustering, site_effect=False, warnings=warnings)
