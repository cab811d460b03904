"""The gate refuses what identifies people, by header and by value, and lets everything else pass."""

from __future__ import annotations

import datetime as dt
import hashlib
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcomes.errors import PrivacyError
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.files.text_table import TextTable
from outcomes.records.gate.column_values import exceeds_chance
from outcomes.records.gate.identifiers import is_taiwan_number
from outcomes.records.gate.inspection import find_identifying


def gate(values, header="clinic", name="site", rows="assessment", **source):
    """Return the gate's findings on one column."""
    content = {"name": "one-column", "label": "one column", **source}
    columns = {"patient_id": "key", name: header} if name != "patient_id" else {name: header}
    content["file"] = [{"path": "a.csv", "rows": rows, "columns": columns}]
    built = build_source(content, "one-column.toml")
    table = pa.table({header: pa.array([str(value) for value in values]).dictionary_encode()})
    lines = np.arange(2, len(values) + 2, dtype=np.int32)
    text = TextTable("a.csv", table, lines, (header,), (), (), len(values), "0" * 64)
    return find_identifying(text, built.files[0], built)


def refuses(values, **column) -> set[str]:
    return {finding.rule for finding in gate(values, **column) if finding.outcome == "refuse_file"}


def make_taiwan_number(random_, second="12"):
    while True:
        number = (
            random_.choice("ABCDEFGHJKLMNPQRSTUVXYWZIO")
            + random_.choice(second)
            + f"{random_.randrange(10**8):08d}"
        )
        if is_taiwan_number(number):
            return number


def list_identifying_values():
    """Return labelled values, each of which must refuse a column of clinics on its own."""
    draw = random.Random(20261123)
    values = [("PHI_TW_ID", make_taiwan_number(draw)) for _ in range(60)]
    values += [("PHI_TW_ARC", make_taiwan_number(draw, "89")) for _ in range(20)]
    values += [("PHI_TW_ARC", make_taiwan_number(draw, "ABCD")) for _ in range(20)]
    for i in range(30):
        values.append(("PHI_EMAIL", f"p.{draw.choice('abcdef')}{i}@mail{i}.example.org"))
        values.append(
            ("PHI_PHONE", f"09{draw.randrange(10, 90)}-{draw.randrange(1000):03d}-{draw.randrange(1000):03d}")
        )
        values.append(("PHI_PHONE", f"+886 2 2{draw.randrange(100, 999)} {draw.randrange(1000, 9999)}"))
        values.append(("PHI_PATTERN", f"https://records.example.org/patient/{i}"))
        values.append(("PHI_PATTERN", f"10.{i}.7.{200 + i}"))
        values.append(("PHI_PATTERN", f"00:1a:2b:{i:02x}:4d:5e"))
        values.append(("PHI_FULL_DATE", f"19{40 + i}-0{1 + i % 9}-1{i % 10}"))
        values.append(("PHI_PATTERN", f"{520 + i}-{10 + i}-{1000 + i}"))
    named = [
        "GB29 NWBK 6016 1331 9268 19",
        "DE89370400440532013000",
        "1M8GDM9AXKP042788",
        "943 476 5919",
        "9434765919",
    ]
    values += [
        ("PHI_PATTERN", value)
        for value in [*named, "4111 1111 1111 1111", "11010519491231002X", "1EG4-TE5-MK73"]
    ]
    values += [
        ("PHI_GEO", value)
        for value in ["SW1A 1AA", "25.0330, 121.5654", "台北市大安區和平東路一段", "12 Long Lane"]
    ]
    values += [
        ("PHI_NAME", value) for value in ["Dr Lee", "Mrs Wood", "Mr. Evans", "王小姐", "林醫師", "Frau Meier"]
    ]
    return values


@pytest.mark.parametrize(("rule", "value"), list_identifying_values())
def test_one_identifying_value_among_clinics_is_refused(rule, value):
    assert rule in refuses(["A", "B", value, "A"])


def test_declared_dates_and_scores_pass():
    assert not refuses(["2026-01-05", "115/03/04", "05/01/2026"], header="visit", name="date")
    assert not refuses(["2026-01-05T08:30:00+08:00"], header="visit", name="date")
    assert not refuses(["7", "43.333", "-3", "1e5", "999"], header="score", name="day")


def test_full_dates_are_refused_under_safe_harbor():
    assert refuses(["2026-01-05"], header="visit", name="date", privacy_profile="safe_harbor") == {
        "PHI_FULL_DATE"
    }


def test_ages_over_89_are_refused_unless_they_are_top_coded():
    assert refuses(["40", "93"], header="age", name="age_years", rows="episode") == {"PHI_AGE_OVER_89"}
    assert not refuses(["40", "89"], header="age", name="age_years", rows="episode")


def test_names_of_patients_and_therapists_are_refused():
    assert "PHI_NAME" in refuses(["Tina Wood", "Olga Green", "Paul Wright"], header="who", name="patient_id")
    assert "PHI_NAME" in refuses(
        ["王小明", "陳美玲", "林志豪"], header="治療師代號", name="therapist", rows="episode"
    )
    assert not refuses(["North Clinic", "Harbour House", "Old Mill"], header="clinic", name="site")


