"""`Page`: what a page has shown so far, and what a further result may still show beside it."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import Classes, Facts, NumberedSaying, Programme, Target
from outcomes.disclosure.joint.complement import Unit, find_complement, list_said
from outcomes.disclosure.joint.solver import OutOfTime
from outcomes.disclosure.joint.telling import (
    Saying,
    list_hidden,
    list_limits,
    list_sums,
    list_tellings,
    say_size,
)
from outcomes.disclosure.rules import Rules
from outcomes.result import Patients, Support

_WHOLE = "all"
#: Fates of rows that stand on a page.
_PRINTED = frozenset({"shown", "state", "few", "withheld"})
#: Those that say something, be it a bound.
_SAYING = frozenset({"shown", "state", "few"})


@dataclass
class Page:
    """The numbers of patients and the sums that a page has shown, and the small sets that it withholds."""

    told: list[np.ndarray] = field(default_factory=list)
    hidden: list[tuple[np.ndarray, bool]] = field(default_factory=list)
    limits: list[Saying] = field(default_factory=list)
    summed: dict[tuple[str, ...], list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    codes: dict[object, int] = field(default_factory=dict)

    def protect(
        self,
        table: pd.DataFrame,
        fates: Sequence[str],
        support: Sequence[Support],
        patients: Patients | None,
        rules: Rules,
    ) -> tuple[list[str], frozenset[int]]:
        """Withhold what would give, with all that the page has shown already, a number or a sum of few.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows of a result.
        fates, support
            One per row.
        patients : Patients or None
            Whose codes these are; without them nothing links the result to the rest of the page.
        rules : Rules

        Returns
        -------
        list of str
            The fates, some changed to ``withheld``, or to ``collapsed`` where the table had to be cut down.
        frozenset of int
            Rows that are shown without their numbers of patients.
        """
        common = self.translate(support, patients)
        rows = list(table.itertuples(index=False))
        empty = _find_empty_lines(table, fates, rules)
        for kept in _fall_back(table):
            now = [
                "collapsed" if fate in _PRINTED and (place in empty or not stays) else fate
                for place, (fate, stays) in enumerate(zip(fates, kept, strict=True))
            ]
            now = self._protect_sums(rows, now, common, rules)
            try:
                return self._protect_counts(rows, now, common, rules)
            except OutOfTime:
                continue
        return ["collapsed" if fate in _PRINTED else fate for fate in fates], frozenset()

    def remember(
        self,
        table: pd.DataFrame,
        fates: Sequence[str],
        support: Sequence[Support],
        patients: Patients | None,
        rules: Rules,
        unsized: frozenset[int],
    ) -> None:
        """Add what a result shows in the end."""
        common = self.translate(support, patients)
        rows = list(table.itertuples(index=False))
        known = {codes.tobytes() for codes in self.told}
        for telling in list_tellings(rows, fates, common, rules, unsized):
            self.told += [codes for codes in telling.sets if codes.tobytes() not in known]
            known |= {codes.tobytes() for codes in telling.sets}
            self.limits += telling.sayings
        self.limits += list(list_limits(rows, fates, common, rules))
        self.hidden += [(entry.set, entry.bounded) for entry in list_hidden(rows, fates, common, rules)]
        for summed in list_sums(rows, fates, common, rules):
            self.summed[summed.quantity].append(summed.set)

    def translate(self, support: Sequence[Support], patients: Patients | None) -> list[dict[str, np.ndarray]]:
        """Return support in codes that mean the same patient in every result of the page."""
        largest = max(
            (int(codes.max()) for sets in support for codes in sets.values() if codes.size), default=-1
        )
        names: Iterable[object] = (
            [(len(self.codes), code) for code in range(largest + 1)] if patients is None else patients.ids
        )
        common = np.array([self.codes.setdefault(name, len(self.codes)) for name in names], dtype="int64")
        return [
            {name: np.unique(common[codes]) if codes.size else codes for name, codes in sets.items()}
            for sets in support
        ]

    def _protect_sums(
        self, rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
    ) -> list[str]:
        now = list(fates)
        weights = {telling.row: telling.weight for telling in list_tellings(rows, now, support, rules)}
        names = [tuple(map(str, (row.statistic, row.term, row.group, row.timepoint))) for row in rows]
        while True:
            own = defaultdict(list)
            for summed in list_sums(rows, now, support, rules):
                own[summed.quantity].append(summed)
            lost: set[int] = set()
            for quantity, entries in own.items():
                entries.sort(key=lambda entry: (entry.set.size, names[entry.row]))
                sets = [entry.set for entry in entries] + self.summed.get(quantity, [])
                for exposure in find_exposed(sets, rules.k):
                    involved = {entries[i].row for i in exposure.coefficients if i < len(entries)}
                    shown = [row for row in involved if now[row] == "shown"]
                    if shown:
                        lost.add(min(shown, key=lambda row: (weights.get(row, 0.0), names[row])))
                        break
            if not lost:
                return now
            for row in lost:
                now[row] = "withheld"

    def _protect_counts(
        self, rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
    ) -> tuple[list[str], frozenset[int]]:
        """Withhold numbers of patients; leave out what was given away before: nothing hides it any more."""
        own = list(list_hidden(rows, fates, support, rules))
        tellings = list(list_tellings(rows, fates, support, rules))
        known = {codes.tobytes() for codes in self.told}
        new = any(
            telling.sayings or any(codes.tobytes() not in known for codes in telling.sets)
            for telling in tellings
        )
        if not (own or (self.hidden and new)):
            return list(fates), frozenset()
        names = [tuple(map(str, row[:8])) for row in rows]
        tellings.sort(key=lambda telling: (names[telling.row], telling.part))
        limits = [*self.limits, *list_limits(rows, fates, support, rules)]
        before = [*map(say_size, self.told), *limits]
        counts = _Counts(
            [*(codes for codes, _ in self.hidden), *(entry.set for entry in own)],
            [*before, *(saying for telling in tellings for saying in telling.list_sayings())],
        )
        programme = Programme(counts.classes, counts.facts, time.monotonic() + rules.joint["seconds"])
        units = [Unit(counts.list_facts(telling.list_sayings()), telling.weight) for telling in tellings]
        fixed = Unit(counts.list_facts(before), math.inf)
        targets = counts.aim([*self.hidden, *((entry.set, entry.bounded) for entry in own)], limits, rules.k)
        doubtful = programme.find_unsafe(targets, list_said(programme, [*units, fixed]))
        now = list(fates)
        if not doubtful:
            return now, frozenset()
        # nothing that this result withholds hides what follows from the rest
        gone = {target.set for target in programme.find_unsafe(doubtful, list_said(programme, [fixed]))}
        earlier = {counts.number(codes) for codes, _ in self.hidden}
        for entry in own:
            if counts.number(entry.set) in gone or (gone & earlier and entry.bounded):
                now[entry.row] = "unsaid"
        kept = [(entry.set, entry.bounded) for entry in own if now[entry.row] != "unsaid"]
        limits = [*self.limits, *list_limits(rows, now, support, rules)]
        fixed = Unit(counts.list_facts([*map(say_size, self.told), *limits]), math.inf)
        still = [i for i, telling in enumerate(tellings) if now[telling.row] != "unsaid"]
        at_risk = {target.set for target in doubtful}
        lost = find_complement(
            programme, [*[units[i] for i in still], fixed],
            [entry for entry in counts.aim([*self.hidden, *kept], limits, rules.k) if entry.set in at_risk],
            trials=0,
        )  # fmt: skip
        if lost is None:
            raise OutOfTime("No choice of further numbers is enough.")
        chosen = [tellings[still[i]] for i in lost]
        for telling in chosen:
            if telling.part == "row":
                now[telling.row] = "withheld"
        return now, frozenset(telling.row for telling in chosen if telling.part == "n")


class _Counts:
    """Sets and what is said of them, by number, and the classes that they make."""

    def __init__(self, hidden: Sequence[np.ndarray], sayings: Sequence[Saying]) -> None:
        self._numbers: dict[bytes, int] = {}
        held: list[np.ndarray] = []
        for codes in [*hidden, *(codes for terms, _, _ in sayings for codes, _ in terms)]:
            if codes.tobytes() not in self._numbers:
                self._numbers[codes.tobytes()] = len(held)
                held.append(codes)
        self._facts = {said: i for i, said in enumerate(dict.fromkeys(map(self._name, sayings)))}
        self.classes = Classes.of(held)
        self.facts = Facts.of(self.classes, self._facts)

    def number(self, codes: np.ndarray) -> int:
        """Return the number of a set."""
        return self._numbers[codes.tobytes()]

    def list_facts(self, sayings: Iterable[Saying]) -> tuple[int, ...]:
        """Return the numbers of what is said."""
        return tuple(self._facts[self._name(saying)] for saying in sayings)

    def _name(self, saying: Saying) -> NumberedSaying:
        terms, low, high = saying
        return tuple((self.number(codes), factor) for codes, factor in terms), low, high

    def aim(
        self, hidden: Sequence[tuple[np.ndarray, bool]], limits: Sequence[Saying], k: int
    ) -> list[Target]:
        """Return what must stay uncertain; what a page says is below k need not reach it."""
        few = {
            frozenset(terms[0][0].tolist()) for terms, _, high in limits if len(terms) == 1 and high == k - 1
        }
        highest: dict[int, int] = {}
        for codes, bounded in hidden:
            number, part = self.number(codes), frozenset(codes.tolist())
            bounded = bounded or any(part <= said for said in few)
            highest[number] = max(k - 1 if bounded else k, highest.get(number, 0))
        return [Target(number, 1, most) for number, most in sorted(highest.items())]


def _find_empty_lines(table: pd.DataFrame, fates: Sequence[str], rules: Rules) -> set[int]:
    """Return the rows of lines that would say nothing but "withheld", where other lines of the kind say more.

    They are not printed: nothing then needs to be withheld elsewhere to protect them, and a page of few
    patients is no field of withheld cells.
    """
    lines: dict[tuple[str, ...], list[int]] = defaultdict(list)
    keys = table[["outcome", "statistic", "level", "versus", "timepoint", "x"]].astype(str)
    for place, key in enumerate(keys.itertuples(index=False, name=None)):
        lines[key].append(place)
    silent = {key for key, places in lines.items() if all(fates[place] not in _SAYING for place in places)}
    spoken = {key[:2] for key in lines.keys() - silent}
    left_out = rules.roles["unprinted_when_empty"]
    return {place for key in silent if key[1] in left_out and key[:2] in spoken for place in lines[key]}


def _fall_back(table: pd.DataFrame) -> list[np.ndarray]:
    """Return which rows stay: all; then the first and the last time point; then all groups together."""
    every = np.ones(len(table), dtype=bool)
    steps = [every]
    times = list(dict.fromkeys(table["timepoint"].dropna()))
    if len(times) > 2:
        steps.append(table["timepoint"].isin([times[0], times[-1]]).to_numpy())
    whole = (table["group"] == _WHOLE).to_numpy()
    if whole.any() and not whole.all():
        steps += [steps[-1] & whole]
    return steps
