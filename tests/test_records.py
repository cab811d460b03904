"""From files to records: what is read, repaired, refused and computed, on hand-checkable tables."""

from __future__ import annotations

import os
import re
import stat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.errors import FactsError, OutcomesError, PrivacyError, RecordsError, RefusedShareError
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.checks.keys import find_copies
from outcomes.records.columns.coded import encode_text, sort_rows

LONG = {
    "path": "visits.csv",
    "rows": "assessment",
    "columns": {
        "patient_id": "id",
        "date": "date",
        "timepoint": "visit",
        "therapy": "therapy",
        "site": "clinic",
        "sex": "sex",
        "sessions_to_date": "sessions",
        "instrument": "instrument",
        "score": "score",
    },
}
WIDE = {
    "path": "patients.csv",
    "rows": "episode",
    "columns": {"patient_id": "id", "therapy": "therapy", "bmi": "bmi", "sex": "sex"},
    "scores": [
        {"instrument": "nprs", "variant": "average", "timepoint": "baseline", "column": "pain0"},
        {"instrument": "nprs", "variant": "average", "timepoint": "month_3", "column": "pain3"},
    ],
}


@pytest.fixture
def read(tmp_path):
    """Write files, read them as one source and return its records."""

    def read_files(*files, run_date="2026-11-23", **content):
        for text, block in files:
            (tmp_path / block["path"]).write_text(_unindent(text), encoding="utf-8")
        blocks = [block for _, block in files]
        content = {"name": "by-hand", "label": "by hand", "max_refused_share": 1.0, "k_min": 0, **content}
        source = build_source({**content, "file": blocks}, "by-hand.toml")
        return read_records(source, tmp_path, run_date=run_date, private_folder=tmp_path / "private")

    return read_files


def _unindent(text: str) -> str:
    return "\n".join(re.sub(r"\s*\|\s*", ",", line.strip()) for line in text.strip().splitlines()) + "\n"


def show(table: pd.DataFrame, *columns: str) -> list[list[object]]:
    return table[list(columns)].astype(object).where(table[list(columns)].notna(), None).to_numpy().tolist()


def rules(records) -> set[str]:
    return {finding.rule for finding in records.findings}


LONG_TABLE = """
    id   | date       | visit    | therapy        | clinic | sex | sessions | instrument | score
    0007 | 2026-01-05 | baseline | manual_therapy | A      | F   | 0        | NPRS       | 7
    0007 | 2026-02-16 | week_6   | manual_therapy | A      | F   | 6        | NPRS       | 4
    7    | 2026-01-07 | baseline | usual_care     | B      | m   | 0        | ODI        | 42
"""


def test_a_long_file_becomes_episodes_and_assessments(read):
    records = read((LONG_TABLE, LONG))
    assert (records.n_read, records.n_accepted, records.n_refused) == (3, 3, 0)
    assert show(records.episodes, "episode_id", "patient_id", "therapy", "site", "sex") == [
        ["0007", "0007", "manual_therapy", "A", "female"],
        ["7", "7", "usual_care", "B", "male"],
    ]
    assert show(
        records.assessments, "episode_id", "timepoint", "day", "instrument", "score", "sessions_to_date"
    ) == [
        ["0007", "baseline", 0, "nprs", 7.0, 0],
        ["0007", "week_6", 42, "nprs", 4.0, 6],
        ["7", "baseline", 0, "odi", 42.0, 0],
    ]
    # The newest date is 2026-02-16.
    assert records.episodes["observable_days"].tolist() == [42, 40]


def test_a_number_without_limits_is_refused_where_it_is_not_whole(read):
    columns = {**LONG["columns"], "observable_days": "seen"}
    table = """
        id | date       | visit    | therapy        | clinic | sex | sessions | instrument | score | seen
        1  | 2026-01-05 | baseline | manual_therapy | A      | F   | 0        | NPRS       | 7     | 300
        2  | 2026-01-07 | baseline | usual_care     | B      | M   | 0        | ODI        | 42    | 30.5
    """
    records = read((table, {**LONG, "columns": columns}))
    assert show(records.episodes, "observable_days") == [[300], [None]]
    (refused,) = (finding for finding in records.findings if finding.rule == "OBSERVABLE_RANGE")
    assert str(refused.what) == "not possible; allowed are whole numbers"
    assert (refused.outcome, refused.lines, refused.column) == ("quarantine_cell", (3,), "seen")


