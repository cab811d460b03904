"""A recorded total beside the items of a form: held against their score, and used where they give none."""

from __future__ import annotations

import numpy as np

from outcomes.facts import OWN, Instrument, ScoreSpec, list_scales, read_facts
from outcomes.records.doubts import Doubt
from outcomes.records.scores.recorded import Recorded, convert


def compare_total(
    recorded: Recorded, spec: ScoreSpec, instrument: Instrument, score: np.ndarray, answered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hold a recorded total against the score of the items; it stands in only where these give none.

    Parameters
    ----------
    recorded : Recorded
        The total.
    spec : ScoreSpec
    instrument : Instrument
        Narrowed to its subscale where it has one.
    score : numpy.ndarray of float
        Of the items, one per row of the file.
    answered : numpy.ndarray of bool
        Which rows have an answer.

    Returns
    -------
    score, answered : numpy.ndarray
        With the totals that stand in.
    """
    part = recorded.part
    given = convert(recorded, instrument, spec.variant, spec.scale, np.ones(part.n_rows, bool)).score
    total = recorded.numbers.type_as(given, np.isnan(given)).spread(np.nan)
    gap = np.abs(total - score) / (instrument.maximum - instrument.minimum)
    differs = gap > read_facts("checks")["published"]["tolerance"]
    alone = np.isnan(score) & ~np.isnan(total)
    n_known = int((~np.isnan(score) | alone).sum())
    if differs.any():
        confirmed = "total" in (*spec.confirmed, *part.spec.confirmed)
        doubt = _doubt_total(recorded, spec, instrument, score, gap, differs)
        shift = float(gap[differs].sum()) / n_known
        doubt.tell(part.problems, part.records(differs), shift, column=recorded.header, confirmed=confirmed)
    if alone.any():
        what = "the items give no score but a total is recorded; the total is used"
        said = f"Where the items of the {instrument.short_name} give no score, its recorded total counts."
        doubt = Doubt("SCORE_TOTAL_ONLY", instrument, what, said)
        doubt.tell(part.problems, part.records(alone), int(alone.sum()) / n_known, column=recorded.header)
    return np.where(alone, total, score), answered | alone


def _doubt_total(
    recorded: Recorded, spec: ScoreSpec, instrument: Instrument, score: np.ndarray, gap: np.ndarray,
    differs: np.ndarray,
) -> Doubt:  # fmt: skip
    """Return the doubt about totals that differ: about the items as well where most of them do."""
    name = instrument.short_name
    said = f"Where a recorded total of the {name} is not the score of its items, the items count."
    what = "the recorded total is not the score of the items; the score of the items is used"
    n_differ, n_both = int(differs.sum()), int((~np.isnan(gap)).sum())
    if n_both < read_facts("checks")["scale"]["fewest"] or 2 * n_differ <= n_both:
        return Doubt("SCORE_TOTAL_DIFFERS", instrument, what, said)
    answers = {
        **_list_agreeing(recorded, spec, instrument, score),
        'confirmed = ["total"]': "in its [[file.scores]]: as the items say; the total is wrong",
        "item_codes = { ... }": "in its [[file.scores]]: as the total says; the items are coded otherwise",
    }
    what = f"{n_differ} of {n_both} recorded totals of the {name} are not the score of the items"
    return Doubt("SCORE_TOTAL_DIFFERS", instrument, what, said, "which of both is right?", answers)


def _list_agreeing(
    recorded: Recorded, spec: ScoreSpec, instrument: Instrument, score: np.ndarray
) -> dict[str, str]:
    """Return the lines that name a scale on which most totals are the score of the items."""
    raw = recorded.numbers.spread(np.nan)
    least = read_facts("checks")["published"]["tolerance"] * (instrument.maximum - instrument.minimum)
    lines = {}
    for name, scale in list_scales(instrument).items():
        if name == (spec.scale or OWN) or scale.per is not None or scale.by_table:
            continue
        gap = np.abs(raw * scale.factor + scale.offset - score)
        if 2 * (gap <= least).sum() > (~np.isnan(gap)).sum():
            lines[f'scale = "{name}"'] = f"in its [[file.scores]]: both; the total is {scale.meaning}"
    return lines
