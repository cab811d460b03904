"""Checks of the repeated-measures model: aggregates only, for the team only, and right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from handmade import assemble_cohort, ends, pick, supported
from outcomes import views
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.model_checks import check_model
from outcomes.analyses.over_time import compare_over_time
from outcomes.disclosure import release
from outcomes.errors import ReportError
from outcomes.facts import read_facts
from outcomes.reports import run_report
from test_mmrm_cohort import make_clinic
from test_views_comparison import balance

VIEWS = {
    "model": views.say_model,
    "criteria": views.tabulate_criteria,
    "patterns": views.tabulate_patterns,
    "residuals": views.draw_residuals,
    "shapes": views.tabulate_shapes,
    "visit covariance": views.tabulate_visit_covariance,
    "joint tests": views.tabulate_joint_tests,
    "sensitivity": views.tabulate_sensitivity,
}


def make_wide(n_each: int = 60, **options):
    wide = balance(make_clinic(n_each, therapies=("x", "y", "z"), **options))
    wide.loc[wide.index % 5 == 0, wide.columns[-1]] = np.nan
    wide.loc[wide.index % 20 == 0, wide.filter(like="month_").columns] = np.nan
    return wide


@pytest.fixture(scope="module")
def cohort():
    return assemble_cohort(make_wide(), primary="month_3", reference="x")


@pytest.fixture(scope="module")
def checks(cohort):
    return check_model(cohort)


def test_every_row_is_an_aggregate_of_patients_behind_it(checks):
    assert supported(checks)
    fewest = read_facts("model_checks")["bins"]["patients_at_least"]
    bins = checks.where(statistic="mean_residual").table
    assert (bins["n"] >= fewest).all() and set(bins["level"]) == {"ranked", "fitted", "baseline"}
    spreads = checks.where(statistic=["observed_residual_sd", "standardised_sd"]).table
    assert (spreads.loc[spreads["estimate"].notna(), "n"] >= fewest).all()


def test_patterns_count_every_patient_once_those_without_follow_up_included(checks, cohort):
    patterns = checks.where(statistic="visit_pattern").table.set_index("level")["estimate"]
    assert patterns.sum() == cohort.episodes["patient"].nunique()
    assert patterns["none"] == 9 and patterns["month_1+month_2"] == 27


def test_what_is_reported_is_what_the_page_reports_and_complete_cases_are_the_analysis_of_covariance(
    checks, cohort
):
    for level, analyse in (("reported", compare_over_time), ("complete_cases", compare_at_timepoints)):
        held = checks.where(statistic="alternative_contrast", level=level).table
        expected = analyse(cohort).where(statistic="contrast", timepoint="month_3").table
        np.testing.assert_allclose(held["estimate"], expected["estimate"])
        np.testing.assert_allclose(held["std_error"], expected["std_error"])
    errors = {
        level: pick(checks, statistic="alternative_contrast", level=level, group="y", versus="z")["std_error"]
        for level in ("us", "satterthwaite", "kenward-roger", "robust", "by_group", "csh")
    }
    assert errors["satterthwaite"] < errors["us"], "Kenward and Roger's error is the larger"
    assert len({round(error, 9) for error in errors.values()}) == len(errors)


def test_criteria_count_parameters_and_nest(checks):
    parameters = checks.where(statistic="n_parameters").table.set_index("level")["estimate"].to_dict()
    assert parameters == {"us": 6, "adh": 5, "csh": 4, "cs": 2, "by_group": 18}
    deviance = checks.where(statistic="deviance").table.set_index("level")["estimate"]
    assert deviance["by_group"] < deviance["us"] < min(deviance["adh"], deviance["csh"])
    assert deviance["csh"] < deviance["cs"]
    aic = checks.where(statistic="aic").table.set_index("level")["estimate"]
    np.testing.assert_allclose(aic, deviance + 2 * np.array([parameters[name] for name in aic.index]))


def test_observed_spreads_are_near_those_of_the_model(checks):
    for statistic in ("residual_sd", "residual_correlation"):
        model = checks.where(statistic=statistic, group="all").table
        observed = checks.where(statistic=f"observed_{statistic}", group="all").table
        assert len(model) == len(observed) == 3
        np.testing.assert_allclose(model["estimate"], observed["estimate"], rtol=0.08)


@pytest.fixture(scope="module")
def alone():
    """Two therapies and one follow-up, so that the model is a regression, worked out by least squares."""
    wide = balance(make_clinic(60, n_visits=1))
    wide.loc[[3, 70], "month_1"] += 6.0
    exog = np.column_stack([np.ones(120), wide["baseline"], wide["therapy"] == "y"]).astype(float)
    score = wide["month_1"].to_numpy()
    residual = score - exog @ np.linalg.lstsq(exog, score, rcond=None)[0]
    variance = (residual**2).sum() / 117
    return check_model(assemble_cohort(wide, reference="x")), exog, score, residual, variance


def test_criteria_of_a_regression_by_hand(alone):
    """The restricted likelihood of a regression: Patterson and Thompson 1971."""
    checks, exog, _, _, variance = alone
    deviance = 117 * (np.log(2 * np.pi * variance) + 1) + np.linalg.slogdet(exog.T @ exog)[1]
    expected = {"deviance": deviance, "n_parameters": 1, "aic": deviance + 2, "bic": deviance + np.log(120)}
    for statistic, value in expected.items():
        assert pick(checks, statistic=statistic, level="us")["estimate"] == pytest.approx(value)


def test_residuals_of_a_regression_by_hand(alone):
    checks, _, score, residual, variance = alone
    assert pick(checks, statistic="residual_sd", group="all")["estimate"] == pytest.approx(np.sqrt(variance))
    observed = pick(checks, statistic="observed_residual_sd", group="all")["estimate"]
    assert observed == pytest.approx(residual.std(ddof=1))
    z = residual / np.sqrt(variance)
    expected = {
        "standardised_sd": z.std(ddof=1),
        "standardised_skewness": (z**3).mean() / (z**2).mean() ** 1.5,
        "standardised_beyond": (abs(z) > 2).mean(),
    }
    for statistic, value in expected.items():
        assert pick(checks, statistic=statistic)["estimate"] == pytest.approx(value)
    assert expected["standardised_beyond"] > 0
    bins = checks.where(statistic="mean_residual", level="ranked").table
    parts = np.array_split(np.sort(z), len(bins))
    assert bins["estimate"].tolist() == pytest.approx([part.mean() for part in parts])
    bins = checks.where(statistic="mean_residual", level="fitted").table
    parts = np.array_split(z[np.argsort(score - residual, kind="stable")], len(bins))
    for row, part in zip(bins.itertuples(), parts, strict=True):
        margin = stats.t.ppf(0.975, len(part) - 1) * part.std(ddof=1) / np.sqrt(len(part))
        assert (row.conf_low, row.conf_high) == pytest.approx((part.mean() - margin, part.mean() + margin))


def test_joint_test_and_what_was_fitted_by_hand(alone):
    """Of two therapies the joint test is the square of the difference over its error."""
    checks, exog, score, _, variance = alone
    covariance = variance * np.linalg.inv(exog.T @ exog)
    difference = np.linalg.lstsq(exog, score, rcond=None)[0][2]
    f = difference**2 / covariance[2, 2]
    row = pick(checks, statistic="f_test", timepoint="month_1")
    assert (row["estimate"], row["x"], row["df"]) == pytest.approx((f, 1, 117))
    assert row["p_value"] == pytest.approx(stats.f.sf(f, 1, 117))
    contrast = pick(checks, statistic="alternative_contrast", level="us")
    assert contrast["estimate"] == pytest.approx(difference)
    margin = stats.t.ppf(0.975, 117) * np.sqrt(covariance[2, 2])
    assert ends(contrast) == pytest.approx([difference - margin, difference + margin])
    table = checks.where(statistic="model").table.set_index("term")["estimate"]
    assert (table["patients"], table["rows"], table["state"]) == (120, 120, 1)
    assert pick(checks, statistic="visit_pattern", level="month_1")["estimate"] == 120


def test_correlation_of_the_residuals_of_two_visits_by_hand():
    """With every visit seen, the model's coefficients are those of a regression of each visit."""
    wide = balance(make_clinic(60, n_visits=2))
    checks = check_model(assemble_cohort(wide, reference="x"))
    exog = np.column_stack([np.ones(120), wide["baseline"], wide["therapy"] == "y"]).astype(float)
    scores = wide[["month_1", "month_2"]].to_numpy()
    residuals = scores - exog @ np.linalg.lstsq(exog, scores, rcond=None)[0]
    expected = np.corrcoef(residuals.T)[0, 1]
    for statistic in ("observed_residual_correlation", "residual_correlation"):
        assert pick(checks, statistic=statistic)["estimate"] == pytest.approx(expected, rel=1e-5)


