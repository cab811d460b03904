"""What a statistician may ask of a fit, and what is refused or named when the table cannot bear it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from outcomes.analyses.mmrm import fit
from outcomes.errors import AnalysisError
from test_mmrm_reference import FOLDER, fit_simulated, lengthen

NUMBERS = ["estimate", "std_error", "df"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return lengthen(pd.read_csv(FOLDER / "simulated_patients.csv"))


def make_table(n_each: int = 30, n_visits: int = 3, seed: int = 1, therapies: tuple[str, ...] = ("A", "B")):
    random = np.random.default_rng(seed)
    n = n_each * len(therapies)
    own = random.normal(0, 1, n)
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), n_visits),
            "therapy": np.repeat(therapies, n_each * n_visits),
            "visit": np.tile([f"v{number:02d}" for number in range(n_visits)], n),
            "score": np.repeat(own, n_visits) + random.normal(0, 1, n * n_visits),
        }
    )


def fit_table(table: pd.DataFrame, formula: str = "score ~ therapy*visit", **options):
    return fit(formula, table, subject="id", visit="visit", **options)


# --- choices ----------------------------------------------------------------------------------------------


def test_summary_reads_like_r(table):
    text = str(fit_simulated(table, "us", "reml"))
    for expected in (
        "Mixed model for repeated measures fitted by REML", "1736 rows of 500 patients, at most 4 visits",
        "Covariance:  unstructured (us, 10 parameters)", "AIC    BIC  logLik deviance",
        "6289.7 6331.9 -3134.9   6269.7", "Std. Error", "Pr(>|t|)", "Signif. codes:", "therapy[T.Manual]",
        "Covariance between visits:",
    ):  # fmt: skip
        assert expected in text, expected


def test_criteria_are_those_of_the_figures_of_r(table):
    found = fit_simulated(table, "us", "reml")
    assert round(found.aic, 4) == 6289.739 and found.n_parameters == 10


@pytest.mark.parametrize(("method", "df"), [("ml", "satterthwaite"), ("reml", "kenward-roger")])
def test_one_covariance_a_group_is_separate_models_where_nothing_else_is_shared(table, method, df):
    """Groups with columns and a covariance of their own are fitted as if alone."""
    names = ("Manual", "UsualCare")
    two = table[table["therapy"].isin(names)]
    options = {"subject": "id", "visit": "visit", "method": method, "df": df}
    together = fit("pain ~ 0 + therapy:visit + therapy:base", two, group="therapy", **options)
    alone = [fit("pain ~ 0 + visit + base", two[two["therapy"] == name], **options) for name in names]
    assert together.log_likelihood == pytest.approx(sum(part.log_likelihood for part in alone), abs=1e-7)
    found = np.vstack([part.visit_covariance for part in alone])
    np.testing.assert_allclose(together.visit_covariance, found, rtol=1e-6)
    assert together.n_parameters == 20
    coefficients = together.coefficients.set_index("term")
    for part, name in zip(alone, names, strict=True):
        expected = part.coefficients.set_index("term").loc["base", NUMBERS].astype("float64")
        held = coefficients.loc[f"therapy[{name}]:base", NUMBERS].astype("float64")
        np.testing.assert_allclose(held, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "options", [{"df": "satterthwaite"}, {"df": "kenward-roger"}, {"vcov": "CR2"}], ids=str
)
def test_inference_may_be_changed_without_fitting_anew(table, options):
    changed = fit_simulated(table, "us", "reml").with_inference(**options)
    anew = fit_simulated(table, "us", "reml", **options)
    np.testing.assert_array_equal(changed.coefficients[NUMBERS], anew.coefficients[NUMBERS])
    assert (changed.df, changed.vcov_kind) == (anew.df, anew.vcov_kind)


def test_contrasts_of_all_pairs_and_against_a_reference(table):
    found = fit_simulated(table, "us", "reml")
    plain = found.contrasts(adjust="none", versus="UsualCare")
    assert set(plain["versus"]) == {"UsualCare"} and len(plain) == 12
    pairs, single = found.contrasts(), found.contrasts(adjust="none")
    against = found.contrasts(versus="UsualCare").set_index(["group", "visit"])
    of_pairs = pairs[pairs["versus"] == "UsualCare"].set_index(["group", "visit"])
    alone = single[single["versus"] == "UsualCare"].set_index(["group", "visit"])
    of_pairs, alone = of_pairs.loc[against.index], alone.loc[against.index]
    p_values = [table["p_value"].to_numpy() for table in (alone, against, of_pairs)]
    ends = [table["conf_low"].to_numpy() for table in (of_pairs, against, alone)]
    for first, second, third in (p_values, ends):
        assert (first <= second).all() and (second <= third).all() and (first < third).all()
    outside = (pairs["conf_low"] > 0) | (pairs["conf_high"] < 0)
    np.testing.assert_array_equal(outside, pairs["p_value"] < 0.05)
    with pytest.raises(AnalysisError, match="There is no adjustment 'holm'; choose one of: max-t, none"):
        found.contrasts(adjust="holm")
    with pytest.raises(AnalysisError, match="'age' is no category of the model"):
        found.contrasts("age")


def test_max_t_uses_the_covariance_of_the_contrasts(table):
    """The adjusted p-value by Genz' algorithm (scipy's multivariate t) from the fit's own covariance."""
    found = fit_simulated(table, "us", "reml", df="residual")
    place = {name: number for number, name in enumerate(found.vcov.index)}
    rows = np.zeros((3, len(place)))
    rows[0, place["therapy[T.Exercise]"]] = rows[1, place["therapy[T.Manual]"]] = 1
    rows[2, place["therapy[T.UsualCare]"]] = 1
    covariance = rows @ found.vcov.to_numpy() @ rows.T
    spread = np.sqrt(np.diag(covariance))
    contrasts = found.contrasts(versus="Aquatic").query("visit == 'V1'")
    together = stats.multivariate_t(
        shape=covariance / np.outer(spread, spread), df=contrasts["df"].iloc[0], seed=2
    )
    for row in contrasts.to_dict("records"):
        ends = np.full(3, abs(row["statistic"]))
        expected = 1 - together.cdf(ends, lower_limit=-ends, maxpts=200_000)
        assert row["p_value"] == pytest.approx(expected, rel=5e-3)


