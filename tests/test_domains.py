"""All outcome domains at a glance: the same patients, one row a measure, and what is not recorded says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import build_cohort, ends, pick, supported
from outcomes.analyses import summarise_change, summarise_domains
from outcomes.cohort import follow_outcome, list_outcomes, select_cohort
from outcomes.disclosure import release
from outcomes.errors import AnalysisError
from outcomes.facts import list_instruments, read_facts, read_instrument, read_words
from outcomes.synthetic import simulate_clinic
from outcomes.views import draw_domains, tabulate_domains

write = read_words().write


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(500, seed=3)


@pytest.fixture(scope="module")
def cohort(records):
    return select_cohort(records, needs_baseline=False)


def test_every_instrument_belongs_to_one_domain_and_every_domain_has_a_name():
    domains = read_facts("domains")["domain"]
    named = [name for entry in domains for name in entry.get("measures", ())]
    assert len(named) == len(set(named))
    assert {read_instrument(id).domain for id in list_instruments()} <= set(named)
    assert all(read_words().say(f"views.domain.{entry['id']}") for entry in domains)


def test_another_measure_of_the_same_episodes_is_what_a_cohort_of_its_own_holds(records):
    cohort = select_cohort(records)
    followed, own = (
        follow_outcome(cohort, "nprs:average"),
        select_cohort(records, instrument="nprs", variant="average"),
    )
    assert followed.table["episode_id"].equals(cohort.table["episode_id"])
    both = followed.table.merge(own.table, on=["episode_id", "timepoint"], suffixes=("", "_own"))
    assert len(both) == len(followed.table)
    for name in ("score", "improvement"):
        assert np.allclose(both[name], both[f"{name}_own"], equal_nan=True)
    assert both["status"].astype("str").equals(both["status_own"].astype("str").rename("status"))


def test_events_after_which_scores_do_not_count_hold_for_every_measure(records):
    cohort = select_cohort(records, intercurrent_events="while_on_therapy")
    followed = follow_outcome(cohort, "nprs:average")
    after = cohort.table["status"] == "after_event"
    assert after.any() and (followed.table.loc[after, "status"] == "after_event").all()


def test_a_measure_that_was_not_recorded_is_refused(cohort):
    with pytest.raises(AnalysisError, match="not recorded"):
        follow_outcome(cohort, "cobb_deg")
    assert list_outcomes(cohort)[0] == "odi" and len(list_outcomes(cohort)) == 6


def test_who_lacks_a_measure_at_the_start_is_kept_only_where_asked(records):
    odi = select_cohort(records)
    every = select_cohort(records, needs_baseline=False)
    assert set(odi.episodes["region"]) == {"low_back", "thoracic"}
    assert "neck" in set(every.episodes["region"])
    assert "no_baseline" not in set(every.flow["step"]) and "no_baseline" in set(odi.flow["step"])
    assert "start stay" in write(every.rules["baseline"])


def test_each_measure_gives_the_numbers_of_its_own_analysis(cohort):
    result = summarise_domains(cohort)
    assert supported(result)
    for outcome in ("odi", "nprs:average", "sorensen_s", "eq5d_5l:taiwan"):
        change = summarise_change(follow_outcome(cohort, outcome))
        row = pick(result, outcome=outcome, statistic="mean_improvement", group="usual_care")
        own = pick(change, statistic="mean_improvement", group="usual_care", timepoint="month_6")
        assert (row["estimate"], row["n"], row["unit"]) == (own["estimate"], own["n"], own["unit"])
    assert result.where(outcome="pgic7", statistic="mean_improvement").table.empty
    assert len(result.where(outcome="pgic7", statistic="mean_score").table) == 5


def test_domains_without_numbers_count_who_has_any_record(cohort):
    result = summarise_domains(cohort)
    counted = result.where(statistic="n_recorded", group="all").table.set_index("term")["estimate"]
    events = cohort.events.merge(cohort.episodes[["episode_id", "patient"]], on="episode_id")
    harmed = events.loc[events["event"] == "adverse_event", "patient"].nunique()
    assert counted["adverse_events"] == harmed > 0
    assert counted["posture"] == 0
    assert "pain" not in counted.index


def test_a_cohort_made_by_hand_has_its_own_measure_alone():
    cohort = build_cohort("patient therapy baseline week_6\na x 5 3\nb x 6 3.5\nc y 5 4")
    result = summarise_domains(cohort)
    # scores 5 and 6, then 3 and 3.5, improvements 2 and 2.5; t(1) = 12.706205
    start = {"group": "x", "timepoint": "baseline"}
    for name, mean, variance in (
        ("start", 5.5, 1 / 2), ("score", 3.25, 1 / 8), ("improvement", 2.25, 1 / 8),
    ):  # fmt: skip
        both = {"start": ("score", "start_seen"), "score": ("expected", "score_seen")}
        for statistic in both.get(name, ("improvement", "improvement_seen")):
            row = pick(result, statistic=f"mean_{statistic}", group="x")
            margin = 12.706205 * np.sqrt(variance / 2)
            assert row["estimate"] == mean
            expected = pytest.approx([mean - margin, mean + margin])
            if name == "start":
                # -0.85 to 11.85 would leave 0 to 10; on the logit scale, rounded to four decimals:
                # log(0.55 / 0.45) = 0.200671, and the margin is 6.353103 * 10 / (5.5 * 4.5) = 2.566910
                logits = 0.200671 - 2.566910, 0.200671 + 2.566910
                expected = pytest.approx([10 / (1 + np.exp(-logit)) for logit in logits], abs=6e-5)
            assert ends(row) == expected
    for name, variance in (("sd_improvement", 1 / 8), ("sd_score_seen", 1 / 8), ("sd_score", 1 / 2)):
        assert pick(result, statistic=name, group="x")["estimate"] == pytest.approx(np.sqrt(variance))
    assert pick(result, statistic="mean_score", **start)["n"] == 2
    assert pick(result, statistic="n", group="x")["estimate"] == 2
    assert set(result.where(statistic="n_recorded").table["estimate"]) == {0}


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_the_page_says_what_is_not_recorded_and_what_is_not_yet_analysed(cohort, audience):
    view = tabulate_domains(release(summarise_domains(cohort), audience))
    assert "Not recorded for these patients: posture" in view.caption
    assert "Recorded, not yet analysed: recurrence; adverse events." in view.caption
    assert "NPRS (average)" in view.html


def test_one_therapy_is_read_in_words(records):
    one = select_cohort(records, therapies=["combined_pt"], needs_baseline=False)
    view = tabulate_domains(release(summarise_domains(one)))
    assert view.html.count(">better<") == 5 and "Overall change: PGIC" in view.html


def test_the_figure_has_a_mark_for_every_shown_improvement(cohort):
    released = release(summarise_domains(cohort))
    view = draw_domains(released)
    shown = released.where(statistic="mean_improvement", shown=True).table
    assert view.png and len(view.table) == (shown["group"] != "all").sum()


def test_few_patients_are_told_of_nothing():
    small = select_cohort(simulate_clinic(24, seed=2), needs_baseline=False)
    result = summarise_domains(small)
    means = result.where(statistic=["n", "n_recorded", "mean_score", "mean_expected", "mean_improvement"])
    released = release(result)
    assert set(released.table["statistic"]) <= set(means.table["statistic"])
    for row, sets in zip(released.table.itertuples(), means.support, strict=True):
        assert not row.shown or min(len(codes) for codes in sets.values()) >= 11 or row.estimate == 0
    assert tabulate_domains(released).html


@pytest.mark.parametrize(("absent", "shown"), [(0, True), (4, False), (11, True)])
def test_those_of_whom_nothing_is_recorded_are_not_counted_out(records, absent, shown):
    """With the group's size beside it, a count gives its complement."""
    cohort = select_cohort(records, therapies=["usual_care"], needs_baseline=False)
    ids = cohort.episodes["episode_id"].astype("str")
    events = pd.DataFrame(
        {"episode_id": ids[absent:], "day": 10, "event": "adverse_event", "severity": "mild"}
    )
    result = summarise_domains(replace(cohort, records=replace(records, events=events)))
    row = release(result).where(statistic="n_recorded", term="adverse_events", group="usual_care").table
    assert row["shown"].tolist() == [shown]


def test_a_measure_of_which_all_gave_the_same_answer_is_withheld():
    rows = "\n".join(f"p{i} x 5 3" for i in range(40))
    cohort = build_cohort(f"patient therapy baseline week_6\n{rows}")
    released = release(summarise_domains(cohort))
    assert not released.where(statistic=["mean_score", "mean_improvement"]).table["shown"].any()
