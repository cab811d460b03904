"""A fit as text, in the order of R's summary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.covariances import COVARIANCES
from outcomes.analyses.mmrm.fitted import FittedModel

_METHODS = {
    "kenward-roger-linear": "Kenward-Roger (linear)",
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite",
    "residual": "residual",
    "between-within": "between-within",
}


def write_summary(fit: FittedModel) -> str:
    """Write a fit: what was fitted, criteria, coefficients, covariance between visits."""
    df = (
        "Bell-McCaffrey (Satterthwaite)"
        if fit.vcov_kind != "model" and fit.df == "satterthwaite"
        else _METHODS[fit.df]
    )
    by = f", one per {fit.layout.group}" if fit.layout.group else ""
    lines = [
        f"Mixed model for repeated measures fitted by {fit.method.upper()}",
        "",
        f"Formula:     {fit.formula}",
        f"Data:        {fit.n_rows} rows of {fit.n_patients} patients, at most {len(fit.layout.visits)} "
        "visits",
        f"Covariance:  {COVARIANCES[fit.covariance].label} ({fit.covariance}, {fit.n_parameters} "
        f"parameters{by})",
        f"Vcov:        {_describe_vcov(fit)}",
        f"Df:          {df}",
        f"State:       {fit.state}",
        *(f"Note:        {reason}" for reason in fit.reasons),
    ]
    if fit.inference is None:
        return "\n".join(lines)
    criteria = {"AIC": fit.aic, "BIC": fit.bic, "logLik": fit.log_likelihood, "deviance": fit.deviance}
    lines += [
        "",
        "Model selection criteria:",
        *_align([list(criteria), [f"{value:.1f}" for value in criteria.values()]]),
    ]
    lines += ["", "Coefficients:", *_write_coefficients(fit)]
    lines += ["", "Covariance between visits:", fit.visit_covariance.round(4).to_string()]
    return "\n".join(lines)


def _describe_vcov(fit: FittedModel) -> str:
    if fit.vcov_kind == "model":
        return "Kenward-Roger adjusted" if fit.df.startswith("kenward") else "of the model"
    unit = fit.layout.cluster or fit.layout.subject
    return f"cluster-robust {fit.vcov_kind} by {unit}, {fit.n_clusters} clusters"


def _write_coefficients(fit: FittedModel) -> list[str]:
    rows = [["", "Estimate", "Std. Error", "df", "t value", "Pr(>|t|)", ""]]
    for row in fit.coefficients.to_dict("records"):
        rows.append(
            [
                row['term'], f"{row['estimate']:.5f}", f"{row['std_error']:.5f}", f"{row['df']:.2f}",
                f"{row['statistic']:.3f}", _write_p(row['p_value']), _mark(row['p_value']),
            ]
        )  # fmt: skip
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