def test_contrasts_match_emmeans_and_max_t_lies_just_within_tukey(shared):
    """emmeans 1.8.4-1 for least squares, complete cases: one visit is the analysis of covariance.

    Groups are nearly of one size, so that Tukey and Kramer's p-values and intervals, never too small (Hayter
    1984, Ann Stat 12:61, doi 10.1214/aos/1176346392), are those of max-t but for a little.
    """
    import json

    figures = json.loads((shared / "oracle/outputs/ancova.json").read_text(encoding="utf-8"))
    wide = pd.read_csv(shared / "oracle/inputs/sim_wide.csv").dropna(subset="y4")
    wide = wide.assign(change=wide["y4"] - wide["base"], visit="V4")
    found = fit("change ~ therapy + base + region + age", wide, subject="id", visit="visit", df="residual")
    contrasts, expected = found.contrasts(adjust="none"), pd.DataFrame(figures["lsm"]["pairs_none"])
    np.testing.assert_allclose(contrasts["estimate"], expected["estimate"], rtol=1e-8)
    np.testing.assert_allclose(contrasts["std_error"], expected["SE"], rtol=1e-8)
    np.testing.assert_allclose(contrasts["p_value"], expected["p.value"], rtol=1e-6, atol=1e-12)
    intervals = expected[["lower.CL", "upper.CL"]]
    np.testing.assert_allclose(contrasts[["conf_low", "conf_high"]], intervals, rtol=1e-6)
    together, tukey = found.contrasts(), pd.DataFrame(figures["lsm"]["pairs_tukey"])
    ratio = together["p_value"] / tukey["p.value"]
    reach = (together["conf_high"] - together["conf_low"]) / (tukey["upper.CL"] - tukey["lower.CL"])
    assert ratio.between(0.97, 1 + 1e-3).all() and reach.between(0.997, 1 + 1e-4).all()


