"""`score_items`: from the items of an instrument to its score, by the rule that its facts declare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument, read_instrument
from outcomes.facts.scoring_rule import ItemPolicy, ScoringRule
from outcomes.facts.toml import suggest_name
from outcomes.records.indexing import apply_value_set, find_value_set
from outcomes.records.items import find_item_problems, shape_items

STATES = ("complete", "filled", "too_few_items", "blank", "refused")
"""``complete`` and ``filled`` (by the missing-item policy) have a score; ``too_few_items``, ``blank`` (no
item was answered) and ``refused`` (an item cannot be right) have none."""

_COMPLETE, _FILLED, _TOO_FEW, _BLANK, _REFUSED = range(len(STATES))

_TOLERANCE = (
    1e-9  # items are read from text, so a whole number is exact; this only forgives arithmetic before us
)


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
        ``rule`` (``ITEM_RANGE`` or ``ITEM_GRID``) and ``reason``. Holds no values.
    """

    score: NDArray[np.float64] = field(repr=False)
    n_missing: NDArray[np.int16] = field(repr=False)
    state: pd.Categorical[str] = field(repr=False)
    problems: pd.DataFrame = field(repr=False)


def score_items(
    instrument: Instrument | str, items: ArrayLike, *, variant: str | None = None, policy: str | None = None
) -> Scores:
    """Score the items of an instrument by its declared rule.

    Parameters
    ----------
    instrument : Instrument or str
        The instrument or its id.
    items : array-like of float
        One row per assessment, one column per item in the instrument's order; NaN where blank. For a
        single item also one value per assessment.
    variant : str, optional
        Variant of the instrument; needed where it is a value set.
    policy : str, optional
        Name of the missing-item policy, one that the instrument lists; its default where absent.

    Returns
    -------
    Scores
        Blank items are treated by the policy alone; a row with an item out of range or off its grid has no
        score, whatever the policy would tolerate.

    Raises
    ------
    FactsError
        When the number of items, the variant or the policy is not one of the instrument's.

    Examples
    --------
    >>> score_items("odi", [[2, 2, 2, 2, 2, 2, 2, 2, 2, 2]]).score.tolist()
    [40.0]
    """
    if isinstance(instrument, str):
        instrument = read_instrument(instrument)
    instrument.check_variant(variant)
    rule = instrument.scoring_rule
    answers = shape_items(instrument, items)
    chosen = rule.find_policy(policy)
    problems = find_item_problems(rule, answers)
    answered = _count_answered(answers)
    state = _judge_rows(chosen, answered, answers.shape[1], problems)
    if rule.rule == "value_set":
        score = apply_value_set(find_value_set(rule, variant), rule, answers, state <= _FILLED)
    else:
        filled = _fill_blanks(chosen, _add_items(answers), answered, answers.shape[1])
        score = _RULES[rule.rule](filled, answers.shape[1], rule)
    return Scores(
        score=_round_scores(np.where(state <= _FILLED, score, np.nan), rule.decimals),
        n_missing=(answers.shape[1] - answered).astype(np.int16),
        state=pd.Categorical.from_codes(state, categories=pd.Index(STATES)),
        problems=problems,
    )


def _count_answered(answers: NDArray[np.float64]) -> NDArray[np.int16]:
    answered = np.zeros(len(answers), dtype=np.int16)
    for column in answers.T:  # one column at a time keeps a million forms small in memory
        answered += ~np.isnan(column)
    return answered


