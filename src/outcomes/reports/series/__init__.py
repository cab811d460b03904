"""Series: reports that are declared once in ``reports/reports.toml`` and made when they are due."""

from outcomes.reports.series.cadence import Slot, find_latest_slot, find_next_slot, find_slots
from outcomes.reports.series.declaration import DECLARATION, Series, read_series
from outcomes.reports.series.running import RunRequest, SeriesResult, run_series
from outcomes.reports.series.slices import check_series
from outcomes.reports.series.slots import (
    SeriesStatus,
    SlotRecord,
    list_statuses,
    note_last_run,
    read_history,
    read_last_run,
)

__all__ = [
    "DECLARATION",
    "RunRequest",
    "Series",
    "SeriesResult",
    "SeriesStatus",
    "Slot",
    "SlotRecord",
    "check_series",
    "find_latest_slot",
    "find_next_slot",
    "find_slots",
    "list_statuses",
    "note_last_run",
    "read_history",
    "read_last_run",
    "read_series",
    "run_series",
]
