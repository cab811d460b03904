"""What a column of dates says of itself: swapped by a spreadsheet, or not in the declared order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.columns.dates import DateForm

_TYPED = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$")
_LAST = re.compile(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?:[ ,].*)?$")
_MONTHS = 12
#: Shares of the days of a month up to the twelfth, and after it.
_EARLY, _LATE = 12 / 31, 19 / 31
#: How many of a kind may be otherwise: cells that somebody typed later.
_STRAY = 0.05


@dataclass(frozen=True)
class DateDoubt:
    """A doubt about a whole column of dates.

    Parameters
    ----------
    rule, what : str
    answers : mapping
        As `Problems.ask` takes them.
    confirmed : mapping
        Doubt that the source may confirm to what pages then say.
    rows : numpy.ndarray of bool
        Distinct texts concerned.
    """

    rule: str
    what: str
    answers: Mapping[str, str]
    confirmed: Mapping[str, str]
    rows: np.ndarray


def find_date_doubts(texts: np.ndarray, n_rows: np.ndarray, form: DateForm) -> list[DateDoubt]:
    """Return what is doubtful about a column of dates as a whole.

    Parameters
    ----------
    texts : array of str
        Distinct texts.
    n_rows : array of int
        In how many rows each stands.
    form : DateForm
        As declared.
    """
    typed = _read_pairs(texts, _TYPED, 2, 3)
    last = _read_pairs(texts, _LAST, 1, 2)
    doubts = [
        _find_swap(typed, last, n_rows),
        _find_order(last, n_rows, form),
        _find_year_day(typed, n_rows),
    ]
    return [doubt for doubt in doubts if doubt is not None]


def _read_pairs(texts: np.ndarray, form: re.Pattern[str], *groups: int) -> np.ndarray:
    """Return two numbers of each text of that form, 0 for others."""
    pairs = np.zeros((len(texts), 2), dtype=np.int16)
    for i, text in enumerate(texts):
        if match := form.match(text):
            pairs[i] = [int(match[group]) for group in groups]
    return pairs


def _find_swap(typed: np.ndarray, last: np.ndarray, n_rows: np.ndarray) -> DateDoubt | None:
    """Find what a spreadsheet does to day-first texts: those up to the twelfth become month-first dates."""
    is_typed, is_last = typed[:, 1] > 0, last[:, 0] > 0
    early = is_typed & (typed[:, 1] <= _MONTHS)
    late = is_last & (last.max(axis=1) > _MONTHS)
    n_early, n_late = int(early.sum()), int(late.sum())
    strays = (is_typed & ~early).sum() > _STRAY * is_typed.sum() or (
        is_last & ~late
    ).sum() > _STRAY * is_last.sum()
    if n_early < 2 or n_late < 2 or strays:
        return None
    if _EARLY**n_early * _LATE**n_late > read_facts("checks")["share"]["date_chance"]:
        return None
    what = (
        f"{int(n_rows[early].sum())} dates that a spreadsheet knows as dates all have a day up to 12, and "
        f"{int(n_rows[late].sum())} dates left as text all have one above 12. Did the spreadsheet swap day "
        "and month of the first?"
    )
    return DateDoubt(
        "DATE_SWAPPED",
        what,
        {
            'confirmed = ["swapped_dates"]': "in [[file]]: yes, day and month of those are put back",
            'confirmed = ["typed_dates"]': "in [[file]]: no, they are right as they stand",
        },
        {
            "swapped_dates": "Day and month of dates that a spreadsheet had swapped are put back.",
            "typed_dates": "Dates up to the twelfth of a month are read as a spreadsheet holds them.",
        },
        early,
    )


def _find_order(last: np.ndarray, n_rows: np.ndarray, form: DateForm) -> DateDoubt | None:
    """Find dates that cannot be in the declared order, and can in the other."""
    if form.order not in ("day-first", "month-first") or form.swapped:
        return None
    month, day = (1, 0) if form.order == "day-first" else (0, 1)
    against = (last[:, month] > _MONTHS) & (last[:, day] <= _MONTHS) & (last[:, day] > 0)
    n_against, n_all = int(n_rows[against].sum()), int(n_rows[last[:, 0] > 0].sum())
    if n_against < 2 or n_against <= read_facts("checks")["share"]["date_form"] * n_all:
        return None
    n_for = int(n_rows[last[:, day] > _MONTHS].sum())
    other = "month-first" if form.order == "day-first" else "day-first"
    what = (
        f"{n_against} of {n_all} dates cannot be {form.order}, as declared, and can be {other}; {n_for} can "
        "be only as declared. Which order is right?"
    )
    return DateDoubt(
        "DATE_ORDER_DECLARED",
        what,
        {
            f'date_order = "{other}"': "in [[file]]: the other order",
            'confirmed = ["date_order"]': "in [[file]]: the declared one; others are refused",
        },
        {"date_order": f"Dates are read {form.order}; those that this does not allow are left out."},
        against,
    )


def _find_year_day(typed: np.ndarray, n_rows: np.ndarray) -> DateDoubt | None:
    """Find dates with the year first and then the day."""
    against = (typed[:, 0] > _MONTHS) & (typed[:, 1] <= _MONTHS)
    n_against, n_all = int(n_rows[against].sum()), int(n_rows[typed[:, 1] > 0].sum())
    if n_against < 2 or n_against <= read_facts("checks")["share"]["date_form"] * n_all:
        return None
    what = (
        f"{n_against} of {n_all} dates have the day after the year, so that the others may have day and "
        "month swapped too. Are the others year, month, day?"
    )
    return DateDoubt(
        "DATE_YEAR_DAY",
        what,
        {
            "# write the dates as year-month-day": "in the file: all of them have the day after the year",
            'confirmed = ["date_order"]': "in [[file]]: yes; those with the day after the year are refused",
        },
        {"date_order": "Dates are read as year, month, day; those that this does not allow are left out."},
        against,
    )
