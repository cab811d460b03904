"""Estimates of linear functions of the coefficients with standard errors, degrees of freedom and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from outcomes.analyses._interval import p_value_t, quantile_t
from outcomes.analyses.mmrm.freedom import (
    count_satterthwaite,
    find_f_kenward_roger,
    find_f_satterthwaite,
)
from outcomes.analyses.mmrm.likelihood import Slopes
from outcomes.analyses.mmrm.patterns import add_all
from outcomes.analyses.mmrm.sandwich import ClusterSums, Fitted, finish_clusters, prepare_pass

#: Columns of every table of estimates after those that name the row.
ESTIMATE_COLUMNS = ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high")

#: Smallest variance of a combination of contrasts beside the largest, below which there is no joint test.
_SINGULAR = 1e-12


@dataclass(frozen=True)
class Inference:
    """What stands behind every estimate of a fit, for the kept columns in the units of the sums.

    Parameters
    ----------
    beta, model, used : arrays, shapes (p,), (p, p), (p, p)
        Coefficients, their covariance by the model, and the one that standard errors come from.
    slopes : Slopes
    variance : array, shape (R, R)
        Of the covariance parameters.
    method : str
        Of the degrees of freedom.
    scale, shift : float
        The score is ``shift + scale *`` its value in the sums.
    constant : array, shape (p,)
        Coefficients that make the columns add up to 1.
    to_public : array, shape (p, p)
        Coefficients as a reader knows them are ``to_public @ beta`` but for scale and shift.
    residual_df : float
    coefficient_df : array, shape (p,)
        Between-within degrees of freedom of the coefficients as a reader knows them.
    robust : Robust or None
    withheld : bool
        Whether clusters are too few for a standard error.
    """

    beta: np.ndarray
    model: np.ndarray
    used: np.ndarray
    slopes: Slopes
    variance: np.ndarray
    method: str
    scale: float
    shift: float
    constant: np.ndarray
    to_public: np.ndarray
    residual_df: float
    coefficient_df: np.ndarray
    robust: Robust | None
    withheld: bool = False

    def estimate(self, rows: np.ndarray, conf_level: float) -> pd.DataFrame:
        """Estimate linear functions of the coefficients.

        Parameters
        ----------
        rows : array, shape (k, p)
            In the units of the sums; a row with a missing value cannot be estimated and stays empty. One
            whose variance is negative, which corrections for few patients can make it, has no standard error.
        conf_level : float

        Returns
        -------
        pandas.DataFrame
            One row per function, columns `ESTIMATE_COLUMNS`; intervals are not adjusted.
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
        margin = quantile_t(conf_level, df) * std_error
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = estimate / std_error
        found = (
            estimate, std_error, df, statistic, p_value_t(statistic, df), estimate - margin,
            estimate + margin,
        )  # fmt: skip
        table.loc[known, list(ESTIMATE_COLUMNS)] = np.column_stack(found)
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
        """Test whether several functions are all 0.

        By the method of the degrees of freedom; with a cluster-robust covariance by the approximate Hotelling
        test of Tipton and Pustejovsky (2015, doi 10.3102/1076998615606099), since there an F with so many
        numerator degrees of freedom rejects too often. Clusters too few for
        it, and functions that depend on each other, give no test.

        Returns
        -------
        dict
            ``num_df, den_df, statistic`` (F) and ``p_value``.
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

    def _test_robustly(self, rows: np.ndarray, robust: Robust) -> tuple[float, float]:
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
        each = self.count_freedom(turned)
        if np.ptp(each) < 1e-8 * each.max() or (each <= 2).any():
            return statistic, float(each.min())
        expected = float((each / (each - 2)).sum())
        return statistic, 2 * expected / (expected - len(each))


@dataclass(frozen=True)
class Robust:
    """The second pass behind a cluster-robust covariance, made again for new contrasts.

    Parameters
    ----------
    source, layout : Pass, Layout
    fitted : Fitted
    kind : str
        ``CR0``, ``CR2`` or ``CR3``.
    """

    source: Any
    layout: Any
    fitted: Fitted
    kind: str

    def sum_contrasts(self, rows: np.ndarray, *, joint: bool = False) -> ClusterSums:
        """Return the sums over clusters for some contrasts, each by itself or together."""
        parts = self.source.map(self.layout, prepare_pass(self.fitted, self.kind, rows, joint))
        nobody = ClusterSums.empty(len(self.fitted.beta), len(rows), joint)
        return finish_clusters(add_all(parts, nobody), self.fitted, self.kind, rows)

    def estimate_covariance(self) -> tuple[np.ndarray, int]:
        """Return the covariance of the coefficients and the number of clusters."""
        sums = self.sum_contrasts(np.empty((0, len(self.fitted.beta))))
        return self.fitted.vcov @ sums.meat @ self.fitted.vcov, sums.n_clusters
