"""`score_items`: from the items of an instrument to its score, by the rule that its facts declare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import read_instrument
from outcomes.facts.scoring_rule import ItemPolicy, ScoringRule, ValueSet, read_state_values, read_value_sets
from outcomes.facts.toml import suggest_name
from outcomes.facts.wording import Text
from outcomes.records.conversion import Floats, read_conversion
from outcomes.records.items import (
    Counting,
    count_answers,
    find_item_problems,
    list_problems,
    may_have_problems,
    number_items,
    shape_items,
)

STATES = ("complete", "filled", "too_few_items", "blank", "refused")
"""``complete`` and ``filled`` (by the missing-item policy) have a score; ``too_few_items``, ``blank`` (no
item was answered) and ``refused`` (an item, or what follows from the items, cannot be right) have none."""

_COMPLETE, _FILLED, _TOO_FEW, _BLANK, _REFUSED = range(len(STATES))

_TOLERANCE = 1e-9
#: Rows that are scored at a time: their items stay in the processor's cache from one pass to the next.
_BLOCK_ROWS = 16384


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores, one entry per row of items."""

    #: NaN where the state says that there is none.
    score: Floats = field(repr=False)
    n_missing: NDArray[np.int16] = field(repr=False)
    #: One of `STATES`.
    state: "pd.Categorical[str]" = field(repr=False)
    #: One row per item that cannot be right: ``row`` (position, from 0), ``item`` (from 1), ``label``,
    #: ``rule`` (``ITEM_RANGE``, ``ITEM_GRID`` or, where the items together cannot be right,
    #: ``SCORE_RANGE`` at the last of them) and ``reason`` (a `Text`). Holds no values.
    problems: pd.DataFrame = field(repr=False)
    #: Sum of what the items count, before a table or a percentage; NaN where there is no score.
    raw: Floats = field(repr=False)
    #: Standard error of the score where the instrument's table gives one.
    std_error: Floats = field(repr=False)
    #: What a reader must see beside the score, one row each: ``row``, ``item`` (0 for the score itself)
    #: and ``meaning``.
    flags: pd.DataFrame = field(repr=False)


def score_items(
    instrument: Instrument | str,
    items: ArrayLike,
    *,
    variant: str | None = None,
    policy: str | None = None,
    tables: Path | str | None = None,
) -> Scores:
    """Score the items of an instrument by its declared rule.

    >>> score_items("odi", [[2, 2, 2, 2, 2, 2, 2, 2, 2, 2]]).score.tolist()
    [40.0]
    >>> score_items("koos", [[1, 1, 1, 1, 1, 1, 1, 1, 1]], variant="pain").score.tolist()
    [75.0]
    """
    if isinstance(instrument, str):
        instrument = read_instrument(instrument)
    instrument = instrument.narrow(variant)
    rule = instrument.scoring_rule
    given = shape_items(instrument, items)
    numbers = number_items(rule, given.shape[1])
    answers = given if len(numbers) == given.shape[1] else given[:, np.array(numbers) - 1]
    chosen = rule.find_policy(policy)
    counting, least, most = count_answers(rule, answers.shape[1])
    total, answered, problems = _add_items(rule, answers, counting, numbers)
    state = _judge_rows(chosen, answered, answers.shape[1], problems)
    scored = state <= _FILLED
    std_error = np.full(len(answers), np.nan)
    if rule.rule == "value_set":
        score = _apply_value_set(_find_value_set(rule, variant), rule, answers, scored)
    else:
        total = _fill_blanks(chosen, total, answered, answers.shape[1])
        if rule.rule == "lookup":
            conversion = read_conversion(instrument, int(least.sum()), int(most.sum()), tables)
            score, std_error = conversion.look_up(np.where(scored, total, np.nan))
        else:
            score = _apply_rule(rule, total, least, most)
    score = round_scores(np.where(scored, score, np.nan), rule.decimals)
    beyond = _find_beyond(instrument, rule, score, numbers)
    if len(beyond):
        state[beyond["row"]], problems = _REFUSED, pd.concat([problems, beyond], ignore_index=True)
        score[beyond["row"]] = np.nan
    return Scores(
        score=score,
        n_missing=(answers.shape[1] - answered).astype(np.int16),
        state=pd.Categorical.from_codes(state, categories=pd.Index(STATES)),
        problems=problems,
        raw=np.where(np.isnan(score), np.nan, total),
        std_error=std_error,
        flags=_find_flags(rule, answers, score, numbers),
    )


