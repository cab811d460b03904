"""Sheets as clinics of several countries keep them, made up from one list of patients with known scores."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook

THERAPIES = ("strengthening", "manual_therapy", "usual_care")


@dataclass(frozen=True)
class Patient:
    """One made-up patient: therapy by number, scores at the start, 6 weeks and 3 months."""

    i: int
    therapy: int
    female: bool
    neck: bool
    age: int
    start: datetime.date
    odi: tuple[int, int, int]
    pain: tuple[int, int, int]


def list_patients(n: int = 60) -> list[Patient]:
    """Return patients whose scores follow from their number, so that anybody can check them."""
    found = []
    for i in range(n):
        first, pain = 24 + 2 * (i * 7 % 23), 4 + i * 5 % 7
        gain = 2 * (3 + i % 3 + i * 3 % 5)
        found.append(
            Patient(
                i, i % 3, i * 11 % 5 < 3, i % 4 == 3, 22 + i * 13 % 55,
                datetime.date(2024, 1, 8) + datetime.timedelta(days=11 * i),
                (first, max(first - gain, 0), max(first - gain - 2 * (i % 4), 0)),
                (pain, max(pain - i % 4, 0), max(pain - 1 - i % 5, 0)),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class ClinicSheet:
    """A sheet of one clinic.

    Parameters
    ----------
    name : str
        Name of the file.
    write : callable
        Writes it for some patients.
    answers : tuple of pairs
        Pattern of a line with a question to its answer, beside the usual ones.
    pain : str
        Instrument of the pain, with its variant where the sheet names one.
    measures : tuple of str
        What is recorded: ``odi`` and ``pain``.
    dated : str
        Whether the first day is recorded (``start``) or that of each visit (``visits``).
    encoding : str
    """

    name: str
    write: Callable[[Path, Sequence[Patient]], Path]
    answers: tuple[tuple[str, str], ...] = ()
    pain: str = "nprs"
    measures: tuple[str, ...] = ("odi", "pain")
    dated: str = "start"
    encoding: str = "utf-8"


def write_csv(
    path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[object]], merged: Sequence[str] = ()) -> Path:
    """Write rows as the only sheet of a workbook."""
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    for place in merged:
        book.active.merge_cells(place)
    book.save(path)
    return path


def _minguo(day: datetime.date) -> str:
    return f"{day.year - 1911}.{day.month:02}.{day.day:02}"


def _taiwan(path: Path, patients: Sequence[Patient]) -> Path:
    """Two-row header in two languages, Minguo dates, a title, a total beneath."""
    rows: list[Sequence[object]] = [
        ["骨科復健門診 個案追蹤表"],
        ["病歷號", "性別", "年齡", "患部", "治療項目", "初診日", "治療前", None,
         "治療後六週", None, "治療後三個月", None, "備註"],
        ["Chart No", "Sex", "Age", "Area", "Treatment", "First visit", "ODI(%)", "疼痛指數(0-10)"]
        + ["ODI(%)", "疼痛指數(0-10)"] * 2 + [None],
    ]  # fmt: skip
    names = ("核心肌力訓練", "徒手治療", "常規照護")
    for p in patients:
        scores = [value for pair in zip(p.odi, p.pain, strict=True) for value in pair]
        note = "電話追蹤" if p.i == 4 else None
        rows.append(
            [f"K{300 + p.i}", "女" if p.female else "男", p.age, "頸部" if p.neck else "下背",
             names[p.therapy],
             _minguo(p.start), *scores, note]
        )  # fmt: skip
    rows.append(["平均", None, None, None, None, None, *[30] * 6])
    return write_xlsx(path, rows, ("G2:H2", "I2:J2", "K2:L2"))


def _china(path: Path, patients: Sequence[Patient]) -> Path:
    """Simplified signs, GB18030, one row a visit."""
    rows: list[Sequence[object]] = [
        ["编号", "随访时间", "评估日期", "性别", "年龄", "部位", "治疗方法", "疼痛评分", "ODI得分"]
    ]
    names = ("力量训练", "手法治疗", "常规护理")
    for p in patients:
        for visit, days, odi, pain in zip(
            ("治疗前", "6周", "3个月"), (0, 42, 91), p.odi, p.pain, strict=True
        ):
            day = p.start + datetime.timedelta(days=days)
            rows.append(
                [f"P{p.i:03}", visit, day.strftime("%Y/%m/%d"), "女" if p.female else "男", p.age,
                 "颈椎" if p.neck else "腰椎", names[p.therapy], pain, odi]
            )  # fmt: skip
    return write_csv(path, rows, encoding="gb18030")


def _germany(path: Path, patients: Sequence[Patient]) -> Path:
    """Semicolons, cp1252, compound words, decimal commas, pain as a visual scale in cm."""
    rows: list[Sequence[object]] = [
        ["Patientennr.", "Geschlecht", "Alter (Jahre)", "Körperregion", "Therapieart", "Behandlungsbeginn",
         "ODI Erstbefund", "Schmerzskala Beginn", "ODI nach 6 Wochen", "Schmerzskala 6 Wochen",
         "ODI 3-Monats-Kontrolle", "Schmerzskala 3 Monate", "Bemerkungen"]
    ]  # fmt: skip
    names = ("Krafttraining", "Manuelle Therapie", "übliche Versorgung")
    for p in patients:
        scores = [value for pair in zip(p.odi, p.pain, strict=True) for value in pair]
        rows.append(
            [100 + p.i, "w" if p.female else "m", p.age, "HWS" if p.neck else "LWS", names[p.therapy],
             p.start.strftime("%d.%m.%Y"), *[f"{value},0" for value in scores],
             "Rückruf nötig" if p.i == 7 else ""]
        )  # fmt: skip
    return write_csv(path, rows, delimiter=";", encoding="cp1252")


def _quebec(path: Path, patients: Sequence[Patient]) -> Path:
    """A form's export: one question a header, accents, H and F, pain written as 7/10."""
    rows: list[Sequence[object]] = [
        ["Horodateur", "Code du patient", "Quelle visite?", "Sexe", "Âge", "Région du corps",
         "Quel traitement recevez-vous?",
         "Quelle est l'intensité de votre douleur en moyenne? (0 = aucune, 10 = pire)", "Score d'Oswestry"]
    ]  # fmt: skip
    names = ("Renforcement musculaire", "Thérapie manuelle", "Soins usuels")
    for p in patients:
        visits = zip(("Évaluation initiale", "6 semaines", "3 mois"), (0, 42, 91), p.odi, p.pain, strict=True)
        for visit, days, odi, pain in visits:
            day = p.start + datetime.timedelta(days=days)
            rows.append(
                [f"{day:%Y-%m-%d} 09:15:00", f"QC{p.i}", visit, "F" if p.female else "H", p.age,
                 "Cou" if p.neck else "Bas du dos", names[p.therapy], f"{pain}/10", odi]
            )  # fmt: skip
    return write_csv(path, rows)


