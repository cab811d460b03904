"""Records held against each other and against what is possible: keys, days, ranges, sites, sessions."""

from outcomes.records.checks.absences import ask_absences
from outcomes.records.checks.baselines import (
    keep_first_baselines,
    note_missing_baselines,
    refuse_double_baselines,
)
from outcomes.records.checks.changes import ask_changes
from outcomes.records.checks.days import check_days
from outcomes.records.checks.keys import (
    refuse_duplicate_rows,
    refuse_mismatched_instruments,
    repeat_rows,
    settle_repeated_scores,
)
from outcomes.records.checks.ranges import check_scores
from outcomes.records.checks.regions import settle_regions
from outcomes.records.checks.scales import ask_scales
from outcomes.records.checks.sessions import note_falling_sessions, read_sessions_to_date
from outcomes.records.checks.sites import note_reversed_sites

__all__ = [
    "ask_absences",
    "ask_changes",
    "ask_scales",
    "check_days",
    "check_scores",
    "keep_first_baselines",
    "note_falling_sessions",
    "note_missing_baselines",
    "note_reversed_sites",
    "read_sessions_to_date",
    "refuse_double_baselines",
    "refuse_duplicate_rows",
    "refuse_mismatched_instruments",
    "settle_regions",
    "repeat_rows",
    "settle_repeated_scores",
]
