"""What the analyses of single patients' improvement promise, and data quality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import FUNCTION, PAIN, build_cohort, ends, pick, supported, wilson
from outcomes.analyses import (
    bound_regression_to_mean,
    count_responders,
    run_analysis,
    summarise_data_quality,
    trace_cumulative,
)
from outcomes.errors import AnalysisError
from outcomes.facts import FileSpec, Source, read_words
from outcomes.records.tables import Records

write = read_words().write

PATIENTS = """
patient therapy baseline month_6
a       x       6        3
b       x       5        5
c       x       0        0
d       x       8        lost
e       x       4        7
f       x       1        0
g       x       5        not_yet_due
"""


@pytest.fixture
def patients():
    return build_cohort(PATIENTS)


def share(result, level: str, term: str, statistic: str = "share_improved") -> tuple[float, float]:
    row = pick(result, level=level, term=term, statistic=statistic, group="x")
    return row["estimate"] * row["n"], row["n"]


def test_the_denominator_is_named(patients):
    result = count_responders(patients)
    # improved by two points: a; got worse by as much: e; seen a, b, c, e, f; due these and d
    assert share(result, "two-points", "seen") == (1, 5)
    assert share(result, "two-points", "due") == (1, 6)
    assert share(result, "two-points", "seen", "share_worse") == (1, 5)
    assert supported(result)


def test_intervals_of_shares_are_those_of_wilson(patients):
    result = count_responders(patients)
    for statistic, term, share, n in (
        ("share_improved", "seen", 1 / 5, 5),
        ("share_improved", "due", 1 / 6, 6),
        ("share_worse", "seen", 1 / 5, 5),
    ):
        row = pick(result, level="two-points", term=term, statistic=statistic, group="x")
        assert row["estimate"] == pytest.approx(share) and ends(row) == pytest.approx(wilson(share, n))


def test_percent_is_not_defined_for_a_baseline_of_zero(patients):
    result = count_responders(patients)
    # a 50 %, f 100 %; c starts at 0
    assert share(result, "thirty-percent", "seen") == (2, 4)
    assert share(result, "thirty-percent", "due") == (2, 6)
    assert pick(result, level="thirty-percent", statistic="n_undefined", group="x")["estimate"] == 1


def test_a_state_is_reached_or_not_and_nobody_gets_worse_by_it(patients):
    result = count_responders(patients)
    assert share(result, "no-pain", "seen", "share_in_state") == (2, 5)
    assert share(result, "no-pain", "due", "share_in_state") == (2, 6)
    assert result.where(level="no-pain", statistic="share_worse").table.empty


def test_patients_too_near_the_best_score_are_counted(patients):
    # c starts at 0 and f at 1, so that neither can improve by two points
    row = pick(count_responders(patients), level="two-points", statistic="n_out_of_reach", group="x")
    assert row["estimate"] == 2


def test_thresholds_for_groups_and_unread_ones_are_left_out_and_refused(patients):
    result = count_responders(patients)
    assert set(result.table["level"]) == {"two-points", "thirty-percent", "no-pain"}
    with pytest.raises(AnalysisError, match="between-group"):
        count_responders(patients, thresholds="of-groups")
    assert "unread" in str(count_responders(patients, thresholds=["unread"]).warnings[-1])
    with pytest.raises(AnalysisError, match="two-points"):
        count_responders(patients, thresholds="three-points")


def test_rules_can_be_written_out(patients):
    result = count_responders(patients, thresholds=["absolute:1", "state:<5"])
    assert share(result, "absolute:1", "seen") == (2, 5)
    assert share(result, "state:<5", "seen", "share_in_state") == (3, 5)
    for wrong in ("absolute:many", "state:5", "percent:"):
        with pytest.raises(AnalysisError, match="no rule"):
            count_responders(patients, thresholds=wrong)


def test_the_clinic_may_declare_thresholds_and_rules_of_its_own():
    choices = {"instrument": "nprs", "threshold": "absolute:3", "thresholds": ["unread"]}
    cohort = build_cohort(PATIENTS, primary_choices=choices)
    levels = set(count_responders(cohort).table["level"])
    assert levels == {"two-points", "thirty-percent", "no-pain", "unread", "absolute:3"}


@pytest.mark.parametrize(
    "wrong", [[], 5, "absolute:0", "percent:-30", "percent:", "state:5", ["absolute:2", 3]]
)
def test_what_is_no_threshold_is_refused(patients, wrong):
    with pytest.raises(AnalysisError):
        count_responders(patients, thresholds=wrong)


def test_at_least_thirty_percent_holds_after_rounding_errors():
    # 100 x (7.4 - 5.18) / 7.4 is 29.999999999999996 in floating point
    cohort = build_cohort("patient therapy baseline month_6\na x 7.4 5.18\nb x 7.4 5.19")
    assert share(count_responders(cohort), "thirty-percent", "seen") == (1, 2)


def test_improvement_follows_the_direction_of_the_measure():
    higher = build_cohort(PATIENTS, instrument=FUNCTION)
    result = count_responders(higher, thresholds="two-points")
    assert share(result, "two-points", "seen") == (1, 5)
    assert share(result, "two-points", "seen", "share_worse") == (1, 5)


def test_nobody_seen_is_too_few_of_those_seen():
    cohort = build_cohort("patient therapy baseline month_6\na x 7 lost\nb y 7 3\nc y 6 3")
    result = count_responders(cohort, thresholds="two-points")
    assert pick(result, term="seen", statistic="share_improved", group="x")["state"] == "too_few"
    due = pick(result, term="due", statistic="share_improved", group="x")
    assert (due["estimate"], due["n"]) == (0, 1)


def test_the_curve_starts_at_one_and_falls_to_the_best(patients):
    result = trace_cumulative(patients)
    table = result.where(group="x").table
    # improvements 3, 0, 0, -3, 1
    assert table["x"].tolist() == [-3, 0, 1, 3]
    assert table["estimate"].tolist() == pytest.approx([1, 0.8, 0.4, 0.2])
    assert supported(result)


def test_the_curve_agrees_with_the_responders(patients):
    curve = trace_cumulative(patients).where(group="x").table
    improved = pick(
        count_responders(patients, thresholds="absolute:3"),
        statistic="share_improved",
        term="seen",
        group="x",
    )
    assert curve.loc[curve["x"] == 3, "estimate"].item() == improved["estimate"]


def test_curve_points_stand_on_the_grid_of_the_score():
    cohort = build_cohort("patient therapy baseline month_6\na x 7.5 3.25\nb x 6 5")
    assert trace_cumulative(cohort).table["x"].unique().tolist() == [1, 4]


def test_both_sides_of_every_point_hold_the_patients_who_stand_there():
    cohort = build_cohort("patient therapy baseline month_6\na x 7 3\na x 7 6\nb x 6 5\nc x 6 6")
    result = trace_cumulative(cohort)
    for row, sets in zip(result.table.itertuples(), result.support, strict=True):
        if row.x == 1 and row.group == "x":
            assert (len(sets["with"]), len(sets["without"]), row.n) == (2, 1, 3)
        if row.x == 4 and row.group == "x":
            assert (len(sets["with"]), len(sets["without"])) == (1, 3)


def test_without_a_reference_these_records_cannot_tell(patients):
    result = bound_regression_to_mean(patients)
    assert set(result.table["state"]) == {"too_few"}
    assert any("these records cannot tell" in str(text) for text in result.warnings)


def test_regression_to_the_mean_is_a_range_by_hand():
    reference = {
        "instrument": "nprs",
        "mean": 3,
        "sd": 2,
        "retest_correlation": [0.6, 0.8],
        "citation": "Made up",
    }
    cohort = build_cohort(PATIENTS, reference_scores=(reference,))
    result = bound_regression_to_mean(cohort)
    start = np.array([6, 5, 0, 8, 4, 1, 5.0])
    margin = 2.446912 * start.std(ddof=1) / np.sqrt(7)
    low = pick(result, statistic="regression_to_mean_low", group="x")["estimate"]
    high = pick(result, statistic="regression_to_mean_high", group="x")["estimate"]
    assert low == pytest.approx(0.4 * (start.mean() - margin - 3), abs=1e-5)
    assert high == pytest.approx(0.4 * (start.mean() + margin - 3), abs=1e-5)
    assert "Made up" in write(result.method)


def test_a_reference_mean_of_zero_is_a_mean():
    reference = {
        "instrument": "nprs", "mean": 0, "sd": 1, "retest_correlation": 0.5, "citation": "Made up",
    }  # fmt: skip
    result = bound_regression_to_mean(build_cohort(PATIENTS, reference_scores=(reference,)))
    assert pick(result, statistic="regression_to_mean_high", group="x")["estimate"] > 0


def test_a_reference_without_its_citation_is_refused():
    reference = {"instrument": "nprs", "mean": 3, "sd": 2, "retest_correlation": 0.6}
    with pytest.raises(AnalysisError, match="citation"):
        bound_regression_to_mean(build_cohort(PATIENTS, reference_scores=(reference,)))


@pytest.fixture
def records():
    episodes = pd.DataFrame(
        {
            "episode_id": ["e1", "e2", "e3"], "patient_id": ["p1", "p1", "p2"],
            "site": ["north", "south", "south"], "therapy": ["x", "x", None], "excluded": None,
        }
    )  # fmt: skip
    assessments = pd.DataFrame(
        {
            "episode_id": ["e1", "e1", "e2", "e3"], "timepoint": None, "day": [0, 90, 2, 180],
            "instrument": ["nprs", "nprs", "nprs", "odi"], "variant": ["average", "average", "average", None],
            "score": [6, 3, np.nan, 40],
        }
    ).astype({"timepoint": "str", "variant": "str"})  # fmt: skip
    refused = pd.DataFrame({"scope": ["record", "record", "cell"], "rule": ["KEY", "KEY", "SCORE_RANGE"]})
    empty = pd.DataFrame({"episode_id": []})
    return Records(
        Source("made-up", "Made up", (FileSpec("x.csv", "episode"),)), episodes, assessments, empty, empty,
        refused, (), {}, 9, 7, 2, "0",
    )  # fmt: skip


def test_records_read_are_the_sum_of_accepted_and_refused(records):
    result = summarise_data_quality(records)
    read, accepted, refused = (
        pick(result, statistic=f"n_{name}")["estimate"] for name in ("read", "accepted", "refused")
    )
    assert read == accepted + refused == 9
    row = pick(result, statistic="n_refused_by_rule", level="KEY")
    assert (row["estimate"], row["term"], row["unit"]) == (2, "record", "records")


def test_data_quality_is_told_by_site_and_instrument(records):
    result = summarise_data_quality(records)
    pain = {"statistic": "share_assessed", "outcome": "nprs:average"}
    assert pick(result, **pain, level="baseline", group="all")["estimate"] == pytest.approx(1 / 3)
    assert pick(result, **pain, level="follow_up", group="north")["estimate"] == 1
    assert pick(result, statistic="n_without_score", outcome="nprs:average", group="south")["estimate"] == 1
    assert pick(result, statistic="share_recorded", term="therapy", group="south")["estimate"] == 0.5
    assert pick(result, statistic="share_assessed", outcome="odi", level="follow_up", group="south")["n"] == 2


def test_data_quality_by_hand(records):
    """Three episodes of two patients; of the south's two, of two patients, one names its therapy."""
    result = summarise_data_quality(replace(records, n_read=10, n_repeated=1))
    counts = {"n_patients": 2, "n_episodes": 3, "n_assessments": 4, "n_repeated": 1}
    counts |= {"n_read": 10, "n_accepted": 7, "n_refused": 2}
    for statistic, number in counts.items():
        assert pick(result, statistic=statistic)["estimate"] == number
    rules = result.where(statistic="n_refused_by_rule").table.set_index("level")["estimate"]
    assert rules.to_dict() == {"KEY": 2, "SCORE_RANGE": 1}
    blank = result.where(statistic="n_without_score", outcome="nprs:average").table
    assert blank.set_index("group")["estimate"].to_dict() == {"north": 0, "south": 1, "all": 1}
    therapy = pick(result, statistic="share_recorded", term="therapy", group="south")
    assert therapy["estimate"] == 0.5 and ends(therapy) == pytest.approx(wilson(0.5, 2))
    pain = pick(result, statistic="share_assessed", outcome="nprs:average", level="ever", group="all")
    assert pain["estimate"] == pytest.approx(1 / 3) and ends(pain) == pytest.approx(wilson(1 / 3, 2))


