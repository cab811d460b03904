"""The gate refuses what identifies people, by header and by value, and lets everything else pass."""

from __future__ import annotations

import csv
import logging
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_corpus.columns import WORDS
from gate_corpus.issued_numbers import list_checked_numbers, make_phone
from outcomes.errors import PrivacyError
from outcomes.facts import read_therapies
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.gate.identifiers import is_taiwan_number
from outcomes.records.gate.inspection import find_identifying
from outcomes.records.gate.patterns import exceeds_chance, match_header
from outcomes.records.gate.person_names import find_person_names
from outcomes.records.text_table import TextTable


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


CLEAN = {
    "patient_id": [f"P{number // 2:05d}" for number in range(5000)],
    "visit": [f"2026-0{1 + 4 * (number % 2)}-{1 + number % 28:02d}" for number in range(5000)],
    "clinic": [f"clinic {number // 2 % 7}" for number in range(5000)],
    "therapist": [f"T{number // 2 % 40:02d}" for number in range(5000)],
    "age_band": [f"{30 + 10 * (number // 2 % 5)}-{39 + 10 * (number // 2 % 5)}" for number in range(5000)],
    "pain": [str(number % 11) for number in range(5000)],
}
CLEAN_SOURCE = {
    "name": "clean",
    "label": "five thousand clean rows",
    "k_min": 0,
    "file": [
        {
            "path": "clean.csv",
            "rows": "assessment",
            "columns": {
                "patient_id": "patient_id",
                "date": "visit",
                "site": "clinic",
                "therapist": "therapist",
                "age_band": "age_band",
            },
            "scores": [{"instrument": "nprs", "column": "pain"}],
        }
    ],
}


def list_identifiers() -> list[str]:
    """Return identifiers of every kind that is certain: numbers, phones, addresses of mail and web."""
    draw = random.Random(20261127)
    found = [text for _, text in list_checked_numbers(draw, WORDS["checked"], 3)]
    for region, forms in WORDS["phone_forms"].items():
        found += [make_phone(draw, region, form) for form in forms]
    return [*found, *WORDS["texts"]["mails"], *WORDS["texts"]["links"], *WORDS["texts"]["phones"]]


def read_clean(folder, header=None, row=0, value="") -> tuple[str, set[int]]:
    """Read the clean file with one value planted; return what was said and which lines a refusal names."""
    columns = {name: list(values) for name, values in CLEAN.items()}
    if header is not None:
        columns[header][row] = value
    with (folder / "clean.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    try:
        records = read_records(
            build_source(CLEAN_SOURCE, "clean.toml"), folder, private_folder=folder / "private"
        )
    except PrivacyError as error:
        refused = (finding for finding in error.findings if finding.outcome == "refuse_file")
        return str(error), {line for finding in refused for line in finding.lines}
    return "\n".join(map(str, records.findings)), set()


def test_the_clean_file_passes(tmp_path):
    assert read_clean(tmp_path)[1] == set()


@settings(max_examples=150)
@given(
    header=st.sampled_from(sorted(CLEAN)), row=st.integers(0, 4999), value=st.sampled_from(list_identifiers())
)
def test_one_identifier_planted_anywhere_in_a_clean_file_is_refused_and_never_said(
    tmp_path, caplog, header, row, value
):
    caplog.set_level(logging.DEBUG)
    said, lines = read_clean(tmp_path, header, row, value)
    assert row + 2 in lines
    digits = "".join(sign for sign in value if sign.isdigit())
    for text in (said, caplog.text):
        assert value not in text
        assert len(digits) < 7 or digits not in text


@pytest.mark.parametrize(
    ("header", "is_name"),
    [
        ("nombre de séances", False), ("Nombre total de visites", False), ("Nombre de jours d'arrêt", False),
        ("nombre_de_seances", False), ("Nombre d'épisodes", False), ("nb de séances", False),
        ("nombre", True), ("nombre del paciente", True), ("Nombre de la paciente", True),
        ("nombre y apellidos", True), ("nombre de pila", True), ("nombre de usuario", True),
        ("nombre del paciente (visitas)", True), ("nom du patient", True),
    ],
)  # fmt: skip
def test_a_number_of_things_in_french_is_no_name_in_spanish(header, is_name):
    assert (match_header(header) is not None) == is_name


CARE = (
    "Manuelle Therapie", "Kraft Training", "Dry Needling", "Terapia Manual", "Terapia Física",
    "Thérapie Manuelle", "Renforcement Musculaire", "Usual Care", "Core Stability", "Motor Control",
    "Soins Usuels", "Atención Habitual", "Punción Seca", "Schroth", "McKenzie", "Mulligan", "Maitland",
    "Pilates", "Bobath", "Vojta", "Mc Kenzie", "Back School", "Shock Wave",
)  # fmt: skip


def list_names_of_therapies() -> list[str]:
    names = list(CARE)
    for therapy in read_therapies().values():
        labels = (therapy.labels or {}).values()
        names += [therapy.id, therapy.label, therapy.short_label, *therapy.aliases, *labels]
    return [spelling for name in names for spelling in (name, name.title(), name.upper(), name.lower())]


def test_no_name_of_a_therapy_is_a_persons_name():
    names = list_names_of_therapies()
    assert [name for name, found in zip(names, find_person_names(names), strict=True) if found] == []
    assert not refuses(CARE * 3, header="care", name="therapy")


def test_a_name_beside_a_word_of_care_stays_a_name():
    names = ["Maria Therapie", "Peter Kraft", "Kraft, Anna", "Schule, Peter", "Dr Kraft", "Anna School"]
    assert find_person_names(names).all()
