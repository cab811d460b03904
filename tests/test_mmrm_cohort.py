"""Therapies compared over all follow-ups: rows, states, the ladder of covariances, what clinics bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from handmade import assemble_cohort, build_cohort, ends, pick, supported
from outcomes.analyses import read_analysis
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.over_time import compare_over_time
from outcomes.disclosure import release
from outcomes.errors import AnalysisError
from outcomes.facts import read_words
from test_mmrm_reference import FOLDER, fit_simulated, lengthen

write = read_words().write


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    table = pd.read_csv(FOLDER / "simulated_patients.csv")
    return table.rename(columns={"id": "patient", "age": "age_years", "base": "baseline"})


@pytest.fixture(scope="module")
def cohort(simulated):
    wide = simulated[["patient", "therapy", "region", "age_years", "baseline", "y1", "y2", "y3", "y4"]]
    return assemble_cohort(wide, covariates=("region", "age_years"), reference="UsualCare")


def make_clinic(n_each: int = 40, n_visits: int = 3, therapies: tuple[str, ...] = ("x", "y"), seed: int = 1):
    """Made-up patients of whom each later therapy is better by 1 point."""
    random = np.random.default_rng(seed)
    therapy = np.repeat(therapies, n_each)
    baseline = random.integers(4, 11, len(therapy)).astype(float)
    own = random.normal(0, 1.2, len(therapy))
    wide = pd.DataFrame({"patient": np.arange(len(therapy)), "therapy": therapy, "baseline": baseline})
    for visit in range(n_visits):
        noise = random.normal(0, 1, len(therapy))
        fall = 1 + np.repeat(np.arange(len(therapies)), n_each)
        wide[f"month_{visit + 1}"] = np.round(baseline - fall + own + noise, 1)
    return wide


def test_it_is_the_model_of_the_reference_figures(cohort):
    """The same contrasts as R's mmrm for the same patients, therapies and covariates."""
    result = compare_over_time(cohort)
    assert "Kenward and Roger in their linear form" in write(result.method) and result.estimand
    table = lengthen(pd.read_csv(FOLDER / "simulated_patients.csv")).rename(columns={"age": "age_years"})
    expected = fit_simulated(table.rename(columns={"age_years": "age"}), "us", "reml").contrasts()
    for row in expected.to_dict("records"):
        timepoint = row["visit"].replace("V", "y")
        found = result.where(statistic="contrast", timepoint=timepoint).table
        pair = found[found[["group", "versus"]].isin([row["group"], row["versus"]]).all(axis=1)].iloc[0]
        sign = 1 if pair["group"] == row["group"] else -1
        assert pair["estimate"] == pytest.approx(sign * row["estimate"], rel=1e-7)
        for name in ("std_error", "df"):
            assert pair[name] == pytest.approx(row[name], rel=1e-7)
        # the order of the pairs turns the directions that are drawn
        assert pair["p_value"] == pytest.approx(row["p_value"], rel=5e-3)
    assert supported(result) and result.comparable is not None


def test_complete_follow_ups_are_regressions_by_hand():
    """Where all came to both visits, the model is a regression of each on the score at the start."""
    wide = make_clinic(n_visits=2)
    result = compare_over_time(assemble_cohort(wide, reference="x"))
    exog = np.column_stack([np.ones(80), wide["baseline"], wide["therapy"] == "y"]).astype(float)
    scores = wide[["month_1", "month_2"]].to_numpy()
    coefficients = np.linalg.lstsq(exog, scores, rcond=None)[0]
    residuals = scores - exog @ coefficients
    sd = np.sqrt((residuals**2).sum(axis=0) / 77)
    correlation = pick(result, statistic="residual_correlation")["estimate"]
    assert correlation == pytest.approx(np.corrcoef(residuals.T)[0, 1], rel=1e-5)
    start = wide["baseline"].mean()
    told = {
        ("marginal_mean", "x"): [1, start, 0],
        ("marginal_mean", "y"): [1, start, 1],
        ("contrast", "y"): [0, 0, 1],
    }
    for place, visit in enumerate(("month_1", "month_2")):
        spread = pick(result, statistic="residual_sd", timepoint=visit)["estimate"]
        assert spread == pytest.approx(sd[place], rel=1e-5)
        for (statistic, group), weights in told.items():
            row = pick(result, statistic=statistic, group=group, timepoint=visit)
            estimate = weights @ coefficients[:, place]
            error = sd[place] * np.sqrt(weights @ np.linalg.inv(exog.T @ exog) @ weights)
            margin = stats.t.ppf(0.975, 77) * error
            assert row["estimate"] == pytest.approx(estimate, rel=1e-5)
            assert ends(row) == pytest.approx([estimate - margin, estimate + margin], rel=1e-4)


