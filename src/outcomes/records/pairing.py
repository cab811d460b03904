"""`score_paired_items`: two visits over the items that were answered at both."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import read_instrument
from outcomes.records.items import find_item_problems, shape_items
from outcomes.records.scoring import round_scores


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
    if rule.rule != "mean" or rule.recodes or rule.reverse or rule.highest_of:
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
    scores = [round_scores(np.where(n_pairs > 0, mean, np.nan), rule.decimals) for mean in means]
    return PairedScores(scores[0], scores[1], n_pairs, n_pairs >= rule.n_items)
