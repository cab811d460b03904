"""Sums of few: which shown means of one quantity give, taken together, the sum of fewer than k patients."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

#: Arithmetic is exact modulo this prime: products of two residues fit 64 bits, and a set system of a page
#: has no minor that it divides but by an accident of one in two thousand million.
_PRIME = 2**31 - 1
#: Branches of the search in one block of sets. Beyond it the block counts as exposed.
_MOST_STEPS = 5_000


@dataclass(frozen=True)
class Exposure:
    """A combination of sets that isolates few patients by differencing."""

    #: Number of a set to its factor: the sums of these sets, added up with these factors, hold nobody but
    #: `patients`.
    coefficients: Mapping[int, Fraction]
    #: Codes of those patients. Private.
    patients: np.ndarray = field(repr=False)
    #: False where the search was ended by its limit: the sets then only may isolate few.
    proved: bool = True


def find_exposed(sets: Sequence[np.ndarray], k: int) -> list[Exposure]:
    """Find combinations of patient sets that leave 1 to k - 1 patients, smallest first.

    A mean times its number of patients is a sum over a set. Sums of one quantity may be added and subtracted:
    a total less its parts, or one release less the last. What is left is a sum over those patients whom the
    factors do not cancel; where they are fewer than `k`, it must not be possible.

    Patients with the same membership in all sets are one class. Classes of `k` or more are eliminated first;
    what remains are combinations of small classes, of which those with fewest patients are searched for,
    independent blocks one by one.

    `sets` are distinct patients' codes of each shown number of one quantity; equal sets are one. The list is
    empty exactly where no linear combination isolates 1 to k - 1 patients. Not every such combination is
    listed, but each is a combination of sets of which one is: withhold one of the sets, and ask again. The
    result does not depend on the order of patients.

    Examples
    --------
    A mean of 51 beside that of 50 of them gives the newcomer's score; two newcomers and a leaver no less.

    >>> found = find_exposed([np.arange(50), np.arange(51)], k=11)
    >>> {number: str(factor) for number, factor in found[0].coefficients.items()}, found[0].patients
    ({0: '-1', 1: '1'}, array([50]))
    >>> find_exposed([np.arange(50), np.arange(61)], k=11)
    []
    """
    unique: dict[bytes, int] = {}
    members = [np.unique(np.asarray(entry, dtype="int64")) for entry in sets]
    for number, codes in enumerate(members):
        if codes.size:
            unique.setdefault(codes.tobytes(), number)
    numbers = list(unique.values())
    if not numbers:
        return []
    incidence, classes = group_patients([members[i] for i in numbers])
    weights = np.array([len(codes) for codes in classes])
    found = [
        Exposure(
            {numbers[row]: factor for row, factor in combination.items()},
            np.sort(np.concatenate([classes[i] for i in columns])),
            proved,
        )
        for block in _span(incidence, weights, k).split()
        for combination, columns, proved in _search(block, weights, k)
    ]
    return sorted(found, key=lambda entry: (len(entry.patients), sorted(entry.coefficients)))


def group_patients(sets: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Group patients, given as distinct codes, by their membership in sets.

    Returns which class is part of which set (sets x classes), and the codes of each class.

    Examples
    --------
    >>> group_patients([np.array([1, 2, 3]), np.array([3, 4])])[1]
    [array([4]), array([1, 2]), array([3])]
    """
    everyone = np.unique(np.concatenate([*sets, np.zeros(0, dtype="int64")]))
    inside = np.zeros((len(sets), everyone.size), dtype=bool)
    for row, codes in enumerate(sets):
        inside[row, np.searchsorted(everyone, codes)] = True
    patterns, which = np.unique(np.packbits(inside, axis=0).T, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(patterns)))
    classes = np.split(everyone[order], ends[:-1]) if everyone.size else []
    first = np.array([np.searchsorted(everyone, codes[0]) for codes in classes], dtype="int64")
    return inside[:, first], classes


