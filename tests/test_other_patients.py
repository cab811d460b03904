"""Thresholds of other patients are marked where they are used; a source's caveats stand by their numbers."""

from __future__ import annotations

import pytest

from asked_files import describe_scores, draw_wide, read_table
from outcomes import (
    count_completeness,
    count_flow,
    count_responders,
    draw_completeness,
    draw_cumulative,
    open_page,
    release,
    say_answer,
    say_flow,
    say_limits,
    select_cohort,
    summarise_change,
    tabulate_change,
    tabulate_completeness,
    tabulate_responders,
    trace_cumulative,
)
from outcomes.errors import FactsError
from outcomes.facts import read_words
from outcomes.facts.source import build_source

MARK = "estimated in other patients"
CAVEAT = "Only linked pairs of forms are here."
COLUMNS = {
    "patient_id": "id", "therapy": "therapy", "region": "region", "cause": "cause", "duration": "duration",
}  # fmt: skip


def read(folder, instrument: str = "ndi", *, caveats=(), therapy: str = "manual_therapy", **constant: str):
    """Read 60 patients of one kind, a list of levels being taken in turn."""
    table = draw_wide([instrument], 60).assign(therapy=therapy)
    for name in ("region", "cause", "duration"):
        levels = constant.get(name)
        levels = [levels] if not isinstance(levels, list) else levels
        table[name] = [levels[number % len(levels)] for number in range(60)]
    block = {"columns": COLUMNS, "scores": describe_scores([instrument])}
    primary = {"instrument": instrument, "timepoint": "month_3"}
    kept = {"odi": "keep", "ndi": "keep"}
    return read_table(folder, table, block, caveats=list(caveats), primary=primary, other_regions=kept)


def mark(cohort, threshold: str, audience: str = "team") -> tuple[str, str]:
    responders = release(count_responders(cohort, thresholds=threshold), open_page(audience))
    view = tabulate_responders(responders)
    return view.html, view.caption


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_a_threshold_of_necks_over_backs_is_marked_in_table_and_caption(tmp_path, audience):
    cohort = select_cohort(read(tmp_path, region="low_back"))
    html, caption = mark(cohort, "young-2009-absolute", audience)
    assert MARK in html
    said = (
        "estimated for mechanical neck disorders in physical therapy (n = 91), "
        "while most patients here have complaints of the low back"
    )
    assert said in caption
    curve = draw_cumulative(release(trace_cumulative(cohort), open_page(audience)))
    assert said in curve.caption
    method = read_words().write(count_responders(cohort, thresholds="young-2009-absolute").method)
    assert said in method


def test_patients_like_those_of_the_threshold_are_not_marked(tmp_path):
    fitting = select_cohort(read(tmp_path, region="neck"))
    open_region = select_cohort(read(tmp_path, region="other"))
    unknown = select_cohort(read(tmp_path))
    for cohort in (fitting, open_region, unknown):
        html, caption = mark(cohort, "young-2009-absolute")
        assert MARK not in html and "estimated for" not in caption


@pytest.mark.parametrize(
    ("threshold", "levels", "said"),
    [
        ("ostelo-2008-absolute", {"cause": "radicular"}, "the cause recorded here is mostly: nerve root"),
        ("ostelo-2008-absolute", {"cause": ["radicular", "stenosis"] + ["non_specific"] * 2}, "other causes"),
        ("ostelo-2008-absolute", {"region": ["low_back", "low_back", "neck"]}, "other complaints too"),
        ("van-hooff-2016-pass", {}, "patients here were given other kinds of therapy"),
    ],
)  # fmt: skip
def test_whatever_differs_is_named(tmp_path, threshold, levels, said):
    constant = {"region": "low_back", "cause": "non_specific", "duration": "chronic", **levels}
    html, caption = mark(select_cohort(read(tmp_path, "odi", **constant)), threshold)
    assert said in caption and MARK in html


def test_how_long_complaints_lasted_is_held_against_the_threshold(tmp_path):
    acute = select_cohort(read(tmp_path, "pcs", region="low_back", duration="acute"))
    assert "complaints here mostly lasted up to 6 weeks" in mark(acute, "rocca-2022-absolute")[1]
    chronic = select_cohort(read(tmp_path, "pcs", region="low_back", duration="chronic"))
    assert MARK not in mark(chronic, "rocca-2022-absolute")[0]


def test_after_surgery_a_threshold_of_surgery_fits(tmp_path):
    operated = read(tmp_path, "odi", region="low_back", therapy="open_surgery")
    assert MARK not in mark(select_cohort(operated), "van-hooff-2016-pass")[0]


def test_one_patient_of_another_kind_marks_nothing(tmp_path):
    table = read(tmp_path, region=["neck"] * 59 + ["low_back"])
    assert MARK not in mark(select_cohort(table), "young-2009-absolute")[0]


# --- caveats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_a_caveat_stands_where_the_number_stands(tmp_path, audience):
    told = [{"says": CAVEAT, "affects": "follow_up"}, "Anything else."]
    cohort, page = select_cohort(read(tmp_path, region="neck", caveats=told)), open_page(audience)
    change = release(summarise_change(cohort), page)
    completeness = release(count_completeness(cohort), page)
    responders = release(count_responders(cohort), page)
    for view in (
        tabulate_change(change), say_answer(change), draw_completeness(completeness),
        tabulate_completeness(completeness), tabulate_responders(responders),
    ):  # fmt: skip
        assert view.alt.count(CAVEAT) + view.caption.count(CAVEAT) and "Anything else." not in view.alt
    assert CAVEAT not in say_flow(release(count_flow(cohort), page)).alt
    assert CAVEAT in say_limits(change).alt and "Anything else." in say_limits(change).alt


def test_a_caveat_about_the_start_is_not_said_of_who_came_back(tmp_path):
    cohort = select_cohort(read(tmp_path, region="neck", caveats=[{"says": CAVEAT, "affects": "start"}]))
    assert CAVEAT not in tabulate_completeness(release(count_completeness(cohort), "team")).alt
    assert CAVEAT in tabulate_change(release(summarise_change(cohort), "team")).alt


@pytest.mark.parametrize(
    "caveat", [{"says": "x", "affects": "all"}, {"affects": "start"}, {"says": "x", "on": "y"}]
)
def test_a_caveat_of_another_form_is_refused(caveat):
    with pytest.raises(FactsError, match="a caveat is a sentence"):
        build_source({"name": "x", "label": "x", "caveats": [caveat], "file": []}, "x.toml")
