"""Degrees of freedom for small samples, and the adjusted covariance of Kenward and Roger."""

from __future__ import annotations

import numpy as np

from outcomes.analyses.mmrm.likelihood import Slopes, Stack, invert_positive

#: Names of the methods.
METHODS = ("kenward-roger-linear", "kenward-roger", "satterthwaite", "residual", "between-within")


def find_parameter_variance(slopes: Slopes) -> np.ndarray:
    """Return the variance of the covariance parameters, twice the inverse Hessian of the deviance."""
    inverse, _ = invert_positive(slopes.hessian / 2)
    return np.full_like(slopes.hessian, np.nan) if inverse is None else inverse


def adjust_covariance(
    stack: Stack,
    inverses: np.ndarray,
    vcov: np.ndarray,
    slopes: Slopes,
    variance: np.ndarray,
    *,
    linear: bool,
) -> np.ndarray:
    """Return Kenward and Roger's covariance of the coefficients.

    ``V + 2 V [sum W_rs (Q_rs - P_r V P_s - R_rs / 4)] V`` with W the variance of the covariance parameters
    (Kenward and Roger 1997, Biometrics 53:983, doi 10.2307/2533558). The linear form leaves out R, which
    holds second derivatives of the covariance, and then does not depend on its parameters.

    Parameters
    ----------
    stack : Stack
    inverses : array, shape (M, T, T)
    vcov : array, shape (p, p)
    slopes : Slopes
    variance : array, shape (R, R)
    linear : bool
    """
    weight = np.zeros_like(inverses)
    for group in range(stack.n_groups):
        own, members = np.flatnonzero(slopes.owner == group), np.flatnonzero(stack.group == group)
        inverse, shared = inverses[members], variance[np.ix_(own, own)]
        left = inverse[:, None] @ slopes.jacobian[own]
        mixed = np.einsum("rs,sij->rij", shared, slopes.jacobian[own])
        weight[members] = np.einsum("mrij,mrjk->mik", left, inverse[:, None] @ mixed) @ inverse
        if not linear:
            curved = np.einsum("rs,rsij->ij", shared, slopes.second[group])
            weight[members] -= inverse @ curved @ inverse / 4
    total = stack.contract((weight + np.swapaxes(weight, 1, 2)) / 2)[:-1, :-1]
    through = np.einsum(
        "rij,jk,skl,rs->il", slopes.information, vcov, slopes.information, variance, optimize=True
    )
    adjusted = vcov + 2 * vcov @ (total - through) @ vcov
    return (adjusted + adjusted.T) / 2


def count_satterthwaite(
    contrasts: np.ndarray, vcov: np.ndarray, slopes: Slopes, variance: np.ndarray
) -> np.ndarray:
    """Return Satterthwaite's degrees of freedom of contrasts of one row, shape (k,).

    ``2 (c'Vc)^2 / (g'Wg)`` with g the derivatives of ``c'Vc``. Kenward and Roger's are the same for one row.
    """
    along = contrasts @ vcov
    spread = np.einsum("kp,kp->k", along, contrasts)
    slope = np.einsum("kp,rpq,kq->kr", along, slopes.information, along, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * spread**2 / np.einsum("kr,rs,ks->k", slope, variance, slope)


def find_f_satterthwaite(
    contrasts: np.ndarray, beta: np.ndarray, vcov: np.ndarray, slopes: Slopes, variance: np.ndarray
) -> tuple[float, float]:
    """Return F and its denominator degrees of freedom (Fai and Cornelius 1996, doi
    10.1080/00949659608811740).
    """
    values, vectors = np.linalg.eigh(contrasts @ vcov @ contrasts.T)
    turned = vectors.T @ contrasts
    statistic = float(((turned @ beta) ** 2 / values).mean())
    each = count_satterthwaite(turned, vcov, slopes, variance)
    if np.ptp(each) < 1e-8 * each.max():
        return statistic, float(each.mean())
    if (each <= 2).any():
        return statistic, 2.0
    expected = float((each / (each - 2)).sum())
    return statistic, 2 * expected / (expected - len(each))


def find_f_kenward_roger(
    contrasts: np.ndarray, beta: np.ndarray, vcov: np.ndarray, adjusted: np.ndarray, slopes: Slopes,
    variance: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """Return the scaled F of Kenward and Roger 1997 and its denominator degrees of freedom."""
    size = len(contrasts)
    theta = contrasts.T @ np.linalg.solve(contrasts @ vcov @ contrasts.T, contrasts)
    turned = theta @ vcov @ slopes.information @ vcov
    traces = np.einsum("rii->r", turned)
    first = float(traces @ variance @ traces)
    second = float(np.einsum("rij,sji,rs->", turned, turned, variance, optimize=True))
    raw = (
        float(contrasts @ beta @ np.linalg.solve(contrasts @ adjusted @ contrasts.T, contrasts @ beta)) / size
    )
    bound = (first + 6 * second) / (2 * size)
    ratio = ((size + 1) * first - (size + 4) * second) / ((size + 2) * second)
    divisor = 3 * size + 2 * (1 - ratio)
    c_1, c_2, c_3 = ratio / divisor, (size - ratio) / divisor, (size + 2 - ratio) / divisor
    mean = 1 / (1 - second / size)
    spread = 2 / size * (1 + c_1 * bound) / ((1 - c_2 * bound) ** 2 * (1 - c_3 * bound))
    df = 4 + (size + 2) / (size * spread / (2 * mean**2) - 1)
    return raw * df / (mean * (df - 2)), df


def count_between_within(within: np.ndarray, n_rows: int, n_patients: int) -> np.ndarray:
    """Return the between-within degrees of freedom of each coefficient.

    Coefficients of columns that never change within a patient have patients less those columns and the
    intercept; the others, the intercept among them, rows less patients less their number (Schluchter and
    Elashoff 1990, doi 10.1080/00949659008811295), as in mmrm.

    Parameters
    ----------
    within : array of bool, shape (p,)
        Whether a column changes within patients; the intercept counts as one that does where any other does.
    n_rows, n_patients : int
    """
    n_within = int(within.sum())
    n_between = len(within) - n_within + (1 if n_within else 0)
    return np.where(
        within, n_rows - n_patients - (n_within - 1 if n_within else 0), n_patients - n_between
    ).astype("float64")