@dataclass(frozen=True)
class _Space:
    """Combinations of sets as rows: what each leaves of the small classes, and its factors."""

    left: np.ndarray
    factors: np.ndarray
    columns: np.ndarray
    #: Classes, as columns of `left`, of which it is not yet settled whether they are cancelled.
    waiting: np.ndarray

    def split(self) -> "Iterator[_Space]":
        """Yield the independent blocks."""
        rest = set(range(len(self.left)))
        while rest:
            rows: list[int] = []
            reached = {min(rest)}
            while reached:
                rows += sorted(reached)
                rest -= reached
                touched = self.left[rows].any(axis=0)
                reached = {row for row in rest if self.left[row, touched].any()}
            touched = self.left[rows].any(axis=0)
            waiting = np.arange(int(touched.sum()))
            yield _Space(self.left[rows][:, touched], self.factors[rows], self.columns[touched], waiting)

    def cancel(self, column: int) -> "_Space":
        """Return the combinations that leave nothing of a class."""
        whole = np.hstack([self.left, self.factors])
        free = _reduce(whole, [column])
        width = self.left.shape[1]
        return _Space(whole[free, :width], whole[free, width:], self.columns, self.waiting)

    def group_waiting(self, weights: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return the weight and the columns of the waiting classes that are cancelled together only."""
        found: dict[bytes, list[int]] = {}
        for column in self.waiting:
            entries = self.left[:, column]
            filled = np.flatnonzero(entries)
            if filled.size:
                key = entries * pow(int(entries[filled[0]]), -1, _PRIME) % _PRIME
                found.setdefault(key.tobytes(), []).append(int(column))
        groups = [np.array(columns) for columns in found.values()]
        return [(int(weights[self.columns[columns]].sum()), columns) for columns in groups]

    def list_rows(self) -> Iterator[tuple[dict[int, Fraction], np.ndarray]]:
        """Yield the factors and the classes left of each combination of the basis."""
        for left, factors in zip(self.left, self.factors, strict=True):
            scale = pow(int(left[np.flatnonzero(left)[0]]), -1, _PRIME)
            rows = {int(row): _to_fraction(int(factors[row]) * scale) for row in np.flatnonzero(factors)}
            yield rows, self.columns[left != 0]


def _span(incidence: np.ndarray, weights: np.ndarray, k: int) -> _Space:
    """Return a basis of the combinations that cancel every class of k patients or more."""
    large, small = np.flatnonzero(weights >= k), np.flatnonzero(weights < k)
    small = small[np.argsort(-weights[small], kind="stable")]
    both = np.hstack([incidence[:, large], incidence[:, small], np.eye(len(incidence))]).astype("int64")
    rest = both[_reduce(both, range(len(large)))][:, len(large) :]
    free = _reduce(rest, range(len(small)))
    rest = np.delete(rest, free, axis=0)
    used = rest[:, : len(small)].any(axis=0)
    return _Space(rest[:, : len(small)][:, used], rest[:, len(small) :], small[used], np.arange(used.sum()))


def _reduce(matrix: np.ndarray, columns: Iterable[int]) -> list[int]:
    """Eliminate columns in place, and return the rows that were not needed for it."""
    free = np.ones(len(matrix), dtype=bool)
    for column in columns:
        candidates = np.flatnonzero(free & (matrix[:, column] != 0))
        if not candidates.size:
            continue
        row = int(candidates[0])
        matrix[row] = matrix[row] * pow(int(matrix[row, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(matrix[:, column])
        others = others[others != row]
        matrix[others] = (matrix[others] - matrix[others, column][:, None] * matrix[row] % _PRIME) % _PRIME
        free[row] = False
    return np.flatnonzero(free).tolist()


def _search(
    block: _Space, weights: np.ndarray, k: int
) -> Iterator[tuple[dict[int, Fraction], np.ndarray, bool]]:
    """Yield combinations of a block that leave fewer than k patients: factors, classes, whether proved.

    In each step the heaviest class is either cancelled too or allowed to be left; those that are heavier
    than what may still be left are cancelled without a choice.
    """
    stack = [(block, k - 1)]
    for _ in range(_MOST_STEPS):
        if not stack:
            return
        space, most = stack.pop()
        groups = space.group_waiting(weights)
        if heavy := [columns for weight, columns in groups if weight > most]:
            stack.append((space.cancel(heavy[0][0]), most))
        elif groups:
            weight, columns = max(groups, key=lambda group: (group[0], -group[1][0]))
            waiting = np.setdiff1d(space.waiting, columns)
            stack.append((replace(space, waiting=waiting), most - weight))
            stack.append((space.cancel(columns[0]), most))
        elif len(space.left):
            yield from ((*row, True) for row in space.list_rows())
            return
    yield from ((*row, False) for row in block.list_rows())


def _to_fraction(residue: int) -> Fraction:
    """Return the simplest fraction of a residue."""
    high, low = (_PRIME, 0), (residue % _PRIME, 1)
    while 2 * low[0] ** 2 > _PRIME:
        quotient = high[0] // low[0]
        high, low = low, (high[0] - quotient * low[0], high[1] - quotient * low[1])
    return Fraction(low[0], low[1])
