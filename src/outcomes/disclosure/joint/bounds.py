"""What follows of a small cell from the numbers that are shown: its least and its greatest possible size."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, lil_array, vstack

from outcomes.disclosure.exposure import group_patients
from outcomes.errors import DisclosureError

#: Up to so many sums are moved one by one at once.
_FEW = 3
#: Slack of the solver, in patients.
_TOLERANCE = 1e-6


class OutOfTime(DisclosureError):
    """A search that was not finished within its limit; nothing is shown on its account."""


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
    """Linear facts about the sizes of classes: ``low <= rows @ sizes <= high``.

    Parameters
    ----------
    rows : sparse array, facts x classes
    low, high : array
    terms : sparse array, facts x sets
        The same facts about the sizes of sets; empty for those that are about classes only.
    """

    rows: csr_array
    low: np.ndarray
    high: np.ndarray
    terms: csr_array

    @staticmethod
    def of(classes: Classes, sayings: Iterable[tuple[Iterable[tuple[int, float]], float, float]]) -> Facts:
        """Build facts from sets by number with factors, and the bounds of their sum.

        Those that do not hold for patients are left out: shares of episodes, counts of assessments.
        """
        ordered = sorted({(tuple(terms), low, high) for terms, low, high in sayings})
        places = [(row, at, factor) for row, (terms, _, _) in enumerate(ordered) for at, factor in terms]
        shape = (len(ordered), classes.inside.shape[0])
        rows, columns, factors = zip(*places, strict=True) if places else ((), (), ())
        low, high = (np.array([entry[i] for entry in ordered], dtype="float64") for i in (1, 2))
        terms = csr_array((np.array(factors, dtype="float64"), (rows, columns)), shape=shape)
        terms.eliminate_zeros()
        sums = terms @ classes.inside
        true = sums @ classes.sizes
        holds = np.flatnonzero((low <= true + _TOLERANCE) & (true - _TOLERANCE <= high))
        return Facts(csr_array(sums)[holds, :], low[holds], high[holds], terms[holds, :])

    @staticmethod
    def of_classes(classes: Classes, rows: csr_array) -> Facts:
        """Build facts that tell exact sums of the sizes of classes."""
        sizes = rows @ classes.sizes.astype("float64")
        return Facts(rows, sizes, sizes, csr_array((rows.shape[0], classes.inside.shape[0])))

    def join(self, other: Facts) -> Facts:
        """Return these facts and others."""
        return Facts(
            vstack([self.rows, other.rows], format="csr"),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            vstack([self.terms, other.terms], format="csr"),
        )


def find_unsafe(
    classes: Classes, facts: Facts, targets: Sequence[Target], deadline: float = float("inf")
) -> list[Target]:
    """Return the targets whose size the facts bound too closely.

    One linear programme moves as many targets as possible at once; those that it leaves behind are then
    looked at one by one.

    Parameters
    ----------
    classes : Classes
    facts : Facts
        True ones: the true sizes fulfil them.
    targets : sequence of Target
    deadline : float
        Of the monotonic clock, in seconds.

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
    sets = np.array([target.set for target in targets])
    true = classes.inside[sets, :] @ classes.sizes
    given = _Programme.of(classes, facts, sets, deadline)
    waiting = [i for i, target in enumerate(targets) if true[i] < target.highest]
    highest = np.array([targets[i].highest for i in waiting], dtype="float64")
    failed = {waiting[i] for i in given.find_short(sets[waiting], 1.0, highest)}
    sinking = [i for i, target in enumerate(targets) if true[i] > target.lowest and i not in failed]
    lowest = np.array([targets[i].lowest for i in sinking], dtype="float64")
    failed |= {sinking[i] for i in given.find_short(sets[sinking], -1.0, -lowest)}
    return [target for i, target in enumerate(targets) if i in failed]


