"""Slots of a series: how each ended, which are due now, and the state of the series as a whole.

How slots ended is kept as one small private file beside the runs of the series.
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.facts import Text
from outcomes.machine.private_files import make_private, write_private_file
from outcomes.reports.series.cadence import Slot, find_latest_slot, find_next_slot, find_slots
from outcomes.reports.series.declaration import Series

_NAME, _LAST_RUN = "slots.json", "last_run.json"
# states after which ``run --due`` leaves a slot alone
_SETTLED = ("released", "nothing_new", "missed")
_TOLERANCE = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class SlotRecord:
    """How a slot of a series ended."""

    slot: str
    #: When it fell due, in UTC, ISO.
    due: str
    #: ``released``, ``nothing_new``, ``failed``, or ``missed``: a later slot was made in its place.
    state: str
    #: When that was found out, in UTC, ISO.
    ended: str
    #: Of the records, and of what the pages are made by: notebook, package, and parameters but for the
    #: period. Where both are as before, there is nothing new.
    records_sha256: str = ""
    definition_sha256: str = ""
    n_read: int = 0
    newest: str = ""
    #: Pages that stand, and those that do not.
    n_pages: int = 0
    n_failed: int = 0
    #: The worst of all pages.
    exit_code: int = 0
    #: Class of reasons of a failure.
    reason: str = ""
    #: The reason given for records that shrank.
    accepted: str = ""
    #: What the source must answer before the records can be read, with the lines to write; holds no value
    #: of the records.
    question: str = ""


def read_history(archive: Path, series: str) -> list[SlotRecord]:
    """Return the slots of a series that were looked at, the oldest first; none where there is no file.

    A file that cannot be read is an error (exit code 9): to guess could make a release twice.
    """
    path = archive / series / _NAME
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [SlotRecord(**entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        said = Text.of("errors.series.unreadable", series=series, file=path.name)
        raise ReportError(said, exit_code=9) from None


def note_slots(archive: Path, series: str, records: Sequence[SlotRecord]) -> None:
    """Add slots to the list of a series, each in the place of an older entry of the same slot."""
    kept = {record.slot: record for record in read_history(archive, series)}
    kept |= {record.slot: record for record in records}
    entries = [dataclasses.asdict(one) for one in sorted(kept.values(), key=lambda one: (one.due, one.slot))]
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    write_private_file(archive / series / _NAME, text.encode("utf-8"))


def find_last(history: Sequence[SlotRecord], *states: str) -> SlotRecord | None:
    """Return the latest slot in one of the given states."""
    found = [record for record in history if record.state in states]
    return max(found, key=lambda record: record.due) if found else None


@dataclass(frozen=True)
class DueSlots:
    """What is to be made of a series."""

    slots: tuple[Slot, ...] = ()
    #: Earlier slots that are not made, because these are.
    missed: tuple[Slot, ...] = ()
    #: The slot that failed so recently that it is left alone for now.
    waits: SlotRecord | None = None


def find_due(
    series: Series, history: Sequence[SlotRecord], now: dt.datetime, *, asked: bool = False
) -> DueSlots:
    """Return what is to be made of a series at a moment; with ``asked`` the latest slot in any state.

    Everything follows from the moment and the series' zone. A slot older than the last settled one is never
    made, so that a clock that was set back makes nothing twice; a settled slot in the future means that the
    clock was wrong then, or is now (exit code 2).
    """
    latest = find_latest_slot(series.cadence, series.time_zone, now)
    if latest is None:
        return DueSlots()
    settled = find_last(history, *_SETTLED)
    last = dt.datetime.fromisoformat(settled.due) if settled else None
    if settled and last and last > now + _TOLERANCE:
        said = Text.of("errors.series.future", series=series.id, slot=settled.slot)
        raise ReportError(said, exit_code=2)
    if asked:
        return DueSlots((latest,)) if last is None or latest.due >= last else DueSlots()
    if last is not None and latest.due <= last:
        return DueSlots()
    open_ = [latest] if last is None else find_slots(series.cadence, series.time_zone, last, now)
    first = open_[-1] if series.catch_up == "latest" else open_[0]
    failed = next((one for one in history if one.slot == first.id and one.state == "failed"), None)
    if failed is not None:
        age = now - dt.datetime.fromisoformat(failed.ended)
        # a clock that was set back makes the failure old
        if dt.timedelta(0) <= age < dt.timedelta(minutes=series.retry_minutes):
            return DueSlots(waits=failed)
    if series.catch_up == "all":
        return DueSlots(tuple(open_))
    return DueSlots((open_[-1],), tuple(open_[:-1]))


@dataclass(frozen=True)
class SeriesStatus:
    """The state of one series."""

    series: str
    #: Slot of the last release; empty where there is none.
    last: str
    #: When that was, in UTC.
    released: str
    #: Of the latest slot that was looked at; ``never`` where none was.
    state: str
    #: Class of reasons where it failed.
    reason: str
    #: ``now`` where a slot waits to be made, else the moment of the next one, in UTC.
    due: str
    #: Pages of the last release.
    n_pages: int
    #: What the source must answer before the next one can be made.
    question: str = ""

    @property
    def is_well(self) -> bool:
        """Whether no person needs to look into it."""
        return self.state not in ("failed", "clock")


def list_statuses(declared: Mapping[str, Series], archive: Path, now: dt.datetime) -> list[SeriesStatus]:
    """Return the state of each series, in the order of the declaration."""
    return [_find_status(series, archive, now) for series in declared.values()]


def _find_status(series: Series, archive: Path, now: dt.datetime) -> SeriesStatus:
    history = read_history(archive, series.id)
    released = find_last(history, "released")
    latest = find_last(history, "released", "nothing_new", "failed")
    state, reason = (latest.state, latest.reason) if latest else ("never", "")
    next_slot = find_next_slot(series.cadence, series.time_zone, now)
    due = next_slot.due.isoformat(timespec="minutes") if next_slot else "never"
    try:
        waiting = find_due(series, history, now)
        due = "now" if (waiting.slots or waiting.waits) else due
    except ReportError:
        state, reason = "clock", "configuration"
    return SeriesStatus(
        series=series.id,
        last=released.slot if released else "",
        released=released.ended if released else "",
        state=state,
        reason=reason,
        due=due,
        n_pages=released.n_pages if released else 0,
        question=latest.question if latest else "",
    )


def note_last_run(private: Path, now: dt.datetime, exit_code: int) -> None:
    """Note that the series were looked at, and how that went."""
    before = read_last_run(private)
    moment = now.isoformat(timespec="seconds")
    content = {"ended": moment, "exit_code": exit_code}
    content["succeeded"] = moment if exit_code == 0 else before.get("succeeded", "")
    make_private(private)
    write_private_file(private / _LAST_RUN, json.dumps(content).encode("utf-8"))


def read_last_run(private: Path) -> dict[str, str]:
    """Return when the series were last looked at (``ended``), and last without a failure (``succeeded``)."""
    try:
        return dict(json.loads((private / _LAST_RUN).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
