"""Estimates of linear functions of the coefficients with standard errors, degrees of freedom and tests."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from outcomes.analyses._clusters import ClusterSums
from outcomes.analyses._interval import p_value_t, quantile_t
from outcomes.analyses.mmrm.design import Design, add_all
from outcomes.analyses.mmrm.layout import Wide
from outcomes.analyses.mmrm.likelihood import Slopes, Stack

#: Names of the methods.
METHODS = ("kenward-roger-linear", "kenward-roger", "satterthwaite", "residual", "between-within")


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
    information = slopes.information
    through = np.einsum("rij,jk,skl,rs->il", information, vcov, information, variance, optimize=True)
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
    few = np.ptp(each) >= 1e-8 * each.max() and (each <= 2).any()
    return statistic, 2.0 if few else _join_freedom(each)


def _join_freedom(each: np.ndarray) -> float:
    """Return the degrees of freedom of an F that is the mean of squared t statistics."""
    if np.ptp(each) < 1e-8 * each.max() or (each <= 2).any():
        return float(each.min())
    expected = float((each / (each - 2)).sum())
    return 2 * expected / (expected - len(each))


def find_f_kenward_roger(
    contrasts: np.ndarray,
    beta: np.ndarray,
    vcov: np.ndarray,
    adjusted: np.ndarray,
    slopes: Slopes,
    variance: np.ndarray,
) -> tuple[float, float]:
    """Return the scaled F of Kenward and Roger 1997 and its denominator degrees of freedom."""
    size = len(contrasts)
    theta = contrasts.T @ np.linalg.solve(contrasts @ vcov @ contrasts.T, contrasts)
    turned = theta @ vcov @ slopes.information @ vcov
    traces = np.einsum("rii->r", turned)
    first = float(traces @ variance @ traces)
    second = float(np.einsum("rij,sji,rs->", turned, turned, variance, optimize=True))
    found = contrasts @ beta
    raw = float(found @ np.linalg.solve(contrasts @ adjusted @ contrasts.T, found)) / size
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
    Elashoff 1990, doi 10.1080/00949659008811295), as in mmrm. The intercept counts as a column that changes
    where any other does.
    """
    n_within = int(within.sum())
    n_between = len(within) - n_within + (1 if n_within else 0)
    free_within = n_rows - n_patients - (n_within - 1 if n_within else 0)
    return np.where(within, free_within, n_patients - n_between).astype("float64")


#: Columns of every table of estimates after those that name the row.
ESTIMATE_COLUMNS = ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high")

#: Smallest variance of a combination of contrasts beside the largest, below which there is no joint test.
_SINGULAR = 1e-12


#: Degrees of freedom below which a 95 % interval would span more than 1e12 standard errors.
_FEWEST_DF = 0.1


