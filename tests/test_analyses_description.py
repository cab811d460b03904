"""What the describing analyses promise: change, completeness, flow, baseline, non-response."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import FUNCTION, PERCENT, build_cohort, ends, pick, supported, wilson
from outcomes.analyses import (
    check_comparability,
    compare_respondents,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    list_analyses,
    read_analysis,
    run_analysis,
    summarise_change,
)
from outcomes.analyses._expected import estimate_course
from outcomes.analyses.mmrm import fit
from outcomes.errors import AnalysisError
from outcomes.facts import read_words

write = read_words().write

SMALL = """
patient therapy  region   age_years  baseline week_6  month_6
a       exercise low_back 40         6        4       2
b       exercise low_back 50         8        6       missing
c       exercise neck     60         4        4       3
d       manual   neck     30         5        lost    lost
e       manual   neck     .          7        3       not_yet_due
"""


@pytest.fixture
def small():
    return build_cohort(SMALL, covariates=("region", "age_years"))


def test_change_is_signed_so_that_positive_is_better(small):
    result = summarise_change(small)
    row = pick(result, statistic="mean_improvement", group="exercise", timepoint="week_6")
    assert row["estimate"] == pytest.approx(4 / 3)
    assert (row["n"], row["df"], row["unit"]) == (3, 2, "points")
    better = summarise_change(build_cohort(SMALL, instrument=FUNCTION))
    flipped = pick(better, statistic="mean_improvement", group="exercise", timepoint="week_6")
    assert flipped["estimate"] == pytest.approx(-4 / 3)


@pytest.mark.parametrize("direction", ["higher_worse", "higher_better", "none"])
def test_change_says_whether_improvement_is_defined(small, direction):
    """Without a direction it is not, nor without a baseline; else the means only describe."""
    said = "no_direction" if direction == "none" else "description"
    cohort = replace(small, instrument=replace(small.instrument, direction=direction))
    assert [text.key for text in summarise_change(cohort).warnings] == [f"methods.change.{said}"]


def test_change_says_where_no_baseline_defines_improvement():
    cohort = build_cohort("patient therapy baseline month_6\na x . 1\nb x . 5\nc x . 3")
    assert [text.key for text in summarise_change(cohort).warnings] == ["methods.change.no_baseline"]


def test_change_gives_t_interval_and_spread_of_those_seen(small):
    result, place = summarise_change(small), {"group": "all", "timepoint": "week_6"}
    row = pick(result, statistic="mean_score_seen", **place)
    # 4, 6, 4, 3: mean 4.25, sd 1.258306, t(3) 3.182446
    assert row["estimate"] == 4.25
    assert row["conf_high"] - row["estimate"] == pytest.approx(3.182446 * 1.258306 / 2, abs=1e-5)
    assert pick(result, statistic="sd_score_seen", **place)["estimate"] == pytest.approx(1.258306)
    start, gained = (
        pick(result, statistic=f"mean_{name}_seen", **place) for name in ("start", "improvement")
    )
    assert (start["estimate"], gained["estimate"]) == (25 / 4, 2), "a, b, c and e had 6, 8, 4 and 7"
    assert supported(result)


def test_change_by_hand(small):
    """Exercise at week 6, all seen: scores 4, 6, 4, improvements 2, 2, 0, both of deviation root(4/3)."""
    result, place = summarise_change(small), {"group": "exercise", "timepoint": "week_6"}
    sd = np.sqrt(4 / 3)
    means = {"expected": 14 / 3, "score_seen": 14 / 3, "improvement": 4 / 3, "improvement_seen": 4 / 3}
    rows = {name: (pick(result, statistic=f"mean_{name}", **place), mean, sd) for name, mean in means.items()}
    # they began with 6, 8 and 4: mean 6, deviation 2
    rows["start_seen"] = pick(result, statistic="mean_start_seen", **place), 6, 2
    rows["score"] = pick(result, statistic="mean_score", group="exercise"), 6, 2
    for row, mean, spread in rows.values():
        assert row["estimate"] == pytest.approx(mean)
        margin = 4.302653 * spread / 3**0.5  # t(2) = 4.302653
        expected = pytest.approx([mean - margin, mean + margin])
        if mean == 6:
            # 1.03 to 10.97 would leave 0 to 10; on the logit scale, rounded to four decimals:
            # log(0.6 / 0.4) = 0.405465, and the margin is 4.968276 * 10 / (6 * 4) = 2.070115
            logits = 0.405465 - 2.070115, 0.405465 + 2.070115
            expected = pytest.approx([10 / (1 + np.exp(-logit)) for logit in logits], abs=6e-5)
        assert ends(row) == expected
    for name in ("sd_score_seen", "sd_improvement"):
        assert pick(result, statistic=name, **place)["estimate"] == pytest.approx(sd)
    assert pick(result, statistic="sd_score", group="exercise")["estimate"] == pytest.approx(2)


EXPECTED = """
patient therapy baseline month_6
a       x       10       11
b       x       20       14
c       x       30       20
d       x       40       24
e       x       50       31
f       x       60       lost
g       x       70       not_yet_due
"""


@pytest.fixture
def expected():
    return build_cohort(EXPECTED, instrument=PERCENT)


def test_who_was_not_seen_is_expected_to_have_what_others_with_the_same_start_had(expected):
    """The five seen have the mean 20 and the slope 0.5; they began at 30 on average, all seven at 40."""
    result = summarise_change(expected)
    start = pick(result, statistic="mean_score", group="x")
    later, gain = (
        pick(result, statistic=f"mean_{name}", group="x", timepoint="month_6")
        for name in ("expected", "improvement")
    )
    assert (start["estimate"], start["n"]) == (40, 7)
    assert (later["estimate"], later["n"], later["df"]) == (pytest.approx(25), 5, 3)
    assert (gain["estimate"], gain["n"]) == (pytest.approx(15), 5), "the start less the later mean"
    seen = {
        name: pick(result, statistic=f"mean_{name}_seen", group="x")["estimate"]
        for name in ("start", "score", "improvement")
    }
    assert seen == {"start": 30, "score": 20, "improvement": 10}


def test_the_standard_error_of_what_is_expected_by_hand(expected):
    """Residuals 1, -1, 0, -1, 1; leverages 0.6, 0.3, 0.2, 0.3, 0.6; weights 0.2 + 10 (x - 30) / 1000."""
    weights = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    residuals = np.array([1, -1, 0, -1, 1]) / np.sqrt([0.4, 0.7, 0.8, 0.7, 0.4])
    started = (np.arange(10, 80, 10) - 40) / 7
    drawn = np.append(weights * residuals, [0, 0])
    result = summarise_change(expected)
    for name, influence in (
        ("expected", 0.5 * started + drawn),
        ("improvement", 0.5 * started - drawn),
    ):
        row = pick(result, statistic=f"mean_{name}", group="x", timepoint="month_6")
        assert row["std_error"] == pytest.approx(np.sqrt(7 / 6 * (influence**2).sum()))
        # t(3) = 3.182446
        assert row["conf_high"] - row["estimate"] == pytest.approx(3.182446 * row["std_error"], rel=1e-6)


def test_what_is_expected_is_the_mean_that_the_repeated_measures_model_gives_for_all_who_began():
    """Two visits with a free covariance, the start being an outcome too, by maximum likelihood."""
    rng = np.random.default_rng(14)
    start = rng.normal(50, 12, 60).round()
    later = (20 + 0.5 * start + rng.normal(0, 8, 60)).round()
    later[rng.random(60) < 0.1 + 0.4 * (start > 50)] = np.nan
    patient = np.arange(60)
    table = pd.DataFrame(
        {"patient": np.tile(patient, 2), "visit": ["start"] * 60 + ["later"] * 60, "y": [*start, *later]}
    ).dropna()
    fitted = fit("y ~ 0 + visit", table, subject="patient", visit="visit", covariance="us", method="ml")
    coefficients = fitted.coefficients.set_index("term")["estimate"]
    expected, _ = estimate_course(start, later, patient, 0.95)
    assert expected["estimate"] == pytest.approx(float(coefficients["visit[later]"]), abs=1e-6)
    assert abs(expected["estimate"] - np.nanmean(later)) > 0.3, "those seen had other starts"


def test_what_few_were_seen_of_is_not_expected():
    cohort = build_cohort(
        EXPECTED.replace("x       50       31", "x       50       lost"), instrument=PERCENT
    )
    result = summarise_change(cohort)
    for name in ("expected", "improvement"):
        row = pick(result, statistic=f"mean_{name}", group="x", timepoint="month_6")
        assert (row["state"], row["n"]) == ("too_few", 4)
    assert pick(result, statistic="mean_score_seen", group="x", timepoint="month_6")["n"] == 4


def test_what_lies_beyond_the_measure_is_a_state():
    """The line through those seen leads to -5 for a mean start of 85; no one can have that."""
    cohort = build_cohort(
        """
        patient therapy baseline month_6
        a       x       40       21
        b       x       45       14
        c       x       50       10
        d       x       55       6
        e       x       60       1
        f       x       100      lost
        g       x       100      lost
        h       x       100      lost
        """,
        instrument=PERCENT,
    )
    result = summarise_change(cohort)
    for name in ("expected", "improvement"):
        row = pick(result, statistic=f"mean_{name}", group="x", timepoint="month_6")
        assert row["state"] == "out_of_range" and np.isnan(row["estimate"])


def test_where_all_seen_had_one_start_nothing_tells_of_another():
    rows = "".join(f"{i} x 5 {i}\n" for i in range(6))
    both = summarise_change(build_cohort(f"patient therapy baseline month_6\n{rows}g x 9 lost"))
    assert pick(both, statistic="mean_expected", group="x")["state"] == "degenerate"
    same = summarise_change(build_cohort(f"patient therapy baseline month_6\n{rows}g x 5 lost"))
    assert pick(same, statistic="mean_expected", group="x")["estimate"] == 2.5


def test_a_measure_that_is_not_asked_at_the_start_is_described_by_those_seen():
    rows = "".join(f"{i} x missing {i}\n" for i in range(6))
    result = summarise_change(build_cohort(f"patient therapy baseline month_6\n{rows}g x missing lost"))
    assert set(result.table["statistic"]) == {"mean_score", "sd_score"}
    assert pick(result, statistic="mean_score", group="x")["estimate"] == 2.5


def test_change_of_one_patient_or_none_is_too_few(small):
    result = summarise_change(small)
    for name in ("mean_score_seen", "mean_expected"):
        one = pick(result, statistic=name, group="manual", timepoint="week_6")
        none = pick(result, statistic=name, group="manual", timepoint="month_6")
        assert (one["state"], one["n"]) == ("too_few", 1)
        assert (none["state"], none["n"]) == ("too_few", 0)
        assert np.isnan(one["estimate"])


@pytest.mark.parametrize("missing", ["", "\nd x 7 lost"])
def test_constant_scores_have_a_mean_and_no_interval(missing):
    rows = "\na x 5 3\nb x 6 3\nc x 7 3" + ("\ne x 4 3\nf x 3 3" if missing else "")
    result = summarise_change(build_cohort(f"patient therapy baseline week_6{rows}{missing}"))
    row = pick(result, statistic="mean_expected", group="x", timepoint="week_6")
    assert (row["estimate"], row["state"]) == (3, "boundary")
    assert np.isnan(row["conf_low"])
    gain = pick(result, statistic="mean_improvement", group="x", timepoint="week_6")
    assert gain["state"] == "boundary", "start and improvement would give back a mean that is withheld"


def test_two_episodes_of_a_patient_count_once():
    result = summarise_change(
        build_cohort("patient therapy baseline week_6\na x 5 1\na x 5 1\nb x 5 2\nc x 5 3\nd x 5 4")
    )
    for name in ("mean_expected", "mean_score_seen"):
        row = pick(result, statistic=name, group="x", timepoint="week_6")
        # deviations from the mean 2.2 summed by patient: -2.4, -0.2, 0.8, 1.8; CR2 divides their squares by
        # what the mean leaves of each patient, 1 - 2/5 and 1 - 1/5
        summed = 2.4**2 / 0.6 + (0.2**2 + 0.8**2 + 1.8**2) / 0.8
        assert row["std_error"] == pytest.approx(np.sqrt(summed) / 5)
        assert row["n"] == 4 and row["df"] == pytest.approx(8 / 3)
    assert supported(result)


def test_what_is_expected_of_several_episodes_is_summed_by_patient():
    """Each episode twice, under one patient: the same mean and error as each once, but for the leverages."""
    rng = np.random.default_rng(3)
    start = rng.normal(50, 10, 40)
    later = np.where(np.arange(40) < 30, 0.5 * start + rng.normal(0, 8, 40), np.nan)
    once, _ = estimate_course(start, later, np.arange(40), 0.95)
    twice, _ = estimate_course(np.tile(start, 2), np.tile(later, 2), np.tile(np.arange(40), 2), 0.95)
    assert (twice["n"], twice["df"]) == (once["n"], once["df"]) == (30, 28)
    assert twice["estimate"] == pytest.approx(once["estimate"])
    assert twice["std_error"] == pytest.approx(once["std_error"], rel=0.05)


def test_groups_can_be_any_column_of_the_episodes(small):
    result = summarise_change(small, by="region")
    assert set(result.table["group"]) == {"low_back", "neck", "all"}
    with pytest.raises(AnalysisError, match="region"):
        summarise_change(small, by="colour")


def test_completeness_keeps_not_yet_due_apart(small):
    result = count_completeness(small)
    manual = {"group": "manual", "timepoint": "month_6"}
    counts = {
        name: pick(result, statistic=name, **manual)["estimate"]
        for name in ("n_due", "n_seen", "n_missing", "n_lost", "n_not_yet_due")
    }
    assert counts == {"n_due": 1, "n_seen": 0, "n_missing": 0, "n_lost": 1, "n_not_yet_due": 1}
    share = pick(result, statistic="share_seen", group="all", timepoint="month_6")
    assert (share["estimate"], share["n"]) == (0.5, 4)
    assert supported(result)


def test_the_interval_of_the_share_seen_is_that_of_wilson(small):
    result = count_completeness(small)
    for place, share, n in (
        ({"group": "all", "timepoint": "month_6"}, 2 / 4, 4),
        ({"group": "exercise", "timepoint": "month_6"}, 2 / 3, 3),
    ):
        row = pick(result, statistic="share_seen", **place)
        assert row["estimate"] == pytest.approx(share) and ends(row) == pytest.approx(wilson(share, n))


def test_due_is_the_sum_of_its_states(small):
    table = count_completeness(small).table
    wide = table.pivot_table(index=["group", "timepoint"], columns="statistic", values="estimate")
    assert (wide["n_due"] == wide["n_seen"] + wide["n_missing"] + wide["n_lost"]).all()


def test_a_visit_seen_before_its_time_point_closed_counts_in_means_and_not_among_those_due():
    # the time point of the table is day 0: it closed for a, b and c, and not for d and e
    cohort = build_cohort(
        """
        patient therapy observable_days baseline month_6
        a       x        9              6        3
        b       x        9              6        4
        c       x        9              6        lost
        d       x       -1              6        1
        e       x       -1              6        not_yet_due
        """
    )
    completeness = count_completeness(cohort)
    place = {"group": "x", "timepoint": "month_6"}
    found = [
        pick(completeness, statistic=name, **place)["estimate"]
        for name in ("n_due", "n_seen", "n_lost", "n_not_yet_due")
    ]
    assert found == [3, 2, 1, 2]
    assert pick(completeness, statistic="share_seen", **place)["estimate"] == pytest.approx(2 / 3)
    assert pick(summarise_change(cohort), statistic="mean_score_seen", **place)["n"] == 3
    assert pick(summarise_change(cohort), statistic="mean_expected", **place)["n"] == 3
    responders = count_responders(cohort, thresholds="absolute:3")
    shares = {
        term: pick(responders, statistic="share_improved", term=term, group="x") for term in ("seen", "due")
    }
    assert (shares["seen"]["estimate"], shares["seen"]["n"]) == (pytest.approx(2 / 3), 3)
    assert (shares["due"]["estimate"], shares["due"]["n"]) == (pytest.approx(1 / 3), 3)
    assert pick(check_comparability(cohort), term="share_seen")["estimate"] == pytest.approx(2 / 3)
    respondents = compare_respondents(cohort)
    assert pick(respondents, statistic="n", group="seen")["estimate"] == 2
    assert all(supported(result) for result in (completeness, responders))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan"), "0.95", None, True])
@pytest.mark.parametrize(
    "name",
    [
        "ancova", "change", "completeness", "effect_sizes", "over_time", "regression_to_mean", "responders",
        "standardised",
    ],
)  # fmt: skip
def test_a_level_that_is_no_proportion_is_refused(small, name, level):
    with pytest.raises(AnalysisError, match="proportion between 0 and 1"):
        read_analysis(name)(small, conf_level=level)
    with pytest.raises(AnalysisError, match="proportion between 0 and 1"):
        run_analysis(name, small, conf_level=level)


def test_an_analysis_of_a_cohort_refuses_records_and_the_other_way_round(small):
    with pytest.raises(AnalysisError, match="takes Records, not Cohort"):
        run_analysis("data_quality", small)
    with pytest.raises(AnalysisError, match="takes Cohort, not str"):
        run_analysis("change", "records")


def test_a_visit_set_aside_by_an_event_was_due_and_not_seen():
    result = count_completeness(build_cohort("patient therapy baseline week_6\na x 5 after_event\nb x 5 3"))
    place = {"group": "x", "timepoint": "week_6"}
    assert pick(result, statistic="n_after_event", **place)["estimate"] == 1
    assert pick(result, statistic="share_seen", **place)["estimate"] == 0.5


def test_flow_adds_up_from_the_cohort_back_to_the_records(small):
    result = count_flow(small)
    assert pick(result, statistic="n_patients", term="read")["estimate"] == 6
    assert pick(result, statistic="n_excluded_patients", term="excluded")["estimate"] == 1
    assert pick(result, statistic="n_episodes", term="excluded")["estimate"] == 5
    assert supported(result)


def test_each_step_of_the_flow_counts_patients_and_episodes(small):
    result = count_flow(small)
    steps = {
        "read": {"n_episodes": 6, "n_patients": 6, "n_excluded_episodes": 0, "n_excluded_patients": 0},
        "excluded": {"n_episodes": 5, "n_patients": 5, "n_excluded_episodes": 1, "n_excluded_patients": 1},
    }
    for term, expected in steps.items():
        table = result.where(term=term).table.set_index("statistic")["estimate"]
        assert table.to_dict() == expected


def test_baseline_counts_missing_and_keeps_absent_levels(small):
    result = describe_baseline(small)
    assert pick(result, statistic="mean", term="score", group="exercise")["estimate"] == 6
    assert pick(result, statistic="n_missing", term="age_years", group="manual")["estimate"] == 1
    absent = pick(result, statistic="share", term="region", level="low_back", group="manual")
    assert (absent["estimate"], absent["n"], absent["state"]) == (0, 2, "ok")
    assert pick(result, statistic="n", term="patients", group="all")["estimate"] == 5
    assert supported(result)


def list_described(result, group: str) -> dict:
    """Return what is told of a group, by statistic, term and level."""
    rows = result.where(group=group).table
    rows = rows[rows["versus"].isna() & (rows["state"] == "ok")]
    keys = zip(rows["statistic"], rows["term"], rows["level"].fillna(""), strict=True)
    return dict(zip(keys, rows["estimate"], strict=True))


def test_baseline_by_hand(small):
    """Exercise: scores 6, 8, 4; ages 40, 50, 60; two low backs, one neck."""
    told = list_described(describe_baseline(small), "exercise")
    expected = {
        ("n", "patients", ""): 3,
        ("mean", "score", ""): 6,
        ("sd", "score", ""): 2,
        ("n_missing", "score", ""): 0,
        ("mean", "age_years", ""): 50,
        ("sd", "age_years", ""): 10,
        ("n_missing", "age_years", ""): 0,
        ("share", "region", "low_back"): 2 / 3,
        ("share", "region", "neck"): 1 / 3,
        ("n_missing", "region", ""): 0,
    }
    assert {key: told[key] for key in expected} == pytest.approx(expected)
    assert all(value == 0 for key, value in told.items() if key not in expected)


def test_smd_of_a_number_and_of_a_category_by_hand(small):
    result = describe_baseline(small)
    # scores 6, 8, 4 (variance 4) and 5, 7 (variance 2): difference 0
    assert pick(result, statistic="smd", term="score")["estimate"] == pytest.approx(0)
    # shares 2/3 and 0: difference over the root of the mean of 2/9 and 0
    assert pick(result, statistic="smd", term="region")["estimate"] == pytest.approx((2 / 3) / np.sqrt(1 / 9))
    assert pick(result, statistic="max_smd", term="region", group="all")["estimate"] == pytest.approx(2)


def test_smd_of_three_levels_survives_one_that_nobody_of_a_pair_has():
    lines = [f"p{i} {therapy} {region} 5 5" for i, (therapy, region) in enumerate(
        [("x", "low_back")] * 3 + [("x", "neck")] * 1 + [("y", "low_back")] * 1 + [("y", "neck")] * 3
        + [("z", "knee")] * 2 + [("z", "neck")] * 2
    )]  # fmt: skip
    cohort = build_cohort(
        "patient therapy region baseline week_6\n" + "\n".join(lines), covariates=("region",)
    )
    row = pick(describe_baseline(cohort), statistic="smd", term="region", group="x", versus="y")
    # two levels are left: (3/4 - 1/4) over the root of the mean of two variances of 3/16
    assert row["estimate"] == pytest.approx(0.5 / np.sqrt(3 / 16))


def test_smd_of_groups_without_overlap_is_named_separated():
    cohort = build_cohort(
        "patient therapy region baseline week_6\na x neck 5 5\nb x neck 4 5\nc y knee 5 5\nd y knee 4 5",
        covariates=("region",),
    )
    row = pick(describe_baseline(cohort), statistic="max_smd", term="region")
    assert row["state"] == "separated"
    assert np.isnan(row["estimate"])


def test_nonresponse_leaves_out_those_not_yet_due(small):
    result = compare_respondents(small)
    assert pick(result, statistic="n", group="seen")["estimate"] == 2
    assert pick(result, statistic="n", group="not_seen")["estimate"] == 2
    assert pick(result, statistic="mean", term="score", group="not_seen")["estimate"] == 6.5
    assert supported(result)
    with pytest.raises(AnalysisError, match="week_6"):
        compare_respondents(small, timepoint="month_99")


def test_nonresponse_by_hand(small):
    """At month 6 a and c were seen (scores 6, 4; ages 40, 60), b and d were not (8, 5; 50, 30)."""
    result = compare_respondents(small)
    seen, not_seen = (list_described(result, name) for name in ("seen", "not_seen"))
    keys = [("n", "patients", ""), ("mean", "score", ""), ("sd", "score", ""), ("mean", "age_years", "")]
    keys += [("share", "region", "neck"), ("n_missing", "age_years", "")]
    assert [seen[key] for key in keys] == pytest.approx([2, 5, np.sqrt(2), 50, 0.5, 0])
    assert [not_seen[key] for key in keys] == pytest.approx([2, 6.5, np.sqrt(4.5), 40, 0.5, 0])
    for term, difference in (
        ("score", -1.5 / np.sqrt((2 + 4.5) / 2)),
        ("age_years", 10 / np.sqrt(200)),
        ("region", 0),
    ):
        pair = pick(result, statistic="smd", term=term, group="seen", versus="not_seen")
        assert pair["estimate"] == pytest.approx(difference)
        largest = pick(result, statistic="max_smd", term=term, group="all")
        assert largest["estimate"] == pytest.approx(abs(difference))


def test_no_analysis_changes_its_cohort(small):
    before = small.table.copy()
    for name in ("change", "completeness", "flow", "baseline", "nonresponse"):
        run_analysis(name, small)
    assert small.table.equals(before)


def test_analyses_are_found_in_the_folder_and_run_by_name(small):
    assert {"change", "flow", "baseline"} <= set(list_analyses())
    assert run_analysis("change", small, conf_level=0.9).name == "change"
    with pytest.raises(AnalysisError, match="change"):
        read_analysis("chnge")
    with pytest.raises(AnalysisError, match="conf_level"):
        run_analysis("change", small, level=0.9)


def test_results_say_where_they_come_from(small):
    result = summarise_change(small)
    assert result.origin.source == "made-up"
    assert result.origin.n_patients == 5
    assert "95 %" in write(result.method)