def test_means_average_over_visits_and_slopes_are_made_of_means(table):
    found = fit_simulated(table, "us", "reml")
    means = found.marginal_means().pivot(index="therapy", columns="visit", values="estimate")
    average = found.marginal_means(at_visit=False).set_index("therapy")["estimate"]
    np.testing.assert_allclose(average, means.mean(axis=1), rtol=1e-12)
    weights = {"V3": 1.0, "V4": 3.0}
    later = found.marginal_means(at_visit=False, visit_weights=weights).set_index("therapy")["estimate"]
    np.testing.assert_allclose(later, (means["V3"] + 3 * means["V4"]) / 4, rtol=1e-12)
    times = {"V1": 6.0, "V2": 13.0, "V3": 26.0, "V4": 52.0}
    slopes = found.slopes(times)
    lines = [np.polyfit(list(times.values()), row, 1)[0] for row in means.to_numpy()]
    np.testing.assert_allclose(slopes.loc[slopes["versus"] == "", "estimate"], lines, rtol=1e-10)
    assert len(slopes) == 4 + 6


def test_a_slope_in_time_is_the_coefficient_of_time(table):
    timed = table.assign(week=table["visit"].map({"V1": 6.0, "V2": 13.0, "V3": 26.0, "V4": 52.0}))
    found = fit("pain ~ therapy*week + base", timed, subject="id", visit="visit")
    slopes = found.slopes("week", adjust="none").set_index(["group", "versus"])
    coefficients = found.coefficients.set_index("term")
    for name in NUMBERS:
        assert slopes.loc[("Aquatic", ""), name] == pytest.approx(coefficients.loc["week", name], rel=1e-9)
    difference = slopes.loc[("Aquatic", "Manual"), "estimate"]
    assert difference == pytest.approx(-coefficients.loc["therapy[T.Manual]:week", "estimate"], rel=1e-9)


def test_margins_say_what_they_average(table):
    found = fit_simulated(table, "us", "reml")
    equal, observed, patients = (
        found.marginal_means(weights=weights, over=over)["estimate"].to_numpy()
        for weights, over in (("equal", "rows"), ("observed", "rows"), ("observed", "patients"))
    )
    assert np.abs(equal - observed).max() > 1e-3 and np.abs(observed - patients).max() > 1e-5
    rows = table.dropna(subset="pain").assign(therapy="Manual")
    means = [found.predict(rows.assign(visit=visit))["fitted"].mean() for visit in ("V1", "V2", "V3", "V4")]
    held = found.marginal_means(weights="observed").query("therapy == 'Manual'")["estimate"]
    np.testing.assert_allclose(held, means, rtol=1e-10)
    fixed = found.marginal_means(at={"base": 5.0, "age": 40.0})
    assert not np.allclose(fixed["estimate"], equal)
    with pytest.raises(AnalysisError, match="'therapy' is no number of the model; it has: base, age"):
        found.marginal_means(at={"therapy": 1.0})


def test_predictions_and_residuals_belong_to_each_other(table):
    found = fit_simulated(table, "us", "reml")
    residuals = found.residuals()
    seen = table.dropna(subset="pain").sort_values(["id", "visit"]).reset_index(drop=True)
    predicted = found.predict(seen)
    np.testing.assert_allclose(residuals["fitted"], predicted["fitted"], rtol=1e-9)
    np.testing.assert_allclose(residuals["fitted"] + residuals["residual"], seen["pain"], rtol=1e-9)
    assert residuals["normalised"].std() == pytest.approx(1, abs=0.03)
    assert predicted["std_error"].between(0.05, 0.6).all()
    unknown = found.predict(seen.head(3).assign(therapy=["Manual", "Yoga", None]))
    assert unknown["fitted"].notna().tolist() == [True, False, False]