def test_rows_are_those_of_the_analysis_of_covariance(cohort):
    over_time, single = compare_over_time(cohort).table, compare_at_timepoints(cohort).table
    keys = ["statistic", "group", "versus", "timepoint"]
    for statistic in ("marginal_mean", "contrast"):
        found = over_time[over_time["statistic"] == statistic].set_index(keys)
        expected = single[single["statistic"] == statistic].set_index(keys)
        assert set(found.index) == set(expected.index)
        assert (found["n"] == expected["n"].reindex(found.index)).all()
    assert set(over_time["statistic"]) == {
        "marginal_mean", "contrast", "n_excluded_patients", "residual_sd", "residual_correlation",
    }  # fmt: skip


def test_all_pairs_at_a_time_point_are_one_family(cohort):
    held = compare_over_time(cohort).table
    contrasts = held[held["statistic"] == "contrast"]
    outside = (contrasts["conf_low"] > 0) | (contrasts["conf_high"] < 0)
    np.testing.assert_array_equal(outside, contrasts["p_value"] < 0.05)
    alone = 2 * stats.t.sf(np.abs(contrasts["estimate"] / contrasts["std_error"]), contrasts["df"])
    assert (contrasts["p_value"] > alone).all() and (contrasts["p_value"] < 6 * alone).all()
    # four groups of nearly one size: Tukey's factor
    reach = (contrasts["conf_high"] - contrasts["conf_low"]) / 2 / contrasts["std_error"]
    tukey = stats.studentized_range.ppf(0.95, 4, contrasts["df"]) / np.sqrt(2)
    np.testing.assert_allclose(reach, tukey, rtol=2e-3)


def test_what_is_for_the_team_is_withheld_from_stakeholders(cohort):
    table = release(compare_over_time(cohort)).table
    assert not table.loc[table["statistic"].str.startswith("residual"), "shown"].any()


def test_the_command_line_finds_it_by_name():
    assert read_analysis("over_time") is compare_over_time


def test_covariates_may_be_chosen(cohort):
    fewer = compare_over_time(cohort, adjust_for=("age_years",))
    assert "region" not in write(fewer.method) and "age" in write(fewer.method)
    with pytest.raises(AnalysisError, match="'height' is no covariate of this cohort; it has: score, region"):
        compare_over_time(cohort, adjust_for=("height",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "ar1"}, "supposes visits at equal distances"),
        ({"df": "contain"}, "no df 'contain'"),
        ({"method": "gls"}, "no method 'gls'"),
        ({"cluster": "town"}, "no cluster 'town'"),
    ],
)
def test_unknown_choices_are_refused_whatever_the_cohort(options, message):
    one = assemble_cohort(make_clinic(therapies=("x",)))
    with pytest.raises(AnalysisError, match=message):
        compare_over_time(one, **options)


def test_two_and_eight_visits():
    for n_visits in (1, 2, 8):
        result = compare_over_time(assemble_cohort(make_clinic(n_visits=n_visits)))
        contrasts = result.where(statistic="contrast").table
        assert len(contrasts) == n_visits and set(contrasts["state"]) == {"ok"}
        assert contrasts["estimate"].between(0.2, 1.9).all()


def test_a_visit_that_nobody_of_one_therapy_attended():
    wide = make_clinic(therapies=("x", "y", "z"))
    wide.loc[wide["therapy"] == "x", "month_2"] = np.nan
    result = compare_over_time(assemble_cohort(wide))
    assert pick(result, statistic="marginal_mean", group="x", timepoint="month_2")["state"] == "too_few"
    assert (
        pick(result, statistic="contrast", group="x", versus="z", timepoint="month_2")["state"] == "too_few"
    )
    assert pick(result, statistic="contrast", group="y", versus="z", timepoint="month_2")["state"] == "ok"
    assert pick(result, statistic="contrast", group="x", versus="z", timepoint="month_3")["state"] == "ok"
    assert any("1 columns of the model" in str(text) for text in result.warnings)


