"""The items of an instrument as they were given: their shape, and which of them cannot be right."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.scoring_rule import ScoringRule

_TOLERANCE = 1e-9  # whole numbers read from text are exact; this forgives arithmetic done before us


def shape_items(instrument: Instrument, items: ArrayLike) -> NDArray[np.float64]:
    """Return items as one row per assessment and one column per item.

    Raises
    ------
    FactsError
        When their number is not the instrument's: another number of items is another instrument.
    """
    rule = instrument.scoring_rule
    answers = np.asarray(items, dtype=np.float64)
    if answers.ndim < 2 and rule.n_items == 1:
        answers = answers.reshape(-1, 1)
    most = rule.n_items_maximum or rule.n_items
    if answers.ndim != 2 or not rule.n_items <= answers.shape[1] <= most:
        expected = f"{rule.n_items}" if most == rule.n_items else f"{rule.n_items} to {most}"
        found = answers.shape[-1] if answers.ndim else 1
        raise FactsError(f"{instrument.name}: expected {expected} items in each row, got {found}.")
    return answers


def find_item_problems(rule: ScoringRule, answers: NDArray[np.float64]) -> pd.DataFrame:
    """Return one row per item that is out of range or off its grid, by row, then item.

    Returns
    -------
    pandas.DataFrame
        ``row`` (position, from 0), ``item`` (from 1), ``label``, ``rule`` (``ITEM_RANGE`` or ``ITEM_GRID``)
        and ``reason``; no values.
    """
    labels = rule.label_items(answers.shape[1])
    low, high, step = rule.item_minimum, rule.item_maximum, rule.item_step
    found = []
    for number, column in enumerate(answers.T):
        outside = (column < low) | (column > high)
        found.append((outside, number, "ITEM_RANGE", f"outside {low:g} to {high:g}"))
        if step is not None:
            places = (np.where(outside, low, column) - low) / step
            off = np.abs(places - np.rint(places)) > _TOLERANCE
            found.append((off, number, "ITEM_GRID", f"not in steps of {step:g}"))
    problems = [
        (row, number + 1, labels[number], name, f"item {number + 1}: {reason}")
        for where, number, name, reason in found
        if where.any()
        for row in np.flatnonzero(where).tolist()
    ]
    problems.sort(key=lambda entry: entry[:2])
    return pd.DataFrame(problems, columns=["row", "item", "label", "rule", "reason"])
