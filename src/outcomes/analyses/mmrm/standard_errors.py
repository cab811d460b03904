"""What a fit is asked for, and its standard errors and degrees of freedom, robust ones too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from outcomes.analyses._clusters import POWERS
from outcomes.analyses.mmrm.covariances import choose_covariance
from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.inference import (
    METHODS,
    Fitted,
    Inference,
    Robust,
    adjust_covariance,
    count_between_within,
    find_parameter_variance,
)
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts


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
    covariance: str = "us",
    group: str | None = None,
    method: str = "reml",
    df: str | None = None,
    vcov: str | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    weight_kind: str = "precision",
    equally_spaced: bool = False,
    conf_level: float = 0.95,
) -> Choices:
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


F = TypeVar("F", bound=FittedModel)


def add_inference(found: F, choices: Choices) -> F:
    """Return a fit with the covariance of its coefficients and their degrees of freedom."""
    optimum, stack, design = found.optimum, found.stack, found.design
    assert optimum is not None and stack is not None
    vcov, kept = optimum.at.vcov, found.kept
    variance = find_parameter_variance(optimum.slopes)
    used, robust, n_clusters, withheld = vcov, None, found.n_clusters, False
    if choices.vcov != "model":
        groups = sorted({group for group, _ in found.sums.grams})
        second = Fitted(design, kept, optimum.at.beta, vcov, optimum.sigmas, groups)
        robust = Robust(found.source, found.layout, second, choices.vcov)
        used, n_clusters = robust.estimate_covariance()
        withheld = n_clusters < read_facts("comparability")["clusters"]["at_least"]
    elif choices.df.startswith("kenward-roger"):
        linear = choices.df == "kenward-roger-linear"
        used = adjust_covariance(stack, optimum.at.inverses, vcov, optimum.slopes, variance, linear=linear)
    centring = design.centring[np.ix_(kept, kept)]
    centring += found.repeats @ np.delete(design.centring, kept, axis=0)[:, kept]
    inference = Inference(
        optimum.at.beta,
        vcov,
        used,
        optimum.slopes,
        variance,
        choices.df,
        found.layout.spread[""],
        found.layout.centre[""],
        _find_constant(design)[kept],
        np.linalg.inv(centring),
        found.n_rows - len(kept),
        count_between_within(_find_within(design)[kept], found.n_rows, found.n_patients),
        robust,
        withheld,
    )
    state, reasons = found.state, found.reasons
    if withheld:
        state = "few_clusters"
        reasons = (*reasons, f"{n_clusters} clusters are too few for standard errors that can be trusted.")
    return replace(
        found,
        inference=inference,
        n_clusters=n_clusters,
        state=state,
        reasons=reasons,
        log_determinant=float(np.linalg.slogdet(centring)[1]),
    )


def change_inference(fitted: F, *, df: str | None = None, vcov: str | None = None) -> F:
    """Return a fit with other degrees of freedom or another covariance of the coefficients.

    The likelihood is not maximised anew; a cluster-robust covariance takes another pass over the table.

    Parameters
    ----------
    fitted : FittedModel
    df, vcov : str, optional
        As in `fit`; where absent, what `fit` takes then.
    """
    layout = fitted.layout
    choices = check_choices(
        fitted.covariance,
        layout.group,
        fitted.method,
        df,
        vcov,
        layout.cluster,
        layout.weights,
        fitted.weight_kind,
        True,
        fitted.conf_level,
    )
    held = replace(fitted, df=choices.df, vcov_kind=choices.vcov)
    if fitted.optimum is None:
        return held
    return add_inference(
        replace(held, state="ok" if fitted.state == "few_clusters" else fitted.state), choices
    )


def _find_constant(design: Design) -> np.ndarray:
    """Return coefficients that make the columns add up to 1: the intercept's, or a term of categories'."""
    layout = design.layout
    for number, term in enumerate(layout.terms.terms):
        if all(layout.is_visit(name) or name in layout.levels for name in term):
            return np.array([float(column.term == number) for column in design.columns])
    return np.zeros(len(design.columns))


def _find_within(design: Design) -> np.ndarray:
    """Return which columns change within patients; the intercept does where any other does."""
    varying = design.layout.varying
    within = np.array(
        [column.visit >= 0 or any(name in varying for name, _ in column.part) for column in design.columns]
    )
    empty = np.array([column.visit < 0 and not column.part for column in design.columns])
    return within | (empty & within.any())
