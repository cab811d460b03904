"""`FittedModel`: what a fit found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.inference import ESTIMATE_COLUMNS, Inference
from outcomes.analyses.mmrm.layout import Layout
from outcomes.analyses.mmrm.likelihood import Stack
from outcomes.analyses.mmrm.newton import Optimum
from outcomes.analyses.mmrm.patterns import PatternSums


@dataclass(frozen=True)
class FittedModel:
    """A fitted model; what can be asked of it is in `outcomes.analyses.mmrm.mmrm_fit.MmrmFit`.

    Parameters
    ----------
    formula : str
    covariance : str
        Name of the covariance between visits.
    method : str
        ``reml`` or ``ml``.
    df : str
        Method of the degrees of freedom.
    vcov_kind : str
        ``model``, ``CR0``, ``CR2`` or ``CR3``.
    state : str
        ``ok``; ``boundary`` (a correlation is 1); ``few_clusters`` (estimates without
        standard errors); and without estimates ``not_converged``, ``degenerate``, ``too_few``.
    reasons : tuple of str
        What a reader must know: why the state is not ok, what was left out.
    dropped : tuple of str
        Columns of the model that repeat others, left out.
    n_patients, n_rows, n_rows_dropped, n_patients_dropped, n_clusters : int
        Patients and rows fitted; rows that lack something, patients of whom no row is left; clusters.
    conf_level : float
    """

    formula: str
    covariance: str
    method: str
    df: str
    vcov_kind: str
    state: str
    reasons: tuple[str, ...]
    dropped: tuple[str, ...]
    n_patients: int
    n_rows: int
    n_rows_dropped: int
    n_patients_dropped: int
    n_clusters: int
    conf_level: float
    layout: Layout = field(repr=False)
    design: Design = field(repr=False)
    sums: PatternSums = field(repr=False)
    kept: np.ndarray = field(repr=False)
    repeats: np.ndarray = field(repr=False)
    groups: tuple[str, ...] = field(repr=False, default=())
    stack: Stack | None = field(repr=False, default=None)
    optimum: Optimum | None = field(repr=False, default=None)
    inference: Inference | None = field(repr=False, default=None)
    source: Any = field(repr=False, default=None)
    log_determinant: float = field(repr=False, default=0.0)
    weight_kind: str = field(repr=False, default="precision")

    @property
    def deviance(self) -> float:
        """Minus twice the (restricted) log-likelihood, in the units of the score."""
        if self.optimum is None:
            return float("nan")
        n_free = self.n_rows - (len(self.kept) if self.method == "reml" else 0)
        changed = self.optimum.at.deviance + 2 * n_free * np.log(self.layout.spread[""])
        changed += 2 * self.log_determinant if self.method == "reml" else 0.0
        return float(changed - self.sums.log_weight)

    @property
    def log_likelihood(self) -> float:
        """Logarithm of the (restricted) likelihood."""
        return -self.deviance / 2

    @property
    def n_parameters(self) -> int:
        """Parameters of the covariance, all groups together."""
        return 0 if self.optimum is None else len(self.optimum.theta)

    @property
    def aic(self) -> float:
        """Akaike's criterion; as in mmrm only parameters of the covariance count, for ML too."""
        return self.deviance + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion with the number of patients; parameters count as in `aic`."""
        return self.deviance + float(np.log(self.n_patients)) * self.n_parameters

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """One row per kept column: ``term`` and `outcomes.analyses.mmrm.inference.ESTIMATE_COLUMNS`."""
        names = [self.design.names[place] for place in self.kept]
        if self.inference is None:
            found = pd.DataFrame(np.nan, index=range(len(names)), columns=list(ESTIMATE_COLUMNS))
        else:
            found = self.inference.estimate(self.inference.to_public, self.conf_level)
        return pd.concat([pd.Series(names, name="term", dtype="str"), found], axis=1)

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the coefficients that standard errors come from, shape (p, p)."""
        names = [self.design.names[place] for place in self.kept]
        if self.inference is None or self.inference.withheld:
            return pd.DataFrame(np.nan, index=names, columns=names)
        turn = self.inference.scale * self.inference.to_public
        return pd.DataFrame(turn @ self.inference.used @ turn.T, index=names, columns=names)

    @property
    def visit_covariance(self) -> pd.DataFrame:
        """Covariance between visits, shape (T, T); with groups one block below the other."""
        visits = list(self.layout.visits)
        scale = self.layout.spread[""] ** 2
        n_groups = max(len(self.groups), 1)
        sigmas = np.full((n_groups, len(visits), len(visits)), np.nan)
        if self.optimum is not None:
            sigmas = scale * self.optimum.sigmas
        index: pd.Index = pd.Index(visits, name=self.layout.visit)
        if self.groups:
            index = pd.MultiIndex.from_product(
                [self.groups, visits], names=[self.layout.group, self.layout.visit]
            )
        return pd.DataFrame(sigmas.reshape(-1, len(visits)), index=index, columns=visits)
