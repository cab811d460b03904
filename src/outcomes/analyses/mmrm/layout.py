"""How a long table is laid out as one row per patient: visits, factors and their levels."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import AnalysisError

#: Transformations that learn from all values at once, so that a pass in parts would give other columns.
_STATEFUL = ("bs", "cs", "cc", "cr", "te", "poly", "center", "scale", "standardize", "lag")


@dataclass(frozen=True)
class Factor:
    """One factor of a term."""

    #: As written in the formula, such as ``therapy``, ``C(region)`` or ``np.log(age)``.
    name: str
    #: Columns of the table that it is computed from.
    variables: tuple[str, ...]
    #: Whether it was declared a category by ``C()``; other categories are found by their values.
    categorical: bool

    @property
    def is_column(self) -> bool:
        """Whether the factor is a column of the table as it stands."""
        return self.categorical or self.variables == (self.name,)


@dataclass(frozen=True)
class Terms:
    """What a formula says."""

    formula: str
    #: The left-hand side.
    score: Factor
    #: Distinct factors of the right-hand side, in order.
    factors: tuple[Factor, ...]
    #: Names of the factors of each term, terms of lower order first; the intercept is ``()``.
    terms: tuple[tuple[str, ...], ...]


def parse_formula(formula: str) -> Terms:
    """Parse a formula in the grammar of formulaic, which is that of Wilkinson and Rogers 1973 as R has it.

    >>> parse_formula("score ~ therapy*visit + np.log(age)").terms
    ((), ('therapy',), ('visit',), ('np.log(age)',), ('therapy', 'visit'))
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
        left, right = list(parsed.lhs), list(parsed.rhs)
    except (FormulaicError, AttributeError, SyntaxError) as error:
        raise AnalysisError(
            f"The formula {formula!r} cannot be read; write it as 'score ~ therapy*visit + age'."
        ) from error
    if len(left) != 1 or len(left[0].factors) != 1:
        raise AnalysisError(f"The formula {formula!r} needs exactly one score left of ~.")
    factors: dict[str, Factor] = {}
    terms = []
    for term in right:
        names = [entry.expr for entry in term.factors if entry.expr != "1"]
        factors.update({name: _read_factor(name) for name in names if name not in factors})
        terms.append(tuple(names))
    return Terms(formula, _read_factor(left[0].factors[0].expr), tuple(factors.values()), tuple(terms))


def _read_factor(name: str) -> Factor:
    from formulaic import Formula

    declared = re.fullmatch(r"C\((\w+)\)", name)
    if declared:
        return Factor(name, (declared[1],), True)
    called = re.findall(r"(\w+)\s*\(", name)
    if any(function in _STATEFUL for function in called) or name.startswith("C("):
        raise AnalysisError(
            f"{name} cannot be part of a model that is fitted in one pass: compute that column first and "
            "name it in the formula; categories are coded by treatment contrasts, C(column)."
        )
    return Factor(name, tuple(sorted(map(str, Formula(f"0 + {name}").required_variables))), False)


#: Masks of visits are 64-bit integers.
MOST_VISITS = 62


@dataclass(frozen=True)
class Layout:
    """What every part of a pass must agree on."""

    terms: Terms
    #: Columns.
    subject: str
    visit: str
    #: Levels of the visit in order.
    visits: tuple[str, ...]
    #: Levels of each categorical factor but the visit, the reference first; no entry for a number.
    levels: dict[str, tuple[str, ...]]
    #: Levels of further columns that are codes: the group of the covariance, the cluster.
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Of each number and of the score (key ``""``): what is subtracted and divided by before summing.
    centre: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    #: Factors that change within a patient.
    varying: frozenset[str] = frozenset()
    #: Column of weights.
    weights: str | None = None
    #: Columns.
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
    def constant_term(self) -> int | None:
        """Place of the first term whose columns add up to 1: the intercept, or one of categories alone."""
        for number, term in enumerate(self.terms.terms):
            if all(self.is_visit(name) or name in self.levels for name in term):
                return number
        return None


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

    matrix = model_matrix(f"0 + {factor.name}", frame, na_action="ignore", output="numpy")
    return np.asarray(matrix, dtype="float64")[:, 0]


@dataclass(frozen=True)
class Wide:
    """Some patients, n of them, over T visits."""

    #: Shape (n,): their labels.
    subjects: np.ndarray
    #: Shape (n, T): centred and scaled as the layout says; missing where there is no complete row.
    score: np.ndarray
    #: Shape (n,), or (n, T) for one that varies within patients: codes of levels, or numbers centred and
    #: scaled.
    factors: dict[str, np.ndarray]
    #: Shape (n,), or None.
    group: np.ndarray | None = None
    cluster: np.ndarray | None = None
    #: Shape (n,) or (n, T), or None.
    weights: np.ndarray | None = None
    #: Rows left out because a score, a factor or a weight is missing.
    n_dropped: int = 0
    #: Patients of whom no row is left.
    n_empty: int = 0
    #: Factors that were found to differ within a patient although the layout holds them constant.
    differing: frozenset[str] = frozenset()

    def take(self, rows: slice | np.ndarray) -> "Wide":
        """Return some of the patients."""
        held = {name: getattr(self, name) for name in ("subjects", "score", "group", "cluster", "weights")}
        taken: dict[str, Any] = {name: part[rows] for name, part in held.items() if part is not None}
        return replace(self, **taken, factors={name: part[rows] for name, part in self.factors.items()})


