"""What published rows say of sets of contributors, and which sensitive cells they must not give away.

Support comes as sorted arrays of distinct codes of patients, as `ShownNumbers.translate` returns it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.decisions import SAYING, Fate
from outcomes.disclosure.rules import Rules
from outcomes.disclosure.writing import percent_multiple, pick_band, round_count, round_share
from outcomes.result import ALL, BEGAN, Support

#: Sets with factors, and the least and greatest sum of factor x size that a row allows.
Constraint = tuple[tuple[tuple[np.ndarray, float], ...], float, float]
#: Time point of the start.
_BASELINE = "baseline"
#: Sets of a row whose size a fate must not give away.
_SENSITIVE = {Fate.WITHHELD: ("all", "group", "versus", "with", "without"), Fate.FEW: ("with", "without")}


@dataclass(frozen=True)
class PublishedCell:
    """One number of a row from which the sizes of sets of patients follow."""

    row: int
    #: ``row``, or ``n`` where only the row's numbers of patients tell: these can go and the rest stay.
    part: str
    #: Distinct codes of those whose number it gives.
    sets: tuple[np.ndarray, ...] = field(repr=False)
    #: What its loss costs the reader.
    weight: float
    #: What it gives within bounds only: a band, or a share in steps of 5 or 10 %.
    bounds: tuple[Constraint, ...] = field(default=(), repr=False)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All that follows from it, numbers of patients taken as exact."""
        return (*map(fix_size, self.sets), *self.bounds)


@dataclass(frozen=True)
class SensitiveCell:
    """A set of 1 to k - 1 contributors behind a row that a page prints as withheld, or as few."""

    row: int
    set: np.ndarray = field(repr=False)
    #: Whether the page itself says that it holds fewer than k.
    bounded: bool


@dataclass(frozen=True)
class PublishedSum:
    """A row that gives the sum of a quantity over a set of patients."""

    row: int
    quantity: tuple[str, ...]
    set: np.ndarray = field(repr=False)


def list_published(
    rows: Sequence[Any],
    fates: Sequence[str],
    support: Sequence[Support],
    rules: Rules,
    unsized: frozenset[int] = frozenset(),
    primary: str | None = None,
) -> Iterator[PublishedCell]:
    """Yield what rows give of numbers of patients, the loss of the `primary` time point costing most.

    Checks of a share give none.
    """
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        if fate not in SAYING:
            continue
        kind = rules.statistics[str(row.statistic)].kind
        sized = [sets[name] for name in ("all", "group", "versus") if name in sets]
        told = tuple(codes for codes in sized if codes.size)
        whole = max((codes.size for codes in told), default=0)
        weight = _weigh(row, whole, rules, primary)
        if fate == Fate.SHOWN and kind in ("count", "share", "curve") and is_count(row, sets, rules):
            # those without follow from these two
            part = [sets["with"]] if "with" in sets else []
            if part and percent_multiple(whole, rules.cells) > 1:
                yield PublishedCell(place, "row", (), weight, tuple(_bound_rounded(row, told, sets, rules)))
            else:
                yield PublishedCell(place, "row", told + tuple(codes for codes in part if codes.size), weight)
            continue
        if fate == Fate.SHOWN and kind == "band":
            yield PublishedCell(place, "row", (), weight, tuple(constrain_row(row, fate, sets, rules)))
        if told and place not in unsized and not (pd.isna(row.n) and pd.isna(row.n_versus)):
            yield PublishedCell(place, "n", told, rules.importance["size"] * weight)


def _bound_rounded(row: Any, told: Sequence[np.ndarray], sets: Support, rules: Rules) -> Iterator[Constraint]:
    """Yield what a share of a small group gives as it will be written."""
    half = rules.cells["count_multiple"] // 2
    for codes in told:
        number = round_count(codes.size, rules.cells)
        yield ((codes, 1.0),), max(rules.k, number - half), number + half
    yield from constrain_row(row, Fate.SHOWN, sets, rules)


