"""The feasibility interval of a cell: its least and greatest size that all published numbers allow.

Linear programmes over the sizes of classes of patients, solved by HiGHS.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import highspy
import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array, eye_array, hstack, lil_array, vstack

from outcomes.disclosure.exposure import group_patients
from outcomes.errors import DisclosureError

#: Slack of the solver, in patients.
_TOLERANCE = 1e-6
#: Of the search for whole numbers, counted and not timed, so that a slow machine finds the same.
_MOST_NODES = 200
_GAP = 0.01
#: HiGHS's number for the primal simplex method: only that goes on from the last answer when the goal changes.
_PRIMAL = 4
#: Sets by number with factors, and the least and greatest sum of factor x size.
NumberedConstraint = tuple[tuple[tuple[int, float], ...], float, float]


class OutOfTime(DisclosureError):
    """A search that was not finished within its limit; nothing is shown on its account."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Patients with the same membership in all sets of a page, as one unknown each.

    Who attacks is granted which combinations of memberships are empty. Every count is then a sum of the sizes
    of classes.
    """

    #: Sets x classes: 1 where a class is part of a set.
    inside: csr_array
    #: True number of patients of each class.
    sizes: np.ndarray

    @staticmethod
    def of(sets: Sequence[np.ndarray]) -> "Classes":
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
class Protection:
    """A sensitive cell, by the number of its set, and the sizes that must all remain feasible."""

    set: int
    lowest: int
    highest: int


@dataclass(frozen=True, eq=False)
class Constraints:
    """Linear constraints on the sizes of sets, by number: ``low <= terms @ sizes <= high``."""

    #: Constraints x sets.
    terms: csr_array
    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def of(classes: Classes, numbered: Iterable[NumberedConstraint]) -> "Constraints":
        """Build constraints in their order.

        Those that do not hold for patients say nothing: shares of episodes, counts of assessments.
        """
        said = list(numbered)
        places = [(row, at, factor) for row, (terms, _, _) in enumerate(said) for at, factor in terms]
        rows, columns, factors = zip(*places, strict=True) if places else ((), (), ())
        shape = (len(said), classes.inside.shape[0])
        terms = csr_array((np.array(factors, dtype="float64"), (rows, columns)), shape=shape)
        terms.eliminate_zeros()
        low, high = (np.array([entry[i] for entry in said], dtype="float64") for i in (1, 2))
        true = terms @ classes.held
        holds = (low <= true + _TOLERANCE) & (true - _TOLERANCE <= high)
        return Constraints(terms, np.where(holds, low, -np.inf), np.where(holds, high, np.inf))


class Feasibility:
    """How far the sizes of sets could lie from the true ones, given what is published of them.

    Its unknowns are by how much the size of each class, then of each set, differs. A constraint on one set
    bounds that unknown; one on several is a row. `constraints` are all that could be published; which are is
    told with each question. `deadline` is of the monotonic clock, in seconds.
    """

    def __init__(self, classes: Classes, constraints: Constraints, deadline: float) -> None:
        self.classes, self.deadline = classes, deadline
        self.n_classes, self.n_sets = len(classes.sizes), classes.inside.shape[0]
        self.n_constraints = len(constraints.low)
        n_terms = np.diff(constraints.terms.indptr)
        self._one, self._several = np.flatnonzero(n_terms == 1), np.flatnonzero(n_terms > 1)
        scale = np.ones(self.n_constraints)
        scale[self._one] = 1 / constraints.terms[self._one, :].data
        now = constraints.terms @ classes.held
        ends = np.column_stack([constraints.low - now, constraints.high - now]) * scale[:, None]
        #: Least and greatest value of each constraint, as a sum of unknowns.
        self.ends = np.sort(ends, axis=1)
        aside = csr_array((self.n_constraints, self.n_classes))
        terms = diags_array(scale) @ constraints.terms
        self.constraints = csr_array(hstack([aside, terms], format="csr"))
        self.rows = csr_array(vstack([classes.nested, self.constraints[self._several, :]], format="csr"))

    def bound(self, published: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and greatest value of each row and of each unknown, by what is published."""
        rows = np.zeros((self.rows.shape[0], 2))
        said = published[self._several, None]
        rows[self.n_sets :] = np.where(said, self.ends[self._several], [-np.inf, np.inf])
        unknowns = np.full((self.n_classes + self.n_sets, 2), np.inf)
        unknowns[:, 0] = -np.concatenate([self.classes.sizes, self.classes.held])
        one = self._one[published[self._one]]
        places = self.constraints[one, :].indices
        np.maximum.at(unknowns[:, 0], places, self.ends[one, 0])
        np.minimum.at(unknowns[:, 1], places, self.ends[one, 1])
        return rows, unknowns

    def mark(self, groups: Iterable[Collection[int]]) -> np.ndarray:
        """Return which constraints are published, from groups of their numbers."""
        published = np.zeros(self.n_constraints, dtype=bool)
        published[sorted({number for group in groups for number in group})] = True
        return published

    def find_unsafe(
        self, protections: Sequence[Protection], published: np.ndarray | None = None
    ) -> list[Protection]:
        """Return the sensitive cells for which not all sizes from `lowest` to `highest` are feasible.

        `published` marks the constraints that are; all where absent. OutOfTime when the deadline passes.
        """
        if not protections:
            return []
        everything = np.ones(self.n_constraints, dtype=bool)
        rows, unknowns = self.bound(everything if published is None else published)
        self._solver.bound_rows(rows)
        self._solver.bound(unknowns)
        true = {entry: self.classes.held[entry.set] for entry in protections}
        unsafe = self._find_short({entry: entry.highest - true[entry] for entry in protections}, 1.0)
        others = [entry for entry in protections if entry not in unsafe]
        unsafe |= self._find_short({entry: true[entry] - entry.lowest for entry in others}, -1.0)
        return [entry for entry in protections if entry in unsafe]

    @cached_property
    def _solver(self) -> "Solver":
        rows, unknowns = self.bound(np.zeros(self.n_constraints, dtype=bool))
        return Solver(self.rows, rows, unknowns, self.deadline)

    def _find_short(self, needs: dict[Protection, float], sign: float) -> set[Protection]:
        """Return the cells that cannot move up, or down, by what is needed, for any sizes of the others."""
        short = set[Protection]()
        waiting = [entry for entry, need in needs.items() if need > 0]
        while waiting:
            first = waiting.pop(0)
            goal = np.zeros(self.n_classes + self.n_sets)
            goal[self.n_classes + first.set] = -sign
            found = self._solver.minimise(goal)
            assert found is not None, "no difference is always possible"
            reached = sign * found[self.n_classes :]
            if reached[first.set] < needs[first] - _TOLERANCE:
                short.add(first)
            waiting = [entry for entry in waiting if reached[entry.set] < needs[entry] - _TOLERANCE]
        return short


