"""Series: reports that are declared once in ``reports/reports.toml`` and made when they are due."""

from outcomes.reports.series.cadence import Slot, find_latest_slot, find_next_slot, find_slots
from outcomes.reports.series.checking import check_series
from outcomes.reports.series.declaration import DECLARATION, Series, read_series
from outcomes.reports.series.history import SlotRecord, read_history
from outcomes.reports.series.running import Ending, run_series
from outcomes.reports.series.standing import Standing, find_standing

__all__ = [
    "DECLARATION",
    "Ending",
    "Series",
    "Slot",
    "SlotRecord",
    "Standing",
    "check_series",
    "find_latest_slot",
    "find_next_slot",
    "find_slots",
    "find_standing",
    "read_history",
    "read_series",
    "run_series",
]
