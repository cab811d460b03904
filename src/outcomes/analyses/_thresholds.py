"""Rules by which a patient counts as improved, worse or in a good state."""

from collections.abc import Sequence

import numpy as np

from outcomes.analyses._declaration import has_baseline, require_baseline, say
from outcomes.analyses._grid import Grid
from outcomes.analyses._populations import describe_others
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError, FactsError
from outcomes.facts import Listing, Text, Threshold, parse_rule

#: Scores are sums and quotients of small numbers, so that 29.9999999 is meant to be 30.
_TOLERANCE = 1e-7
#: Rules that divide by something of the baseline score, and are not defined where that is 0.
RELATIVE = ("percent", "percent_of_possible")


def choose_thresholds(cohort: Cohort, thresholds: str | Sequence[str] | None) -> list[Threshold]:
    """Return the thresholds to apply to individual patients, given by id or as rules written out.

    None takes the instrument's default one, those of the same source, and those that the records' source
    names under ``primary``; without a default, all verified MIC and PASS of level individual. One that holds
    for groups only is refused.
    """
    if thresholds is None:
        chosen = _choose_usual(cohort)
    else:
        given = list(thresholds) if isinstance(thresholds, list | tuple) else [thresholds]
        names = [name for name in given if isinstance(name, str)]
        if not names or len(names) < len(given):
            raise AnalysisError("Name at least one threshold or rule, such as absolute:2 or percent:30.")
        chosen = [read_rule(name) or _find_threshold(cohort, name) for name in names]
    if any(entry.rule != "state" for entry in chosen):
        require_baseline(cohort)
    for entry in chosen:
        if entry.level != "individual":
            raise AnalysisError(
                f"The threshold {entry.id!r} is of level {entry.level}; it says nothing about single "
                "patients. Choose one of level individual."
            )
    return chosen


def _choose_usual(cohort: Cohort) -> list[Threshold]:
    # A detectable change is measurement error, not importance, and of several cited amounts one is enough for
    # a page: others, and unverified ones, are used only where they are asked for.
    usable = [
        entry
        for entry in cohort.instrument.thresholds
        if entry.level == "individual"
        and entry.kind != "MDC"
        and entry.verified
        and (entry.rule == "state" or has_baseline(cohort))
    ]
    main = next((entry for entry in usable if entry.default), None)
    chosen = [entry for entry in usable if main is None or entry.source == main.source]
    if cohort.source.primary.get("instrument") == cohort.instrument.id:
        named = [*cohort.source.primary.get("thresholds", ()), cohort.source.primary.get("threshold")]
        chosen += [read_rule(name) or _find_threshold(cohort, name) for name in named if name]
    distinct = {(entry.rule, entry.comparison, entry.value): entry for entry in reversed(chosen)}
    return list(distinct.values())[::-1]


def choose_threshold(cohort: Cohort, threshold: str | None) -> Threshold | None:
    """Return one threshold: the named one, the source's, the instrument's default or its first, if any."""
    name = threshold
    if name is None and cohort.source.primary.get("instrument") == cohort.instrument.id:
        name = cohort.source.primary.get("threshold")
    if name is not None:
        return choose_thresholds(cohort, name)[0]
    chosen = choose_thresholds(cohort, None)
    return next((entry for entry in chosen if entry.default), chosen[0] if chosen else None)


def _find_threshold(cohort: Cohort, name: str) -> Threshold:
    try:
        return cohort.instrument.threshold(name)
    except FactsError as error:
        raise AnalysisError(f"{error} Or write a rule: absolute:2, percent:30, state:<=1.") from None


def read_rule(text: str) -> Threshold | None:
    """Return a rule that is written out, such as ``state:<=1``; None where the text is none."""
    try:
        return parse_rule(text)
    except FactsError as error:
        raise AnalysisError(str(error)) from None


def describe_threshold(cohort: Cohort, threshold: Threshold) -> Text | Listing:
    """Return a rule in words, with its source, and for whom it was published where these patients differ."""
    rule = say(
        f"thresholds.{threshold.rule}",
        value=f"{threshold.value:g}",
        unit=cohort.instrument.called_unit,
        comparison=threshold.comparison,
        source=threshold.source or say("thresholds.own"),
    )
    others = describe_others(cohort, threshold)
    return rule if others is None else Listing((rule, others), "comma")


def mark_improved(
    cohort: Cohort, grid: Grid, threshold: Threshold
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mark who improved, who got worse, and for whom the rule is defined, shape (E, T).

    ``absolute``: points of improvement; ``percent``: of the baseline score, not defined where that is 0;
    ``percent_of_possible``: of what lies between the baseline score and the best one, not defined where that
    is nothing (a recovery rate); ``state``: the score itself, which nobody can get worse by. Who was not
    seen, or for whom the rule is not defined, is neither improved nor worse.
    """
    if threshold.rule == "state":
        reached = compare_scores(grid.score, threshold.comparison, threshold.value)
        return reached, np.zeros_like(reached), grid.seen
    amount = grid.improvement
    if threshold.rule in RELATIVE:
        whole = _find_room(cohort, grid) if threshold.rule == "percent_of_possible" else np.abs(grid.baseline)
        whole = np.broadcast_to(whole[:, None], amount.shape)
        amount = np.divide(100 * amount, whole, out=np.full_like(amount, np.nan), where=whole > 0)
    improved = compare_scores(amount, ">=", threshold.value)
    return improved, compare_scores(-amount, ">=", threshold.value), ~np.isnan(amount)


def mark_out_of_reach(cohort: Cohort, grid: Grid, threshold: Threshold) -> np.ndarray:
    """Mark episodes that start too near the best score to improve by the threshold, shape (E,)."""
    if threshold.rule == "state":
        return np.zeros(len(grid.baseline), dtype=bool)
    room = _find_room(cohort, grid)
    whole = {"percent": np.abs(grid.baseline), "percent_of_possible": room}.get(threshold.rule, 100.0)
    return room < whole * threshold.value / 100 - _TOLERANCE


def _find_room(cohort: Cohort, grid: Grid) -> np.ndarray:
    """Return how far the baseline score is from the best one, shape (E,)."""
    instrument = cohort.instrument
    best = instrument.maximum if instrument.sign > 0 else instrument.minimum
    return np.abs(best - grid.baseline)


def compare_scores(values: np.ndarray, comparison: str, limit: float) -> np.ndarray:
    """Return which values fulfil a comparison, within 1e-7."""
    if comparison == ">=":
        return values >= limit - _TOLERANCE
    if comparison == ">":
        return values > limit + _TOLERANCE
    return values <= limit + _TOLERANCE if comparison == "<=" else values < limit - _TOLERANCE
