"""How each series stands: for people, and for monitors that call when something is wrong."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.reports.publication import replace_file
from outcomes.reports.runs import make_private
from outcomes.reports.series.cadence import find_next_slot
from outcomes.reports.series.declaration import Series
from outcomes.reports.series.due import find_due
from outcomes.reports.series.history import find_last, read_history

_BEAT = "last_run.json"


@dataclass(frozen=True)
class Standing:
    """How one series stands.

    Parameters
    ----------
    series : str
    last : str
        Slot of the last release; empty where there is none.
    released : str
        When that was, in UTC.
    state : str
        Of the latest slot that was looked at; ``never`` where none was.
    reason : str
        Class of reasons where it failed.
    due : str
        ``now`` where a slot waits to be made, else the moment of the next one, in UTC.
    n_pages : int
        Pages of the last release.
    question : str
        What the source must answer before the next one can be made.
    """

    series: str
    last: str
    released: str
    state: str
    reason: str
    due: str
    n_pages: int
    question: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to look after it."""
        return self.state not in ("failed", "clock")


def find_standing(declared: Mapping[str, Series], archive: Path, now: dt.datetime) -> list[Standing]:
    """Return how each series stands, in the order of the declaration."""
    return [_find_one(series, archive, now) for series in declared.values()]


def _find_one(series: Series, archive: Path, now: dt.datetime) -> Standing:
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
    return Standing(
        series.id,
        released.slot if released else "",
        released.ended if released else "",
        state,
        reason,
        due,
        released.n_pages if released else 0,
        latest.question if latest else "",
    )


def note_beat(private: Path, now: dt.datetime, exit_code: int) -> None:
    """Note that the series were looked at, and how that went."""
    before = read_beat(private)
    moment = now.isoformat(timespec="seconds")
    content = {"ended": moment, "exit_code": exit_code}
    content["succeeded"] = moment if exit_code == 0 else before.get("succeeded", "")
    make_private(private)
    replace_file(private / _BEAT, json.dumps(content).encode("utf-8"), mode=0o600)


def read_beat(private: Path) -> dict[str, str]:
    """Return when the series were last looked at (``ended``), and last without a failure (``succeeded``)."""
    try:
        return dict(json.loads((private / _BEAT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
