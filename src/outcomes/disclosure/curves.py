"""Distributions: no step between two shown points that holds few patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from outcomes.disclosure.rules import Rules
from outcomes.disclosure.thresholds import Sizes
from outcomes.errors import FactsError
from outcomes.facts import read_instrument


def thin_curves(table: pd.DataFrame, fates: Sequence[str], sizes: Sequence[Sizes], rules: Rules) -> list[str]:
    """Drop points of a distribution until at least k patients lie between any two that are shown.

    The difference of two points is the number of patients between them. Points are chosen outward from the
    amount that counts as improved, since its share stands in other tables too; without one, from the
    smallest amount.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of a result.
    fates : sequence of str
        What the rows' own patients allow.
    sizes : sequence of Sizes
        Patients behind each row.
    rules : Rules

    Returns
    -------
    list of str
        The fates, those of left-out points changed to ``dropped``.
    """
    now = list(fates)
    curves: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(table.itertuples(index=False)):
        if rules.kind_of.get(str(row.statistic)) == "curve" and now[place] == "shown":
            curves[str(row.outcome), str(row.statistic), str(row.group), str(row.timepoint)].append(place)
    amounts = table["x"].tolist()
    for (outcome, *_), places in curves.items():
        points = sorted(places, key=lambda place: amounts[place])
        kept = _choose_points([sizes[i].part for i in points], _find_start(outcome, points, amounts), rules.k)
        for number, place in enumerate(points):
            if number not in kept:
                now[place] = "dropped"
    return now


def _choose_points(reached: Sequence[int], start: int, k: int) -> set[int]:
    """Return which points stay, by the patients who reach each; fewer reach a larger amount."""
    kept = {start}
    for way in (range(start + 1, len(reached)), range(start - 1, -1, -1)):
        last = reached[start]
        for number in way:
            if abs(reached[number] - last) >= k:
                kept.add(number)
                last = reached[number]
    return kept


def _find_start(outcome: str, points: Sequence[int], amounts: Sequence[float]) -> int:
    """Return the number of the point at the instrument's threshold for single patients, else 0."""
    try:
        thresholds = read_instrument(outcome).thresholds
    except FactsError:
        return 0
    cited = [entry for entry in thresholds if entry.rule == "absolute" and entry.level == "individual"]
    for entry in sorted(cited, key=lambda entry: not entry.default):
        found = [number for number, place in enumerate(points) if amounts[place] == entry.value]
        if found:
            return found[0]
    return 0
