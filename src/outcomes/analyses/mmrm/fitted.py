"""`MmrmFit`: a fitted repeated-measures model and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class MmrmFit:
    """A fitted model; made by `outcomes.analyses.mmrm.fit`.

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
        ``ok``; ``boundary`` (a correlation is 1 or a variance 0); ``few_clusters`` (estimates without
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

    def marginal_means(self, by: str | Sequence[str] = "therapy", **options: Any) -> pd.DataFrame:
        """Return marginal means (LS means); see `outcomes.analyses.mmrm.contrasts.tabulate_means`."""
        from outcomes.analyses.mmrm.contrasts import tabulate_means

        return tabulate_means(self, by, **options)

    def contrasts(self, by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Return differences of marginal means; see `outcomes.analyses.mmrm.contrasts.tabulate_contrasts`."""
        from outcomes.analyses.mmrm.contrasts import tabulate_contrasts

        return tabulate_contrasts(self, by, **options)

    def slopes(self, over: str | Mapping[str, float], by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Return change per unit of time and its differences; see `contrasts.tabulate_slopes`."""
        from outcomes.analyses.mmrm.contrasts import tabulate_slopes

        return tabulate_slopes(self, over, by, **options)

    def f_tests(self) -> pd.DataFrame:
        """Test the coefficients of each term jointly: ``term, num_df, den_df, statistic, p_value``.

        With treatment contrasts the test of a term that is part of an interaction is one at the reference
        levels.
        """
        from outcomes.analyses.mmrm.contrasts import tabulate_tests

        return tabulate_tests(self)

    def joint_tests(self, by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Test at each visit whether levels differ at all; see `contrasts.tabulate_joint_tests`."""
        from outcomes.analyses.mmrm.contrasts import tabulate_joint_tests

        return tabulate_joint_tests(self, by, **options)

    def with_inference(self, *, df: str | None = None, vcov: str | None = None) -> MmrmFit:
        """Return the fit with other degrees of freedom or standard errors; see `model.change_inference`."""
        from outcomes.analyses.mmrm.model import change_inference

        return change_inference(self, df=df, vcov=vcov)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the mean of each row of a long frame; see `predictions.predict_rows`."""
        from outcomes.analyses.mmrm.predictions import predict_rows

        return predict_rows(self, frame)

    def residuals(self) -> pd.DataFrame:
        """Return residuals of all fitted rows; see `predictions.list_residuals`."""
        from outcomes.analyses.mmrm.predictions import list_residuals

        return list_residuals(self)

    def summary(self) -> str:
        """Return the fit as text, in the order of R's ``summary``."""
        from outcomes.analyses.mmrm.summary import write_summary

        return write_summary(self)

    def __repr__(self) -> str:
        """Return the summary."""
        return self.summary()