def test_a_wide_file_refuses_a_bad_cell_and_keeps_the_row(read):
    records = read(
        (
            """id,therapy,bmi,sex,pain0,pain3
            a,usual_care,51.1,F,7,3
            b,usual_care,25.0,M,11,4
            c,usual_care,27.5,X,6,4%
            d,,27.5,F,6,4""",
            WIDE,
        )
    )
    assert (records.n_read, records.n_refused) == (4, 1)
    assert show(records.refused, "line", "column", "rule", "scope") == [
        [2, "bmi", "BMI_RANGE", "cell"],
        [3, "pain0", "SCORE_RANGE", "cell"],
        [4, "pain3", "SCORE_UNIT_UNKNOWN", "cell"],
        [4, "sex", "CATEGORY_UNKNOWN", "cell"],
        [5, "therapy", "THERAPY_MISSING", "record"],
    ]
    assert show(records.assessments, "episode_id", "timepoint", "variant", "score") == [
        ["a", "baseline", "average", 7.0],
        ["a", "month_3", "average", 3.0],
        ["b", "month_3", "average", 4.0],
        ["c", "baseline", "average", 6.0],
    ]
    assert show(records.episodes, "bmi", "sex") == [[None, "female"], [25.0, "male"], [27.5, None]]


def test_items_are_scored_and_a_bad_item_is_not_a_blank_one(read):
    items = [f"q{number}" for number in range(1, 11)]
    block = {
        **WIDE,
        "columns": {"patient_id": "id"},
        "scores": [{"instrument": "odi", "timepoint": "baseline", "items": items, "missing": ["9"]}],
    }
    rows = [
        "a,2,2,2,2,2,2,2,2,2,2",
        "b,2,2,2,2,2,2,2,2,2,9",
        "c,2,2,2,2,2,2,2,2,2,7",
        "d,9,9,9,9,9,9,9,9,9,9",
    ]
    records = read(("\n".join([f"id,{','.join(items)}", *rows]), block))
    # a: 20 of 50; b: nine answered, 18 of 45; c: 7 is outside 0 to 5; d: nothing was answered.
    assert show(records.assessments, "episode_id", "score", "n_items_missing") == [
        ["a", 40.0, 0],
        ["b", 40.0, 1],
    ]
    assert show(records.refused, "line", "column", "rule", "scope") == [[4, "q10", "ITEM_RANGE", "cell"]]
    assert len(records.episodes) == 4


def test_a_recorded_total_is_held_against_the_items(read):
    items = [f"q{number}" for number in range(1, 11)]
    score = {"instrument": "odi", "timepoint": "baseline", "items": items, "column": "total"}
    block = {**WIDE, "columns": {"patient_id": "id"}, "scores": [score]}
    rows = ["a,2,2,2,2,2,2,2,2,2,2,40", "b,2,2,2,2,2,2,2,2,2,2,44", "c,,,,,,,,,,,30"]
    records = read(("\n".join([f"id,{','.join(items)},total", *rows]), block))
    assert show(records.assessments, "episode_id", "score") == [["a", 40.0], ["b", 40.0], ["c", 30.0]]
    named = {finding.rule: finding.lines for finding in records.findings}
    assert named["SCORE_TOTAL_DIFFERS"] == (3,)
    assert named["SCORE_TOTAL_ONLY"] == (4,)


