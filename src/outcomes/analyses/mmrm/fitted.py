"""`FittedModel`: what a fit found, and its summary in the form of R."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.covariances import COVARIANCES
from outcomes.analyses.mmrm.design import Design, PatternSums
from outcomes.analyses.mmrm.inference import ESTIMATE_COLUMNS, Inference
from outcomes.analyses.mmrm.layout import Layout
from outcomes.analyses.mmrm.likelihood import Optimum, Stack

_METHODS = {
    "kenward-roger-linear": "Kenward-Roger (linear)",
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite",
    "residual": "residual",
    "between-within": "between-within",
}


def write_summary(fit: "FittedModel") -> str:
    """Write a fit: what was fitted, criteria, coefficients, covariance between visits."""
    robust = fit.vcov_kind != "model" and fit.df == "satterthwaite"
    df = "Bell-McCaffrey (Satterthwaite)" if robust else _METHODS[fit.df]
    by = f", one per {fit.layout.group}" if fit.layout.group else ""
    n_visits, label = len(fit.layout.visits), COVARIANCES[fit.covariance].label
    lines = [
        f"Mixed model for repeated measures fitted by {fit.method.upper()}",
        "",
        f"Formula:     {fit.formula}",
        f"Data:        {fit.n_rows} rows of {fit.n_patients} patients, at most {n_visits} visits",
        f"Covariance:  {label} ({fit.covariance}, {fit.n_parameters} parameters{by})",
        f"Vcov:        {_describe_vcov(fit)}",
        f"Df:          {df}",
        f"State:       {fit.state}",
        *(f"Note:        {reason}" for reason in fit.reasons),
    ]
    if fit.inference is None:
        return "\n".join(lines)
    criteria = {"AIC": fit.aic, "BIC": fit.bic, "logLik": fit.log_likelihood, "deviance": fit.deviance}
    written = [f"{value:.1f}" for value in criteria.values()]
    lines += ["", "Model selection criteria:", *_align([list(criteria), written])]
    lines += ["", "Coefficients:", *_write_coefficients(fit)]
    lines += ["", "Covariance between visits:", fit.visit_covariance.round(4).to_string()]
    return "\n".join(lines)


def _describe_vcov(fit: "FittedModel") -> str:
    if fit.vcov_kind == "model":
        return "Kenward-Roger adjusted" if fit.df.startswith("kenward") else "of the model"
    unit = fit.layout.cluster or fit.layout.subject
    return f"cluster-robust {fit.vcov_kind} by {unit}, {fit.n_clusters} clusters"


def _write_coefficients(fit: "FittedModel") -> list[str]:
    rows = [["", "Estimate", "Std. Error", "df", "t value", "Pr(>|t|)", ""]]
    for row in fit.coefficients.to_dict("records"):
        numbers = [f"{row['estimate']:.5f}", f"{row['std_error']:.5f}", f"{row['df']:.2f}"]
        p_value = row["p_value"]
        rows.append([row["term"], *numbers, f"{row['statistic']:.3f}", _write_p(p_value), _mark(p_value)])
    return [*_align(rows), "---", "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"]


def _write_p(p_value: float) -> str:
    if pd.isna(p_value):
        return "NA"
    return "< 2e-16" if p_value < 2e-16 else (f"{p_value:.5f}" if p_value >= 1e-4 else f"{p_value:.2e}")


def _mark(p_value: float) -> str:
    place = int(np.searchsorted([0.001, 0.01, 0.05, 0.1], p_value))
    return ["***", "**", "*", ".", ""][place] if not pd.isna(p_value) else ""


def _align(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        " ".join(
            cell.ljust(width) if place in (0, len(row) - 1) and len(row) > 5 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


@dataclass(frozen=True)
class FittedModel:
    """A fitted model; what can be asked of it is in `outcomes.analyses.mmrm.model.MmrmFit`."""

    formula: str
    #: Name of the covariance between visits.
    covariance: str
    #: ``reml`` or ``ml``.
    method: str
    #: Method of the degrees of freedom.
    df: str
    #: ``model``, ``CR0``, ``CR2`` or ``CR3``.
    vcov_kind: str
    #: ``ok``; ``boundary`` (a correlation is 1); ``few_clusters`` (estimates without standard errors); and
    #: without estimates ``not_converged``, ``degenerate``, ``too_few``.
    state: str
    #: What a reader must know: why the state is not ok, what was left out.
    reasons: tuple[str, ...]
    #: Columns of the model that repeat others, left out.
    dropped: tuple[str, ...]
    #: Patients and rows fitted; rows that lack something, patients of whom no row is left; clusters.
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
            names = [self.layout.group, self.layout.visit]
            index = pd.MultiIndex.from_product([self.groups, visits], names=names)
        return pd.DataFrame(sigmas.reshape(-1, len(visits)), index=index, columns=visits)