@dataclass(frozen=True, eq=False)
class _Programme:
    """What every linear programme about the same facts shares; its unknowns are classes, then sets.

    Only sets that a fact or a target is about are unknowns.
    """

    places: np.ndarray
    above: csr_array
    below: np.ndarray
    equal: csr_array
    level: np.ndarray
    bounds: np.ndarray
    deadline: float

    @staticmethod
    def of(classes: Classes, facts: Facts, sets: np.ndarray, deadline: float) -> _Programme:
        """Write the facts down with few entries: what is about one set bounds that set."""
        used = np.unique(np.concatenate([facts.terms.indices, sets]))
        n_sets, n_classes = len(used), classes.inside.shape[1]
        places = np.full(classes.inside.shape[0], -1)
        places[used] = n_classes + np.arange(n_sets)
        parts, rests = _nest(classes.inside[used, :])
        bounds = np.column_stack([np.zeros(n_classes + n_sets), np.full(n_classes + n_sets, np.inf)])
        n_terms = np.diff(facts.terms.indptr)
        one = np.flatnonzero(n_terms == 1)
        at, factor = facts.terms[one, :].indices, facts.terms[one, :].data
        for number, sign, low, high in zip(at, factor, facts.low[one], facts.high[one], strict=True):
            ends = sorted((low / sign, high / sign))
            place = places[number]
            bounds[place] = max(bounds[place, 0], ends[0]), min(bounds[place, 1], ends[1])
        several, plain = np.flatnonzero(n_terms > 1), np.flatnonzero(n_terms == 0)
        rows = vstack(
            [
                hstack([csr_array((several.size, n_classes)), facts.terms[several, :][:, used]]),
                hstack([facts.rows[plain, :], csr_array((plain.size, n_sets))]),
            ],
            format="csr",
        )
        low, high = (np.concatenate([ends[several], ends[plain]]) for ends in (facts.low, facts.high))
        exact = low == high
        upper, lower = ~exact & np.isfinite(high), ~exact & np.isfinite(low)
        return _Programme(
            places=places,
            above=vstack([rows[upper, :], -rows[lower, :]], format="csr"),
            below=np.concatenate([high[upper], -low[lower]]),
            equal=vstack([hstack([-rests, eye_array(n_sets) - parts]), rows[exact, :]], format="csr"),
            level=np.concatenate([np.zeros(n_sets), low[exact]]),
            bounds=bounds,
            deadline=deadline,
        )

    def find_short(self, sets: np.ndarray, sign: float, aims: np.ndarray) -> list[int]:
        """Return which sets, or their negatives, cannot reach what is needed, whatever the others do."""
        left = list(range(len(aims)))
        while len(left) > _FEW:
            reached = self._move_together(sets[left], sign, aims[left])
            kept = [i for i, value in zip(left, reached, strict=True) if value < aims[i] - _TOLERANCE]
            if len(kept) == len(left):
                break
            left = kept
        return [i for i in left if self._move_one(sets[i], sign) < aims[i] - _TOLERANCE]

    def _move_together(self, sets: np.ndarray, sign: float, aims: np.ndarray) -> np.ndarray:
        """Return what is reached together, as many of the sets as far towards their aims as possible."""
        n, n_aims = len(self.bounds), len(aims)
        picked = csr_array((np.ones(n_aims), (range(n_aims), self.places[sets])), shape=(n_aims, n))
        result = self._solve(
            np.concatenate([np.zeros(n), -np.ones(n_aims)]),
            vstack(
                [
                    hstack([self.above, csr_array((self.above.shape[0], n_aims))]),
                    hstack([-sign * picked, eye_array(n_aims)]),
                ],
                format="csr",
            ),
            np.concatenate([self.below, np.zeros(n_aims)]),
            hstack([self.equal, csr_array((self.equal.shape[0], n_aims))], format="csr"),
            np.vstack([self.bounds, np.column_stack([np.full(n_aims, -np.inf), aims])]),
        )
        return sign * np.asarray(result[self.places[sets]])

    def _move_one(self, set: int, sign: float) -> float:
        goal = np.zeros(len(self.bounds))
        goal[self.places[set]] = -sign
        result = self._solve(goal, self.above, self.below, self.equal, self.bounds, presolve=False)
        return float(-goal @ result)

    def _solve(
        self,
        goal: np.ndarray,
        above: csr_array,
        below: np.ndarray,
        equal: csr_array,
        bounds: np.ndarray,
        presolve: bool = True,
    ) -> np.ndarray:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime(
                "The numbers of a page could not be checked against each other within the time limit."
            )
        found = linprog(
            goal,
            A_ub=above if above.shape[0] else None,
            b_ub=below if above.shape[0] else None,
            A_eq=equal,
            b_eq=self.level,
            bounds=bounds,
            method="highs-ds",
            # measured on pages: presolving halves the time for many sets at once, and doubles it for one
            options={"presolve": presolve, **({"time_limit": left} if np.isfinite(left) else {})},
        )
        if found.status == 3:  # unbounded: no fact limits it
            return _far(goal)
        if found.status == 1:
            raise OutOfTime(
                "The numbers of a page could not be checked against each other within the time limit."
            )
        if found.x is None:
            raise DisclosureError(
                "The numbers of a page contradict each other, so that they cannot be checked."
            )
        return np.asarray(found.x)


def _nest(inside: csr_array) -> tuple[csr_array, csr_array]:
    """Return each set as smaller ones that lie within it, apart from each other, and the classes that remain.

    Of the sets of a page most hold half of the patients; written like this, a tenth of the entries says the
    same.
    """
    held = inside.toarray() > 0
    sizes = held.sum(axis=1)
    order = np.argsort(sizes, kind="stable")
    overlap = (held.astype("float32") @ held.T.astype("float32")).astype("int64")
    rests, parts = held.copy(), lil_array(overlap.shape)
    for place, number in enumerate(order):
        within = [i for i in order[:place] if sizes[i] and overlap[number, i] == sizes[i]]
        for other in reversed(within):
            if not (held[other] & ~rests[number]).any():
                rests[number] &= ~held[other]
                parts[number, other] = 1.0
    return csr_array(parts), csr_array(rests.astype("float64"))


def _far(goal: np.ndarray) -> np.ndarray:
    """Return a point that stands for one without limit."""
    return np.where(goal < 0, 1e6, 0.0)
