"""Primary suppression: who stands behind a row, and whether they are enough for it to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.decisions import Decisions, Fate, Reason
from outcomes.disclosure.rules import Rules
from outcomes.disclosure.writing import percent_multiple, pick_band
from outcomes.facts import Statistic
from outcomes.result import WITH_ESTIMATE, Result, Support

#: A fate with its reason; None for a row that is shown.
_Verdict = tuple[Fate, Reason] | None
_FEW, _WITHHELD = Fate.FEW, Fate.WITHHELD
_NOT_FITTED = (Fate.STATE, Reason.NOT_FITTED)
_NOBODY = np.zeros(0, dtype="int64")


@dataclass(frozen=True)
class Sizes:
    """Numbers of distinct patients behind one row, by the name of a set of its support."""

    sets: Mapping[str, int]

    @property
    def whole(self) -> int:
        """Patients behind the row: the whole group, or the smaller of two that are compared."""
        arms = [self.sets[name] for name in ("group", "versus") if name in self.sets]
        return min(arms) if arms else self.sets.get("all", 0)

    @property
    def part(self) -> int:
        """Patients counted: those with the answer where a share is given, else the whole."""
        return self.sets.get("with", self.whole)

    def reach(self, k: int) -> bool:
        """Return whether every set that must hold somebody holds at least `k`."""
        required = [size for name, size in self.sets.items() if name not in ("with", "without")]
        return bool(required) and min(required) >= k

    def split(self, k: int, full: int) -> bool:
        """Return whether both sides of a share hold `k`, or one is empty in a group of at least `full`."""
        sides = [self.sets.get("with", 0), self.sets.get("without", 0)]
        if min(sides) == 0:
            return self.whole >= full and max(sides) > 0
        return min(sides) >= k


def judge_rows(result: Result, rules: Rules) -> tuple[Decisions, list[Sizes]]:
    """Decide for each row by itself whether it may be shown, and count who stands behind it."""
    sizes = [
        Sizes({name: int(np.unique(codes).size) for name, codes in support.items()})
        for support in result.support
    ]
    rows = list(result.table.itertuples(index=False))
    bases = _group_sizes(rows, sizes)
    constant = _find_constant(rows, rules)
    unseen = _count_unseen(rows, sizes)
    decisions = Decisions(len(rows))
    for place, row in enumerate(rows):
        statistic, size = rules.statistics[str(row.statistic)], sizes[place]
        if _compares_unfairly(row, result.comparable, rules):
            decisions.leave_out([place], Reason.NOT_COMPARABLE)
        elif _is_spread_of_interval(row, rules):
            decisions.leave_out([place], Reason.SPREAD)
        elif result.name in statistic.team_only:
            decisions.leave_out([place], Reason.TEAM_ONLY)
        elif _key(row) in constant and statistic.kind == "score":
            decisions.withhold([place], Reason.ALL_ALIKE)
        elif verdict := _judge(row, statistic, size, bases[place], rules):
            decisions.settle(place, *verdict)
        elif _tells_unseen(size, unseen[place], rules):
            decisions.withhold([place], Reason.COMPLEMENT)
    decisions.withhold(_find_telling_parts(rows, result.support, rules), Reason.COMPLEMENT)
    return decisions, sizes


def _judge(row: Any, statistic: Statistic, size: Sizes, base: int, rules: Rules) -> _Verdict:
    kind = statistic.kind
    if kind == "inside":
        return _WITHHELD, Reason.INSIDE
    if kind in ("verdict", "sites"):
        return None
    if kind == "check":
        return _judge_check(row, size, rules)
    if kind == "count" and row.estimate == 0:
        return None if base >= rules.full_cell_size else (_WITHHELD, Reason.FULL_CELL)
    if not size.reach(rules.k):
        fate = {"curve": Fate.DROPPED, "signal": Fate.LEFT_OUT}.get(kind, _WITHHELD)
        return fate, Reason.FEW
    if row.state not in WITH_ESTIMATE or pd.isna(row.estimate):
        return _NOT_FITTED
    if kind == "band":
        band = pick_band(row.estimate, size.whole, rules.k, rules.cells)
        return None if band else (_WITHHELD, Reason.BAND)
    if kind in ("share", "curve") and "with" in size.sets:
        return _judge_share(statistic, size, rules)
    return None


def _judge_share(statistic: Statistic, size: Sizes, rules: Rules) -> _Verdict:
    if statistic.when_few == "harm" and size.part < rules.k:
        return _FEW, Reason.SIDE
    if statistic.kind == "curve":
        few = min(size.sets["with"], size.sets["without"]) < rules.k
        return (Fate.DROPPED, Reason.SIDE) if few else None
    if size.split(rules.k, rules.full_cell_size):
        return None
    full = min(size.sets.get("with", 0), size.sets.get("without", 0)) == 0
    # In a group of 2k one side alone can be small, so that naming it says of the other only that it is not.
    bounded = statistic.when_few == "bounded" and size.whole >= 2 * rules.k
    return _FEW if bounded else _WITHHELD, Reason.FULL_CELL if full else Reason.SIDE


def _judge_check(row: Any, size: Sizes, rules: Rules) -> _Verdict:
    if row.state not in WITH_ESTIMATE or pd.isna(row.estimate):
        return _NOT_FITTED
    if row.term in rules.roles["checked_counts"]:
        return None if row.estimate >= rules.k else (_FEW, Reason.FEW)
    if not size.reach(rules.k):
        return _WITHHELD, Reason.FEW
    if row.term in rules.roles["checked_bands"]:
        band = pick_band(row.estimate, size.whole, rules.k, rules.cells)
        # A band that reaches to both sides of what is needed would not say whether the check passes.
        return (_WITHHELD, Reason.BAND) if band is None or band[0] < 100 * row.x < band[1] else None
    return None


def _find_telling_parts(rows: Sequence[Any], support: Sequence[Support], rules: Rules) -> list[int]:
    """Return the counts that leave 1 to k - 1 patients of their whole, of the same group and time."""
    declared = [rules.statistics[str(row.statistic)] for row in rows]
    wholes = {(row.statistic, *_key(row)[1:]): support[place] for place, row in enumerate(rows)}
    found = []
    for place, (row, statistic) in enumerate(zip(rows, declared, strict=True)):
        whole = wholes.get((statistic.part_of, *_key(row)[1:]))
        if whole is None or "flow" in statistic.adds_over:
            continue
        rest = np.setdiff1d(whole.get("all", _NOBODY), support[place].get("all", _NOBODY))
        found += [place] if 0 < rest.size < rules.k else []
    return found


def _count_unseen(rows: Sequence[Any], sizes: list[Sizes]) -> list[int]:
    """Return for shares of those due how many of them were not seen, by the share of those seen; else 0."""
    keys = [(str(row.statistic), *_key(row)[2:]) for row in rows]
    terms = [row.term for row in rows]
    seen = {key: size.whole for key, size, term in zip(keys, sizes, terms, strict=True) if term == "seen"}
    return [
        size.whole - seen[key] if term == "due" and key in seen else 0
        for key, size, term in zip(keys, sizes, terms, strict=True)
    ]


def _tells_unseen(size: Sizes, absent: int, rules: Rules) -> bool:
    """Return whether a share of those due, beside that of those seen, gives the few who were not seen.

    The two have the same numerator: in whole percents their quotient is the share seen, to a patient or two.
    """
    return 0 < absent < rules.k and percent_multiple(size.whole, rules.cells) == 1


def _compares_unfairly(row: Any, comparable: bool | None, rules: Rules) -> bool:
    if rules.statistics[str(row.statistic)].compares == "therapies":
        return comparable is not True
    return comparable is False and not pd.isna(row.versus)


def _is_spread_of_interval(row: Any, rules: Rules) -> bool:
    """Return whether a spread stands beside the interval of its mean; means of covariates have none."""
    statistic = rules.statistics[str(row.statistic)]
    return bool(statistic.spread_of) and (not statistic.of_covariate or row.term == "score")


def _group_sizes(rows: Sequence[Any], sizes: list[Sizes]) -> list[int]:
    """Return for each row the largest number of patients behind any row of its group and time point."""
    keys = [(str(row.group), str(row.timepoint)) for row in rows]
    largest: dict[tuple[str, str], int] = {}
    for key, size in zip(keys, sizes, strict=True):
        largest[key] = max(largest.get(key, 0), size.whole)
    return [largest[key] for key in keys]


def _key(row: Any) -> tuple[str, ...]:
    return (str(row.statistic), str(row.term), str(row.level), str(row.group), str(row.timepoint))


def _find_constant(rows: Sequence[Any], rules: Rules) -> set[tuple[str, ...]]:
    """Find means whose patients all gave the same answer, by a spread or a standard error of zero."""
    found: set[tuple[str, ...]] = set()
    for row in rows:
        key, statistic = _key(row), rules.statistics[str(row.statistic)]
        if statistic.spread_of and row.estimate == 0:
            found |= {key, (statistic.spread_of, *key[1:])}
        elif statistic.sums and row.std_error == 0:
            found.add(key)
    return found
