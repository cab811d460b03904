"""What changed since the last release: each change alone lands in its own part, and the parts sum exactly."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from handmade import ends, pick
from outcomes import cohort as cohorts
from outcomes.analyses import compare_over_time, count_responders, split_changes, summarise_change
from outcomes.analyses.headline import list_headline
from outcomes.analyses.since_last import PARTS
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.records import read_records
from outcomes.synthetic import simulate_clinic, write_clinic
from outcomes.views import say_since_last, tabulate_since_last


@pytest.fixture(scope="module")
def records():
    """Declared randomised, so that therapies are compared."""
    records = simulate_clinic(300, seed=7)
    return replace(records, source=replace(records.source, design="randomised"))


@pytest.fixture(scope="module")
def first(records):
    """Yesterday's records: no episode that started after 2025."""
    return keep_episodes(records, records.episodes["start_date"] < "2025-01-01")


def take_snapshot(cohort, label=""):
    """Take the snapshot of a release whose headline numbers are those of its cohort."""
    return cohorts.take_snapshot(cohort, list_headline(cohort).table, label=label)


def keep_episodes(records, which):
    """Return records with some episodes, each with all its rows."""
    ids = set(records.episodes.loc[which, "episode_id"].astype("str"))
    tables = {}
    for name in ("episodes", "assessments", "sessions", "events"):
        table = getattr(records, name)
        tables[name] = table[table["episode_id"].astype("str").isin(ids)].reset_index(drop=True)
    return replace(records, **tables)


def revise(records, change=5.0):
    """Return records in which some later scores of known episodes were corrected."""
    known = records.episodes.loc[records.episodes["start_date"] < "2025-01-01", "episode_id"].iloc[:20]
    table = records.assessments.copy()
    hit = table["episode_id"].isin(known) & (table["instrument"] == "odi") & (table["day"] > 30)
    table.loc[hit, "score"] = (table.loc[hit, "score"] + change).clip(0, 100)
    return replace(records, assessments=table)


def split(before, after, **options):
    """Split the changes between two readings; options of the question of either."""
    earlier = take_snapshot(select_cohort(before, **options.get("asked_then", {})), label="2024-Q4")
    return split_changes(select_cohort(after, **options.get("asked_now", {})), earlier=earlier)


def parts_of(result, **where):
    """Return each part's rows that are not zero, by part."""
    found = {}
    for part in PARTS:
        rows = result.where(statistic=part, **where).table
        assert set(rows["state"]) <= {"ok"}
        found[part] = int((rows["estimate"] != 0).sum())
    return found


def exact(value) -> Decimal:
    """Return a number as it is written."""
    return Decimal(repr(float(value)))


def check_sums(result):
    """Check that the last release plus the parts is this one, exactly, for every headline number."""
    table = result.table[result.table["statistic"] != "n_episodes_changed"]
    keys = [table[name].fillna("") for name in ("term", "level", "group", "versus")]
    n_checked = 0
    for _, rows in table.groupby(keys):
        told = rows.set_index("statistic")["estimate"]
        if {"before", *PARTS, "after"} <= set(told.dropna().index):
            total = sum((exact(told[part]) for part in PARTS), exact(told["before"]))
            assert total == exact(told["after"])
            n_checked += 1
    return n_checked


def test_nothing_changed_is_told_as_nothing(records):
    result = split(records, records)
    assert parts_of(result) == dict.fromkeys(PARTS, 0) and check_sums(result) >= 10
    assert (result.where(statistic="n_episodes_changed").table["estimate"] == 0).all()
    assert "Definitions and code are those of the last release." in map(str, result.warnings)


def test_new_episodes_alone_are_new_episodes(first, records):
    result = split(first, records)
    found = parts_of(result)
    assert found["new_episodes"] > 5 and found["definitions"] == found["revised_records"] == 0
    assert check_sums(result) >= 10
    counts = result.where(statistic="n_episodes_changed").table.set_index("term")["estimate"]
    assert counts["new"] == len(records.episodes) - len(first.episodes)
    assert counts["revised"] == counts["gone"] == 0


def test_revised_scores_alone_are_revised_records(records):
    result = split(records, revise(records))
    found = parts_of(result)
    assert found["revised_records"] > 5 and found["definitions"] == found["new_episodes"] == 0
    assert check_sums(result) >= 10
    counts = result.where(statistic="n_episodes_changed").table.set_index("term")["estimate"]
    assert 0 < counts["revised"] <= 20 and counts["new"] == 0


