"""Who stands behind a row, and whether they are enough for it to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.rounding import percent_multiple, pick_band
from outcomes.disclosure.rules import Rules
from outcomes.result import WITH_ESTIMATE, Result, Support

#: What can become of a row. `held` shows an earlier value, `few` is a bound in words; `dropped`,
#: `not_compared`, `spread`, `league`, `unsaid` and `collapsed` rows leave no trace, not even their x.
FATES = (
    "shown", "held", "few", "state", "withheld", "dropped", "not_compared", "spread", "league", "unsaid",
    "collapsed",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Numbers of distinct patients behind one row.

    Parameters
    ----------
    sets : mapping
        Name of a set of the row's support to its size.
    """

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
        """Say whether every set that must hold somebody holds at least `k`."""
        required = [size for name, size in self.sets.items() if name not in ("with", "without")]
        return bool(required) and min(required) >= k

    def split(self, k: int, full: int) -> bool:
        """Say whether both sides of a share hold `k`, or one is empty in a group of at least `full`."""
        sides = [self.sets.get("with", 0), self.sets.get("without", 0)]
        if min(sides) == 0:
            return self.whole >= full and max(sides) > 0
        return min(sides) >= k


def count_patients(support: Support) -> Sizes:
    """Count the distinct patients of each named set of a row's support."""
    return Sizes({name: int(np.unique(codes).size) for name, codes in support.items()})


def judge_rows(result: Result, rules: Rules) -> tuple[list[str], list[Sizes]]:
    """Decide for each row by itself whether it may be shown.

    Parameters
    ----------
    result : Result
    rules : Rules

    Returns
    -------
    list of str
        One of `FATES` per row.
    list of Sizes
        One per row.
    """
    sizes = [count_patients(support) for support in result.support]
    rows = list(result.table.itertuples(index=False))
    bases = _group_sizes(rows, sizes)
    constant = _find_constant(rows, rules)
    fates = []
    unseen = _count_unseen(rows, sizes)
    for row, size, base, absent in zip(rows, sizes, bases, unseen, strict=True):
        if _compares_unfairly(row, result.comparable, rules):
            fates.append("not_compared")
        elif _is_spread_of_interval(row, rules):
            fates.append("spread")
        elif row.statistic in rules.team_only.get(result.name, ()):
            fates.append("unsaid")
        elif _key(row) in constant and rules.kind_of.get(str(row.statistic)) == "score":
            fates.append("withheld")
        else:
            fates.append(_judge(row, size, base, rules))
            if fates[-1] == "shown" and _tells_unseen(size, absent, rules):
                fates[-1] = "withheld"
    for place in _find_telling_parts(rows, result.support, rules):
        fates[place] = "withheld"
    return fates, sizes


def _find_telling_parts(rows: Sequence[Any], support: Sequence[Support], rules: Rules) -> list[int]:
    """Return the counts that leave 1 to k - 1 patients of another count of the same group and time."""
    found = []
    held: dict[tuple[str, ...], np.ndarray] = {}
    for entry in rules.complements:
        for place, row in enumerate(rows):
            if row.statistic == entry["whole"]:
                held[_key(row)[1:]] = support[place].get("all", np.zeros(0, dtype="int64"))
        for place, row in enumerate(rows):
            if row.statistic == entry["part"] and _key(row)[1:] in held:
                rest = np.setdiff1d(held[_key(row)[1:]], support[place].get("all", ()))
                found += [place] if 0 < rest.size < rules.k else []
    return found


def _count_unseen(rows: Sequence[Any], sizes: list[Sizes]) -> list[int]:
    """Return for shares of those due how many of them were not seen, by the share of those seen; else 0."""
    seen: dict[tuple[str, ...], int] = {}
    keys = [(str(row.statistic), *_key(row)[2:]) for row in rows]
    terms = [row.term for row in rows]
    for key, size, term in zip(keys, sizes, terms, strict=True):
        if term == "seen":
            seen[key] = size.whole
    return [
        size.whole - seen[key] if term == "due" and key in seen else 0
        for key, size, term in zip(keys, sizes, terms, strict=True)
    ]


def _tells_unseen(size: Sizes, absent: int, rules: Rules) -> bool:
    """Say whether a share of those due, beside that of those seen, gives the few who were not seen.

    The two have the same numerator: in whole percents their quotient is the share seen, to a patient or two.
    """
    return 0 < absent < rules.k and percent_multiple(size.whole, rules.cells) == 1


def _compares_unfairly(row: Any, comparable: bool | None, rules: Rules) -> bool:
    if row.statistic in rules.roles["comparison"]:
        return comparable is not True
    return comparable is False and not pd.isna(row.versus)


def _is_spread_of_interval(row: Any, rules: Rules) -> bool:
    return rules.roles["spread_of_interval"].get(str(row.statistic)) in ("", row.term)


def _judge(row: Any, size: Sizes, base: int, rules: Rules) -> str:
    kind = rules.kind_of.get(str(row.statistic))
    if kind is None:
        return "withheld"
    if kind in ("verdict", "sites"):
        return "shown"
    if kind == "check":
        return _judge_check(row, size, rules)
    if kind == "count" and row.estimate == 0:
        return "shown" if base >= rules.full_cell_size else "withheld"
    if not size.reach(rules.k):
        return {"curve": "dropped", "signal": "unsaid"}.get(kind, "withheld")
    if row.state not in WITH_ESTIMATE or pd.isna(row.estimate):
        return "state"
    if kind == "band":
        return "shown" if pick_band(row.estimate, size.whole, rules.k, rules.cells) else "withheld"
    if kind in ("share", "curve") and "with" in size.sets:
        return _judge_share(row, size, kind, rules)
    return "shown"


def _judge_share(row: Any, size: Sizes, kind: str, rules: Rules) -> str:
    if row.statistic in rules.roles["harm"] and size.part < rules.k:
        return "few"
    if kind == "curve":
        return "shown" if min(size.sets["with"], size.sets["without"]) >= rules.k else "dropped"
    if size.split(rules.k, rules.full_cell_size):
        return "shown"
    # In a group of 2k one side alone can be small, so that naming it says of the other only that it is not.
    bounded = row.statistic in rules.roles["bounded"] and size.whole >= 2 * rules.k
    return "few" if bounded else "withheld"


def _judge_check(row: Any, size: Sizes, rules: Rules) -> str:
    if row.state not in WITH_ESTIMATE or pd.isna(row.estimate):
        return "state"
    if row.term in rules.roles["checked_counts"]:
        return "shown" if row.estimate >= rules.k else "few"
    if not size.reach(rules.k):
        return "withheld"
    if row.term in rules.roles["checked_bands"]:
        band = pick_band(row.estimate, size.whole, rules.k, rules.cells)
        # A band that reaches to both sides of what is needed would not say whether the check passes.
        return "withheld" if band is None or band[0] < 100 * row.x < band[1] else "shown"
    return "shown"


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
    pairs = rules.roles["mean_of_spread"]
    for row in rows:
        key = _key(row)
        if row.statistic in pairs and row.estimate == 0:
            found |= {key, (pairs[row.statistic], *key[1:])}
        elif row.statistic in pairs.values() and row.std_error == 0:
            found.add(key)
    return found
