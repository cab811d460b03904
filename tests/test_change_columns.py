"""Columns that hold a change, an improvement or another measure and not the score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asked_files import draw_wide, list_asked, mean_of, read_table
from outcomes.errors import FactsError
from outcomes.facts import (
    find_header_doubt,
    list_instruments,
    list_sources,
    read_facts,
    read_instrument,
    read_source,
)

#: A measure of which neither end is better.
NEITHER = next(id for id in list_instruments() if read_instrument(id).direction == "none")


def _block(name: str, start: str, later: str, **more):
    id, _, variant = name.partition(":")
    own = {"instrument": id, **({"variant": variant} if variant else {})}
    return {
        "columns": {"patient_id": "id"},
        "scores": [
            {**own, "timepoint": "baseline", "column": start},
            {**own, "timepoint": "week_6", "column": later, **more},
        ],
    }


@pytest.fixture
def silent(shared):
    return lambda name: pd.read_csv(shared / "cases" / "spreadsheets" / f"silent-{name}.csv")


def test_the_recorded_improvement_is_asked_about_and_gives_the_true_scores(silent, shared, tmp_path):
    table, block = silent("change"), ("odi", "ODI baseline", "ODI change 6 weeks")
    asked = list_asked(tmp_path, table, _block(*block))
    assert list(asked) == ["SCORE_OR_CHANGE"] and "9 of 96 values lie below 0" in asked["SCORE_OR_CHANGE"]
    for answer in ("score", "change", "improvement"):
        assert f'holds = "{answer}"' in asked["SCORE_OR_CHANGE"]
    truth = pd.read_json(shared / "cases" / "spreadsheets" / "truth.json")
    records = read_table(tmp_path, table, _block(*block, holds="improvement"))
    found = records.assessments[records.assessments["timepoint"] == "week_6"].sort_values("episode_id")
    assert found["score"].tolist() == truth.sort_values("i")["o6"].tolist()
    assert "recorded as the improvement" in " ".join(map(str, records.list_said("odi")))
    turned = read_table(tmp_path, table, _block(*block, holds="change"))
    assert mean_of(turned, "week_6", "odi") == pytest.approx(2 * truth["b"].mean() - truth["o6"].mean())


def test_relief_is_never_read_as_pain(silent, tmp_path):
    table, block = silent("relief"), ("nprs:average", "Pain baseline", "Pain relief 6 weeks")
    asked = list_asked(tmp_path, table, _block(*block))
    assert list(asked) == ["SCORE_OR_OTHER"] and 'holds = "score"' in asked["SCORE_OR_OTHER"]
    records = read_table(tmp_path, table, _block(*block, holds="score"))
    (said,) = [entry for entry in records.findings if entry.outcome == "answered"]
    assert said.said in records.list_said("nprs")


SMALL = "id,start,later\na,40,-10\nb,30,5\nc,,5\nd,10,-20\ne,50,\n"


def test_a_change_is_added_to_the_start_of_its_row(tmp_path):
    records = read_table(tmp_path, SMALL, _block("odi", "start", "later", holds="change"))
    found = records.assessments[records.assessments["timepoint"] == "week_6"]
    assert found[["episode_id", "score"]].to_numpy().tolist() == [["a", 30.0], ["b", 35.0]]
    assert records.refused[["line", "column", "rule", "scope"]].to_numpy().tolist() == [
        [4, "later", "CHANGE_WITHOUT_START", "cell"],
        [5, "later", "CHANGE_RANGE", "cell"],
    ]
    assert (records.n_read, records.n_refused) == (5, 0)


@pytest.mark.parametrize(
    ("name", "scale", "holds", "expected"),
    [
        ("odi", None, "improvement", [20.0, 25.0]),
        ("odi", None, "change", [40.0, 15.0]),
        ("oks", None, "improvement", [40.0, 15.0]),
        ("oks", None, "change", [40.0, 15.0]),
        ("odi", "raw_0_50", "improvement", [40.0, 50.0]),
        ("odi", "raw_0_50", "change", [80.0, 30.0]),
    ],
)
def test_the_sign_is_the_instruments_and_the_scale_is_the_columns(tmp_path, name, scale, holds, expected):
    """Start 30 and 20, then 10 and -5: by hand."""
    block = _block(name, "start", "later", holds=holds)
    for score in block["scores"]:
        score |= {"scale": scale} if scale else {}
    records = read_table(tmp_path, "id,start,later\na,30,10\nb,20,-5\n", block)
    assert records.assessments.query("timepoint == 'week_6'")["score"].tolist() == expected


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (_block("odi", "start", "later", holds="chang"), "not one of score, change, improvement"),
        ({**_block("odi", "start", "later", holds="change"), "rows": "assessment"}, "in the same row"),
        (_block(NEITHER, "start", "later", holds="improvement"), "has no direction"),
    ],
)
def test_a_declaration_that_cannot_hold_is_told(tmp_path, block, message):
    with pytest.raises(FactsError, match=message):
        read_table(tmp_path, SMALL, block)
    lone = _block("odi", "start", "later", holds="change")
    lone["scores"] = lone["scores"][1:]
    with pytest.raises(FactsError, match="needs the score at the start"):
        read_table(tmp_path, SMALL, lone)


@pytest.mark.parametrize(
    "header",
    [
        "ODI change", "ODI_chg_6w", "ΔODI", "odi diff", "ODI Differenz 6 Wochen", "ODI-Veränderung",
        "changement ODI", "cambio ODI", "ODI 變化", "ODI变化", "ODI 変化量", "ODI improvement",
        "ODI reduction", "Verbesserung ODI", "ODI 改善", "amélioration ODI", "mejoría ODI",
    ],
)  # fmt: skip
def test_words_for_change_are_asked_about_in_the_languages_of_clinics(tmp_path, header):
    table = draw_wide(["odi"], 30).rename(columns={"odi week_6": header})
    assert list(list_asked(tmp_path, table, _block("odi", "odi baseline", header))) == ["SCORE_OR_CHANGE"]
    assert list_asked(tmp_path, table, _block("odi", "odi baseline", header, holds="score")) == {}


@pytest.mark.parametrize(
    "header",
    [
        "Pain relief",
        "Schmerzlinderung",
        "soulagement",
        "疼痛緩解",
        "疼痛缓解",
        "satisfaction (0-10)",
        "Pain goal",
    ],
)
def test_words_for_another_measure_are_asked_about_at_any_time(tmp_path, header):
    table = draw_wide(["nprs:average"], 30).rename(columns={"nprs:average baseline": header})
    block = _block("nprs:average", header, "nprs:average week_6")
    assert list(list_asked(tmp_path, table, block)) == ["SCORE_OR_OTHER"]


def test_no_name_of_an_instrument_and_no_header_of_a_shipped_source_is_doubtful():
    for id in list_instruments():
        instrument = read_instrument(id)
        names = (instrument.id, instrument.name, instrument.short_name, *instrument.aliases)
        assert not [name for name in names if find_header_doubt(name, names)]
    for name in list_sources():
        for spec in read_source(name).files:
            assert not [header for header in spec.mapped if find_header_doubt(header)]


def test_each_word_is_found_in_a_header_and_short_ones_not_within_others():
    for doubt, section in read_facts("doubtful_headers").items():
        for word in section["words"]:
            assert find_header_doubt(f"ODI {word} 6w") == doubt, word
    for header in (
        "ODI exchange",
        "Ziele",
        "ODI again",
        "different",
        "ODI 6 weeks",
        "Regain",
        "diffuse pain",
    ):
        assert find_header_doubt(header) is None, header


def _draw_change(name: str, seed: int, n: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return starts with improvements of which some are below 0, and the true later scores."""
    instrument, rng = read_instrument(name), np.random.default_rng(seed)
    span, step = instrument.maximum - instrument.minimum, instrument.step or 1
    start = instrument.minimum + np.round(rng.uniform(0.4, 0.6, n) * span / step) * step
    gain = np.round(rng.normal(0.08, 0.1, n).clip(-0.3, 0.3) * span / step) * step
    table = pd.DataFrame({"id": [f"p{i}" for i in range(n)], "start": start, "later": gain})
    return table, pd.Series(start + instrument.sign * gain)