def fix_size(codes: np.ndarray) -> Constraint:
    """Return the number of patients of a set as a constraint, taken as exact."""
    return ((codes, 1.0),), codes.size, codes.size


def is_count(row: Any, sets: Support, rules: Rules) -> bool:
    """Return whether a row's number is a count of patients, or a share that is one count of another."""
    if rules.statistics[str(row.statistic)].is_modelled:
        return False
    if "with" not in sets or "without" not in sets or "all" not in sets:
        return True
    # patients with several episodes may stand on both sides
    return bool(sets["with"].size + sets["without"].size == sets["all"].size)


def constrain_row(row: Any, fate: str, sets: Support, rules: Rules) -> Iterable[Constraint]:
    """Return what follows from the number of a row, as it is written, for the sizes of sets of patients."""
    kind = rules.statistics[str(row.statistic)].kind
    value = float(row.estimate)
    everyone, part = sets.get("all"), sets.get("with")
    if everyone is None or not everyone.size or not is_count(row, sets, rules):
        return []
    if fate == Fate.FEW:
        sides = (sets[name] for name in ("with", "without") if name in sets)
        return [(((side, 1.0),), -np.inf, rules.k - 1) for side in sides if 0 < side.size < rules.k]
    if fate != Fate.SHOWN:
        return []
    half = rules.cells["count_multiple"] // 2
    if kind == "count":
        # patients of so many episodes are as many or fewer
        low = -np.inf if row.unit == "episodes" else max(rules.k, value - half)
        return [(((everyone, 1.0),), low, value + half)]
    if part is None or kind not in ("share", "curve", "band"):
        return []
    if kind == "band":
        band = pick_band(part.size / everyone.size, everyone.size, rules.k, rules.cells) or (0.0, 100.0)
        low, high = (edge / 100 for edge in band)
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


def list_sensitive(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[SensitiveCell]:
    """Yield the sets of 1 to k - 1 contributors behind rows that a page prints as withheld, or as few."""
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        if rules.statistics[str(row.statistic)].is_modelled:
            continue
        for name in _SENSITIVE.get(Fate(fate), ()):
            if name in sets and 0 < sets[name].size < rules.k:
                yield SensitiveCell(place, sets[name], fate == Fate.FEW)


def list_bounds(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[Constraint]:
    """Yield what rows give that say that there are fewer than k."""
    for row, fate, sets in zip(rows, fates, support, strict=True):
        if fate == Fate.FEW:
            yield from constrain_row(row, fate, sets, rules)


def list_sums(
    rows: Sequence[Any], fates: Sequence[str], support: Sequence[Support], rules: Rules
) -> Iterator[PublishedSum]:
    """Yield the sums that means give; a covariate and a score at baseline are one quantity at any time."""
    scores = {entry.score_is for entry in rules.statistics.values()}
    for place, (row, fate, sets) in enumerate(zip(rows, fates, support, strict=True)):
        statistic = rules.statistics[str(row.statistic)]
        if fate != Fate.SHOWN or not statistic.sums or "all" not in sets:
            continue
        time, quantity = str(row.timepoint), tuple[str, ...]()
        if statistic.of_covariate:
            outcome = str(row.outcome) if row.term == "score" else ""
            quantity = ("covariate", outcome, str(row.term))
        elif statistic.id in scores and time == _BASELINE:
            quantity = ("covariate", str(row.outcome), "score")
        else:
            quantity = (statistic.id, str(row.outcome), str(row.term), time)
        yield PublishedSum(place, quantity, sets["all"])
        if BEGAN in sets:  # it moves with the mean start of these, as that itself does
            yield PublishedSum(place, (*quantity, BEGAN), sets[BEGAN])


def _weigh(row: Any, size: int, rules: Rules, primary: str | None) -> float:
    weight = (math.log1p(size) + 1) * rules.statistics[str(row.statistic)].importance
    weight *= rules.importance["primary_factor"] if row.timepoint in (primary, _BASELINE) else 1
    return weight * (rules.importance["whole_factor"] if row.group == ALL else 1)
