"""From records to a cohort: the episodes that a question is about, on a completed grid of time points."""

from outcomes.cohort.selection import select_cohort
from outcomes.cohort.types import STATUSES, Cohort

__all__ = ["STATUSES", "Cohort", "select_cohort"]
