"""What a fit is asked for, completed and checked before any row is read."""

from __future__ import annotations

from dataclasses import dataclass

from outcomes.analyses.mmrm.covariances import choose_covariance
from outcomes.analyses.mmrm.freedom import METHODS
from outcomes.analyses.mmrm.sandwich import POWERS
from outcomes.errors import AnalysisError


@dataclass(frozen=True)
class Choices:
    """How to fit a model once its table is summed; arguments of `fit`."""

    covariance: str
    group: str | None
    method: str
    df: str
    vcov: str
    cluster: str | None
    weights: str | None
    weight_kind: str
    equally_spaced: bool
    conf_level: float


def check_choices(
    covariance: str = "us", group: str | None = None, method: str = "reml", df: str | None = None,
    vcov: str | None = None, cluster: str | None = None, weights: str | None = None,
    weight_kind: str = "precision", equally_spaced: bool = False, conf_level: float = 0.95,
) -> Choices:  # fmt: skip
    """Complete the choices of a fit, and refuse those that do not go together; see `fit`."""
    choose_covariance(covariance, 2, equally_spaced)
    vcov = vcov or ("CR2" if cluster else "model")
    robust = vcov != "model"
    df = df or ("kenward-roger-linear" if method == "reml" and not robust else "satterthwaite")
    for name, value, allowed in (
        ("method", method, ("reml", "ml")),
        ("df", df, METHODS),
        ("vcov", vcov, ("model", *POWERS)),
        ("weight_kind", weight_kind, ("precision", "probability")),
    ):
        if value not in allowed:
            raise AnalysisError(f"There is no {name} {value!r}; choose one of: {', '.join(allowed)}.")
    if df.startswith("kenward-roger") and robust:
        raise AnalysisError(
            f"Kenward and Roger adjust the model's covariance, not {vcov}; choose df='satterthwaite' (Bell "
            "and "
            "McCaffrey) or vcov='model'."
        )
    if df.startswith("kenward-roger") and method == "ml":
        raise AnalysisError(
            "Kenward and Roger's method needs method='reml'; for ML choose df='satterthwaite'."
        )
    if cluster and not robust:
        raise AnalysisError("Clusters need vcov='CR2' (or CR0, CR3); vcov='model' knows of patients only.")
    if weights and weight_kind == "probability" and not robust:
        raise AnalysisError(
            "Probability weights need vcov='CR2' (or CR0, CR3); the model's covariance is wrong."
        )
    if not 0 < conf_level < 1:
        raise AnalysisError("conf_level is a proportion between 0 and 1, such as 0.95.")
    return Choices(
        covariance, group, method, df, vcov, cluster, weights, weight_kind, equally_spaced, conf_level
    )
