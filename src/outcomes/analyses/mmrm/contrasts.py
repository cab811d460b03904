"""Tables of marginal means, their differences, slopes and joint tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._interval import adjust_holm, quantile_t
from outcomes.analyses.mmrm.fitted import FittedModel
from outcomes.analyses.mmrm.inference import ESTIMATE_COLUMNS
from outcomes.analyses.mmrm.margins import Averages, build_row
from outcomes.errors import AnalysisError
from outcomes.result import WITH_ESTIMATE

#: Ways to allow for several contrasts: of p-values and of intervals.
ADJUSTMENTS = {"none": "none", "holm": "bonferroni", "bonferroni": "bonferroni", "tukey": "tukey"}


def tabulate_means(
    fit: FittedModel,
    by: str | Sequence[str] = "therapy",
    *,
    at_visit: bool = True,
    weights: str = "equal",
    over: str = "rows",
    visit_weights: Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    conf_level: float | None = None,
) -> pd.DataFrame:
    """Tabulate marginal means, also called LS means.

    Parameters
    ----------
    fit : FittedModel
    by : str or sequence of str
        Categories whose levels are set.
    at_visit : bool
        One mean per visit, or the average over visits.
    weights, over : str
        See `outcomes.analyses.mmrm.margins.Averages`; the choices where absent are those of emmeans.
    visit_weights : mapping of str to float, optional
        Weights of the average over visits; equal where absent.
    at : mapping of str to float, optional
        Numbers to set rather than average, in their own units.
    conf_level : float, optional
        That of the fit where absent.

    Returns
    -------
    pandas.DataFrame
        One row per combination of levels and visit: the levels, the visit, `ESTIMATE_COLUMNS` and ``state``;
        a mean of a combination that was never observed is ``rank_deficient`` and has no estimate.
    """
    names = [by] if isinstance(by, str) else list(by)
    cells = list(product(*(_list_levels(fit, name) for name in names)))
    visits = _list_visits(fit, at_visit, visit_weights)
    keys, rows = [], []
    for label, weight in visits:
        for cell in cells:
            fixed = {
                _find_factor(fit, name): float(place) for name, (place, _) in zip(names, cell, strict=True)
            }
            rows.append(_build(fit, {**fixed, **_fix_numbers(fit, at)}, weight, Averages(weights, over)))
            keys.append([*(level for _, level in cell), label])
    held = pd.DataFrame(keys, columns=[*names, fit.layout.visit], dtype="str")
    return pd.concat([held, _estimate(fit, np.array(rows), conf_level)], axis=1)


def tabulate_contrasts(
    fit: FittedModel,
    by: str = "therapy",
    *,
    versus: str | None = None,
    adjust: str = "holm",
    at_visit: bool = True,
    weights: str = "equal",
    over: str = "rows",
    visit_weights: Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    conf_level: float | None = None,
) -> pd.DataFrame:
    """Tabulate differences of marginal means between the levels of a category.

    Parameters
    ----------
    versus : str, optional
        Level against which all others stand; all pairs where absent.
    adjust : str
        ``holm`` (p-values by Holm, intervals by Bonferroni), ``bonferroni``, ``tukey`` (all pairs only) or
        ``none``; a family is the contrasts at one visit, or the one average over visits.
    fit, by, at_visit, weights, over, visit_weights, at, conf_level
        As in `tabulate_means`.

    Returns
    -------
    pandas.DataFrame
        One row per pair and visit: ``group, versus``, the visit, `ESTIMATE_COLUMNS` and ``state``.
    """
    if adjust not in ADJUSTMENTS:
        raise AnalysisError(f"There is no adjustment {adjust!r}; choose one of: {', '.join(ADJUSTMENTS)}.")
    if adjust == "tukey" and versus is not None:
        raise AnalysisError(
            "Tukey's adjustment is for all pairs; with one reference choose holm or bonferroni."
        )
    factor, levels = _find_factor(fit, by), _list_levels(fit, by)
    how, fixed = Averages(weights, over), _fix_numbers(fit, at)
    families = [
        (label, [_build(fit, {**fixed, factor: float(place)}, weight, how) for place, _ in levels])
        for label, weight in _list_visits(fit, at_visit, visit_weights)
    ]
    return _compare(fit, families, [level for _, level in levels], versus, adjust, conf_level)


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
    """Tabulate the change of the mean score per unit of time in each group, and its differences.

    Parameters
    ----------
    over : str or mapping of str to float
        A numeric factor of the model, by which the mean is differentiated; or the time of each visit, through
        whose marginal means a straight line is then put by least squares.
    fit, by, adjust, weights, conf_level
        As in `tabulate_contrasts`; the family is all pairs.
    rows_or_patients : str
        What numbers are averaged over.

    Returns
    -------
    pandas.DataFrame
        One row per group (``versus`` empty), then one per pair.
    """
    factor, levels = _find_factor(fit, by), _list_levels(fit, by)
    how = Averages(weights, rows_or_patients)
    slope, visits = (
        (over, _average_visits(fit, None)) if isinstance(over, str) else (None, _weigh_times(fit, over))
    )
    if slope is not None and slope not in fit.layout.centre:
        raise AnalysisError(
            f"{slope!r} is no number of the model; it has: {', '.join(filter(None, fit.layout.centre))}."
        )
    means = [_build(fit, {factor: float(place)}, visits, how, slope) for place, _ in levels]
    names = [level for _, level in levels]
    first = pd.DataFrame({"group": names, "versus": ""}, dtype="str")
    own = pd.concat([first, _estimate(fit, np.array(means), conf_level)], axis=1)
    pairs = _compare(fit, [("", means)], names, None, adjust, conf_level).drop(columns=fit.layout.visit)
    return pd.concat([own, pairs], ignore_index=True)


def tabulate_tests(fit: FittedModel) -> pd.DataFrame:
    """Tabulate joint tests of the coefficients of each term; see `MmrmFit.f_tests`."""
    found = []
    for number, term in enumerate(fit.layout.terms.terms):
        places = [place for place, kept in enumerate(fit.kept) if fit.design.columns[kept].term == number]
        if places and fit.inference is not None:
            found.append(
                {"term": ":".join(term) or "Intercept"}
                | fit.inference.test_jointly(fit.inference.to_public[places])
            )
    return pd.DataFrame(found, columns=["term", "num_df", "den_df", "statistic", "p_value"])


def tabulate_joint_tests(
    fit: FittedModel, by: str = "therapy", *, weights: str = "equal", over: str = "rows"
) -> pd.DataFrame:
    """Test jointly whether the levels of a category differ, at each visit, and whether that changes.

    Parameters
    ----------
    fit, by, weights, over
        As in `tabulate_contrasts`.

    Returns
    -------
    pandas.DataFrame
        One row per visit, then with several visits one whose visit is ``interaction`` (whether differences
        change between visits): the visit, ``num_df, den_df, statistic`` (F) and ``p_value``. Cells that were
        never observed are left out of the test.
    """
    factor, levels = _find_factor(fit, by), _list_levels(fit, by)
    how, visits = Averages(weights, over), _list_visits(fit, True, None)
    differences = []
    for _, weight in visits:
        means = [_build(fit, {factor: float(place)}, weight, how) for place, _ in levels]
        known = [mean for mean in means if np.isfinite(mean).all()]
        differences.append(np.array([mean - known[-1] for mean in known[:-1]]).reshape(-1, len(fit.kept)))
    tests = {visit: rows for (visit, _), rows in zip(visits, differences, strict=True)}
    if len(visits) > 1 and len({len(rows) for rows in differences}) == 1:
        tests["interaction"] = np.vstack([rows - differences[-1] for rows in differences[:-1]])
    found = [{fit.layout.visit: visit, **_test(fit, rows)} for visit, rows in tests.items()]
    return pd.DataFrame(found, columns=[fit.layout.visit, "num_df", "den_df", "statistic", "p_value"])


def _test(fit: FittedModel, rows: np.ndarray) -> dict[str, float]:
    if fit.inference is None:
        return dict.fromkeys(("num_df", "den_df", "statistic", "p_value"), float("nan"))
    return fit.inference.test_jointly(rows)


def _compare(
    fit: FittedModel,
    families: list[tuple[str, list[np.ndarray]]],
    names: list[str],
    versus: str | None,
    adjust: str,
    conf_level: float | None,
) -> pd.DataFrame:
    """Compare means within each family: its label and the rows of its means."""
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
        fit.layout.visit: np.repeat([label for label, _ in families], len(pairs)),
    }
    found = _estimate(fit, np.array(rows).reshape(len(rows), len(fit.kept)), conf_level)
    level = fit.conf_level if conf_level is None else conf_level
    for start in range(0, len(rows), max(len(pairs), 1)):
        _allow_for_several(found, range(start, start + len(pairs)), adjust, len(names), level)
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


def _estimate(fit: FittedModel, rows: np.ndarray, conf_level: float | None) -> pd.DataFrame:
    if fit.inference is None:
        return pd.DataFrame(np.nan, index=range(len(rows)), columns=list(ESTIMATE_COLUMNS)).assign(
            state=fit.state
        )
    found = fit.inference.estimate(rows, fit.conf_level if conf_level is None else conf_level)
    unknown = ~np.isfinite(rows).all(axis=1)
    # a covariance that small-sample corrections made negative in some direction: no interval, so no estimate
    lost = ~unknown & found["std_error"].isna().to_numpy() & (fit.state in WITH_ESTIMATE)
    found.loc[lost, :] = np.nan
    return found.assign(state=np.select([unknown, lost], ["rank_deficient", "not_converged"], fit.state))


def _build(
    fit: FittedModel,
    fixed: Mapping[str, float],
    visits: Mapping[int, float],
    how: Averages,
    slope: str | None = None,
) -> np.ndarray:
    """Return a row over the kept columns; not a number where dropped columns are needed to tell it."""
    if how.weights not in ("equal", "observed") or how.over not in ("rows", "patients"):
        raise AnalysisError("weights is 'equal' or 'observed'; over is 'rows' or 'patients'.")
    row = build_row(fit.design, fit.sums, fixed, visits, how, slope)
    kept = row[fit.kept]
    needed = np.delete(row, fit.kept) - kept @ fit.repeats
    return kept if np.abs(needed).max(initial=0.0) < 1e-8 else np.full(len(kept), np.nan)


def _find_factor(fit: FittedModel, by: str) -> str:
    """Return the name of the factor that is a category of that column."""
    for name in (by, f"C({by})"):
        if name in fit.layout.levels:
            return name
    known = [entry.variables[0] for entry in fit.layout.factors if entry.name in fit.layout.levels]
    raise AnalysisError(f"{by!r} is no category of the model; it has: {', '.join(known) or 'none'}.")


def _list_levels(fit: FittedModel, by: str) -> list[tuple[int, str]]:
    return list(enumerate(fit.layout.levels[_find_factor(fit, by)]))


def _list_visits(
    fit: FittedModel, at_visit: bool, weights: Mapping[str, float] | None
) -> list[tuple[str, dict[int, float]]]:
    if at_visit:
        return [(visit, {place: 1.0}) for place, visit in enumerate(fit.layout.visits)]
    return [("average", _average_visits(fit, weights))]


def _average_visits(fit: FittedModel, weights: Mapping[str, float] | None) -> dict[int, float]:
    visits = fit.layout.visits
    if weights is None:
        return {place: 1 / len(visits) for place in range(len(visits))}
    if set(weights) - set(visits) or not sum(weights.values()) > 0:
        raise AnalysisError(f"visit_weights are positive numbers for visits among: {', '.join(visits)}.")
    total = sum(weights.values())
    return {place: weights.get(visit, 0.0) / total for place, visit in enumerate(visits)}


def _weigh_times(fit: FittedModel, times: Mapping[str, float]) -> dict[int, float]:
    """Return the weights by which means at given times make a least-squares slope."""
    if set(times) != set(fit.layout.visits) or len(set(times.values())) < 2:
        raise AnalysisError(f"A slope needs the time of each visit: {', '.join(fit.layout.visits)}.")
    moved = np.array([times[visit] for visit in fit.layout.visits], dtype="float64")
    moved -= moved.mean()
    return dict(enumerate(moved / (moved**2).sum()))


def _fix_numbers(fit: FittedModel, at: Mapping[str, float] | None) -> dict[str, Any]:
    unknown = [name for name in at or {} if name not in fit.layout.centre or not name]
    if unknown:
        raise AnalysisError(
            f"{unknown[0]!r} is no number of the model; it has: {', '.join(filter(None, fit.layout.centre))}."
        )
    return {
        name: (value - fit.layout.centre[name]) / fit.layout.spread[name]
        for name, value in (at or {}).items()
    }
