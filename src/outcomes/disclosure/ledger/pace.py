"""How often a number could be updated with a clinic's number of new patients, before anything is released."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Cadence to the months of one release.
CADENCES = {"monthly": 1, "quarterly": 3}


@dataclass(frozen=True)
class Pace:
    """How often a number would have been updated, had it been released at every slot."""

    cadence: str
    #: Patients who joined between two releases, the median; NaN where there were no two.
    n_new: float
    #: Releases at which somebody had joined since the number was last shown.
    n_updates: int
    #: Those of them at which fewer than k had, so that it would have stayed as it was.
    n_held: int


def follow_pace(days: np.ndarray, until: np.datetime64, k: int, cadence: str, months: int = 24) -> Pace:
    """Follow one number through the releases of the last `months`, one after each whole month or quarter.

    `days` are those (datetime64) on which each patient joined: was seen at the number's time point.
    `until` is the last day of the records. The number is shown first with `k` patients, and again
    whenever `k` more have joined.

    Examples
    --------
    Four patients join on the first of each month; of six releases those in March and June show all of them.

    >>> days = np.repeat(np.arange("2026-01", "2026-07", dtype="datetime64[M]"), 4).astype("datetime64[D]")
    >>> follow_pace(days, np.datetime64("2026-07-01"), 11, "monthly")
    Pace(cadence='monthly', n_new=4.0, n_updates=3, n_held=2)
    """
    step = CADENCES[cadence]
    joined = np.sort(_count_months(days))
    last = int(_count_months(np.array([until]))[0]) // step * step
    first = int(joined[0]) // step * step if joined.size else last
    ends = np.arange(first + step, last + 1, step)
    known = np.searchsorted(joined, ends, side="left")
    counted = ends > last - months
    shown = n_updates = n_held = 0
    for n, counts in zip(known.tolist(), counted.tolist(), strict=True):
        was_shown, waits = shown > 0, n - shown < k
        if was_shown and counts and n > shown:
            n_updates += 1
            n_held += waits
        shown = shown if waits else n
    new = np.diff(known)[counted[1:]]
    return Pace(cadence, float(np.median(new)) if new.size else float("nan"), n_updates, n_held)


def _count_months(days: np.ndarray) -> np.ndarray:
    """Return months since the beginning of 1970."""
    return days.astype("datetime64[M]").astype("int64")


def read_days(start: pd.Series, day: pd.Series) -> np.ndarray:
    """Return calendar days from a start and the days since it; those without either are left out."""
    found = pd.to_datetime(start.to_numpy()) + pd.to_timedelta(day.to_numpy(dtype="float64"), unit="D")
    return found.dropna().to_numpy().astype("datetime64[D]")
