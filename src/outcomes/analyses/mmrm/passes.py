"""From a table of any kind to its pattern sums, Parquet files by DuckDB within a limit of memory."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.design import Design, PatternSums, add_all, sum_patterns
from outcomes.analyses.mmrm.frame_pass import DaskPass, Description, FramePass, describe_frame
from outcomes.analyses.mmrm.layout import (
    MOST_VISITS,
    Layout,
    Terms,
    Wide,
    require_columns,
    widen,
    write_level,
)
from outcomes.errors import AnalysisError

#: Rows that are handed over at a time, and rows from which expressions are centred.
_ROWS_PER_BATCH, _ROWS_DESCRIBED = 1_000_000, 10_000
#: Share of the limit of memory that the database may take; the rest is for the rows handed over.
_DATABASE_SHARE = 0.6


class ParquetPass:
    """A long table in a Parquet file, or in several that a pattern such as ``scores/*.parquet`` names.

    The database sorts rows by patient, on disk where memory does not suffice, and hands them over in parts
    that hold their patients whole; each part is laid out and summed as a frame is.
    """

    def __init__(self, path: str | Path, columns: list[str], subject: str, memory_limit_gb: float) -> None:
        self.path, self.columns, self.subject = str(path), columns, subject
        self.memory_limit_gb = memory_limit_gb
        if not any(mark in self.path for mark in "*?[") and not Path(self.path).exists():
            raise AnalysisError(f"There is no Parquet file {Path(self.path).name!r}; check the path.")
        with self._connect() as database:
            held = database.execute(f"DESCRIBE SELECT * FROM {self._table}").fetchall()
        self.types = {name: kind for name, kind, *_ in held}
        require_columns(list(self.types), columns)

    @property
    def _table(self) -> str:
        return f"read_parquet({_quote_text(self.path)})"

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        try:
            import duckdb
        except ImportError as error:
            raise AnalysisError(
                "Models of Parquet files need DuckDB: pip install 'outcomes[cluster]'."
            ) from error
        with tempfile.TemporaryDirectory(prefix="outcomes-") as folder:
            limit = f"{round(1000 * self.memory_limit_gb * _DATABASE_SHARE)}MB"
            config: dict[str, Any] = {
                "memory_limit": limit,
                "temp_directory": folder,
                "preserve_insertion_order": False,
            }
            with duckdb.connect(config=config) as database:
                yield database

    def _select_complete(self) -> str:
        numbers = [name for name in self.columns if self.types[name] in ("DOUBLE", "FLOAT")]
        tests = [f"{_quote(name)} IS NOT NULL" for name in self.columns]
        tests += [f"isfinite({_quote(name)})" for name in numbers]
        return f"FROM {self._table} WHERE {' AND '.join(tests)}"

    def describe(self, terms: Terms, visit: str, codes: list[str]) -> Description:
        """Describe the complete rows; expressions are centred from the first rows."""
        complete = self._select_complete()
        found = Description()
        with self._connect() as database:
            listed = ", ".join(map(_quote, self.columns))
            first = database.execute(f"SELECT {listed} {complete} LIMIT {_ROWS_DESCRIBED}").df()
            sketch = describe_frame(first, terms, visit, codes)
            factors = {entry.name: entry for entry in terms.factors}
            named = {column: column for column in (visit, *codes)}
            named |= {name: entry.variables[0] for name, entry in factors.items() if name in sketch.levels}
            for name, column in named.items():
                rows = database.execute(f"SELECT DISTINCT {_quote(column)} {complete}").fetchall()
                found.levels[name] = tuple(write_level(row[0]) for row in sorted(rows))
            plain = {name: entry for name, entry in factors.items() if name in sketch.numbers}
            for name, factor in {**plain, "": terms.score}.items():
                found.numbers[name] = sketch.numbers[name]
                if factor.is_column:
                    column = _quote(factor.variables[0])
                    asked = f"SELECT avg({column}), stddev_pop({column}) {complete}"
                    row = database.execute(asked).fetchone()
                    found.numbers[name] = (row[0] or 0.0, row[1] or 1.0)
        return found

    def map(self, layout: Layout, function: Callable[[Wide], Any]) -> Iterator[Any]:
        """Yield the function's value for each part of the table, patients whole."""
        with self._connect() as database:
            rows = database.sql(
                f"SELECT {self._name_columns(layout)} FROM {self._table} ORDER BY {_quote(self.subject)}"
            )
            # Before version 1.5 of DuckDB the reader had another name.
            read = getattr(rows, "to_arrow_reader", None) or rows.fetch_arrow_reader
            reader = read(_ROWS_PER_BATCH)
            rest: pd.DataFrame | None = None
            for batch in reader:
                part = batch.to_pandas()
                if not len(part):
                    continue
                part = part if rest is None else pd.concat([rest, part], ignore_index=True)
                # The last patient's rows may go on in the next part.
                subject = part[self.subject]
                differs = np.flatnonzero((subject != subject.iloc[-1]).to_numpy())
                whole = differs[-1] + 1 if len(differs) else 0
                rest = part.iloc[whole:]
                if whole:
                    yield function(widen(part.iloc[:whole], layout))
            if rest is not None and len(rest):
                yield function(widen(rest, layout))

    def _name_columns(self, layout: Layout) -> str:
        """Return the columns for a query, texts as codes of their levels."""
        coded = [entry for entry in layout.factors if entry.name in layout.levels]
        levels = {layout.visit: layout.visits, **layout.held}
        levels |= {entry.variables[0]: layout.levels[entry.name] for entry in coded}
        named = []
        for column in self.columns:
            quoted = _quote(column)
            is_text = self.types[column].startswith(("VARCHAR", "BOOLEAN", "ENUM"))
            if column in levels and column != self.subject and is_text:
                allowed = ", ".join(_quote_text(level) for level in levels[column])
                text = f"CAST({quoted} AS VARCHAR)"
                if self.types[column] == "BOOLEAN":
                    text = f"CASE WHEN {quoted} THEN 'True' ELSE 'False' END"
                quoted = f"TRY_CAST({text} AS ENUM ({allowed})) AS {quoted}"
            named.append(quoted)
        return ", ".join(named)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Pass(Protocol):
    """What every kind of table offers."""

    def describe(self, terms: Terms, visit: str, codes: list[str]) -> Description:
        """Describe the complete rows."""

    def map(self, layout: Layout, function: Any) -> Any:
        """Yield the function's value for each part of the table."""


def open_pass(
    table: Any, columns: list[str], subject: str, memory_limit_gb: float, patients_per_chunk: int | None
) -> Pass:
    """Return the pass over a pandas frame, a Parquet path or a Dask frame."""
    if isinstance(table, pd.DataFrame):
        return FramePass(table, columns, subject, patients_per_chunk)
    if isinstance(table, str | Path):
        return ParquetPass(table, columns, subject, memory_limit_gb)
    if type(table).__module__.split(".")[0] == "dask":
        return DaskPass(table, columns, subject)
    raise AnalysisError(
        f"A {type(table).__name__} is no table here; give a pandas DataFrame, the path of a Parquet file or "
        "a Dask DataFrame."
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
    factors = {entry.name for entry in terms.factors}
    levels = {name: held for name, held in found.levels.items() if name in factors or name not in codes}
    held = {name: found.levels[name] for name in codes}
    named: dict[str, Any] = {"weights": weights, "group": group, "cluster": cluster}
    layout = Layout(terms, subject, visit, visits, levels, held, **named)
    fixed = Design(layout).uncentred
    numbers = {name: value for name, value in found.numbers.items() if name}
    centre = {name: 0.0 if name in fixed else value[0] for name, value in numbers.items()}
    mean, sd = found.numbers[""]
    return replace(
        layout,
        centre={**centre, "": 0.0 if layout.constant_term is None else mean},
        spread={**{name: value[1] for name, value in numbers.items()}, "": sd},
    )


def sum_table(source: Pass, layout: Layout) -> tuple[Layout, Design, PatternSums]:
    """Sum a table by pattern; factors that turn out to vary within patients are then taken at each visit."""
    while True:
        design = Design(layout)
        sums = add_all(source.map(layout, partial(sum_patterns, design=design)))
        if not sums.differing:
            return layout, design, sums
        layout = replace(layout, varying=layout.varying | sums.differing)
