"""The comparison over all follow-ups on a page: means, differences, and in words why one is missing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from handmade import PAIN, assemble_cohort
from outcomes import views
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.change import summarise_change
from outcomes.analyses.comparability import check_comparability
from outcomes.analyses.over_time import compare_over_time
from outcomes.disclosure import release
from outcomes.facts import read_words
from outcomes.views.labels import read_labels
from outcomes.views.trajectory import plot_trajectory
from test_mmrm_cohort import make_clinic

write = read_words().write

JARGON = re.compile(r"MMRM|marginal|LS mean|Kenward|Holm|Bonferroni|covarian|REML|likelihood|\bp\b|nan", re.I)


def balance(wide):
    """Give the patients of each therapy the same scores at the start, so that they are comparable."""
    start = 4.0 + wide.groupby("therapy").cumcount() % 7
    later = wide.filter(like="month_").add(start - wide["baseline"], axis=0)
    return wide.assign(baseline=start, **later)


@pytest.fixture(scope="module")
def cohort():
    wide = balance(make_clinic(therapies=("x", "y", "z")))
    return assemble_cohort(wide, primary="month_2", reference="x")


def show(cohort, audience, **options):
    """Return every view of the comparison by name."""
    held = release(compare_over_time(cohort, **options), audience)
    return {
        "words": views.say_comparison(held),
        "methods": views.say_methods(held),
        "means": views.draw_marginal_means(held),
        "means table": views.tabulate_marginal_means(held),
        "forest": views.draw_forest(held),
        "table": views.tabulate_contrasts(held),
    }


def answer(cohort, audience="stakeholder"):
    change, contrasts, checks = (
        release(analyse(cohort), audience)
        for analyse in (summarise_change, compare_over_time, check_comparability)
    )
    return views.say_answer(change, contrasts, None, checks).alt


def test_a_stakeholder_reads_differences_at_one_time_point_and_the_course_of_adjusted_means(cohort):
    shown = show(cohort, "stakeholder")
    assert set(shown["table"].table["timepoint"]) == {"month_2"}
    assert set(shown["means table"].table["timepoint"]) == {"month_2"}
    assert set(shown["means"].table["timepoint"]) == {"month_1", "month_2", "month_3"}
    assert JARGON.search(shown.pop("methods").alt)
    assert not [name for name, view in shown.items() if JARGON.search(view.alt + view.caption)]
    assert "missed one follow-up still count" in shown["words"].alt


def test_the_team_reads_method_and_all_time_points_the_others_as_secondary(cohort):
    shown = show(cohort, "team")
    assert "mixed model for repeated measures (MMRM" in shown["methods"].alt
    assert "missed one follow-up still count" in shown["words"].alt
    assert set(shown["table"].table["timepoint"]) == {"month_1", "month_2", "month_3"}
    for name in ("table", "means table"):
        assert shown[name].html.index("Month 2") < shown[name].html.index("Month 1 (secondary)")
    assert (
        "p (Holm)" in shown["table"].html
        and "p (Tukey)" in show(cohort, "team", adjust="tukey")["table"].html
    )


def test_every_mark_is_a_shown_adjusted_mean(cohort):
    held = release(compare_over_time(cohort))
    points = held.where(statistic="marginal_mean", shown=True).table
    figure = plot_trajectory(points, read_labels(held), held)
    marks = [line for line in figure.axes[0].lines if line.get_label() in ("x", "y", "z")]
    drawn = sorted(round(float(y), 6) for line in marks for y in line.get_ydata())
    assert drawn == sorted(points["estimate"].round(6)) and len(drawn) == 9


def test_intervals_that_hold_together_say_so_and_others_do_not(cohort):
    together = "intervals allow for all pairs"
    for view in ("forest", "table"):
        assert together in show(cohort, "stakeholder")[view].caption
        assert together not in show(cohort, "stakeholder", adjust="none")[view].caption
    alone = release(compare_at_timepoints(cohort))
    assert together not in views.draw_forest(alone).caption
    assert "hold for all pairs of therapies together" in answer(cohort)
    two = assemble_cohort(balance(make_clinic()), primary="month_2")
    assert together not in show(two, "team")["table"].caption and "all pairs" not in answer(two)
    assert "There is one comparison at each time point" in write(compare_over_time(two).method)


def test_a_difference_is_clear_where_its_interval_leaves_out_none():
    """Holm's p-value alone, beside an interval that holds 0, does not make one."""
    wide = balance(make_clinic(30, therapies=("x", "y", "z"), seed=6))
    cohort = assemble_cohort(wide, primary="month_3", reference="x")
    held = compare_over_time(cohort).where(statistic="contrast", timepoint="month_3").table
    doubtful = held[(held["p_value"] < 0.05) & (held["conf_low"] < 0) & (held["conf_high"] > 0)]
    assert len(doubtful), "the seed no longer gives a difference of this kind"
    row = doubtful.iloc[0]
    name = row["group"] if row["versus"] == "x" else row["versus"]
    assert re.search(rf"{name.upper()} \(from .*\) cannot be told from x", answer(cohort, "team"))


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_one_follow_up_is_an_analysis_of_covariance_and_has_no_course(audience):
    cohort = assemble_cohort(balance(make_clinic(n_visits=1)))
    shown = show(cohort, audience)
    assert "so there is no course to draw" in shown["means"].alt
    assert shown["forest"].png and len(shown["table"].table) == 1
    assert "With one follow-up the mixed model" in shown["methods"].alt
    assert "were compared among the patients seen then" in shown["words"].alt
    both = [
        analyse(cohort).where(statistic="contrast").table
        for analyse in (compare_over_time, compare_at_timepoints)
    ]
    for column in ("estimate", "std_error", "df", "p_value"):
        np.testing.assert_allclose(both[0][column], both[1][column], rtol=1e-8)


