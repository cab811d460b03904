"""`audit_page`: whether anything small follows from all that a page says, taken together."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outcomes.disclosure.decisions import SAYING, Fate
from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import Feasibility
from outcomes.disclosure.joint.cells import Constraint, constrain_row, list_sensitive, list_sums
from outcomes.disclosure.joint.page import Numbering, ShownNumbers
from outcomes.disclosure.released import Backing, Release
from outcomes.disclosure.rules import Rules, read_rules
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.result import Support

#: Sensitive cells of which it is looked for the tables that give them away.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Audit:
    """What the audit of a page found: counts and names, never a number of the page."""

    passed: bool
    #: Names of the analyses whose tables together give something small away; merge or leave out one of them.
    tables: tuple[str, ...]
    n_shown: int
    #: Rows withheld because few patients stand behind them.
    n_primary: int
    #: Rows withheld because a small number would follow from them.
    n_extra: int
    #: Rows shown without their numbers of patients, for the same reason.
    n_unsized: int
    seconds: float


def audit_page(releases: Sequence[Release]) -> Audit:
    """Attack a page, all of whose releases are given with their backing: bound every withheld cell by it.

    Counts are taken as the interval that rounding leaves, shares and bands as bounds of one number of
    patients by another, "fewer than k" as what it says; a shown number has at least k patients behind it.
    Every size from 1 to k must remain feasible for each cell that the page prints as withheld (to k - 1
    where it says that there are fewer), and no combination of shown means may leave the sum of fewer than k
    patients. What cannot be audited, for want of a backing or of time, is refused (DisclosureError).
    """
    begun = time.monotonic()
    if not releases:
        return Audit(True, (), 0, 0, 0, 0, 0.0)
    if any(release.backing is None or release.audience != "stakeholder" for release in releases):
        raise DisclosureError(Text.of("errors.ledger.unnamed"))
    rules = read_rules(max(release.k for release in releases))
    deadline = begun + rules.joint["audit_seconds"]
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
    """What a page says and what it hides, of sets of patients by common codes, each with the table's name."""

    def __init__(self, releases: Sequence[Release], rules: Rules) -> None:
        self._rules = rules
        self._said: list[tuple[str, Constraint]] = []
        #: Sensitive cells, and whether the page itself says that they hold fewer than k.
        self._sensitive: list[tuple[str, np.ndarray, bool]] = []
        self._summed: dict[tuple[str, ...], list[tuple[str, np.ndarray]]] = defaultdict(list)
        self.n_primary = 0
        page = ShownNumbers()
        for entry in releases:
            backing, rows = _backing(entry), list(entry.table.itertuples(index=False))
            fates, support = backing.fates, page.translate(backing.support, backing.patients)
            self._said += [(entry.name, said) for said in _constrain(rows, fates, support, rules)]
            for cell in list_sensitive(rows, fates, support, rules):
                self._sensitive.append((entry.name, cell.set, cell.bounded))
            for summed in list_sums(rows, fates, support, rules):
                self._summed[summed.quantity].append((entry.name, summed.set))
            self.n_primary += sum(
                fate == Fate.WITHHELD and (not sets or min(map(len, sets.values())) < rules.k)
                for fate, sets in zip(fates, support, strict=True)
            )

    def find_tables(self, deadline: float) -> set[str]:
        """Return the tables that bound a sensitive cell too closely."""
        constraints = [said for _, said in self._said]
        sensitive = [(codes, bounded) for _, codes, bounded in self._sensitive]
        if not sensitive:
            return set()
        numbering = Numbering([codes for codes, _ in sensitive], constraints)
        problem = Feasibility(numbering.classes, numbering.constraints, deadline)
        owners: dict[int, str] = {}
        for name, codes, _ in self._sensitive:
            owners.setdefault(numbering.number(codes), name)
        tables = sorted({name for name, _ in self._said} | set(owners.values()))
        without = {
            name: problem.mark([numbering.list_numbers(said for table, said in self._said if table != name)])
            for name in tables
        }
        named: set[str] = set()
        unsafe = problem.find_unsafe(numbering.protect(sensitive, constraints, self._rules.k))
        for protection in unsafe[:_MOST_NAMED]:
            own = owners[protection.set]
            others = [name for name in tables if name != own]
            named |= {own, *(name for name in others if not problem.find_unsafe([protection], without[name]))}
        return named

    def find_sums(self) -> set[str]:
        """Return the tables whose means together give the sum of few."""
        return {
            held[i][0]
            for held in self._summed.values()
            for exposure in find_exposed([codes for _, codes in held], self._rules.k)
            for i in exposure.coefficients
        }


def _constrain(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Constraint]:
    """Yield what the rows of a release say of the sizes of sets, as they are written."""
    half = rules.cells["count_multiple"] // 2
    for row, fate, sets in zip(rows, fates, support, strict=True):
        if fate not in SAYING:
            continue
        for size, name in ((row.n, "all" if "all" in sets else "group"), (row.n_versus, "versus")):
            if not math.isnan(size) and name in sets and sets[name].size:
                yield ((sets[name], 1.0),), max(rules.k, size - half), size + half
        yield from constrain_row(row, fate, sets, rules)


def _backing(release: Release) -> Backing:
    assert release.backing is not None
    return release.backing
