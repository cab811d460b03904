"""Further sheets of clinics: other measures, layouts and languages, each with what its patients had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook

from clinic_sheets import write_csv, write_xlsx

N = 36
BASE, WEEKS, MONTHS, END = "baseline", "week_6", "month_3", "end_of_therapy"


@dataclass(frozen=True)
class OtherSheet:
    """A sheet, its answers, and the scores of its patients by measure and time, in their order."""

    name: str
    write: Callable[[Path], Path]
    right: Mapping[tuple[str, str], Sequence[float]]
    answers: tuple[tuple[str, str], ...] = ()


def _care(i: int, *names: str) -> str:
    return names[i % len(names)]


def _spread(low: int, high: int, step: int, shift: int = 0) -> list[int]:
    """Return whole numbers within bounds that follow from the patients' numbers."""
    return [low + (i * step + shift) % (high - low + 1) for i in range(N)]


#: Sums of eleven answers, in percent of the way from the lowest to the highest.
QD = tuple([round((low + i * step % 20) / 0.44, 1) for i in range(N)] for low, step in ((12, 7), (4, 3)))


def _quickdash(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["Pat.-Nr.", "Behandlung", "QuickDASH vor Therapie", "QuickDASH nach 6 Wo."]
    ]
    for i in range(N):
        values = [f"{QD[0][i]:.1f}".replace(".", ","), f"{QD[1][i]:.1f}".replace(".", ",")]
        rows.append([200 + i, _care(i, "Manuelle Therapie", "Krafttraining"), *values])
    return write_csv(path, rows, delimiter=";", encoding="cp1252")


RM = (_spread(6, 22, 5), _spread(3, 18, 7), _spread(0, 14, 3))


def _roland(path: Path) -> Path:
    rows: list[Sequence[object]] = [["Pt ID", "Rx", "RMDQ pre", "RMDQ 6/52", "RMDQ 12/52 F/U", "Comments"]]
    rows += [
        [f"R{i}", _care(i, "manual therapy", "usual care"), *(part[i] for part in RM), ""] for i in range(N)
    ]
    return write_csv(path, rows)


NDI = (_spread(11, 39, 5), _spread(6, 30, 7), _spread(1, 24, 3))


def _neck(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["Neck class audit 2024"], [],
        ["Patient no.", "Group", "Initial NDI (/50)", "Review NDI (/50)", "Discharge NDI (/50)"],
    ]  # fmt: skip
    rows += [[i + 1, _care(i, "strengthening", "stretching"), *(part[i] for part in NDI)] for i in range(N)]
    return write_xlsx(path, rows)


SP = (_spread(35, 90, 7), _spread(15, 70, 5))


def _shoulder(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["ID", "treatment", "Constant-Murley baseline", "Constant-Murley 6 weeks", "ODI baseline"]
    ]
    rows += [
        [f"S{i}", _care(i, "injection", "stretching"), SP[0][i], SP[1][i], 20 + 2 * (i % 9)] for i in range(N)
    ]
    return write_csv(path, rows)


TUG = ([8.5 + 0.3 * (i * 5 % 17) for i in range(N)], [7.2 + 0.2 * (i * 3 % 19) for i in range(N)])


def _walk(path: Path) -> Path:
    rows: list[Sequence[object]] = [["Código", "Tratamiento", "TUG (s) inicial", "TUG (s) 6 semanas"]]
    for i in range(N):
        rows.append([f"T{i}", _care(i, "terapia manual", "ejercicio aeróbico"),
                     *(f"{part[i]:.1f}".replace(".", ",") for part in TUG)])  # fmt: skip
    return write_csv(path, rows, delimiter=";", encoding="utf-8-sig")


FTF = (_spread(4, 32, 5), _spread(0, 22, 7))


def _bend(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["Kürzel", "Therapie", "FBA (cm) Eingang", "FBA (cm) 6 Wochen", "ODI Eingang", "ODI 6 Wochen"]
    ]
    rows += [
        [
            f"k{i}",
            _care(i, "Dehnung", "Manuelle Therapie"),
            FTF[0][i],
            FTF[1][i],
            30 + 2 * (i % 9),
            20 + 2 * (i % 7),
        ]
        for i in range(N)
    ]
    return write_xlsx(path, rows)


def _phq_items(i: int, visit: int) -> list[int]:
    return [(i * 3 + k * (k + i) + visit) % 4 for k in range(9)]


def _mood(path: Path) -> Path:
    rows: list[Sequence[object]] = [["participant_id", "visit", "arm", *(f"phq9_{k}" for k in range(1, 10))]]
    for i in range(N):
        for place, visit in enumerate(("baseline", "month 3")):
            rows.append([f"M{i}", visit, _care(i, "usual care", "strengthening"), *_phq_items(i, place)])
    return write_csv(path, rows)