def _add_items(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros(len(answers))
    for column in answers.T:
        total += np.nan_to_num(column, nan=0.0, posinf=0.0, neginf=0.0)
    return total


def _judge_rows(
    policy: ItemPolicy, answered: NDArray[np.int16], n_items: int, problems: pd.DataFrame
) -> NDArray[np.int8]:
    most_missing = n_items - 1 if policy.most_missing is None else policy.most_missing
    enough = (answered >= policy.least_answered) & (n_items - answered <= most_missing)
    state = np.where(enough, _FILLED, _TOO_FEW).astype(np.int8)
    state[answered == n_items] = _COMPLETE
    state[answered == 0] = _BLANK
    state[problems["row"].to_numpy(dtype=np.int64)] = _REFUSED
    return state


def _fill_blanks(
    policy: ItemPolicy, total: NDArray[np.float64], answered: NDArray[np.int16], n_items: int
) -> NDArray[np.float64]:
    if policy.blank == "zero":
        return total
    return total * n_items / np.maximum(answered, 1)


def _keep_total(filled: NDArray[np.float64], n_items: int, rule: ScoringRule) -> NDArray[np.float64]:
    return filled


def _take_mean(filled: NDArray[np.float64], n_items: int, rule: ScoringRule) -> NDArray[np.float64]:
    return filled / n_items


def _take_percent(filled: NDArray[np.float64], n_items: int, rule: ScoringRule) -> NDArray[np.float64]:
    span = rule.item_maximum - rule.item_minimum
    return 100 * (filled - n_items * rule.item_minimum) / (n_items * span)


_RULES: dict[str, Callable[[NDArray[np.float64], int, ScoringRule], NDArray[np.float64]]] = {
    "single": _keep_total,
    "sum": _keep_total,
    "count_endorsed": _keep_total,
    "mean": _take_mean,
    "percent_of_maximum": _take_percent,
}


def _round_scores(score: NDArray[np.float64], decimals: int | None) -> NDArray[np.float64]:
    """Round halves up, as the published ends of the value sets do, after dropping binary noise."""
    if decimals is None:
        return score
    places = 10.0**decimals
    return np.floor(np.round(score * places, 6) + 0.5) / places


def rescale(
    instrument: Instrument | str, values: ArrayLike, scale: str | None, *, reference: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Bring values that are recorded on another scale to the instrument's own.

    Parameters
    ----------
    instrument : Instrument or str
        The instrument or its id.
    values : array-like of float
        As recorded; NaN stays NaN.
    scale : str or None
        One of the instrument's ``scales``; None leaves the values as they are.
    reference : array-like of float, optional
        For a scale that is relative to a measured length (``per``): that length.

    Returns
    -------
    numpy.ndarray
        ``factor * value + offset``, where relative ``factor * value / reference + offset``. Nothing is
        rounded or cut to the range.

    Raises
    ------
    FactsError
        When the instrument has no such scale, or the scale needs a reference.

    Examples
    --------
    >>> rescale("pgic7", [6.0], "seven_best").tolist()
    [2.0]
    """
    recorded = np.asarray(values, dtype=np.float64)
    if scale is None:
        return recorded
    if isinstance(instrument, str):
        instrument = read_instrument(instrument)
    if scale not in instrument.scales:
        hint = suggest_name(scale, instrument.scales)
        raise FactsError(f"{instrument.name} has no scale {scale!r}; {hint}")
    rule = instrument.scales[scale]
    if "per" in rule:
        if reference is None:
            raise FactsError(f"{instrument.name}: scale {scale!r} needs the {rule['per']}.")
        recorded = recorded / np.asarray(reference, dtype=np.float64)
    return rule["factor"] * recorded + rule["offset"]


@dataclass(frozen=True, eq=False)
class PairedScores:
    """Scores of two visits over the items that were answered at both, one entry per pair of rows.

    Parameters
    ----------
    baseline, follow_up : array of float
        NaN where no item was answered at both.
    n_pairs : array of int
        Items answered at both.
    enough : array of bool
        Whether at least the instrument's smallest number of items was answered at both; where not, the
        pair is for looking at single items only.
    """

    baseline: NDArray[np.float64] = field(repr=False)
    follow_up: NDArray[np.float64] = field(repr=False)
    n_pairs: NDArray[np.int16] = field(repr=False)
    enough: NDArray[np.bool_] = field(repr=False)


def score_paired_items(
    instrument: Instrument | str, baseline: ArrayLike, follow_up: ArrayLike
) -> PairedScores:
    """Score two visits over the items answered at both, for instruments whose items patients name themselves.

    Parameters
    ----------
    instrument : Instrument or str
        An instrument whose rule is ``mean``, such as ``psfs``.
    baseline, follow_up : array-like of float
        One row per patient, one column per item, in the same order at both visits; NaN where blank.

    Returns
    -------
    PairedScores

    Raises
    ------
    FactsError
        When the rule is not a mean, an item cannot be right, or the two visits differ in shape.

    Examples
    --------
    >>> pair = score_paired_items("psfs", [[2, 3, 4]], [[6, 7, float("nan")]])
    >>> pair.baseline.tolist(), pair.follow_up.tolist(), pair.enough.tolist()
    ([2.5], [6.5], [False])
    """
    if isinstance(instrument, str):
        instrument = read_instrument(instrument)
    rule = instrument.scoring_rule
    if rule.rule != "mean":
        raise FactsError(f"{instrument.name} is not a mean of items, so its visits are scored one by one.")
    first, last = (shape_items(instrument, items) for items in (baseline, follow_up))
    if first.shape != last.shape:
        raise FactsError(f"{instrument.name}: the visits differ in shape, {first.shape} and {last.shape}.")
    n_problems = sum(len(find_item_problems(rule, items)) for items in (first, last))
    if n_problems:
        raise FactsError(f"{instrument.name}: {n_problems} items are out of range; score_items locates them.")
    both = ~np.isnan(first) & ~np.isnan(last)
    n_pairs = both.sum(axis=1).astype(np.int16)
    means = (np.where(both, items, 0.0).sum(axis=1) / np.maximum(n_pairs, 1) for items in (first, last))
    scores = [_round_scores(np.where(n_pairs > 0, mean, np.nan), rule.decimals) for mean in means]
    return PairedScores(scores[0], scores[1], n_pairs, n_pairs >= rule.n_items)
