"""Forms whose headers are whole questions, in seven languages, become what their patients answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic_forms import FORMS, Form, list_items
from clinic_sheets import THERAPIES, list_patients
from outcomes.drafting.column import SheetColumn
from outcomes.drafting.role import guess_role
from walking import TIMES, walk_file


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_is_read_as_its_patients_answered(tmp_path: Path, monkeypatch, form: Form):
    monkeypatch.chdir(tmp_path)
    patients = list_patients(40)
    found = walk_file(form.write(tmp_path, patients), form.answers, tmp_path)
    records = found.records
    assert (records.n_read, records.n_refused, len(records.episodes)) == (120, 0, 40)
    pain, _, variant = form.pain.partition(":")
    measured = dict(list(records.assessments.groupby("instrument", observed=True)))
    scores = {
        id: table.pivot_table(index="episode_id", columns="timepoint", values="score", observed=True)
        for id, table in measured.items()
    }
    columns = ["therapy", "age_years", "sex", "region"]
    read = [
        (*own, *scores["odi"].loc[episode, list(TIMES)], *scores[pain].loc[episode, list(TIMES)])
        for episode, *own in records.episodes[["episode_id", *columns]].itertuples(index=False)
    ]
    right = [
        (
            THERAPIES[p.therapy], p.age, "female" if p.female else "male", "neck" if p.neck else "low_back",
            *(2.0 * sum(list_items(p, place)) for place in range(3)), *map(float, p.pain),
        )
        for p in patients
    ]  # fmt: skip
    assert sorted(read) == sorted(right)
    assert set(measured[pain]["variant"].astype(object).fillna("")) == {variant}
    days = measured["odi"].set_index("timepoint")["day"]
    assert all(set(days[time]) == {day} for time, day in zip(TIMES, (0, 42, 91), strict=True))
    told = {header for headers in found.draft.left_out.values() for header in headers}
    added = form.questions[: form.n_added]
    assert told >= set(added) - {added[0] if form.n_added == 2 else added[1]}
    assert any(mail in found.draft.left_out["identifying"] for mail in added)


AREAS = ("neck", "lower back") * 10
CARE = ("Manuelle Therapie", "Gymnastik") * 10


@pytest.mark.parametrize(
    ("header", "cells", "name"),
    [
        ("Welcher Termin ist das?", ("Erstbesuch", "6 Wochen", "3 Monate") * 9, "timepoint"),
        ("Welcher Termin?", ("08.01.2024", "19.02.2024") * 9, "date"),
        ("Welche Behandlung bekommen Sie?", CARE, "therapy"),
        ("Which of these treatments did you start with us today?", ("pilates", "massage") * 9, "therapy"),
        ("Have you ever had treatment for this before?", ("yes", "no") * 9, None),
        ("Which treatment did you have before you came to us?", ("massage", "pilates") * 9, None),
        ("Please tell us which area hurts most", AREAS, "region"),
        ("Dans quelle tranche se situe votre âge ?", tuple(range(20, 60)), "age_years"),
        ("How many days a week do you work?", (1, 2, 3, 4, 5) * 9, None),
        ("What is the age of your mattress in months, please?", tuple(range(1, 200, 5)), None),
        ("¿En qué clínica le atienden?", ("Norte", "Sur") * 9, "site"),
        ("どの施設に通っていますか？", ("北", "南") * 9, "site"),
        ("您的治疗师代码是？", ("T01", "T02") * 9, "therapist"),
    ],
)
def test_a_question_is_what_its_answers_prove(header, cells, name):
    role = guess_role(SheetColumn(header, cells))
    assert (role.name if role.kind == "column" else None) == name


@pytest.mark.parametrize(
    "header",
    [
        "Email", "E-mail address", "What is your e-mail address?", "E-Mail-Adresse", "Ihre E-Mail-Adresse",
        "Adresse e-mail", "Adresse de messagerie", "Quelle est votre adresse e-mail ?", "Correo electrónico",
        "Dirección de correo electrónico", "電子郵件地址", "您的電子郵件", "电子邮件",
        "电子邮箱", "メールアドレス",
        "メール",
    ],
)  # fmt: skip
def test_an_address_is_never_read_whatever_it_holds(header):
    assert guess_role(SheetColumn(header, tuple(f"C{i}" for i in range(30)))).kind == "identifying"
