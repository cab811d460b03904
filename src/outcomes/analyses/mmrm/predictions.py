"""Fitted means of rows, and residuals."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.inference import Fitted
from outcomes.analyses.mmrm.layout import Factor, Layout, Wide, require_columns, widen
from outcomes.errors import AnalysisError

_PLACE = "__row__"


def predict_rows(fit: FittedModel, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean that the model gives each row of a long frame.

    The frame has the columns of the formula and the visit; scores are not needed. Returned are ``fitted`` and
    ``std_error``, missing where a factor is missing or has a level that the model does not know. The mean is
    that of all patients like the row's, whatever is known of the patient's other visits.
    """
    _require_estimates(fit)
    assert fit.inference is not None
    layout = _ask_for_means(fit.layout)
    variables = [name for entry in layout.factors for name in entry.variables]
    named = list(dict.fromkeys([layout.visit, *variables]))
    require_columns([str(name) for name in frame.columns], named)
    asked = frame[named].reset_index(drop=True)
    asked[_PLACE], asked["__score__"] = np.arange(len(frame)), 0.0
    wide = widen(asked, layout)
    columns, _ = _describe_fit(fit).subtract(wide)
    rows = columns.sum(axis=1)
    places = wide.subjects.astype(int)
    found = pd.DataFrame(np.nan, index=frame.index, columns=["fitted", "std_error"])
    values = np.full((len(frame), 2), np.nan)
    values[places, 0] = fit.inference.shift * np.round(rows @ fit.inference.constant, 12)
    values[places, 0] += fit.inference.scale * (rows @ fit.inference.beta)
    if not fit.inference.withheld:
        variance = np.einsum("ip,pq,iq->i", rows, fit.inference.used, rows)
        values[places, 1] = fit.inference.scale * np.sqrt(variance)
    found[["fitted", "std_error"]] = values
    return found


def _ask_for_means(layout: Layout) -> Layout:
    terms = replace(layout.terms, score=Factor("__score__", ("__score__",), False))
    units: dict[str, Any] = {"centre": {**layout.centre, "": 0.0}, "spread": {**layout.spread, "": 1.0}}
    asked = replace(layout, terms=terms, subject=_PLACE, **units)
    return replace(asked, weights=None, group=None, cluster=None)


def _describe_fit(fit: FittedModel) -> Fitted:
    assert fit.inference is not None and fit.optimum is not None
    groups = sorted({group for group, _ in fit.sums.grams})
    return Fitted(fit.design, fit.kept, fit.inference.beta, fit.inference.model, fit.optimum.sigmas, groups)


def _require_estimates(fit: FittedModel) -> None:
    if fit.inference is None:
        raise AnalysisError(f"The model has no estimates (state {fit.state}): {' '.join(fit.reasons)}")


def list_residuals(fit: FittedModel) -> pd.DataFrame:
    """Return the residuals of all fitted rows, by another pass over the table.

    One row per fitted row, ordered by patient and visit: subject, visit, ``fitted``, ``residual`` (score less
    fitted), ``standardised`` (over its standard deviation) and ``normalised`` (by the Cholesky factor of the
    patient's covariance, uncorrelated where the model holds).
    """
    _require_estimates(fit)
    parts = fit.source.map(fit.layout, partial(_subtract, fitted=_describe_fit(fit)))
    subjects, visits, numbers = (np.concatenate(found) for found in zip(*parts, strict=True))
    assert fit.inference is not None
    scale = fit.inference.scale
    known = list(fit.layout.visits)
    visit = pd.Categorical(np.array(known, dtype=object)[visits], categories=known, ordered=True)
    table = pd.DataFrame({fit.layout.subject: subjects, fit.layout.visit: visit})
    table["fitted"] = scale * numbers[:, 0] + fit.inference.shift
    table["residual"] = scale * numbers[:, 1]
    table["standardised"], table["normalised"] = numbers[:, 2], numbers[:, 3]
    return table.sort_values([fit.layout.subject, fit.layout.visit], kind="stable", ignore_index=True)


def _subtract(wide: Wide, *, fitted: Fitted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seen = ~np.isnan(wide.score)
    columns, residuals = fitted.subtract(wide)
    _, normalised = fitted.whiten(wide)
    weights = np.ones_like(residuals)
    if wide.weights is not None:
        weights = np.sqrt(wide.weights if wide.weights.ndim == 2 else wide.weights[:, None] * weights)
    sd = np.sqrt(np.diagonal(fitted.sigmas, axis1=1, axis2=2))[fitted.place_groups(wide)]
    rows, visits = np.nonzero(seen)
    fitted_means = columns @ fitted.beta / weights
    numbers = np.stack([fitted_means, residuals / weights, residuals / sd, normalised], axis=2)
    return wide.subjects[rows], visits, numbers[rows, visits]
