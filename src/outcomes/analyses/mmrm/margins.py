"""Marginal means as rows over the columns of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outcomes.analyses.mmrm.design import Column, Design, Part
from outcomes.analyses.mmrm.patterns import PatternSums


@dataclass(frozen=True)
class Averages:
    """How what is not named is averaged."""

    #: ``equal``: every level of a category weighs the same and numbers stand at their mean, as in emmeans;
    #: ``observed``: categories weigh as they were observed, so that the mean is that of the model's
    #: columns.
    weights: str
    #: ``rows``: numbers and observed weights are means over all rows of the fit, as in emmeans;
    #: ``patients``: each patient counts once. Factors that vary within patients are averaged over rows in
    #: both.
    over: str


def average_part(design: Design, sums: PatternSums, part: Part, how: Averages) -> float:
    """Return the mean of a part over rows or patients, or the product of the means of its atoms."""
    if not part:
        return 1.0
    if how.weights == "equal":
        return float(np.prod([_average_atom(design, sums, atom, how.over) for atom in part]))
    return _average(design, sums, part, how.over)


def _average_atom(design: Design, sums: PatternSums, atom: tuple[str, int], over: str) -> float:
    if atom[1] >= 0:
        return 1 / len(design.layout.levels[atom[0]])
    return _average(design, sums, (atom,), over)


def _average(design: Design, sums: PatternSums, part: Part, over: str) -> float:
    known = sums.averages.get((part, over))
    if known is not None:
        return known
    varies = any(name in design.layout.varying for name, _ in part) or "weights" in design.layout.varying
    total, number = 0.0, 0.0
    for (_, mask), gram in sums.grams.items():
        visits = [visit for visit in range(design.n_visits) if mask >> visit & 1]
        for visit in visits if over == "rows" or varies else visits[:1]:
            one = design.at_visit((), visit)
            total += gram[one, design.at_visit(part, visit)]
            number += gram[one, one]
    sums.averages[part, over] = float(total / number)
    return sums.averages[part, over]


def build_row(
    design: Design,
    sums: PatternSums,
    fixed: Mapping[str, float],
    visits: Mapping[int, float],
    how: Averages,
    slope: str | None = None,
) -> np.ndarray:
    """Return the coefficients of a marginal mean over all p columns.

    Fixed factors have the place of a level, or a number in the units of the sums. Weights of visits add up to
    1, or to 0 for a difference between visits. A slope differentiates by that number.
    """
    return np.array(
        [_weigh_column(design, sums, column, fixed, visits, how, slope) for column in design.columns]
    )


def _weigh_column(
    design: Design,
    sums: PatternSums,
    column: Column,
    fixed: Mapping[str, float],
    visits: Mapping[int, float],
    how: Averages,
    slope: str | None,
) -> float:
    weight = visits.get(column.visit, 0.0) if column.visit >= 0 else sum(visits.values())
    left: list[tuple[str, int]] = []
    for name, level in column.part:
        if name == slope:
            weight /= design.layout.spread.get(name, 1.0)
        elif name in fixed:
            weight *= fixed[name] if level < 0 else float(fixed[name] == level)
        else:
            left.append((name, level))
    if slope is not None and all(name != slope for name, _ in column.part):
        return 0.0
    return weight * average_part(design, sums, tuple(left), how) if weight else 0.0
