"""A reviewed exception lifts one rule for the very values that a person saw, for a year, and is told."""

from __future__ import annotations

import datetime as dt
import json
import tomllib

import pytest

from outcomes.cli.checking import describe_records
from outcomes.errors import PrivacyError
from outcomes.facts.source import build_source
from outcomes.records import read_records

TODAY = dt.date.today()
IDS = ["A123456789", "P0002"]


def read(folder, ids=IDS, exceptions="seen.toml"):
    """Read two patients; return what was said, and the records where they were read."""
    content = {
        "name": "two", "label": "two patients", "privacy_exceptions": exceptions, "k_min": 0,
        "file": [{
            "path": "a.csv", "rows": "episode", "columns": {"patient_id": "patient_id"},
            "scores": [{"instrument": "odi", "timepoint": "baseline", "column": "odi"}],
        }],
    }  # fmt: skip
    if exceptions is None:
        del content["privacy_exceptions"]
    rows = "\n".join(f"{id},{40 + 2 * i}" for i, id in enumerate(ids))
    (folder / "a.csv").write_text(f"patient_id,odi\n{rows}\n", encoding="utf-8")
    source = build_source(content, "two.toml", folder)
    try:
        records = read_records(source, folder / "a.csv", private_folder=folder / "private")
    except PrivacyError as error:
        assert not any(id in str(error) for id in ids if id.startswith("A"))
        return str(error), None
    return "\n".join(map(str, records.findings)), records


@pytest.fixture
def review(tmp_path):
    """Complete the entry that the gate left ready, with changes, and put it into the file of exceptions."""

    def complete(**changes):
        said, records = read(tmp_path, exceptions=None)
        assert records is None and "gate/two.toml" in said
        ready = tomllib.loads((tmp_path / "private" / "gate" / "two.toml").read_text(encoding="utf-8"))
        (entry,) = ready["exception"]
        entry |= {"reason": "numbers of a study", "reviewer": "data protection officer"}
        entry |= {"expires": str(TODAY + dt.timedelta(days=300)), **changes}
        lines = [f'{key} = "{value}"' for key, value in entry.items()]
        (tmp_path / "seen.toml").write_text("[[exception]]\n" + "\n".join(lines), encoding="utf-8")
        return entry

    return complete


def test_the_entry_that_stands_ready_lifts_its_rule_once_it_is_completed(review, tmp_path):
    entry = review()
    assert (entry["column"], entry["rule"], entry["reviewed"]) == ("patient_id", "PHI_TW_ID", str(TODAY))
    said, records = read(tmp_path)
    assert records.n_accepted == 2
    assert "accepted by a reviewed exception (data protection officer, until" in said
    assert "GATE_EXCEPTION" in said and "numbers of a study" in said and "in force until" in said


def day(offset):
    return str(TODAY + dt.timedelta(days=offset))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sha256": "0" * 64}, "the values changed since the review"),
        ({"reviewed": day(-400), "expires": day(-40)}, "it expired on"),
        ({"expires": day(400)}, "more than 366 days after its review"),
        ({"reviewed": day(-800), "expires": day(10)}, "more than 366 days after its review"),
        ({"reviewed": day(2)}, "its review lies in the future"),
        ({"reviewer": ""}, "it names no reason or no reviewer"),
        ({"reason": " "}, "it names no reason or no reviewer"),
        ({"expires": "next year"}, "its days are not written like"),
    ],
)
def test_an_exception_that_does_not_hold_is_told_and_lifts_nothing(review, tmp_path, changes, why):
    review(**changes)
    said, records = read(tmp_path)
    assert records is None
    assert said.count(why) == 2, said  # at the column, and among the exceptions


@pytest.mark.parametrize(
    "changes", [{"column": "*"}, {"rule": "*"}, {"column": "odi"}, {"rule": "PHI_EMAIL"}]
)
def test_no_exception_lifts_more_than_its_column_and_its_rule(review, tmp_path, changes):
    review(**changes)
    said, records = read(tmp_path)
    assert records is None
    assert "not needed: no column trips it" in said


def test_an_exception_is_void_as_soon_as_one_value_is_added(review, tmp_path):
    review()
    assert read(tmp_path)[1] is not None
    said, records = read(tmp_path, [*IDS, "P0003"])
    assert records is None and "the values changed since the review" in said


def test_no_key_of_a_source_turns_the_gate_off():
    from outcomes.errors import FactsError

    for key in ("skip_gate", "gate", "unsafe_skip_gate"):
        with pytest.raises(FactsError, match="unknown key"):
            build_source(
                {"name": "x", "label": "x", "file": [{"path": "a", "rows": "episode"}], key: False}, "x.toml"
            )


def test_check_and_the_private_record_list_exceptions_with_their_state(review, tmp_path, monkeypatch):
    review(expires=day(12))
    monkeypatch.chdir(tmp_path)
    _, records = read(tmp_path)
    (line,) = describe_records(records)["exceptions"]
    assert "in force until" in line and "which is soon" in line and "data protection officer" in line
    record = json.loads((tmp_path / "private" / "gate" / "two.json").read_text(encoding="utf-8"))
    (entry,) = record["exceptions"]
    assert entry["reason"] == "numbers of a study" and entry["state"] == f"in force until {day(12)}"
    assert record["files"].keys() == {"a.csv"} and record["day"] == str(TODAY)
    assert not (tmp_path / "private" / "gate" / "two.toml").exists()


def test_fingerprints_of_values_are_in_no_message(review, tmp_path):
    entry = review(sha256="0" * 64)
    said, _ = read(tmp_path)
    ready = (tmp_path / "private" / "gate" / "two.toml").read_text(encoding="utf-8")
    assert entry["sha256"] not in said
    assert tomllib.loads(ready)["exception"][0]["sha256"] not in said
