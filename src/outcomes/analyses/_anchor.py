"""The score of another instrument against which change is held, and the cut-offs of change that it gives."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from outcomes.analyses._grid import Grid
from outcomes.cohort import Cohort
from outcomes.cohort.grid import find_follow_up, gather_rows
from outcomes.errors import AnalysisError
from outcomes.facts import Instrument, read_facts, read_instrument


@dataclass(frozen=True)
class Anchor:
    """A rating of change, or any other instrument, at one time point."""

    #: ``id`` or ``id:variant``.
    name: str
    instrument: Instrument
    #: One per episode of the grid; missing where not rated then.
    score: np.ndarray


def read_anchor(cohort: Cohort, grid: Grid, name: str | None, timepoint: str) -> Anchor:
    """Return the scores of an anchor, by the rule by which a follow-up score is chosen.

    Where no name is given, the only recorded rating of change is the anchor.
    """
    table, looking_back = cohort.assessments, read_facts("cohort")["domains_without_baseline"]
    others = [entry for entry in _list_measures(table) if entry != cohort.outcome]
    ratings = [entry for entry in others if read_instrument(entry).domain in looking_back]
    name = ratings[0] if name is None and len(ratings) == 1 else name
    if name is None:
        raise AnalysisError(_ask_for_anchor(others, ratings))
    if name not in others:
        raise AnalysisError(
            f"There is no anchor {name!r} in this cohort; name one of: {', '.join(others) or 'none'}."
        )
    id, _, variant = name.partition(":")
    own = table["variant"] == variant if variant else table["variant"].isna()
    scored = table[(table["instrument"] == id) & own & table["score"].notna()]
    rows = gather_rows(scored, grid.episodes["episode_id"], cohort.timepoints)
    code = list(cohort.timepoints).index(timepoint)
    found = find_follow_up(rows, cohort.timepoints[timepoint], code, len(grid.patient))
    return Anchor(name, read_instrument(name), np.append(rows.score, np.nan)[found])


def _ask_for_anchor(others: list[str], ratings: list[str]) -> str:
    """Say why no anchor is chosen, and which may be named."""
    if not others:
        return "No other measure than the outcome is recorded in this cohort, so there is no anchor."
    if not ratings:
        return f"No rating of change is recorded in this cohort; name an anchor, one of: {', '.join(others)}."
    return f"Several ratings of change are recorded; name the anchor, one of: {', '.join(ratings)}."


def _list_measures(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return []
    pairs = table[["instrument", "variant"]].drop_duplicates().astype("object").itertuples(index=False)
    return sorted(f"{id}:{variant}" if isinstance(variant, str) else str(id) for id, variant in pairs)


def correlate_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation; missing where one does not vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


_STEPS, _TOLERANCE = 50, 1e-10
#: A slope steeper than this, in standard deviations of change, has run away: the sides do not overlap.
_STEEPEST = 200.0


@dataclass(frozen=True)
class Cutoffs:
    """Cut-offs, one entry per sample; missing where a sample has none."""

    #: Of the logistic regression of being improved on change.
    intercept: np.ndarray
    slope: np.ndarray
    #: Predictive cut-off (Terluin 2015), adjusted for the share improved (2017), and improved adjustment
    #: (2022).
    predictive: np.ndarray
    adjusted: np.ndarray
    adjusted_2022: np.ndarray
    #: Smallest cut-off with the largest Youden index, that index, and the area under the curve.
    roc: np.ndarray
    youden: np.ndarray
    auc: np.ndarray
    #: Share of patients improved.
    share: np.ndarray


def find_cutoffs(change: np.ndarray, better: np.ndarray, others: np.ndarray, reliability: float) -> Cutoffs:
    """Find the cut-offs of one or many samples.

    `change` holds distinct amounts of improvement, ascending; `better` and `others`, shape (samples,
    amounts), how many patients with each are improved by the anchor and how many are not; `reliability` is
    the anchor's.
    """
    facts = read_facts("psychometrics")
    total, n = better + others, (better + others).sum(axis=1)
    share = better.sum(axis=1) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(share / (1 - share))
        sd, correlation = _measure_spread(change, better, total, n, share)
        intercept, slope = _regress(change, better, total, sd)
        predictive = (odds - intercept) / slope
        steps = facts["adjusted"]
        adjusted = predictive - (steps["constant"] + steps["slope"] * correlation) * sd * odds
        steps = facts["adjusted_2022"]
        weight = steps["factor"] / reliability - steps["constant"]
        adjusted_2022 = predictive - weight * sd * correlation * odds
        youden = _share_from(better) - _share_from(others)
        best = youden.max(axis=1)
        roc = np.append(np.nan, (change[1:] + change[:-1]) / 2)[np.argmax(_is_best(youden), axis=1)]
        below = np.cumsum(others, axis=1) - others / 2
        auc = (better * below).sum(axis=1) / (better.sum(axis=1) * others.sum(axis=1))
    return Cutoffs(intercept, slope, predictive, adjusted, adjusted_2022, roc, best, auc, share)


def list_ties(change: np.ndarray, better: np.ndarray, others: np.ndarray) -> list[float]:
    """Return all cut-offs whose Youden index is the largest, of one sample."""
    youden = _share_from(better[None, :]) - _share_from(others[None, :])
    best = np.flatnonzero(_is_best(youden)[0])
    middle = np.append(np.nan, (change[1:] + change[:-1]) / 2)
    return [float(middle[place]) for place in best if place]


def _is_best(youden: np.ndarray) -> np.ndarray:
    return np.asarray(youden >= youden.max(axis=1, keepdims=True) - _TOLERANCE)


def _measure_spread(
    change: np.ndarray, better: np.ndarray, total: np.ndarray, n: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mean = total @ change / n
    squares = total @ change**2 - n * mean**2
    sd = np.sqrt(np.maximum(squares, 0) / (n - 1))
    covariance = better @ change - n * share * mean
    return sd, covariance / np.sqrt(squares * n * share * (1 - share))


def _regress(
    change: np.ndarray, better: np.ndarray, total: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit logit(improved) = intercept + slope * change to every sample by Newton's method."""
    centre, scale = float(change.mean()), float(np.ptp(change)) or 1.0
    x = (change - centre) / scale
    a, b = np.zeros(len(better)), np.zeros(len(better))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -500, 500)))
        rest, weight = better - total * p, total * p * (1 - p)
        g0, g1 = rest.sum(axis=1), rest @ x
        h00, h01, h11 = weight.sum(axis=1), weight @ x, weight @ x**2
        determinant = h00 * h11 - h01**2
        step_a, step_b = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        a, b = a + np.clip(step_a, -5, 5), b + np.clip(step_b, -5, 5)
        if np.nanmax(np.abs(np.concatenate([step_a, step_b])), initial=0.0) < _TOLERANCE:
            break
    settled = (np.abs(step_a) < 1e-6) & (np.abs(step_b) < 1e-6) & (np.abs(b) * sd / scale < _STEEPEST)
    slope = np.where(settled, b / scale, np.nan)
    return np.where(settled, a - b * centre / scale, np.nan), slope


def _share_from(counts: np.ndarray) -> np.ndarray:
    """Return sensitivity, or false alarms, of calling improved all from each change on."""
    return np.asarray(np.cumsum(counts[:, ::-1], axis=1)[:, ::-1] / counts.sum(axis=1, keepdims=True))
