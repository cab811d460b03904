"""From text to days: dates by the declared order and calendar; what is ambiguous is asked, never guessed."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from outcomes.errors import FactsError
from outcomes.facts import read_facts

#: Day number of a missing date.
NO_DATE = np.iinfo(np.int32).min

_EPOCH = dt.date(1970, 1, 1).toordinal()
_YEAR_FIRST = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_YEAR_LAST = re.compile(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})$")
_SHORT_YEAR = re.compile(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{2})$")
_ROC = re.compile(r"^(?:民國)?(\d{2,3})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$")
_ROC_COMPACT = re.compile(r"^(1\d{2})(\d{2})(\d{2})$")
_SERIAL = re.compile(r"^(\d{5})(\.\d+)?$")
_HALVES = "|".join(map(re.escape, read_facts("months")["halves"]))
_TIMESTAMP = re.compile(
    rf"^(.+?),?[T ]\s*(?:{_HALVES})?\s*(\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?)"
    rf"\s*(?:{_HALVES})?\s*(Z|[+-]\d{{2}}:?\d{{2}})?$",
    re.I,
)
_MONTH_SIGN = re.compile(r"(\d{1,2})月")
_TOKEN = re.compile(r"\d+|m\d{1,2}\b|[^\W\d_]+")
_CENTURY = 2000
_MONTHS = 12
_ROC_OFFSET = 1911
_EXCEL_EPOCHS = {"excel1900": dt.date(1899, 12, 30), "excel1904": dt.date(1904, 1, 1)}


@dataclass(frozen=True)
class DateForm:
    """How a file writes its dates: declared order, calendar and the clinic's zone.

    Parameters
    ----------
    order, calendar, zone : str
        As in `FileSpec` and `Source`.
    swapped : bool
        Whether a spreadsheet has swapped day and month of the dates that it took for dates.
    """

    order: str = "year-first"
    calendar: str = "gregorian"
    zone: str | None = None
    swapped: bool = False


def parse_dates(
    texts: np.ndarray, present: np.ndarray, form: DateForm
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Parse texts as dates.

    Parameters
    ----------
    texts : array of str
        Distinct repaired texts.
    present : array of bool
        Which of them are not missing.
    form : DateForm
        What the source declares.

    Returns
    -------
    days : array of int32
        Days since 1970-01-01, `NO_DATE` where missing or refused.
    rules : dict
        Mask per rule. ``DATE_TIMEZONE``, ``DATE_DST`` and ``DATE_SHORT_YEAR`` were repaired, others refuse.

    Examples
    --------
    >>> days, rules = parse_dates(np.array(["2026-01-05", "03/04/2026"], dtype=object),
    ...                           np.array([True, True]), DateForm())
    >>> int(days[0]), rules["DATE_AMBIGUOUS"].tolist()
    (20458, [False, True])
    """
    days = np.full(len(texts), NO_DATE, dtype=np.int32)
    rules: dict[str, np.ndarray] = {}
    for i in np.flatnonzero(present):
        date, rule = _parse_date(texts[i], form)
        if date is not None:
            days[i] = date.toordinal() - _EPOCH
        if rule is not None:
            rules.setdefault(rule, np.zeros(len(texts), dtype=bool))[i] = True
    return days, rules


def _parse_date(text: str, form: DateForm) -> tuple[dt.date | None, str | None]:
    stamp = _TIMESTAMP.match(text)
    if stamp:
        date_text, clock, offset = stamp.groups()
        return _parse_timestamp(date_text, clock, offset, form)
    if match := (_YEAR_FIRST.match(text) or _COMPACT.match(text)):
        year, month, day = map(int, match.groups())
        return (
            _make_date(year, day, month) if form.swapped and day <= _MONTHS else _make_date(year, month, day)
        )
    if match := _YEAR_LAST.match(text):
        if form.order == "year-first":
            return None, "DATE_AMBIGUOUS"
        first, second, year = map(int, match.groups())
        day, month = (first, second) if form.order == "day-first" else (second, first)
        return _make_date(year, month, day)
    return _parse_other_form(text, form)


def _parse_other_form(text: str, form: DateForm) -> tuple[dt.date | None, str | None]:
    if match := (_ROC.match(text) or _ROC_COMPACT.match(text)):
        year, month, day = map(int, match.groups())
        if form.calendar == "roc":
            return _make_date(year + _ROC_OFFSET, month, day)
        if year >= 100:
            return None, "DATE_ROC_SUSPECT"
    if match := _SERIAL.match(text):
        return _parse_serial(int(match[1]), form)
    if match := _SHORT_YEAR.match(text):
        if form.order == "year-first":
            return None, "DATE_TWO_DIGIT_YEAR"
        first, second, year = map(int, match.groups())
        day, month = (first, second) if form.order == "day-first" else (second, first)
        return _make_short(year, month, day)
    return _parse_written(text, form)


def _make_short(year: int, month: int, day: int) -> tuple[dt.date | None, str | None]:
    """Return a date whose year has two digits: of this century."""
    date, rule = _make_date(_CENTURY + year, month, day)
    return date, rule or "DATE_SHORT_YEAR"


