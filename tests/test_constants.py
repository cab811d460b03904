"""Constants among the scores of follow-ups, and zeros beside a column that says who came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from asked_files import TIMES, describe_scores, draw_wide, list_asked, mean_of, read_table
from outcomes.facts import read_instrument


def _block(names, **more):
    return {"columns": {"patient_id": "id"}, "scores": [{**it, **more} for it in describe_scores(names)]}


@pytest.mark.parametrize(
    ("name", "value"),
    [("vas100", 50), ("eq_vas", 50), ("odi", 38), ("ndi", 40), ("qbpds", 40), ("pcs", 20), ("oks", 26)],
)
@pytest.mark.parametrize("times", [["week_6"], ["week_6", "month_3"]])
def test_a_constant_in_the_middle_of_the_follow_ups_is_asked_about(tmp_path, name, value, times):
    """A slider that nobody moved: its value is possible, and other patients score near it."""
    start = 0.9 if read_instrument(name).direction == "higher_worse" else 0.8
    table = draw_wide([name], 90, start=start, gain=0.5)
    gone = np.arange(90) % 5 < 2
    assert list_asked(tmp_path, table, _block([name])) == {}
    for time in times:
        table.loc[gone, f"{name} {time}"] = value
    asked = list_asked(tmp_path, table, _block([name]))
    assert list(asked) == ["SCORE_CONSTANT_AFTER_START"]
    assert str(value) not in asked["SCORE_CONSTANT_AFTER_START"].partition("scores")[0].split()[6:]
    block = _block([name])
    for score in block["scores"]:
        score |= {"missing": [str(value)]} if score["timepoint"] in times else {}
    records = read_table(tmp_path, table, block)
    for time in times:
        held = table.loc[~gone & (table[f"{name} {time}"] != value), f"{name} {time}"]
        assert mean_of(records, time, name) == pytest.approx(held.mean())
    assert list_asked(tmp_path, table, _block([name], confirmed=["constant"])) == {}


def test_a_constant_that_chance_gives_the_start_too_is_missing_after_it_alone(tmp_path):
    """Of 101 points one is 50 now and then; the start's own 50 stays by the line that names the labels."""
    wide = draw_wide(["vas100"], 90, start=0.75, gain=0.4)
    gone = np.arange(90) % 5 < 2
    wide.loc[:1, "vas100 baseline"] = 50
    wide.loc[gone, "vas100 month_3"] = 50
    table = wide.melt("id", value_name="score")
    table["visit"] = table["variable"].str.split(" ").str[1]
    block = {
        "rows": "assessment",
        "columns": {"patient_id": "id", "timepoint": "visit"},
        "scores": [{"instrument": "vas100", "column": "score"}],
    }
    text = list_asked(tmp_path, table, block)["SCORE_CONSTANT_AFTER_START"]
    assert 'column = ["score", "visit"], values = ["<that value>", "<each label after the start>"]' in text
    where = [{"column": ["score", "visit"], "values": ["50", "week_6", "month_3"], "scores": ["score"]}]
    records = read_table(tmp_path, table, {**block, "missing_where": where})
    assert mean_of(records, "baseline", "vas100") == pytest.approx(wide["vas100 baseline"].mean())
    right = wide.loc[wide["vas100 month_3"] != 50, "vas100 month_3"].mean()
    assert mean_of(records, "month_3", "vas100") == pytest.approx(right)


@pytest.mark.parametrize(("n_start", "is_asked"), [(0, True), (4, True), (5, False), (12, False)])
def test_a_constant_is_asked_about_where_the_start_has_at_most_a_tenth_as_many(tmp_path, n_start, is_asked):
    """Of 100 patients 40 have 38 at six weeks, and nobody else scores near it: a tenth of 40 is 4."""
    table = draw_wide(["odi"], 100, start=0.9, gain=0.3)
    table.loc[: n_start - 1, "odi baseline"] = 38
    table.loc[:39, "odi week_6"] = 38
    assert (list(list_asked(tmp_path, table, _block(["odi"]))) == ["SCORE_CONSTANT_AFTER_START"]) == is_asked