def test_scores_that_came_in_for_known_episodes_are_revised_records(records):
    late = records.assessments["day"].fillna(0) <= 100
    earlier = replace(records, assessments=records.assessments[late].reset_index(drop=True))
    asked = {"asked_then": {"primary": "month_3"}, "asked_now": {"primary": "month_3"}}
    assert parts_of(split(earlier, records, **asked))["new_episodes"] == 0


def test_records_that_went_are_revised_records(first, records):
    result = split(records, first)
    found = parts_of(result)
    assert found["revised_records"] > 5 and found["new_episodes"] == found["definitions"] == 0


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({}, {"where": {"age_years": (40, 90)}}),
        ({"covariates": []}, {}),
        ({"episodes": "all"}, {"episodes": "first"}),
    ],
)
def test_another_question_alone_is_definitions(records, then, now):
    result = split(records, records, asked_then=then, asked_now=now)
    found = parts_of(result)
    assert found["definitions"] > 0 and found["new_episodes"] == found["revised_records"] == 0
    assert check_sums(result) >= 10
    assert any("the question" in str(text) for text in result.warnings)


def test_another_description_of_the_source_alone_is_definitions(records):
    """The cohort's rules come from the source: another default threshold, window or covariate."""
    wider = {**records.source.timepoints, "month_6": {"first_day": 175, "last_day": 195}}
    now = replace(records, source=replace(records.source, timepoints=wider))
    result = split(records, now)
    found = parts_of(result)
    assert found["definitions"] > 0 and found["new_episodes"] == found["revised_records"] == 0
    assert any("the description of the source" in str(text) for text in result.warnings)


def test_the_same_files_read_by_another_rule_are_definitions(tmp_path):
    """Nobody touched the records: whatever is read otherwise comes from the rules by which it is read."""
    write_clinic(tmp_path / "clinic", n_episodes=150, seed=3)
    then = read_records("made-up-clinic", tmp_path / "clinic", private_folder=tmp_path / "private")
    spec = then.source.files[1]
    dropped = replace(spec, scores=tuple(s for s in spec.scores if s.instrument != "sorensen_s"))
    source = replace(then.source, files=(then.source.files[0], dropped, *then.source.files[2:]))
    now = read_records(source, tmp_path / "clinic", private_folder=tmp_path / "private")
    assert then.files and then.files == now.files
    scored = now.assessments.assign(score=now.assessments["score"] * 0.9)
    result = split(then, replace(now, assessments=scored))
    found = parts_of(result)
    assert found["definitions"] > 5 and found["new_episodes"] == found["revised_records"] == 0


def test_all_at_once_sum_exactly_and_each_part_has_its_own(first, records):
    both = split(first, revise(records), asked_now={"where": {"age_years": (30, 90)}})
    assert check_sums(both) >= 10 and min(parts_of(both, term="mean_improvement").values()) > 0
    alone = split(first, first, asked_now={"where": {"age_years": (30, 90)}})
    assert np.allclose(
        both.where(statistic="definitions").table["estimate"],
        alone.where(statistic="definitions").table["estimate"],
    )


def improve_by_numpy(cohort):
    """Return the improvement of all who began: their start less the line through those seen, there."""
    table = cohort.table[cohort.table["timepoint"] == cohort.primary]
    seen = table[table["score"].notna()]
    line = np.polynomial.Polynomial.fit(seen["baseline"], seen["score"], 1)
    return float(table["baseline"].mean() - line(table["baseline"].mean()))


def test_every_part_by_the_means_of_four_cohorts(first, records):
    """Each step changes one thing: the question, then who is recorded, then what is recorded of them."""
    asked = {"where": {"age_years": (30, 90)}}
    steps = (
        select_cohort(first),
        select_cohort(first, **asked),
        select_cohort(records, **asked),
        select_cohort(revise(records), **asked),
    )
    means = []
    for cohort in steps:
        means.append(round(improve_by_numpy(cohort), 2))
    result = split(first, revise(records), asked_now=asked)
    told = result.where(term="mean_improvement", group="all").table.set_index("statistic")["estimate"]
    expected = {"before": means[0], "after": means[3]}
    expected |= {part: b - a for part, a, b in zip(PARTS, means, means[1:], strict=False)}
    assert told.to_dict() == pytest.approx(expected)
    assert min(abs(expected[part]) for part in PARTS) > 0


