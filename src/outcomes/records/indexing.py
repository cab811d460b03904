"""The index of a health state: what a value set makes of the levels of its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcomes.errors import FactsError
from outcomes.facts.scoring_rule import ScoringRule, ValueSet, read_state_values, read_value_sets
from outcomes.facts.toml import suggest_name


def find_value_set(rule: ScoringRule, variant: str | None) -> ValueSet:
    """Return the value set that a variant names.

    Raises
    ------
    FactsError
        When the variant names none; the message suggests the nearest.
    """
    sets = read_value_sets(str(rule.value_sets))
    for part in (variant or "").split("-"):
        if part in sets:
            return sets[part]
    raise FactsError(f"There is no value set {variant!r}; {suggest_name(str(variant), sets)}")


def apply_value_set(
    value_set: ValueSet, rule: ScoringRule, answers: NDArray[np.float64], scored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the index of each row of levels, unrounded.

    Parameters
    ----------
    value_set : ValueSet
    rule : ScoringRule
        Names the items, in the order of the columns.
    answers : array of float
        One row per assessment, one column per item.
    scored : array of bool
        Rows whose levels are all given and in range; the others come back with the value of the best state
        and are for the caller to drop.
    """
    levels = np.where(scored[:, None], answers, rule.list_bounds(answers.shape[1])[0]).astype(np.int64)
    if value_set.table is not None:
        return _look_up_states(value_set, rule, levels)
    index = np.full(len(levels), float(value_set.start))
    for number, label in enumerate(rule.items):
        index += np.asarray(value_set.levels[label], dtype=float)[levels[:, number] - 1]
    for term in value_set.terms:
        index += term["coefficient"] * _count_term(term, rule, levels)
    return index


def _look_up_states(value_set: ValueSet, rule: ScoringRule, levels: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.asarray(read_state_values(str(value_set.table), str(value_set.column)))
    low, high = (int(ends[0]) for ends in rule.list_bounds(levels.shape[1]))
    n_levels = high - low + 1
    place = np.zeros(len(levels), dtype=np.int64)
    for column in levels.T:
        place = place * n_levels + column - low
    return values[place]


def _count_term(term: Mapping[str, Any], rule: ScoringRule, levels: NDArray[np.int64]) -> NDArray[np.float64]:
    if term["kind"] == "any_at_least":
        return (levels.max(axis=1) >= term["level"]).astype(float)
    if term["kind"] == "count_beyond_first":
        count = np.isin(levels, term["levels"]).sum(axis=1)
        return np.maximum(count - 1, 0).astype(float) ** term["power"]
    first, second = (levels[:, rule.items.index(label)] - 1 for label in term["items"])
    return (first * second).astype(float)
