"""`Page`: what a page has shown so far, and what a further result may still show beside it."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.disclosure.exposure import find_exposed
from outcomes.disclosure.joint.bounds import Classes, OutOfTime, Target
from outcomes.disclosure.joint.complement import Unit, find_complement
from outcomes.disclosure.joint.telling import Telling, list_hidden, list_sums, list_tellings
from outcomes.disclosure.rules import Rules
from outcomes.result import Patients, Support

#: Set while a report runs: the folder of the run, which stands for its page.
_RUN_FOLDER = "OUTCOMES_RUN_DIR"
_WHOLE = "all"


@dataclass
class Page:
    """The numbers of patients and the sums that a page has shown, and the small sets that it withholds."""

    told: list[np.ndarray] = field(default_factory=list)
    hidden: list[tuple[np.ndarray, bool]] = field(default_factory=list)
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
        for kept in _fall_back(table):
            now = [
                "collapsed" if fate in ("shown", "state", "few", "withheld") and not kept[place] else fate
                for place, fate in enumerate(fates)
            ]
            now = self._protect_sums(table, now, common, rules)
            try:
                lost = self._find_lost(table, now, common, rules)
            except OutOfTime:
                lost = None
            if lost is not None:
                break
        else:
            return ["collapsed" if fate in ("shown", "state", "few", "withheld") else fate for fate in fates], frozenset()
        for telling in lost:
            if telling.part == "row":
                now[telling.row] = "withheld"
        return now, frozenset(telling.row for telling in lost if telling.part == "n")

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
        known = {codes.tobytes() for codes in self.told}
        for telling in list_tellings(table, fates, common, rules, unsized):
            self.told += [codes for codes in telling.sets if codes.tobytes() not in known]
            known |= {codes.tobytes() for codes in telling.sets}
        self.hidden += [(entry.set, entry.bounded) for entry in list_hidden(table, fates, common, rules)]
        for summed in list_sums(table, fates, common, rules):
            self.summed[summed.quantity].append(summed.set)

    def translate(self, support: Sequence[Support], patients: Patients | None) -> list[dict[str, np.ndarray]]:
        """Return support in codes that mean the same patient in every result of the page."""
        largest = max((int(codes.max()) for sets in support for codes in sets.values() if codes.size), default=-1)
        names: Sequence[object] = (
            [(len(self.codes), code) for code in range(largest + 1)] if patients is None else patients.ids
        )
        common = np.array([self.codes.setdefault(name, len(self.codes)) for name in names], dtype="int64")
        return [
            {name: np.unique(common[codes]) if codes.size else codes for name, codes in sets.items()}
            for sets in support
        ]

    def _protect_sums(
        self, table: pd.DataFrame, fates: Sequence[str], support: Sequence[Support], rules: Rules
    ) -> list[str]:
        now = list(fates)
        weights = {telling.row: telling.weight for telling in list_tellings(table, now, support, rules)}
        names = [tuple(map(str, row)) for row in table[["statistic", "term", "group", "timepoint"]].to_numpy()]
        while True:
            own = defaultdict(list)
            for summed in list_sums(table, now, support, rules):
                own[summed.quantity].append(summed)
            lost: set[int] = set()
            for quantity, entries in own.items():
                sets = [entry.set for entry in entries] + self.summed.get(quantity, [])
                for exposure in find_exposed(sets, rules.k):
                    rows = {row for i in exposure.coefficients if i < len(entries) for row in entries[i].rows}
                    rows = {row for row in rows if now[row] == "shown"}
                    if rows:
                        lost.add(min(rows, key=lambda row: (weights.get(row, 0.0), names[row])))
                        break
            if not lost:
                return now
            for row in lost:
                now[row] = "withheld"

    def _find_lost(
        self, table: pd.DataFrame, fates: Sequence[str], support: Sequence[Support], rules: Rules
    ) -> list[Telling] | None:
        own = list(list_hidden(table, fates, support, rules))
        hidden = [*self.hidden, *((entry.set, entry.bounded) for entry in own)]
        tellings = list(list_tellings(table, fates, support, rules))
        if not hidden or not tellings:
            return []
        names = [tuple(map(str, row)) for row in table.iloc[:, :8].to_numpy()]
        tellings.sort(key=lambda telling: (names[telling.row], telling.part))
        numbers: dict[bytes, int] = {}
        sets: list[np.ndarray] = []

        def number(codes: np.ndarray) -> int:
            if codes.tobytes() not in numbers:
                numbers[codes.tobytes()] = len(sets)
                sets.append(codes)
            return numbers[codes.tobytes()]

        units = [Unit(tuple(number(codes) for codes in telling.sets), telling.weight) for telling in tellings]
        units += [Unit((number(codes),), math.inf) for codes in self.told]
        targets = {}
        for codes, bounded in sorted(hidden, key=lambda entry: entry[0].size):
            highest = rules.k - 1 if bounded else rules.k
            at = number(codes)
            targets[at] = Target(at, 1, max(highest, targets[at].highest if at in targets else 0))
        deadline = time.monotonic() + rules.joint["seconds"]
        lost = find_complement(Classes.of(sets), units, list(targets.values()), deadline=deadline)
        return None if lost is None else [tellings[i] for i in sorted(lost)]


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


_pages: dict[str, Page] = {}


def open_page() -> Page:
    """Return the page of the run that this process makes; elsewhere a new one, so that results stand alone."""
    folder = os.environ.get(_RUN_FOLDER)
    return _pages.setdefault(folder, Page()) if folder else Page()
