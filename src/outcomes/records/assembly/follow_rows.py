"""Rows of sessions and events: what happened on a day of an episode, beside the assessments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Column, read_schema
from outcomes.records.assembly.episode_tables import EpisodeFrame, shape_column
from outcomes.records.columns import (
    NO_DATE,
    Coded,
    Part,
    list_missing_codes,
    map_category,
    map_numbers,
    map_therapy,
)
from outcomes.records.episodes import RowTimes, count_days

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


def build_rows(
    kind: str,
    frame: EpisodeFrame,
    parts: Sequence[tuple[Part, dict[str, Coded], np.ndarray, np.ndarray]],
    more: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per accepted session or event of all files, sorted by episode and day.

    Parameters
    ----------
    kind : str
        ``session`` or ``event``.
    frame : EpisodeFrame
    parts : sequence of (Part, columns, episode per row, day per row)
    more : pandas.DataFrame, optional
        Further rows with the same columns, and the number of the episode in ``episode``.
    """
    schema = read_schema()[f"{kind}s"]
    tables = []
    for part, typed, episode, days in parts:
        rows = np.flatnonzero(part.accepted())
        data: dict[str, object] = {"episode": episode[rows], "day": days[rows].astype(np.int64)}
        for name, coded in typed.items():
            values = shape_column(schema[name], Coded(coded.codes[rows], coded.values))
            data[name] = values.astype("str") if isinstance(values, pd.Categorical) else values
        tables.append(pd.DataFrame(data))
    if more is not None and len(more):
        tables.append(more)
    table = (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame({"episode": np.array([], dtype=np.int32)})
    )
    table = table[frame.kept[table["episode"].to_numpy()]] if len(table) else table
    return _shape_rows(table.reindex(columns=["episode", *schema]), schema, frame)


def _shape_rows(table: pd.DataFrame, schema: Mapping[str, Column], frame: EpisodeFrame) -> pd.DataFrame:
    table = table.sort_values(["episode", "day"], kind="stable").reset_index(drop=True)
    columns: dict[str, object] = {}
    for name, column in schema.items():
        if name == "episode_id":
            columns[name] = frame.name(table["episode"].to_numpy().astype(np.int32))
        elif column.type == "category":
            present = set(table[name].dropna())
            order = [value for value in column.allowed if value in present] or sorted(present)
            columns[name] = pd.Categorical(table[name], categories=pd.Index(order, dtype="str"))
        else:
            columns[name] = table[name].astype("Int64" if column.type == "integer" else "float64")
    return pd.DataFrame(columns)
