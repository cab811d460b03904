"""Arithmetic of measurement error: standard error, detectable change, reliable change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats


@dataclass(frozen=True)
class MeasurementError:
    """Error of one score.

    Parameters
    ----------
    agreement : float
        Standard error of measurement, systematic differences between the visits included.
    consistency : float
        The same without them.
    icc : float
        Intraclass correlation, two-way, absolute agreement, single score (McGraw and Wong 1996, ICC(A,1)).
    difference, spread : float
        Mean and standard deviation of the differences between the visits.
    """

    agreement: float
    consistency: float
    icc: float
    difference: float
    spread: float


def measure_error(first: np.ndarray, second: np.ndarray) -> MeasurementError:
    """Measure the error from two visits of patients who did not change, by two-way analysis of variance.

    Parameters
    ----------
    first, second : array, shape (n,)
        Scores of at least two patients.
    """
    n, scores = len(first), np.column_stack([first, second])
    grand = scores.mean()
    between = 2 * ((scores.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    visits = n * ((scores.mean(axis=0) - grand) ** 2).sum()
    difference = second - first
    residual = ((difference - difference.mean()) ** 2).sum() / (2 * (n - 1))
    # ICC(A,1): (MSB - MSE) / (MSB + MSE + 2 (MSV - MSE) / n); the visits' variance is (MSV - MSE) / n.
    systematic = max(0.0, (visits - residual) / n)
    whole = between + residual + 2 * (visits - residual) / n
    return MeasurementError(
        agreement=float(np.sqrt(residual + systematic)),
        consistency=float(np.sqrt(residual)),
        icc=float((between - residual) / whole) if whole > 0 else np.nan,
        difference=float(difference.mean()),
        spread=float(difference.std(ddof=1)),
    )


def error_from_reliability(sd: float, reliability: float) -> float:
    """Return the standard error of measurement from a standard deviation and a reliability.

    Examples
    --------
    >>> round(error_from_reliability(16, 0.84), 6)
    6.4
    """
    return float(sd * np.sqrt(1 - reliability))


def detectable_change(error: float, level: float) -> float:
    """Return the change that measurement error alone exceeds in one of ``1 / (1 - level)`` patients.

    Examples
    --------
    >>> round(detectable_change(6.4, 0.95), 2), round(detectable_change(6.4, 0.90), 2)
    (17.74, 14.89)
    """
    return float(special.ndtri((1 + level) / 2) * np.sqrt(2) * error)


def reliable_index(change: np.ndarray, error: float) -> np.ndarray:
    """Return change in units of its standard error (Jacobson and Truax 1991).

    Examples
    --------
    >>> reliable_index(np.array([18.0]), 6.4).round(4).tolist()
    [1.9887]
    """
    return change / (np.sqrt(2) * error)


def cut_between(mean: float, sd: float, norm_mean: float, norm_sd: float) -> float:
    """Return the score that lies as far from patients as from the norm, in their own standard deviations.

    Jacobson and Truax 1991, cut-off c.

    Examples
    --------
    >>> cut_between(40, 10, 10, 5)
    20.0
    """
    return (norm_sd * mean + sd * norm_mean) / (sd + norm_sd)


def bound_error(error: float, df: int, conf_level: float) -> tuple[float, float]:
    """Return the chi-squared interval of a standard error of measurement."""
    tail = (1 - conf_level) / 2
    low, high = (error * np.sqrt(df / stats.chi2.ppf(point, df)) for point in (1 - tail, tail))
    return float(low), float(high)
