"""The table of assessments: one row each, by episode, time, instrument and variant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Source
from outcomes.records.assembly.frame import EpisodeFrame
from outcomes.records.columns import NO_DATE, sort_rows
from outcomes.records.episodes import list_timepoints
from outcomes.records.scores import Assessments


def build_assessments(
    frame: EpisodeFrame, scores: Assessments, sessions: np.ndarray, source: Source
) -> pd.DataFrame:
    """Return one row per assessment, sorted by episode, time, instrument and variant.

    Parameters
    ----------
    frame : EpisodeFrame
    scores : Assessments
    sessions : numpy.ndarray of float
        Sessions attended by then, per assessment; NaN where not recorded.
    source : Source
    """
    labels = list_timepoints(source)
    moment = np.where(scores.day != NO_DATE, scores.day, scores.timepoint)
    order = sort_rows(frame.position[scores.episode], moment, scores.measure)
    scores = scores.take(order)
    ids = [measure.instrument.id for measure in scores.measures]
    variants = [measure.variant for measure in scores.measures]
    return pd.DataFrame(
        {
            "episode_id": frame.name(scores.episode),
            "timepoint": _pick(scores.timepoint, labels),
            "day": pd.arrays.IntegerArray(
                np.where(scores.day == NO_DATE, 0, scores.day).astype(np.int64), scores.day == NO_DATE
            ),
            "instrument": _pick(scores.measure, ids),
            "variant": _pick(scores.measure, variants),
            "score": scores.score,
            "n_items_missing": _whole(scores.n_missing.astype(float), scores.n_missing < 0),
            "sessions_to_date": _whole(sessions[order], np.isnan(sessions[order])),
        }
    )


def _whole(numbers: np.ndarray, missing: np.ndarray) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(np.where(missing, 0, numbers).astype(np.int64), missing)


def _pick(codes: np.ndarray, names: Sequence[str | None]) -> pd.Categorical:
    """Return names by their positions as a categorical of those that occur, in their order."""
    used = [int(code) for code in np.unique(codes[codes >= 0]) if names[code] is not None]
    categories = list(dict.fromkeys(str(names[code]) for code in used))
    place = np.full(len(names) + 1, -1, dtype=np.int32)
    for code in used:
        place[code] = categories.index(str(names[code]))
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(categories, dtype="str"))
