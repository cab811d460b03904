"""What is to be done about a series now: which slot, and which earlier ones it stands for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from outcomes.errors import ReportError
from outcomes.reports.series.cadence import Slot, find_latest_slot, find_slots
from outcomes.reports.series.declaration import Series
from outcomes.reports.series.history import SETTLED, SlotRecord, find_last

_TOLERANCE = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Due:
    """What is to be done.

    Parameters
    ----------
    slots : tuple of Slot
        To be made.
    missed : tuple of Slot
        Earlier ones for which these stand.
    waits : SlotRecord or None
        The slot that failed so recently that it is left alone.
    """

    slots: tuple[Slot, ...] = ()
    missed: tuple[Slot, ...] = ()
    waits: SlotRecord | None = None


def find_due(series: Series, history: Sequence[SlotRecord], now: dt.datetime, *, asked: bool = False) -> Due:
    """Return what is to be made of a series at a moment.

    The moment is taken once, in UTC; everything else follows from it and the series' zone. A slot older than
    the last settled one is never made, so that a clock that was set back makes nothing twice.

    Parameters
    ----------
    series : Series
    history : sequence of SlotRecord
    now : datetime
        With its zone.
    asked : bool
        Whether a person asks for the series: the latest slot is then made whatever became of it.

    Returns
    -------
    Due

    Raises
    ------
    ReportError
        When the last settled slot lies in the future (exit code 2): the clock was wrong then, or is now.
    """
    latest = find_latest_slot(series.cadence, series.time_zone, now)
    if latest is None:
        return Due()
    settled = find_last(history, *SETTLED)
    last = dt.datetime.fromisoformat(settled.due) if settled else None
    if settled and last and last > now + _TOLERANCE:
        raise ReportError(
            f"{series.id}: its last release ({settled.slot}) fell due in the future. Set the clock right; "
            f"if it was wrong then, remove that slot from slots.json in the private archive of the series.",
            exit_code=2,
        )
    if asked:
        return Due((latest,)) if last is None or latest.due >= last else Due()
    if last is not None and latest.due <= last:
        return Due()
    open_ = [latest] if last is None else find_slots(series.cadence, series.time_zone, last, now)
    first = open_[-1] if series.catch_up == "latest" else open_[0]
    if failed := _find_recent_failure(series, history, first, now):
        return Due(waits=failed)
    if series.catch_up == "all":
        return Due(tuple(open_))
    return Due((open_[-1],), tuple(open_[:-1]))


def _find_recent_failure(
    series: Series, history: Sequence[SlotRecord], slot: Slot, now: dt.datetime
) -> SlotRecord | None:
    """Return the slot's failure if it is so recent that it is left alone; a clock set back makes it old."""
    failed = next((one for one in history if one.slot == slot.id and one.state == "failed"), None)
    if failed is None:
        return None
    age = now - dt.datetime.fromisoformat(failed.ended)
    return failed if dt.timedelta(0) <= age < dt.timedelta(minutes=series.retry_minutes) else None
