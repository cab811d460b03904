"""Scores that clinics record in opposite ways, on other scales or under a code: a source must say which."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.errors import FactsError
from outcomes.facts import list_loinc_codes, read_instrument
from outcomes.facts.source import build_source
from outcomes.records import read_records

WIDE = {
    "path": "a.csv",
    "rows": "episode",
    "columns": {"patient_id": "id", "therapy": "therapy"},
}
LONG = {
    "path": "a.csv",
    "rows": "assessment",
    "columns": {
        "patient_id": "id", "therapy": "therapy", "timepoint": "visit", "instrument": "measure",
        "score": "score",
    },
}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path):
    """Read one file by one block; gives the scores and the rules by which records were refused."""

    def read_file(text: str, block: dict):
        (tmp_path / "a.csv").write_text(text, encoding="utf-8")
        content = {
            "name": "by-hand",
            "label": "by hand",
            "max_refused_share": 1.0,
            "k_min": 0,
            "file": [block],
        }
        records = read_records(
            build_source(content, "by-hand.toml"), tmp_path, private_folder=tmp_path / "private"
        )
        table = records.assessments[["instrument", "variant", "score"]]
        scores = [
            tuple(None if value != value else value for value in row) for row in table.itertuples(index=False)
        ]
        return scores, {finding.rule: finding for finding in records.findings}

    return read_file


def one_score(**block: object) -> dict:
    return {**WIDE, "scores": [{"timepoint": "month_3", **block}]}


def test_a_rating_of_change_is_refused_until_its_coding_is_named(read):
    text = "id,therapy,change\n1,stretching,2\n"
    with pytest.raises(FactsError) as caught:
        read(text, one_score(instrument="pgic7", column="change"))
    said = str(caught.value)
    assert "recorded in opposite ways, and nothing says which" in said
    assert 'scale = "one_best" (1 = very much improved)' in said
    assert 'scale = "seven_best"' in said
    for scale, score in (("one_best", 2.0), ("seven_best", 6.0)):
        block = one_score(instrument="pgic7", column="change", scale=scale)
        assert read(text, block)[0] == [("pgic7", None, score)]


def test_as_an_item_it_is_refused_too(read):
    with pytest.raises(FactsError, match="give it as column"):
        read("id,therapy,change\n1,stretching,2\n", one_score(instrument="pgic7", items=["change"]))


def test_items_need_no_scale_where_they_are_computed(read):
    header = ",".join(f"k{number}" for number in range(7))
    block = one_score(instrument="koos_ps", items=header.split(","))
    assert read(f"id,therapy,{header}\n1,stretching,2,2,2,2,2,2,2\n", block)[0] == [("koos_ps", None, 59.7)]
    with pytest.raises(FactsError, match='"best_0" \\(0 = no difficulty, as first published\\)'):
        read("id,therapy,k\n1,stretching,40\n", one_score(instrument="koos_ps", column="k"))


def test_an_unknown_scale_is_answered_before_anything_is_read(read):
    with pytest.raises(FactsError, match="has no scale 'raw'"):
        read("id,therapy,odi\n1,stretching,20\n", one_score(instrument="odi", column="odi", scale="raw"))
    with pytest.raises(FactsError, match="did you mean 'percent'"):
        read("id,therapy,visit,measure,score\n", {**LONG, "scales": {"ndi": "percents"}})
    with pytest.raises(FactsError, match="There is no instrument 'nid'"):
        read("id,therapy,visit,measure,score\n", {**LONG, "scales": {"nid": "percent"}})


def test_a_long_file_declares_scales_by_instrument(read):
    text = "id,therapy,visit,measure,score\n1,stretching,month_3,ndi,40\n1,stretching,month_3,pgic7,6\n"
    scores, found = read(text, {**LONG, "scales": {"ndi": "percent", "pgic7": "seven_best"}})
    assert scores == [("ndi", None, 20.0), ("pgic7", None, 2.0)]
    scores, found = read(text, LONG)
    assert scores == [("ndi", None, 40.0)]
    assert found["SCALE_UNDECLARED"].count == 1
    assert 'add to [file.scales]: pgic7 = one of "one_best"' in str(found["SCALE_UNDECLARED"].remedy)


def test_coded_scores_find_their_instrument(read):
    codes = list_loinc_codes()
    assert codes["44261-6"] == "phq9"
    assert "61577-3" not in codes, "the code of one item is not that of a score"
    text = "id,therapy,visit,measure,score\n" + "".join(
        f"1,stretching,month_3,{code},{score}\n"
        for code, score in (("97909-6", 40), ("72514-3", 4), ("76700-4", 44.1), ("61577-3", 3))
    )
    scores, found = read(text, LONG)
    assert scores == [("nprs", None, 4.0), ("odi", None, 40.0), ("promis_pf_4a", "v1_0", 44.1)]
    assert found["INSTRUMENT_UNKNOWN"].count == 1


def test_every_verified_code_belongs_to_one_instrument_and_every_scale_says_what_it_is():
    codes = list_loinc_codes()
    for name in set(codes.values()):
        assert read_instrument(name).id == name.partition(":")[0]
    assert len(codes) == 12
