"""`ShownNumbers`: what a page has shown so far, and what a further result may still show beside it."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.decisions import PRINTED, SAYING, Decisions, Fate, Reason
from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import (
    Classes,
    Constraints,
    Feasibility,
    NumberedConstraint,
    OutOfTime,
    Protection,
)
from outcomes.disclosure.joint.cells import (
    Constraint,
    PublishedCell,
    fix_size,
    list_bounds,
    list_published,
    list_sensitive,
    list_sums,
)
from outcomes.disclosure.joint.secondary import Suppressible, choose_secondary, mark_published
from outcomes.disclosure.rules import Rules
from outcomes.result import ALL, Patients, Result, Support


@dataclass
class ShownNumbers:
    """The numbers of patients and the sums that a page has shown, and the sensitive cells it withholds."""

    published: list[np.ndarray] = field(default_factory=list)
    sensitive: list[tuple[np.ndarray, bool]] = field(default_factory=list)
    bounds: list[Constraint] = field(default_factory=list)
    summed: dict[tuple[str, ...], list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    codes: dict[object, int] = field(default_factory=dict)

    def protect(self, result: Result, decisions: Decisions, rules: Rules) -> Decisions:
        """Withhold what would give, with all that the page has shown already, a number or a sum of few.

        A result that does not say whose patients it has is not linked to the rest of the page. Where no
        choice is found in time, its table is cut down to fewer time points, then to all groups together, then
        left out.
        """
        common = self.translate(result.support, result.patients)
        rows = list(result.table.itertuples(index=False))
        empty = _find_empty_lines(result.table, decisions.fates, rules)
        printed = [place for place, fate in enumerate(decisions.fates) if fate in PRINTED]
        for kept in _fall_back(result.table):
            now = decisions.copy()
            now.leave_out([place for place in printed if place in empty], Reason.EMPTY_LINE)
            cut = [place for place in printed if place not in empty and not kept[place]]
            now.leave_out(cut, Reason.CUT_DOWN)
            self._protect_sums(rows, now, common, rules)
            try:
                self._protect_counts(rows, now, common, rules)
            except OutOfTime:
                continue
            return now
        decisions.leave_out(printed, Reason.CUT_DOWN)
        return decisions

    def remember(self, result: Result, decisions: Decisions, rules: Rules) -> None:
        """Add what a result shows in the end."""
        common = self.translate(result.support, result.patients)
        rows, fates = list(result.table.itertuples(index=False)), decisions.fates
        known = {codes.tobytes() for codes in self.published}
        for cell in list_published(rows, fates, common, rules, decisions.unsized):
            self.published += [codes for codes in cell.sets if codes.tobytes() not in known]
            known |= {codes.tobytes() for codes in cell.sets}
            self.bounds += cell.bounds
        self.bounds += list(list_bounds(rows, fates, common, rules))
        self.sensitive += [(entry.set, entry.bounded) for entry in list_sensitive(rows, fates, common, rules)]
        for summed in list_sums(rows, fates, common, rules):
            self.summed[summed.quantity].append(summed.set)

    def translate(self, support: Sequence[Support], patients: Patients | None) -> list[dict[str, np.ndarray]]:
        """Return support in codes that mean the same patient in every result of the page."""
        largest = max(
            (int(codes.max()) for sets in support for codes in sets.values() if codes.size), default=-1
        )
        unlinked = [(len(self.codes), code) for code in range(largest + 1)]
        names: Iterable[object] = unlinked if patients is None else patients.ids
        common = np.array([self.codes.setdefault(name, len(self.codes)) for name in names], dtype="int64")
        return [
            {name: np.unique(common[codes]) if codes.size else codes for name, codes in sets.items()}
            for sets in support
        ]

    def _protect_sums(
        self, rows: Sequence[Any], decisions: Decisions, support: Sequence[Support], rules: Rules
    ) -> None:
        """Withhold means until no combination of those shown isolates the sum of fewer than k patients."""
        weights = {cell.row: cell.weight for cell in list_published(rows, decisions.fates, support, rules)}
        names = [tuple(map(str, (row.statistic, row.term, row.group, row.timepoint))) for row in rows]
        while True:
            own = defaultdict(list)
            for summed in list_sums(rows, decisions.fates, support, rules):
                own[summed.quantity].append(summed)
            lost: set[int] = set()
            for quantity, entries in own.items():
                entries.sort(key=lambda entry: (entry.set.size, names[entry.row]))
                sets = [entry.set for entry in entries] + self.summed.get(quantity, [])
                for exposure in find_exposed(sets, rules.k):
                    involved = {entries[i].row for i in exposure.coefficients if i < len(entries)}
                    shown = [row for row in involved if decisions.is_shown(row)]
                    if shown:
                        lost.add(min(shown, key=lambda row: (weights.get(row, 0.0), names[row])))
                        break
            if not lost:
                return
            decisions.withhold(lost, Reason.SUM)

    def _protect_counts(
        self, rows: Sequence[Any], decisions: Decisions, support: Sequence[Support], rules: Rules
    ) -> None:
        """Suppress counts; leave out sensitive cells that earlier output of the page already reveals."""
        own = list(list_sensitive(rows, decisions.fates, support, rules))
        cells = list(list_published(rows, decisions.fates, support, rules))
        if not (own or (self.sensitive and self._says_more(cells))):
            return
        names = [tuple(map(str, row[:8])) for row in rows]
        cells.sort(key=lambda cell: (names[cell.row], cell.part))
        bounds = [*self.bounds, *list_bounds(rows, decisions.fates, support, rules)]
        before = [*map(fix_size, self.published), *bounds]
        numbering = Numbering(
            [*(codes for codes, _ in self.sensitive), *(entry.set for entry in own)],
            [*before, *(constraint for cell in cells for constraint in cell.constraints)],
        )
        problem = Feasibility(
            numbering.classes, numbering.constraints, time.monotonic() + rules.joint["seconds"]
        )
        units = [Suppressible(numbering.list_numbers(cell.constraints), cell.weight) for cell in cells]
        fixed = Suppressible(numbering.list_numbers(before), math.inf)
        protections = numbering.protect(
            [*self.sensitive, *((entry.set, entry.bounded) for entry in own)], bounds, rules.k
        )
        doubtful = problem.find_unsafe(protections, mark_published(problem, [*units, fixed]))
        if not doubtful:
            return
        # nothing that this result withholds hides what follows from the rest
        gone = {entry.set for entry in problem.find_unsafe(doubtful, mark_published(problem, [fixed]))}
        earlier = {numbering.number(codes) for codes, _ in self.sensitive}
        revealed = {
            entry.row
            for entry in own
            if numbering.number(entry.set) in gone or (gone & earlier and entry.bounded)
        }
        decisions.leave_out(sorted(revealed), Reason.PAGE)
        kept = [(entry.set, entry.bounded) for entry in own if entry.row not in revealed]
        bounds = [*self.bounds, *list_bounds(rows, decisions.fates, support, rules)]
        fixed = Suppressible(numbering.list_numbers([*map(fix_size, self.published), *bounds]), math.inf)
        still = [i for i, cell in enumerate(cells) if cell.row not in revealed]
        at_risk = {entry.set for entry in doubtful}
        protections = numbering.protect([*self.sensitive, *kept], bounds, rules.k)
        protections = [entry for entry in protections if entry.set in at_risk]
        lost = choose_secondary(problem, [*(units[i] for i in still), fixed], protections)
        if lost is None:
            raise OutOfTime("No choice of further numbers is enough.")
        chosen = [cells[still[i]] for i in lost]
        decisions.withhold((cell.row for cell in chosen if cell.part == "row"), Reason.PAGE)
        decisions.remove_sizes(cell.row for cell in chosen if cell.part == "n")

    def _says_more(self, cells: Iterable[PublishedCell]) -> bool:
        """Return whether cells give anything of numbers of patients that the page has not shown yet."""
        known = {codes.tobytes() for codes in self.published}
        return any(cell.bounds or any(codes.tobytes() not in known for codes in cell.sets) for cell in cells)


class Numbering:
    """Sets and constraints on them, by number, and the classes that they make."""

    def __init__(self, sensitive: Sequence[np.ndarray], constraints: Sequence[Constraint]) -> None:
        self._numbers: dict[bytes, int] = {}
        held: list[np.ndarray] = []
        for codes in [*sensitive, *(codes for terms, _, _ in constraints for codes, _ in terms)]:
            if codes.tobytes() not in self._numbers:
                self._numbers[codes.tobytes()] = len(held)
                held.append(codes)
        self._places = {named: i for i, named in enumerate(dict.fromkeys(map(self._name, constraints)))}
        self.classes = Classes.of(held)
        self.constraints = Constraints.of(self.classes, self._places)

    def number(self, codes: np.ndarray) -> int:
        """Return the number of a set."""
        return self._numbers[codes.tobytes()]

    def list_numbers(self, constraints: Iterable[Constraint]) -> tuple[int, ...]:
        """Return the numbers of constraints."""
        return tuple(self._places[self._name(entry)] for entry in constraints)

    def _name(self, constraint: Constraint) -> NumberedConstraint:
        terms, low, high = constraint
        return tuple((self.number(codes), factor) for codes, factor in terms), low, high

    def protect(
        self, sensitive: Sequence[tuple[np.ndarray, bool]], bounds: Sequence[Constraint], k: int
    ) -> list[Protection]:
        """Return what must stay uncertain; what a page says is below k need not reach it."""
        few = {
            frozenset(terms[0][0].tolist()) for terms, _, high in bounds if len(terms) == 1 and high == k - 1
        }
        highest: dict[int, int] = {}
        for codes, bounded in sensitive:
            number, part = self.number(codes), frozenset(codes.tolist())
            bounded = bounded or any(part <= said for said in few)
            highest[number] = max(k - 1 if bounded else k, highest.get(number, 0))
        return [Protection(number, 1, most) for number, most in sorted(highest.items())]


def _find_empty_lines(table: pd.DataFrame, fates: Sequence[Fate], rules: Rules) -> set[int]:
    """Return the rows of lines that would say nothing but "withheld", where other lines of the kind say more.

    They are not printed: nothing then needs to be withheld elsewhere to protect them, and a page of few
    patients is no field of withheld cells.
    """
    lines: dict[tuple[str, ...], list[int]] = defaultdict(list)
    keys = table[["outcome", "statistic", "level", "versus", "timepoint", "x"]].astype(str)
    for place, key in enumerate(keys.itertuples(index=False, name=None)):
        lines[key].append(place)
    silent = {key for key, places in lines.items() if all(fates[place] not in SAYING for place in places)}
    spoken = {key[:2] for key in lines.keys() - silent}
    return {
        place
        for key in silent
        if rules.statistics[key[1]].unprinted_when_empty and key[:2] in spoken
        for place in lines[key]
    }


def _fall_back(table: pd.DataFrame) -> list[np.ndarray]:
    """Return which rows stay: all; then the first and the last time point; then all groups together."""
    steps = [np.ones(len(table), dtype=bool)]
    times = list(dict.fromkeys(table["timepoint"].dropna()))
    if len(times) > 2:
        steps.append(table["timepoint"].isin([times[0], times[-1]]).to_numpy())
    whole = (table["group"] == ALL).to_numpy()
    if whole.any() and not whole.all():
        steps += [steps[-1] & whole]
    return steps
