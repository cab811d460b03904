"""A clinic's own thresholds, measurement error and ends of the scale, against hand-checked numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from handmade import PAIN, assemble_cohort, ends, pick, supported, wilson
from outcomes.analyses._anchor import find_cutoffs, list_ties
from outcomes.analyses.floor_ceiling import count_at_ends
from outcomes.analyses.important_change import estimate_important_change
from outcomes.analyses.measurement_error import estimate_measurement_error, measure_error
from outcomes.cohort import Cohort, select_cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Threshold, read_words
from outcomes.synthetic import simulate_clinic

write = read_words().write

#: Twenty patients: improvement, and whether their own rating calls them improved. Expected numbers: the
#: formulas of the R package iriseekhout/MIC, evaluated apart from this package.
CHANGE = np.array([-2, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13, 15], dtype=float)
IMPROVED = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1], dtype=bool)
WIDE = replace(PAIN, minimum=-100, maximum=100, direction="higher_better")


def build_rated(
    change: np.ndarray, rating: np.ndarray, anchor: str = "pgic7", baseline: object = 0
) -> Cohort:
    """Build a cohort whose patients improve by ``change`` and rate it, all at month 3."""
    ids = [f"p{number}" for number in range(len(change))]
    wide = pd.DataFrame({"patient": ids, "therapy": "a", "baseline": baseline})
    wide["month_3"] = wide["baseline"] + change
    cohort = assemble_cohort(wide, instrument=WIDE)
    rated = pd.DataFrame(
        {
            "episode_id": cohort.episodes["episode_id"], "timepoint": "month_3",
            "day": pd.array([pd.NA] * len(change), dtype="Int64"), "instrument": anchor, "variant": None,
            "score": rating,
        }
    )  # fmt: skip
    return replace(cohort, records=replace(cohort.records, assessments=rated))


def count(change: np.ndarray, improved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.unique(change)
    counts = [[((change == value) & (improved == side)).sum() for value in values] for side in (True, False)]
    return values, np.array([counts[0]], dtype=float), np.array([counts[1]], dtype=float)


def test_cutoffs_of_the_published_vector() -> None:
    found = find_cutoffs(*count(CHANGE, IMPROVED), 0.7)
    assert found.intercept[0] == pytest.approx(-3.395515, abs=1e-6)
    assert found.slope[0] == pytest.approx(0.579936, abs=1e-6)
    cutoffs = (found.predictive[0], found.adjusted[0], found.adjusted_2022[0])
    assert cutoffs == pytest.approx((5.855, 5.855, 5.855), abs=5e-4)
    assert (found.roc[0], found.youden[0], found.auc[0]) == pytest.approx((6.5, 0.7, 0.915))


def test_adjustments_undo_the_pull_of_many_improved() -> None:
    found = find_cutoffs(*count(CHANGE[6:], IMPROVED[6:]), 0.7)
    assert found.share[0] == pytest.approx(0.7143, abs=5e-5)
    cutoffs = (found.predictive[0], found.adjusted[0], found.adjusted_2022[0])
    assert cutoffs == pytest.approx((7.3271, 6.8746, 6.3468), abs=5e-5)


def test_many_samples_at_once_are_the_same_as_one_by_one() -> None:
    values, better, others = count(CHANGE, IMPROVED)
    weights = np.array([[1.0], [2.0], [3.0]])
    together = find_cutoffs(values, better * weights, others * weights, 0.7)
    assert together.slope == pytest.approx(np.full(3, 0.579936), abs=1e-6)
    assert together.roc.tolist() == [6.5] * 3


def test_equally_good_cutoffs_are_all_reported() -> None:
    change, improved = np.array([1.0, 2, 3, 4]), np.array([False, True, False, True])
    values, better, others = count(change, improved)
    assert list_ties(values, better[0], others[0]) == [1.5, 3.5]


def test_the_analysis_gives_the_published_numbers() -> None:
    cohort = build_rated(np.tile(CHANGE, 3), np.tile(np.where(IMPROVED, 2.0, 5.0), 3))
    result = estimate_important_change(cohort, reliability=0.7, resamples=300)
    expected = {
        "mic_predictive": 5.855, "mic_adjusted": 5.855, "mic_improved": 5.855, "mic_roc": 6.5, "youden": 0.7,
        "auc": 0.915, "share_improved": 0.5,
    }  # fmt: skip
    for statistic, value in expected.items():
        row = pick(result, statistic=statistic)
        assert row.estimate == pytest.approx(value, abs=5e-4)
        assert row.conf_low <= row.estimate <= row.conf_high
        assert row.n == 60
    spearman = stats.spearmanr(np.tile(IMPROVED, 3), np.tile(CHANGE, 3)).statistic
    assert pick(result, statistic="correlation_change").estimate == pytest.approx(spearman)
    assert supported(result)
    assert [len(result.support[0][side]) for side in ("all", "with", "without")] == [60, 30, 30]


def test_the_same_seed_gives_the_same_interval_and_no_patient_order_matters() -> None:
    order = np.random.default_rng(1).permutation(20)
    rating = np.where(IMPROVED, 2.0, 5.0)
    first, again = (
        estimate_important_change(build_rated(CHANGE, rating), resamples=50).table for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, again)
    shuffled = estimate_important_change(build_rated(CHANGE[order], rating[order]), resamples=50).table
    assert shuffled["estimate"].to_numpy() == pytest.approx(first["estimate"].to_numpy(), nan_ok=True)


def test_an_anchor_that_does_not_follow_change_is_refused() -> None:
    rating = np.tile([2.0, 5.0], 10)
    with pytest.raises(AnalysisError, match=r"correlates with improvement by -0\.07 .*at least 0.3"):
        estimate_important_change(build_rated(CHANGE, rating))


def test_an_anchor_that_runs_the_other_way_is_refused_with_a_hint() -> None:
    with pytest.raises(AnalysisError, match="negative: check how the anchor is coded"):
        estimate_important_change(build_rated(CHANGE, np.where(IMPROVED, 5.0, 2.0)))


def test_too_few_on_one_side_and_unknown_names_are_refused() -> None:
    cohort = build_rated(CHANGE, np.where(IMPROVED, 2.0, 5.0))
    with pytest.raises(AnalysisError, match="10 patients are needed on either side"):
        estimate_important_change(cohort, improved="state:<=1")
    unrated = replace(cohort, records=replace(cohort.records, assessments=cohort.assessments.head(0)))
    with pytest.raises(AnalysisError, match="No other measure than the outcome is recorded"):
        estimate_important_change(unrated)
    rated = cohort.assessments
    pain = replace(cohort, records=replace(cohort.records, assessments=rated.assign(instrument="odi")))
    with pytest.raises(AnalysisError, match=r"No rating of change is recorded in this cohort.*one of: odi"):
        estimate_important_change(pain)
    both = pd.concat([rated, rated.assign(instrument="groc15")])
    with pytest.raises(AnalysisError, match=r"Several ratings of change .*one of: groc15, pgic7"):
        estimate_important_change(replace(cohort, records=replace(cohort.records, assessments=both)))
    with pytest.raises(AnalysisError, match="no anchor 'groc15' in this cohort; name one of: pgic7"):
        estimate_important_change(cohort, anchor="groc15")
    with pytest.raises(AnalysisError, match="Or write a rule"):
        estimate_important_change(cohort, improved="somewhat")
    groc = build_rated(CHANGE, np.where(IMPROVED, 5.0, 0.0), anchor="groc15")
    with pytest.raises(AnalysisError, match="say who is improved"):
        estimate_important_change(groc, anchor="groc15")
    named = estimate_important_change(groc, anchor="groc15", improved="improved", resamples=20)
    assert any("has not been read: improved" in str(text) for text in named.warnings)


def test_no_overlap_is_separated() -> None:
    rating = np.where(CHANGE > 5, 2.0, 5.0)
    result = estimate_important_change(build_rated(CHANGE, rating), resamples=20)
    states = result.where(statistic=["mic_predictive", "mic_roc"]).table.set_index("statistic")["state"]
    assert states.to_dict() == {"mic_predictive": "separated", "mic_roc": "ok"}


def test_the_truth_is_found_where_patients_call_themselves_improved_from_it_on() -> None:
    """Patients feel improved from about 10 points on; two thirds do, which pulls unadjusted cut-offs."""
    random = np.random.default_rng(7)
    change = random.normal(13.0, 8.0, 4000)
    felt = change + random.normal(0, 4.0, 4000)
    cohort = build_rated(np.round(change, 1), np.where(felt >= 10.0, 2.0, 5.0))
    result = estimate_important_change(cohort, reliability=0.8, resamples=100)
    adjusted = pick(result, statistic="mic_improved").estimate
    assert abs(adjusted - 10) < 0.7
    assert abs(adjusted - 10) < abs(pick(result, statistic="mic_predictive").estimate - 10)


def test_measurement_error_of_a_retest() -> None:
    """Ten patients, second visit 2 higher on average: two-way analysis of variance by hand."""
    first = np.array([10, 20, 30, 40, 50, 60, 70, 80, 90, 100], dtype=float)
    second = first + 2 + np.tile([1.0, -1.0], 5)
    found = measure_error(first, second)
    # Differences are 3 and 1: their sum of squares about 2 is 10, so the residual is 10 / (2 x 9).
    residual = 10 / 18
    systematic = (10 * 2 * 1**2 - residual) / 10
    assert found.consistency == pytest.approx(np.sqrt(residual))
    assert found.agreement == pytest.approx(np.sqrt(residual + systematic))
    assert (found.difference, found.spread) == pytest.approx((2.0, np.sqrt(10 / 9)))
    between = 2 * (((first + second) / 2 - (first + second).mean() / 2) ** 2).sum() / 9
    assert found.icc == pytest.approx((between - residual) / (between + residual + 2 * systematic))


def test_known_reliability_gives_the_published_detectable_change() -> None:
    """Standard deviation 16 and reliability 0.84: error 6.4, detectable 17.74 (95 %) and 14.89 (90 %)."""
    baseline = np.array([-16.0, 16.0] * 12) * np.sqrt(23 / 24) + 48
    change = np.array([-18.0, 18.0, 17.0, -17.0] * 6)
    cohort = build_rated(change, np.full(24, 4.0), baseline=baseline)
    result = estimate_measurement_error(cohort, reliability=0.84)
    assert pick(result, statistic="sem").estimate == pytest.approx(6.4)
    assert pick(result, statistic="sdc", term="95 %").estimate == pytest.approx(17.74, abs=5e-3)
    assert pick(result, statistic="sdc", term="90 %").estimate == pytest.approx(14.89, abs=5e-3)
    assert pick(result, statistic="sdc_group").estimate == pytest.approx(17.74 / np.sqrt(24), abs=5e-3)
    # 18 / (root 2 x 6.4) = 1.9887 is reliable, 17 is not.
    shares = {
        name: pick(result, statistic=f"share_{name}", group="all").estimate
        for name in ("reliably_improved", "reliably_worse", "unchanged")
    }
    assert shares == {"reliably_improved": 0.25, "reliably_worse": 0.25, "unchanged": 0.5}
    assert supported(result)


def test_recovered_means_reliable_and_across_the_cut_off() -> None:
    baseline = np.array([30.0, 50.0] * 10)
    cohort = build_rated(np.full(20, 25.0), np.full(20, 4.0), baseline=baseline)
    result = estimate_measurement_error(cohort, reliability=0.9, norm_mean=80, norm_sd=10)
    sd = baseline.std(ddof=1)
    cut = (10 * 40 + sd * 80) / (sd + 10)
    assert pick(result, statistic="cut_off").estimate == pytest.approx(cut)
    assert 55 < cut < 75
    assert pick(result, statistic="share_reliably_improved", group="all").estimate == 1
    assert pick(result, statistic="share_recovered", group="all").estimate == 0.5


def test_who_begins_at_the_cut_off_does_not_cross_it_and_who_ends_there_does() -> None:
    """Mean 40 and SD 10 at the start, 60 and 10 of the well: half way is 50, where ten begin and ten end."""
    baseline = np.array([30.0] * 10 + [50.0] * 10 + [40.0])
    cohort = build_rated(np.full(21, 20.0), np.full(21, 4.0), baseline=baseline)
    result = estimate_measurement_error(cohort, reliability=0.9, norm_mean=60, norm_sd=10)
    assert pick(result, statistic="cut_off").estimate == 50
    assert pick(result, statistic="share_reliably_improved", group="all").estimate == 1
    assert pick(result, statistic="share_recovered", group="all").estimate == pytest.approx(11 / 21)


def test_the_error_comes_from_those_who_call_themselves_unchanged() -> None:
    change = np.r_[np.tile([3.0, 1.0], 6), np.full(8, 30.0)]
    rating = np.r_[np.full(12, 4.0), np.full(8, 1.0)]
    cohort = build_rated(change, rating, baseline=np.arange(20.0))
    result = estimate_measurement_error(cohort)
    assert pick(result, statistic="sem_consistency").estimate == pytest.approx(np.sqrt(12 / 22))
    assert pick(result, statistic="mean_difference").n == 12
    with pytest.raises(AnalysisError, match="Only 5 patients call themselves unchanged"):
        few = build_rated(change, np.r_[np.full(5, 4.0), np.full(15, 1.0)], baseline=np.arange(20.0))
        estimate_measurement_error(few)


def test_limits_of_agreement_and_all_that_the_retest_gives_by_hand() -> None:
    """Twelve unchanged patients start at 0 to 11 and end 3 and 1 higher in turn; eight improved by 30.

    The differences have the mean 2 and the sum of squares 12 about it.
    """
    change = np.r_[np.tile([3.0, 1.0], 6), np.full(8, 30.0)]
    rating = np.r_[np.full(12, 4.0), np.full(8, 1.0)]
    result = estimate_measurement_error(build_rated(change, rating, baseline=np.arange(20.0)))
    found = result.table.drop_duplicates(["statistic", "term"]).set_index("statistic")["estimate"]
    residual, visits = 12 / 22, 12 * (1**2 + 1**2)
    systematic = (visits - residual) / 12
    assert found["mean_difference"] == pytest.approx(2)
    spread = 1.959964 * np.sqrt(12 / 11)
    assert found["limit_low"] == pytest.approx(2 - spread)
    assert found["limit_high"] == pytest.approx(2 + spread)
    assert found["sem_consistency"] == pytest.approx(np.sqrt(residual))
    assert found["sem_agreement"] == pytest.approx(np.sqrt(residual + systematic))
    between = 2 * np.var(np.arange(12) + np.tile([1.5, 0.5], 6), ddof=1)
    assert found["icc"] == pytest.approx((between - residual) / (between + residual + 2 * systematic))
    # the 0.975 and 0.025 points of chi-squared with 11 degrees of freedom
    row = pick(result, statistic="sem_consistency")
    assert ends(row) == pytest.approx([np.sqrt(12 / 2 / 21.920049), np.sqrt(12 / 2 / 3.815748)])
    # of one patient 1.96 root(2) times the error, of the mean of 20 that over root(20): 30 is more, 3 is not
    change = 1.959964 * np.sqrt(2 * (residual + systematic))
    assert pick(result, statistic="sdc", term="95 %")["estimate"] == pytest.approx(change)
    assert pick(result, statistic="sdc", term="90 %")["estimate"] == pytest.approx(
        change * 1.644854 / 1.959964
    )
    assert found["sdc_group"] == pytest.approx(change / np.sqrt(20))
    # both rest on the twelve from whom the error was measured, not on the twenty who were seen
    detectable = result.where(statistic=["sdc", "sdc_group"])
    assert set(detectable.table["n"]) == {12}
    assert {frozenset(map(len, sets.values())) for sets in detectable.support} == {frozenset({12})}
    assert pick(result, statistic="sdc_group")["x"] == 20
    shares = {"reliably_improved": 8 / 20, "reliably_worse": 0, "unchanged": 12 / 20}
    for name, share in shares.items():
        row = pick(result, statistic=f"share_{name}", group="all")
        assert row["estimate"] == share and ends(row) == pytest.approx(wilson(share, 20), abs=1e-9)
    recovered = pick(
        estimate_measurement_error(
            build_rated(np.full(20, 25.0), np.full(20, 4.0), baseline=np.array([30.0, 50.0] * 10)),
            reliability=0.9,
            norm_mean=80,
            norm_sd=10,
        ),
        statistic="share_recovered",
        group="all",
    )
    assert recovered["estimate"] == 0.5 and ends(recovered) == pytest.approx(wilson(0.5, 20))


def test_correlations_of_the_anchor_are_those_of_spearman() -> None:
    baseline = np.tile([3.0, 9.0, 5.0, 1.0], 15)
    change, improved = np.tile(CHANGE, 3), np.tile(IMPROVED, 3)
    cohort = build_rated(change, np.where(improved, 2.0, 5.0), baseline=baseline)
    result = estimate_important_change(cohort, reliability=0.7, resamples=20)
    for name, scores in (("change", change), ("follow_up", baseline + change), ("baseline", baseline)):
        expected = stats.spearmanr(improved, scores).statistic
        assert pick(result, statistic=f"correlation_{name}")["estimate"] == pytest.approx(expected)


def test_cut_offs_that_are_equally_good_stand_beside_the_lowest() -> None:
    """Above 1.5 lie all 20 improved and 10 of 20 others; above 3.5 lie 10 of the improved and no other."""
    change = np.repeat([1.0, 2, 3, 4], 10)
    rating = np.where(np.isin(change, [2, 4]), 2.0, 5.0)
    result = estimate_important_change(build_rated(change, rating), resamples=20)
    assert pick(result, statistic="mic_roc")["estimate"] == 1.5
    assert result.where(statistic="mic_roc_tied").table["estimate"].tolist() == [3.5]


def test_floor_and_ceiling_are_counted_and_told() -> None:
    wide = pd.DataFrame({"patient": [f"p{i}" for i in range(10)], "therapy": ["a", "b"] * 5})
    cohort = assemble_cohort(
        wide.assign(baseline=[0, 0, 10, 5, 5, 5, 5, 5, 5, "."], month_3=[0] * 4 + [1] * 6)
    )
    result = count_at_ends(cohort)
    floor = pick(result, statistic="share_at_floor", group="all", timepoint="baseline")
    assert (floor.estimate, floor.n, floor.x) == (pytest.approx(2 / 9), 9, 0)
    assert pick(result, statistic="share_at_ceiling", group="all", timepoint="baseline").estimate == (
        pytest.approx(1 / 9)
    )
    assert pick(result, statistic="share_at_floor", group="all", timepoint="month_3").estimate == 0.4
    assert ends(floor) == pytest.approx(wilson(2 / 9, 9))
    ceiling = pick(result, statistic="share_at_ceiling", group="all", timepoint="baseline")
    assert ends(ceiling) == pytest.approx(wilson(1 / 9, 9))
    assert "the lowest score at baseline and the lowest score at month 3" in str(result.warnings[0])
    assert supported(result)


def test_the_made_up_clinic_has_a_threshold_of_its_own() -> None:
    cohort = select_cohort(simulate_clinic(600, seed=3), instrument="odi")
    result = estimate_important_change(cohort, resamples=100)
    row = pick(result, statistic="mic_adjusted")
    assert row.state == "ok"
    assert 0 < row.conf_low < row.estimate < row.conf_high < 40
    assert estimate_measurement_error(cohort, reliability=0.85).table["estimate"].notna().all()


def test_coding_of_the_anchor_and_what_weakens_the_estimate_are_said():
    random = np.random.default_rng(11)
    change = random.normal(5, 8, 400)
    felt = 0.36 * (change - 5) / 8 + random.normal(0, 1, 400)
    result = estimate_important_change(build_rated(change, np.where(felt > 0, 2.0, 5.0)), resamples=20)
    assert "Patient Global Impression of Change, 1 to 7, 1 = very much improved (improved: <= 2)" in write(
        result.method
    )
    assert any("less closely (Spearman below 0.5)" in str(text) for text in result.warnings)
    assert any("overlap so much (area under the curve below 0.7)" in str(text) for text in result.warnings)
    close = estimate_important_change(build_rated(CHANGE, np.where(IMPROVED, 2.0, 5.0)), resamples=20)
    assert not any("Spearman below" in str(text) or "overlap" in str(text) for text in close.warnings)


def test_an_own_threshold_within_the_error_carries_a_caution():
    error = Threshold("retest", "MDC", "absolute", 7, "individual", "adults", "made up", True)
    cohort = build_rated(np.tile(CHANGE, 3), np.tile(np.where(IMPROVED, 2.0, 5.0), 3))
    cohort = replace(cohort, instrument=replace(WIDE, thresholds=(error,)))
    warnings = estimate_important_change(cohort, resamples=20).warnings
    assert any(
        "mic_improved is smaller than a detectable change of 7 points" in str(text) for text in warnings
    )
