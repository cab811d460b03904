"""`audit_page`: whether anything small follows from all that a page says, taken together."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.disclosure.backing import Backing
from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import Classes, Facts, Programme, Target
from outcomes.disclosure.joint.page import Page
from outcomes.disclosure.joint.telling import list_hidden, list_sums, say_of_row
from outcomes.disclosure.released import Release
from outcomes.disclosure.rules import Rules, read_rules
from outcomes.errors import DisclosureError
from outcomes.result import Support

#: Targets of which it is looked for the tables that give them away.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Audit:
    """What the audit of a page found: counts and names, never a number of the page.

    Parameters
    ----------
    passed : bool
    tables : tuple of str
        Names of the analyses whose tables together give something small away; merge or leave out one of them.
    n_shown : int
        Rows with a number.
    n_primary : int
        Rows withheld because few patients stand behind them.
    n_extra : int
        Rows withheld because a small number would follow from them.
    n_unsized : int
        Rows shown without their numbers of patients, for the same reason.
    seconds : float
    """

    passed: bool
    tables: tuple[str, ...]
    n_shown: int
    n_primary: int
    n_extra: int
    n_unsized: int
    seconds: float


@dataclass(frozen=True)
class _Fact:
    """``low <= sum of factor x size of set <= high``, said by one table."""

    table: int
    terms: tuple[tuple[np.ndarray, float], ...]
    low: float
    high: float


def audit_page(releases: Sequence[Release], *, seconds: float | None = None) -> Audit:
    """Attack a page: bound every withheld cell by all that the page says.

    Counts are taken as the interval that rounding leaves, shares and bands as bounds of one number of
    patients by another, "fewer than k" as what it says; a shown number has at least k patients behind it.
    Every size from 1 to k must remain possible for each cell that the page prints as withheld (to k - 1
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
    held = _Held.of(releases, rules)
    named = sorted({*held.find_tables(deadline), *held.find_sums()})
    fates = [fate for release in releases for fate in _backing(release).fates]
    n_primary = sum(map(len, held.small_rows))
    return Audit(
        passed=not named,
        tables=tuple(named),
        n_shown=sum(int(release.table["shown"].sum()) for release in releases),
        n_primary=n_primary,
        n_extra=fates.count("withheld") - n_primary,
        n_unsized=sum(
            int((release.table["shown"] & release.table["n"].isna()).sum()) for release in releases
        ),
        seconds=time.monotonic() - begun,
    )


@dataclass(frozen=True, eq=False)
class _Held:
    """What a page says and what it hides, of sets of patients by common codes."""

    releases: Sequence[Release]
    support: list[list[dict[str, np.ndarray]]]
    facts: list[_Fact]
    hidden: list[tuple[int, np.ndarray, int]]
    small_rows: list[set[int]]
    rules: Rules

    @staticmethod
    def of(releases: Sequence[Release], rules: Rules) -> _Held:
        """Gather facts and hidden cells of all tables."""
        codes = Page()
        support = [codes.translate(_backing(entry).support, _backing(entry).patients) for entry in releases]
        facts: list[_Fact] = []
        hidden, small = [], []
        for number, (entry, sets) in enumerate(zip(releases, support, strict=True)):
            fates = _backing(entry).fates
            facts += _list_facts(number, entry, fates, sets, rules)
            for cell in list_hidden(list(entry.table.itertuples(index=False)), fates, sets, rules):
                hidden.append((number, cell.set, rules.k - 1 if cell.bounded else rules.k))
        said = {
            frozenset(fact.terms[0][0].tolist())
            for fact in facts
            if len(fact.terms) == 1 and fact.high == rules.k - 1
        }
        hidden = [
            (
                number,
                codes,
                min(most, rules.k - 1) if any(set(codes.tolist()) <= few for few in said) else most,
            )
            for number, codes, most in hidden
        ]
        for entry, sets in zip(releases, support, strict=True):
            small.append(
                {
                    place
                    for place, (fate, row) in enumerate(zip(_backing(entry).fates, sets, strict=True))
                    if fate == "withheld" and (not row or min(codes.size for codes in row.values()) < rules.k)
                }
            )
        return _Held(releases, support, facts, hidden, small, rules)

    def find_tables(self, deadline: float) -> set[str]:
        """Return the tables that bound a hidden cell too closely."""
        sets: list[np.ndarray] = []
        numbers: dict[bytes, int] = {}
        for codes in [
            *(c for fact in self.facts for c, _ in fact.terms),
            *(cell for _, cell, _ in self.hidden),
        ]:
            if codes.tobytes() not in numbers:
                numbers[codes.tobytes()] = len(sets)
                sets.append(codes)
        if not self.hidden:
            return set()
        classes = Classes.of(sets)
        owners: dict[int, int] = {}
        highest: dict[int, int] = {}
        for table, codes, most in self.hidden:
            at = numbers[codes.tobytes()]
            owners.setdefault(at, table)
            highest[at] = max(most, highest.get(at, 0))
        targets = [Target(at, 1, most) for at, most in sorted(highest.items())]
        said = (
            (tuple((numbers[codes.tobytes()], factor) for codes, factor in fact.terms), fact.low, fact.high)
            for fact in self.facts
        )
        programme = Programme(classes, Facts.of(classes, said), deadline)
        saying = np.array([self.releases[fact.table].name for fact in self.facts])
        named: set[str] = set()
        for target in programme.find_unsafe(targets)[:_MOST_NAMED]:
            own = self.releases[owners[target.set]].name
            named.add(own)
            for other in sorted({entry.name for entry in self.releases} - {own}):
                if not programme.find_unsafe([target], saying != other):
                    named.add(other)
        return named

    def find_sums(self) -> set[str]:
        """Return the tables whose means together give the sum of few."""
        own: dict[tuple[str, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
        for number, (entry, sets) in enumerate(zip(self.releases, self.support, strict=True)):
            rows = list(entry.table.itertuples(index=False))
            for summed in list_sums(rows, _backing(entry).fates, sets, self.rules):
                own[summed.quantity].append((number, summed.set))
        return {
            self.releases[held[i][0]].name
            for held in own.values()
            for exposure in find_exposed([codes for _, codes in held], self.rules.k)
            for i in exposure.coefficients
        }


def _list_facts(
    number: int, entry: Release, fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[_Fact]:
    half = rules.cells["count_multiple"] // 2
    for row, fate, sets in zip(entry.table.itertuples(index=False), fates, support, strict=True):
        if fate not in ("shown", "state", "few"):
            continue
        for number_of, name in ((row.n, "all" if "all" in sets else "group"), (row.n_versus, "versus")):
            value = float(number_of)  # type: ignore[arg-type]
            if not math.isnan(value) and name in sets and sets[name].size:
                yield _Fact(number, ((sets[name], 1.0),), max(rules.k, value - half), value + half)
        yield from (
            _Fact(number, terms, low, high) for terms, low, high in say_of_row(row, fate, sets, rules)
        )


def _backing(release: Release) -> Backing:
    assert release.backing is not None
    return release.backing
