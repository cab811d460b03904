"""Rows of sessions and events: what happened on a day of an episode, beside the assessments."""

from __future__ import annotations

import numpy as np

from outcomes.facts import Column, read_schema
from outcomes.records.columns import (
    NO_DATE,
    Coded,
    Part,
    list_missing_codes,
    map_category,
    map_numbers,
    map_therapy,
)
from outcomes.records.episodes.times import RowTimes, count_days

_OWN = frozenset({"episode_id", "day"})


def map_rows(part: Part) -> dict[str, Coded]:
    """Return the columns of a file of sessions or events, typed; bad cells are refused."""
    schema = read_schema()[f"{part.spec.rows}s"]
    typed = {}
    for name, column in schema.items():
        if name in _OWN or name not in part.spec.columns:
            continue
        typed[name] = _map_column(part, column)
        if column.required:
            part.problems.refuse(
                part.records((typed[name].codes < 0) & part.accepted()),
                "VALUE_MISSING",
                f"no {column.label or name} in the record",
                column=part.spec.columns[name],
            )
    return typed


def _map_column(part: Part, column: Column) -> Coded:
    header = part.spec.columns[column.name]
    if column.name == "therapy":
        return map_therapy(part, header)[0]
    if column.type == "number":
        return map_numbers(
            part,
            header,
            missing=list_missing_codes(part, column.name),
            low=column.minimum,
            high=column.maximum,
            rule=f"{column.name.upper()}_RANGE",
            what=f"not possible; allowed are {column.minimum:g} to {column.maximum:g} {column.unit}",
        )
    return map_category(part, column.name, header, column)


def refuse_unplaced(part: Part, episode: np.ndarray, times: RowTimes, zero: np.ndarray) -> np.ndarray:
    """Refuse rows whose day after time zero is unknown or impossible; return all rows' days."""
    column = read_schema()[f"{part.spec.rows}s"]["day"]
    days = count_days(times.date, np.append(zero, NO_DATE)[episode], times.day)
    header = part.spec.columns.get("day", part.spec.columns.get("date"))
    part.problems.refuse(
        part.records((days == NO_DATE) & part.accepted()),
        "TIME_MISSING",
        "no day after time zero: the row has no date, or its episode no start",
        column=header,
    )
    assert column.minimum is not None and column.maximum is not None
    outside = (days != NO_DATE) & ((days < column.minimum) | (days > column.maximum)) & part.accepted()
    part.problems.refuse(
        part.records(outside),
        "DAY_RANGE",
        f"not possible; allowed are days {column.minimum:g} to {column.maximum:g} after time zero",
        column=header,
    )
    return days
