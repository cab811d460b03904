"""The columns of the model as products of a visit and of what is known of a patient, and sums of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

from outcomes.analyses.mmrm.layout import Layout, Wide

#: One piece of a part: a factor and the level that it marks, or a number (level -1).
Atom = tuple[str, int]
#: What a column holds of a patient: the product of some atoms; the empty product is 1.
Part = tuple[Atom, ...]


@dataclass(frozen=True)
class Column:
    """One column of the model: a part at one visit, or at all (visit -1)."""

    name: str
    visit: int
    part: Part
    term: int


class Design:
    """The p columns of a model and the L - T parts of patients that they are made of.

    A patient's row at visit t is ``v' B_t`` with ``v`` the patient's parts and ``B_t`` a matrix of zeros and
    ones, so that sums of products of parts are enough for all sums of products of columns.

    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.n_visits = len(layout.visits)
        self.columns = tuple(_list_columns(layout))
        self.uncentred = _find_uncentred(self.columns)
        #: Each part with the visit at which it is taken, -1 where it is the same at all.
        self.parts = _close_parts(layout, self.columns, self.n_visits)
        self.position = {entry: number for number, entry in enumerate(self.parts)}
        #: Shape (T, p): position of the part that each column holds at each visit, -1 where it is 0.
        self.selection = np.full((self.n_visits, len(self.columns)), -1)
        for number, column in enumerate(self.columns):
            for visit in range(self.n_visits) if column.visit < 0 else [column.visit]:
                self.selection[visit, number] = self.at_visit(column.part, visit)
        #: Shape (p, p): ``X = X_centred @ centring``, what centring and scaling numbers did to the columns.
        self.centring = self._recover()

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    @property
    def size(self) -> int:
        """How many sums a patient enters: parts, then scores at each visit."""
        return len(self.parts) + self.n_visits

    def varies(self, part: Part) -> bool:
        """Return whether a part, weights included, changes within patients."""
        return not self.layout.varying.isdisjoint(["weights", *(name for name, _ in part)])

    def at_visit(self, part: Part, visit: int) -> int:
        """Return the position of a part at a visit."""
        return self.position[part, visit if self.varies(part) else -1]

    def _recover(self) -> np.ndarray:
        place = {(column.visit, column.part): number for number, column in enumerate(self.columns)}
        centring = np.zeros((len(self.columns), len(self.columns)))
        for number, column in enumerate(self.columns):
            numbers = [atom for atom in column.part if atom[1] < 0]
            for kept in _subsets(numbers):
                left = [atom for atom in numbers if atom not in kept]
                weight = np.prod([self.layout.spread.get(name, 1.0) for name, _ in kept], initial=1.0)
                weight *= np.prod([self.layout.centre.get(name, 0.0) for name, _ in left], initial=1.0)
                if weight:
                    part = tuple(atom for atom in column.part if atom not in left)
                    centring[place[column.visit, part], number] += weight
        return centring

    def evaluate_parts(self, wide: Wide) -> np.ndarray:
        """Return the parts and scores of some patients, shape (n, L), zero where a visit is missing.

        With weights, everything is multiplied by their root.
        """
        seen = ~np.isnan(wide.score)
        columns = np.zeros((len(wide.score), self.size))
        # A part is an earlier part times one atom more.
        for number, (part, visit) in enumerate(self.parts):
            if not part:
                columns[:, number] = 1.0 if visit < 0 else seen[:, visit]
                continue
            shorter = (part[:-1], visit) if (part[:-1], visit) in self.position else (part[:-1], -1)
            atom = _read_atom(wide, part[-1], visit)
            np.multiply(columns[:, self.position[shorter]], atom, out=columns[:, number])
            if visit >= 0:
                columns[:, number] *= seen[:, visit]
        columns[:, len(self.parts) :] = np.where(seen, wide.score, 0.0)
        if wide.weights is not None:
            self._weigh(columns, np.sqrt(wide.weights))
        return columns

    def _weigh(self, columns: np.ndarray, root: np.ndarray) -> None:
        if root.ndim == 1:
            columns *= root[:, None]
            return
        for number, (_, visit) in enumerate(self.parts):
            columns[:, number] *= root[:, visit]
        columns[:, len(self.parts) :] *= root

    def spread_visits(self, parts: np.ndarray) -> np.ndarray:
        """Return the columns at each visit from parts, shape (n, T, p)."""
        padded = np.concatenate([parts, np.zeros((len(parts), 1))], axis=1)
        return padded[:, np.where(self.selection < 0, parts.shape[1], self.selection)]


