"""What an attacker concludes: the smallest and the largest number that agrees with everything published.

Written apart from the package's own audit, and shares no line with it: unknown numbers of patients (and sums
of their scores) are the variables, what was published about them the constraints, and each question is a
linear programme of its own.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

Terms = Mapping[Hashable, float]


class Contradiction(Exception):
    """What the attacker believes cannot all be true."""


class Knowledge:
    """Unknown numbers, and linear facts about them."""

    def __init__(self) -> None:
        self.place: dict[Hashable, int] = {}
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[bool] = []
        self.facts: list[tuple[Terms, float, float, str]] = []
        self._parts: list[int] | None = None

    def number(self, name: Hashable, low: float = 0, high: float = math.inf, *, whole: bool = True) -> None:
        """Know of a number that it lies between two bounds; called again, the bounds narrow."""
        if name not in self.place:
            self.place[name] = len(self.low)
            self.low.append(low)
            self.high.append(high)
            self.whole.append(whole)
            self._parts = None
            return
        i = self.place[name]
        self.low[i], self.high[i] = max(self.low[i], low), min(self.high[i], high)

    def fact(self, terms: Terms, low: float = -math.inf, high: float = math.inf, source: str = "") -> None:
        """Know of a weighted sum that it lies between two bounds."""
        for name in terms:
            if name not in self.place:
                self.number(name)
        self.facts.append((dict(terms), low, high, source))
        self._parts = None

    def equal(self, terms: Terms, source: str = "") -> None:
        """Know of a weighted sum that it is zero."""
        self.fact(terms, 0, 0, source)

    def contradict(self, truth: Mapping[Hashable, float], slack: float = 1e-6) -> list[str]:
        """Return what the truth contradicts: a check of the attack, never a part of it."""
        wrong = [
            f"{name}: {truth[name]} outside {self.low[i]} to {self.high[i]}"
            for name, i in self.place.items()
            if name in truth and not self.low[i] - slack <= truth[name] <= self.high[i] + slack
        ]
        for terms, low, high, source in self.facts:
            if all(name in truth for name in terms):
                value = sum(weight * truth[name] for name, weight in terms.items())
                if not low - slack <= value <= high + slack:
                    wrong.append(f"{source}: {dict(terms)} = {value} outside {low} to {high}")
        return wrong

    def bound(self, terms: Terms, *, whole: bool = True, presolve: bool = True) -> tuple[float, float]:
        """Return the smallest and the largest value of a weighted sum that agrees with all facts.

        What seems narrow is to be asked again without the solver's presolve: with it HiGHS (1.12, of scipy
        1.17) calls some of these programmes solved whose best value it has missed.

        Raises
        ------
        Contradiction
            When no numbers agree with all of them.
        """
        numbers, facts = self._concern(terms)
        where = {name: i for i, name in enumerate(numbers)}
        old = [self.place[name] for name in numbers]
        bounds = Bounds([self.low[i] for i in old], [self.high[i] for i in old])
        matrix = _build_matrix([fact[0] for fact in facts], where)
        limits = LinearConstraint(matrix, [fact[1] for fact in facts], [fact[2] for fact in facts])
        integrality = [int(whole and self.whole[i]) for i in old]
        objective = np.zeros(len(numbers))
        for name, weight in terms.items():
            objective[where[name]] += weight
        found = []
        for sign in (1, -1):
            answer = milp(
                sign * objective, integrality=integrality, bounds=bounds,
                constraints=[limits] if facts else [], options={"time_limit": 20, "presolve": presolve},
            )  # fmt: skip
            found.append(self._read(answer, sign))
        return found[0], found[1]

    def bound_quotient(
        self,
        top: Hashable,
        bottom: Hashable,
        values: Iterable[int],
        enough: float = math.inf,
        *,
        presolve: bool = True,
    ) -> tuple[float, float]:
        """Return the smallest and the largest quotient of two numbers, the second being one of some values.

        For each of these the quotient is linear. Where the two lie `enough` apart, not all are tried.

        Raises
        ------
        Contradiction
            When none of the values agrees with all facts.
        """
        i = self.place[bottom]
        before = self.low[i], self.high[i]
        least, most = math.inf, -math.inf
        try:
            for value in values:
                if before[0] <= value <= before[1] and most - least < enough:
                    self.low[i] = self.high[i] = value
                    with contextlib.suppress(Contradiction):
                        low, high = self.bound({top: 1}, presolve=presolve)
                        least, most = min(least, low / value), max(most, high / value)
        finally:
            self.low[i], self.high[i] = before
        if least > most:
            raise Contradiction
        return least, most

    @staticmethod
    def _read(answer: object, sign: int) -> float:
        if answer.status == 2:  # type: ignore[attr-defined]
            raise Contradiction
        if answer.status in (3, 4):  # type: ignore[attr-defined]
            return -sign * math.inf
        # The solver's proven bound where time ran out: what the attacker may safely conclude.
        value = answer.fun if answer.status == 0 else answer.mip_dual_bound  # type: ignore[attr-defined]
        return sign * float(value)

    def _concern(self, terms: Terms) -> tuple[list[Hashable], list[tuple[Terms, float, float, str]]]:
        """Return the numbers and facts that hang together with those asked for."""
        parts = self._find_parts()
        asked = {parts[self.place[name]] for name in terms}
        numbers = [name for name, i in self.place.items() if parts[i] in asked]
        facts = [fact for fact in self.facts if parts[self.place[next(iter(fact[0]))]] in asked]
        return numbers, facts

    def _find_parts(self) -> list[int]:
        if self._parts is None:
            root = list(range(len(self.low)))

            def find(i: int) -> int:
                while root[i] != i:
                    root[i] = root[root[i]]
                    i = root[i]
                return i

            for terms, *_ in self.facts:
                first, *rest = (find(self.place[name]) for name in terms)
                for other in rest:
                    root[find(other)] = first
            self._parts = [find(i) for i in range(len(root))]
        return self._parts


def _build_matrix(rows: list[Terms], where: Mapping[Hashable, int]) -> csr_array:
    at = [(number, where[name], weight) for number, row in enumerate(rows) for name, weight in row.items()]
    if not at:
        return csr_array((0, len(where)))
    number, column, weight = zip(*at, strict=True)
    return csr_array((weight, (number, column)), shape=(len(rows), len(where)))


def hides(low: float, high: float, k: int) -> bool:
    """Say whether an interval leaves every number from 1 to k possible."""
    return low <= 1 + 1e-6 and high >= k - 1e-6
