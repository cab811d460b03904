"""Checked arrays to the four tables of the schema."""

from outcomes.records.assembly.episode_tables import (
    build_assessments,
    build_episodes,
    find_last_day,
    frame_episodes,
)
from outcomes.records.assembly.follow_rows import build_rows, map_rows, refuse_unplaced

__all__ = [
    "build_assessments",
    "build_episodes",
    "build_rows",
    "find_last_day",
    "frame_episodes",
    "map_rows",
    "refuse_unplaced",
]
