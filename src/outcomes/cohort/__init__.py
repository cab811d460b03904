"""From records to a cohort: the episodes that a question is about, on a completed grid of time points."""

from outcomes.cohort.flow import read_filters, write_filters
from outcomes.cohort.selection import follow_outcome, list_outcomes, reselect_cohort, select_cohort
from outcomes.cohort.snapshot import Snapshot, list_patients, take_snapshot
from outcomes.cohort.therapies import EVERY, list_groups
from outcomes.cohort.types import STATUSES, Cohort

__all__ = [
    "EVERY",
    "STATUSES",
    "Cohort",
    "Snapshot",
    "follow_outcome",
    "list_groups",
    "list_outcomes",
    "list_patients",
    "read_filters",
    "reselect_cohort",
    "select_cohort",
    "take_snapshot",
    "write_filters",
]