CHANGES = [(i * 7 % 15) - 7 for i in range(N)]
ODI = ([20 + 2 * (i * 7 % 23) for i in range(N)], [10 + 2 * (i * 5 % 19) for i in range(N)],
       [4 + 2 * (i * 3 % 17) for i in range(N)])  # fmt: skip


def _groc(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["id", "therapy", "ODI baseline", "ODI 6 weeks", "GROC 6 weeks (-7 to +7)"]
    ]
    rows += [
        [f"G{i}", _care(i, "stretching", "usual care"), ODI[0][i], ODI[1][i], CHANGES[i]] for i in range(N)
    ]
    return write_csv(path, rows)


EVA = ([2 + 0.5 * (i * 7 % 15) for i in range(N)], [1 + 0.5 * (i * 5 % 13) for i in range(N)],
       [0.5 * (i * 3 % 12) for i in range(N)])  # fmt: skip


def _physio(path: Path) -> Path:
    """French, a merged header of visits, a visual scale in centimetres."""
    rows: list[Sequence[object]] = [
        ["N° dossier", "Sexe (H/F)", "Traitement reçu", "J0", None, "S6", None, "M3", None],
        [None, None, None, "EVA /10", "Oswestry %", "EVA /10", "Oswestry %", "EVA /10", "Oswestry %"],
    ]
    for i in range(N):
        values = [value for place in range(3) for value in (EVA[place][i], ODI[place][i])]
        rows.append([1000 + i, "HF"[i % 2], _care(i, "Thérapie manuelle", "Soins usuels"), *values])
    return write_xlsx(path, rows, ("D1:E1", "F1:G1", "H1:I1"))


def _american(path: Path) -> Path:
    rows: list[Sequence[object]] = [["MRN", "Eval Date", "Tx", "Eval ODI", "Re-Eval ODI", "DC ODI"]]
    for i in range(N):
        day = f"{1 + i % 12}/{1 + i * 7 % 28}/2024"
        rows.append([50 + i, day, _care(i, "manual", "stretching"), *(part[i] for part in ODI)])
    return write_csv(path, rows)


def _by_visit(path: Path) -> Path:
    """A sheet a visit, all with one header."""
    book = Workbook()
    book.remove(book.active)
    for place, title in enumerate(("Baseline", "6 weeks", "3 months")):
        sheet = book.create_sheet(title)
        sheet.append(["ID", "Therapy", "ODI", "NRS"])
        for i in range(N):
            sheet.append([f"V{i}", _care(i, "stretching", "usual care"), ODI[place][i], (i * 3 + place) % 11])
    book.save(path)
    return path


PSFS = (_spread(0, 6, 5), _spread(3, 10, 7), _spread(4, 10, 3))


def _taiwan_long(path: Path) -> Path:
    rows: list[Sequence[object]] = [["個案編號", "評估時間", "治療方式", "PSFS", "疼痛(0-10)"]]
    for i in range(N):
        for place, visit in enumerate(("初診", "6週", "3個月")):
            rows.append(
                [f"T{i:02}", visit, _care(i, "徒手治療", "運動治療"), PSFS[place][i], (i * 3 + place) % 11]
            )
    return write_csv(path, rows, encoding="big5")


def _written(path: Path) -> Path:
    """Scores as people write them, line breaks in headers, full-width signs."""
    rows: list[Sequence[object]] = [
        ["患者番号", "治療法", "ODI\n初回", "痛み\n初回", "ODI\n６週後", "痛み\n６週後"]
    ]
    for i in range(N):
        rows.append([f"J{i}", _care(i, "徒手療法", "通常ケア"), f"{ODI[0][i]}％", f"{(i * 3) % 11}/10",
                     f"{ODI[1][i]}％", f"{(i * 3 + 1) % 11}/10"])  # fmt: skip
    return write_xlsx(path, rows)


def _excel_csv(path: Path) -> Path:
    lines = ["sep=;", "Patient;Therapie;NDI % Beginn;NDI % Ende"]
    for i in range(N):
        lines.append(f"P{i};{_care(i, 'Manuelle Therapie', 'Krafttraining')};{2 * NDI[0][i]};{2 * NDI[2][i]}")
    path.write_text("\n".join(lines), encoding="cp1252")
    return path


PROFILES = [f"{1 + i % 3}{1 + i * 3 % 4}{1 + i % 2}{1 + i * 5 % 3}{1 + i % 4}" for i in range(N)]