def _spain(path: Path, patients: Sequence[Patient]) -> Path:
    """H and M for sex, day-first dates, EVA in millimetres."""
    rows: list[Sequence[object]] = [
        ["Nº Historia", "Sexo", "Edad", "Zona", "Tratamiento", "Fecha de inicio",
         "Oswestry inicial (%)", "EVA inicial (mm)",
         "Oswestry 6 semanas (%)", "EVA 6 semanas (mm)",
         "Oswestry 3 meses (%)", "EVA 3 meses (mm)", "Observaciones"]
    ]  # fmt: skip
    names = ("Ejercicios de fortalecimiento", "Terapia manual", "Atención habitual")
    for p in patients:
        scores = [value for odi, pain in zip(p.odi, p.pain, strict=True) for value in (odi, 10 * pain)]
        rows.append(
            [9000 + p.i, "M" if p.female else "H", p.age, "Cervical" if p.neck else "Lumbar",
             names[p.therapy],
             p.start.strftime("%d/%m/%Y"), *scores, ""]
        )  # fmt: skip
    return write_csv(path, rows, delimiter=";")


def _japan(path: Path, patients: Sequence[Patient]) -> Path:
    """Full-width figures in headers, two pains by place, Shift JIS."""
    rows: list[Sequence[object]] = [
        ["患者番号", "性別", "年齢", "部位", "治療内容", "初診日", "初診時ODI", "初診時 痛み",
         "６週後ODI", "６週後 痛み",
         "３ヶ月後ODI", "３ヶ月後 痛み"]
    ]  # fmt: skip
    names = ("筋力トレーニング", "徒手療法", "通常ケア")
    for p in patients:
        scores = [value for pair in zip(p.odi, p.pain, strict=True) for value in pair]
        rows.append(
            [f"J{p.i}", "女性" if p.female else "男性", p.age, "頚椎" if p.neck else "腰椎",
             names[p.therapy],
             p.start.strftime("%Y年%m月%d日"), *scores]
        )  # fmt: skip
    return write_csv(path, rows, encoding="cp932")


