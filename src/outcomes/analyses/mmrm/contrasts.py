"""Tables of marginal means, their differences, slopes and joint tests."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._simultaneous import judge_together
from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.margins import Margins
from outcomes.errors import AnalysisError

#: Ways to allow for several contrasts, of p-values and intervals alike.
_ADJUSTMENTS = ("max-t", "none")


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
    adjust: str = "max-t",
    **options: Any,
) -> pd.DataFrame:
    """Tabulate differences of marginal means between the levels of a category, per pair and visit.

    All pairs, or all levels against the level `versus`. `adjust` is ``max-t`` (p-values and intervals by the
    largest t statistic of a family, see `outcomes.analyses._simultaneous`) or ``none``; a family is the
    contrasts at one visit, or the one average over visits, those without a value left out. `options` are
    those of `Margins`.
    """
    if adjust not in _ADJUSTMENTS:
        raise AnalysisError(f"There is no adjustment {adjust!r}; choose one of: {', '.join(_ADJUSTMENTS)}.")
    margins = Margins(fit, **options)
    families = [(label, _build_means(margins, by, weight)) for label, weight in margins.list_visits()]
    return _compare(margins, by, families, versus, adjust)


def tabulate_slopes(
    fit: FittedModel,
    over: str | Mapping[str, float],
    by: str = "therapy",
    *,
    adjust: str = "max-t",
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
    if adjust != "none":
        for start in range(0, len(rows), max(len(pairs), 1)):
            _allow_for_several(margins, found, np.array(rows), np.arange(start, start + len(pairs)))
    return pd.concat([pd.DataFrame(keys, index=range(len(rows)), dtype="str"), found], axis=1)


def _allow_for_several(margins: Margins, table: pd.DataFrame, rows: np.ndarray, family: np.ndarray) -> None:
    """Adjust the p-values and intervals of one family in place; contrasts without a value are not counted."""
    known = family[table["p_value"].iloc[family].notna().to_numpy()]
    inference = margins.fit.inference
    if len(known) == 0 or inference is None:
        return
    covariance = inference.scale**2 * rows[known] @ inference.used @ rows[known].T
    estimates, df = (table.loc[known, name].to_numpy() for name in ("estimate", "df"))
    together = judge_together(estimates, covariance, df, margins.level)
    table.loc[known, ["p_value", "conf_low", "conf_high"]] = np.column_stack(together)


def _weigh_times(fit: FittedModel, times: Mapping[str, float]) -> dict[int, float]:
    """Return the weights by which means at given times make a least-squares slope."""
    if set(times) != set(fit.layout.visits) or len(set(times.values())) < 2:
        raise AnalysisError(f"A slope needs the time of each visit: {', '.join(fit.layout.visits)}.")
    moved = np.array([times[visit] for visit in fit.layout.visits], dtype="float64")
    moved -= moved.mean()
    return dict(enumerate(moved / (moved**2).sum()))