def _parse_written(text: str, form: DateForm) -> tuple[dt.date | None, str | None]:
    """Return a date whose month is a word, in any order: a year of four digits leaves nothing open."""
    months, others = _read_month_words()
    plain = unicodedata.normalize("NFKD", _MONTH_SIGN.sub(r" m\1 ", text.casefold()))
    tokens = _TOKEN.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))
    named = [token for token in tokens if token in months]
    if len(named) > 1 and tokens[0] in others:  # a short day of the week may be a month too
        named = named[1:] if tokens[0] == named[0] else named
    numbers = [token for token in tokens if token.isdigit()]
    rest = [token for token in tokens if not token.isdigit() and token not in months and token not in others]
    if len(named) != 1 or len(numbers) != 2 or rest:
        return None, "DATE_INVALID"
    month = months[named[0]]
    sizes = tuple(map(len, numbers))
    if max(sizes) == 4 and min(sizes) <= 2:
        day, year = (int(number) for number in sorted(numbers, key=len))
        if form.swapped and day <= _MONTHS:
            month, day = day, month
        return _make_date(year, month, day)
    if max(sizes) > 2 or sizes[1] != 2:
        return None, "DATE_INVALID"
    return _make_short(
        int(numbers[1]), month, int(numbers[0])
    )  # the day stands first, as spreadsheets write it


@cache
def _read_month_words() -> tuple[Mapping[str, int], frozenset[str]]:
    facts = read_facts("months")
    names = {name: month for month, several in enumerate(facts["months"], start=1) for name in several}
    return names, frozenset(facts["others"])


def _parse_serial(serial: int, form: DateForm) -> tuple[dt.date | None, str | None]:
    limits = read_facts("checks")["excel"]
    if not limits["first_serial"] <= serial <= limits["last_serial"]:
        return None, "DATE_INVALID"
    if form.calendar not in _EXCEL_EPOCHS:
        return None, "DATE_EXCEL_SERIAL"
    return _EXCEL_EPOCHS[form.calendar] + dt.timedelta(days=serial), None


def _make_date(year: int, month: int, day: int) -> tuple[dt.date | None, str | None]:
    limits = read_facts("checks")
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return None, "DATE_INVALID"
    if date.isoformat() in limits["sentinel_dates"]:
        return None, "DATE_SENTINEL"
    return (date, None) if date.year >= limits["earliest_year"] else (None, "DATE_INVALID")


def _parse_timestamp(
    date_text: str, clock: str, offset: str | None, form: DateForm
) -> tuple[dt.date | None, str | None]:
    """Return the day in the clinic's zone; without a declared zone the day as written."""
    date, rule = _parse_date(date_text, form)
    if date is None:
        return date, rule
    try:
        time = dt.time.fromisoformat(clock.zfill(len(clock) + (clock[1] == ":")))
    except ValueError:
        return None, "DATE_INVALID"
    zone = find_zone(form.zone)
    if offset:
        moment = dt.datetime.fromisoformat(
            f"{date.isoformat()}T{time.isoformat()}{offset.replace('Z', '+00:00')}"
        )
        return (moment.astimezone(zone).date() if zone else date), "DATE_TIMEZONE"
    if zone and _falls_on_clock_change(dt.datetime.combine(date, time), zone):
        return date, "DATE_DST"
    return date, rule


def _falls_on_clock_change(moment: dt.datetime, zone: ZoneInfo) -> bool:
    early, late = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return early != late


@cache
def find_zone(name: str | None) -> ZoneInfo | None:
    """Return a time zone by its name, None for None.

    Raises
    ------
    FactsError
        When there is no zone of that name.
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise FactsError(
            f'There is no time zone {name!r}; write it like time_zone = "Asia/Taipei".'
        ) from None


def to_day_number(date: dt.date) -> int:
    """Return a date as days since 1970-01-01."""
    return date.toordinal() - _EPOCH


#: What each rule says, and what the source can declare; `{column}` is the header.
DATE_RULES: Mapping[str, tuple[str, str | None]] = {
    "DATE_AMBIGUOUS": (
        "dates with the year last, and their order is not declared",
        'add to [[file]]: date_order = "day-first"  (or "month-first")',
    ),
    "DATE_ROC_SUSPECT": (
        "dates that look like years of the Republic of China",
        'add to [[file]]: date_calendar = "roc"',
    ),
    "DATE_EXCEL_SERIAL": (
        "dates that look like Excel serial numbers; the 1900 and 1904 systems differ by 1462 days",
        'add to [[file]]: date_calendar = "excel1900"  (or "excel1904"), or correct the cells',
    ),
    "DATE_TWO_DIGIT_YEAR": (
        "dates with a two-digit year, and their order is not declared",
        'add to [[file]]: date_order = "day-first"  (or "month-first"); years then begin with 20',
    ),
    "DATE_INVALID": ("not a date of the calendar", None),
    "DATE_SENTINEL": (
        "a placeholder date",
        "if it means missing, add its spelling to [[file]]: missing = [...]",
    ),
    "DATE_SHORT_YEAR": ("years of two digits, read as 2000 and later", None),
    "DATE_TIMEZONE": ("timestamps with an offset, read as days in the clinic's time zone", None),
    "DATE_DST": ("timestamps in an hour that the clock change skips or repeats; their day is kept", None),
}
#: Rules about the form of a whole column, not about single cells, and the proportion above which it is one.
FORM_RULES = {
    "DATE_AMBIGUOUS": "date_form",
    "DATE_ROC_SUSPECT": "date_form",
    "DATE_EXCEL_SERIAL": "date_form",
    "DATE_TWO_DIGIT_YEAR": "short_year",
}
REPAIRED_RULES = ("DATE_TIMEZONE", "DATE_DST", "DATE_SHORT_YEAR")
