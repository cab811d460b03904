"""A cohort's follow-ups as a long table, and the repeated-measures model of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._comparison import Comparison
from outcomes.analyses._covariates import SCORE, Covariate
from outcomes.analyses.mmrm import MmrmFit, fit

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

    def tabulate_contrasts(self, conf_level: float, adjust: str) -> dict[Any, dict[Any, Any]]:
        """Return the estimates of contrasts by time point and both groups."""
        if self.fitted is None:
            return {}
        held = self.fitted.contrasts(
            "group", weights="observed", over="patients", conf_level=conf_level, adjust=adjust
        )
        return {(row["visit"], row["group"], row["versus"]): row for row in held.to_dict("records")}


def gather_visits(plan: Comparison, timepoints: list[str]) -> Visits:
    """Gather the scores seen at some time points, of episodes that have a score at the start."""
    grid = plan.grid
    columns = [grid.column(id) for id in timepoints]
    seen = grid.seen[:, columns] & grid.based[:, None]
    episode, visit = np.nonzero(seen)
    held = np.unique(episode)
    group = pd.Categorical(
        np.array(grid.groups, dtype=object)[grid.group[episode]], categories=list(plan.groups)
    )
    table = {
        "episode": episode,
        "visit": pd.Categorical(np.array(timepoints, dtype=object)[visit], categories=timepoints),
        "score": grid.score[:, columns][episode, visit],
        "group": group,
    }
    terms = []
    for number, covariate in enumerate(plan.covariates):
        terms += _add_covariate(table, covariate, number, episode, held)
    if plan.clustering.codes is not None:
        table["cluster"] = plan.clustering.codes[episode]
    patients = {
        (id, name): grid.patients(np.flatnonzero(seen[:, place] & (grid.group == grid.groups.index(name))))
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
        fitted = fit_alternative(
            visits,
            covariance=name,
            method=method,
            df=choose_df(df, method, robust=robust),
            vcov="CR2" if robust else None,
            cluster="cluster" if clustered else None,
            conf_level=plan.conf_level,
        )
        if fitted.state not in ("not_converged", "boundary") or name == ladder[-1]:
            break
        given_up.append(name)
    return replace(
        visits,
        fitted=fitted,
        state=fitted.state,
        covariance=name,
        df=fitted.df,
        given_up=tuple(given_up),
        robust=robust,
        n_absent=len(fitted.dropped),
    )


def fit_alternative(visits: Visits, **options: Any) -> MmrmFit:
    """Fit the same model with other options of `outcomes.analyses.mmrm.fit`, and without its ladder."""
    return fit(visits.formula, visits.table, subject="episode", visit="visit", **options)
