"""Which days of the records a release is about."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

from outcomes.facts import Words

#: ``all`` takes the records as they are; the others take the episodes that began within the period.
PERIODS = ("all", "month", "quarter", "year", "rolling")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Period:
    """Days, both included, on which an episode must have begun; None where all count."""

    since: dt.date | None
    until: dt.date | None

    def describe(self, words: Words) -> str:
        """Return the period in words; empty where it is all of the records."""
        if self.since is None or self.until is None:
            return ""
        return words.say("series.period", since=self.since.isoformat(), until=self.until.isoformat())


def find_period(kind: str, day: dt.date, rolling_months: int = 12) -> Period:
    """Return the period of a release that falls due on a day.

    Parameters
    ----------
    kind : str
        One of `PERIODS`: the last whole month, quarter or year before the day, or the months up to it.
    day : date
        The period ends before it.
    rolling_months : int
        How many months the rolling period holds.

    Examples
    --------
    >>> find_period("quarter", dt.date(2026, 11, 26))
    Period(since=datetime.date(2026, 7, 1), until=datetime.date(2026, 9, 30))
    >>> find_period("rolling", dt.date(2024, 3, 31), 1)
    Period(since=datetime.date(2024, 2, 29), until=datetime.date(2024, 3, 30))
    """
    if kind == "all":
        return Period(None, None)
    if kind == "rolling":
        return Period(_step_back(day, rolling_months), day - dt.timedelta(days=1))
    months = _MONTHS[kind]
    end = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return Period(_step_back(end, months), end - dt.timedelta(days=1))


def _step_back(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
