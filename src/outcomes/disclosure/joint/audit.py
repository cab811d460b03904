"""`audit_page`: whether anything small follows from all that a page says, taken together."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.disclosure.backing import Backing
from outcomes.disclosure.decisions import SAYING, Fate
from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import Classes, Constraints, Feasibility, Protection
from outcomes.disclosure.joint.cells import Constraint, constrain_row, list_sensitive, list_sums
from outcomes.disclosure.joint.page import Page
from outcomes.disclosure.released import Release
from outcomes.disclosure.rules import Rules, read_rules
from outcomes.errors import DisclosureError
from outcomes.result import Support

#: Sensitive cells of which it is looked for the tables that give them away.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Audit:
    """What the audit of a page found: counts and names, never a number of the page."""

    passed: bool
    #: Names of the analyses whose tables together give something small away; merge or leave out one of them.
    tables: tuple[str, ...]
    #: Rows with a number.
    n_shown: int
    #: Rows withheld because few patients stand behind them.
    n_primary: int
    #: Rows withheld because a small number would follow from them.
    n_extra: int
    #: Rows shown without their numbers of patients, for the same reason.
    n_unsized: int
    seconds: float


def audit_page(releases: Sequence[Release], *, seconds: float | None = None) -> Audit:
    """Attack a page: bound every withheld cell by all that the page says.

    Counts are taken as the interval that rounding leaves, shares and bands as bounds of one number of
    patients by another, "fewer than k" as what it says; a shown number has at least k patients behind it.
    Every size from 1 to k must remain feasible for each cell that the page prints as withheld (to k - 1
    where it says that there are fewer), and no combination of shown means may leave the sum of fewer than k
    patients.

    Parameters
    ----------
    releases : sequence of Release
        All that the page shows, for stakeholders, with their backing.
    seconds : float, optional
        Limit of time; that of the rules when absent.

    Returns
    -------
    Audit

    Raises
    ------
    DisclosureError
        When a release has no backing, or time runs out: what cannot be audited may not leave.
    """
    begun = time.monotonic()
    if not releases:
        return Audit(True, (), 0, 0, 0, 0, 0.0)
    if any(release.backing is None or release.audience != "stakeholder" for release in releases):
        raise DisclosureError(
            "A table of the page does not say who stands behind its numbers, so the page cannot be "
            "checked. Show only what `release` returns for stakeholders."
        )
    rules = read_rules(max(release.k for release in releases))
    deadline = begun + (rules.joint["audit_seconds"] if seconds is None else seconds)
    published = _Published(releases, rules)
    named = sorted({*published.find_tables(deadline), *published.find_sums()})
    fates = [fate for release in releases for fate in _backing(release).fates]
    unsized = (int((entry.table["shown"] & entry.table["n"].isna()).sum()) for entry in releases)
    return Audit(
        passed=not named,
        tables=tuple(named),
        n_shown=sum(int(release.table["shown"].sum()) for release in releases),
        n_primary=published.n_primary,
        n_extra=fates.count(Fate.WITHHELD) - published.n_primary,
        n_unsized=sum(unsized),
        seconds=time.monotonic() - begun,
    )


class _Published:
    """What a page says and what it hides, of sets of patients by common codes."""

    def __init__(self, releases: Sequence[Release], rules: Rules) -> None:
        page = Page()
        self._releases, self._rules = releases, rules
        self._support = [
            page.translate(_backing(entry).support, _backing(entry).patients) for entry in releases
        ]
        #: Each constraint with the number of the table that says it.
        self._constraints: list[tuple[int, Constraint]] = []
        #: Each sensitive cell with the number of its table and the largest size that must remain feasible.
        self._sensitive: list[tuple[int, np.ndarray, int]] = []
        self.n_primary = 0
        for number, (entry, support) in enumerate(zip(releases, self._support, strict=True)):
            fates, rows = _backing(entry).fates, list(entry.table.itertuples(index=False))
            self._constraints += [(number, said) for said in _constrain(entry, fates, support, rules)]
            for cell in list_sensitive(rows, fates, support, rules):
                self._sensitive.append((number, cell.set, rules.k - 1 if cell.bounded else rules.k))
            self.n_primary += sum(
                fate == Fate.WITHHELD and (not sets or min(map(len, sets.values())) < rules.k)
                for fate, sets in zip(fates, support, strict=True)
            )
        few = [
            set(terms[0][0].tolist())
            for _, (terms, _, high) in self._constraints
            if len(terms) == 1 and high == rules.k - 1
        ]
        for place, (number, codes, most) in enumerate(self._sensitive):
            if any(set(codes.tolist()) <= said for said in few):
                self._sensitive[place] = (number, codes, min(most, rules.k - 1))

    def find_tables(self, deadline: float) -> set[str]:
        """Return the tables that bound a sensitive cell too closely."""
        if not self._sensitive:
            return set()
        sets: list[np.ndarray] = []
        numbers: dict[bytes, int] = {}
        for codes in [
            *(codes for _, (terms, _, _) in self._constraints for codes, _ in terms),
            *(cell for _, cell, _ in self._sensitive),
        ]:
            if codes.tobytes() not in numbers:
                numbers[codes.tobytes()] = len(sets)
                sets.append(codes)
        classes = Classes.of(sets)
        owners: dict[int, int] = {}
        highest: dict[int, int] = {}
        for table, codes, most in self._sensitive:
            at = numbers[codes.tobytes()]
            owners.setdefault(at, table)
            highest[at] = max(most, highest.get(at, 0))
        protections = [Protection(at, 1, most) for at, most in sorted(highest.items())]
        numbered = (
            (tuple((numbers[codes.tobytes()], factor) for codes, factor in terms), low, high)
            for _, (terms, low, high) in self._constraints
        )
        problem = Feasibility(classes, Constraints.of(classes, numbered), deadline)
        said_by = np.array([self._releases[table].name for table, _ in self._constraints])
        named: set[str] = set()
        for protection in problem.find_unsafe(protections)[:_MOST_NAMED]:
            own = self._releases[owners[protection.set]].name
            named.add(own)
            for other in sorted({entry.name for entry in self._releases} - {own}):
                if not problem.find_unsafe([protection], said_by != other):
                    named.add(other)
        return named

    def find_sums(self) -> set[str]:
        """Return the tables whose means together give the sum of few."""
        own: dict[tuple[str, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
        for number, (entry, support) in enumerate(zip(self._releases, self._support, strict=True)):
            rows = list(entry.table.itertuples(index=False))
            for summed in list_sums(rows, _backing(entry).fates, support, self._rules):
                own[summed.quantity].append((number, summed.set))
        return {
            self._releases[held[i][0]].name
            for held in own.values()
            for exposure in find_exposed([codes for _, codes in held], self._rules.k)
            for i in exposure.coefficients
        }


def _constrain(
    entry: Release, fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Constraint]:
    """Yield what the rows of a release say of the sizes of sets, as they are written."""
    half = rules.cells["count_multiple"] // 2
    for row, fate, sets in zip(entry.table.itertuples(index=False), fates, support, strict=True):
        if fate not in SAYING:
            continue
        for size, name in ((row.n, "all" if "all" in sets else "group"), (row.n_versus, "versus")):
            value = float(size)  # type: ignore[arg-type]
            if not math.isnan(value) and name in sets and sets[name].size:
                yield ((sets[name], 1.0),), max(rules.k, value - half), value + half
        yield from constrain_row(row, fate, sets, rules)


def _backing(release: Release) -> Backing:
    assert release.backing is not None
    return release.backing