def _profile(path: Path) -> Path:
    rows: list[Sequence[object]] = [
        ["study id", "group", "ODI baseline", "EQ-5D-5L profile baseline", "EQ VAS baseline", "ODI 6 weeks"]
    ]
    rows += [
        [f"E{i}", _care(i, "stretching", "usual care"), ODI[0][i], PROFILES[i], 40 + i, ODI[1][i]]
        for i in range(N)
    ]
    return write_csv(path, rows)


def _spanish_long(path: Path) -> Path:
    rows: list[Sequence[object]] = [["Folio", "Visita", "Cuestionario", "Puntaje", "Grupo"]]
    for i in range(N):
        for place, visit in enumerate(("Basal", "6 semanas", "3 meses")):
            group = _care(i, "Terapia Manual", "Atención Habitual")
            rows.append([f"F{i}", visit, "Roland Morris", RM[place][i], group])
            rows.append([f"F{i}", visit, "EVA (mm)", 10 * ((i * 3 + place) % 11), group])
    return write_csv(path, rows, encoding="cp1252")


def _triple(
    measure: str, parts: Sequence[Sequence[float]], factor: float = 1
) -> dict[tuple[str, str], list[float]]:
    return {
        (measure, time): [factor * value for value in part]
        for time, part in zip((BASE, WEEKS, MONTHS), parts, strict=False)
    }


def _pain(measure: str, n: int = 3, factor: int = 1) -> dict[tuple[str, str], list[float]]:
    return _triple(measure, [[(i * 3 + place) % 11 for i in range(N)] for place in range(n)], factor)


MAIN = r"the main outcome"
OTHERS = (
    OtherSheet("quickdash.csv", _quickdash, _triple("quickdash", QD)),
    OtherSheet("roland.csv", _roland, _triple("rmdq24", RM)),
    OtherSheet(
        "neck.xlsx",
        _neck,
        {("ndi", BASE): NDI[0], ("ndi", WEEKS): NDI[1], ("ndi", END): NDI[2]},
        ((r"time point is 'review'", WEEKS),),
    ),
    OtherSheet(
        "shoulder.csv",
        _shoulder,
        _triple("constant_murley", SP),
        ((MAIN, "constant_murley"), (r"^direction", "higher_better"), (r"^maximum", "100")),
    ),
    OtherSheet(
        "walk.csv", _walk, _triple("tug_s", TUG), ((r"^maximum", "60"), (r"^direction", "higher_worse"))
    ),
    OtherSheet("bend.xlsx", _bend, _triple("ftf_cm", FTF), ((MAIN, "ftf_cm"),)),
    OtherSheet(
        "mood.csv",
        _mood,
        {
            ("phq9", BASE): [sum(_phq_items(i, 0)) for i in range(N)],
            ("phq9", MONTHS): [sum(_phq_items(i, 1)) for i in range(N)],
        },
        ((r"counts most", MONTHS),),
    ),
    OtherSheet(
        "groc.csv",
        _groc,
        _triple("odi", ODI[:2]) | {("groc", WEEKS): CHANGES},
        ((MAIN, "odi"), (r"^minimum", "-7"), (r"^maximum", "7"), (r"^direction", "higher_better")),
    ),
    OtherSheet(
        "cabinet.xlsx",
        _physio,
        _triple("odi", ODI) | _triple("vas100", EVA, 10),
        ((r"^timepoint = .*'S6", WEEKS),),
    ),
    OtherSheet(
        "american.csv",
        _american,
        {("odi", BASE): ODI[0], ("odi", WEEKS): ODI[1], ("odi", END): ODI[2]},
        ((r"time point is 're eval'", WEEKS),),
    ),
    OtherSheet("visits.xlsx", _by_visit, _triple("odi", ODI) | _pain("nprs")),
    OtherSheet(
        "taiwan-long.csv",
        _taiwan_long,
        _triple("psfs", PSFS) | _pain("nprs"),
        ((MAIN, "psfs"), (r"運動治療", "strengthening")),
    ),
    OtherSheet("written.xlsx", _written, _triple("odi", ODI[:2]) | _pain("nprs", 2)),
    OtherSheet("excel.csv", _excel_csv, {("ndi", BASE): NDI[0], ("ndi", "after_therapy"): NDI[2]}),
    OtherSheet(
        "profile.csv",
        _profile,
        _triple("odi", ODI[:2]) | {("eq_vas", BASE): [40 + i for i in range(N)]},
        ((r"^variant", "england"),),
    ),
    OtherSheet(
        "folio.csv", _spanish_long, _triple("rmdq24", RM) | _pain("vas100", factor=10), ((MAIN, "rmdq24"),)
    ),
)
