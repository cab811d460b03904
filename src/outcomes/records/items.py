"""The items of an instrument as they were given: their shape, which cannot be right, and what each counts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.scoring_rule import ScoringRule
from outcomes.facts.wording import Text
from outcomes.records.conversion import Floats

_TOLERANCE = 1e-9  # whole numbers read from text are exact; this forgives arithmetic done before us

#: Turns a block of answers (one row per item, one column per assessment) into what they count.
Counting = Callable[[Floats], Floats]


def shape_items(instrument: Instrument, items: ArrayLike) -> Floats:
    """Return items as one row per assessment and one column per item."""
    rule = instrument.scoring_rule
    answers = np.asarray(items, dtype=np.float64)
    if answers.ndim < 2 and rule.n_items == 1:
        answers = answers.reshape(-1, 1)
    most = rule.n_items_maximum or rule.n_items
    if answers.ndim == 2 and answers.shape[1] in (*range(rule.n_items, most + 1), rule.n_form_items):
        return answers
    most = most if most > rule.n_items else 0
    form = rule.n_form_items if rule.n_form_items > rule.n_items else 0
    said = {"n": rule.n_items, "most": most, "form": form, "found": answers.shape[-1] if answers.ndim else 1}
    raise FactsError(Text.of("scoring.items.expected", instrument=instrument.name, **said))


def number_items(rule: ScoringRule, n_given: int) -> tuple[int, ...]:
    """Return the number, from 1, that each item of the rule has among the items that were given."""
    if rule.n_form_items and n_given == rule.n_form_items:
        return rule.form_items
    return tuple(range(1, n_given + 1))


def find_item_problems(
    rule: ScoringRule, answers: Floats, first_row: int = 0, numbers: tuple[int, ...] = ()
) -> pd.DataFrame:
    """Return one row per item that is out of range or off its grid, by row, then item."""
    n_items = answers.shape[1]
    lows, highs = rule.list_bounds(n_items)
    labels, step = rule.label_items(n_items), rule.item_step
    numbers = numbers or tuple(range(1, n_items + 1))
    found = []
    for place, (column, low, high) in enumerate(zip(answers.T, lows, highs, strict=True)):
        outside = (column < low) | (column > high)
        said = Text.of("scoring.items.outside", item=numbers[place], low=f"{low:g}", high=f"{high:g}")
        found.append((outside, place, "ITEM_RANGE", said))
        if step is not None:
            places = (np.where(outside, low, column) - low) / step
            off = np.abs(places - np.rint(places)) > _TOLERANCE
            said = Text.of("scoring.items.grid", item=numbers[place], step=f"{step:g}")
            found.append((off, place, "ITEM_GRID", said))
    problems = [
        (first_row + row, numbers[place], labels[place], name, said)
        for where, place, name, said in found
        if where.any()
        for row in np.flatnonzero(where).tolist()
    ]
    problems.sort(key=lambda entry: entry[:2])
    return list_problems(problems)


def list_problems(rows: list[tuple[int, int, str, str, Text]]) -> pd.DataFrame:
    """Return problems as a table."""
    return pd.DataFrame(rows, columns=["row", "item", "label", "rule", "reason"])


def may_have_problems(rule: ScoringRule, block: Floats) -> bool:
    """Return whether any answer of a block (one row per item) is out of range or off the grid."""
    lows, highs = (np.array(ends)[:, None] for ends in rule.list_bounds(len(block)))
    least, most = np.fmin.reduce(block, axis=1), np.fmax.reduce(block, axis=1)
    if (least < lows[:, 0]).any() or (most > highs[:, 0]).any():
        return True
    if rule.item_step is None:
        return False
    places = (
        block if rule.item_step == 1 and (lows == np.rint(lows)).all() else (block - lows) / rule.item_step
    )
    rest = places - np.rint(places)
    return bool(np.fmax.reduce(np.abs(rest, out=rest), axis=None) > _TOLERANCE)


def count_answers(rule: ScoringRule, n_items: int) -> tuple[Counting, Floats, Floats]:
    """Return what turns answers into what they count, and the least and most of each counted item."""
    low, high = (np.array(ends, dtype=float) for ends in rule.list_bounds(n_items))
    least, most = low.copy(), high.copy()
    recodes = [
        (int(number) - 1, np.array(entry["values"], dtype=float))
        for entry in rule.recodes
        for number in entry["items"]
    ]
    for place, values in recodes:
        least[place], most[place] = values.min(), values.max()
    turned = [number - 1 for number in rule.list_reversed(n_items)]
    groups = [[number - 1 for number in group] for group in rule.highest_of]
    dropped = [place for group in groups for place in group[1:]]
    kept = [place for place in range(n_items) if place not in dropped]

    def count(block: Floats) -> Floats:
        if not (recodes or turned or groups):
            return block
        counted = block.copy()
        for place, values in recodes:
            counted[place] = _recode(block[place], low[place], rule.item_step or 1, values)
        for place in turned:
            counted[place] = least[place] + most[place] - counted[place]
        for group in groups:
            counted[group[0]] = np.maximum.reduce(counted[group], axis=0)
        return counted[kept]

    return count, least[kept], most[kept]


def _recode(answers: Floats, low: float, step: float, values: Floats) -> Floats:
    blank = np.isnan(answers)
    # Impossible answers are refused elsewhere; here they must only not point outside the list.
    place = np.clip(np.rint((np.where(blank, low, answers) - low) / step), 0, len(values) - 1)
    return np.where(blank, np.nan, values[place.astype(np.int64)])