def test_a_therapy_with_three_patients_gets_a_wide_interval_and_is_not_comparable():
    wide = pd.concat(
        [make_clinic(therapies=("y", "z")), make_clinic(3, therapies=("x",)).assign(patient=[900, 901, 902])]
    )
    result = compare_over_time(assemble_cohort(wide.reset_index(drop=True)))
    found = pick(result, statistic="contrast", group="y", versus="x", timepoint="month_3")
    assert found["state"] == "ok" and found["n_versus"] == 3
    assert found["conf_high"] - found["conf_low"] > 2
    assert result.comparable is False


def test_constant_scores_are_degenerate():
    wide = make_clinic().assign(month_1=5.0, month_2=5.0, month_3=5.0)
    result = compare_over_time(assemble_cohort(wide))
    assert set(result.where(statistic="contrast").table["state"]) == {"degenerate"}
    assert any("do not vary" in str(text) for text in result.warnings)


def test_scores_that_repeat_each_other_lie_on_the_boundary_and_the_ladder_is_tried():
    wide = make_clinic()
    wide["month_2"] = wide["month_1"]
    result = compare_over_time(assemble_cohort(wide))
    states = set(result.where(statistic="contrast").table["state"])
    assert states <= {"boundary", "not_converged", "ok"}
    assert "simpler covariance takes its place" in write(result.method)
    assert "cluster-robust (CR2)" in write(result.method)


def test_a_covariate_that_goes_with_the_therapy_leaves_nothing_to_compare():
    wide = make_clinic()
    wide.insert(1, "region", np.where(wide["therapy"] == "x", "north", "south"))
    result = compare_over_time(assemble_cohort(wide, covariates=("region",)))
    assert set(result.where(statistic="contrast").table["state"]) == {"rank_deficient"}


def test_patients_without_follow_up_are_counted_and_left_out():
    wide = make_clinic()
    wide.loc[:4, ["month_1", "month_2", "month_3"]] = np.nan
    result = compare_over_time(assemble_cohort(wide))
    assert pick(result, statistic="n_excluded_patients")["estimate"] == 5
    assert pick(result, statistic="contrast", timepoint="month_1")["n"] == 35


def test_missing_covariates_keep_their_patients_and_are_counted():
    wide = make_clinic()
    random = np.random.default_rng(3)
    wide.insert(1, "age_years", np.where(random.random(80) < 0.15, np.nan, random.normal(50, 9, 80)).round())
    n_absent = int(wide["age_years"].isna().sum())
    result = compare_over_time(assemble_cohort(wide, covariates=("age_years",)))
    assert pick(result, statistic="n_missing")["estimate"] == n_absent
    assert pick(result, statistic="contrast", timepoint="month_1")["n"] == 40


def test_therapists_are_clusters_where_there_are_enough():
    wide = make_clinic(60)
    wide.insert(1, "therapist", [f"t{number % 20}" for number in range(len(wide))])
    result = compare_over_time(assemble_cohort(wide))
    assert "patients of a therapist" in write(result.method) and "Bell and McCaffrey" in write(result.method)
    contrast = pick(result, statistic="contrast", timepoint="month_3")
    assert contrast["state"] == "ok" and contrast["df"] < 20
    wide["therapist"] = [f"t{number % 4}" for number in range(len(wide))]
    few = compare_over_time(assemble_cohort(wide), cluster="therapist")
    assert set(few.where(statistic="contrast").table["state"]) == {"few_clusters"}


def test_one_therapy_and_no_follow_up_have_a_state():
    one = compare_over_time(assemble_cohort(make_clinic(therapies=("x",))))
    assert set(one.where(statistic="marginal_mean").table["state"]) == {"degenerate"}
    nobody = build_cohort("""
        patient therapy baseline month_1
        1 x 5 .
        2 y 6 .
    """)
    assert set(compare_over_time(nobody).where(statistic="contrast").table["state"]) == {"too_few"}


def test_a_time_point_that_depends_on_the_outcome_is_set_aside():
    result = compare_over_time(assemble_cohort(make_clinic(), incomparable=("month_2",)))
    assert "month_2" not in set(result.table["timepoint"].dropna())
    assert any("month 2" in str(text) for text in result.warnings)
