"""Sentences as values: what may be said of a few patients, and where a result says it comes from."""

from __future__ import annotations

import json
from dataclasses import fields, make_dataclass, replace

import numpy as np
import pytest

from outcomes import read_records, select_cohort, summarise_change
from outcomes.analyses import compare_over_time
from outcomes.disclosure import release
from outcomes.facts import Count, Listing, Name, Text, read_words
from outcomes.facts.wording import Words
from outcomes.result import Origin, _is_told, build_result, read_origin, write_origin

SPELT = {1: "One", 3: "Three", 10: "Ten"}
#: How a language may say it; a key stands for any of them, since what leaves is decided before it is written.
WORDINGS = (
    "{{ spelt }} patients had no age.",
    "{{ n }} people had no age.",
    "No age was recorded in {{ n }} women.",
    "Left out: {{ n }} of 400 (no age).",
    "n = {{ n }} lacked an age.",
    "有{{ n }}位病人沒有年齡。",
)


def people(n, start=0):
    return np.arange(start, start + n)


def count(n, start=0):
    return Count(n, people(n, start))


def make(*warnings, n=400, rows=(), support=(), **kwargs):
    row = {"statistic": "mean_score", "group": "all", "estimate": 30.0, "n": n, "unit": "points"}
    return build_result(
        "change",
        [row, *rows],
        method=Text("methods.change.description"),
        support=[{"all": people(n)}, *support],
        warnings=warnings,
        **kwargs,
    )


@pytest.fixture
def templates(monkeypatch):
    """Sentences of a catalogue whose keys are the numbers of `WORDINGS`."""
    say = Words.say

    def say_by_number(words, key, **values):
        number = key.removeprefix("made_up.")
        if number == key:
            return say(words, key, **values)
        text = WORDINGS[int(number)]
        for name, value in values.items():
            text = text.replace("{{ " + name + " }}", str(words.write(value)))
        return text

    monkeypatch.setattr(Words, "say", say_by_number)


@pytest.mark.parametrize("wording", range(len(WORDINGS)))
@pytest.mark.parametrize("n", SPELT)
def test_a_sentence_that_counts_a_few_never_leaves_in_any_wording(templates, wording, n):
    said = Text.of(f"made_up.{wording}", n=count(n), spelt=count(n))
    for told in (said, Text.of("methods.and", within=Listing((said,))), (said,)):
        result = make(told)
        assert read_words().write(release(result, "team").warnings)
        released = release(result)
        assert released.warnings == ()
        assert set(released.table["statistic"]) == {"mean_score"} and not released.n_withheld
    method = replace(make(), method=(Text("methods.change.description"), said), estimand=said)
    assert release(method).method == (Text("methods.change.description"),)
    assert release(method).estimand == ""


@pytest.mark.parametrize("wording", [number for number, text in enumerate(WORDINGS) if "{{ n }}" in text])
def test_a_sentence_that_counts_enough_leaves_with_a_rounded_number(templates, wording):
    released = release(make(Text.of(f"made_up.{wording}", n=count(43))))
    (said,) = map(read_words().write, released.warnings)
    assert "45" in said and "43" not in said
    row = released.table.iloc[-1]
    assert (row["statistic"], row["estimate"], row["display"]) == ("n_said", 45, "45")
    assert len(released.backing.fates) == len(released.table)
    assert "43" in read_words().write(
        release(make(Text.of(f"made_up.{wording}", n=count(43))), "team").warnings
    )


def test_a_count_is_told_only_where_those_it_leaves_out_are_enough_too():
    said = Text.of("methods.clusters.nested", nested=count(395), found=400)
    assert release(make(said)).warnings == ()
    assert len(release(make(said, n=395)).warnings) == 1  # everybody: nobody is left out


def test_all_counts_of_a_sentence_must_be_enough():
    few = Text.of("methods.clusters.nested", nested=count(3, 100), found=count(60))
    enough = Text.of("methods.clusters.nested", nested=count(60), found=count(200))
    assert [text.key for text in release(make(few, enough)).warnings] == ["methods.clusters.nested"]
    assert release(make(few)).warnings == ()


def test_a_count_of_nobody_in_particular_never_leaves():
    said = Text.of("methods.clusters.few_site", found=Count(2), needed=10)
    assert release(make(said)).warnings == ()
    assert release(make(said), "team").warnings == (said,)


def test_a_count_does_not_give_what_the_page_withholds():
    """Twenty-five of two groups, of which one of twenty is told: the other one has five."""
    group = {"statistic": "mean_score", "estimate": 30.0, "unit": "points"}
    few, many = {**group, "group": "a", "n": 5}, {**group, "group": "b", "n": 20}
    said = Text.of("methods.clusters.nested", nested=count(25), found=400)
    alone = release(make(said, rows=[many], support=[{"all": people(20, 5)}]))
    assert len(alone.warnings) == 1
    beside = release(make(said, rows=[few, many], support=[{"all": people(5)}, {"all": people(20, 5)}]))
    assert beside.warnings == ()
    assert beside.where(group="b").table["shown"].all() and not beside.where(group="a").table["shown"].any()


def test_sentences_of_a_group_of_none_stay_by_their_key_whatever_they_say():
    told = Text.of("methods.ancova.degenerate", time=Name("timepoints", "month_6", "6 months"))
    assert release(make(told, Text.of("methods.and", within=told))).warnings == ()


def test_every_field_of_an_origin_says_whether_stakeholders_may_know_it():
    (undecided,) = fields(make_dataclass("Undecided", ["path"]))
    with pytest.raises(TypeError, match=r"Origin\.path"):
        _is_told(undecided)
    kept = {entry.name for entry in fields(Origin) if not _is_told(entry)}
    assert kept == {"answered", "fingerprint", "n_patients"}
    assert Origin(source="s", answered=("x",), n_patients=4).allow() == Origin(source="s")


def test_an_origin_is_written_to_json_and_read_back():
    cohort = select_cohort(read_records("made-up-clinic"))
    for result in (summarise_change(cohort), compare_over_time(cohort)):
        for origin in (result.origin, release(result).origin):
            written = json.dumps(write_origin(origin), sort_keys=True)
            again = read_origin(json.loads(written))
            assert json.dumps(write_origin(again), sort_keys=True) == written
            assert again.therapies == {
                id: replace(entry, aliases=list(entry.aliases)) for id, entry in origin.therapies.items()
            }
    assert write_origin(Origin()) == {}