@dataclass(frozen=True)
class Inference:
    """What stands behind every estimate of a fit, for the kept columns in the units of the sums."""

    #: Shapes (p,), (p, p), (p, p): coefficients, their covariance by the model, and the one that standard
    #: errors come from.
    beta: np.ndarray
    model: np.ndarray
    used: np.ndarray
    slopes: Slopes
    #: Shape (R, R): of the covariance parameters.
    variance: np.ndarray
    #: Of the degrees of freedom.
    method: str
    #: The score is ``shift + scale *`` its value in the sums.
    scale: float
    shift: float
    #: Shape (p,): coefficients that make the columns add up to 1.
    constant: np.ndarray
    #: Shape (p, p): coefficients as a reader knows them are ``to_public @ beta`` but for scale and shift.
    to_public: np.ndarray
    residual_df: float
    #: Shape (p,): between-within degrees of freedom of the coefficients as a reader knows them.
    coefficient_df: np.ndarray
    robust: "Robust | None"
    #: Whether clusters are too few for a standard error.
    withheld: bool = False

    def estimate(self, rows: np.ndarray, conf_level: float) -> pd.DataFrame:
        """Estimate linear functions of the coefficients, one a row (k, p); intervals are not adjusted.

        A row with a missing value stays empty; one whose variance is negative, which corrections for few
        patients can make it, or has next to no degrees of freedom, has no standard error.
        """
        known = np.isfinite(rows).all(axis=1)
        table = pd.DataFrame(np.nan, index=range(len(rows)), columns=list(ESTIMATE_COLUMNS))
        held = rows[known]
        estimate = self.scale * (held @ self.beta) + self.shift * np.round(held @ self.constant, 12)
        table.loc[known, "estimate"] = estimate
        if self.withheld or not len(held):
            return table
        with np.errstate(invalid="ignore"):
            std_error = self.scale * np.sqrt(np.einsum("kp,pq,kq->k", held, self.used, held))
        df = self.count_freedom(held)
        std_error = np.where(df < _FEWEST_DF, np.nan, std_error)
        margin = quantile_t(conf_level, df) * std_error
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = estimate / std_error
        found = (estimate, std_error, df, statistic, p_value_t(statistic, df))
        bounds = (estimate - margin, estimate + margin)
        table.loc[known, list(ESTIMATE_COLUMNS)] = np.column_stack([*found, *bounds])
        return table

    def count_freedom(self, rows: np.ndarray) -> np.ndarray:
        """Return the degrees of freedom of each function."""
        if self.method == "residual":
            return np.full(len(rows), self.residual_df)
        if self.method == "between-within":
            public = rows @ np.linalg.inv(self.to_public)
            part = np.abs(public) > 1e-9 * np.abs(public).max(axis=1, keepdims=True)
            return np.where(part, self.coefficient_df, np.inf).min(axis=1)
        if self.robust is not None:
            freedom: np.ndarray = self.robust.sum_contrasts(rows).shares.count_freedom()
            return freedom
        return count_satterthwaite(rows, self.model, self.slopes, self.variance)

    def test_jointly(self, rows: np.ndarray) -> dict[str, float]:
        """Test whether several functions are all 0: ``num_df, den_df, statistic`` (F) and ``p_value``.

        By the method of the degrees of freedom; with a cluster-robust covariance by the approximate Hotelling
        test of Tipton and Pustejovsky (2015, doi 10.3102/1076998615606099). Clusters too few for it, and
        functions that depend on each other, give no test.
        """
        nothing = {"num_df": float(len(rows)), "den_df": np.nan, "statistic": np.nan, "p_value": np.nan}
        if self.withheld or not np.isfinite(rows).all() or not len(rows):
            return nothing
        values = np.linalg.eigvalsh(rows @ self.used @ rows.T)
        if not values[0] > _SINGULAR * values[-1]:
            return nothing
        if self.method.startswith("kenward-roger") and self.robust is None:
            statistic, den_df = find_f_kenward_roger(
                rows, self.beta, self.model, self.used, self.slopes, self.variance
            )
        elif self.robust is None and self.method == "satterthwaite":
            statistic, den_df = find_f_satterthwaite(rows, self.beta, self.used, self.slopes, self.variance)
        elif self.robust is not None and self.method == "satterthwaite":
            statistic, den_df = self._test_robustly(rows, self.robust)
        else:
            statistic, den_df = self._test_turned(rows)
        p_value = float(special.fdtrc(len(rows), den_df, statistic)) if den_df > 0 else np.nan
        return {"num_df": float(len(rows)), "den_df": den_df, "statistic": statistic, "p_value": p_value}

    def _test_robustly(self, rows: np.ndarray, robust: "Robust") -> tuple[float, float]:
        """Return Hotelling's T squared as an F, and its denominator degrees of freedom."""
        size = len(rows)
        expected = robust.sum_contrasts(rows, joint=True).shares.expected
        values, vectors = np.linalg.eigh(expected)
        if not values[0] > _SINGULAR * values[-1]:
            return np.nan, np.nan
        scaled = (vectors / np.sqrt(values)) @ vectors.T @ rows
        freedom = robust.sum_contrasts(scaled, joint=True).shares.count_freedom()
        found = rows @ self.beta
        squared = float(found @ np.linalg.solve(rows @ self.used @ rows.T, found))
        den_df = freedom - size + 1
        return (squared * den_df / (freedom * size), den_df) if den_df > 0 else (np.nan, np.nan)

    def _test_turned(self, rows: np.ndarray) -> tuple[float, float]:
        values, vectors = np.linalg.eigh(rows @ self.used @ rows.T)
        turned = vectors.T @ rows
        statistic = float(((turned @ self.beta) ** 2 / values).mean())
        return statistic, _join_freedom(self.count_freedom(turned))