def test_a_record_number_is_accepted_only_where_ids_are_rekeyed():
    numbers = [f"{number:08d}" for number in range(100, 200)]
    assert refuses(numbers, header="MRN", name="patient_id") == {"PHI_COLUMN_NAME"}
    assert not refuses(numbers, header="MRN", name="patient_id", rekey=True)
    assert "PHI_TW_ID" in refuses(["A123456789"], header="MRN", name="patient_id", rekey=True)


def test_a_weak_check_refuses_an_id_column_only_beyond_chance():
    draw = random.Random(3)
    ids = [str(draw.randrange(10**9, 10**10)) for _ in range(500)]
    assert not refuses(ids, header="patient_id", name="patient_id")
    nhs = [number for number in (str(n) for n in range(9_434_765_000, 9_434_766_000)) if _is_nhs(number)]
    assert refuses(nhs, header="patient_id", name="patient_id") == {"PHI_PATTERN"}


def _is_nhs(number: str) -> bool:
    rest = 11 - sum(int(digit) * weight for digit, weight in zip(number, range(10, 1, -1), strict=False)) % 11
    return rest != 10 and int(number[9]) == rest % 11


def test_chance_is_bounded_by_the_binomial_tail():
    # scipy 1.17.1: binom.sf(39, 200, 0.1) = 1.70e-5 and binom.sf(24, 200, 0.1) = 0.145.
    # The bounds are larger, 1.4e-4 and 0.52, so that they never refuse more than the exact tail would.
    assert exceeds_chance(40, 200, 0.1)
    assert not exceeds_chance(25, 200, 0.1)


def test_a_reviewed_exception_lifts_its_rule_for_these_values_and_this_year_only(tmp_path):
    values = ["A123456789", "P0002"]
    fingerprint = hashlib.sha256("\n".join(sorted(values)).encode()).hexdigest()

    def refused(**changes):
        entry = {
            "column": "patient_id",
            "rule": "PHI_TW_ID",
            "sha256": fingerprint,
            "reason": "numbers of a study",
            "reviewer": "data protection officer",
            "reviewed": str(dt.date.today()),
            "expires": str(dt.date.today() + dt.timedelta(days=300)),
            **changes,
        }
        lines = [f'{key} = "{value}"' for key, value in entry.items()]
        (tmp_path / "seen.toml").write_text("[[exception]]\n" + "\n".join(lines), encoding="utf-8")
        return _read_two_patients(tmp_path, values)

    assert refused() is None
    assert refused(sha256="0" * 64).exit_code == 4
    assert refused(expires=str(dt.date.today() + dt.timedelta(days=800))).exit_code == 4
    assert refused(expires=str(dt.date.today() - dt.timedelta(days=1))).exit_code == 4
    assert refused(reviewer="").exit_code == 4


def _read_two_patients(folder, ids):
    content = {
        "name": "two", "label": "two patients", "privacy_exceptions": "seen.toml",
        "file": [{
            "path": "a.csv", "rows": "episode", "columns": {"patient_id": "patient_id"},
            "scores": [{"instrument": "odi", "timepoint": "baseline", "column": "odi"}],
        }],
    }  # fmt: skip
    rows = "\n".join(f"{id},{40 + 2 * i}" for i, id in enumerate(ids))
    (folder / "a.csv").write_text(f"patient_id,odi\n{rows}\n", encoding="utf-8")
    try:
        read_records(
            build_source(content, "two.toml", folder), folder / "a.csv", private_folder=folder / "private"
        )
    except PrivacyError as error:
        assert not any(id in str(error) for id in ids)
        return error
    return None


CLEAN = {
    "patient_id": [f"P{number:05d}" for number in range(5000)],
    "clinic": [f"clinic {number % 7}" for number in range(5000)],
    "therapist": [f"T{number % 40:02d}" for number in range(5000)],
    "age_band": [f"{30 + 10 * (number % 5)}-{39 + 10 * (number % 5)}" for number in range(5000)],
}
NAMES = {"patient_id": "patient_id", "clinic": "site", "therapist": "therapist", "age_band": "age_band"}
STRONG = [value for rule, value in list_identifying_values() if rule != "PHI_NAME"]


def test_the_clean_columns_pass():
    for header, values in CLEAN.items():
        assert not refuses(values, header=header, name=NAMES[header])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.sampled_from(sorted(CLEAN)),
    row=st.integers(0, 4999),
    value=st.sampled_from(
        [value for value in STRONG if not value.isdigit() and value != "4111 1111 1111 1111"]
    ),
)
def test_one_identifier_planted_anywhere_in_a_clean_file_is_refused(header, row, value):
    values = list(CLEAN[header])
    values[row] = value
    found = gate(values, header=header, name=NAMES[header])
    assert any(finding.outcome == "refuse_file" and row + 2 in finding.lines for finding in found)
    assert not any(value in str(finding) for finding in found)