def _subsets(atoms: list[Atom]) -> list[tuple[Atom, ...]]:
    return [chosen for size in range(len(atoms) + 1) for chosen in combinations(atoms, size)]


def _read_atom(wide: Wide, atom: Atom, visit: int) -> np.ndarray:
    values = wide.factors[atom[0]]
    if values.ndim == 2:
        values = values[:, visit]
    return values if atom[1] < 0 else values == atom[1]


def _list_columns(layout: Layout) -> list[Column]:
    """List columns as R does: a factor drops its first level where the term without it is there."""
    terms = [frozenset(term) for term in layout.terms.terms]
    columns: list[Column] = []
    spanned: set[frozenset[str]] = set()
    for number, term in enumerate(layout.terms.terms):
        choices = [_code_factor(layout, name, terms[number] - {name} in spanned) for name in term]
        # The first factor of a term changes fastest.
        for chosen in product(*reversed(choices)):
            pieces = list(reversed(chosen))
            visit = next((level for name, level, _ in pieces if layout.is_visit(name)), -1)
            part = tuple(sorted((name, level) for name, level, _ in pieces if not layout.is_visit(name)))
            name = ":".join(label for _, _, label in pieces) or "Intercept"
            columns.append(Column(name, visit, part, number))
        spanned.add(terms[number])
        spanned |= _span(layout, term)
    return columns


def _span(layout: Layout, term: tuple[str, ...]) -> set[frozenset[str]]:
    """Return the terms whose columns lie in the span of a term coded so far."""
    categories = [name for name in term if _count_levels(layout, name)]
    rest = frozenset(term) - frozenset(categories)
    return {
        rest | frozenset(chosen)
        for size in range(len(categories) + 1)
        for chosen in combinations(categories, size)
    }


def _count_levels(layout: Layout, name: str) -> int:
    return len(layout.visits) if layout.is_visit(name) else len(layout.levels.get(name, ()))


def _code_factor(layout: Layout, name: str, reduced: bool) -> list[tuple[str, int, str]]:
    levels = layout.visits if layout.is_visit(name) else layout.levels.get(name)
    if levels is None:
        return [(name, -1, name)]
    mark = "T." if reduced else ""
    return [
        (name, number, f"{name}[{mark}{level}]")
        for number, level in enumerate(levels)
        if number or not reduced
    ]


def _find_uncentred(columns: tuple[Column, ...]) -> frozenset[str]:
    """Return the numbers that cannot be centred: some column with them has none without them beside it."""
    there = {(column.visit, column.part) for column in columns}
    return frozenset(
        atom[0]
        for column in columns
        for atom in column.part
        if atom[1] < 0
        and any(
            (column.visit, tuple(sorted(set(column.part) - {atom, *others}))) not in there
            for others in _subsets([other for other in column.part if other[1] < 0 and other != atom])
        )
    )


def _close_parts(layout: Layout, columns: tuple[Column, ...], n_visits: int) -> tuple[tuple[Part, int], ...]:
    """Return every part with all that is left of it when atoms are taken away, shorter ones first."""
    wanted = {tuple(chosen) for column in columns for chosen in _subsets(list(column.part))}
    found: list[tuple[Part, int]] = []
    for part in sorted(wanted | {()}, key=lambda entry: (len(entry), entry)):
        varies = any(name in layout.varying for name, _ in part) or "weights" in layout.varying
        found += [(part, visit) for visit in range(n_visits)] if varies else [(part, -1)]
    return tuple(found)


