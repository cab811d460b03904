"""The repeated-measures model gives what R's mmrm gives, polished to the last digits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes.analyses.mmrm import fit
from outcomes.analyses.mmrm.covariances import COVARIANCES

FOLDER = Path(__file__).parent / "reference"
FORMULA = "pain ~ therapy*visit + base*visit + region + age"
FIGURES = json.loads((FOLDER / "mmrm" / "simulated_patients.json").read_text(encoding="utf-8"))
MODELS = [(covariance, method) for covariance in COVARIANCES for method in ("reml", "ml")]
#: Kenward and Roger's methods are for REML.
INFERRED = [
    (*model, df)
    for model in MODELS
    for df in ("satterthwaite", "kenward-roger", "kenward-roger-linear")
    if df in FIGURES["_".join(model)]
]


def lengthen(wide: pd.DataFrame) -> pd.DataFrame:
    long = wide.melt(
        id_vars=[name for name in wide.columns if not name.startswith("y")],
        value_vars=["y1", "y2", "y3", "y4"], var_name="visit", value_name="pain",
    )  # fmt: skip
    return long.assign(visit=long["visit"].str.replace("y", "V"))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return lengthen(pd.read_csv(FOLDER / "simulated_patients.csv"))


def fit_simulated(table: pd.DataFrame, covariance: str, method: str, **options):
    return fit(
        FORMULA, table, subject="id", visit="visit", covariance=covariance, method=method,
        equally_spaced=True, **options,
    )  # fmt: skip


@pytest.mark.parametrize(("covariance", "method"), MODELS)
def test_likelihood_criteria_and_covariance(table, covariance, method):
    found, figures = fit_simulated(table, covariance, method), FIGURES[f"{covariance}_{method}"]
    assert found.state == "ok" and found.n_patients == 500 and found.n_rows == 1736
    assert found.log_likelihood == pytest.approx(figures["logLik"], abs=1e-8)
    assert found.aic == pytest.approx(figures["AIC"], abs=2e-8)
    assert found.bic == pytest.approx(figures["BIC"], abs=2e-8)
    np.testing.assert_allclose(found.visit_covariance, figures["varcor"], rtol=1e-8)
    np.testing.assert_allclose(found.coefficients["estimate"], figures["coefficients"], rtol=1e-8)


@pytest.mark.parametrize(("covariance", "method", "df"), INFERRED)
def test_small_sample_inference(table, covariance, method, df):
    figures = FIGURES[f"{covariance}_{method}"][df]
    found = fit_simulated(table, covariance, method, df=df)
    np.testing.assert_allclose(found.coefficients["std_error"], figures["std_error"], rtol=1e-8)
    np.testing.assert_allclose(found.coefficients["df"], figures["df"], rtol=1e-6)
    tested = found.f_tests().set_index("term").loc["therapy:visit"]
    assert tested["num_df"] == 9
    np.testing.assert_allclose([tested["statistic"], tested["den_df"]], figures["f"], rtol=1e-7)
    columns = ["estimate", "std_error", "df", "conf_low", "conf_high"]
    np.testing.assert_allclose(found.marginal_means()[columns], figures["means"], rtol=1e-7)
    np.testing.assert_allclose(found.contrasts(adjust="none")[columns], figures["pairs"], rtol=1e-7)


@pytest.mark.parametrize("vcov", ["CR0", "CR2", "CR3"])
@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("covariance", ["us", "ar1", "cs"])
def test_sandwich(table, covariance, method, vcov):
    figures = FIGURES[f"{covariance}_{method}"]
    found = fit_simulated(table, covariance, method, vcov=vcov, df="residual")
    np.testing.assert_allclose(found.coefficients["std_error"], figures[vcov]["std_error"], rtol=1e-8)
    np.testing.assert_array_equal(found.coefficients["df"], figures["residual"]["df"])


@pytest.mark.parametrize("df", ["residual", "between-within"])
def test_plain_degrees_of_freedom(table, df):
    found = fit_simulated(table, "us", "reml", df=df)
    np.testing.assert_array_equal(found.coefficients["df"], FIGURES["us_reml"][df]["df"])


def test_least_squares_with_clusters_is_the_model_of_one_variance_and_no_correlation(shared):
    """clubSandwich 0.5.8: least squares, clusters of patients, CR0, CR2 and CR3 with Satterthwaite df.

    One row a subject leaves least squares; patients are then clusters of rows.
    """
    figures = json.loads((shared / "oracle/outputs/lm_cluster_robust.json").read_text(encoding="utf-8"))["cr"]
    long = pd.read_csv(shared / "oracle/inputs/sim_long.csv").dropna(subset="pain")
    long = long.assign(row=np.arange(len(long)), once="all")
    formula = FORMULA.replace("visit", "C(time)")
    for vcov in ("CR0", "CR2", "CR3"):
        found = fit(formula, long, subject="row", visit="once", cluster="id", vcov=vcov).coefficients
        expected = pd.DataFrame(figures[vcov])
        np.testing.assert_allclose(found["estimate"], expected["beta"], rtol=1e-8)
        np.testing.assert_allclose(found["std_error"], expected["SE"], rtol=1e-8)
        if vcov == "CR2":
            np.testing.assert_allclose(found["df"], expected["df_Satt"], rtol=1e-6)


@pytest.mark.parametrize(("covariance", "method"), MODELS)
def test_all_figures_of_the_outside_folder(shared, covariance, method):
    name = f"mmrm_sim_{covariance}_{method}.json"
    figures = json.loads((shared / "oracle/outputs" / name).read_text(encoding="utf-8"))
    table = pd.read_csv(shared / "oracle/inputs/sim_long.csv")
    found = fit_simulated(table, covariance, method, df="satterthwaite")
    assert found.log_likelihood == pytest.approx(figures["logLik"], abs=1e-8)
    tested = pd.DataFrame(figures["satterthwaite"]["coef"])
    np.testing.assert_allclose(found.coefficients["std_error"], tested["se"], rtol=1e-8)
    np.testing.assert_allclose(found.coefficients["df"], tested["df"], rtol=1e-6)
    for df, key in (("kenward-roger", "Kenward-Roger"), ("kenward-roger-linear", "Kenward-Roger-Linear")):
        if key in figures:
            adjusted = fit_simulated(table, covariance, method, df=df).vcov
            np.testing.assert_allclose(adjusted, figures[key]["vcov_adj"], atol=1e-10)
    for vcov, key in (
        ("CR0", "Empirical"),
        ("CR2", "Empirical-Bias-Reduced"),
        ("CR3", "Empirical-Jackknife"),
    ):
        if key in figures:
            robust = fit_simulated(table, covariance, method, vcov=vcov).vcov
            np.testing.assert_allclose(robust, figures[key]["vcov"], atol=1e-10)
