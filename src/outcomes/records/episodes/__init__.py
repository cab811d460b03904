"""Rows to episodes: whose each row is, when it happened, what is constant within an episode."""

from outcomes.records.episodes.attributes import (
    Attribute,
    collect_attributes,
    refuse_blank_therapies,
    settle_changing,
    settle_constants,
    settle_therapy,
    take_first,
)
from outcomes.records.episodes.links import link_parts
from outcomes.records.episodes.roster import (
    count_sessions,
    find_excluded,
    keep_episodes,
    map_rows,
    note_undated_courses,
    refuse_unplaced,
)
from outcomes.records.episodes.sharing import RESTART
from outcomes.records.episodes.times import (
    BASELINE,
    FILE_ORDER,
    Links,
    RowTimes,
    count_days,
    find_moments,
    find_time_zero,
    list_timepoints,
    read_day_numbers,
    read_days,
    read_row_times,
)

__all__ = [
    "BASELINE",
    "FILE_ORDER",
    "RESTART",
    "Attribute",
    "Links",
    "RowTimes",
    "collect_attributes",
    "count_days",
    "count_sessions",
    "find_excluded",
    "find_moments",
    "find_time_zero",
    "keep_episodes",
    "link_parts",
    "list_timepoints",
    "map_rows",
    "note_undated_courses",
    "read_day_numbers",
    "read_days",
    "read_row_times",
    "refuse_blank_therapies",
    "refuse_unplaced",
    "settle_changing",
    "settle_constants",
    "settle_therapy",
    "take_first",
]