def test_residuals_of_a_model_that_holds_are_normal_and_flat_and_a_curve_is_seen():
    rows = check_model(assemble_cohort(make_wide(200))).where(statistic="mean_residual")
    ranked = rows.where(level="ranked").table
    assert (ranked["estimate"] - ranked["x"]).abs().max() < 0.2
    flat = rows.where(level="baseline").table
    assert (flat["conf_low"] < 0).mean() > 0.7 and (flat["conf_high"] > 0).mean() > 0.7
    bent = make_wide(200)
    for name in bent.filter(like="month_"):
        bent[name] += (bent["baseline"] - 7) ** 2
    curve = check_model(assemble_cohort(bent)).where(statistic="mean_residual", level="baseline").table
    assert (
        curve.loc[curve["x"].idxmin(), "conf_low"]
        > 0
        > curve.loc[(curve["x"] - 7).abs().idxmin(), "conf_high"]
    )


def test_joint_tests_find_a_difference_that_is_there_and_none_that_is_not(checks):
    assert (checks.where(statistic="f_test").table["x"].tolist()) == [2, 2, 2, 4]
    assert pick(checks, statistic="f_test", timepoint="month_3")["p_value"] < 1e-4
    nothing = make_wide(seed=4)
    shift = {"x": 0.0, "y": 1.0, "z": 2.0}
    for name in nothing.filter(like="month_"):
        nothing[name] += nothing["therapy"].map(shift)
    none = check_model(assemble_cohort(nothing))
    assert (none.where(statistic="f_test").table["p_value"] > 0.01).all()


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_shows_something_to_the_team_and_nothing_outside(checks, name):
    view = VIEWS[name](release(checks, "team"))
    assert len(view.alt) > 60 and "nan" not in view.caption + view.alt and view.audience == "team"
    assert view.table is None or len(view.table)
    outside = VIEWS[name](release(checks))
    assert outside.alt == "Checks of the model are shown to the team only." and outside.png is None


