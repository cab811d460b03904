"""Files of the families key, score, date, category and privacy that are too long to be written down.

Each generator is a function of its name in cases.yaml: it takes the base file's text and the case, and
returns the text of the file. All are deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Case = dict
_PATIENTS_PER_CLINIC = 20


def reversed_clinic(base: str, case: Case) -> str:
    """Three clinics; in one of them 100 is best, so its patients seem to get worse."""
    rows = []
    for clinic in "ABC":
        for number in range(_PATIENTS_PER_CLINIC):
            baseline, follow_up = 40 + 2 * (number % 6), 20 + 2 * (number % 5)
            if clinic == case["clinic"]:
                baseline, follow_up = 100 - baseline, 100 - follow_up
            rows += _visits(f"{clinic}{number:03d}", clinic, "ODI", baseline, follow_up)
    return _write(base, rows)


def odi_raw_percent_mix(base: str, case: Case) -> str:
    """Two clinics record percent, the third the sum of the sections, 0 to 50."""
    rows = []
    for clinic in "ABC":
        for number in range(_PATIENTS_PER_CLINIC):
            baseline, follow_up = 54 + 2 * (number % 8), 22 + 2 * (number % 7)
            if clinic == "C":
                baseline, follow_up = baseline // 2, follow_up // 2
            rows += _visits(f"{clinic}{number:03d}", clinic, "ODI", baseline, follow_up)
    return _write(base, rows)


def constant_clinic(base: str, case: Case) -> str:
    """All scores of clinic B are the same, as if copied down."""
    rows = []
    for clinic in "AB":
        for number in range(_PATIENTS_PER_CLINIC):
            scores = (5, 5) if clinic == "B" else (6 + number % 3, 2 + number % 4)
            rows += _visits(f"{clinic}{number:03d}", clinic, "NPRS", *scores)
    return _write(base, rows)


def sessions_decrease(base: str, case: Case) -> str:
    """The first patient has 9 sessions at the first visit and 6 at the second."""
    return base.replace(",50-59,F,0,NPRS,7", ",50-59,F,9,NPRS,7")


def cardinality(base: str, case: Case) -> str:
    """Every patient comes to a clinic of her own."""
    rows = []
    for number in range(case["levels"]):
        rows += _visits(f"P{number:04d}", f"clinic-{number:03d}", "NPRS", 7, 3)
    return _write(base, rows)


def free_text_column(base: str, case: Case) -> str:
    """The column of clinics holds a sentence about each visit."""
    rows = []
    for number in range(40):
        for visit in _visits(f"P{number:04d}", "A", "NPRS", 7, 3):
            sentence = f"felt better after walking {number} minutes with a friend ({visit[2]})"
            rows.append((*visit[:4], sentence, *visit[5:]))
    return _write(base, rows)


def unique_quasi_identifiers(base: str, case: Case) -> str:
    """Among many alike, one patient stands alone in age and sex."""
    rows = []
    for number in range(24):
        rows += _visits(f"P{number:04d}", "A", "NPRS", 7 - number % 2, 3)
    rows += _visits("P9999", "A", "NPRS", 7, 3, age_band="80-89", sex="M")
    return _write(base, rows)


def _visits(
    patient: str,
    clinic: str,
    instrument: str,
    baseline: int,
    follow_up: int,
    age_band: str = "50-59",
    sex: str = "F",
) -> list[Sequence[object]]:
    shared = ("exercise", clinic, age_band, sex)
    return [
        (patient, "2026-01-05", "baseline", *shared, 0, instrument, baseline),
        (patient, "2026-02-16", "followup", *shared, 6, instrument, follow_up),
    ]


def _write(base: str, rows: Iterable[Sequence[object]]) -> str:
    header = base.splitlines()[0]
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"
