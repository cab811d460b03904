"""Absence that a file writes as a value: declared, it is missing; undeclared, it is asked about."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asked_files import TIMES, describe_scores, draw_wide, list_asked, mean_of, read_table
from outcomes import write_clinic
from outcomes.errors import FactsError, RecordsError
from outcomes.facts import read_instrument
from outcomes.records import read_records

ITEMS = [f"odi_{number}" for number in range(1, 11)]
FORM = {
    "rows": "assessment",
    "columns": {"patient_id": "id", "timepoint": "visit"},
    "scores": [
        {"instrument": "odi", "items": ITEMS},
        {"instrument": "nprs", "variant": "average", "column": "pain"},
    ],
}


def _fill_form(*rows: str) -> str:
    """Write visits: id, visit, the answer that all ten items have, pain, the form's status."""
    lines = [f"id,visit,{','.join(ITEMS)},pain,done"]
    for row in rows:
        id, visit, answer, pain, done = (cell.strip() for cell in row.split("|"))
        lines.append(f"{id},{visit},{','.join([answer] * 10)},{pain},{done}")
    return "\n".join(lines) + "\n"


VISITS = _fill_form(
    "a | baseline | 2 | 7 | 2", "a | week_6 | 0 | 0 | 0",
    "b | baseline | 3 | 6 | 2.0", "b | week_6 | 1 | 4 | Complete",
    "c | baseline | 2 | 5 | 2", "c | week_6 | 0 | 0 |",
)  # fmt: skip


def _list(records) -> list[tuple[str, str, str, float]]:
    columns = ["episode_id", "timepoint", "instrument", "score"]
    return [tuple(row) for row in records.assessments[columns].astype(object).to_numpy().tolist()]


START = [
    ("a", "baseline", "odi", 40.0), ("b", "baseline", "odi", 60.0), ("b", "week_6", "odi", 20.0),
    ("c", "baseline", "odi", 40.0),
]  # fmt: skip
PAIN = [
    ("a", "baseline", "nprs", 7.0), ("b", "baseline", "nprs", 6.0), ("b", "week_6", "nprs", 4.0),
    ("c", "baseline", "nprs", 5.0),
]  # fmt: skip


def test_forms_that_were_not_filled_in_have_no_scores(tmp_path):
    answered = {"column": "done", "values": [2, "complete"]}
    records = read_table(tmp_path, VISITS, {**FORM, "answered": answered})
    assert sorted(_list(records)) == sorted([*START, *PAIN])
    assert (records.n_read, records.n_accepted, records.n_refused) == (6, 6, 0)
    (finding,) = [entry for entry in records.findings if entry.rule == "FORM_UNANSWERED"]
    assert (finding.outcome, finding.count, finding.lines, finding.column) == ("accept", 2, (3, 7), "done")
    assert "not filled in" in " ".join(map(str, records.list_said("odi")))


def test_the_status_of_one_form_says_nothing_of_the_others(tmp_path):
    answered = [{"column": "done", "values": ["2", "Complete"], "scores": ["odi"]}]
    found = _list(read_table(tmp_path, VISITS, {**FORM, "answered": answered}))
    zero = [("a", "week_6", "nprs", 0.0), ("c", "week_6", "nprs", 0.0)]
    assert sorted(found) == sorted([*START, *PAIN, *zero])


@pytest.mark.parametrize(
    ("where", "gone"),
    [
        ({"column": "done", "values": ["0", ""]}, {"odi", "nprs"}),
        ({"column": "done", "values": ["", "0"], "scores": ["pain"]}, {"nprs"}),
        ({"column": ITEMS, "values": ["0.0"], "scores": ["odi"]}, {"odi"}),
        ({"column": ["pain", "odi_1"], "values": ["0"]}, {"odi", "nprs"}),
    ],
)
def test_scores_are_missing_where_other_columns_say_so(tmp_path, where, gone):
    records = read_table(tmp_path, VISITS, {**FORM, "missing_where": [where]})
    later = {(id, name) for id, time, name, _ in _list(records) if time == "week_6"}
    assert later == {("b", "odi"), ("b", "nprs")} | {
        (id, name) for id in "ac" for name in {"odi", "nprs"} - gone
    }
    assert records.n_refused == 0 and len(records.refused) == 0