def test_nothing_of_it_is_released_outside(checks):
    table = release(checks).table
    assert not table["shown"].any() and table["estimate"].isna().all()


@pytest.mark.parametrize("name", VIEWS)
def test_where_nothing_was_fitted_each_view_says_why(name):
    one = release(check_model(assemble_cohort(make_clinic(therapies=("x",)))), "team")
    assert "only one therapy" in VIEWS[name](one).alt
    constant = make_wide().assign(month_1=5.0, month_2=5.0, month_3=5.0)
    flat = VIEWS[name](release(check_model(assemble_cohort(constant)), "team"))
    assert "nan" not in flat.caption + flat.alt and len(flat.alt) > 20


def test_residuals_of_too_few_patients_are_not_shown():
    few = release(check_model(assemble_cohort(make_clinic(5, n_visits=2), design="randomised")), "team")
    assert few.where(statistic="alternative_contrast").table["shown"].any()
    for name in ("residuals", "shapes"):
        assert "fewer than 11 patients stand behind each number" in VIEWS[name](few).alt


@pytest.mark.parametrize("name", VIEWS)
def test_one_follow_up_and_a_small_clinic_are_checked_too(name):
    for wide in (make_wide(n_visits=1), make_clinic(8, therapies=("x", "y"))):
        view = VIEWS[name](release(check_model(assemble_cohort(wide)), "team"))
        assert view.alt and "nan" not in view.caption + view.alt


def test_the_page_is_refused_for_stakeholders_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReportError, match="audience must be one of: team") as caught:
        run_report("model_checks", {"audience": "stakeholder"})
    assert caught.value.exit_code == 2 and not list(tmp_path.iterdir())
