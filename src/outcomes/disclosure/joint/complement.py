"""Complementary suppression: the cheapest further numbers to withhold, so that no small cell follows."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from outcomes.disclosure.joint.bounds import Classes, Facts, OutOfTime, Target, find_unsafe

#: Beyond so many units, linear programmes first choose which of them are looked at.
_MOST_AT_ONCE = 80
_ROUNDS = 2
#: Of the search, counted and not timed, so that a slow machine chooses the same cells.
_MOST_NODES = 200


@dataclass(frozen=True)
class Unit:
    """A number that may be withheld, or is fixed because it has been shown already.

    Parameters
    ----------
    sets : tuple of int
        Numbers of the sets whose sizes it tells, taken as exact.
    weight : float
        What its loss costs; infinite where it cannot be withheld any more.
    sayings : tuple
        What it tells within bounds: sets with factors, and the least and greatest sum.
    """

    sets: tuple[int, ...]
    weight: float
    sayings: tuple[tuple[tuple[tuple[int, float], ...], float, float], ...] = ()


def find_complement(
    classes: Classes,
    units: Sequence[Unit],
    targets: Sequence[Target],
    *,
    deadline: float,
    limits: Facts | None = None,
    trials: int = 25,
) -> frozenset[int] | None:
    """Choose the units to withhold so that every target stays uncertain.

    For each target that is not safe a mixed-integer programme looks for two shifts of the sizes of classes,
    one that raises the target to its highest size and one that lowers it to its lowest, and for the
    cheapest units that must be withheld for neither to be noticed. Units that turned out not to be needed
    are shown again.

    Parameters
    ----------
    classes : Classes
    units : sequence of Unit
    targets : sequence of Target
    deadline : float
        Of the monotonic clock, in seconds.
    limits : Facts, optional
        What is said in any case.
    trials : int
        Units that are tried again at the end, those whose loss costs most first.

    Returns
    -------
    frozenset of int or None
        Numbers of the units to withhold; None where no choice is enough.

    Raises
    ------
    OutOfTime
        When the deadline passes.

    Notes
    -----
    Fischetti M, Salazar JJ. Solving the cell suppression problem on tabular data with linear constraints.
    Management Science 2001;47:1008-1027, doi:10.1287/mnsc.47.7.1008.9805, of which this is the heuristic
    form: one small cell after the other.
    """
    said = limits if limits is not None else Facts.of(classes, [])
    given = _Given.of(classes, units, said, deadline)
    # what is safe beside everything is safe beside less, so that only these are looked at again
    doubtful = find_unsafe(classes, tell(classes, units).join(said), targets, deadline)
    unsafe, lost = doubtful, set[int]()
    while unsafe:
        # the one that needs most first: what hides it often hides others
        first = max(unsafe, key=lambda target: (target.highest - _size(classes, target), -target.set))
        more = _choose(given, lost, first)
        if not more:
            return None
        lost |= more
        unsafe = find_unsafe(classes, tell(classes, units, lost).join(said), unsafe, deadline)
    for number in sorted(lost, key=lambda i: (-units[i].weight, i))[:trials]:
        if not find_unsafe(classes, tell(classes, units, lost - {number}).join(said), doubtful, deadline):
            lost -= {number}
    return frozenset(lost)


def _size(classes: Classes, target: Target) -> float:
    return float((classes.inside[[target.set], :] @ classes.sizes)[0])


def tell(classes: Classes, units: Sequence[Unit], lost: Collection[int] = ()) -> Facts:
    """Return what units tell, numbers of patients taken as exact, less those that are withheld.

    From each set those told ones that lie within it are taken out, which says the same in fewer words.
    """
    shown = sorted({entry for i, unit in enumerate(units) if i not in lost for entry in unit.sets})
    bounded = Facts.of(
        classes, (saying for i, unit in enumerate(units) if i not in lost for saying in unit.sayings)
    )
    if not shown:
        return bounded
    told = classes.inside[shown, :].toarray() > 0
    held = told.sum(axis=1)
    order = np.argsort(held, kind="stable")
    told, held = told[order], held[order]
    rests = told.copy()
    overlap = (told.astype("float32") @ told.T.astype("float32")).astype("int64")
    for place, rest in enumerate(rests):
        for other in np.flatnonzero(overlap[place, :place] == held[:place])[::-1]:
            if not (told[other] & ~rest).any():
                rest &= ~told[other]
    rows = csr_array(np.unique(rests[rests.any(axis=1)], axis=0).astype("float64"))
    return Facts.of_classes(classes, rows).join(bounded)


@dataclass(frozen=True, eq=False)
class _Given:
    """What every programme of one choice shares."""

    classes: Classes
    units: Sequence[Unit]
    fixed: frozenset[int]
    still: csr_array
    said: Facts
    deadline: float

    @staticmethod
    def of(classes: Classes, units: Sequence[Unit], said: Facts, deadline: float) -> _Given:
        """Gather it; the sets of units that cannot be withheld stay as they are."""
        shut = [unit for unit in units if not np.isfinite(unit.weight)]
        fixed = frozenset(entry for unit in shut for entry in unit.sets)
        return _Given(classes, units, fixed, tell(classes, shut).rows, said, deadline)


def _choose(given: _Given, lost: set[int], target: Target) -> set[int]:
    """Return units to withhold beside `lost` for one target; empty where none suffice."""
    size = _size(given.classes, target)
    chosen: set[int] = set()
    for shift in (max(target.highest - size, 0.0), min(target.lowest - size, 0.0)):
        if shift:
            more = _hide_shift(given, lost | chosen, target.set, shift)
            if more is None:
                return set()
            chosen |= more
    return chosen


def _hide_shift(given: _Given, lost: set[int], of: int, shift: float) -> set[int] | None:
    """Return the cheapest units without which a set could be larger, or smaller, by so many."""
    open_ = [i for i, unit in enumerate(given.units) if i not in lost and np.isfinite(unit.weight)]
    for reach in (abs(shift), 4 * abs(shift)):
        choice = _Choice.of(given, open_, of, shift, reach)
        kept = choice.narrow(given.deadline)
        if kept is None:
            continue
        if not kept:
            return set()
        found = choice.solve(choice.weights, kept, given.deadline)
        if found is not None:
            used = found[len(found) - len(open_) :]
            return {i for i, value in zip(open_, used, strict=True) if value > 0.5}
    return None


@dataclass(frozen=True, eq=False)
class _Choice:
    """The programme for one shift: sizes of classes move, and what would tell of it is withheld."""

    open: Sequence[int]
    weights: np.ndarray
    constraints: list[LinearConstraint]
    bounds: Bounds

    @staticmethod
    def of(given: _Given, open_: Sequence[int], of: int, shift: float, reach: float) -> _Choice:
        """Set the programme up; no sum of a unit may move further than `reach`."""
        classes, units, said = given.classes, given.units, given.said
        pairs = sorted(
            {(s, column) for column, i in enumerate(open_) for s in units[i].sets if s not in given.fixed}
        )
        n_classes, n_units = len(classes.sizes), len(open_)
        row = hstack([classes.inside[[of], :], csr_array((1, n_units))], format="csr")
        constraints = [LinearConstraint(row, *((shift, np.inf) if shift > 0 else (-np.inf, shift)))]
        if given.still.shape[0]:
            still = hstack([given.still, csr_array((given.still.shape[0], n_units))], format="csr")
            constraints.append(LinearConstraint(still, 0, 0))
        if said.rows.shape[0]:
            now = said.rows @ classes.sizes
            over = hstack([said.rows, csr_array((said.rows.shape[0], n_units))], format="csr")
            constraints.append(LinearConstraint(over, said.low - now, said.high - now))
        if pairs:
            told = classes.inside[[s for s, _ in pairs], :]
            places = (range(len(pairs)), [column for _, column in pairs])
            switch = csr_array((np.full(len(pairs), reach), places), shape=(len(pairs), n_units))
            sides = vstack([hstack([told, -switch]), hstack([-told, -switch])], format="csr")
            constraints.append(LinearConstraint(sides, -np.inf, 0))
        for column, i in enumerate(open_):
            if units[i].sayings:
                within = Facts.of(classes, units[i].sayings)
                now = within.rows @ classes.sizes
                switch = csr_array((within.rows.shape[0], n_units)).tolil()
                switch[:, column] = 8 * reach
                above = hstack([within.rows, -switch], format="csr")
                below = hstack([within.rows, switch], format="csr")
                constraints.append(LinearConstraint(above, -np.inf, within.high - now))
                constraints.append(LinearConstraint(below, within.low - now, np.inf))
        bounds = Bounds(
            np.concatenate([-classes.sizes.astype("float64"), np.zeros(n_units)]),
            np.concatenate([np.full(n_classes, 4 * reach), np.ones(n_units)]),
        )
        return _Choice(open_, np.array([units[i].weight for i in open_]), constraints, bounds)

    def narrow(self, deadline: float) -> set[int] | None:
        """Return the units among which to choose; none where nothing must be withheld.

        Where there are many, those are taken that a few linear programmes use, each of which is told to
        keep to what the last one used.
        """
        kept: set[int] = set()
        weights = self.weights
        for _ in range(_ROUNDS):
            found = self.solve(weights, None, deadline)
            if found is None:
                return None
            used = found[-len(self.open) :] if self.open else found[:0]
            new = {i for i, value in zip(self.open, used, strict=True) if value > 1e-9}
            if new <= kept:
                break
            if len(self.open) <= _MOST_AT_ONCE:
                return set(self.open)
            kept |= new
            weights = self.weights / (used + 0.05)
        return kept

    def solve(self, weights: np.ndarray, among: set[int] | None, deadline: float) -> np.ndarray | None:
        """Return shift and choice among some units, or parts of units where none are named; or None."""
        n_classes = len(self.bounds.lb) - len(self.open)
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime("No choice of further numbers to withhold was found within the time limit.")
        allowed = np.array([among is None or i in among for i in self.open], dtype="float64")
        found = milp(
            np.concatenate([np.zeros(n_classes), weights]),
            constraints=self.constraints,
            integrality=np.concatenate(
                [np.zeros(n_classes), np.full(len(self.open), int(among is not None))]
            ),
            bounds=Bounds(self.bounds.lb, np.concatenate([self.bounds.ub[:n_classes], allowed])),
            options={"mip_rel_gap": 0.01, "node_limit": _MOST_NODES}
            | ({"time_limit": left} if np.isfinite(left) else {}),
        )
        if time.monotonic() > deadline:
            # what was found so far would depend on how fast this machine is
            raise OutOfTime("No choice of further numbers to withhold was found within the time limit.")
        return None if found.x is None else np.asarray(found.x)