def test_files_of_one_source_are_joined_on_the_episode(read):
    episodes = {
        "path": "episodes.csv",
        "rows": "episode",
        "columns": {"episode_id": "ep", "patient_id": "id", "therapy": "therapy", "start_date": "start"},
    }
    visits = {
        "path": "visits.csv",
        "rows": "assessment",
        "columns": {"episode_id": "ep", "date": "date"},
        "scores": [
            {"instrument": "odi", "column": "odi"},
            {"instrument": "pgic7", "column": "pgic", "scale": "one_best"},
        ],
    }
    sessions = {
        "path": "sessions.csv",
        "rows": "session",
        "columns": {"episode_id": "ep", "date": "date", "therapy": "given", "minutes": "minutes"},
    }
    events = {
        "path": "events.csv",
        "rows": "event",
        "columns": {"episode_id": "ep", "day": "day", "event": "event"},
    }
    records = read(
        ("ep,id,therapy,start\n1,x,usual_care,2026-01-05\n2,x,stretching,2026-03-01", episodes),
        ("ep,date,odi,pgic\n1,2026-01-03,40,\n1,2026-02-16,20,2\n9,2026-02-16,20,2", visits),
        (
            "ep,date,given,minutes\n1,2026-01-06,usual_care,30\n1,2026-01-13,usual_care,\n2,2026-03-01,stretching,999",
            sessions,
        ),
        ("ep,day,event\n2,12,injection", events),
    )
    assert show(records.episodes, "episode_id", "patient_id", "therapy", "n_sessions") == [
        ["1", "x", "usual_care", 2],
        ["2", "x", "stretching", 1],
    ]
    assert show(records.assessments, "episode_id", "day", "instrument", "score") == [
        ["1", -2, "odi", 40.0],
        ["1", 42, "odi", 20.0],
        ["1", 42, "pgic7", 2.0],
    ]
    assert show(records.sessions, "episode_id", "day", "minutes") == [
        ["1", 1, 30.0],
        ["1", 8, None],
        ["2", 0, None],
    ]
    assert show(records.events, "episode_id", "day", "event") == [["2", 12, "injection"]]
    assert show(records.refused, "file", "line", "rule", "scope") == [
        ["visits.csv", 4, "EPISODE_UNKNOWN", "record"],
        ["sessions.csv", 4, "MINUTES_RANGE", "cell"],
    ]


def test_excluded_records_are_accepted_and_need_no_therapy(read):
    block = {**WIDE, "exclude": [{"column": "kind", "values": ["0"], "reason": "healthy control"}]}
    records = read(("id,therapy,bmi,sex,pain0,pain3,kind\na,,25,F,0,0,0\nb,usual_care,25,F,7,3,1", block))
    assert records.n_refused == 0
    assert show(records.episodes, "episode_id", "therapy", "excluded") == [
        ["a", None, "healthy control"],
        ["b", "usual_care", None],
    ]


def test_a_changed_therapy_stays_under_the_planned_one_and_becomes_an_event(read):
    table = """id,date,visit,therapy,clinic,sex,sessions,instrument,score
        a,2026-02-16,week_6,stretching,A,F,6,NPRS,4
        a,2026-01-05,baseline,usual_care,A,F,0,NPRS,7"""
    records = read((table, LONG))
    assert records.episodes["therapy"].tolist() == ["usual_care"]
    assert show(records.events, "episode_id", "day", "event") == [["a", 42, "therapy_switch"]]


def test_contradicting_records_are_refused_and_their_patient_is_excluded(read):
    table = """id,date,visit,therapy,clinic,sex,sessions,instrument,score
        a,2026-01-05,baseline,usual_care,A,F,0,NPRS,7
        a,2026-01-05,baseline,usual_care,A,F,0,NPRS,3
        a,2026-02-16,week_6,usual_care,A,F,6,NPRS,4
        b,2026-01-05,baseline,usual_care,A,F,0,NPRS,7"""
    records = read((table, LONG))
    assert records.refused["rule"].tolist() == ["KEY_CONFLICT", "KEY_CONFLICT"]
    assert records.episodes.set_index("episode_id")["excluded"].notna().to_dict() == {"a": True, "b": False}


def test_missing_codes_and_scales_of_a_source(read):
    block = {
        "path": "patients.csv",
        "rows": "episode",
        "columns": {"patient_id": "id", "sex": "sex"},
        "missing": ["*"],
        "codes": {"sex": {"1": "male", "2": "female"}},
        "scores": [
            {
                "instrument": "odi",
                "timepoint": "baseline",
                "column": "sum",
                "scale": "raw_0_50",
                "missing": ["999"],
            },
            {"instrument": "pgic7", "timepoint": "month_3", "column": "change", "scale": "seven_best"},
        ],
    }
    records = read(("id,sex,sum,change\na,2.0,21,7\nb,*,999.0,1\nc,1,NaN,<undefined>", block))
    assert show(records.assessments, "episode_id", "instrument", "score") == [
        ["a", "odi", 42.0],
        ["a", "pgic7", 1.0],
        ["b", "pgic7", 7.0],
    ]
    assert show(records.episodes, "sex") == [["female"], [None], ["male"]]


