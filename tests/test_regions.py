"""Scores of patients whose complaint lies where the instrument is not made for."""

from __future__ import annotations

import pandas as pd
import pytest

from asked_files import describe_scores, draw_wide, list_asked, mean_of, read_table
from outcomes import count_responders, select_cohort
from outcomes.errors import FactsError
from outcomes.facts import list_instruments, read_instrument, read_schema, read_words
from outcomes.facts.instrument_sheet import write_instrument_sheet

write = read_words().write

ODI = describe_scores(["odi"])
BLOCK = {"columns": {"patient_id": "id", "region": "area", "therapy": "therapy"}, "scores": ODI}
SMALL = """id,area,therapy,odi baseline,odi week_6,odi month_3
a,low back,usual care,40,30,20
b,lumbar,usual care,60,50,40
c,neck,usual care,20,10,
d,Neck,usual care,10,10,8
e,cervical,usual care,12,8,6
f,other,usual care,50,50,50
g,,usual care,30,20,10
"""


def test_scores_of_other_regions_are_asked_about_in_counts(tmp_path):
    asked = list_asked(tmp_path, SMALL, BLOCK)
    assert list(asked) == ["REGION_OTHER"]
    assert "8 of 20 scores" in asked["REGION_OTHER"] and "neck 8" in asked["REGION_OTHER"]
    assert '[other_regions] odi = "leave_out"' in asked["REGION_OTHER"]


def test_kept_they_count_and_pages_say_so(tmp_path):
    records = read_table(tmp_path, SMALL, BLOCK, other_regions={"odi": "keep"})
    assert mean_of(records, "baseline", "odi") == pytest.approx((40 + 60 + 20 + 10 + 12 + 50 + 30) / 7)
    (said,) = [text for text in map(str, records.list_said("odi")) if "elsewhere" in text]
    assert "are kept" in said and "low back" in said
    assert {entry.outcome for entry in records.findings if entry.rule == "REGION_OTHER"} == {"answered"}


def test_left_out_they_are_refused_cells_and_their_patients_stay(tmp_path):
    records = read_table(tmp_path, SMALL, BLOCK, other_regions={"odi": "leave_out"})
    assert mean_of(records, "baseline", "odi") == pytest.approx((40 + 60 + 50 + 30) / 4)
    assert mean_of(records, "month_3", "odi") == pytest.approx((20 + 40 + 50 + 10) / 4)
    assert (records.n_read, records.n_accepted, records.n_refused, len(records.episodes)) == (7, 7, 0, 7)
    assert set(records.refused["rule"]) == {"REGION_OTHER"} and len(records.refused) == 8
    assert "left out" in " ".join(map(str, records.list_said("odi")))


def test_a_long_file_loses_scores_and_not_records(tmp_path):
    text = "id,area,visit,what,score\n" + "".join(
        f"{id},{area},{visit},ODI,{score}\n"
        for id, area, score in (("a", "low back", 40), ("b", "neck", 20), ("c", "neck", 10), ("d", "hip", 12))
        for visit in ("baseline", "week_6")
    )
    columns = {
        "patient_id": "id",
        "region": "area",
        "timepoint": "visit",
        "instrument": "what",
        "score": "score",
    }
    block = {"rows": "assessment", "columns": columns}
    assert "neck 4" in list_asked(tmp_path, text, block)["REGION_OTHER"]
    records = read_table(tmp_path, text, block, other_regions={"odi": "leave_out"}, max_refused_share=0.0)
    assert records.assessments["score"].tolist() == [40.0, 40.0]
    assert (records.n_accepted, records.n_refused) == (8, 0)


def test_very_few_are_kept_and_said(tmp_path):
    lines = SMALL.splitlines()
    text = "\n".join([*lines[:4], *lines[6:]]) + "\n"  # one patient of the neck is left
    records = read_table(tmp_path, text, BLOCK)
    assert mean_of(records, "baseline", "odi") == pytest.approx((40 + 60 + 20 + 50 + 30) / 5)
    assert any("complaints elsewhere" in said for said in map(str, records.list_said("odi")))


