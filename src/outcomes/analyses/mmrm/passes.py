"""From a table of any kind to its pattern sums."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from outcomes.analyses.mmrm.dask_pass import DaskPass
from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.frame_pass import Description, FramePass
from outcomes.analyses.mmrm.layout import MOST_VISITS, Layout
from outcomes.analyses.mmrm.parquet_pass import ParquetPass
from outcomes.analyses.mmrm.patterns import PatternSums, add_all, sum_patterns
from outcomes.analyses.mmrm.terms import Terms
from outcomes.errors import AnalysisError


class Pass(Protocol):
    """What every kind of table offers."""

    def describe(self, terms: Terms, visit: str, codes: list[str]) -> Description:
        """Describe the complete rows."""

    def map(self, layout: Layout, function: Any) -> Any:
        """Yield the function's value for each part of the table."""


def open_pass(
    table: Any, columns: list[str], subject: str, *, memory_limit_gb: float, patients_per_chunk: int | None
) -> Pass:
    """Return the pass over a pandas frame, a Parquet path or a Dask frame.

    Raises
    ------
    AnalysisError
        When the table is none of these, or lacks a column.
    """
    if isinstance(table, pd.DataFrame):
        return FramePass(table, columns, subject, patients_per_chunk)
    if isinstance(table, str | Path):
        return ParquetPass(table, columns, subject, memory_limit_gb)
    if type(table).__module__.split(".")[0] == "dask":
        return DaskPass(table, columns, subject)
    raise AnalysisError(
        f"A {type(table).__name__} is no table here; give a pandas DataFrame, the path of a Parquet file or "
        "a Dask "
        "DataFrame."
    )


def lay_out(
    source: Pass,
    terms: Terms,
    subject: str,
    visit: str,
    group: str | None,
    cluster: str | None,
    weights: str | None,
) -> Layout:
    """Describe a table and decide what is subtracted before summing.

    Numbers are centred and scaled, and the score too, wherever the model can give that back; sums of products
    of large numbers would otherwise lose digits.
    """
    codes = [name for name in (group, cluster) if name]
    found = source.describe(terms, visit, codes)
    visits = found.levels.pop(visit)
    if not visits:
        raise AnalysisError(
            "No row has a score, a visit and all that the formula names; nothing can be fitted."
        )
    if len(visits) > MOST_VISITS:
        raise AnalysisError(f"There are {len(visits)} visits; at most {MOST_VISITS} can be told apart.")
    layout = Layout(
        terms, subject, visit, visits,
        {name: levels for name, levels in found.levels.items() if name not in codes or _is_factor(terms,
        name)}, {name: found.levels[name] for name in codes},
        weights=weights, group=group, cluster=cluster,
    )  # fmt: skip
    fixed = Design(layout).uncentred
    numbers = {name: value for name, value in found.numbers.items() if name}
    centre = {name: 0.0 if name in fixed else value[0] for name, value in numbers.items()}
    mean, sd = found.numbers[""]
    return replace(
        layout,
        centre={**centre, "": mean if _holds_constant(layout) else 0.0},
        spread={**{name: value[1] for name, value in numbers.items()}, "": sd},
    )


def _is_factor(terms: Terms, name: str) -> bool:
    return any(entry.name == name for entry in terms.factors)


def _holds_constant(layout: Layout) -> bool:
    """Return whether a constant is among the model's columns: an intercept, or a term of categories alone."""
    return any(
        all(layout.is_visit(name) or name in layout.levels for name in term) for term in layout.terms.terms
    )


def sum_table(source: Pass, layout: Layout) -> tuple[Layout, Design, PatternSums]:
    """Sum a table by pattern; factors that turn out to vary within patients are then taken at each visit."""
    while True:
        design = Design(layout)
        sums = add_all(source.map(layout, partial(sum_patterns, design=design)))
        if not sums.differing:
            return layout, design, sums
        layout = replace(layout, varying=layout.varying | sums.differing)
