"""Marginal means as rows over the columns of a model: what is named is set, the rest is averaged."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.design import Column, Part
from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.inference import ESTIMATE_COLUMNS
from outcomes.errors import AnalysisError
from outcomes.result import WITH_ESTIMATE


@dataclass(frozen=True)
class Margins:
    """How marginal means of a fit are made; the choices where absent are those of emmeans."""

    fit: FittedModel
    #: One mean per visit, or the average over visits.
    at_visit: bool = True
    #: ``equal``: every level of a category weighs the same and numbers stand at their mean; ``observed``:
    #: categories weigh as they were observed, so that the mean is that of the model's columns.
    weights: str = "equal"
    #: ``rows``: numbers and observed weights are means over all rows of the fit; ``patients``: each patient
    #: counts once. Factors that vary within patients are averaged over rows in both.
    over: str = "rows"
    #: Weights of the average over visits; equal where absent.
    visit_weights: Mapping[str, float] | None = None
    #: Numbers to set rather than average, in their own units.
    at: Mapping[str, float] | None = None
    #: Level of intervals; that of the fit where absent.
    conf_level: float | None = None

    def __post_init__(self) -> None:
        """Refuse unknown choices."""
        if self.weights not in ("equal", "observed") or self.over not in ("rows", "patients"):
            raise AnalysisError("weights is 'equal' or 'observed'; over is 'rows' or 'patients'.")

    @property
    def level(self) -> float:
        """Level of intervals."""
        return self.fit.conf_level if self.conf_level is None else self.conf_level

    def find_factor(self, by: object) -> str:
        """Return the name of the factor that is a category of that column; refuse what is none."""
        layout = self.fit.layout
        for name in (f"{by}", f"C({by})"):
            if isinstance(by, str) and name in layout.levels:
                return name
        known = ", ".join(entry.variables[0] for entry in layout.factors if entry.name in layout.levels)
        if by == layout.visit:
            raise AnalysisError(
                f"{by!r} is the visit, at each of which there is a mean (at_visit=True); choose a category "
                f"of the model: {known or 'it has none'}."
            )
        raise AnalysisError(f"{by!r} is no category of the model; it has: {known or 'none'}.")

    def list_visits(self) -> list[tuple[str, dict[int, float]]]:
        """Return a label and weights of visits for each mean: every visit, or the average over them."""
        if self.at_visit:
            return [(visit, {place: 1.0}) for place, visit in enumerate(self.fit.layout.visits)]
        return [("average", self.average_visits())]

    def average_visits(self) -> dict[int, float]:
        """Return the weight of each visit in the average over visits."""
        visits = self.fit.layout.visits
        weights = dict.fromkeys(visits, 1.0) if self.visit_weights is None else self.visit_weights
        proper = not set(weights) - set(visits) and all(_is_number(held) for held in weights.values())
        if not proper or not sum(weights.values()) > 0 or min(weights.values()) < 0:
            raise AnalysisError(f"visit_weights are positive numbers for visits among: {', '.join(visits)}.")
        total = sum(weights.values())
        return {place: weights.get(visit, 0.0) / total for place, visit in enumerate(visits)}

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The numbers of `at` in the units of the sums."""
        layout = self.fit.layout
        for name, value in (self.at or {}).items():
            if name not in layout.centre or not name:
                known = ", ".join(filter(None, layout.centre)) or "none"
                raise AnalysisError(f"{name!r} is no number of the model; it has: {known}.")
            if not _is_number(value):
                raise AnalysisError(f"at sets numbers, such as at={{{name!r}: 40}}; {value!r} is none.")
        return {
            name: (value - layout.centre[name]) / layout.spread[name]
            for name, value in (self.at or {}).items()
        }

    def build(
        self, fixed: Mapping[str, float], visits: Mapping[int, float], slope: str | None = None
    ) -> np.ndarray:
        """Return a marginal mean over the kept columns; missing where dropped columns are needed to tell it.

        Fixed factors have the place of a level. Weights of visits add up to 1, or to 0 for a difference
        between visits. A slope differentiates by that number.
        """
        fixed = {**fixed, **self.numbers}
        columns = self.fit.design.columns
        row = np.array([self._weigh_column(column, fixed, visits, slope) for column in columns])
        kept = row[self.fit.kept]
        needed = np.delete(row, self.fit.kept) - kept @ self.fit.repeats
        return kept if np.abs(needed).max(initial=0.0) < 1e-8 else np.full(len(kept), np.nan)

    def _weigh_column(
        self, column: Column, fixed: Mapping[str, float], visits: Mapping[int, float], slope: str | None
    ) -> float:
        weight = visits.get(column.visit, 0.0) if column.visit >= 0 else sum(visits.values())
        if slope is not None and all(name != slope for name, _ in column.part):
            return 0.0
        left: list[tuple[str, int]] = []
        for name, level in column.part:
            if name == slope:
                weight /= self.fit.layout.spread.get(name, 1.0)
            elif name in fixed:
                weight *= fixed[name] if level < 0 else float(fixed[name] == level)
            else:
                left.append((name, level))
        return weight * self._average_left(tuple(left)) if weight else 0.0

    def _average_left(self, part: Part) -> float:
        """Return the mean of what is not named, or the product of the means of its atoms."""
        if self.weights == "observed":
            return self._average(part) if part else 1.0
        levels = self.fit.layout.levels
        means = [1 / len(levels[atom[0]]) if atom[1] >= 0 else self._average((atom,)) for atom in part]
        return float(np.prod(means))

    def _average(self, part: Part) -> float:
        design, sums = self.fit.design, self.fit.sums
        if (part, self.over) not in sums.averages:
            total, number = 0.0, 0.0
            for (_, mask), gram in sums.grams.items():
                visits = [visit for visit in range(design.n_visits) if mask >> visit & 1]
                for visit in visits if self.over == "rows" or design.varies(part) else visits[:1]:
                    one = design.at_visit((), visit)
                    total += gram[one, design.at_visit(part, visit)]
                    number += gram[one, one]
            sums.averages[part, self.over] = float(total / number)
        return sums.averages[part, self.over]

    def estimate(self, rows: Any) -> pd.DataFrame:
        """Estimate means or differences of them, one a row over the kept columns, each with its state."""
        fit, rows = self.fit, np.reshape(rows, (len(rows), len(self.fit.kept)))
        if fit.inference is None:
            nothing = pd.DataFrame(np.nan, index=range(len(rows)), columns=list(ESTIMATE_COLUMNS))
            return nothing.assign(state=fit.state)
        found = fit.inference.estimate(rows, self.level)
        unknown = ~np.isfinite(rows).all(axis=1)
        # a variance that corrections for few patients made negative, or that nothing is known of: no estimate
        lost = ~unknown & found["std_error"].isna().to_numpy() & (fit.state in WITH_ESTIMATE)
        found.loc[lost, :] = np.nan
        return found.assign(state=np.select([unknown, lost], ["rank_deficient", "not_converged"], fit.state))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))