def test_precision_weights_divide_the_variance():
    """One visit and one variance: weighted least squares."""
    random = np.random.default_rng(2)
    single = pd.DataFrame({"id": range(60), "visit": "v", "x": random.normal(size=60)})
    single["score"] = single["x"] + random.normal(size=60)
    weighted = single.assign(weight=np.where(single["id"] < 20, 4.0, 1.0))
    found = fit_table(weighted, "score ~ x", weights="weight", df="residual")
    design = np.column_stack([np.ones(60), single["x"]]) * np.sqrt(weighted["weight"].to_numpy())[:, None]
    response = single["score"] * np.sqrt(weighted["weight"])
    beta, rest, *_ = np.linalg.lstsq(design, response, rcond=None)
    np.testing.assert_allclose(found.coefficients["estimate"], beta, rtol=1e-10)
    variance = rest[0] / 58 * np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(found.coefficients["std_error"], np.sqrt(np.diag(variance)), rtol=1e-8)
    assert found.visit_covariance.iloc[0, 0] == pytest.approx(rest[0] / 58)


def test_weights_may_change_within_a_patient_and_do_not_depend_on_the_path(table):
    weighted = table.assign(weight=np.random.default_rng(5).uniform(0.5, 2, len(table)))
    found = fit_simulated(weighted, "us", "reml", weights="weight")
    assert found.state == "ok" and "weights" in found.layout.varying
    same = fit_simulated(table.assign(weight=1.0), "us", "reml", weights="weight")
    plain = fit_simulated(table, "us", "reml")
    np.testing.assert_allclose(same.coefficients[NUMBERS], plain.coefficients[NUMBERS], rtol=1e-10)
    twice = fit_simulated(table.assign(weight=2.0), "us", "reml", weights="weight")
    assert twice.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)


def test_probability_weights_have_robust_errors_only(table):
    weighted = table.assign(weight=np.where(table["id"] % 2, 1.0, 3.0))
    options = {"weights": "weight", "weight_kind": "probability"}
    found = fit_simulated(weighted, "us", "reml", vcov="CR2", **options)
    assert found.state == "ok"
    with pytest.raises(AnalysisError, match="Probability weights need vcov='CR2'"):
        found.with_inference(vcov="model")
    # Weights all alike weigh nothing: CR2 does not change.
    same = fit_simulated(table.assign(weight=3.0), "us", "reml", vcov="CR2", **options)
    plain = fit_simulated(table, "us", "reml", vcov="CR2")
    np.testing.assert_allclose(same.coefficients[NUMBERS], plain.coefficients[NUMBERS], rtol=1e-8)


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "arma"}, "no covariance 'arma'; choose one of: us, ad"),
        ({"covariance": "ar1"}, "supposes visits at equal distances"),
        ({"df": "kenward-roger", "vcov": "CR2"}, "adjust the model's covariance, not CR2"),
        ({"df": "kenward-roger", "method": "ml"}, "needs method='reml'"),
        ({"df": "contain"}, "no df 'contain'; choose one of"),
        ({"vcov": "model", "cluster": "therapy"}, "Clusters need vcov='CR2'"),
        ({"weights": "score", "weight_kind": "probability"}, "Probability weights need vcov='CR2'"),
        ({"conf_level": 95}, "conf_level is a proportion"),
        ({"group": "arm"}, "no column 'arm'; it has: id, therapy, visit, score"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(AnalysisError, match=message):
        fit_table(make_table(), **options)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("score therapy", "cannot be read"),
        ("score ~ ~ therapy", "cannot be read"),
        ("score + id ~ therapy", "exactly one score"),
        ("score ~ bs(age, df=3)", "compute that column first"),
        ("score ~ theraphy*visit", "no column 'theraphy'"),
    ],
)
def test_formulas_that_cannot_be_fitted_are_refused(formula, message):
    with pytest.raises(AnalysisError, match=message):
        fit_table(make_table(), formula)