def test_the_headline_has_the_numbers_of_its_analyses(records):
    """Means by numpy; their intervals, shares and differences as their own analyses give them."""
    cohort = select_cohort(records)
    result = list_headline(cohort)
    held = pick(result, statistic="mean_improvement", group="all")
    assert held["estimate"] == pytest.approx(improve_by_numpy(cohort))
    own = summarise_change(cohort).where(timepoint=cohort.primary, statistic="mean_improvement", group="all")
    gain = own.table.iloc[0]
    share = pick(result, statistic="share_improved", group="all")
    expected = count_responders(cohort).where(statistic="share_improved", term="seen", group="all")
    expected = pick(expected, level=share["level"], timepoint=cohort.primary)
    compared = compare_over_time(cohort).where(statistic="contrast", timepoint=cohort.primary)
    contrasts = result.where(statistic="contrast").table
    assert len(contrasts) == 3
    for row, own in [
        (held, gain),
        (share, expected),
        *((one, pick(compared, group=one["group"], versus=one["versus"])) for _, one in contrasts.iterrows()),
    ]:
        assert row["estimate"] == own["estimate"] and ends(row) == ends(own)


def test_what_the_last_release_did_not_have_has_no_parts(records):
    only = keep_episodes(records, records.episodes["therapy"] != "combined_pt")
    result = split(only, records)
    rows = result.where(group="combined_pt", term="mean_improvement").table
    assert rows["statistic"].tolist() == ["after"]


def test_a_question_that_the_old_records_cannot_answer_is_not_split(records):
    before = replace(records, assessments=records.assessments[records.assessments["instrument"] != "nprs"])
    earlier = take_snapshot(select_cohort(before), label="then")
    cohort = select_cohort(records, instrument="nprs", variant="average")
    kept = replace(earlier, headline=take_snapshot(cohort).headline)
    result = split_changes(cohort, earlier=kept)
    states = result.where(statistic=["definitions", "new_episodes"]).table["state"]
    assert set(states) == {"degenerate"}
    assert "not told" in tabulate_since_last(release(result, "team")).html


def test_ids_that_do_not_last_leave_new_and_revised_together(first, records):
    passing = replace(records.source.files[0], patient="one per row")
    source = replace(records.source, files=(passing, *records.source.files[1:]))
    result = split(replace(first, source=source), replace(records, source=source))
    found = parts_of(result)
    assert found["new_episodes"] == 0 and found["revised_records"] > 5
    assert any("line numbers" in str(text) for text in result.warnings)


def test_the_order_of_rows_and_how_a_column_is_held_do_not_count_as_a_revision(records):
    shuffled = replace(
        records,
        assessments=records.assessments.sample(frac=1, random_state=1).reset_index(drop=True),
        episodes=records.episodes.assign(therapy=records.episodes["therapy"].astype("object")),
    )
    counts = split(records, shuffled).where(statistic="n_episodes_changed").table
    assert (counts["estimate"] == 0).all()


def test_a_later_extraction_alone_revises_nobody(records):
    later = replace(
        records, episodes=records.episodes.assign(observable_days=records.episodes["observable_days"] + 30)
    )
    counts = split(records, later).where(statistic="n_episodes_changed").table
    assert (counts["estimate"] == 0).all()


def test_without_an_earlier_release_there_is_nothing_to_compare_with(records):
    result = split_changes(select_cohort(records))
    for view in (tabulate_since_last, say_since_last):
        assert "no earlier release" in view(release(result, "team")).html


def test_the_parts_of_a_difference_are_for_the_team(first, records):
    result = split(first, records)
    view, said = (make(release(result, "team")) for make in (tabulate_since_last, say_since_last))
    assert "2024-Q4" in view.caption and "New episodes" in view.html
    assert "new episodes" in said.html and "by new episodes" in said.html
    outside = release(result)
    assert not outside.table["shown"].any() and outside.table["estimate"].isna().all()
    for make in (tabulate_since_last, say_since_last):
        assert "leave no number of it" in make(outside).html and "New episodes" not in make(outside).html


def test_a_snapshot_shows_no_patient(records):
    snapshot = take_snapshot(select_cohort(records))
    ids = records.episodes["patient_id"].astype("str")
    assert not any(id in repr(snapshot) for id in ids)
    assert set(snapshot.tables) == {"episodes", "assessments", "sessions", "events"}
    assert isinstance(snapshot.headline, pd.DataFrame)


def test_a_difference_that_an_older_version_kept_of_therapies_not_comparable_is_not_shown(records):
    """Records that come since make them comparable; the kept number was refused and stays so."""
    routine = replace(records, source=replace(records.source, design="routine"))
    kept = list_headline(select_cohort(records)).table
    assert "contrast" in set(kept["statistic"])
    earlier = cohorts.take_snapshot(select_cohort(routine), kept)
    changed = split_changes(select_cohort(routine), earlier=earlier)
    assert "contrast" not in set(changed.table["term"])
    same = split_changes(select_cohort(records), earlier=cohorts.take_snapshot(select_cohort(records), kept))
    told = same.where(term="contrast").table
    assert {"before", "after"} <= set(told["statistic"])