@pytest.mark.parametrize(
    ("form", "text", "day"),
    [
        ({"date_order": "day-first"}, "16/02/2026", 42),
        ({"date_order": "month-first"}, "02/16/2026", 42),
        ({"date_calendar": "roc"}, "115/02/16", 42),
        ({"date_calendar": "roc"}, "1150216", 42),
        ({"date_calendar": "excel1900"}, "46069", 42),
        ({"date_calendar": "excel1904"}, "44607", 42),
        ({}, "20260216", 42),
        ({}, "2026-02-15T23:30:00+00:00", 42),
        ({}, "２０２６-０２-１６", 42),
    ],
)
def test_dates_are_read_in_the_declared_form(read, form, text, day):
    block = {
        **LONG,
        **form,
        "columns": {"patient_id": "id", "date": "date"},
        "scores": [{"instrument": "odi", "column": "odi"}],
    }
    records = read((f"id,date,odi\na,2026-01-05,40\na,{text},20", block), time_zone="Asia/Taipei")
    assert records.assessments["day"].tolist() == [0, day]


def test_a_lone_serial_among_many_dates_refuses_its_record_only(read):
    block = {
        **LONG,
        "columns": {"patient_id": "id", "date": "date"},
        "scores": [{"instrument": "odi", "column": "odi"}],
    }
    rows = [f"p{number},2026-01-{1 + number % 28:02d},{20 + number}" for number in range(0, 80, 2)]
    records = read(("\n".join(["id,date,odi", *rows, "q,46000,40"]), block))
    assert show(records.refused, "line", "rule") == [[42, "DATE_EXCEL_SERIAL"]]


def test_joined_therapies_are_combined_only_where_the_source_says_so(read):
    block = {**WIDE, "therapy_separator": ";", "codes": {"therapy": {"stretching;manual": "combined_pt"}}}
    table = "id,therapy,bmi,sex,pain0,pain3\na,manual; stretching,25,F,7,3\nb,stretching;aerobic,25,F,7,3"
    records = read((table, block))
    assert records.episodes["therapy"].tolist() == ["combined_pt"]
    assert records.refused["rule"].tolist() == ["THERAPY_MULTI"]


def test_rekeyed_ids_are_the_same_in_every_file_and_tell_nothing(read, tmp_path):
    table = "id,therapy,bmi,sex,pain0,pain3\nMRN001,usual_care,25,F,7,3\nMRN002,usual_care,25,F,6,3"
    first = read((table, WIDE), rekey=True)
    again = read((table, WIDE), rekey=True)
    ids = first.episodes["patient_id"].tolist()
    assert ids == again.episodes["patient_id"].tolist() == sorted(ids)
    assert not any("MRN" in id for id in ids)
    (key,) = (tmp_path / "private" / "keys").iterdir()
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_refused_values_are_kept_privately_and_named_nowhere(read, tmp_path):
    records = read(("id,therapy,bmi,sex,pain0,pain3\na,usual_care,25,F,7 and a half,3", WIDE))
    kept = tmp_path / "private" / "quarantine" / "by-hand" / "refused.csv"
    table = pd.read_csv(kept, dtype=str)
    assert table[["file", "line", "column", "rule", "value"]].to_numpy().tolist() == [
        ["patients.csv", "2", "pain0", "SCORE_NOT_NUMERIC", "7 and a half"],
    ]
    assert len(table["sha256"][0]) == 64
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    told = "\n".join([*map(str, records.findings), repr(records), records.refused.to_string()])
    assert "half" not in told


def test_too_many_refused_records_end_in_their_own_error(read):
    table = "id,therapy,bmi,sex,pain0,pain3\na,usual_care,25,F,7,3\nb,,25,F,7,3"
    with pytest.raises(RefusedShareError) as caught:
        read((table, WIDE), max_refused_share=0.05)
    assert caught.value.exit_code == 5
    assert "THERAPY_MISSING" in str(caught.value)


