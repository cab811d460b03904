"""The pass over the partitions of a Dask frame, on one machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from outcomes.analyses.mmrm.frame_pass import Description, describe_frame
from outcomes.analyses.mmrm.layout import Layout, order_levels, require_columns
from outcomes.analyses.mmrm.terms import Terms
from outcomes.analyses.mmrm.wide import Wide, widen

#: Rows from which expressions are centred.
_ROWS_DESCRIBED = 10_000


class DaskPass:
    """A long Dask frame. Rows are brought together by patient, then each partition is summed where it lies.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    columns : list of str
    subject : str
    """

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
