"""Records held against each other and against what is possible: keys, days, ranges, sites, sessions."""

from outcomes.records.checks.absences import ask_absences
from outcomes.records.checks.days import check_days, note_falling_sessions, read_sessions_to_date
from outcomes.records.checks.keys import (
    keep_first_baselines,
    note_missing_baselines,
    refuse_double_baselines,
    refuse_duplicate_rows,
    refuse_mismatched_instruments,
    repeat_rows,
    settle_repeated_scores,
)
from outcomes.records.checks.ranges import check_scores, note_reversed_sites
from outcomes.records.checks.regions import settle_regions
from outcomes.records.checks.scales import ask_changes, ask_scales

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
    "repeat_rows",
    "settle_regions",
    "settle_repeated_scores",
]
