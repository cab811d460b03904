"""What the comparing analyses promise: gate, analysis of covariance, standardised shares, effect sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from handmade import PAIN, assemble_cohort, build_cohort, ends, pick, supported
from outcomes.analyses import (
    check_comparability,
    compare_at_timepoints,
    estimate_effect_sizes,
    standardise_responders,
)
from outcomes.analyses._clusters import estimate_clustered, estimate_clustered_mean
from outcomes.analyses._covariates import fit_least_squares
from outcomes.analyses._interval import estimate_share
from outcomes.analyses.effect_sizes import estimate_hedges_g
from outcomes.errors import AnalysisError
from outcomes.facts import read_words

write = read_words().write

REFERENCE = Path(__file__).parent / "reference"


def read_reference(name: str) -> dict:
    return json.loads((REFERENCE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    table = pd.read_csv(REFERENCE / "simulated_patients.csv")
    return table.rename(columns={"id": "patient", "age": "age_years", "base": "baseline"})


@pytest.fixture(scope="module")
def simulated_cohort(simulated):
    wide = simulated[["patient", "therapy", "region", "age_years", "baseline", "y1", "y2", "y3", "y4"]]
    return assemble_cohort(wide, covariates=("region", "age_years"), reference="UsualCare")


def make_clinic(n_each: int = 40, therapies: tuple[str, ...] = ("x", "y"), seed: int = 1, **columns: object):
    """Patients whose score falls by 2, and by 1 more for each later therapy."""
    random = np.random.default_rng(seed)
    therapy = np.repeat(therapies, n_each)
    baseline = random.integers(3, 11, len(therapy)).astype(float)
    effect = np.repeat(np.arange(len(therapies)), n_each)
    wide = pd.DataFrame({"patient": np.arange(len(therapy)), "therapy": therapy, **columns})
    month_6 = np.round(baseline - 2 - effect + random.normal(0, 1.5, len(therapy)), 1)
    return wide.assign(baseline=baseline, month_6=month_6)


# --- numbers of other software ---------------------------------------------------------------------------


def test_ancova_matches_emmeans(simulated_cohort):
    expected = read_reference("ancova.json")
    result = compare_at_timepoints(simulated_cohort)
    for pair in expected["pairs_none"]:
        first, second = pair["contrast"].split(" - ")
        row = result.table.query("timepoint == 'y4' and statistic == 'contrast'")
        straight = row[(row["group"] == first) & (row["versus"] == second)]
        sign = 1 if len(straight) else -1
        row = straight if len(straight) else row[(row["group"] == second) & (row["versus"] == first)]
        found = row.iloc[0]
        close = {"rel": expected["tolerance"]["relative"]}
        assert sign * found["estimate"] == pytest.approx(pair["estimate"], **close)
        assert found["std_error"] == pytest.approx(pair["std_error"], **close)
        assert found["df"] == pair["df"]
        # its interval and p-value allow for all six pairs; groups are nearly of one size, as for Tukey
        reach = (found["conf_high"] - found["conf_low"]) / 2 / found["std_error"]
        tukey = stats.studentized_range
        assert reach == pytest.approx(tukey.ppf(0.95, 4, found["df"]) / np.sqrt(2), rel=2e-3)
        size = abs(pair["estimate"] / pair["std_error"]) * np.sqrt(2)
        assert found["p_value"] == pytest.approx(tukey.sf(size, 4, found["df"]), rel=3e-2)


def test_marginal_means_average_covariates_over_the_fitted_patients(simulated_cohort, simulated):
    expected = read_reference("ancova.json")
    result = compare_at_timepoints(simulated_cohort)
    fitted = simulated[simulated["y4"].notna()]
    mean = {
        "(Intercept)": 1.0,
        "therapyManual": 1.0,
        "base": fitted["baseline"].mean(),
        "age": fitted["age_years"].mean(),
    }
    mean |= {f"region{name}": (fitted["region"] == name).mean() for name in ("North", "South", "West")}
    weights = np.array([mean.get(entry["term"], 0.0) for entry in expected["coef"]])
    change = weights @ [entry["estimate"] for entry in expected["coef"]]
    found = pick(result, statistic="marginal_mean", group="Manual", timepoint="y4")
    assert found["estimate"] == pytest.approx(change + fitted["baseline"].mean(), rel=1e-8)
    assert found["std_error"] == pytest.approx(
        np.sqrt(weights @ np.array(expected["vcov"]) @ weights), rel=1e-8
    )
    margin = stats.t.ppf(0.975, found["df"]) * found["std_error"]
    assert found["df"] == expected["pairs_none"][0]["df"]
    assert ends(found) == pytest.approx([found["estimate"] - margin, found["estimate"] + margin], rel=1e-8)


def test_cluster_robust_errors_match_clubsandwich(simulated):
    expected = read_reference("cluster_robust.json")
    long = simulated.melt(
        ["patient", "therapy", "region", "age_years", "baseline"], ["y1", "y2", "y3", "y4"]
    ).dropna()
    columns = {"(Intercept)": np.ones(len(long)), "base": long["baseline"], "age": long["age_years"]}
    for name in ("Exercise", "Manual", "UsualCare"):
        columns[f"therapy{name}"] = long["therapy"] == name
    for name in ("North", "South", "West"):
        columns[f"region{name}"] = long["region"] == name
    for visit in ("2", "3", "4"):
        columns[f"visitV{visit}"] = long["variable"] == f"y{visit}"
    for entry in expected["CR2"]:
        first, _, second = entry["term"].partition(":")
        if second:
            columns[entry["term"]] = np.asarray(columns[first], float) * np.asarray(columns[second], float)
    terms = [entry["term"] for entry in expected["CR2"]]
    exog = np.column_stack([np.asarray(columns[term], float) for term in terms])
    coefficients, *_ = np.linalg.lstsq(exog, long["value"].to_numpy(), rcond=None)
    residuals = long["value"].to_numpy() - exog @ coefficients
    std_error, df = estimate_clustered(
        *np.linalg.qr(exog), residuals, long["patient"].to_numpy(), np.eye(len(terms))
    )
    close = {"rel": expected["tolerance"]["relative"]}
    assert std_error == pytest.approx([entry["std_error"] for entry in expected["CR2"]], **close)
    assert df == pytest.approx([entry["df"] for entry in expected["CR2"]], **close)


def test_cluster_robust_errors_by_the_definition_for_large_clusters():
    random = np.random.default_rng(3)
    exog = np.column_stack([np.ones(60), random.normal(size=(60, 3))])
    clusters, residuals = np.repeat(np.arange(12), 5), random.normal(size=60)
    residuals -= exog @ np.linalg.lstsq(exog, residuals, rcond=None)[0]
    bread = np.linalg.inv(exog.T @ exog)
    hat = exog @ bread @ exog.T
    contrast, meat, vectors = np.array([0, 1.0, 0, -1]), 0.0, []
    for j in range(12):
        rows = clusters == j
        values, basis = np.linalg.eigh(np.eye(5) - hat[np.ix_(rows, rows)])
        root = basis @ np.diag(values**-0.5) @ basis.T
        weight = root @ exog[rows] @ bread @ contrast
        meat += float(weight @ residuals[rows]) ** 2
        vectors.append((np.eye(60) - hat)[:, rows] @ weight)
    gram = np.array(vectors) @ np.array(vectors).T
    std_error, df = estimate_clustered(*np.linalg.qr(exog), residuals, clusters, contrast[None, :])
    assert std_error[0] == pytest.approx(np.sqrt(meat), rel=1e-12)
    assert df[0] == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum(), rel=1e-10)


def test_the_clustered_mean_is_that_of_an_intercept_alone():
    random = np.random.default_rng(8)
    clusters = np.repeat(np.arange(9), random.integers(1, 7, 9))
    values = random.normal(size=len(clusters))
    columns = np.ones((len(values), 1))
    error, df = estimate_clustered(*np.linalg.qr(columns), values - values.mean(), clusters, np.eye(1))
    assert estimate_clustered_mean(values, clusters) == pytest.approx((error[0], df[0]), rel=1e-12)
    alone = estimate_clustered_mean(values, np.arange(len(values)))
    assert alone == pytest.approx((values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1), rel=1e-12)


def test_least_squares_matches_statsmodels():
    random = np.random.default_rng(5)
    columns = np.column_stack([np.ones(50), random.normal(size=(50, 4))])
    outcome, contrasts = random.normal(size=50), random.normal(size=(3, 5))
    found, expected = fit_least_squares(columns, outcome), sm.OLS(outcome, columns).fit()
    assert found.coefficients == pytest.approx(expected.params, rel=1e-10)
    assert found.relate(contrasts) == pytest.approx(expected.cov_params(contrasts), rel=1e-10)
    assert found.df == expected.df_resid


def test_hedges_g_and_its_interval_match_effectsize(simulated):
    expected = read_reference("hedges_g.json")
    groups = [
        simulated.loc[simulated["therapy"] == name, "y4"].dropna().to_numpy()
        for name in ("Manual", "UsualCare")
    ]
    found = estimate_hedges_g(*groups, *expected["n"], 0.95)
    close = {"abs": expected["tolerance"]["absolute"]}
    assert found["estimate"] == pytest.approx(expected["g"], **close)
    assert [found["conf_low"], found["conf_high"]] == pytest.approx(expected["g_ci_noncentral_t"], **close)


def test_wilson_matches_r():
    for case in read_reference("wilson.json")["cases"]:
        found = estimate_share(case["x"], case["n"], case["n"], 0.95)
        assert [found["conf_low"], found["conf_high"]] == pytest.approx(case["interval"], abs=1e-9)


def test_ancova_of_eight_patients_matches_the_published_vector():
    # Vickers and Altman's model on two groups of four: -8.7200 (0.7250); change alone gives -10.5
    cohort = build_cohort(
        """
        patient therapy baseline month_6
        a old 40 36
        b old 50 44
        c old 60 52
        d old 45 42
        e new 55 40
        f new 65 48
        g new 35 24
        h new 70 50
        """,
        instrument=replace(PAIN, maximum=100),
        reference="old",
    )
    row = pick(compare_at_timepoints(cohort), statistic="contrast")
    assert (row["group"], row["versus"], row["df"]) == ("new", "old", 5)
    assert row["estimate"] == pytest.approx(-8.72, abs=5e-5)
    assert row["std_error"] == pytest.approx(0.725, abs=5e-5)


# --- the gate --------------------------------------------------------------------------------------------


def test_balanced_and_followed_up_therapies_are_comparable():
    result = check_comparability(assemble_cohort(make_clinic()))
    assert result.comparable is True
    verdict = pick(result, statistic="verdict")
    assert (verdict["level"], verdict["estimate"]) == ("comparable", 1)
    assert pick(result, term="n_seen")["estimate"] == 40
    assert supported(result)


def test_too_few_seen_is_not_comparable_and_says_where():
    wide = make_clinic().astype({"month_6": object})
    wide.loc[wide.index[:15], "month_6"] = "lost"
    result = check_comparability(assemble_cohort(wide))
    assert result.comparable is False
    assert (pick(result, term="n_seen")["level"], pick(result, term="n_seen")["estimate"]) == ("x", 25)
    assert pick(result, term="share_seen")["estimate"] == pytest.approx(25 / 40)
    assert "fewer than 30 patients of x" in str(result.warnings[0])


def test_the_share_seen_leaves_out_those_not_yet_due():
    wide = make_clinic(60).astype({"month_6": object})
    wide.loc[wide.index[:25], "month_6"] = "not_yet_due"
    assert check_comparability(assemble_cohort(wide)).comparable is True
    wide.loc[wide.index[:25], "month_6"] = "lost"
    result = check_comparability(assemble_cohort(wide))
    assert result.comparable is False
    assert "at least 60 %" not in str(result.warnings[0]) and "60 %" in str(result.warnings[0])


def test_one_covariate_out_of_balance_closes_the_gate():
    wide = make_clinic()
    wide.insert(2, "age_years", np.where(wide["therapy"] == "x", 40, 60) + np.arange(80) % 10)
    result = check_comparability(assemble_cohort(wide, covariates=("age_years",)))
    assert result.comparable is False
    assert pick(result, term="smd")["level"] == "age_years"
    assert "age" in str(result.warnings[0])


def test_groups_without_overlap_are_not_comparable_and_have_no_number():
    wide = make_clinic()
    wide.insert(2, "region", np.where(wide["therapy"] == "x", "neck", "low_back"))
    row = pick(check_comparability(assemble_cohort(wide, covariates=("region",))), term="smd")
    assert (row["state"], row["level"]) == ("separated", "region")
    assert np.isnan(row["estimate"])


def test_nothing_known_of_the_start_closes_the_gate_and_says_so():
    wide = make_clinic()
    wide["baseline"] = "missing"
    cohort = assemble_cohort(wide)
    result = check_comparability(cohort)
    assert result.comparable is False
    assert pick(result, term="smd")["state"] == "too_few"
    assert "nothing is recorded of how the patients" in str(result.warnings[0])
    assert compare_at_timepoints(cohort).comparable is False
    assert check_comparability(assemble_cohort(wide, design="randomised")).comparable is True


def test_random_allocation_passes_by_design_and_one_therapy_never():
    wide = make_clinic(10, site=["s", "t"] * 10)
    assert check_comparability(assemble_cohort(wide)).comparable is False
    randomised = check_comparability(assemble_cohort(wide, design="randomised"))
    assert pick(randomised, statistic="verdict")["level"] == "randomised"
    assert randomised.comparable is True
    assert check_comparability(assemble_cohort(wide, design="randomised"), by="site").comparable is False
    alone = check_comparability(assemble_cohort(wide[wide["therapy"] == "x"]))
    assert pick(alone, statistic="verdict")["level"] == "one_therapy"
    assert alone.comparable is None, "nothing is compared"


def test_a_time_point_that_depends_on_the_outcome_is_never_compared():
    wide = make_clinic().rename(columns={"month_6": "end_of_therapy"})
    cohort = assemble_cohort(wide, incomparable=("end_of_therapy",), design="randomised")
    assert check_comparability(cohort).comparable is False
    result = compare_at_timepoints(cohort)
    assert result.table.empty
    assert any("depends on the outcome" in str(text) for text in result.warnings)


# --- states ----------------------------------------------------------------------------------------------


def states_of(cohort, **options) -> set[str]:
    result = compare_at_timepoints(cohort, **options)
    assert result.table.loc[result.table["state"] != "ok", "estimate"].isna().all()
    return set(result.where(statistic=["contrast", "marginal_mean"]).table["state"])


def test_one_therapy_is_degenerate_and_says_so():
    wide = make_clinic(therapies=("x",))
    result = compare_at_timepoints(assemble_cohort(wide))
    assert set(result.table["state"]) == {"degenerate"}
    assert any("nothing to compare" in str(text) for text in result.warnings)
    assert set(standardise_responders(assemble_cohort(wide)).table["state"]) == {"degenerate"}


def test_constant_scores_are_degenerate():
    assert states_of(assemble_cohort(make_clinic().assign(month_6=3.0))) == {"degenerate"}


def test_a_score_that_the_model_explains_wholly_is_degenerate():
    wide = make_clinic()
    assert states_of(assemble_cohort(wide.assign(month_6=wide["baseline"] / 2 + 1))) == {"degenerate"}


def test_an_empty_cell_leaves_that_therapy_out_and_the_others_in():
    wide = make_clinic(therapies=("x", "y", "z")).astype({"month_6": object})
    wide.loc[wide["therapy"] == "z", "month_6"] = "lost"
    result = compare_at_timepoints(assemble_cohort(wide, reference="x"))
    assert pick(result, statistic="marginal_mean", group="z")["state"] == "too_few"
    assert pick(result, statistic="contrast", group="y", versus="x")["state"] == "ok"
    assert pick(result, statistic="contrast", group="z", versus="x")["state"] == "too_few"
    assert any("fewer than two" in str(text) for text in result.warnings)


def test_more_columns_than_patients_is_too_few():
    wide = make_clinic(2)
    wide.insert(2, "age_years", [30, 40, 55, 61])
    assert states_of(assemble_cohort(wide, covariates=("age_years",))) == {"too_few"}


def test_a_covariate_that_goes_with_therapy_is_rank_deficient():
    wide = make_clinic()
    wide.insert(2, "region", np.where(wide["therapy"] == "x", "neck", "low_back"))
    cohort = assemble_cohort(wide, covariates=("region",))
    assert states_of(cohort) == {"rank_deficient"}
    assert set(standardise_responders(cohort, threshold="absolute:2").table["state"]) == {"rank_deficient"}


def test_covariates_that_repeat_each_other_do_no_harm():
    wide = make_clinic()
    wide.insert(2, "region", np.tile(["neck", "low_back"], 40))
    alone = compare_at_timepoints(assemble_cohort(wide, covariates=("region",)))
    wide.insert(3, "cause", np.tile(["other", "stenosis"], 40))
    twice = compare_at_timepoints(assemble_cohort(wide, covariates=("region", "cause")))
    assert pick(twice, statistic="contrast")["estimate"] == pytest.approx(
        pick(alone, statistic="contrast")["estimate"]
    )


def test_patients_without_a_covariate_stay_and_are_counted():
    wide = make_clinic()
    wide.insert(2, "age_years", np.where(np.arange(80) < 7, np.nan, 40.0 + np.arange(80) % 11))
    result = compare_at_timepoints(assemble_cohort(wide, covariates=("age_years",)))
    assert pick(result, statistic="contrast")["n"] == 40
    row = pick(result, statistic="n_missing", term="age_years")
    assert (row["estimate"], row["unit"]) == (7, "patients")
    assert supported(result)


def test_secondary_time_points_with_poor_follow_up_are_not_compared():
    wide = make_clinic().astype({"month_6": object}).assign(month_12=lambda table: table["month_6"])
    wide.loc[wide.index[:25], "month_12"] = "lost"
    result = compare_at_timepoints(assemble_cohort(wide, primary="month_6"))
    assert result.comparable is True
    assert pick(result, statistic="contrast", timepoint="month_6")["state"] == "ok"
    assert pick(result, statistic="contrast", timepoint="month_12")["state"] == "too_few"


# --- clusters --------------------------------------------------------------------------------------------


def with_therapists(n_therapists: int, **options):
    wide = make_clinic(60)
    wide.insert(2, "therapist", [f"t{number % n_therapists}" for number in range(120)])
    return assemble_cohort(wide, **options)


def test_ten_therapists_are_clusters_with_their_own_degrees_of_freedom():
    result = compare_at_timepoints(with_therapists(12))
    row = pick(result, statistic="contrast")
    assert 4 < row["df"] < 12
    assert "therapist" in write(result.method)
    plain = pick(compare_at_timepoints(with_therapists(12), cluster="none"), statistic="contrast")
    assert plain["estimate"] == pytest.approx(row["estimate"])
    assert plain["df"] == 117


def test_clusters_that_are_not_recorded_are_refused():
    with pytest.raises(AnalysisError, match="No therapist is recorded"):
        compare_at_timepoints(assemble_cohort(make_clinic()), cluster="therapist")


@pytest.mark.parametrize("options", [{"resamples": 0}, {"resamples": 2.5}, {"seed": -1}, {"seed": "x"}])
def test_a_bootstrap_that_cannot_be_drawn_is_refused(options):
    with pytest.raises(AnalysisError, match="whole number"):
        estimate_effect_sizes(assemble_cohort(make_clinic()), **options)


def test_few_therapists_are_named_and_not_clustered():
    result = compare_at_timepoints(with_therapists(5))
    assert pick(result, statistic="contrast")["df"] == 117
    assert any("5 therapists" in str(text) for text in result.warnings)


def test_few_clusters_on_demand_withhold_the_interval():
    assert states_of(with_therapists(5), cluster="therapist") == {"few_clusters"}
    with pytest.raises(AnalysisError, match="therapist"):
        compare_at_timepoints(with_therapists(5), cluster="ward")


def test_therapists_of_one_therapy_only_are_counted():
    wide = make_clinic(60)
    wide.insert(2, "therapist", [f"{row.therapy}{row.Index % 6}" for row in wide.itertuples()])
    result = compare_at_timepoints(assemble_cohort(wide))
    assert any("12 of 12 therapists" in str(text) for text in result.warnings)


def test_few_sites_enter_as_a_fixed_effect_unless_they_go_with_therapy():
    wide = make_clinic(60)
    wide.insert(2, "site", np.tile(["a", "b", "c"], 40))
    result = compare_at_timepoints(assemble_cohort(wide))
    assert "fixed effect" in write(result.method)
    assert pick(result, statistic="contrast")["df"] == 115
    confounded = compare_at_timepoints(assemble_cohort(wide.assign(site=wide["therapy"])))
    assert pick(confounded, statistic="contrast")["state"] == "ok"
    assert any("differences between sites" in str(text) for text in confounded.warnings)


def test_second_episodes_are_clustered_by_patient():
    wide = make_clinic(60).assign(patient=np.arange(120) // 2)
    result = compare_at_timepoints(assemble_cohort(wide))
    row = pick(result, statistic="contrast")
    assert (row["n"], row["n_versus"]) == (30, 30)
    assert row["df"] < 60
    assert supported(result)


# --- standardised shares and effect sizes ----------------------------------------------------------------


def test_standardised_shares_without_covariates_are_close_to_the_raw_ones():
    wide = make_clinic(200, seed=4)
    result = standardise_responders(assemble_cohort(wide), threshold="absolute:2")
    raw = (wide["baseline"] - wide["month_6"] >= 2).groupby(wide["therapy"]).mean()
    for therapy in ("x", "y"):
        row = pick(result, group=therapy)
        assert row["estimate"] == pytest.approx(raw[therapy], abs=0.03)
        assert row["conf_low"] < row["estimate"] < row["conf_high"]
    assert result.comparable is True
    assert supported(result)


def test_standardised_shares_are_means_of_the_chances_of_all_patients():
    # The mean over all patients of the chances that a logistic model gives them under each therapy.
    lines, number = [], 0
    for therapy, region, n, improved in (
        ("x", "neck", 40, 10), ("x", "low_back", 10, 5), ("y", "neck", 10, 2), ("y", "low_back", 40, 20),
    ):  # fmt: skip
        for i in range(n):
            lines.append(f"p{number} {therapy} {region} 5 {2 if i < improved else 5}")
            number += 1
    cohort = build_cohort(
        "patient therapy region baseline month_6\n" + "\n".join(lines), covariates=("region",)
    )
    result = standardise_responders(cohort, threshold="absolute:2")
    table = pd.DataFrame([line.split() for line in lines], columns=["p", "therapy", "region", "b", "m"])
    exog = np.column_stack([np.ones(100), table["region"] == "neck", table["therapy"] == "x"]).astype(float)
    fit = sm.Logit((table["m"] == "2").astype(float), exog).fit(disp=0)
    for therapy, value in (("x", 1.0), ("y", 0.0)):
        moved = exog.copy()
        moved[:, 2] = value
        row, chance = pick(result, group=therapy), fit.predict(moved)
        assert row["estimate"] == pytest.approx(chance.mean(), abs=1e-8)
        # the error by the delta method, the interval on the scale of the logit
        gradient = (chance * (1 - chance)) @ moved / 100
        error = np.sqrt(gradient @ fit.cov_params() @ gradient)
        centre = np.log(chance.mean() / (1 - chance.mean()))
        margin = 1.959964 * error / (chance.mean() * (1 - chance.mean()))
        expected = [1 / (1 + np.exp(-(centre + side * margin))) for side in (-1, 1)]
        assert row["std_error"] == pytest.approx(error, rel=1e-5)
        assert ends(row) == pytest.approx(expected, rel=1e-5)


def adjust_by_definition(exog: np.ndarray, outcome: np.ndarray, clusters: np.ndarray, gradient: np.ndarray):
    """Return CR2 error and degrees of freedom of a gradient of logistic coefficients, with whole matrices.

    The working model are independent outcomes with the variances that the regression gives them.
    """
    chance = sm.Logit(outcome, exog).fit(disp=0).predict(exog)
    root = np.sqrt(chance * (1 - chance))
    columns, rest = exog * root[:, None], (outcome - chance) / root
    bread = np.linalg.inv(columns.T @ columns)
    left = np.eye(len(exog)) - columns @ bread @ columns.T
    variance, vectors = 0.0, []
    for code in np.unique(clusters):
        rows = clusters == code
        values, basis = np.linalg.eigh(left[np.ix_(rows, rows)])
        weight = basis @ np.diag(values**-0.5) @ basis.T @ columns[rows] @ bread @ gradient
        variance += float(weight @ rest[rows]) ** 2
        vectors.append(left[:, rows] @ weight)
    gram = np.array(vectors) @ np.array(vectors).T
    return np.sqrt(variance), np.trace(gram) ** 2 / (gram**2).sum()


def test_standardised_shares_of_clusters_have_cr2_errors_and_satterthwaite_degrees_of_freedom():
    cohort = with_therapists(12)
    result = standardise_responders(cohort, threshold="absolute:2")
    last = cohort.table[cohort.table["timepoint"] == "month_6"].reset_index(drop=True)
    therapist = pd.Categorical(last["therapist"].astype(str)).codes
    improved = (last["improvement"] >= 2).to_numpy(float)
    start, x = last["baseline"].to_numpy(float), (last["therapy"] == "x").to_numpy(float)
    exog = np.column_stack([np.ones(len(last)), start, x])
    fit = sm.Logit(improved, exog).fit(disp=0)
    for therapy, value in (("x", 1.0), ("y", 0.0)):
        moved = exog.copy()
        moved[:, 2] = value
        chance, row = fit.predict(moved), pick(result, group=therapy)
        gradient = (chance * (1 - chance)) @ moved / len(moved)
        error, df = adjust_by_definition(exog, improved, therapist, gradient)
        assert row["std_error"] == pytest.approx(error, rel=1e-6)
        assert row["df"] == pytest.approx(df, rel=1e-6) and df < 12
        centre = special.logit(chance.mean())
        margin = stats.t.ppf(0.975, df) * error / (chance.mean() * (1 - chance.mean()))
        assert ends(row) == pytest.approx([special.expit(centre - margin), special.expit(centre + margin)])
    assert "cluster-robust (CR2) with Satterthwaite" in write(result.method)
    assert states_of_shares(5) == {"few_clusters"}


def states_of_shares(n_therapists: int) -> set[str]:
    held = standardise_responders(with_therapists(n_therapists), threshold="absolute:2", cluster="therapist")
    return set(held.table["state"])


def test_a_therapy_under_which_all_improved_is_separated():
    wide = make_clinic()
    wide.loc[wide["therapy"] == "x", "month_6"] = 0.0
    result = standardise_responders(assemble_cohort(wide), threshold="absolute:2")
    assert set(result.table["state"]) == {"separated"}
    assert result.table["estimate"].isna().all()


def test_a_rare_covariate_level_without_responders_does_not_stop_standardisation():
    wide = make_clinic(100)
    region = np.where(np.arange(200) % 50 == 0, "neck", "low_back")
    wide.insert(2, "region", region)
    wide.loc[region == "neck", "month_6"] = 10.0
    result = standardise_responders(assemble_cohort(wide, covariates=("region",)), threshold="absolute:2")
    assert set(result.table["state"]) == {"ok"}


def test_effect_sizes_by_hand():
    # improvements 12, 10, 6, 20, 8, 4, 22, 4 and 6, 2, 8, 4, 10, 0, 5, 3: g 1.0493 with the exact correction
    gains = {"new": [12, 10, 6, 20, 8, 4, 22, 4], "old": [6, 2, 8, 4, 10, 0, 5, 3]}
    lines = [
        f"{group}{i} {group} {30 + i} {30 + i - gain}"
        for group, held in gains.items()
        for i, gain in enumerate(held)
    ]
    cohort = build_cohort("patient therapy baseline month_6\n" + "\n".join(lines), reference="old")
    result = estimate_effect_sizes(cohort)
    g = pick(result, statistic="hedges_g")
    assert (g["group"], g["versus"]) == ("new", "old")
    assert g["estimate"] == pytest.approx(1.1101 * 0.945288, abs=1e-4)
    # corrected as the estimate is; under either end the statistic lies at the edge of its distribution
    root, t = np.sqrt(2 / 8), 1.1101 / np.sqrt(2 / 8)
    for end, point in zip(ends(g), (0.975, 0.025), strict=True):
        assert stats.nct.cdf(t, 14, end / 0.945288 / root) == pytest.approx(point, abs=1e-4)
    srm = pick(result, statistic="srm", group="new")
    assert srm["estimate"] == pytest.approx(np.mean(gains["new"]) / np.std(gains["new"], ddof=1))
    ses = pick(result, statistic="ses", group="new")
    assert ses["estimate"] == pytest.approx(np.mean(gains["new"]) / np.std(np.arange(8), ddof=1))
    assert ses["conf_low"] < ses["estimate"] < ses["conf_high"]
    # the interval of a mean over a deviation: noncentral t with root(8) times it
    held = pick(result, statistic="srm", group="new")
    t = held["estimate"] * np.sqrt(8)
    for end, point in zip(ends(held), (0.975, 0.025), strict=True):
        assert stats.nct.cdf(t, 7, end * np.sqrt(8)) == pytest.approx(point, abs=1e-6)
    assert result.comparable is False
    assert supported(result)


def test_the_bootstrap_repeats_with_its_seed_and_above_a_thousand_patients_agrees_with_the_formula():
    wide = make_clinic(1500, seed=8)
    cohort = assemble_cohort(wide)
    first, second = (pick(estimate_effect_sizes(cohort), statistic="ses", group="x") for _ in range(2))
    assert first["conf_low"] == second["conf_low"]
    held = wide[wide["therapy"] == "x"]
    gain = held["baseline"] - held["month_6"]
    sd = held["baseline"].std()
    spread = ((held["baseline"] - held["baseline"].mean()) ** 2 / sd**2).to_numpy()
    influence = (gain / sd).to_numpy() - gain.mean() / sd * (1 + (spread - 1) / 2)
    std_error = influence.std(ddof=1) / np.sqrt(len(held))
    assert (first["conf_high"] - first["conf_low"]) / (2 * 1.96 * std_error) == pytest.approx(1, abs=0.08)


def test_effect_sizes_of_constant_improvement_are_degenerate():
    wide = make_clinic()
    result = estimate_effect_sizes(assemble_cohort(wide.assign(month_6=wide["baseline"] - 2)))
    assert set(result.where(statistic=["srm", "hedges_g"]).table["state"]) == {"degenerate"}