@pytest.mark.parametrize("name", [it for it in list_instruments() if read_instrument(it).regions])
def test_every_instrument_with_regions_asks_and_both_answers_hold(tmp_path, name):
    instrument = read_instrument(name)
    name = name if not instrument.variant_required else f"{name}:{next(iter(instrument.subscales))}"
    regions = [it for it in read_schema()["episodes"]["region"].allowed if it != "other"]
    foreign = next(it for it in regions if it not in instrument.regions)
    table = draw_wide([name], 40)
    table["area"] = [foreign if number % 2 else instrument.regions[0] for number in range(40)]
    block = {"columns": {"patient_id": "id", "region": "area"}, "scores": describe_scores([name])}
    for score in block["scores"]:
        plain = [
            it for it, rule in instrument.scales.items() if (rule.get("factor"), rule.get("offset")) == (1, 0)
        ]
        score |= {"scale": plain[0]} if instrument.scale_required else {}
    asked = list_asked(tmp_path, table, block)
    assert "REGION_OTHER" in asked and "60 of 120" in asked["REGION_OTHER"]
    column = f"{name} month_3"
    for answer, kept in (("keep", table[column]), ("leave_out", table.loc[table["area"] != foreign, column])):
        records = read_table(tmp_path, table, block, other_regions={instrument.id: answer})
        assert mean_of(records, "month_3", instrument.id) == pytest.approx(kept.mean())


def test_measures_of_all_regions_and_files_without_regions_ask_nothing(tmp_path):
    table = draw_wide(["nprs:average", "odi"], 30)
    table["area"] = "neck"
    scores = describe_scores(["nprs:average"])
    assert (
        list_asked(tmp_path, table, {"columns": {"patient_id": "id", "region": "area"}, "scores": scores})
        == {}
    )
    assert list_asked(tmp_path, table, {"columns": {"patient_id": "id"}, "scores": ODI}) == {}
    neck = {"columns": {"patient_id": "id"}, "constants": {"region": "neck"}, "scores": ODI}
    assert list(list_asked(tmp_path, table, neck)) == ["REGION_OTHER"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"odi": "drop"}, 'write "keep" or "leave_out"'),
        ({"odl": "keep"}, "did you mean 'odi'"),
        ({"nprs": "keep"}, "any region"),
    ],
)
def test_a_wrong_answer_is_told(tmp_path, declared, message):
    with pytest.raises(FactsError, match=message):
        read_table(tmp_path, SMALL, BLOCK, other_regions=declared)


def test_the_shared_spreadsheet_equals_its_truth_when_the_answer_is_keep(shared, tmp_path):
    folder = shared / "cases" / "spreadsheets"
    table = pd.read_csv(folder / "redcap.csv", dtype=str, keep_default_na=False)
    items = [f"odi_{number}" for number in range(1, 11)]
    block = {
        "rows": "assessment",
        "columns": {"patient_id": "record_id", "timepoint": "redcap_event_name", "region": "region"},
        "codes": {
            "timepoint": {"baseline_arm_1": "baseline", "week_6_arm_1": "week_6", "month_3_arm_1": "month_3"},
            "region": {"1": "low_back", "2": "neck"},
        },
        "scores": [{"instrument": "odi", "items": items}],
    }
    assert list(list_asked(tmp_path, table, block)) == ["REGION_OTHER"]
    truth = pd.read_json(folder / "truth.json")
    kept = read_table(tmp_path, table, block, other_regions={"odi": "keep"})
    assert mean_of(kept, "baseline", "odi") == pytest.approx(truth["b"].mean())
    left = read_table(tmp_path, table, block, other_regions={"odi": "leave_out"})
    assert mean_of(left, "baseline", "odi") == pytest.approx(
        truth.loc[truth["reg"] == "low back", "b"].mean()
    )


def test_a_threshold_of_another_region_is_said_where_it_is_used(tmp_path):
    """The NPRS has no region, but its threshold was published for the low back."""
    table = draw_wide(["nprs:average"], 40)
    table["area"] = ["neck" if number % 2 else "low back" for number in range(40)]
    table["therapy"] = ["usual care", "exercise therapy", "manual therapy", "traction"] * 10
    primary = {"instrument": "nprs", "variant": "average", "timepoint": "month_3"}
    block = {
        "columns": {"patient_id": "id", "region": "area", "therapy": "therapy"},
        "scores": describe_scores(["nprs:average"]),
        "codes": {"therapy": {"exercise therapy": "strengthening"}},
    }
    found = count_responders(select_cohort(read_table(tmp_path, table, block, primary=primary)))
    said = (
        "estimated for non-specific low back pain, mixed duration, "
        "while patients here have other complaints too"
    )
    warned = [write(it) for it in found.warnings]
    assert f"The threshold ostelo-2008-absolute was {said}." in warned
    assert f"at least 2 points (Ostelo 2008, Spine 33:90, doi 10.1097/BRS.0b013e31815e3a10), {said}" in write(
        found.method
    )
    table["area"] = "low back"
    found = count_responders(select_cohort(read_table(tmp_path, table, block, primary=primary)))
    assert not any("estimated for" in write(it) for it in [*found.warnings, found.method])


def test_the_sheet_of_an_instrument_says_its_regions():
    assert "Made for these parts of the body: low back." in write_instrument_sheet("odi")
    assert "parts of the body" not in write_instrument_sheet("nprs")