#: Patients whose parts are held at the same time, to bound memory.
_CHUNK = 16_384


@dataclass
class PatternSums:
    """Sums over patients, one block per pattern: which visits a patient has, and of which group.

    Sums of parts of the table, of processes or of machines add up to the sums of the whole. Where no two
    patients have the same visits (many visits) this is one block a patient, and never more than that.
    """

    #: Shape (L, L): by group of the covariance and mask of visits (bit t for visit t): sum of products of
    #: the patients' parts and scores.
    grams: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    #: Patients of each.
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    #: Sum of the logarithms of the weights of all rows.
    log_weight: float = 0.0
    #: As in `Wide`.
    n_dropped: int = 0
    n_empty: int = 0
    #: Factors found to vary within patients; the sums are then of no use.
    differing: set[str] = field(default_factory=set)
    #: Means of parts that were asked for, kept for the next time.
    averages: dict[Any, float] = field(default_factory=dict, repr=False)

    def __add__(self, other: "PatternSums") -> "PatternSums":
        """Return the sums of both."""
        total = PatternSums(dict(self.grams), dict(self.counts), self.log_weight + other.log_weight)
        total.n_dropped, total.n_empty = self.n_dropped + other.n_dropped, self.n_empty + other.n_empty
        total.differing = self.differing | other.differing
        for key, gram in other.grams.items():
            total.grams[key] = total.grams[key] + gram if key in total.grams else gram
            total.counts[key] = total.counts.get(key, 0) + other.counts[key]
        return total

    @property
    def n_patients(self) -> int:
        """Patients with at least one complete row."""
        return sum(self.counts.values())

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return sum(count * mask.bit_count() for (_, mask), count in self.counts.items())


def add_all(sums: Iterable[Any], start: Any = None) -> Any:
    """Return the sum of several, none of which is changed."""
    total = PatternSums() if start is None else start
    for part in sums:
        total = total + part
    return total


def sum_patterns(wide: Wide, design: Design) -> PatternSums:
    """Sum products of parts and scores by pattern."""
    sums = PatternSums(n_dropped=wide.n_dropped, n_empty=wide.n_empty, differing=set(wide.differing))
    sums.log_weight = _log_weights(wide)
    if sums.differing or not len(wide.score):
        return sums
    seen = ~np.isnan(wide.score)
    mask = seen @ (np.int64(1) << np.arange(seen.shape[1], dtype=np.int64))
    group = np.zeros(len(mask), dtype=np.int64) if wide.group is None else wide.group.astype(np.int64)
    # Patterns are few beside patients: number them before sorting.
    keys, code = _number_patterns(group, mask)
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(keys) + 1))
    for number, key in enumerate(keys):
        members = order[bounds[number] : bounds[number + 1]]
        gram = np.zeros((design.size, design.size))
        for start in range(0, len(members), _CHUNK):
            parts = design.evaluate_parts(wide.take(members[start : start + _CHUNK]))
            gram += parts.T @ parts
        sums.grams[key], sums.counts[key] = gram, len(members)
    return sums


def _number_patterns(group: np.ndarray, mask: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    masks, place = np.unique(mask, return_inverse=True)
    joint = group * len(masks) + place
    found, code = np.unique(joint, return_inverse=True)
    keys = [(int(number) // len(masks), int(masks[int(number) % len(masks)])) for number in found]
    narrow = np.int16 if len(keys) < 2**15 else np.int64
    return keys, code.astype(narrow)


def _log_weights(wide: Wide) -> float:
    if wide.weights is None:
        return 0.0
    seen = ~np.isnan(wide.score)
    weights = wide.weights if wide.weights.ndim == 2 else wide.weights[:, None] * np.ones(seen.shape[1])
    return float(np.log(weights, where=seen, out=np.zeros(seen.shape)).sum())