class Solver:
    """A linear programme that HiGHS keeps, so that each question starts from the answer to the one before.

    `row_bounds` and `bounds`, of shape (n, 2), are the least and greatest value of each row and unknown.
    """

    def __init__(self, rows: csr_array, row_bounds: np.ndarray, bounds: np.ndarray, deadline: float) -> None:
        self._deadline = deadline
        self._n = rows.shape[1]
        programme = highspy.HighsLp()
        programme.num_row_, programme.num_col_ = rows.shape
        programme.row_lower_, programme.row_upper_ = row_bounds[:, 0].copy(), row_bounds[:, 1].copy()
        programme.col_lower_, programme.col_upper_ = bounds[:, 0].copy(), bounds[:, 1].copy()
        programme.col_cost_ = np.zeros(self._n)
        columns = csc_array(rows)
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_ = columns.indptr
        programme.a_matrix_.index_ = columns.indices
        programme.a_matrix_.value_ = columns.data.astype("float64")
        self._highs = highspy.Highs()  # type: ignore[no-untyped-call]
        # one thread, so that the way to an answer is always the same; no presolving, which would start anew
        self._set(output_flag=False, threads=1, presolve="off", simplex_strategy=_PRIMAL)
        self._highs.passModel(programme)

    def _set(self, **options: bool | float | str) -> None:
        for name, value in options.items():
            self._highs.setOptionValue(name, value)

    def bound(self, bounds: np.ndarray) -> None:
        """Set the least and greatest value of each unknown."""
        self._highs.changeColsBounds(self._n, np.arange(self._n), bounds[:, 0].copy(), bounds[:, 1].copy())

    def bound_rows(self, bounds: np.ndarray) -> None:
        """Set the least and greatest value of each row."""
        for row, (low, high) in enumerate(bounds):
            self._highs.changeRowBounds(row, low, high)

    def make_whole(self, unknowns: Sequence[int]) -> None:
        """Ask for whole numbers of some unknowns from now on; the search may end a hundredth too dear."""
        n = len(unknowns)
        kinds = np.full(n, int(highspy.HighsVarType.kInteger), dtype="uint8")
        self._highs.changeColsIntegrality(n, np.asarray(unknowns), kinds)
        self._set(presolve="on", mip_rel_gap=_GAP, mip_max_nodes=_MOST_NODES)

    def minimise(self, costs: np.ndarray) -> np.ndarray | None:
        """Return the cheapest values; None where there are none, infinite ones where nothing limits them.

        OutOfTime when the deadline passes: what was found so far would depend on how fast the machine is.
        """
        left = self._deadline - time.monotonic()
        if left > 0:
            self._highs.changeColsCost(self._n, np.arange(self._n), costs)
            # its clock runs on from question to question
            self._set(time_limit=self._highs.getRunTime() + left)
            self._highs.run()
        status = self._highs.getModelStatus()
        if left <= 0 or time.monotonic() > self._deadline or status == highspy.HighsModelStatus.kTimeLimit:
            raise OutOfTime("The numbers could not be checked against each other within the time limit.")
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return np.where(costs < 0, np.inf, np.where(costs > 0, -np.inf, 0.0))
        solution = self._highs.getSolution()
        return np.array(solution.col_value) if solution.value_valid else None