@dataclass(frozen=True)
class Robust:
    """The second pass behind a cluster-robust covariance, made again for new contrasts."""

    source: Any
    layout: Any
    fitted: "Fitted"
    #: ``CR0``, ``CR2`` or ``CR3``.
    kind: str

    def sum_contrasts(self, rows: np.ndarray, *, joint: bool = False) -> ClusterSums:
        """Return the sums over clusters for some contrasts, each by itself or together."""
        sum_part = partial(sum_clusters, fitted=self.fitted, kind=self.kind, contrasts=rows, joint=joint)
        nobody = ClusterSums.empty(len(self.fitted.beta), len(rows), joint)
        sums = add_all(self.source.map(self.layout, sum_part), nobody)
        return sums.finish(self.fitted.vcov, self.kind, rows)

    def estimate_covariance(self) -> tuple[np.ndarray, int]:
        """Return the covariance of the coefficients and the number of clusters."""
        sums, vcov = self.sum_contrasts(np.empty((0, len(self.fitted.beta)))), self.fitted.vcov
        return vcov @ sums.meat @ vcov, sums.n_clusters


#: Patients whose rows are held at the same time.
_CHUNK = 4096


@dataclass(frozen=True)
class Fitted:
    """What a second pass over the patients needs of the first: all in the units of the sums."""

    design: Design
    kept: np.ndarray
    #: Shapes (p,), (p, p).
    beta: np.ndarray
    vcov: np.ndarray
    #: Shape (groups, T, T).
    sigmas: np.ndarray
    groups: list[int]

    def place_groups(self, wide: Wide) -> np.ndarray:
        """Return the place of each patient's covariance, shape (n,)."""
        nobody = np.zeros(len(wide.score), dtype=int)
        return nobody if wide.group is None else np.searchsorted(self.groups, wide.group)

    def whiten(self, wide: Wide) -> tuple[np.ndarray, np.ndarray]:
        """Return columns and residuals by the Cholesky factor of their covariance, zero where not seen.

        Shapes (n, T, p) and (n, T). The model of these rows is least squares; no cluster-robust covariance
        depends on which factor whitens.
        """
        columns, residuals = self.subtract(wide)
        seen = ~np.isnan(wide.score)
        both = seen[:, :, None] & seen[:, None, :]
        blocks = np.where(both, self.sigmas[self.place_groups(wide)], np.eye(seen.shape[1]))
        rows = np.concatenate([columns, residuals[:, :, None]], axis=2)
        stacked = np.linalg.solve(np.linalg.cholesky(blocks), rows)
        return stacked[:, :, :-1], stacked[:, :, -1]

    def subtract(self, wide: Wide) -> tuple[np.ndarray, np.ndarray]:
        """Return columns and residuals, weighed, zero where a visit is missing."""
        seen = ~np.isnan(wide.score)
        parts = self.design.evaluate_parts(wide)
        n_parts = len(self.design.parts)
        columns = self.design.spread_visits(parts[:, :n_parts])[:, :, self.kept] * seen[:, :, None]
        return columns, parts[:, n_parts:] - columns @ self.beta


def sum_clusters(
    wide: Wide, *, fitted: Fitted, kind: str, contrasts: np.ndarray, joint: bool = False
) -> ClusterSums:
    """Sum over the clusters of some patients; patients are clusters where no other is named."""
    sums = ClusterSums.empty(len(fitted.beta), len(contrasts), joint)
    if wide.cluster is not None:
        # A cluster's patients together, so that each chunk holds few clusters.
        wide = wide.take(np.argsort(wide.cluster, kind="stable"))
    for start in range(0, len(wide.score), _CHUNK):
        part = wide.take(slice(start, start + _CHUNK))
        columns, residuals = fitted.whiten(part)
        if part.cluster is None:
            sums.add_whole(fitted.vcov, kind, contrasts, columns, residuals)
            continue
        for code in np.unique(part.cluster):
            rows = columns[part.cluster == code].reshape(-1, columns.shape[2])
            score = rows.T @ residuals[part.cluster == code].ravel()
            sums.gather(int(code), rows.T @ rows, score)
    return sums