def test_what_the_columns_say_does_not_depend_on_the_order_of_declarations(tmp_path):
    """Pain is blank where the ODI is, and the ODI where pain is; neither declaration feeds the other."""
    text = "id,o,p\na,40,\nb,,6\nc,20,5\n"
    scores = [
        {"instrument": "odi", "timepoint": "baseline", "column": "o"},
        {"instrument": "nprs", "variant": "average", "timepoint": "baseline", "column": "p"},
    ]
    where = [
        {"column": "o", "values": [""], "scores": ["p"]}, {"column": "p", "values": [""], "scores": ["o"]},
    ]  # fmt: skip
    for entries in (where, where[::-1]):
        block = {"columns": {"patient_id": "id"}, "scores": scores, "missing_where": entries}
        assert [row[0] for row in _list(read_table(tmp_path, text, block))] == ["c", "c"]


def test_a_status_that_nobody_has_is_a_mistake_in_the_source(tmp_path):
    with pytest.raises(RecordsError, match="FORM_NEVER_ANSWERED"):
        read_table(tmp_path, VISITS, {**FORM, "answered": {"column": "done", "values": ["finished"]}})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"answered": {"column": "done", "values": []}}, "write lists"),
        ({"answered": {"column": "done"}}, "add values"),
        ({"answered": {"colum": "done", "values": ["2"]}}, "did you mean 'column'"),
        ({"missing_where": [{"column": "done", "values": "0"}]}, "write lists"),
        ({"missing_where": [{"column": "done", "values": ["0"], "scores": ["pian"]}]}, "did you mean 'pain'"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_told_with_the_right_word(tmp_path, declared, message):
    with pytest.raises(FactsError, match=message):
        read_table(tmp_path, VISITS, {**FORM, **declared})


def test_the_column_that_says_so_must_be_in_the_file(tmp_path):
    with pytest.raises(RecordsError, match="don"):
        read_table(tmp_path, VISITS, {**FORM, "answered": {"column": "dne", "values": ["2"]}})


# Zeros in the place of blanks.

FINE = ["odi", "ndi", "qbpds", "comi_back", "oks", "phq9", "pcs"]


def _block(names, **more):
    return {"columns": {"patient_id": "id"}, "scores": [{**it, **more} for it in describe_scores(names)]}


@pytest.mark.parametrize("name", FINE)
def test_forms_that_are_all_zero_are_asked_about_and_either_answer_is_kept(tmp_path, name):
    table = draw_wide([name], 100)
    gone = np.arange(100) % 5 == 0
    zero = table.assign(**{f"{name} month_3": table[f"{name} month_3"].where(~gone, 0)})
    assert list_asked(tmp_path, table, _block([name])) == {}
    asked = list_asked(tmp_path, zero, _block([name]))
    assert list(asked) == ["FORM_ALL_ZERO"]
    text = asked["FORM_ALL_ZERO"]
    assert text.startswith("20 of ") and 'missing = ["0"]' in text and 'confirmed = ["zeros"]' in text

    right = table.loc[~gone, f"{name} month_3"].mean()
    assert mean_of(
        read_table(tmp_path, zero, _block([name], missing=["0"])), "month_3", name
    ) == pytest.approx(right)
    kept = read_table(tmp_path, zero, _block([name], confirmed=["zeros"]))
    assert mean_of(kept, "month_3", name) == pytest.approx(right * 0.8)
    (said,) = [entry for entry in kept.findings if entry.outcome == "answered"]
    assert said.count == 20 and said.said in kept.list_said(name)


def test_items_all_zero_are_asked_about_with_the_line_that_blanks_them(tmp_path, shared):
    """The export of an electronic form in which blank forms of a fifth of the follow-ups are written as 0."""
    table = pd.read_csv(shared / "cases" / "spreadsheets" / "redcap.csv", dtype=str, keep_default_na=False)
    names = {"baseline_arm_1": "baseline", "week_6_arm_1": "week_6", "month_3_arm_1": "month_3"}
    block = {
        **FORM,
        "columns": {"patient_id": "record_id", "timepoint": "redcap_event_name"},
        "codes": {"timepoint": names},
        "scores": [FORM["scores"][0], {**FORM["scores"][1], "column": "nprs"}],
    }
    clean = read_table(tmp_path, table, block)
    gone = (np.arange(len(table)) % 5 == 0) & (table["redcap_event_name"] != "baseline_arm_1")
    table.loc[gone, ITEMS], table.loc[gone, "odi_complete"] = "0", "0"
    text = list_asked(tmp_path, table, block)["FORM_ALL_ZERO"]
    assert f"{int(gone.sum())} of 162 forms of the ODI" in text and '"odi_10"], values = ["0"]' in text
    kept = ~gone.to_numpy()
    for answer in (
        {"answered": {"column": "odi_complete", "values": ["2"], "scores": ["odi"]}},
        {"missing_where": [{"column": ITEMS, "values": ["0"], "scores": ["odi"]}]},
    ):
        records = read_table(tmp_path, table, {**block, **answer})
        found = records.assessments[records.assessments["instrument"] == "odi"]
        assert len(found) == kept.sum()
        assert len(records.assessments) == len(clean.assessments) - gone.sum()


def test_a_long_file_loses_the_zeros_of_one_measure_and_keeps_those_of_the_others(tmp_path):
    """A fifth of the ODI at the last visit are 0 for a blank; a pain of 0 is a pain of 0."""
    wide = draw_wide(["odi", "nprs:average"], 60)
    gone = np.arange(60) % 5 == 0
    wide.loc[gone, "odi month_3"], wide.loc[:5, "nprs:average month_3"] = 0, 0
    table = wide.melt("id", value_name="score")
    table[["what", "visit"]] = table["variable"].str.split(" ", expand=True)
    table["what"] = table["what"].replace({"odi": "Oswestry", "nprs:average": "pain"})
    columns = {"patient_id": "id", "timepoint": "visit", "instrument": "what", "score": "score"}
    codes = {"instrument": {"Oswestry": "odi", "pain": "nprs:average"}}
    block = {"rows": "assessment", "columns": columns, "codes": codes}
    text = list_asked(tmp_path, table, block)["FORM_ALL_ZERO"]
    assert 'column = ["what", "score"], values = ["<what names it there>", "0"]' in text
    answer = {"missing_where": [{"column": ["what", "score"], "values": ["Oswestry", "0"]}]}
    records = read_table(tmp_path, table, {**block, **answer})
    assert mean_of(records, "month_3", "odi") == pytest.approx(wide.loc[~gone, "odi month_3"].mean())
    assert mean_of(records, "month_3", "nprs") == pytest.approx(wide["nprs:average month_3"].mean())
    assert records.n_refused == 0
    assert list_asked(tmp_path, table, {**block, "confirmed": ["zeros"]}) == {}


def test_a_status_of_one_form_leaves_the_others_zeros_open(tmp_path):
    """Where the ODI is missing, pain is 0 throughout: the second column is asked about in its turn."""
    table = draw_wide(["odi", "nprs:average"], 80)
    gone = np.arange(80) % 5 == 0
    for name in ("odi", "nprs:average"):
        table.loc[gone, f"{name} month_3"] = 0
    block = _block(["odi", "nprs:average"])
    for score in block["scores"]:
        score |= {"missing": ["0"]} if score["instrument"] == "odi" else {}
    asked = list_asked(tmp_path, table, block)
    assert list(asked) == ["SCORE_BESIDE_BLANK"]
    where = [{"column": "odi month_3", "values": ["", "0"], "scores": ["nprs:average month_3"]}]
    records = read_table(tmp_path, table, {**block, "missing_where": where})
    right = table.loc[~gone, "nprs:average month_3"].mean()
    assert mean_of(records, "month_3", "nprs") == pytest.approx(right)


@pytest.mark.parametrize(("first", "value"), [("nprs:average", 0), ("eq_vas", 100), ("nprs:leg", 0)])
def test_one_column_blank_where_another_is_constant_is_asked_about(tmp_path, first, value):
    names = ["odi", first]
    table = draw_wide(names, 60)
    gone = np.arange(60) % 4 == 0
    table["odi week_6"] = table["odi week_6"].astype(object).where(~gone, "")
    table.loc[gone, f"{first} week_6"] = value
    asked = list_asked(tmp_path, table, _block(names))
    assert "SCORE_BESIDE_BLANK" in asked
    assert 'missing_where = [{ column = "odi week_6", values = [""]' in asked["SCORE_BESIDE_BLANK"]
    where = [{"column": "odi week_6", "values": [""], "scores": [f"{first} week_6"]}]
    records = read_table(tmp_path, table, {**_block(names), "missing_where": where})
    right = table.loc[~gone, f"{first} week_6"].mean()
    assert mean_of(records, "week_6", first.partition(":")[0]) == pytest.approx(right)
    kept = read_table(tmp_path, table, _block(names, confirmed=["blanks", "constant"]))
    assert "answered" in {entry.outcome for entry in kept.findings}


@pytest.mark.parametrize(
    ("name", "value"), [("odi", 88), ("vas100", 99), ("ndi", 44), ("oks", 5), ("eq_vas", 0), ("qbpds", 90)]
)
def test_a_constant_that_the_start_never_has_is_asked_about(tmp_path, name, value):
    table = draw_wide([name], 90)
    gone = np.arange(90) % 4 == 0
    table.loc[gone, f"{name} month_3"] = value
    asked = list_asked(tmp_path, table, _block([name]))
    assert list(asked) == ["SCORE_CONSTANT_AFTER_START"]
    assert (
        "23 of 180" in asked["SCORE_CONSTANT_AFTER_START"] and "in 0 of 90 at the start" in asked.popitem()[1]
    )
    records = read_table(tmp_path, table, _block([name], missing=[str(value)]))
    assert mean_of(records, "month_3", name) == pytest.approx(table.loc[~gone, f"{name} month_3"].mean())
    assert list_asked(tmp_path, table, _block([name], confirmed=["constant"])) == {}


@settings(max_examples=25)
@given(
    name=st.sampled_from(FINE),
    n=st.integers(60, 400),
    share=st.sampled_from([0.2, 0.3, 0.5]),
    seed=st.integers(0, 99),
)
def test_any_form_any_size_zeros_in_the_place_of_blanks_are_never_averaged_in_silence(
    tmp_path, name, n, share, seed
):
    table = draw_wide([name], n, seed=seed)
    gone = np.random.default_rng(seed).random(n) < share
    gone[:12] = True
    table.loc[gone, f"{name} month_3"] = 0
    assert "FORM_ALL_ZERO" in list_asked(tmp_path, table, _block([name]))


@pytest.mark.parametrize("recovered", [0.1, 0.4, 0.7])
@pytest.mark.parametrize("name", ["odi", "ndi", "phq9", "nprs:average", "vas100", "oks", "rmdq24"])
def test_patients_who_really_have_no_complaints_left_are_not_asked_about(tmp_path, name, recovered):
    """The well answer 0 in many items and 1 in a few; a scale of one item may well be 0 in most."""
    rng, n = np.random.default_rng(5), 300
    table, instrument = draw_wide([name], n), read_instrument(name)
    span = instrument.maximum - instrument.minimum
    single = instrument.scoring_rule.rule == "single"
    well = rng.random(n) < recovered
    left = np.where(rng.random(n) < 0.8, 0, 0.15 * rng.random(n)) if single else rng.binomial(10, 0.1, n) / 50
    left = np.round(left * span / (instrument.step or 1)) * (instrument.step or 1)
    score = instrument.minimum + left if instrument.direction == "higher_worse" else instrument.maximum - left
    for time in TIMES[1:]:
        table.loc[well, f"{name} {time}"] = score[well]
    assert list_asked(tmp_path, table, _block([name])) == {}


def test_healthy_controls_and_events_that_never_happen_are_not_asked_about(tmp_path):
    """Excluded rows count for nothing, and 0 is the usual number of events."""
    table = draw_wide(["odi"], 120)
    table["group"] = np.where(np.arange(120) < 40, "control", "patient")
    for time in TIMES:
        table.loc[:39, f"odi {time}"] = 0
    table["events month_3"] = np.where(np.arange(120) % 15 == 0, 1, 0)
    block = _block(["odi"])
    block["scores"].append(
        {
            "instrument": "adverse_events",
            "variant": "events",
            "timepoint": "month_3",
            "column": "events month_3",
        }
    )
    block["exclude"] = [{"column": "group", "values": ["control"], "reason": "healthy control"}]
    assert "FORM_ALL_ZERO" not in list_asked(tmp_path, table, block)
    assert "FORM_ALL_ZERO" in list_asked(tmp_path, table, {**block, "exclude": []})


def _count_asking(folder, sizes, seed: int) -> list[int]:
    asking = []
    for number, size in enumerate(sizes):
        place = folder / f"clinic-{number}"
        write_clinic(place, n_episodes=int(size), seed=seed + number)
        try:
            read_records("made-up-clinic", place, private_folder=folder / "private")
        except RecordsError:
            asking.append(int(size))
    return asking


def test_clean_clinics_of_all_sizes_ask_nothing(tmp_path):
    assert _count_asking(tmp_path, np.geomspace(20, 1000, 16).round(), seed=500) == []


@pytest.mark.slow
def test_of_200_clean_clinics_at_most_two_ask(tmp_path):
    asking = _count_asking(tmp_path, np.geomspace(20, 2000, 200).round(), seed=1000)
    print(f"{len(asking)} of 200 clean clinics ask something")
    assert len(asking) <= 2


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("ashar-2022", "ashar-2022-back-pain"),
        ("verwoerd-2024", "verwoerd-2024-neck-pain"),
        ("nhs-proms-2018-19", "nhs-proms-2018-19-sample"),
    ],
)
def test_real_records_with_real_floors_and_ceilings_ask_nothing(shared, tmp_path, name, folder):
    records = read_records(name, shared / "data" / folder, private_folder=tmp_path)
    assert not {entry.rule for entry in records.findings if entry.outcome in ("ask", "answered")}