@pytest.mark.parametrize(("name", "value"), [("nprs:average", 5), ("rmdq24", 12), ("eq_vas", 0), ("odi", 40)])
@pytest.mark.parametrize("sites", [["A", "B", "C"], ["A"]])
def test_follow_ups_that_are_all_the_same_at_a_site_are_asked_about(tmp_path, name, value, sites):
    """On any scale: thirty patients of one site do not all end alike where they did not begin alike."""
    table = draw_wide([name], 90 if len(sites) > 1 else 30)
    table["site"] = [sites[number % len(sites)] for number in range(len(table))]
    block = _block([name])
    block["columns"] = {**block["columns"], "site": "site"}
    assert list_asked(tmp_path, table, block) == {}
    there = table["site"] == "A"
    for time in TIMES[1:]:
        table.loc[there, f"{name} {time}"] = value
    text = list_asked(tmp_path, table, block)["SCORE_CONSTANT_AFTER_START"]
    if "at a site" in text:
        assert text.startswith("one value stands in 60 of 60 scores")
        assert f'column = ["site", "{name} week_6"], values = ["<the site>", "<that value>"]' in text
    where = [
        {"column": ["site", f"{name} {time}"], "values": ["A", str(value)], "scores": [f"{name} {time}"]}
        for time in TIMES[1:]
    ]
    records = read_table(tmp_path, table, {**block, "missing_where": where})
    right = table.loc[~there, f"{name} month_3"].mean()
    assert mean_of(records, "month_3", name.partition(":")[0]) == pytest.approx(right, nan_ok=True)
    kept = {**_block([name], confirmed=["constant"]), "columns": block["columns"]}
    assert "SCORE_CONSTANT_AFTER_START" not in list_asked(tmp_path, table, kept)


def test_a_site_whose_patients_all_recover_is_not_asked_about(tmp_path):
    table = draw_wide(["nprs:average"], 60)
    table["site"] = ["A", "B"] * 30
    table.loc[table["site"] == "A", ["nprs:average week_6", "nprs:average month_3"]] = 0
    block = _block(["nprs:average"])
    block["columns"] = {**block["columns"], "site": "site"}
    assert list_asked(tmp_path, table, block) == {}


@pytest.mark.parametrize("tens", [0.5, 0.95])
@pytest.mark.parametrize("n", [40, 120, 400])
@pytest.mark.parametrize("name", ["vas100", "eq_vas", "nprs:average", "pgic7"])
def test_round_numbers_and_usual_answers_are_no_constants(tmp_path, name, n, tens):
    """Many patients answer by tens, a fifth of those near the middle with it; 7 or 11 steps are coarse."""
    instrument, more = read_instrument(name), {"scale": "one_best"} if name == "pgic7" else {}
    span = instrument.maximum - instrument.minimum
    for seed in range(4):
        rng, table = np.random.default_rng(seed), pd.DataFrame({"id": [f"p{i}" for i in range(n)]})
        for time, mean in zip(TIMES, (0.7, 0.42, 0.3), strict=True):
            burden = np.clip(rng.normal(mean, 0.17, n), 0, 1)
            share = np.round(np.where(rng.random(n) < tens, burden.round(1), burden) * span) / span
            share[(np.abs(share - 0.5) <= 0.1) & (rng.random(n) < 0.2)] = 0.5
            share = share if instrument.direction == "higher_worse" else 1 - share
            table[f"{name} {time}"] = np.round(instrument.minimum + share * span)
        assert list_asked(tmp_path, table, _block([name], **more)) == {}


STATUS = [
    ("attended", "Y", "DNA"), ("Came to visit?", "yes", "no"), ("form returned", "1", "0"),
    ("erschienen", "ja", "nein"), ("Fragebogen ausgefüllt", "ja", ""), ("présence", "venu", "absent"),
    ("¿Asistió?", "sí", "no"), ("是否填寫", "是", "否"), ("出席", "是", "否"), ("来院", "有", "無"),
    ("pain_complete", "2", "0"), ("ingevuld", "ja", "nee"),
]  # fmt: skip


def _write_visits(header: str, came: str, away: str, *, zeros: float = 0.4, n: int = 80):
    wide = draw_wide(["nprs:average"], n, start=0.6)
    table = wide.melt("id", value_name="score")
    table["visit"] = table["variable"].str.split(" ").str[1]
    rng = np.random.default_rng(3)
    gone = (rng.random(len(table)) < zeros) & (table["visit"] != "baseline").to_numpy()
    table[header] = np.where(gone, away, came)
    right = table.loc[~gone & (table["visit"] == "month_3"), "score"].mean()
    table.loc[gone, "score"] = 0
    return table, right


