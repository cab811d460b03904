"""`score_items`: from the items of an instrument to its score, by the rule that its facts declare."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import read_instrument
from outcomes.facts.scoring_rule import ItemPolicy, ScoringRule
from outcomes.records.bands import find_flags
from outcomes.records.conversion import read_conversion
from outcomes.records.indexing import apply_value_set, find_value_set
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
    """Scores, one entry per row of items.

    Parameters
    ----------
    score : array of float
        NaN where the state says that there is none.
    n_missing : array of int
        Blank items.
    state : pandas.Categorical
        One of `STATES`.
    problems : pandas.DataFrame
        One row per item that cannot be right: ``row`` (position, from 0), ``item`` (from 1), ``label``,
        ``rule`` (``ITEM_RANGE``, ``ITEM_GRID`` or, where the items together cannot be right, ``SCORE_RANGE``
        at the last of them) and ``reason``. Holds no values.
    raw : array of float
        Sum of what the items count, before a table or a percentage; NaN where there is no score.
    std_error : array of float
        Standard error of the score where the instrument's table gives one.
    flags : pandas.DataFrame
        What a reader must see beside the score, one row each: ``row``, ``item`` (0 for the score itself) and
        ``meaning``.
    """

    score: NDArray[np.float64] = field(repr=False)
    n_missing: NDArray[np.int16] = field(repr=False)
    state: pd.Categorical[str] = field(repr=False)
    problems: pd.DataFrame = field(repr=False)
    raw: NDArray[np.float64] = field(repr=False)
    std_error: NDArray[np.float64] = field(repr=False)
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

    Parameters
    ----------
    instrument : Instrument or str
        The instrument or its id.
    items : array-like of float
        One row per assessment, one column per item in the instrument's order; NaN where blank. For a
        single item also one value per assessment. For a subscale its own items, or all of the form.
    variant : str, optional
        Variant of the instrument; needed where it is a value set, or where a form has several scores.
    policy : str, optional
        Name of the missing-item policy, one that the instrument lists; its default where absent.
    tables : path, optional
        Folder of the user's own tables of scores, for instruments whose table the package may not hold;
        ``data/tables/`` of the project where absent.

    Returns
    -------
    Scores
        Blank items are treated by the policy alone; a row with an item out of range or off its grid has no
        score, whatever the policy would tolerate.

    Raises
    ------
    FactsError
        When the number of items, the variant or the policy is not one of the instrument's, or its table of
        scores is absent; the message says where to put it.

    Examples
    --------
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
        score = apply_value_set(find_value_set(rule, variant), rule, answers, scored)
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
        flags=find_flags(rule, answers, score, numbers),
    )


def _add_items(
    rule: ScoringRule, answers: NDArray[np.float64], counting: Counting, numbers: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int16], pd.DataFrame]:
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


def _combine(
    rule: ScoringRule, counted: NDArray[np.float64], blank: NDArray[np.bool_]
) -> NDArray[np.float64]:
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


def _fill_blanks(
    policy: ItemPolicy, total: NDArray[np.float64], answered: NDArray[np.int16], n_items: int
) -> NDArray[np.float64]:
    if policy.blank == "zero" or n_items == 1:
        return total
    return total * (n_items / np.maximum(np.arange(n_items + 1), 1))[answered]


def _apply_rule(
    rule: ScoringRule, total: NDArray[np.float64], least: NDArray[np.float64], most: NDArray[np.float64]
) -> NDArray[np.float64]:
    if rule.rule == "mean":
        return total / len(least)
    if rule.rule == "percent_of_maximum":
        return (total - least.sum()) * (100 / (most.sum() - least.sum()))
    return total


def _find_beyond(
    instrument: Instrument, rule: ScoringRule, score: NDArray[np.float64], numbers: tuple[int, ...]
) -> pd.DataFrame:
    """Return the rows whose items, each in its range, together give a score that cannot be."""
    low, high = instrument.minimum - _TOLERANCE, instrument.maximum + _TOLERANCE
    if rule.rule not in ("quotient", "difference"):
        return list_problems([])
    span = f"{instrument.minimum:g} to {instrument.maximum:g} {instrument.unit}"
    reason = f"items {numbers[0]} and {numbers[-1]} together: outside {span}"
    label = rule.label_items(len(numbers))[-1]
    outside = np.flatnonzero((score < low) | (score > high)).tolist()
    return list_problems([(row, numbers[-1], label, "SCORE_RANGE", reason) for row in outside])


def round_scores(score: NDArray[np.float64], decimals: int | None) -> NDArray[np.float64]:
    """Round halves up, as the published ends of the value sets do, after dropping binary noise."""
    if decimals is None:
        return score
    places = 10.0**decimals
    return np.floor(score * places + (0.5 + 1e-6)) / places