def _nhs(path: Path, patients: Sequence[Patient]) -> Path:
    """British short forms, ODI out of 50, a merged header, day-first dates."""
    rows: list[Sequence[object]] = [
        ["MSK outcomes audit", *[None] * 11],
        ["Pt No", "M/F", "Age", "Area", "Rx", "DOA", "IE", None, "6/52 F/U", None, "3/12 F/U", None],
        [None] * 6 + ["ODI /50", "NRS /10"] * 3,
    ]
    names = ("strengthening", "MT", "usual care")
    for p in patients:
        scores = [value for odi, pain in zip(p.odi, p.pain, strict=True) for value in (odi // 2, pain)]
        rows.append(
            [f"N{p.i:02}", "F" if p.female else "M", p.age, "Cx" if p.neck else "Lx", names[p.therapy],
             p.start.strftime("%d/%m/%y"), *scores]
        )  # fmt: skip
    return write_xlsx(path, rows, ("G2:H2", "I2:J2", "K2:L2"))


def _two_sheets(path: Path, patients: Sequence[Patient]) -> Path:
    """Patients on one sheet, visits on another, a list of codes on a third."""
    book = Workbook()
    book.active.title = "Patients"
    book.active.append(["Patient ID", "Gender", "Age", "Body region", "Treatment arm", "Start date"])
    visits = book.create_sheet("Visits")
    visits.append(["Patient ID", "Visit", "Pain (NRS)", "ODI %"])
    names = ("strengthening", "manual therapy", "usual care")
    for p in patients:
        sex, region = "female" if p.female else "male", "neck" if p.neck else "low back"
        book.active.append([f"S{p.i}", sex, p.age, region, names[p.therapy], p.start])
        for visit, odi, pain in zip(("Initial assessment", "Week 6", "Month 3"), p.odi, p.pain, strict=True):
            visits.append([f"S{p.i}", visit, pain, odi])
    book.create_sheet("Codes").append(["see the manual"])
    book.save(path)
    return path


def _score_a_row(path: Path, patients: Sequence[Patient]) -> Path:
    """One row a score; occasions by number, measures by name."""
    rows: list[Sequence[object]] = [
        ["subject", "arm", "time point", "outcome measure", "value", "gender", "age", "area"]
    ]
    names = ("strengthening", "manual", "usual care")
    for p in patients:
        for occasion, odi, pain in zip(("T0", "T1", "T2"), p.odi, p.pain, strict=True):
            for measure, value in (("Oswestry", odi), ("NPRS", pain)):
                rows.append(
                    [f"X{p.i}", names[p.therapy], occasion, measure, value, "F" if p.female else "M", p.age,
                     "neck" if p.neck else "LBP"]
                )  # fmt: skip
    return write_csv(path, rows)


def _cards(path: Path, patients: Sequence[Patient]) -> Path:
    """One sheet a patient, the heading in German with colons, the rows of visits beneath."""
    book = Workbook()
    book.remove(book.active)
    names = ("Krafttraining", "Manuelle Therapie", "Regelversorgung")
    for p in patients:
        sheet = book.create_sheet(f"Blatt {p.i + 1}")
        sheet.append(["Verlaufsbogen"])
        sheet.append(["Patient:", f"D{p.i:03}", "Geschlecht:", "w" if p.female else "m"])
        sheet.append(["Therapie:", names[p.therapy], "Alter:", p.age])
        sheet.append(["Region:", "HWS" if p.neck else "LWS"])
        sheet.append([])
        sheet.append(["Datum", "Zeitpunkt", "Schmerz", "ODI"])
        for visit, days, odi, pain in zip(
            ("Beginn", "6 Wochen", "3 Monate"), (0, 42, 91), p.odi, p.pain, strict=True
        ):
            sheet.append([p.start + datetime.timedelta(days=days), visit, pain, odi])
    book.save(path)
    return path


_REGIONS = (("Cx", "neck"), ("Lx", "low_back"))
SHEETS = (
    ClinicSheet("taiwan.xlsx", _taiwan),
    ClinicSheet("china.csv", _china, dated="visits", encoding="gb18030"),
    ClinicSheet("praxis.csv", _germany, encoding="cp1252"),
    ClinicSheet(
        "quebec.csv", _quebec, (("F = ", "female"), ("H = ", "male")), pain="nprs:average", dated="visits"
    ),
    ClinicSheet("clinica.csv", _spain, (("M = ", "female"), ("H = ", "male")), pain="vas100"),
    ClinicSheet("japan.csv", _japan, encoding="cp932"),
    ClinicSheet("msk.xlsx", _nhs, tuple((f"{code} = ", region) for code, region in _REGIONS)),
    ClinicSheet("study.xlsx", _two_sheets),
    ClinicSheet("long.csv", _score_a_row, (("T1 = ", "week_6"), ("T2 = ", "month_3")), dated=""),
    ClinicSheet("boegen.xlsx", _cards, dated="visits"),
)
