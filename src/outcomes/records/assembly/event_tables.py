"""The tables of sessions and of events: one row each, by episode and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Column, read_schema
from outcomes.records.assembly.frame import EpisodeFrame, shape_column
from outcomes.records.columns import (
    Coded,
    Part,
)


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
        rows = np.flatnonzero(part.accepted_once())
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