def test_duplicate_visits_are_refused_without_naming_anyone():
    table = make_table()
    doubled = pd.concat([table, table.iloc[[4, 5]]])
    with pytest.raises(AnalysisError, match="2 rows repeat a visit that their patient already has") as error:
        fit_table(doubled)
    assert str(table.loc[4, "score"]) not in str(error.value)


def test_a_group_or_cluster_that_changes_within_a_patient_is_refused():
    table = make_table().assign(site=lambda held: np.arange(len(held)) % 12)
    with pytest.raises(AnalysisError, match="'site' that cluster names changes within a patient"):
        fit_table(table, cluster="site")


def test_a_list_is_no_table():
    with pytest.raises(AnalysisError, match="A list is no table here"):
        fit_table([1, 2])  # type: ignore[arg-type]


# --- what users bring -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_visits", [1, 2, 8])
def test_few_and_many_visits(n_visits):
    found = fit_table(make_table(n_visits=n_visits))
    assert found.state == "ok"
    assert found.n_parameters == n_visits * (n_visits + 1) // 2
    assert len(found.contrasts()) == n_visits


def test_above_ten_visits_patients_have_blocks_of_their_own():
    table = make_table(n_each=25, n_visits=12)
    table = table[np.random.default_rng(6).random(len(table)) > 0.3]
    found = fit_table(table, covariance="csh")
    assert found.state == "ok" and len(found.sums.grams) > 45


def test_too_many_visits_are_refused():
    with pytest.raises(AnalysisError, match="There are 63 visits; at most 62"):
        fit_table(make_table(n_each=2, n_visits=63), covariance="cs")


def test_a_visit_that_nobody_of_one_therapy_attended_has_no_mean_there():
    table = make_table(therapies=("A", "B", "C"))
    found = fit_table(table[~((table["therapy"] == "B") & (table["visit"] == "v01"))])
    assert found.state == "ok" and found.dropped == ("therapy[T.B]:visit[T.v01]",)
    assert any("therapy[T.B]:visit[T.v01]" in reason for reason in found.reasons)
    means = found.marginal_means().set_index(["therapy", "visit"])
    assert means.loc[("B", "v01"), "state"] == "rank_deficient" and np.isnan(
        means.loc[("B", "v01"), "estimate"]
    )
    assert (means.drop(("B", "v01"))["state"] == "ok").all()
    contrasts = found.contrasts().set_index(["group", "versus", "visit"])
    assert np.isnan(contrasts.loc[("A", "B", "v01"), "estimate"])
    # The family at that visit is the one contrast that can be estimated.
    plain = found.contrasts(adjust="none").set_index(["group", "versus", "visit"])
    assert contrasts.loc[("A", "C", "v01"), "p_value"] == plain.loc[("A", "C", "v01"), "p_value"]


def test_collinear_columns_are_dropped_and_named():
    random = np.random.default_rng(7)
    table = make_table().assign(age=lambda held: np.repeat(random.normal(50, 9, 60), 3))
    table = table.assign(months=12 * table["age"] + 1, always=3.0)
    found = fit_table(table, "score ~ therapy*visit + age + months + always")
    assert found.dropped == ("months", "always") and found.state == "ok"
    plain = fit_table(table, "score ~ therapy*visit + age")
    np.testing.assert_allclose(found.contrasts()[NUMBERS], plain.contrasts()[NUMBERS], rtol=1e-9)
    assert found.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)