def test_all_problems_of_a_source_come_at_once(read):
    block = {
        **LONG,
        "columns": {"patient_id": "id", "date": "date"},
        "scores": [{"instrument": "nprs", "column": "pain"}],
    }
    rows = ["1.23457E+11,03/04/2026,70", "p1,04/04/2026,60", "P1,05/04/2026,50"]
    with pytest.raises(RecordsError) as caught:
        read(("\n".join(["id,date,pain", *rows]), block))
    found = {finding.rule for finding in caught.value.findings if finding.outcome == "refuse_file"}
    assert found >= {"KEY_EXCEL_DAMAGED", "KEY_NEAR_DUPLICATE", "DATE_AMBIGUOUS"}
    assert all(finding.remedy for finding in caught.value.findings if finding.outcome == "refuse_file")


def test_a_wrong_declaration_is_told_with_the_nearest_right_one(read):
    block = {**WIDE, "columns": {"patient_id": "id", "theraphy": "therapy"}, "codes": {"sex": {"1": "man"}}}
    block["scores"] = [{"instrument": "odii", "timepoint": "month3", "column": "odi"}]
    with pytest.raises(FactsError) as caught:
        read(("id,therapy,odi\na,usual_care,40", block))
    message = str(caught.value)
    assert "did you mean 'therapy'?" in message
    assert "'odi'" in message
    assert "did you mean 'month_3'?" in message
    assert caught.value.exit_code == 2


def test_an_age_band_source_and_a_top_coded_one(read):
    block = {**WIDE, "columns": {"patient_id": "id", "age_years": "age"}, "top_code": {"age_years": 89}}
    assert read(("id,age,pain0,pain3\na,93,7,3\nb,45,7,3", block)).episodes["age_years"].tolist() == [89, 45]
    del block["top_code"]
    with pytest.raises(PrivacyError):
        read(("id,age,pain0,pain3\na,93,7,3\nb,45,7,3", block))


def test_a_record_of_the_wrong_shape_does_not_move_those_of_the_next_file(read):
    """Two files of visits, the first with a line too short: sessions and planned therapy stay in place."""
    first = """
        id | date       | visit    | therapy    | clinic | sex | sessions | instrument | score
        a  | 2026-01-05 | baseline | stretching | x      | F   | 0        | NPRS       | 7
        a  | 2026-02-16 | week_6   | stretching | x      | F   | 5        | NPRS       | 4
        a  | 2026-02-17
    """
    second = """
        id | date       | visit    | therapy    | clinic | sex | sessions | instrument | score
        b  | 2026-02-16 | week_6   | usual_care | x      | F   | 8        | NPRS       | 3
        b  | 2026-01-05 | baseline | stretching | x      | F   | 1        | NPRS       | 6
    """
    records = read((first, LONG), (second, {**LONG, "path": "later.csv"}))
    assert show(records.episodes, "episode_id", "therapy") == [["a", "stretching"], ["b", "stretching"]]
    assert show(records.assessments, "episode_id", "timepoint", "score", "sessions_to_date") == [
        ["a", "baseline", 7.0, 0.0], ["a", "week_6", 4.0, 5.0],
        ["b", "baseline", 6.0, 1.0], ["b", "week_6", 3.0, 8.0],
    ]  # fmt: skip
    assert records.n_refused == 1


def test_the_same_files_give_the_same_records_and_fingerprint(read):
    table = "id,therapy,bmi,sex,pain0,pain3\na,usual_care,25,F,7,3\nb,usual_care,26,M,11,3"
    first, second = read((table, WIDE)), read((table, WIDE))
    assert first.fingerprint == second.fingerprint
    assert first.findings == second.findings
    pd.testing.assert_frame_equal(first.assessments, second.assessments)
    assert read((table.replace("26", "27"), WIDE)).fingerprint != first.fingerprint


