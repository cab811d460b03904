"""Canaries: ids, days, ages, therapists, remarks, scores and whole rows of records, looked for in every byte.

The records are made up and every value that a patient could be known by is made unmistakable: an age and
scores with five decimals, ids and names that stand nowhere else. Whatever a page for either audience
publishes is unpacked and searched in all the encodings of `searching`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_pages import make_page, work_in
from searching import find_any, find_planted, join_row, list_date_forms, list_forms, read_everything

from outcomes.reports import run_report
from outcomes.synthetic import write_clinic

REPORTS = ("therapy_comparison", "trend", "data_quality")
REMARK = "fell off a ladder while drunk"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """A clinic of 150 episodes full of canaries, with its pages for both audiences."""
    folder = tmp_path_factory.mktemp("canaries")
    with work_in(folder):
        write_clinic(Path("records"), n_episodes=150, seed=11)
        plant_canaries(Path("records"))
        for name in REPORTS:
            make_page(name)
        for name in REPORTS[:1]:
            run_report(name, {"audience": "team"}, path="records", out="pages")
    return folder


def plant_canaries(records: Path) -> None:
    """Make every value of the records unmistakable."""
    draw = np.random.default_rng(5)
    episodes = pd.read_csv(records / "episodes.csv", dtype="str")
    episodes["patient_id"] = "QX" + episodes["patient_id"].str[1:] + "ZJ"
    episodes["therapist"] = "Okonjo-" + episodes["therapist"]
    episodes["remarks"] = REMARK + " in " + episodes["episode_id"]
    assessments = pd.read_csv(records / "assessments.csv", dtype="str")
    for name, low, high in (("sorensen_s", 20, 180), ("mmst_cm", 3, 8)):
        kept = assessments[name].notna()
        assessments.loc[kept, name] = [f"{value:.5f}" for value in draw.uniform(low, high, kept.sum())]
    episodes.to_csv(records / "episodes.csv", index=False)
    assessments.to_csv(records / "assessments.csv", index=False)


@pytest.fixture(scope="module")
def tables(clinic):
    return {path.stem: pd.read_csv(path, dtype="str") for path in (clinic / "records").glob("*.csv")}


@pytest.fixture(scope="module")
def published(clinic):
    """Every published byte, unpacked once; a picture's pixels are searched for ids and remarks only."""
    everything = list(read_everything(clinic / "pages"))
    return [(place, content) for place, content in everything if not place.endswith("pixels")]


def test_the_pages_were_made_of_the_planted_records(clinic, tables):
    assert len(list((clinic / "pages").glob("*-team.html"))) == 1
    assert find_planted(clinic / ".outcomes", [tables["episodes"]["patient_id"].iloc[0]])


def test_no_id_therapist_or_remark_stands_in_any_byte(clinic, tables):
    episodes = tables["episodes"]
    planted = {*episodes["patient_id"], *episodes["episode_id"], *episodes["therapist"], REMARK, "Okonjo"}
    assert not find_planted(clinic / "pages", planted)


def test_no_score_of_a_patient_stands_in_any_byte(published, tables):
    scores = tables["assessments"]
    planted = {*scores["sorensen_s"].dropna(), *scores["mmst_cm"].dropna()}
    assert len(planted) > 500
    forms = {form for text in planted for form in list_forms(text)}
    assert not [(place, hit) for place, content in published for hit in find_any(content, forms)]


def test_no_day_of_a_patient_stands_in_any_byte(published, tables):
    days = {dt.date.fromisoformat(text) for name in ("assessments", "sessions", "events")
            for text in tables[name]["date"]}  # fmt: skip
    days |= {dt.date.fromisoformat(text) for text in tables["episodes"]["start_date"]}
    assert len(days) > 300
    forms = {form.encode() for day in days for form in list_date_forms(day)}
    for place, content in published:
        if place.endswith(("pixels", "theme1.xml")) or b"\x89PNG" in content[:200]:
            continue  # five digits come by chance among compressed bytes, and among the colours of Excel
        found = [form for form in find_any(content, forms) if _stands_alone(content, form)]
        assert not found, f"{found[:3]} in {place}"


def _stands_alone(content: bytes, form: bytes) -> bool:
    """Whether a date is one, and not digits within a longer number, a hash or base 64."""
    place = content.find(form)
    while place >= 0:
        around = content[max(0, place - 1) : place] + content[place + len(form) : place + len(form) + 1]
        if (
            not around.replace(b"+", b"a")
            .replace(b"/", b"a")
            .replace(b"-", b"a")
            .replace(b".", b"a")
            .isalnum()
        ) and not any(chr(sign).isalnum() or chr(sign) in "+/-." for sign in around):
            return True
        place = content.find(form, place + 1)
    return False


def test_no_row_of_records_stands_in_any_byte(published, tables):
    draw = np.random.default_rng(1)
    planted: set[str] = set()
    for table in tables.values():
        for place in draw.integers(len(table), size=50):
            values = table.iloc[place].fillna("").tolist()
            planted |= join_row(values)
            # without the ids that lead a row
            planted |= join_row(values[2:]) if len(values) > 5 else set()
    forms = {form for text in planted if len(text) > 8 for form in list_forms(text)}
    assert len(planted) > 2000
    found = [(place, hit) for place, content in published for hit in find_any(content, forms)]
    assert not found


def test_no_exact_age_stands_beside_what_else_is_known_of_a_patient(published, tables):
    """An age in whole years means nothing by itself; beside sex, region and therapy it is a patient."""
    planted: set[str] = set()
    for row in tables["episodes"].itertuples(index=False):
        planted |= join_row([row.age_years, row.sex]) | join_row([row.therapy, row.region, row.cause])
        planted |= {f"age_years={row.age_years}", f'"age_years": {row.age_years}', f"aged {row.age_years}"}
    forms = {text.encode() for text in planted if not text.replace(" ", "").isdigit()}
    for place, content in published:
        assert not find_any(content, forms), place


@pytest.mark.parametrize("planted", ["QX00017ZJ", "117.31847", "2023-01-03,QX00017ZJ", REMARK])
def test_the_search_finds_what_is_hidden(tmp_path, planted):
    """Every form and every kind of packing is found, so that finding nothing means something."""
    import base64
    import gzip
    import zipfile

    for number, form in enumerate(sorted(list_forms(planted))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "page.html").write_bytes(b"<p>something else</p>" + form + b"<p>and more</p>")
        assert find_planted(folder, [planted]), form
    packed = {
        "a.bin": b"xx" + gzip.compress(planted.encode()),
        "b.html": base64.b64encode(b"more than twenty bytes " + planted.encode()),
    }
    for name, content in packed.items():
        folder = tmp_path / name[0]
        folder.mkdir()
        (folder / name).write_bytes(content)
        assert find_planted(folder, [planted]), name
    with zipfile.ZipFile(tmp_path / "z.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sheet.xml", f"<c>{planted}</c>")
    folder = tmp_path / "zipped"
    folder.mkdir()
    (tmp_path / "z.xlsx").rename(folder / "z.xlsx")
    assert find_planted(folder, [planted])
