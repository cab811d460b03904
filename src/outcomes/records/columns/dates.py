"""From text to days: dates by the declared order and calendar; what is ambiguous is asked, never guessed."""

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from outcomes.errors import FactsError
from outcomes.facts import Text, Value, read_facts
from outcomes.records.columns.coded import match_texts

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
_SHORT = 2  # digits of a year
_MONTHS = 12
_ROC_OFFSET = 1911
_EXCEL_EPOCHS = {"excel1900": dt.date(1899, 12, 30), "excel1904": dt.date(1904, 1, 1)}
_TYPED = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$")
_LAST = re.compile(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?:[ ,].*)?$")
#: Shares of the days of a month up to the twelfth, and after it.
_EARLY, _LATE = 12 / 31, 19 / 31
#: How many of a kind may be otherwise: cells that somebody typed later.
_STRAY = 0.05
#: Rules about dates in the order in which they are told, to what becomes of these: ``refuse``, ``repair``,
#: or the name of the proportion above which the form of the whole column refuses the file.
DATE_RULES = {
    "DATE_AMBIGUOUS": "date_form",
    "DATE_ROC_SUSPECT": "date_form",
    "DATE_EXCEL_SERIAL": "date_form",
    "DATE_TWO_DIGIT_YEAR": "short_year",
    "DATE_INVALID": "refuse",
    "DATE_SENTINEL": "refuse",
    "DATE_SHORT_YEAR": "repair",
    "DATE_TIMEZONE": "repair",
    "DATE_DST": "repair",
}
#: A date, None where there is none, and the rule that it met.
_Parsed: TypeAlias = tuple[dt.date | None, str | None]


@dataclass(frozen=True)
class DateForm:
    """How a file writes its dates: order, calendar and zone as in `FileSpec` and `Source`."""

    order: str = "year-first"
    calendar: str = "gregorian"
    zone: str | None = None
    #: Whether a spreadsheet has swapped day and month of the dates that it took for dates.
    swapped: bool = False