def _add_items(
    rule: ScoringRule, answers: Floats, counting: Counting, numbers: tuple[int, ...]
) -> tuple[Floats, NDArray[np.int16], pd.DataFrame]:
    """Return what the items of each row come to, how many were answered, and what cannot be right."""
    total = np.empty(len(answers))
    answered = np.empty(len(answers), dtype=np.int16)
    problems = [list_problems([])]
    for start in range(0, len(answers), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = np.ascontiguousarray(answers[rows].T)
        if may_have_problems(rule, block):
            problems.append(find_item_problems(rule, answers[rows], start, numbers))
        blank = np.isnan(block)
        np.subtract(len(block), blank.sum(axis=0, dtype=np.int16), out=answered[rows])
        total[rows] = _combine(rule, counting(block), blank)
    found = [table for table in problems if len(table)]
    return total, answered, pd.concat(found, ignore_index=True) if found else problems[0]


def _combine(rule: ScoringRule, counted: Floats, blank: NDArray[np.bool_]) -> Floats:
    """Return one number per assessment from a block with one row per item."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if rule.rule == "quotient":
            return (counted[0] + rule.offset) / counted[1] * rule.factor
        if rule.rule == "difference":
            return np.asarray(counted[1] - counted[0])
        if rule.rule == "symmetry":
            return 100 * counted.min(axis=0) / counted.max(axis=0)
    if rule.weights:
        return np.asarray(np.tensordot(np.array(rule.weights, dtype=float), counted, axes=1))
    finite = (
        np.where(np.isfinite(counted), counted, 0.0) if blank.any() or np.isinf(counted).any() else counted
    )
    return np.asarray(finite.sum(axis=0))


def _judge_rows(
    policy: ItemPolicy, answered: NDArray[np.int16], n_items: int, problems: pd.DataFrame
) -> NDArray[np.int8]:
    most_missing = n_items - 1 if policy.most_missing is None else policy.most_missing
    fewest = max(policy.least_answered, n_items - most_missing, int(np.ceil(policy.least_share * n_items)))
    by_number = np.full(n_items + 1, _TOO_FEW, dtype=np.int8)
    by_number[fewest:] = _FILLED
    by_number[n_items], by_number[0] = _COMPLETE, _BLANK
    state = by_number[answered]
    state[problems["row"].to_numpy(dtype=np.int64)] = _REFUSED
    return state


def _fill_blanks(policy: ItemPolicy, total: Floats, answered: NDArray[np.int16], n_items: int) -> Floats:
    if policy.blank == "zero" or n_items == 1:
        return total
    return total * (n_items / np.maximum(np.arange(n_items + 1), 1))[answered]


def _apply_rule(rule: ScoringRule, total: Floats, least: Floats, most: Floats) -> Floats:
    if rule.rule == "mean":
        return total / len(least)
    if rule.rule == "percent_of_maximum":
        return (total - least.sum()) * (100 / (most.sum() - least.sum()))
    return total


def _find_beyond(
    instrument: Instrument, rule: ScoringRule, score: Floats, numbers: tuple[int, ...]
) -> pd.DataFrame:
    """Return the rows whose items, each in its range, together give a score that cannot be."""
    low, high = instrument.minimum - _TOLERANCE, instrument.maximum + _TOLERANCE
    if rule.rule not in ("quotient", "difference"):
        return list_problems([])
    span = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}", "unit": instrument.unit}
    reason = Text.of("scoring.items.together", first=numbers[0], second=numbers[-1], **span)
    label = rule.label_items(len(numbers))[-1]
    outside = np.flatnonzero((score < low) | (score > high)).tolist()
    return list_problems([(row, numbers[-1], label, "SCORE_RANGE", reason) for row in outside])


def round_scores(score: Floats, decimals: int | None) -> Floats:
    """Round halves up, as the published ends of the value sets do, after dropping binary noise."""
    if decimals is None:
        return score
    places = 10.0**decimals
    return np.floor(score * places + (0.5 + 1e-6)) / places


def _find_value_set(rule: ScoringRule, variant: str | None) -> ValueSet:
    """Return the value set that a variant names."""
    sets = read_value_sets(str(rule.value_sets))
    for part in (variant or "").split("-"):
        if part in sets:
            return sets[part]
    near = suggest_name(str(variant), sets)
    raise FactsError(Text.of("scoring.value_set.unknown", name=repr(variant), known=near))


def _apply_value_set(
    value_set: ValueSet, rule: ScoringRule, answers: Floats, scored: NDArray[np.bool_]
) -> Floats:
    """Return the index of each row of levels, unrounded."""
    levels = np.where(scored[:, None], answers, rule.list_bounds(answers.shape[1])[0]).astype(np.int64)
    if value_set.table is not None:
        return _look_up_states(value_set, rule, levels)
    index = np.full(len(levels), float(value_set.start))
    for number, label in enumerate(rule.items):
        index += np.asarray(value_set.levels[label], dtype=float)[levels[:, number] - 1]
    for term in value_set.terms:
        index += term["coefficient"] * _count_term(term, rule, levels)
    return index


def _look_up_states(value_set: ValueSet, rule: ScoringRule, levels: NDArray[np.int64]) -> Floats:
    values = np.asarray(read_state_values(str(value_set.table), str(value_set.column)))
    low, high = (int(ends[0]) for ends in rule.list_bounds(levels.shape[1]))
    n_levels = high - low + 1
    place = np.zeros(len(levels), dtype=np.int64)
    for column in levels.T:
        place = place * n_levels + column - low
    return values[place]


def _count_term(term: Mapping[str, Any], rule: ScoringRule, levels: NDArray[np.int64]) -> Floats:
    if term["kind"] == "any_at_least":
        return (levels.max(axis=1) >= term["level"]).astype(float)
    if term["kind"] == "count_beyond_first":
        count = np.isin(levels, term["levels"]).sum(axis=1)
        return np.maximum(count - 1, 0).astype(float) ** term["power"]
    first, second = (levels[:, rule.items.index(label)] - 1 for label in term["items"])
    return (first * second).astype(float)


def _find_flags(rule: ScoringRule, answers: Floats, score: Floats, numbers: tuple[int, ...]) -> pd.DataFrame:
    """Return what a reader must see beside the scores: ``row``, ``item`` (0 for the score), ``meaning``."""
    found = []
    for flag in rule.flags:
        item = int(flag.get("item", 0))
        values = answers[:, item - 1] if item else score
        rows = np.flatnonzero(_is_flagged(flag, values)).tolist()
        found += [(row, numbers[item - 1] if item else 0, str(flag["meaning"])) for row in rows]
    return pd.DataFrame(sorted(found), columns=["row", "item", "meaning"])


def _is_flagged(flag: Mapping[str, Any], values: Floats) -> NDArray[np.bool_]:
    if "at_least" in flag:
        return values >= flag["at_least"]
    return values > flag["above"] if "above" in flag else values < flag["below"]
