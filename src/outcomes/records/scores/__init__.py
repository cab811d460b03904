"""Columns to scores: what was measured, and the assessments of all files side by side."""

from outcomes.records.scores.assessments import (
    Assessments,
    find_stages,
    find_starts,
    gather_assessments,
    set_days,
)
from outcomes.records.scores.measures import NO_ITEMS, Measure, ScoreColumn, build_measure, find_scale

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
    "set_days",
]
