"""Records held against each other and against what is possible: keys, days, ranges, sites, sessions."""

from outcomes.records.checks.absences import ask_absences
from outcomes.records.checks.changes import ask_changes
from outcomes.records.checks.days import check_days
from outcomes.records.checks.keys import (
    note_missing_baselines,
    refuse_conflicting_scores,
    refuse_double_baselines,
    refuse_duplicate_rows,
    refuse_mismatched_instruments,
    refuse_repeated_episodes,
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
    "note_falling_sessions",
    "note_missing_baselines",
    "note_reversed_sites",
    "read_sessions_to_date",
    "refuse_conflicting_scores",
    "refuse_double_baselines",
    "refuse_duplicate_rows",
    "refuse_mismatched_instruments",
    "refuse_repeated_episodes",
    "settle_regions",
]