def test_patients_without_a_complete_row_and_rows_without_covariates_are_counted():
    table = make_table().assign(age=lambda held: np.repeat(np.arange(60.0), 3))
    table.loc[table["id"] < 9, "age"] = np.nan
    table.loc[table["id"].isin([10, 11]), "score"] = np.nan
    table.loc[100, "score"] = np.inf
    found = fit_table(table, "score ~ therapy*visit + age")
    assert (found.n_patients, found.n_patients_dropped, found.n_rows_dropped) == (49, 11, 34)
    assert any("11 patients have no complete row" in reason for reason in found.reasons)


def test_rows_without_a_patient_are_counted_whatever_the_chunks():
    table = make_table().astype({"id": "float64"})
    table.loc[[0, 7], "id"] = np.nan
    whole, parts = fit_table(table), fit_table(table, patients_per_chunk=7)
    assert whole.n_rows_dropped == parts.n_rows_dropped == 2
    np.testing.assert_allclose(parts.contrasts()[NUMBERS], whole.contrasts()[NUMBERS], rtol=1e-9)


def test_a_table_without_any_complete_row_is_refused():
    with pytest.raises(AnalysisError, match="No row has a score, a visit and all that the formula names"):
        fit_table(make_table().assign(score=np.nan))


def test_constant_scores_are_degenerate_and_so_is_a_perfect_fit():
    table = make_table()
    for score in (5.0, 1e6, np.where(table["therapy"] == "A", 1.0, 2.0)):
        found = fit_table(table.assign(score=score))
        assert found.state == "degenerate" and found.coefficients["estimate"].isna().all()
        assert "do not vary" in found.summary() and found.contrasts()["state"].eq("degenerate").all()


def test_scores_that_repeat_an_earlier_visit_lie_on_the_boundary():
    table = make_table()
    first = table[table["visit"] == "v00"].set_index("id")["score"]
    same = table["visit"] == "v01"
    table.loc[same, "score"] = table.loc[same, "id"].map(first)
    found = fit_table(table)
    assert found.state in ("boundary", "not_converged")
    assert any("correlation" in reason or "maximum" in reason for reason in found.reasons)


def test_visits_that_no_patient_shares_have_no_covariance():
    table = make_table(n_visits=2)
    found = fit_table(table[(table["id"] % 2 == 0) == (table["visit"] == "v00")])
    assert found.state == "not_converged"


def test_more_columns_than_rows_are_too_few():
    found = fit_table(make_table(n_each=1, n_visits=2), "score ~ therapy*visit")
    assert found.state == "too_few"


def test_fewer_than_ten_clusters_keep_their_estimates_and_withhold_the_rest():
    table = make_table().assign(site=lambda held: held["id"] % 6)
    found = fit_table(table, cluster="site")
    assert found.state == "few_clusters" and found.n_clusters == 6
    assert found.coefficients["estimate"].notna().all() and found.coefficients["std_error"].isna().all()
    assert found.vcov.isna().all(axis=None)
    assert fit_table(table.assign(site=table["id"] % 12), cluster="site").state == "ok"


def test_the_table_is_not_changed(table):
    before = table.copy()
    fit_simulated(table, "us", "reml", vcov="CR2", df="satterthwaite")
    pd.testing.assert_frame_equal(table, before)


def test_a_visit_at_which_nothing_varies_leaves_the_likelihood_without_a_maximum():
    """Zero at the first visit for all: with a variance of its own, that visit's goes to nothing."""
    rows = [(number, "early", 0.0) for number in range(6)] + [(n, "late", 10.0 * (n == 5)) for n in range(6)]
    table = pd.DataFrame(rows, columns=["patient", "visit", "score"])
    for covariance in ("us", "adh", "csh"):
        found = fit("score ~ visit", table, subject="patient", visit="visit", covariance=covariance)
        assert found.state == "not_converged" and "do not vary" in found.reasons[-1], covariance
    assert fit("score ~ visit", table, subject="patient", visit="visit", covariance="cs").state == "ok"
