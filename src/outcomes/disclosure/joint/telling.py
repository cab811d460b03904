"""What the shown rows of a result tell of sets of patients, and which sets they must not give away.

Support comes as sorted arrays of distinct codes, as `Page.translate` returns it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.rounding import percent_multiple, pick_band, round_count, round_share
from outcomes.disclosure.rules import Rules
from outcomes.result import Support

_WHOLE = "all"
#: Sets with factors, and the least and greatest sum of factor x size that a row allows.
Saying = tuple[tuple[tuple[np.ndarray, float], ...], float, float]


@dataclass(frozen=True)
class Telling:
    """One number of a row that tells the sizes of sets of patients.

    Parameters
    ----------
    row : int
        Position of the row.
    part : str
        ``row``, or ``n`` where only the row's numbers of patients tell, so that these can go and the rest
        stay.
    sets : tuple of int arrays
        Distinct codes of those whose number is told.
    weight : float
        What its loss costs the reader.
    sayings : tuple
        What it tells within bounds only: a share in steps of 5 or 10 %.
    """

    row: int
    part: str
    sets: tuple[np.ndarray, ...] = field(repr=False)
    weight: float
    sayings: tuple[Saying, ...] = field(default=(), repr=False)

    def list_sayings(self) -> tuple[Saying, ...]:
        """Return all that it tells, numbers of patients taken as exact."""
        return (*map(say_size, self.sets), *self.sayings)


@dataclass(frozen=True)
class Hidden:
    """A set of few patients behind a withheld row.

    Parameters
    ----------
    row : int
    set : array of int
    bounded : bool
        Whether the page itself says that it holds fewer than k.
    """

    row: int
    set: np.ndarray = field(repr=False)
    bounded: bool


@dataclass(frozen=True)
class Summed:
    """A row that gives the sum of a quantity over a set of patients.

    Parameters
    ----------
    row : int
    quantity : tuple of str
    set : array of int
    """

    row: int
    quantity: tuple[str, ...]
    set: np.ndarray = field(repr=False)


def list_tellings(
    rows: Sequence[Any],
    fates: Sequence[str],
    support: Sequence[Support],
    rules: Rules,
    unsized: frozenset[int] = frozenset(),
) -> Iterator[Telling]:
    """Yield what rows tell of numbers of patients; bands and checks of a share tell none.

    Parameters
    ----------
    rows : sequence
        Of a result's table, as named tuples.
    fates, support
        One per row.
    rules : Rules
    unsized : frozenset of int
        Rows that are shown without their numbers of patients.
    """
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        if fate not in ("shown", "state", "few"):
            continue
        kind = rules.kind_of.get(str(row.statistic))
        sized = [sets[name] for name in ("all", "group", "versus") if name in sets]
        told = tuple(codes for codes in sized if codes.size)
        whole = max((codes.size for codes in told), default=0)
        weight = _weigh(row, whole, rules)
        if fate == "shown" and kind in ("count", "share", "curve") and is_count(row, sets, rules):
            # those without follow from these two
            part = [sets["with"]] if "with" in sets else []
            if part and percent_multiple(whole, rules.cells) > 1:
                yield Telling(place, "row", (), weight, tuple(_say_rounded(row, told, sets, rules)))
            else:
                yield Telling(place, "row", told + tuple(codes for codes in part if codes.size), weight)
        elif told and place not in unsized and _has_size(row):
            yield Telling(place, "n", told, rules.importance["size"] * weight)


def _say_rounded(row: Any, told: Sequence[np.ndarray], sets: Support, rules: Rules) -> Iterator[Saying]:
    """Yield what a share of a small group says as it will be written."""
    for codes in told:
        number = round_count(codes.size, rules.cells)
        half = rules.cells["count_multiple"] // 2
        yield ((codes, 1.0),), max(rules.k, number - half), number + half
    yield from say_of_row(row, "shown", sets, rules)


def say_size(codes: np.ndarray) -> Saying:
    """Return the number of patients of a set as something said, taken as exact."""
    return ((codes, 1.0),), codes.size, codes.size


def is_count(row: Any, sets: Support, rules: Rules) -> bool:
    """Say whether a row's number is a count of patients, or a share that is one count of another."""
    if row.statistic in rules.roles["of_a_model"]:
        return False
    if "with" not in sets or "without" not in sets or "all" not in sets:
        return True
    # patients with several episodes may stand on both sides
    sizes = [sets[name].size for name in ("with", "without", "all")]
    return sizes[0] + sizes[1] == sizes[2]