def test_counts_without_patients_behind_them_have_no_support(records):
    result = summarise_data_quality(records)
    for row, sets in zip(result.table.itertuples(), result.support, strict=True):
        assert (len(sets) == 0) == (
            row.statistic in ("n_read", "n_accepted", "n_refused", "n_refused_by_rule")
        )


def test_a_measure_without_direction_has_no_rows_of_improvement_and_says_why():
    cohort = replace(build_cohort(PATIENTS), instrument=replace(PAIN, direction="none"))
    for name in (
        "responders", "cumulative", "regression_to_mean", "effect_sizes", "ancova", "over_time",
        "standardised",
    ):  # fmt: skip
        result = run_analysis(name, cohort)
        assert result.table.empty
        assert "no better or worse direction" in write((result.method, *result.warnings))


def test_a_measure_that_looks_back_counts_states_only():
    cohort = build_cohort("patient therapy baseline month_6\na x . 1\nb x . 5\nc x . lost")
    result = count_responders(cohort)
    assert set(result.table["level"]) == {"no-pain"}
    assert share(result, "no-pain", "seen", "share_in_state") == (1, 2)
    with pytest.raises(AnalysisError, match="no score at the start"):
        count_responders(cohort, thresholds="two-points")
    for name in ("cumulative", "regression_to_mean", "effect_sizes"):
        looking_back = run_analysis(name, cohort)
        assert looking_back.table.empty
        assert any("looks back to the start" in str(text) for text in looking_back.warnings)
