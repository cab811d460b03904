"""What follows of a small cell from the numbers that are shown: its least and its greatest possible size."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array, hstack, lil_array, vstack

from outcomes.disclosure.exposure import group_patients
from outcomes.disclosure.joint.solver import Solver

#: Slack of the solver, in patients.
_TOLERANCE = 1e-6
#: Sets by number with factors, and the least and greatest sum of factor x size.
NumberedSaying = tuple[tuple[tuple[int, float], ...], float, float]


@dataclass(frozen=True, eq=False)
class Classes:
    """Patients with the same membership in all sets of a page, as one unknown each.

    Who attacks is granted which combinations of memberships are empty. Every count is then a sum of the sizes
    of classes.

    Parameters
    ----------
    inside : sparse array, sets x classes
        1 where a class is part of a set.
    sizes : array of int
        True number of patients of each class.
    """

    inside: csr_array
    sizes: np.ndarray

    @staticmethod
    def of(sets: Sequence[np.ndarray]) -> Classes:
        """Group the patients of sets given as arrays of distinct codes."""
        inside, classes = group_patients(sets)
        return Classes(csr_array(inside.astype("float64")), np.array([len(codes) for codes in classes]))

    @cached_property
    def held(self) -> np.ndarray:
        """True number of patients of each set."""
        return np.asarray(self.inside @ self.sizes, dtype="float64")

    @cached_property
    def nested(self) -> csr_array:
        """Sums of the sizes of classes, then of sets, that are 0: one row per set, which says what it holds.

        A set is written as smaller ones that lie within it, apart from each other, and the classes that
        remain. Of the sets of a page most hold half of the patients; written like this, a tenth of the
        entries says the same.
        """
        held = self.inside.toarray() > 0
        sizes = held.sum(axis=1)
        order = np.argsort(sizes, kind="stable")
        overlap = (held.astype("float32") @ held.T.astype("float32")).astype("int64")
        rests, parts = held.copy(), lil_array(overlap.shape)
        for place, number in enumerate(order):
            before = order[:place]
            within = before[(overlap[number, before] == sizes[before]) & (sizes[before] > 0)]
            for other in within[::-1]:
                if not (held[other] & ~rests[number]).any():
                    rests[number] &= ~held[other]
                    parts[number, other] = 1.0
        own = eye_array(len(sizes)) - csr_array(parts)
        return csr_array(hstack([-csr_array(rests.astype("float64")), own], format="csr"))


@dataclass(frozen=True)
class Target:
    """A cell of few patients that must not follow from what is shown.

    Parameters
    ----------
    set : int
        Number of its set.
    lowest, highest : int
        Sizes that a reader must hold possible.
    """

    set: int
    lowest: int
    highest: int


@dataclass(frozen=True, eq=False)
class Facts:
    """Linear facts about the sizes of sets, by number: ``low <= terms @ sizes <= high``.

    Parameters
    ----------
    terms : sparse array, facts x sets
    low, high : array
    """

    terms: csr_array
    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def of(classes: Classes, sayings: Iterable[NumberedSaying]) -> Facts:
        """Build facts in the order in which they are said.

        Those that do not hold for patients say nothing: shares of episodes, counts of assessments.
        """
        said = list(sayings)
        places = [(row, at, factor) for row, (terms, _, _) in enumerate(said) for at, factor in terms]
        rows, columns, factors = zip(*places, strict=True) if places else ((), (), ())
        shape = (len(said), classes.inside.shape[0])
        terms = csr_array((np.array(factors, dtype="float64"), (rows, columns)), shape=shape)
        terms.eliminate_zeros()
        low, high = (np.array([entry[i] for entry in said], dtype="float64") for i in (1, 2))
        true = terms @ classes.held
        holds = (low <= true + _TOLERANCE) & (true - _TOLERANCE <= high)
        return Facts(terms, np.where(holds, low, -np.inf), np.where(holds, high, np.inf))


class Programme:
    """How far the sizes of sets could lie from the true ones, for what is said of them.

    Its unknowns are by how much the size of each class, then of each set, differs. A fact about one set
    bounds that unknown; one about several is a row.

    Parameters
    ----------
    classes : Classes
    facts : Facts
        All that could be said; what is said is told with each question.
    deadline : float
        Of the monotonic clock, in seconds.
    """

    def __init__(self, classes: Classes, facts: Facts, deadline: float = float("inf")) -> None:
        self.classes, self.deadline = classes, deadline
        self.n_classes, self.n_sets = len(classes.sizes), classes.inside.shape[0]
        self.n_facts = len(facts.low)
        n_terms = np.diff(facts.terms.indptr)
        self._one, self._several = np.flatnonzero(n_terms == 1), np.flatnonzero(n_terms > 1)
        scale = np.ones(self.n_facts)
        scale[self._one] = 1 / facts.terms[self._one, :].data
        now = facts.terms @ classes.held
        #: Least and greatest value of each fact, as a sum of unknowns.
        self.ends = np.sort(np.column_stack([facts.low - now, facts.high - now]) * scale[:, None], axis=1)
        aside = csr_array((self.n_facts, self.n_classes))
        self.facts = csr_array(hstack([aside, diags_array(scale) @ facts.terms], format="csr"))
        self.rows = csr_array(vstack([classes.nested, self.facts[self._several, :]], format="csr"))

    def bound(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and greatest value of each row and of each unknown.

        Parameters
        ----------
        said : array of bool
            Which facts are said.
        """
        rows = np.zeros((self.rows.shape[0], 2))
        rows[self.n_sets :] = np.where(said[self._several, None], self.ends[self._several], [-np.inf, np.inf])
        unknowns = np.full((self.n_classes + self.n_sets, 2), np.inf)
        unknowns[:, 0] = -np.concatenate([self.classes.sizes, self.classes.held])
        one = self._one[said[self._one]]
        places = self.facts[one, :].indices
        np.maximum.at(unknowns[:, 0], places, self.ends[one, 0])
        np.minimum.at(unknowns[:, 1], places, self.ends[one, 1])
        return rows, unknowns

    def mark(self, groups: Iterable[Collection[int]]) -> np.ndarray:
        """Return which facts are said, from groups of their numbers."""
        said = np.zeros(self.n_facts, dtype=bool)
        said[sorted({number for group in groups for number in group})] = True
        return said

    def find_unsafe(self, targets: Sequence[Target], said: np.ndarray | None = None) -> list[Target]:
        """Return the targets whose size the facts bound too closely.

        Parameters
        ----------
        targets : sequence of Target
        said : array of bool, optional
            Which facts are said; all when absent.

        Returns
        -------
        list of Target
            Those for which not all sizes from `lowest` to `highest` are possible.

        Raises
        ------
        OutOfTime
            When the deadline passes.
        """
        if not targets:
            return []
        rows, unknowns = self.bound(np.ones(self.n_facts, dtype=bool) if said is None else said)
        self._solver.bound_rows(rows)
        self._solver.bound(unknowns)
        true = {target: self.classes.held[target.set] for target in targets}
        unsafe = self._find_short({target: target.highest - true[target] for target in targets}, 1.0)
        others = [target for target in targets if target not in unsafe]
        unsafe |= self._find_short({target: true[target] - target.lowest for target in others}, -1.0)
        return [target for target in targets if target in unsafe]

    @cached_property
    def _solver(self) -> Solver:
        rows, unknowns = self.bound(np.zeros(self.n_facts, dtype=bool))
        return Solver(self.rows, rows, unknowns, self.deadline)

    def _find_short(self, needs: dict[Target, float], sign: float) -> set[Target]:
        """Return the targets that cannot be larger, or smaller, by what is needed, whatever the others do.

        Each answer shows for several of them that they can.
        """
        short = set[Target]()
        waiting = [target for target, need in needs.items() if need > 0]
        while waiting:
            first = waiting.pop(0)
            goal = np.zeros(self.n_classes + self.n_sets)
            goal[self.n_classes + first.set] = -sign
            found = self._solver.minimise(goal)
            assert found is not None, "no difference is always possible"
            reached = sign * found[self.n_classes :]
            if reached[first.set] < needs[first] - _TOLERANCE:
                short.add(first)
            waiting = [target for target in waiting if reached[target.set] < needs[target] - _TOLERANCE]
        return short
