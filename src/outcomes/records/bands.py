"""What a score means beside its size: its band, and what a reader must see at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from outcomes.facts.instrument import Instrument
from outcomes.facts.scoring_rule import ScoringRule


def sort_into_bands(instrument: Instrument, score: ArrayLike) -> pd.Categorical[str]:
    """Return the band of each score.

    Parameters
    ----------
    instrument : Instrument
        As its variant sees it (`Instrument.narrow`).
    score : array-like of float

    Returns
    -------
    pandas.Categorical
        Labels in the order of the bands, from low to high scores; missing where the score is missing, outside
        the bands, or the instrument has none.

    Examples
    --------
    >>> from outcomes.facts import read_instrument
    >>> list(sort_into_bands(read_instrument("odi"), [20, 20.5]))
    ['minimal', 'moderate']
    """
    scores = np.asarray(score, dtype=np.float64)
    bands = instrument.bands
    labels = list(dict.fromkeys(str(band["label"]) for band in bands))
    if not bands:
        none = np.full(len(scores), -1, dtype=np.int8)
        return pd.Categorical.from_codes(none, categories=pd.Index([], dtype="str"))
    # A band that must not be reached ends just below its end, so that one search serves all.
    ends = np.array([np.nextafter(b["high"], -np.inf) if b.get("below") else float(b["high"]) for b in bands])
    place = np.searchsorted(ends, scores).astype(np.int16)
    place[~((scores >= bands[0]["low"]) & (scores <= ends[-1]))] = len(bands)
    codes = np.array([*(labels.index(str(band["label"])) for band in bands), -1], dtype=np.int8)
    return pd.Categorical.from_codes(codes[place], categories=pd.Index(labels, dtype="str"))


def find_flags(
    rule: ScoringRule, answers: NDArray[np.float64], score: NDArray[np.float64], numbers: tuple[int, ...]
) -> pd.DataFrame:
    """Return what a reader must see beside the scores: ``row``, ``item`` (0 for the score), ``meaning``."""
    found = []
    for flag in rule.flags:
        item = int(flag.get("item", 0))
        values = answers[:, item - 1] if item else score
        rows = np.flatnonzero(_is_flagged(flag, values)).tolist()
        found += [(row, numbers[item - 1] if item else 0, str(flag["meaning"])) for row in rows]
    return pd.DataFrame(sorted(found), columns=["row", "item", "meaning"])


def _is_flagged(flag: Mapping[str, Any], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    if "at_least" in flag:
        return values >= flag["at_least"]
    return values > flag["above"] if "above" in flag else values < flag["below"]