def few_therapists():
    wide = make_clinic(60)
    wide.insert(1, "therapist", [f"t{number % 4}" for number in range(len(wide))])
    return assemble_cohort(wide, design="randomised"), {"cluster": "therapist"}


def confounded():
    wide = make_clinic()
    wide.insert(1, "region", np.where(wide["therapy"] == "x", "north", "south"))
    return assemble_cohort(wide, covariates=("region",), design="randomised"), {}


def constant():
    wide = make_clinic().assign(month_1=5.0, month_2=5.0, month_3=5.0)
    return assemble_cohort(wide, design="randomised"), {}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (few_therapists, "too few therapists or sites"),
        (confounded, "cannot be told apart from what they are adjusted for"),
        (constant, "could not be estimated from these scores"),
    ],
)
def test_a_doubtful_model_is_said_in_words_and_shows_no_number(make, reason):
    cohort, options = make()
    for audience in ("team", "stakeholder"):
        shown = show(cohort, audience, **options)
        assert shown["forest"].png is None and reason in shown["forest"].alt
        assert shown["means"].png is None or make is confounded
        assert not re.search(r"\d to ", shown["table"].alt)
    assert reason in shown["words"].alt
    change, checks = (release(analyse(cohort)) for analyse in (summarise_change, check_comparability))
    said = views.say_answer(change, release(compare_over_time(cohort, **options)), None, checks).alt
    assert said.startswith("Therapies cannot be compared here, because") and reason in said


