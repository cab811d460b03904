"""Attacks with a released table alone: nothing about fewer than k patients follows from what it shows."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.analyses import (
    count_flow,
    count_responders,
    describe_baseline,
    summarise_change,
    summarise_data_quality,
    trace_cumulative,
)
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.errors import AnalysisError
from outcomes.facts import Text
from outcomes.result import build_result
from outcomes.synthetic import simulate_clinic
from outcomes.views import draw_cumulative, tabulate_baseline, tabulate_change
from outcomes.views.view import read_view, write_view

K = 11


@pytest.fixture(scope="module", params=[(60, 1), (200, 5)], ids=["60 episodes", "200 episodes"])
def cohort(request):
    episodes, seed = request.param
    return select_cohort(simulate_clinic(episodes, seed=seed), instrument="odi")


def people(n, start=0):
    return np.arange(start, start + n)


def make(name, rows, support, **kwargs):
    place = {"outcome": "odi", "timepoint": "month_6"}
    return build_result(name, [{**place, **row} for row in rows], method="How.", support=support, **kwargs)


def share(n_with, n_without, start=0, **columns):
    n = n_with + n_without
    members = people(n, start)
    row = {"statistic": "share_improved", "term": "seen", "estimate": n_with / n, "n": n, **columns}
    return row, {"all": members, "with": members[:n_with], "without": members[n_with:]}


def test_no_spread_stands_beside_an_interval_that_would_give_the_exact_number(cohort):
    for result in (summarise_change(cohort), describe_baseline(cohort)):
        table = release(result).table
        scores = table["term"].isna() | (table["term"] == "score")
        assert not (table["statistic"].str.startswith("sd") & scores).any()
        team = release(result, "team").table
        assert team["statistic"].str.startswith("sd").any()


def test_pages_name_no_spread_that_they_do_not_show(cohort):
    views = [tabulate_change(release(summarise_change(cohort)))]
    assert all("(SD)" not in view.html for view in views)
    baseline = tabulate_baseline(release(describe_baseline(cohort)))
    assert "ODI at start, mean<" in baseline.html
    assert "smd" not in set(baseline.table["statistic"])


@pytest.mark.parametrize("thresholds", [None, "absolute:10"])
def test_between_two_points_of_a_curve_and_its_threshold_lie_k_patients(cohort, thresholds):
    result = trace_cumulative(cohort)
    reached = {
        (row.group, row.x): len(sets["with"])
        for row, sets in zip(result.table.itertuples(), result.support, strict=True)
    }
    shown = release(result).table
    for group, rows in shown.groupby("group"):
        numbers = sorted(reached[group, x] for x in rows["x"])
        assert all(second - first >= K for first, second in pairwise(numbers))
    responders = release(count_responders(cohort, thresholds=thresholds)).where(
        statistic="share_improved", term="seen", timepoint=cohort.primary, x=10, shown=True
    )
    for row in responders.table.itertuples():
        curve = shown[(shown["group"] == row.group) & (shown["x"] == 10)]
        assert len(curve) == 1 or not (shown["group"] == row.group).any()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=3, max_size=15))
def test_no_step_of_any_curve_is_small(steps):
    n, rows, sets = sum(steps), [], []
    if not n:
        return
    members = people(n)
    for place in range(len(steps)):
        above = sum(steps[place:])
        rows.append({"statistic": "share_improved_by", "group": "a", "x": 2 * place, "estimate": above / n})
        sets.append({"all": members, "with": members[:above], "without": members[above:]})
    shown = release(make("cumulative", rows, sets)).table["x"].tolist()
    reached = [sum(steps[int(x) // 2 :]) for x in shown]
    assert all(high - low >= K for high, low in pairwise(reached))
    assert all(K <= number <= n - K for number in reached)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=5))
def test_shares_of_all_give_neither_side_of_the_groups_that_are_withheld(pairs):
    pairs = [pair for pair in pairs if sum(pair)]
    if len(pairs) < 2:
        return
    rows, sets, start = [], [], 0
    for number, pair in enumerate(pairs):
        row, support = share(*pair, start, group=f"g{number}")
        rows.append(row)
        sets.append(support)
        start += sum(pair)
    whole = {name: np.concatenate([entry[name] for entry in sets]) for name in ("all", "with", "without")}
    rows.append({**rows[0], "group": "all", "estimate": len(whole["with"]) / start, "n": start})
    shown = release(make("responders", rows, [*sets, whole])).table["shown"].tolist()
    hidden = [pair for pair, seen in zip(pairs, shown, strict=False) if not seen]
    if shown[-1] and hidden:
        assert len(hidden) > 1
        assert min(sum(side) for side in zip(*hidden, strict=True)) >= K


def test_the_mean_of_all_gives_not_that_of_two_groups_too_small_together():
    sizes = {"a": 4, "b": 5, "c": 60, "all": 69}
    rows = [{"statistic": "mean_score", "group": name, "estimate": 30.0, "n": n} for name, n in sizes.items()]
    shown = release(make("change", rows, [{"all": people(n)} for n in sizes.values()])).table["shown"]
    assert shown.tolist() == [False, False, True, False]


@pytest.mark.parametrize(("missed", "shown"), [(9, False), (11, True), (0, True)])
def test_a_share_of_those_due_does_not_give_the_few_who_were_not_seen(missed, shown):
    seen = share(100, 60, group="a")
    due, sets = share(100, 60 + missed, group="a")
    result = make("responders", [seen[0], {**due, "term": "due"}], [seen[1], sets])
    assert release(result).table["shown"].tolist() == [True, shown]


def test_the_larger_half_does_not_give_the_smaller():
    rows, sets = [], []
    for group, n in (("seen", 300), ("not_seen", 7)):
        rows += [
            {"statistic": "mean", "term": "age_years", "group": group, "estimate": 50.0, "n": n},
            {"statistic": "n", "term": "patients", "group": group, "estimate": n, "n": n},
        ]
        sets += [{"all": people(n, 1000 * n)}] * 2
    assert not release(make("nonresponse", rows, sets)).table["shown"].any()


@pytest.mark.parametrize(("part", "shown"), [(4, False), (30, True)])
def test_a_difference_in_a_category_does_not_give_its_withheld_shares(part, shown):
    rows, sets = [], []
    for group, n in (("seen", 300), ("not_seen", 100)):
        members = people(n, 1000 * n)
        for level, held, others in (
            ("x", members[:part], members[part:]),
            ("y", members[part:], members[:part]),
        ):
            row = {"statistic": "share", "term": "region", "level": level, "group": group}
            rows.append({**row, "estimate": len(held) / n, "n": n})
            sets.append({"all": members, "with": held, "without": others})
    both = {"group": people(300), "versus": people(100, 5000)}
    rows += [
        {"statistic": "smd", "term": "region", "group": "seen", "versus": "not_seen", "estimate": 0.21},
        {"statistic": "max_smd", "term": "region", "group": "all", "estimate": 0.21},
        {"statistic": "smd", "term": "age_years", "group": "seen", "versus": "not_seen", "estimate": 0.1},
    ]
    sets += [both, {"all": people(400), **both}, both]
    table = release(make("nonresponse", rows, sets)).table
    assert table["shown"].tolist()[-3:] == [shown, shown, True]


@pytest.mark.parametrize(
    "key",
    [
        "comparison.empty_group",
        "ancova.degenerate",
        "over_time.degenerate",
        "over_time.repeated_columns",
        "standardised.separated",
    ],
)
def test_a_sentence_does_not_tell_of_a_group_of_none_or_of_all_alike(key):
    sentence = Text.of(f"methods.{key}", time="6 months", count=3)
    told = Text("methods.change.description")
    row = {"statistic": "mean_score", "group": "a", "estimate": 30.0, "n": 50}
    result = make("change", [row], [{"all": people(50)}], warnings=[sentence, told])
    assert release(result).warnings == (told,)
    assert release(result, "team").warnings == (sentence, told)


@pytest.mark.parametrize("by", ["patient_id", "episode_id", "start_date", "age_years", "observable_days"])
def test_neither_patients_nor_days_name_the_groups_of_a_page(cohort, by):
    records = simulate_clinic(60, seed=1)
    with pytest.raises(AnalysisError, match="choose one of") as caught:
        summarise_data_quality(records, by=by)
    assert not any(str(value) in str(caught.value) for value in records.episodes["patient_id"])
    with pytest.raises(AnalysisError, match="choose one of"):
        summarise_change(cohort, by=by)


def test_every_shown_row_has_k_patients_on_every_side(cohort):
    for result in (summarise_change(cohort), describe_baseline(cohort), count_responders(cohort)):
        released = release(result).table
        sides = ["outcome", "statistic", "term", "level", "group", "versus", "timepoint", "x"]
        support = dict(
            zip(map(tuple, result.table[sides].astype(str).to_numpy()), result.support, strict=True)
        )
        for row, shown in zip(released[sides].astype(str).to_numpy(), released["shown"], strict=True):
            sizes = [len(np.unique(codes)) for codes in support[tuple(row)].values()]
            assert not shown or all(size >= K or size == 0 for size in sizes)
        assert (
            not released.loc[~released["shown"], ["estimate", "conf_low", "conf_high"]].notna().any(axis=None)
        )
        assert (released["n"].dropna() % 5 == 0).all() and pd.isna(released["std_error"]).all()


def test_a_rounded_number_stays_round_on_its_way_to_a_page(cohort, tmp_path):
    view = tabulate_baseline(release(describe_baseline(cohort)))
    write_view(view, tmp_path)
    kept = read_view(tmp_path, view.id).table
    assert kept["estimate"].dropna().tolist() == view.table["estimate"].dropna().tolist()
    assert all(len(repr(value)) <= 6 for value in kept["estimate"].dropna())


def test_a_curve_of_one_point_is_not_drawn(cohort):
    view = draw_cumulative(release(trace_cumulative(cohort)))
    assert view.png is None or (view.table.groupby("group").size() > 1).all()


def test_what_is_withheld_whole_is_said_once(cohort):
    for view in (
        tabulate_change(release(summarise_change(cohort))),
        tabulate_baseline(release(describe_baseline(cohort))),
    ):
        assert view.html.count("withheld") < 60


def test_shares_of_those_seen_and_of_those_due_do_not_give_a_group_together():
    """What a group lacks among those seen, another base tells: the patients above are the same."""
    rows, sets, start = [], [], 0
    whole = {"seen": [], "due": []}
    for group, n_with, not_seen in (("a", 6, 38), ("b", 13, 31), ("c", 35, 9)):
        for term, n_without in (("seen", not_seen), ("due", not_seen + 12)):
            row, support = share(n_with, n_without, start, group=group)
            rows.append({**row, "term": term})
            sets.append(support)
            whole[term].append(support)
        start += 100
    for term, entries in whole.items():
        joined = {name: np.concatenate([entry[name] for entry in entries]) for name in entries[0]}
        n = len(joined["all"])
        rows.append({**rows[0], "term": term, "group": "all", "estimate": len(joined["with"]) / n, "n": n})
        sets.append(joined)
    table = release(make("responders", rows, sets)).table.set_index(["group", "term"])["shown"]
    assert table["b"].all() and table["c", "due"]
    assert not table["a"].any() and not table["c", "seen"]
    assert not table["all"].any()


def test_a_small_filter_step_stays_hidden_beside_another_filter():
    """A flow with two filters, the second of which excludes few: neither step gives its number away."""
    records = simulate_clinic(400, seed=4)
    patients = records.episodes["patient_id"]
    few = records.episodes["site"].astype("str").where(~patients.isin(patients.unique()[:6]), "annex")
    records = dataclasses.replace(records, episodes=records.episodes.assign(site=few.astype("category")))
    sites = [name for name in records.episodes["site"].cat.categories if name != "annex"]
    cohort = select_cohort(records, where={"sex": ["female", "male"], "site": sites})
    steps = cohort.flow.set_index("step")
    assert 0 < steps.at["outside_filter_2", "n_excluded_patients"] < 11
    flow = release(count_flow(cohort)).table
    of_step = flow[flow["term"] == "outside_filter_2"].set_index("statistic")
    assert not of_step.at["n_excluded_patients", "shown"]
    assert "n_excluded_episodes" not in of_step.index, "episodes are told all or not at all"
    shown = {
        row.term: row.estimate for row in flow.itertuples() if row.statistic == "n_patients" and row.shown
    }
    before = steps.index[steps.index.get_loc("outside_filter_2") - 1]
    assert before not in shown or "outside_filter_2" not in shown
