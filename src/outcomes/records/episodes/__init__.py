"""Rows to episodes: whose each row is, when it happened, what is constant within an episode."""

from outcomes.records.episodes.attributes import (
    Attribute,
    collect_attributes,
    settle_changing,
    settle_constants,
    take_first,
)
from outcomes.records.episodes.courses import FILE_ORDER, FIRST_DAY
from outcomes.records.episodes.events import map_rows, refuse_unplaced
from outcomes.records.episodes.links import Links, link_parts
from outcomes.records.episodes.roster import (
    count_sessions,
    find_excluded,
    keep_episodes,
    note_undated_courses,
)
from outcomes.records.episodes.sharing import RESTART
from outcomes.records.episodes.therapies import refuse_blank_therapies, settle_therapy
from outcomes.records.episodes.times import (
    BASELINE,
    RowTimes,
    count_days,
    find_moments,
    find_target_day,
    find_time_zero,
    list_timepoints,
    read_day_numbers,
    read_days,
    read_row_times,
)

__all__ = [
    "BASELINE",
    "FILE_ORDER",
    "FIRST_DAY",
    "RESTART",
    "Attribute",
    "Links",
    "RowTimes",
    "collect_attributes",
    "count_days",
    "count_sessions",
    "find_excluded",
    "find_moments",
    "find_target_day",
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