def test_patients_without_follow_up_and_without_a_covariate_are_counted_for_whom_they_may_be():
    wide = balance(make_clinic(80))
    wide.loc[:24, ["month_1", "month_2", "month_3"]] = np.nan
    age = np.where(wide.index % 8 == 0, np.nan, 40.0 + wide.index % 30)
    wide.insert(1, "age_years", age)
    held = compare_over_time(assemble_cohort(wide, covariates=("age_years",), design="randomised"))
    team = views.say_comparison(release(held, "team")).alt
    assert "25 patients were seen at none of these follow-ups" in team and "age (16 patients)" in team
    outside = views.say_comparison(release(held)).alt
    assert "25 patients were seen at none" in outside and "age (15 patients)" in outside
    wide.loc[5:24, "month_1"] = 5.0
    few = compare_over_time(assemble_cohort(wide, covariates=("age_years",), design="randomised"))
    assert "5 patients were seen at none" in views.say_comparison(release(few, "team")).alt
    assert "seen at none" not in views.say_comparison(release(few)).alt


def nobody_twice():
    """Nobody is seen at two follow-ups, so that nothing tells how these go together."""
    wide = balance(make_clinic(120))
    for place, name in enumerate(("month_1", "month_2", "month_3")):
        wide.loc[wide.index % 3 != place, name] = np.nan
    return assemble_cohort(wide, design="randomised")


def test_a_simpler_model_is_said_and_one_without_a_maximum_shows_nothing():
    wide = make_clinic()
    repeated = assemble_cohort(wide.assign(month_2=wide["month_1"]), design="randomised")
    assert "simpler one was" in show(repeated, "stakeholder")["words"].alt
    assert "a simpler covariance takes its place" in show(repeated, "team")["methods"].alt
    result = compare_over_time(nobody_twice())
    assert set(result.where(statistic="contrast").table["state"]) == {"not_converged"}
    for audience in ("team", "stakeholder"):
        shown = show(nobody_twice(), audience)
        assert shown["forest"].png is None and "no stable solution" in shown["forest"].alt
    assert "no stable solution" in shown["words"].alt and "no stable solution" in answer(nobody_twice())
    assert "no maximum that could be found" in show(nobody_twice(), "team")["methods"].alt


def test_time_points_with_too_few_are_named_and_the_others_stay():
    wide = balance(make_clinic())
    wide.loc[5:39, "month_3"] = np.nan
    cohort = assemble_cohort(wide, primary="month_2")
    shown = show(cohort, "stakeholder")
    assert "Month 3: differences are left out, because too few patients" in shown["words"].alt
    assert shown["forest"].png and set(shown["means"].table["timepoint"]) == {"month_1", "month_2"}


def test_what_is_withheld_does_not_keep_the_state_of_a_group_of_none():
    wide = balance(make_clinic(therapies=("x", "y", "z")))
    wide.loc[wide["therapy"] == "x", "month_2"] = np.nan
    table = release(compare_over_time(assemble_cohort(wide))).table
    held = table[(table["display"] == "withheld")]
    assert set(held["state"]) == {"ok"}


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_without_direction_with_one_therapy_or_not_comparable_one_reason_stands_for_all(audience):
    wide = make_clinic()
    undirected = replace(assemble_cohort(wide), instrument=replace(PAIN, direction="none"))
    one = assemble_cohort(make_clinic(therapies=("x",)))
    apart = assemble_cohort(wide.assign(baseline=np.where(wide["therapy"] == "x", 9, 5)))
    cases = [(undirected, "no better or worse direction"), (one, "only one therapy")]
    cases += [(apart, "not comparable on what was recorded")] if audience == "stakeholder" else []
    for cohort, reason in cases:
        shown = show(cohort, audience)
        methods = shown.pop("methods").alt
        said = {view.alt for view in shown.values()}
        assert len(said) == 1 and reason in (told := said.pop())
        assert told not in methods, "the reason stands in place of what is not shown"


def test_a_measure_that_looks_back_is_compared_without_a_score_at_the_start():
    cohort = assemble_cohort(make_clinic().assign(baseline="."))
    result = compare_over_time(cohort)
    assert "baseline score" not in write(result.method)
    assert set(result.where(statistic="contrast").table["state"]) == {"ok"}
    assert "at start" not in views.draw_forest(release(result, "team")).caption