VISIT_BLOCK = {
    "rows": "assessment",
    "columns": {"patient_id": "id", "timepoint": "visit"},
    "scores": [{"instrument": "nprs", "variant": "average", "column": "score"}],
}


@pytest.mark.parametrize(("header", "came", "away"), STATUS)
def test_zeros_beside_a_column_that_says_who_came_are_asked_about(tmp_path, header, came, away):
    table, right = _write_visits(header, came, away)
    asked = list_asked(tmp_path, table, VISIT_BLOCK)
    assert list(asked) == ["SCORE_ZERO_BESIDE_STATUS"]
    text = asked["SCORE_ZERO_BESIDE_STATUS"]
    assert f'answered = {{ column = "{header}"' in text and f'missing_where = [{{ column = "{header}"' in text
    for answer in (
        {"answered": {"column": header, "values": [came]}},
        {"missing_where": [{"column": header, "values": [away]}]},
    ):
        assert mean_of(
            read_table(tmp_path, table, {**VISIT_BLOCK, **answer}), "month_3", "nprs"
        ) == pytest.approx(right)
    score = {**VISIT_BLOCK["scores"][0], "confirmed": ["zeros"]}
    kept = read_table(tmp_path, table, {**VISIT_BLOCK, "scores": [score]})
    (said,) = [entry for entry in kept.findings if entry.outcome == "answered"]
    assert said.said in kept.list_said("nprs")


@pytest.mark.parametrize(
    ("header", "zeros"),
    [
        ("attended", 0.0), ("attended", 0.02), ("work status", 0.4), ("sessions attended", 0.4),
        ("notes", 0.4), ("Familienstand", 0.4), ("完成次數", 0.4), ("therapy completed", 0.4), ("sex", 0.4),
    ],
)  # fmt: skip
def test_without_zeros_or_without_such_a_column_nothing_is_asked(tmp_path, header, zeros):
    table, _ = _write_visits(header, "1", "0", zeros=zeros)
    assert list_asked(tmp_path, table, VISIT_BLOCK) == {}


def test_zeros_that_the_start_has_as_often_are_not_asked_about(tmp_path):
    table, _ = _write_visits("attended", "Y", "N", zeros=0.2)
    start = table["visit"] == "baseline"
    table.loc[start & (np.arange(len(table)) % 6 == 0), "score"] = 0
    assert list_asked(tmp_path, table, VISIT_BLOCK) == {}


def test_a_status_in_a_wide_file_is_asked_for_the_scores_after_the_start(tmp_path):
    """In a row that holds the start too, the lines name the scores they are about."""
    table = draw_wide(["nprs:average"], 80)
    gone = np.arange(80) % 3 == 0
    table["returned"] = np.where(gone, "no", "yes")
    right = table.loc[~gone, "nprs:average month_3"].mean()
    table.loc[gone, ["nprs:average week_6", "nprs:average month_3"]] = 0
    block = _block(["nprs:average"])
    text = list_asked(tmp_path, table, block)["SCORE_ZERO_BESIDE_STATUS"]
    assert 'scores = ["nprs:average week_6", "nprs:average month_3"]' in text
    scores = ["nprs:average week_6", "nprs:average month_3"]
    where = [{"column": "returned", "values": ["no"], "scores": scores}]
    records = read_table(tmp_path, table, {**block, "missing_where": where})
    assert mean_of(records, "month_3", "nprs") == pytest.approx(right)
    assert mean_of(records, "baseline", "nprs") == pytest.approx(table["nprs:average baseline"].mean())


def test_a_header_that_may_be_a_persons_is_not_named(tmp_path):
    table, _ = _write_visits("Mrs Marta Quill attended", "Y", "N")
    assert all("Quill" not in text for text in list_asked(tmp_path, table, VISIT_BLOCK).values())


@pytest.mark.parametrize("n", [6, 12])
def test_an_answer_that_is_usual_says_nothing_beside_a_blank(tmp_path, n):
    """Of a global impression most answers are the same, whether the other form is blank or not."""
    table = draw_wide(["odi"], 60)
    table["odi week_6"] = table["odi week_6"].astype(object)
    table.loc[: n - 1, "odi week_6"] = ""
    table["pgic"] = np.where(np.arange(60) < n, 2, np.arange(60) % 5 + 1)
    block = _block(["odi"])
    impression = {"instrument": "pgic7", "scale": "one_best", "timepoint": "week_6", "column": "pgic"}
    block["scores"].append(impression)
    assert list_asked(tmp_path, table, block) == {}
