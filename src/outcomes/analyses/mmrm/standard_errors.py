"""What a fit is asked for, and its standard errors and degrees of freedom, robust ones too."""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from outcomes.analyses._clusters import POWERS
from outcomes.analyses._interval import check_level
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
)
from outcomes.analyses.mmrm.likelihood import invert_positive
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts


@dataclass(frozen=True)
class Choices:
    """How to fit a model once its table is summed; arguments of `fit`."""

    covariance: str = "us"
    group: str | None = None
    method: str = "reml"
    #: Empty until the choices are checked where none was made, and so is `vcov`.
    df: str = ""
    vcov: str = ""
    cluster: str | None = None
    weights: str | None = None
    weight_kind: str = "precision"
    equally_spaced: bool = False
    conf_level: float = 0.95


def check_choices(*given: Any, **named: Any) -> Choices:
    """Complete the choices of a fit, and refuse those that do not go together."""
    asked = Choices(*given, **named)
    choose_covariance(asked.covariance, 2, asked.equally_spaced)
    vcov = asked.vcov or ("CR2" if asked.cluster else "model")
    robust = vcov != "model"
    usual = "kenward-roger-linear" if asked.method == "reml" and not robust else "satterthwaite"
    df = asked.df or usual
    for name, value, allowed in (
        ("method", asked.method, ("reml", "ml")),
        ("df", df, METHODS),
        ("vcov", vcov, ("model", *POWERS)),
        ("weight_kind", asked.weight_kind, ("precision", "probability")),
    ):
        if value not in allowed:
            raise AnalysisError(f"There is no {name} {value!r}; choose one of: {', '.join(allowed)}.")
    if df.startswith("kenward-roger") and robust:
        raise AnalysisError(
            f"Kenward and Roger adjust the model's covariance, not {vcov}; choose df='satterthwaite' (Bell "
            "and McCaffrey) or vcov='model'."
        )
    if df.startswith("kenward-roger") and asked.method == "ml":
        raise AnalysisError(
            "Kenward and Roger's method needs method='reml'; for ML choose df='satterthwaite'."
        )
    if asked.cluster and not robust:
        raise AnalysisError("Clusters need vcov='CR2' (or CR0, CR3); vcov='model' knows of patients only.")
    if asked.weights and asked.weight_kind == "probability" and not robust:
        raise AnalysisError(
            "Probability weights need vcov='CR2' (or CR0, CR3); the model's covariance is wrong."
        )
    check_level(asked.conf_level)
    return replace(asked, df=df, vcov=vcov)


F = TypeVar("F", bound=FittedModel)


def add_inference(found: F, choices: Choices) -> F:
    """Return a fit with the covariance of its coefficients and their degrees of freedom."""
    optimum, stack, design = found.optimum, found.stack, found.design
    assert optimum is not None and stack is not None
    vcov, kept = optimum.at.vcov, found.kept
    # Of the covariance parameters: twice the inverse Hessian of the deviance.
    inverse, _ = invert_positive(optimum.slopes.hessian / 2)
    variance = np.full_like(optimum.slopes.hessian, np.nan) if inverse is None else inverse
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
    constant = np.array([float(column.term == found.layout.constant_term) for column in design.columns])
    within = count_between_within(_find_within(design)[kept], found.n_rows, found.n_patients)
    fitted = (optimum.at.beta, vcov, used, optimum.slopes, variance)
    units = (found.layout.spread[""], found.layout.centre[""], constant[kept], np.linalg.inv(centring))
    freedom = (found.n_rows - len(kept), within)
    inference = Inference(*fitted, choices.df, *units, *freedom, robust, withheld)
    state, reasons = found.state, found.reasons
    if withheld:
        state = "few_clusters"
        reasons = (*reasons, f"{n_clusters} clusters are too few for standard errors that can be trusted.")
    determinant = float(np.linalg.slogdet(centring)[1])
    said: dict[str, Any] = {"n_clusters": n_clusters, "state": state, "reasons": reasons}
    return replace(found, inference=inference, log_determinant=determinant, **said)


def change_inference(fitted: F, *, df: str | None = None, vcov: str | None = None) -> F:
    """Return a fit with other degrees of freedom or another covariance of the coefficients.

    The likelihood is not maximised anew; a cluster-robust covariance takes another pass over the table.
    """
    layout = fitted.layout
    columns = {"group": layout.group, "cluster": layout.cluster, "weights": layout.weights}
    asked = {"covariance": fitted.covariance, "method": fitted.method, "weight_kind": fitted.weight_kind}
    level = fitted.conf_level
    choices = check_choices(**asked, **columns, df=df, vcov=vcov, equally_spaced=True, conf_level=level)
    held = replace(fitted, df=choices.df, vcov_kind=choices.vcov)
    if fitted.optimum is None:
        return held
    return add_inference(
        replace(held, state="ok" if fitted.state == "few_clusters" else fitted.state), choices
    )


def _find_within(design: Design) -> np.ndarray:
    """Return which columns change within patients; the intercept does where any other does."""
    varying = design.layout.varying
    marks = [(column.visit >= 0, {name for name, _ in column.part}) for column in design.columns]
    within = np.array([at_visit or bool(names & varying) for at_visit, names in marks])
    empty = np.array([not at_visit and not names for at_visit, names in marks])
    return within | (empty & within.any())
