"""Editions for stakeholders: guarded while they are made, approved by a person, then put in place."""

from outcomes.reports.editions.approval import (
    approve_editions,
    find_waiting,
    list_waiting,
    read_states,
    refuse_editions,
)
from outcomes.reports.editions.guard import Guard, guard_edition
from outcomes.reports.editions.released_pages import (
    RECORD_NAME,
    RELEASED,
    ReleaseRecord,
    find_place,
    list_released,
    read_record,
)

__all__ = [
    "RECORD_NAME",
    "RELEASED",
    "Guard",
    "ReleaseRecord",
    "approve_editions",
    "find_place",
    "find_waiting",
    "guard_edition",
    "list_released",
    "list_waiting",
    "read_record",
    "read_states",
    "refuse_editions",
]