def say_of_row(row: Any, fate: str, sets: Support, rules: Rules) -> Iterable[Saying]:
    """Return what the number of a row says of sets of patients."""
    kind = rules.kind_of.get(str(row.statistic))
    value = float(row.estimate)
    everyone, part = sets.get("all"), sets.get("with")
    if everyone is None or not everyone.size or not is_count(row, sets, rules):
        return []
    if fate == "few":
        sides = (sets[name] for name in ("with", "without") if name in sets)
        return [(((side, 1.0),), -np.inf, rules.k - 1) for side in sides if 0 < side.size < rules.k]
    if fate != "shown":
        return []
    half = rules.cells["count_multiple"] // 2
    if kind == "count":
        # patients of so many episodes are as many or fewer
        low = -np.inf if row.unit == "episodes" else max(rules.k, value - half)
        return [(((everyone, 1.0),), low, value + half)]
    if part is None or kind not in ("share", "curve", "band"):
        return []
    if kind == "band":
        low, high = (edge / 100 for edge in _find_band(part.size / everyone.size, everyone.size, rules))
    else:
        reach = percent_multiple(everyone.size, rules.cells) / 200
        near = round_share(value, everyone.size, rules.cells)
        low, high = near - reach, near + reach
    if not part.size:
        return [(((everyone, low),), -np.inf, 0.0)] if low > 0 else []
    return [
        (((part, 1.0), (everyone, -high)), -np.inf, 1e-9),
        (((part, 1.0), (everyone, -low)), -1e-9, np.inf),
    ]


def _find_band(share: float, n: int, rules: Rules) -> tuple[float, float]:
    return pick_band(share, n, rules.k, rules.cells) or (0.0, 100.0)


def list_hidden(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Hidden]:
    """Yield the sets of 1 to k - 1 patients behind rows that a page prints as withheld, or as few."""
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        names = {"withheld": ("all", "group", "versus", "with", "without"), "few": ("with", "without")}.get(
            fate, ()
        )
        if row.statistic in rules.roles["of_a_model"]:
            continue
        for name in names:
            codes = sets[name] if name in sets else np.zeros(0, dtype="int64")
            if 0 < codes.size < rules.k:
                yield Hidden(place, codes, fate == "few")


def list_limits(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Saying]:
    """Yield what rows say without telling a number: that there are fewer than k, or a band."""
    for row, fate, sets in zip(rows, fates, support, strict=True):
        kind = rules.kind_of.get(str(row.statistic))
        if fate == "few" or (fate == "shown" and kind == "band"):
            yield from say_of_row(row, fate, sets, rules)


def list_sums(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Summed]:
    """Yield the sums that means give; a covariate and a score at baseline are one quantity at any time."""
    facts = rules.quantities
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        if fate != "shown" or row.statistic not in facts["means"] or "all" not in sets:
            continue
        codes = sets["all"]
        time = str(row.timepoint)
        if row.statistic in facts["of_covariates"]:
            outcome = str(row.outcome) if row.term == "score" else ""
            yield Summed(place, ("covariate", outcome, str(row.term)), codes)
        elif row.statistic == facts["score"] and time == facts["baseline"]:
            yield Summed(place, ("covariate", str(row.outcome), "score"), codes)
        else:
            yield Summed(place, (str(row.statistic), str(row.outcome), str(row.term), time), codes)


def _has_size(row: Any) -> bool:
    return not (pd.isna(row.n) and pd.isna(row.n_versus))


def _weigh(row: Any, size: int, rules: Rules) -> float:
    weight = math.log1p(size) + 1
    if row.statistic in rules.importance["answer"]:
        weight *= rules.importance["answer_factor"]
    return weight * (rules.importance["whole_factor"] if row.group == _WHOLE else 1)
