"""Differences in words: how much less pain, how much better function, whether told from none."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.disclosure import MINUS, Release
from outcomes.facts import read_facts, read_words
from outcomes.views.labels import Labels
from outcomes.views.released_rows import write_ends


def tells_apart(row: Any) -> bool:
    """Say whether a difference can be told from none, allowing for the number of comparisons.

    Where its interval leaves out 0 and its p-value, adjusted for the comparisons at its time point, is small;
    without a p-value by the interval alone.
    """
    if not row.shown:
        return False
    outside = bool(row.conf_low > 0 or row.conf_high < 0)
    return outside and (
        pd.isna(row.p_value) or row.p_value < read_facts("appearance")["answer"]["clear_below"]
    )


def say_better(labels: Labels, better: bool = True) -> str:
    """Say what a better or worse score means, in the words of its domain: ``less disability``."""
    words = read_words()
    domain = labels.instrument.domain.split("_")[0]
    known = words.list("sentences.domain")
    side = "better" if better else "worse"
    key = domain if domain in known else "other"
    if domain == "function":
        key = f"function_{labels.instrument.direction}"
    return words.say(f"sentences.domain.{key}.{side}", measure=labels.measure)


def say_amount(row: Any, labels: Labels, release: Release) -> str:
    """Say a clear difference with its interval: ``**9.3 points** less (95 % interval 6.6 to 12.0)``."""
    low, high = (text.lstrip(MINUS) for text in write_ends(row, release))
    if row.estimate < 0:
        low, high = high, low
    return read_words().say(
        "sentences.amount", amount=str(row.display).lstrip(MINUS), unit=labels.instrument.unit, low=low,
        high=high, side=_side(row.estimate),
    )  # fmt: skip


def say_between(row: Any, labels: Labels, release: Release) -> str:
    """Say an interval that holds none: ``from 3.1 points less to 1.2 more``."""
    low, high = write_ends(row, release)
    words = read_words()
    if row.conf_low < 0 < row.conf_high:
        return words.say(
            "sentences.from_to", low=low.lstrip(MINUS), high=high, unit=labels.instrument.unit,
            low_side=_side(-1), high_side=_side(1),
        )  # fmt: skip
    ends = sorted((low.lstrip(MINUS), high.lstrip(MINUS)), key=float)
    return words.say(
        "sentences.from_to_same",
        low=ends[0],
        high=ends[1],
        unit=labels.instrument.unit,
        side=_side(row.estimate),
    )


def _side(estimate: float) -> str:
    return read_words().say("sentences.more" if estimate > 0 else "sentences.less")