CELL = st.sampled_from(
    ["7", "4", "11", "-1", "99", "", "None", "7/10", "inf", "７", "nan", "1,234", "0.5", "<b>", "=1+1"]
)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", ""]),
            st.sampled_from(["2026-01-05", "2026-02-16", "2026-02-30", "9999-12-31", ""]),
            st.sampled_from(["baseline", "week_6", "later", ""]),
            st.sampled_from(["usual_care", "Usual Care", "None", "", "x", "stretching"]),
            st.sampled_from(["NPRS", "ODI", "XYZ", ""]),
            CELL,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_stands_in_the_cells_nothing_is_lost_and_no_bug_escapes(read, rows):
    header = "id,date,visit,therapy,clinic,sex,sessions,instrument,score"
    lines = [f'{a},{b},{c},{d},A,F,0,{e},"{f}"' for a, b, c, d, e, f in rows]
    try:
        records = read(("\n".join([header, *lines]), LONG))
    except OutcomesError as error:
        assert error.exit_code in (3, 4)
        return
    assert records.n_read == len(rows) == records.n_accepted + records.n_refused
    assert (records.refused["scope"] == "record").sum() == records.n_refused
    scores = records.assessments["score"].dropna()
    assert scores.between(0, 100).all()
    assert set(records.assessments["episode_id"]) <= set(records.episodes["episode_id"])
    keys = records.assessments[["episode_id", "timepoint", "day", "instrument", "variant"]]
    assert not keys.duplicated().any()


@given(st.permutations([0, 1, 2, 3]))
@settings(max_examples=24)
def test_the_order_of_rows_does_not_matter(read, order):
    lines = [
        "a,2026-01-05,baseline,usual_care,A,F,0,NPRS,7",
        "a,2026-02-16,week_6,usual_care,A,F,6,NPRS,4",
        "b,2026-01-07,baseline,stretching,B,M,0,ODI,42",
        "b,2026-02-20,week_6,stretching,B,M,8,ODI,20",
    ]
    header = "id,date,visit,therapy,clinic,sex,sessions,instrument,score"
    shuffled = read(("\n".join([header, *(lines[i] for i in order)]), LONG))
    straight = read(("\n".join([header, *lines]), LONG))
    pd.testing.assert_frame_equal(shuffled.episodes, straight.episodes)
    columns = ["episode_id", "timepoint", "day", "instrument", "score"]
    assert show(shuffled.assessments, *columns) == show(straight.assessments, *columns)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=30))
def test_copies_are_the_rows_that_pandas_calls_duplicated(rows):
    table = pd.DataFrame(rows, columns=["a", "b"])
    found = find_copies([table["a"].to_numpy(np.int32), table["b"].to_numpy(np.int32)])
    assert found.tolist() == table.duplicated().tolist()


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-(2**31), 2**31 - 1)), max_size=30))
def test_rows_are_sorted_as_tuples_are(rows):
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    order = sort_rows(table[:, 0], table[:, 1])
    assert [tuple(row) for row in table[order]] == sorted(rows)


def test_encoding_keeps_every_text_as_it_stands():
    import pyarrow as pa

    coded = encode_text(pa.chunked_array([["0007", "7"], ["7", None]]))
    assert coded.spread("-").tolist() == ["0007", "7", "7", "-"]
    assert coded.rows(coded.values == "7").tolist() == [False, True, True, False]


@pytest.mark.parametrize("blocks", [[LONG], [LONG, WIDE]], ids=["one file", "several files"])
def test_a_path_that_leads_nowhere_is_told_as_such(tmp_path, blocks):
    source = build_source({"name": "by-hand", "label": "by hand", "file": blocks}, "by-hand.toml")
    with pytest.raises(RecordsError, match="there is no such file or folder") as caught:
        read_records(source, tmp_path / "absent", private_folder=tmp_path / "private")
    assert {finding.rule for finding in caught.value.findings} == {"FILE_NOT_FOUND"}


def test_full_width_numbers_and_the_minus_sign_are_read_and_a_raised_digit_is_no_digit(read):
    table = """
        id | therapy      | bmi  | sex | pain0 | pain3
        P1 | manual       | ２４ | f   | ７    | 3
        P2 | ｍａｎｕａｌ | 24²  | f   | 1²    | −2
        """
    records = read((table, {**WIDE, "codes": {"therapy": {"manual": "manual_therapy"}}}))
    assert show(records.episodes, "patient_id", "bmi", "therapy") == [
        ["P1", 24.0, "manual_therapy"],
        ["P2", None, "manual_therapy"],
    ]
    assert records.assessments["score"].tolist() == [7.0, 3.0]
    assert {"UNICODE_NFKC", "SCORE_NOT_NUMERIC", "SCORE_RANGE"} <= rules(records)
