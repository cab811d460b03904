"""Checked arrays to the four tables of the schema."""

from outcomes.records.assembly.assessment_table import build_assessments
from outcomes.records.assembly.episode_table import build_episodes, find_last_day
from outcomes.records.assembly.event_tables import build_rows
from outcomes.records.assembly.frame import frame_episodes

__all__ = ["build_assessments", "build_episodes", "build_rows", "find_last_day", "frame_episodes"]
