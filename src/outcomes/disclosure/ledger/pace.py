"""How often a number can be brought up to date at a clinic's pace, before anything is released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

#: Cadence to the months of one release.
CADENCES = {"monthly": 1, "quarterly": 3}


@dataclass(frozen=True)
class Pace:
    """How a number would have fared, had it been released at every slot.

    Parameters
    ----------
    cadence : str
    n_new : float
        Patients who joined between two releases, the median; NaN where there were no two.
    n_updates : int
        Releases at which somebody had joined since the number was last shown.
    n_held : int
        Those of them at which fewer than k had, so that it would have stayed as it was.
    """

    cadence: str
    n_new: float
    n_updates: int
    n_held: int


def follow_pace(days: np.ndarray, until: np.datetime64, k: int, cadence: str, *, months: int = 24) -> Pace:
    """Follow one number through the releases of the last months.

    It is shown first when `k` patients stand behind it, and anew whenever `k` more have joined since.

    Parameters
    ----------
    days : array of datetime64
        On which each patient joined: was seen at the number's time point.
    until : datetime64
        Last day of the records; a release is made after each whole month or quarter before it.
    k : int
        Smallest number of patients.
    cadence : str
        One of `CADENCES`.
    months : int
        How far back releases are counted.

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


def expect_held(n_new: float, k: int = 11) -> float:
    """Return how often a number is held back where patients join at random and none waits already.

    Those who wait add up from release to release, so that it is an upper bound of what `follow_pace` finds.

    Parameters
    ----------
    n_new : float
        Mean number of patients who join between two releases (Poisson).
    k : int

    Returns
    -------
    float
        Chance that 1 to k - 1 join.

    Examples
    --------
    Of 3, 5, 8 and 12 patients a month, monthly and quarterly:

    >>> [f"{expect_held(n):.0%}" for n in (3, 5, 8, 12)]
    ['95%', '98%', '82%', '35%']
    >>> [f"{expect_held(3 * n):.0%}" for n in (3, 5, 8, 12)]
    ['71%', '12%', '0%', '0%']
    """
    return float(stats.poisson.cdf(k - 1, n_new) - stats.poisson.cdf(0, n_new))


def read_days(start: pd.Series, day: pd.Series) -> np.ndarray:
    """Return days on the calendar from a start and the days since; those without either are left out."""
    found = pd.to_datetime(start.to_numpy()) + pd.to_timedelta(day.to_numpy(dtype="float64"), unit="D")
    return found.dropna().to_numpy().astype("datetime64[D]")
