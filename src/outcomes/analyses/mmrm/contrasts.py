"""Tables of marginal means, their differences, slopes and joint tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._interval import adjust_holm, quantile_t
from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.margins import Margins
from outcomes.errors import AnalysisError

#: Ways to allow for several contrasts: of p-values and of intervals.
ADJUSTMENTS = {"none": "none", "holm": "bonferroni", "bonferroni": "bonferroni", "tukey": "tukey"}


def tabulate_means(fit: FittedModel, by: str | Sequence[str] = "therapy", **options: Any) -> pd.DataFrame:
    """Tabulate marginal means (LS means), one row per combination of levels and visit.

    `by` names one or several categories whose levels are set, `options` are those of `Margins`. A mean of a
    combination that was never observed is ``rank_deficient`` and has no estimate.
    """
    margins = Margins(fit, **options)
    names = list(by) if isinstance(by, list | tuple) else [by]
    factors = [margins.find_factor(name) for name in names]
    if len(set(factors)) < len(factors):
        raise AnalysisError(f"Name each category once; by is {names!r}.")
    cells = list(product(*(enumerate(fit.layout.levels[factor]) for factor in factors)))
    keys, rows = [], []
    for label, weight in margins.list_visits():
        for cell in cells:
            fixed = {factor: float(place) for factor, (place, _) in zip(factors, cell, strict=True)}
            rows.append(margins.build(fixed, weight))
            keys.append([*(level for _, level in cell), label])
    held = pd.DataFrame(keys, columns=[*names, fit.layout.visit], dtype="str")
    return pd.concat([held, margins.estimate(rows)], axis=1)


def tabulate_contrasts(
    fit: FittedModel,
    by: str = "therapy",
    *,
    versus: str | None = None,
    adjust: str = "holm",
    **options: Any,
) -> pd.DataFrame:
    """Tabulate differences of marginal means between the levels of a category, per pair and visit.

    All pairs, or all levels against the level `versus`. `adjust` is ``holm`` (p-values by Holm, intervals by
    Bonferroni), ``bonferroni``, ``tukey`` (all pairs only) or ``none``; a family is the contrasts at one
    visit, or the one average over visits. `options` are those of `Margins`.
    """
    if adjust not in ADJUSTMENTS:
        raise AnalysisError(f"There is no adjustment {adjust!r}; choose one of: {', '.join(ADJUSTMENTS)}.")
    if adjust == "tukey" and versus is not None:
        raise AnalysisError(
            "Tukey's adjustment is for all pairs; with one reference choose holm or bonferroni."
        )
    margins = Margins(fit, **options)
    families = [(label, _build_means(margins, by, weight)) for label, weight in margins.list_visits()]
    return _compare(margins, by, families, versus, adjust)


def tabulate_slopes(
    fit: FittedModel,
    over: str | Mapping[str, float],
    by: str = "therapy",
    *,
    adjust: str = "holm",
    weights: str = "equal",
    rows_or_patients: str = "rows",
    conf_level: float | None = None,
) -> pd.DataFrame:
    """Tabulate the change of the mean score per unit of time in each group, then its differences.

    `over` is a numeric factor of the model, by which the mean is differentiated; or the time of each visit,
    through whose marginal means a straight line is then put by least squares. `rows_or_patients` says what
    numbers are averaged over; the other options are those of `tabulate_contrasts`, the family is all pairs.
    """
    margins = Margins(fit, weights=weights, over=rows_or_patients, conf_level=conf_level)
    slope = over if isinstance(over, str) else None
    visits = margins.average_visits() if isinstance(over, str) else _weigh_times(fit, over)
    if slope is not None and slope not in fit.layout.centre:
        known = ", ".join(filter(None, fit.layout.centre))
        raise AnalysisError(f"{slope!r} is no number of the model; it has: {known}.")
    means = _build_means(margins, by, visits, slope)
    names = fit.layout.levels[margins.find_factor(by)]
    first = pd.DataFrame({"group": names, "versus": ""}, dtype="str")
    own = pd.concat([first, margins.estimate(means)], axis=1)
    pairs = _compare(margins, by, [("", means)], None, adjust).drop(columns=fit.layout.visit)
    return pd.concat([own, pairs], ignore_index=True)


def tabulate_tests(fit: FittedModel) -> pd.DataFrame:
    """Tabulate joint tests of the coefficients of each term; see `MmrmFit.f_tests`."""
    found = []
    for number, term in enumerate(fit.layout.terms.terms):
        places = [place for place, kept in enumerate(fit.kept) if fit.design.columns[kept].term == number]
        if places and fit.inference is not None:
            tested = fit.inference.test_jointly(fit.inference.to_public[places])
            found.append({"term": ":".join(term) or "Intercept"} | tested)
    return pd.DataFrame(found, columns=["term", "num_df", "den_df", "statistic", "p_value"])


def tabulate_joint_tests(
    fit: FittedModel, by: str = "therapy", *, weights: str = "equal", over: str = "rows"
) -> pd.DataFrame:
    """Test jointly whether the levels of a category differ, at each visit, and whether that changes.

    One row per visit, then with several visits one whose visit is ``interaction`` (whether differences change
    between visits). Cells that were never observed are left out of the test.
    """
    margins = Margins(fit, weights=weights, over=over)
    differences = {}
    for visit, weight in margins.list_visits():
        known = [mean for mean in _build_means(margins, by, weight) if np.isfinite(mean).all()]
        rows = [mean - known[-1] for mean in known[:-1]]
        differences[visit] = np.reshape(rows, (len(rows), len(fit.kept)))
    if len(differences) > 1 and len({len(rows) for rows in differences.values()}) == 1:
        *others, last = differences.values()
        differences["interaction"] = np.vstack([rows - last for rows in others])
    names = ("num_df", "den_df", "statistic", "p_value")
    test = fit.inference.test_jointly if fit.inference else lambda rows: dict.fromkeys(names, float("nan"))
    found = [{fit.layout.visit: visit, **test(rows)} for visit, rows in differences.items()]
    return pd.DataFrame(found, columns=[fit.layout.visit, *names])


def _build_means(
    margins: Margins, by: str, visits: Mapping[int, float], slope: str | None = None
) -> list[np.ndarray]:
    """Return the mean of each level of a category as a row over the kept columns."""
    factor = margins.find_factor(by)
    places = range(len(margins.fit.layout.levels[factor]))
    return [margins.build({factor: float(place)}, visits, slope) for place in places]


def _compare(
    margins: Margins,
    by: str,
    families: list[tuple[str, list[np.ndarray]]],
    versus: str | None,
    adjust: str,
) -> pd.DataFrame:
    """Compare means within each family: its label and the rows of its means."""
    layout = margins.fit.layout
    names = layout.levels[margins.find_factor(by)]
    pairs = list(combinations(range(len(names)), 2))
    if versus is not None:
        if versus not in names:
            raise AnalysisError(f"There is no level {versus!r} to compare with; it has: {', '.join(names)}.")
        reference = names.index(versus)
        pairs = [(place, reference) for place in range(len(names)) if place != reference]
    rows = [means[first] - means[second] for _, means in families for first, second in pairs]
    keys = {
        "group": [names[first] for first, _ in pairs] * len(families),
        "versus": [names[second] for _, second in pairs] * len(families),
        layout.visit: np.repeat([label for label, _ in families], len(pairs)),
    }
    found = margins.estimate(rows)
    for start in range(0, len(rows), max(len(pairs), 1)):
        _allow_for_several(found, range(start, start + len(pairs)), adjust, len(names), margins.level)
    return pd.concat([pd.DataFrame(keys, index=range(len(rows)), dtype="str"), found], axis=1)


def _allow_for_several(
    table: pd.DataFrame, family: range, adjust: str, n_levels: int, conf_level: float
) -> None:
    """Adjust the p-values and intervals of one family in place; contrasts without a value are not counted."""
    known = np.array(family)[table["p_value"].iloc[list(family)].notna().to_numpy()]
    n_known = len(known)
    if adjust == "none" or n_known == 0:
        return
    part = table.loc[known]
    p_values, df = part["p_value"].to_numpy(), part["df"].to_numpy()
    if adjust == "tukey":
        from scipy.stats import studentized_range

        statistic = np.abs(part["statistic"].to_numpy()) * np.sqrt(2)
        adjusted = studentized_range.sf(statistic, n_levels, df)
        factor = studentized_range.ppf(conf_level, n_levels, df) / np.sqrt(2)
    else:
        adjusted = adjust_holm(p_values) if adjust == "holm" else np.minimum(p_values * n_known, 1.0)
        factor = quantile_t(1 - (1 - conf_level) / n_known, df)
    margin = factor * part["std_error"].to_numpy()
    table.loc[known, "p_value"] = adjusted
    table.loc[known, "conf_low"] = part["estimate"].to_numpy() - margin
    table.loc[known, "conf_high"] = part["estimate"].to_numpy() + margin


def _weigh_times(fit: FittedModel, times: Mapping[str, float]) -> dict[int, float]:
    """Return the weights by which means at given times make a least-squares slope."""
    if set(times) != set(fit.layout.visits) or len(set(times.values())) < 2:
        raise AnalysisError(f"A slope needs the time of each visit: {', '.join(fit.layout.visits)}.")
    moved = np.array([times[visit] for visit in fit.layout.visits], dtype="float64")
    moved -= moved.mean()
    return dict(enumerate(moved / (moved**2).sum()))
