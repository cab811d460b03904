"""Columns to scores: what was measured, and the assessments of all files side by side."""

from outcomes.records.scores.assessments import Assessments, gather_assessments
from outcomes.records.scores.days import find_stages, find_starts, set_days
from outcomes.records.scores.measures import (
    NO_ITEMS,
    Measure,
    ScoreColumn,
    build_measure,
    find_scale,
    say_scales,
)

__all__ = [
    "NO_ITEMS",
    "Assessments",
    "Measure",
    "ScoreColumn",
    "build_measure",
    "find_scale",
    "find_stages",
    "find_starts",
    "gather_assessments",
    "say_scales",
    "set_days",
]