def widen(frame: pd.DataFrame, layout: Layout) -> Wide:
    """Lay out a part of a long table that holds its patients whole.

    The frame has one row per patient and visit. Rows that lack the score, a factor or a weight are left out
    (complete rows, as in R) and counted. A patient with two rows for a visit, or with a group or cluster that
    changes, is refused. Nothing is sorted: each row is put in its place.
    """
    codes, subjects = pd.factorize(frame[layout.subject], use_na_sentinel=True)
    visit = encode_levels(frame[layout.visit], layout.visits)
    found = _read_values(frame, layout)
    used = (visit >= 0) & (codes >= 0)
    for name, values in found.items():
        if name not in ("group", "cluster"):
            used &= values >= 0 if values.dtype.kind == "i" else np.isfinite(values)
    n_seen = len(subjects)
    n_dropped = int((~used).sum())
    if n_dropped:
        codes, visit = codes[used], visit[used]
        found = {name: values[used] for name, values in found.items()}
    # Renumber the patients that still have a row.
    held = np.zeros(n_seen, dtype=bool)
    held[codes] = True
    if not held.all():
        number = np.cumsum(held) - 1
        codes, subjects = number[codes], subjects[held]
    return _place(layout, codes, visit, np.asarray(subjects), found, n_dropped, n_seen - len(subjects))


def _read_values(frame: pd.DataFrame, layout: Layout) -> dict[str, np.ndarray]:
    """Return the score (key ``score``), factors, weights and codes of every row."""
    found = {"score": _standardise(evaluate_factor(layout.terms.score, frame), layout, "")}
    for factor in layout.factors:
        if factor.name in layout.levels:
            values = encode_levels(frame[factor.variables[0]], layout.levels[factor.name])
        else:
            values = _standardise(evaluate_factor(factor, frame), layout, factor.name)
        found[f"factor {factor.name}"] = values
    if layout.weights:
        weights = frame[layout.weights].to_numpy("float64", na_value=np.nan)
        found["weights"] = np.where(weights > 0, weights, np.nan)
    for name, column in (("group", layout.group), ("cluster", layout.cluster)):
        if column:
            found[name] = encode_levels(frame[column], layout.held[column])
    return found


def _standardise(values: np.ndarray, layout: Layout, name: str) -> np.ndarray:
    return (values - layout.centre.get(name, 0.0)) / layout.spread.get(name, 1.0)


def _place(
    layout: Layout,
    codes: np.ndarray,
    visit: np.ndarray,
    subjects: np.ndarray,
    found: dict[str, np.ndarray],
    n_dropped: int,
    n_empty: int,
) -> Wide:
    n, n_visits = len(subjects), len(layout.visits)
    place = codes * n_visits + visit
    _refuse_duplicates(place, layout)
    placed: dict[str, np.ndarray] = {}
    differing: set[str] = set()
    for name, values in found.items():
        plain = name.removeprefix("factor ")
        if name == "score" or plain in layout.varying:
            wide = np.full(n * n_visits, np.nan if name == "score" else 0, dtype=values.dtype)
            wide[place] = values
            placed[name] = wide.reshape(n, n_visits)
            continue
        wide = np.zeros(n, dtype=values.dtype)
        wide[codes] = values
        placed[name] = wide
        if not np.array_equal(wide[codes], values):
            differing.add(plain)
    for name in ("group", "cluster"):
        if name in differing:
            raise AnalysisError(
                f"The column {getattr(layout, name)!r} that {name} names changes within a patient; "
                "give each patient one value."
            )
    factors = {factor.name: placed[f"factor {factor.name}"] for factor in layout.factors}
    codes_placed = (placed.get("group"), placed.get("cluster"), placed.get("weights"))
    counts = (n_dropped, n_empty, frozenset(differing))
    return Wide(subjects, placed["score"], factors, *codes_placed, *counts)


def _refuse_duplicates(place: np.ndarray, layout: Layout) -> None:
    n_twice = len(place) - np.count_nonzero(np.bincount(place))
    if n_twice:
        raise AnalysisError(
            f"{n_twice} rows repeat a visit that their patient already has; keep one row per "
            f"{layout.subject} and {layout.visit} (for a patient with several episodes, let "
            f"{layout.subject} name the episode)."
        )
