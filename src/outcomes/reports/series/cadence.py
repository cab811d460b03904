"""When a series is due, in the zone of its clinic, and which days of the records a release is about."""

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: Cadences with a name: how many months (or days) lie between two releases.
NAMED = ("daily", "weekly", "monthly", "quarterly", "yearly")
_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12, "month": 1, "quarter": 3, "year": 12}
#: ``all`` takes the records as they are; the others take the episodes that began within the period.
PERIODS = ("all", "month", "quarter", "year", "rolling")
# how far back the last moment of a cron expression is looked for; the longest holds every 29 February
_LOOK_BACK_DAYS = (2, 40, 400, 3700)


@dataclass(frozen=True)
class Slot:
    """A release that falls due at a moment."""

    #: The period that ended, such as ``2026-Q3``, ``2026-10``, ``2026-W47``; for a cron expression the
    #: local moment.
    id: str
    #: In UTC.
    due: dt.datetime
    #: The local day of that moment; the period of the records ends before it.
    day: dt.date


def is_cadence(text: str) -> bool:
    """Return whether a text is a named cadence or a cron expression of five fields.

    >>> is_cadence("quarterly"), is_cadence("30 2 1 * *"), is_cadence("sometimes"), is_cadence("* * * * * *")
    (True, True, False, False)
    """
    if text in NAMED:
        return True
    try:
        CronSim(text, dt.datetime(2026, 1, 1))
    except CronSimError:
        return False
    return len(text.split()) == 5


def find_latest_slot(cadence: str, zone: str, now: dt.datetime) -> Slot | None:
    """Return the last slot that is due at a moment.

    A local time that does not exist in the night on which clocks go forward falls right after the gap; one
    that exists twice falls once.

    >>> find_latest_slot("quarterly", "Europe/Amsterdam", dt.datetime(2026, 11, 26, tzinfo=dt.UTC)).id
    '2026-Q3'
    """
    if cadence in NAMED:
        return _name_slot(cadence, _begin(cadence, now.astimezone(ZoneInfo(zone)).date()), zone)
    for days in _LOOK_BACK_DAYS:
        found = list(_iterate_cron(cadence, zone, now - dt.timedelta(days=days), now))
        if found:
            return found[-1]
    return None


def find_slots(cadence: str, zone: str, after: dt.datetime, now: dt.datetime) -> list[Slot]:
    """Return all slots that became due after one moment and up to another, the oldest first.

    >>> since, now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    >>> [slot.id for slot in find_slots("quarterly", "UTC", since, now)]
    ['2026-Q1', '2026-Q2', '2026-Q3']
    """
    if cadence not in NAMED:
        return list(_iterate_cron(cadence, zone, after, now))
    slots = []
    slot = _name_slot(cadence, _begin(cadence, now.astimezone(ZoneInfo(zone)).date()), zone)
    while slot.due > after:
        slots.append(slot)
        slot = _name_slot(cadence, _begin(cadence, slot.day - dt.timedelta(days=1)), zone)
    return slots[::-1]


def find_next_slot(cadence: str, zone: str, now: dt.datetime) -> Slot | None:
    """Return the first slot that is not yet due at a moment; None where a cron expression never comes."""
    if cadence in NAMED:
        slot = find_latest_slot(cadence, zone, now)
        assert slot is not None
        longest = {"daily": 1, "weekly": 7}.get(cadence) or 31 * _MONTHS[cadence]
        return _name_slot(cadence, _begin(cadence, slot.day + dt.timedelta(days=longest)), zone)
    return next(_iterate_cron(cadence, zone, now, None), None)


def _begin(cadence: str, day: dt.date) -> dt.date:
    """Return the first day of the day's own period: the one on which the last release fell due."""
    if cadence == "daily":
        return day
    if cadence == "weekly":
        return day - dt.timedelta(days=day.weekday())
    return _begin_months(_MONTHS[cadence], day)


def _begin_months(months: int, day: dt.date) -> dt.date:
    """Return the first day of the month, quarter or year that a day lies in."""
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _name_slot(cadence: str, day: dt.date, zone: str) -> Slot:
    last = day - dt.timedelta(days=1)  # of the period that ended
    year, week, _ = last.isocalendar()
    id = {
        "daily": last.isoformat(),
        "weekly": f"{year}-W{week:02}",
        "monthly": f"{last:%Y-%m}",
        "quarterly": f"{last.year}-Q{(last.month + 2) // 3}",
        "yearly": str(last.year),
    }[cadence]
    midnight = dt.datetime.combine(day, dt.time(), ZoneInfo(zone))
    return Slot(id, midnight.astimezone(dt.UTC), day)


def _iterate_cron(
    expression: str, zone: str, after: dt.datetime, until: dt.datetime | None
) -> Iterator[Slot]:
    for local in CronSim(expression, after.astimezone(ZoneInfo(zone))):
        due = local.astimezone(dt.UTC)
        if until is not None and due > until:
            return
        yield Slot(f"{local:%Y-%m-%dT%H%M}", due, local.date())


@dataclass(frozen=True)
class Period:
    """Days, both included, on which an episode must have begun; None where all count."""

    since: dt.date | None
    until: dt.date | None


def find_period(kind: str, day: dt.date, rolling_months: int = 12) -> Period:
    """Return the period of a release that falls due on a day, ending before it.

    It is the last whole month, quarter or year, or for ``rolling`` the months up to the day.

    >>> find_period("quarter", dt.date(2026, 11, 26))
    Period(since=datetime.date(2026, 7, 1), until=datetime.date(2026, 9, 30))
    >>> find_period("rolling", dt.date(2024, 3, 31), 1)
    Period(since=datetime.date(2024, 2, 29), until=datetime.date(2024, 3, 30))
    """
    if kind == "all":
        return Period(None, None)
    if kind == "rolling":
        return Period(_step_back(day, rolling_months), day - dt.timedelta(days=1))
    end = _begin_months(_MONTHS[kind], day)
    return Period(_step_back(end, _MONTHS[kind]), end - dt.timedelta(days=1))


def _step_back(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
