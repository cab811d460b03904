"""Secondary suppression: the cheapest further numbers to withhold, so that no sensitive cell follows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from outcomes.disclosure.joint.bounds import Feasibility, Protection, Solver

#: Beyond so many numbers, linear programmes first choose which of them are looked at.
_MOST_AT_ONCE = 80
_ROUNDS = 2
#: How much further than needed the sizes of sets may move in the search, one after the other.
_REACHES = (1, 4)
#: By how much more a constraint on several sets, such as a share, gives way than one on a single set.
_SLACK = 8


@dataclass(frozen=True)
class Suppressible:
    """A number that may be withheld: the constraints that it publishes, and what its loss costs.

    The weight is infinite where it has been shown already.
    """

    constraints: tuple[int, ...]
    weight: float


def mark_published(
    problem: Feasibility, units: Sequence[Suppressible], lost: Collection[int] = ()
) -> np.ndarray:
    """Return which constraints numbers publish, less those that are withheld."""
    return problem.mark(unit.constraints for i, unit in enumerate(units) if i not in lost)


def choose_secondary(
    problem: Feasibility, units: Sequence[Suppressible], protections: Sequence[Protection]
) -> frozenset[int] | None:
    """Choose the numbers to withhold so that every sensitive cell stays uncertain; None where none suffice.

    For each cell that is not safe a mixed-integer programme looks for two shifts of the sizes of classes, one
    that raises the cell to its highest size and one that lowers it to its lowest, and for the cheapest
    numbers that must be withheld for neither to be noticed.

    This is the heuristic form, one sensitive cell after the other, of Fischetti M, Salazar JJ. Solving the
    cell suppression problem on tabular data with linear constraints. Management Science 2001;47:1008-1027,
    doi:10.1287/mnsc.47.7.1008.9805.
    """
    # what is safe beside everything is safe beside less, so that only these are looked at again
    unsafe, lost = problem.find_unsafe(protections, mark_published(problem, units)), set[int]()
    while unsafe:
        # the one that needs most first: what hides it often hides others
        first = max(unsafe, key=lambda entry: (entry.highest - _size(problem, entry), -entry.set))
        more = _choose(problem, units, lost, first)
        if not more:
            return None
        lost |= more
        unsafe = problem.find_unsafe(unsafe, mark_published(problem, units, lost))
    return frozenset(lost)


def _size(problem: Feasibility, protection: Protection) -> float:
    return float(problem.classes.held[protection.set])


def _choose(
    problem: Feasibility, units: Sequence[Suppressible], lost: set[int], protection: Protection
) -> set[int]:
    """Return numbers to withhold beside `lost` for one sensitive cell; empty where none suffice."""
    size = _size(problem, protection)
    chosen: set[int] = set()
    for shift in (max(protection.highest - size, 0.0), min(protection.lowest - size, 0.0)):
        if shift:
            more = _hide_shift(problem, units, lost | chosen, protection.set, shift)
            if more is None:
                return set()
            chosen |= more
    return chosen


def _hide_shift(
    problem: Feasibility, units: Sequence[Suppressible], lost: set[int], of: int, shift: float
) -> set[int] | None:
    """Return the cheapest numbers without which a set could be larger, or smaller, by so many."""
    open_ = [i for i, unit in enumerate(units) if i not in lost and np.isfinite(unit.weight)]
    for times in _REACHES:
        search = _Search(problem, units, open_, of, shift, times * abs(shift))
        kept = search.narrow()
        if kept is None:
            continue
        if not kept:
            return set()
        found = search.choose(kept)
        if found is not None:
            return found
    return None


class _Search:
    """The programme for one shift: sizes of classes move, and what would tell of it is withheld."""

    def __init__(
        self,
        problem: Feasibility,
        units: Sequence[Suppressible],
        open_: Sequence[int],
        of: int,
        shift: float,
        reach: float,
    ) -> None:
        """Set it up; no published number may move further than `reach`, be it withheld."""
        self._open = open_
        self._weights = np.array([units[i].weight for i in open_])
        fixed = problem.mark(unit.constraints for unit in units if not np.isfinite(unit.weight))
        row_bounds, bounds = problem.bound(fixed)
        n_classes, n_units, self._n = problem.n_classes, len(open_), len(bounds)
        bounds[n_classes + of][0 if shift > 0 else 1] = shift
        bounds[:n_classes, 1] = np.minimum(bounds[:n_classes, 1], 4 * reach)
        told = [
            (number, column)
            for column, i in enumerate(open_)
            for number in units[i].constraints
            if not fixed[number]
        ]
        numbers, columns = (np.array([entry[i] for entry in told], dtype="int64") for i in (0, 1))
        give = reach * np.where(np.diff(problem.constraints.indptr)[numbers] == 1, 1, _SLACK)
        switch = csr_array((give, (np.arange(len(told)), columns)), shape=(len(told), n_units))
        rows = vstack(
            [
                hstack([problem.rows, csr_array((len(row_bounds), n_units))]),
                hstack([problem.constraints[numbers, :], -switch]),
                hstack([problem.constraints[numbers, :], switch]),
            ],
            format="csr",
        )
        low, high = problem.ends[numbers].T
        free = np.full(len(told), np.inf)
        ends = [row_bounds, np.column_stack([-free, high]), np.column_stack([low, free])]
        self._bounds = np.vstack([bounds, np.tile([0.0, 1.0], (n_units, 1))])
        self._solver = Solver(csr_array(rows), np.vstack(ends), self._bounds, problem.deadline)

    def narrow(self) -> set[int] | None:
        """Return the numbers among which to choose; none where nothing must be withheld; or None.

        Where there are many, those are taken that a few linear programmes use, each of which is told to
        keep to what the last one used.
        """
        kept: set[int] = set()
        weights = self._weights
        for _ in range(_ROUNDS):
            used = self._solve(weights)
            if used is None:
                return None
            new = {i for i, value in zip(self._open, used, strict=True) if value > 1e-9}
            if new <= kept:
                break
            if len(self._open) <= _MOST_AT_ONCE:
                return set(self._open)
            kept |= new
            weights = self._weights / (used + 0.05)
        return kept

    def choose(self, among: set[int]) -> set[int] | None:
        """Return the cheapest choice among some numbers; None where none is enough."""
        self._bounds[self._n :, 1] = [float(i in among) for i in self._open]
        self._solver.bound(self._bounds)
        self._solver.make_whole(range(self._n, len(self._bounds)))
        used = self._solve(self._weights)
        return None if used is None else {i for i, value in zip(self._open, used, strict=True) if value > 0.5}

    def _solve(self, weights: np.ndarray) -> np.ndarray | None:
        found = self._solver.minimise(np.concatenate([np.zeros(self._n), weights]))
        return None if found is None else found[self._n :]