def parse_dates(
    texts: np.ndarray, present: np.ndarray, form: DateForm
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return distinct texts as days since 1970-01-01 (int32), and a mask per rule that they met.

    `NO_DATE` stands where a text is not present or refused.

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


def _parse_date(text: str, form: DateForm) -> _Parsed:
    if stamp := _TIMESTAMP.match(text):
        return _parse_timestamp(stamp[1], stamp[2], stamp[3], form)
    if match := (_YEAR_FIRST.match(text) or _COMPACT.match(text)):
        return _make_date(*map(int, match.groups()), swapped=form.swapped)
    if match := _YEAR_LAST.match(text):
        return (None, "DATE_AMBIGUOUS") if form.order == "year-first" else _make_ordered(match, form)
    if match := (_ROC.match(text) or _ROC_COMPACT.match(text)):
        year, month, day = map(int, match.groups())
        if form.calendar == "roc":
            return _make_date(year + _ROC_OFFSET, month, day)
        if year >= 100:
            return None, "DATE_ROC_SUSPECT"
    if match := _SERIAL.match(text):
        return _parse_serial(int(match[1]), form)
    if match := _SHORT_YEAR.match(text):
        return (None, "DATE_TWO_DIGIT_YEAR") if form.order == "year-first" else _make_ordered(match, form)
    return _parse_written(text, form)


def _make_ordered(match: re.Match[str], form: DateForm) -> _Parsed:
    """Return a date with the year last, its day and month in the declared order."""
    first, second, year = map(int, match.groups())
    day, month = (first, second) if form.order == "day-first" else (second, first)
    return _make_date(year, month, day, short=len(match[3]) == _SHORT)


def _parse_written(text: str, form: DateForm) -> _Parsed:
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
        return _make_date(year, month, day, swapped=form.swapped)
    if max(sizes) > _SHORT or sizes[1] != _SHORT:
        return None, "DATE_INVALID"
    day, year = map(int, numbers)  # the day stands first, as spreadsheets write it
    return _make_date(year, month, day, short=True)


@cache
def _read_month_words() -> tuple[Mapping[str, int], frozenset[str]]:
    facts = read_facts("months")
    names = {name: month for month, several in enumerate(facts["months"], start=1) for name in several}
    return names, frozenset(facts["others"])


def _parse_serial(serial: int, form: DateForm) -> _Parsed:
    limits = read_facts("checks")["excel"]
    if not limits["first_serial"] <= serial <= limits["last_serial"]:
        return None, "DATE_INVALID"
    if form.calendar not in _EXCEL_EPOCHS:
        return None, "DATE_EXCEL_SERIAL"
    return _EXCEL_EPOCHS[form.calendar] + dt.timedelta(days=serial), None


def _make_date(year: int, month: int, day: int, *, short: bool = False, swapped: bool = False) -> _Parsed:
    """Return a date of the calendar; a short year has two digits and is of this century."""
    limits = read_facts("checks")
    if swapped and day <= _MONTHS:
        month, day = day, month
    try:
        date = dt.date(_CENTURY + year if short else year, month, day)
    except ValueError:
        return None, "DATE_INVALID"
    if date.isoformat() in limits["sentinel_dates"]:
        return None, "DATE_SENTINEL"
    if date.year < limits["earliest_year"]:
        return None, "DATE_INVALID"
    return date, "DATE_SHORT_YEAR" if short else None


def _parse_timestamp(date_text: str, clock: str, offset: str | None, form: DateForm) -> _Parsed:
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
        moment = dt.datetime.fromisoformat(f"{date}T{time.isoformat()}{offset.replace('Z', '+00:00')}")
        return (moment.astimezone(zone).date() if zone else date), "DATE_TIMEZONE"
    early, late = (dt.datetime.combine(date, time, zone).replace(fold=fold) for fold in (0, 1))
    changes = zone is not None and early.utcoffset() != late.utcoffset()
    return date, "DATE_DST" if changes else rule


@cache
def find_zone(name: str | None) -> ZoneInfo | None:
    """Return a time zone by its name, None for None."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise FactsError(Text.of("findings_files.errors.no_zone", name=repr(name))) from None


def to_day_number(date: dt.date) -> int:
    """Return a date as days since 1970-01-01."""
    return date.toordinal() - _EPOCH


@dataclass(frozen=True)
class DateDoubt:
    """A doubt about a whole column of dates, worded by the catalogue under its rule."""

    rule: str
    #: What fills the places of its sentences.
    values: Mapping[str, Value]
    #: Line of the source that answers it, to the answer's name in the catalogue.
    answers: Mapping[str, str]
    #: Which distinct texts it is about.
    rows: np.ndarray


def find_date_doubts(texts: np.ndarray, n_rows: np.ndarray, form: DateForm) -> list[DateDoubt]:
    """Return what is doubtful about a column as a whole: its distinct texts, each in so many rows."""
    typed = _read_pairs(texts, _TYPED, 2, 3)
    last = _read_pairs(texts, _LAST, 1, 2)
    written = typed + _read_written(texts, last, form)
    doubts = (
        _find_swap(written, last, n_rows),
        _find_order(last, n_rows, form),
        _find_year_day(typed, n_rows),
    )
    return [doubt for doubt in doubts if doubt is not None]


def _read_pairs(texts: np.ndarray, form: re.Pattern[str], *groups: int) -> np.ndarray:
    """Return two numbers of each text of that form, 0 for others."""
    pairs = np.zeros((len(texts), 2), dtype=np.int16)
    for i, text in enumerate(texts):
        if match := form.match(text):
            pairs[i] = [int(match[group]) for group in groups]
    return pairs


def _read_written(texts: np.ndarray, last: np.ndarray, form: DateForm) -> np.ndarray:
    """Return month and day of dates with the month in words, which a spreadsheet writes too, 0 for others."""
    pairs = np.zeros((len(texts), 2), dtype=np.int16)
    if last.any() and (named := match_texts(texts, r"[A-Za-z\p{L}]{3}|月")).any():
        days, _ = parse_dates(texts, named & ~(last[:, 0] > 0), replace(form, swapped=False))
        for i in np.flatnonzero(days != NO_DATE):
            date = dt.date(1970, 1, 1) + dt.timedelta(days=int(days[i]))
            pairs[i] = date.month, date.day
    return pairs


def _find_swap(typed: np.ndarray, last: np.ndarray, n_rows: np.ndarray) -> DateDoubt | None:
    """Find what a spreadsheet does to day-first texts: those up to the twelfth become month-first dates."""
    is_typed, is_last = typed[:, 1] > 0, last[:, 0] > 0
    early = is_typed & (typed[:, 1] <= _MONTHS)
    late = is_last & (last.max(axis=1) > _MONTHS)
    n_early, n_late = int(early.sum()), int(late.sum())
    n_typed, n_last = int(is_typed.sum()), int(is_last.sum())
    if n_early < 2 or n_late < 2 or n_typed - n_early > _STRAY * n_typed or n_last - n_late > _STRAY * n_last:
        return None
    if _EARLY**n_early * _LATE**n_late > read_facts("checks")["share"]["date_chance"]:
        return None
    values = {"early": int(n_rows[early].sum()), "late": int(n_rows[late].sum())}
    answers = {f'confirmed = ["{name}"]': name for name in ("swapped_dates", "typed_dates")}
    return DateDoubt("DATE_SWAPPED", values, answers, early)


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
    values: dict[str, Value] = {"against": n_against, "all": n_all, "declared": n_for}
    values |= {"order": form.order, "other": other}
    answers = {f'date_order = "{other}"': "other", 'confirmed = ["date_order"]': "date_order"}
    return DateDoubt("DATE_ORDER_DECLARED", values, answers, against)


def _find_year_day(typed: np.ndarray, n_rows: np.ndarray) -> DateDoubt | None:
    """Find dates with the year first and then the day."""
    against = (typed[:, 0] > _MONTHS) & (typed[:, 1] <= _MONTHS)
    n_against, n_all = int(n_rows[against].sum()), int(n_rows[typed[:, 1] > 0].sum())
    if n_against < 2 or n_against <= read_facts("checks")["share"]["date_form"] * n_all:
        return None
    values = {"against": n_against, "all": n_all}
    write = str(Text.of("findings_files.columns.DATE_YEAR_DAY.write"))
    answers = {write: "file", 'confirmed = ["date_order"]': "date_order"}
    return DateDoubt("DATE_YEAR_DAY", values, answers, against)
