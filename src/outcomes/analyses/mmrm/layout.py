"""How a long table is laid out as one row per patient: visits, factors and their levels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.terms import Factor, Terms
from outcomes.errors import AnalysisError

#: Masks of visits are 64-bit integers.
MOST_VISITS = 62


@dataclass(frozen=True)
class Layout:
    """What every part of a pass must agree on.

    Parameters
    ----------
    terms : Terms
    subject, visit : str
        Columns.
    visits : tuple of str
        Levels of the visit in order.
    levels : mapping of str to tuple of str
        Levels of each categorical factor but the visit, the reference first; no entry for a number.
    held : mapping of str to tuple of str
        Levels of further columns that are codes: the group of the covariance, the cluster.
    centre, spread : mapping of str to float
        Of each number and of the score (key ``""``): what is subtracted and divided by before summing.
    varying : frozenset of str
        Factors that change within a patient.
    weights : str or None
        Column of weights.
    group, cluster : str or None
        Columns.
    """

    terms: Terms
    subject: str
    visit: str
    visits: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    centre: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    varying: frozenset[str] = frozenset()
    weights: str | None = None
    group: str | None = None
    cluster: str | None = None

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Factors that are not the visit."""
        return tuple(entry for entry in self.terms.factors if not self.is_visit(entry.name))

    def is_visit(self, factor: str) -> bool:
        """Return whether a factor is the visit."""
        return factor in (self.visit, f"C({self.visit})")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that are needed, each once."""
        named = [self.subject, self.visit, *self.terms.score.variables]
        named += [name for entry in self.factors for name in entry.variables]
        named += [name for name in (self.weights, self.group, self.cluster) if name]
        return tuple(dict.fromkeys(named))


def list_columns(terms: Terms, *named: str | None) -> list[str]:
    """Return the distinct columns that a formula and further arguments name."""
    held = [name for entry in (terms.score, *terms.factors) for name in entry.variables]
    return list(dict.fromkeys([*(name for name in named if name), *held]))


def require_columns(known: list[str], wanted: list[str]) -> None:
    """Refuse a table that lacks columns; the message names them and lists those there are."""
    absent = [name for name in wanted if name not in known]
    if absent:
        raise AnalysisError(
            f"The table has no column {', '.join(map(repr, absent))}; it has: {', '.join(map(str, known))}."
        )


def order_levels(values: pd.Series) -> tuple[str, ...]:
    """Return the levels that occur: a categorical's own order, else sorted.

    Examples
    --------
    >>> order_levels(pd.Series([10, 9, None]))
    ('9', '10')
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        found = set(values.dropna().unique())
        return tuple(str(level) for level in values.cat.categories if level in found)
    return tuple(str(write_level(level)) for level in sorted(values.dropna().unique()))


def write_level(level: object) -> str:
    """Return a level as text; whole numbers are written without a decimal point."""
    if isinstance(level, float | np.floating) and float(level).is_integer():
        return str(int(level))
    return str(level)


def is_category(values: pd.Series, factor: Factor | None = None) -> bool:
    """Return whether a column holds categories: text, categoricals, flags or what ``C()`` declares."""
    declared = factor is not None and factor.categorical
    return declared or not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def encode_levels(values: pd.Series, levels: tuple[str, ...]) -> np.ndarray:
    """Return the position of each value among levels, -1 where it is missing or none of them."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = pd.factorize(values, use_na_sentinel=True)
    else:
        codes, found = values.cat.codes.to_numpy().astype(np.int64), values.cat.categories
    place = {level: number for number, level in enumerate(levels)}
    table = np.array([place.get(write_level(level), -1) for level in found] + [-1], dtype=np.int32)
    return table[codes]


def evaluate_factor(factor: Factor, frame: pd.DataFrame) -> np.ndarray:
    """Return a numeric factor of every row; expressions are evaluated as formulaic does."""
    if factor.is_column:
        return frame[factor.variables[0]].to_numpy("float64", na_value=np.nan)
    from formulaic import model_matrix

    return np.asarray(
        model_matrix(f"0 + {factor.name}", frame, na_action="ignore", output="numpy"), dtype="float64"
    )[:, 0]
