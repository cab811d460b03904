"""Columns that hold a change or an improvement: with the start of the same row they give the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outcomes.records.columns import Part
from outcomes.records.episodes import BASELINE
from outcomes.records.scores.measures import ScoreColumn

_TOLERANCE = 1e-6
_KINDS = {
    "change": "recorded as the change from the start",
    "improvement": "recorded as the improvement from the start",
}


def add_starts(part: Part, columns: Sequence[ScoreColumn]) -> list[ScoreColumn]:
    """Return the score columns of a file, changes and improvements turned into scores."""
    return [
        _add_start(part, column, columns) if column.spec and column.spec.holds in _KINDS else column
        for column in columns
    ]


def _add_start(part: Part, column: ScoreColumn, columns: Sequence[ScoreColumn]) -> ScoreColumn:
    """Return a column as scores, refusing the cells of rows that have no start or lead out of the range."""
    assert column.spec is not None and column.spec.holds is not None
    measure, holds = column.measures[0], column.spec.holds
    instrument = measure.instrument
    start = np.full(part.n_rows, np.nan)
    for other in columns:
        if other.spec and other.spec.timepoint == BASELINE and other.measures[0].name == measure.name:
            start[other.rows] = other.score
    start[(start < instrument.minimum) | (start > instrument.maximum)] = np.nan
    start = start[column.rows]
    given = _find_change(column)
    change = given if holds == "change" else instrument.sign * given
    score = start + change
    span = f"{instrument.short_name} {instrument.minimum:g} to {instrument.maximum:g}"
    outside = (score < instrument.minimum - _TOLERANCE) | (score > instrument.maximum + _TOLERANCE)
    for rows, rule, what in (
        (np.isnan(start), "CHANGE_WITHOUT_START", f"a {holds} whose row has no score at the start"),
        (outside, "CHANGE_RANGE", f"start and {holds} together lie outside the range ({span})"),
    ):
        part.refuse_values(column.header, column.rows[rows], rule, what, whole=False)
    kept = ~np.isnan(start) & ~outside
    part.problems.note(
        "SCORE_FROM_CHANGE", "accept", f"scores computed from the start and the {holds}",
        part.records(column.rows[kept]), column=column.header, measure=instrument.id,
        said=f"Scores of the {instrument.short_name} after the start are computed: they are {_KINDS[holds]}.",
    )  # fmt: skip
    return replace(
        column,
        rows=column.rows[kept],
        which=column.which[kept],
        score=score[kept],
        n_missing=column.n_missing[kept],
    )


def _find_change(column: ScoreColumn) -> np.ndarray:
    """Return changes in the instrument's unit; the offset of a scale belongs to scores alone."""
    assert column.spec is not None
    if column.spec.scale is None or column.spec.scale not in column.measures[0].instrument.scales:
        return column.score
    rule = column.measures[0].instrument.scales[column.spec.scale]
    change = column.score - rule["offset"]
    return change if column.spec.holds == "change" else np.sign(rule["factor"]) * change
