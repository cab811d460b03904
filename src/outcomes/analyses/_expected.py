"""Start, later score and improvement of all who began, from the scores of those who were seen later.

The mean that a model with two visits, the start and the later one, and a free covariance gives for all who
began. Where scores are missing at the later visit only, its maximum-likelihood estimate is closed (Anderson
1957, J Am Stat Assoc 52:200, doi 10.1080/01621459.1957.10501379): the mean of those seen, moved along the
least-squares slope of the later score on the start from the mean start of those seen to that of all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from outcomes.analyses._grid import Grid
from outcomes.analyses._interval import bound_mean, estimate_mean, quantile_t
from outcomes.facts import Instrument
from outcomes.result import BEGAN, Support

#: Patients who must have been seen before the scores of others are expected from theirs.
FEWEST = 5


@dataclass(frozen=True)
class Course:
    """What some episodes had at the start and have at a later time."""

    #: Positions of those with a score at the start, and of those of them seen at the later time.
    began: np.ndarray
    seen: np.ndarray
    #: Columns of a row: the mean expected later of all who began, and the improvement that this is.
    expected: dict[str, Any]
    improvement: dict[str, Any]
    #: The distinct patients behind both.
    support: Support


def describe_course(
    grid: Grid, instrument: Instrument, members: np.ndarray, column: int, conf_level: float
) -> Course:
    """Describe the course of some episodes, given by position, to the time point of a column.

    Of a measure without direction the improvement is the start less the later score, which no page says.
    """
    began = members[~np.isnan(grid.baseline[members])]
    seen = began[~np.isnan(grid.score[began, column])]
    ends = (instrument.minimum, instrument.maximum)
    expected, gained = estimate_course(
        grid.baseline[began], grid.score[began, column], grid.patient[began], conf_level, ends
    )
    modelled = len(seen) < len(began) and "estimate" in expected
    if modelled and not instrument.minimum <= expected["estimate"] <= instrument.maximum:
        expected = gained = {"n": expected["n"], "state": "out_of_range"}
    if instrument.direction == "higher_better":
        gained = _turn(gained)
    support = {"all": grid.patients(seen), BEGAN: grid.patients(began)}
    return Course(began, seen, expected, gained, support)


def _turn(found: dict[str, Any]) -> dict[str, Any]:
    ends = {"conf_low": "conf_high", "conf_high": "conf_low"}
    turned = {"estimate", *ends}
    return {ends.get(name, name): -value if name in turned else value for name, value in found.items()}


def estimate_course(
    start: np.ndarray,
    later: np.ndarray,
    patients: np.ndarray,
    conf_level: float,
    ends: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Estimate the mean later score of all episodes with a start, and mean start less it, as columns of rows.

    `later` is missing for those who were not seen. Where all were seen these are plain means. Else the
    variance is that of the estimate's influence function, residuals divided by the root of what their
    leverage leaves (HC2), summed by patient; degrees of freedom are the patients seen less two. Fewer than
    `FEWEST` patients seen of more: ``too_few``; all of them with one start, and others with another one:
    ``degenerate``. Where all seen have the same later score, or the same improvement, neither has an interval
    (``boundary``). `ends` are the lowest and the highest possible score; an interval that would leave them is
    taken on the logit scale.

    Five of six were seen; the slope is 0.5 and the mean start of those seen 30, of all 35:

    >>> start = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    >>> later = np.array([11.0, 14.0, 20.0, 24.0, 31.0, np.nan])
    >>> expected, gained = estimate_course(start, later, np.arange(6), 0.95)
    >>> expected["estimate"], gained["estimate"], expected["df"]
    (22.5, 12.5, 3)
    """
    seen = ~np.isnan(later)
    n_seen = len(np.unique(patients[seen]))
    gained = (start - later)[seen]
    reaches = (ends, (ends[0] - ends[1], ends[1] - ends[0]))
    alike = n_seen > 1 and min(np.ptp(later[seen]), np.ptp(gained)) == 0
    if not alike and (seen.all() or np.ptp(start) == 0):
        values = zip((later[seen], gained), reaches, strict=True)
        found = [estimate_mean(own, patients[seen], conf_level, ends=reach) for own, reach in values]
        return found[0], found[1]
    if n_seen < (2 if seen.all() else FEWEST):
        return {"n": n_seen, "state": "too_few"}, {"n": n_seen, "state": "too_few"}
    apart = start[seen] - start[seen].mean()
    spread = float((apart**2).sum())
    if spread == 0 and np.ptp(start) > 0:
        return {"n": n_seen, "state": "degenerate"}, {"n": n_seen, "state": "degenerate"}
    slope = float((apart * later[seen]).sum()) / spread if spread else 0.0
    shift = float(start.mean() - start[seen].mean())
    mean = float(later[seen].mean()) + slope * shift
    estimates = (mean, float(start.mean()) - mean)
    if alike:
        found = [{"estimate": one, "std_error": 0.0, "n": n_seen, "state": "boundary"} for one in estimates]
        return found[0], found[1]
    residuals = later[seen] - later[seen].mean() - slope * apart
    left = np.sqrt(np.maximum(1 - 1 / seen.sum() - apart**2 / spread, 1e-12))
    drawn = np.zeros(len(start))
    drawn[seen] = (1 / seen.sum() + shift * apart / spread) * residuals / left
    begun = (start - start.mean()) / len(start)
    influences = (slope * begun + drawn, (1 - slope) * begun - drawn)
    parts = zip(estimates, influences, reaches, strict=True)
    found = [_conclude(*part, patients, n_seen, conf_level) for part in parts]
    return found[0], found[1]


def _conclude(
    estimate: float,
    influence: np.ndarray,
    ends: tuple[float, float],
    patients: np.ndarray,
    n_seen: int,
    conf_level: float,
) -> dict[str, Any]:
    """Return the columns of a row, from what each episode adds to the estimate."""
    distinct, position = np.unique(patients, return_inverse=True)
    summed = np.bincount(position, weights=influence)
    n, df = len(distinct), n_seen - 2
    std_error = float(np.sqrt(n / (n - 1) * (summed**2).sum()))
    bounds = bound_mean(estimate, float(quantile_t(conf_level, df)) * std_error, ends)
    return {"estimate": estimate, "std_error": std_error, "df": df, **bounds, "n": n_seen, "state": "ok"}
