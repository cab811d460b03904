"""Passes over frames: pandas in memory, Dask by partition on one machine or on a cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.layout import (
    Factor,
    Layout,
    Terms,
    Wide,
    evaluate_factor,
    is_category,
    order_levels,
    require_columns,
    widen,
)


@dataclass
class Description:
    """What must be known of a table before it is summed."""

    #: Of each categorical factor, by its name, and of each column that is a code.
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Of each numeric factor, by its name, and of the score (key ``""``).
    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)


class FramePass:
    """A long frame, one row per patient and visit, in any order."""

    def __init__(
        self, frame: pd.DataFrame, columns: list[str], subject: str, patients_per_chunk: int | None = None
    ) -> None:
        require_columns([str(name) for name in frame.columns], columns)
        self.subject = subject
        self.patients_per_chunk = patients_per_chunk
        self.frame = pd.DataFrame(
            {name: frame[name] if name == subject else _categorise(frame[name]) for name in columns}
        )
        self._laid_out: tuple[Layout, list[Wide]] | None = None

    def describe(self, terms: Terms, visit: str, codes: list[str]) -> Description:
        """Describe the complete rows."""
        return describe_frame(self.frame, terms, visit, codes)

    def map(self, layout: Layout, function: Callable[[Wide], Any]) -> Iterator[Any]:
        """Yield the function's value for each part of the table."""
        if self._laid_out is None or self._laid_out[0] is not layout:
            self._laid_out = None
            if self.patients_per_chunk is None:
                self._laid_out = (layout, [widen(self.frame, layout)])
            else:
                yield from (function(widen(part, layout)) for part in self._split())
                return
        yield from (function(wide) for wide in self._laid_out[1])

    def _split(self) -> Iterator[pd.DataFrame]:
        number = pd.factorize(self.frame[self.subject])[0] // (self.patients_per_chunk or 1)
        order = np.argsort(number, kind="stable")
        bounds = np.searchsorted(number[order], np.arange(number.min(initial=0), number.max(initial=-1) + 2))
        for start, end in pairwise(bounds):
            yield self.frame.iloc[order[start:end]]


def describe_frame(frame: pd.DataFrame, terms: Terms, visit: str, codes: list[str]) -> Description:
    """Return the levels and spreads of the complete rows of a frame."""
    complete = ~frame.isna().any(axis=1).to_numpy()
    whole = frame if complete.all() else frame[complete]
    found = Description()
    for name in dict.fromkeys([visit, *codes]):
        found.levels[name] = order_levels(whole[name])
    for factor in terms.factors:
        column = whole[factor.variables[0]] if factor.variables else None
        if factor.name in (visit, f"C({visit})"):
            continue
        if factor.is_column and column is not None and is_category(column, factor):
            found.levels[factor.name] = order_levels(column)
        else:
            found.numbers[factor.name] = _describe_number(factor, whole)
    found.numbers[""] = _describe_number(terms.score, whole)
    return found


def _describe_number(factor: Factor, frame: pd.DataFrame) -> tuple[float, float]:
    values = evaluate_factor(factor, frame)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    centre = float(values.mean())
    spread = float(values.std())
    return centre, spread if spread > 1e-13 * abs(centre) and spread > 0 else 1.0


def _categorise(values: pd.Series) -> pd.Series:
    """Hold text as codes: levels are few and rows are many."""
    if is_category(values) and not isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("category")
    return values


#: Rows from which expressions are centred.
_ROWS_DESCRIBED = 10_000


class DaskPass:
    """A long Dask frame, shuffled by patient; each partition is then summed where it lies."""

    def __init__(self, frame: Any, columns: list[str], subject: str) -> None:
        require_columns([str(name) for name in frame.columns], columns)
        self.columns = columns
        self.frame = frame[columns]
        self.partitions = self.frame.shuffle(on=subject) if frame.npartitions > 1 else self.frame

    def describe(self, terms: Terms, visit: str, codes: list[str]) -> Description:
        """Describe the complete rows; expressions are centred from the first rows."""
        import dask

        whole = self.frame.dropna()
        first = whole.head(_ROWS_DESCRIBED, npartitions=-1, compute=True)
        found = describe_frame(first, terms, visit, codes)
        levels = {column: column for column in (visit, *codes)}
        levels |= {entry.name: entry.variables[0] for entry in terms.factors if entry.name in found.levels}
        plain = {"": terms.score} | {
            entry.name: entry for entry in terms.factors if entry.name in found.numbers
        }
        numbers = {name: entry.variables[0] for name, entry in plain.items() if entry.is_column}
        wanted = {name: whole[column].drop_duplicates() for name, column in levels.items()}
        means = {name: (whole[column].mean(), whole[column].std(ddof=0)) for name, column in numbers.items()}
        distinct, spreads = dask.compute(wanted, means)
        for name, values in distinct.items():
            found.levels[name] = order_levels(pd.Series(values))
        found.numbers |= {name: (float(mean), float(sd) or 1.0) for name, (mean, sd) in spreads.items()}
        return found

    def map(self, layout: Layout, function: Callable[[Wide], Any]) -> Iterator[Any]:
        """Yield the function's value for each partition, computed by Dask's scheduler."""
        import dask

        made = [dask.delayed(_lay_out)(part, layout, function) for part in self.partitions.to_delayed()]
        yield from dask.compute(*made)


def _lay_out(frame: pd.DataFrame, layout: Layout, function: Callable[[Wide], Any]) -> Any:
    return function(widen(frame, layout))