@settings(max_examples=30)
@given(
    name=st.sampled_from(["odi", "ndi", "qbpds", "rmdq24", "oks", "ohs", "vas100", "phq9", "eq_vas", "lefs"]),
    n=st.integers(40, 200),
    seed=st.integers(0, 999),
)
def test_improvements_of_any_measure_are_asked_about_and_turned_into_scores(tmp_path, name, n, seed):
    table, truth = _draw_change(name, seed, n)
    asked = list_asked(tmp_path, table, _block(name, "start", "later"))
    assert "SCORE_OR_CHANGE" in asked and "below 0" in asked["SCORE_OR_CHANGE"]
    records = read_table(tmp_path, table, _block(name, "start", "later", holds="improvement"))
    assert mean_of(records, "week_6", name) == pytest.approx(truth.mean())


@settings(max_examples=20)
@given(
    name=st.sampled_from(["odi", "ndi", "oks", "nprs:average", "vas100", "eq_vas"]),
    n=st.integers(20, 300),
    gain=st.floats(-0.2, 0.5),
    seed=st.integers(0, 999),
)
def test_scores_are_not_taken_for_changes(tmp_path, name, n, gain, seed):
    table = draw_wide([name], n, seed=seed, gain=gain)
    assert list_asked(tmp_path, table, _block(name, f"{name} baseline", f"{name} week_6")) == {}


def test_a_code_for_missing_below_zero_is_no_change(tmp_path):
    table = draw_wide(["odi"], 60)
    table.loc[::6, "odi week_6"] = -9
    block = _block("odi", "odi baseline", "odi week_6")
    assert list_asked(tmp_path, table, block) == {}
    assert set(read_table(tmp_path, table, block).refused["rule"]) == {"SCORE_SENTINEL"}
