"""What follows of a small cell from the numbers that are shown: its least and its greatest possible size."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

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
    """Linear facts about the sizes of classes: ``low <= rows @ sizes <= high``."""

    rows: csr_array
    low: np.ndarray
    high: np.ndarray

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
        sums = csr_array((np.array(factors, dtype="float64"), (rows, columns)), shape=shape) @ classes.inside
        true = sums @ classes.sizes
        holds = np.flatnonzero((low <= true + _TOLERANCE) & (true - _TOLERANCE <= high))
        return Facts(csr_array(sums)[holds, :], low[holds], high[holds])

    def join(self, other: Facts) -> Facts:
        """Return these facts and others."""
        rows = vstack([self.rows, other.rows], format="csr")
        return Facts(rows, np.concatenate([self.low, other.low]), np.concatenate([self.high, other.high]))


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
    rows = classes.inside[[target.set for target in targets], :]
    true = rows @ classes.sizes
    waiting = [i for i, target in enumerate(targets) if true[i] < target.highest]
    highest = [targets[i].highest for i in waiting]
    failed = {waiting[i] for i in _fall_short(rows[waiting, :], highest, facts, deadline)}
    sinking = [i for i, target in enumerate(targets) if true[i] > target.lowest and i not in failed]
    lowest = [-targets[i].lowest for i in sinking]
    failed |= {sinking[i] for i in _fall_short(-rows[sinking, :], lowest, facts, deadline)}
    return [target for i, target in enumerate(targets) if i in failed]


def _fall_short(rows: csr_array, needed: Sequence[float], facts: Facts, deadline: float) -> list[int]:
    """Return which of some sums cannot reach what is needed, whatever the others do."""
    left = list(range(len(needed)))
    aims = np.asarray(needed, dtype="float64")
    while len(left) > _FEW:
        reached = _move_together(rows[left, :], aims[left], facts, deadline)
        kept = [i for i, value in zip(left, reached, strict=True) if value < aims[i] - _TOLERANCE]
        if len(kept) == len(left):
            break
        left = kept
    return [i for i in left if _move_one(rows[[i], :], facts, deadline) < aims[i] - _TOLERANCE]


def _move_together(rows: csr_array, aims: np.ndarray, facts: Facts, deadline: float) -> np.ndarray:
    """Return sums that are reached together, as many of them as far towards their aims as possible."""
    n_classes, n_aims = rows.shape[1], len(aims)
    equal = facts.low == facts.high
    empty = csr_array((int(equal.sum()), n_aims))
    above, below = _sides(facts, equal)
    pad = csr_array((above.shape[0], n_aims))
    result = _solve(
        np.concatenate([np.zeros(n_classes), -np.ones(n_aims)]),
        vstack([hstack([above, pad]), hstack([-rows, eye_array(n_aims)])], format="csr"),
        np.concatenate([below, np.zeros(n_aims)]),
        hstack([facts.rows[equal, :], empty], format="csr"),
        facts.low[equal],
        [*[(0, None)] * n_classes, *[(None, aim) for aim in aims]],
        deadline,
        presolve=True,
    )
    return np.asarray(rows @ result[:n_classes])


def _move_one(row: csr_array, facts: Facts, deadline: float) -> float:
    equal = facts.low == facts.high
    above, below = _sides(facts, equal)
    goal = -row.toarray()[0]
    result = _solve(goal, above, below, facts.rows[equal, :], facts.low[equal], [(0, None)], deadline)
    return float(-goal @ result)


def _sides(facts: Facts, equal: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Return the facts that leave room as ``rows @ sizes <= bounds``."""
    upper = ~equal & np.isfinite(facts.high)
    lower = ~equal & np.isfinite(facts.low)
    rows = vstack([facts.rows[upper, :], -facts.rows[lower, :]], format="csr")
    return rows, np.concatenate([facts.high[upper], -facts.low[lower]])


def _solve(
    goal: np.ndarray,
    above: csr_array,
    below: np.ndarray,
    equal: csr_array,
    level: np.ndarray,
    bounds: list[tuple[float | None, float | None]],
    deadline: float,
    presolve: bool = False,
) -> np.ndarray:
    left = deadline - time.monotonic()
    if left <= 0:
        raise OutOfTime(
            "The numbers of a page could not be checked against each other within the time limit."
        )
    # measured on pages: presolving halves the time for many sums at once, and doubles it for a single one
    options = {"presolve": presolve, **({"time_limit": left} if np.isfinite(left) else {})}
    found = linprog(
        goal,
        A_ub=above if above.shape[0] else None,
        b_ub=below if above.shape[0] else None,
        A_eq=equal if equal.shape[0] else None,
        b_eq=level if equal.shape[0] else None,
        bounds=bounds,
        method="highs-ds",
        options=options,
    )
    if found.status == 3:  # unbounded: no fact limits it
        return _far(goal)
    if found.status == 1:
        raise OutOfTime(
            "The numbers of a page could not be checked against each other within the time limit."
        )
    if found.x is None:
        raise DisclosureError("The numbers of a page contradict each other, so that they cannot be checked.")
    return np.asarray(found.x)


def _far(goal: np.ndarray) -> np.ndarray:
    """Return a point that stands for one without limit."""
    return np.where(goal < 0, 1e6, 0.0)
