"""The smallest important change of a clinic's own patients, from a rating of change or another anchor."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from outcomes.analyses._anchor import Anchor, Cutoffs, correlate_ranks, find_cutoffs, list_ties, read_anchor
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    label_timepoint,
    percent,
    require_baseline,
    say,
)
from outcomes.analyses._grid import Grid, Rows, arrange_grid
from outcomes.analyses._interval import estimate_share
from outcomes.analyses._thresholds import compare_scores, read_rule
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError, FactsError
from outcomes.facts import Text, Threshold, read_facts
from outcomes.result import ALL, Result

__all__ = ["estimate_important_change"]

#: Statistic of a row to the field of the cut-offs, and its unit where it is not the instrument's.
_STATISTICS = {
    "mic_predictive": ("predictive", None),
    "mic_adjusted": ("adjusted", None),
    "mic_improved": ("adjusted_2022", None),
    "mic_roc": ("roc", None),
    "youden": ("youden", "proportion"),
    "auc": ("auc", "proportion"),
}
#: Share of the resamples that must have a cut-off before an interval is made of them.
_MOST_LOST = 0.1


def estimate_important_change(
    cohort: Cohort,
    *,
    anchor: str | None = None,
    improved: str | None = None,
    timepoint: str | None = None,
    reliability: float | None = None,
    conf_level: float = 0.95,
    resamples: int | None = None,
    seed: int = 20261123,
) -> Result:
    """Estimate the smallest important change (MIC) of this cohort's patients from an anchor.

    Predictive (Terluin 2015, J Clin Epidemiol 68:1388, doi 10.1016/j.jclinepi.2015.03.015), adjusted for the
    share improved (Terluin 2017, J Clin Epidemiol 83:90), improved adjustment (Terluin 2022, Qual Life Res
    31:1), and the ROC cut-off by Youden's index.

    Parameters
    ----------
    cohort : Cohort
    anchor : str, optional
        Instrument with which the patients were also assessed, ``id`` or ``id:variant``: a rating of change;
        the only one recorded where absent.
    improved : str, optional
        Who is improved by the anchor: the id of one of its thresholds of a state, or a rule such as
        ``state:>=3``; its default threshold where absent.
    timepoint : str, optional
        Follow-up; the primary one where absent.
    reliability : float, optional
        Reliability of the anchor, for the improved adjustment; an assumed one where absent.
    conf_level : float
        Level of the percentile bootstrap intervals, a proportion.
    resamples, seed : int
        Of the bootstrap, by patients.

    Returns
    -------
    Result
        For all patients with a baseline score, a score and an anchor then: ``mic_predictive``,
        ``mic_adjusted``, ``mic_improved`` and ``mic_roc`` in points of improvement (further ROC cut-offs that
        are as good: ``mic_roc_tied``), ``youden``, ``auc``, ``share_improved`` by the anchor, and Spearman's
        correlations of the anchor with improvement (``correlation_change``) and with the scores then and at
        the start (``correlation_follow_up``, ``correlation_baseline``; about equal and opposite where the
        anchor follows change). ``term`` is the anchor, ``level`` the rule of being improved.

    Raises
    ------
    AnalysisError
        When the anchor correlates with improvement by less than 0.30, too few patients stand on one side of
        it, or there is no such anchor, rule or time point.
    """
    require_baseline(cohort)
    chosen, facts = choose_timepoint(cohort, timepoint), read_facts("psychometrics")["anchor"]
    grid = arrange_grid(cohort)
    rating = read_anchor(cohort, grid, anchor, chosen)
    rule = _choose_rule(rating, improved)
    amount = grid.improvement[:, grid.column(chosen)]
    held = np.flatnonzero(~np.isnan(amount) & ~np.isnan(rating.score))
    mark = compare_scores(rating.score[held], rule.comparison, rule.value)
    correlation = _check_anchor(rating, grid, held, mark, amount, facts)
    reliability = facts["reliability"] if reliability is None else reliability
    resamples = facts["resamples"] if resamples is None else resamples
    sample = _Sample(amount[held], mark, grid.patient[held], reliability)
    rows = Rows(outcome=cohort.outcome, term=rating.name, level=rule.id, group=ALL, timepoint=chosen)
    _add_cutoffs(rows, cohort, sample, conf_level, resamples, seed)
    _add_anchor(rows, cohort, grid, rating, sample, held, correlation, conf_level)
    method = say(
        "important_change.method",
        time=label_timepoint(cohort, chosen),
        level=percent(conf_level),
        anchor=f"{rating.instrument.name}, {rating.instrument.version}",
        rule=f"{rule.comparison} {rule.value:g}",
        resamples=resamples,
        reliability=f"{reliability:g}",
        least=f"{facts['least_correlation']:g}",
    )
    warnings = [say("important_change.description", instrument=cohort.instrument.called_short)]
    if not rating.instrument.verified:
        warnings.append(say("unverified_instrument", instrument=rating.instrument.called))
    if rule.source and not rule.verified:
        warnings.append(say("responders.unverified", thresholds=rule.id))
    warnings += _doubt(cohort, rows, correlation, facts)
    return conclude("important_change", cohort, rows, method=method, warnings=warnings)


class _Sample:
    """Patients by improvement and anchor."""

    def __init__(self, change: np.ndarray, mark: np.ndarray, patient: np.ndarray, reliability: float) -> None:
        # Ties of arithmetic (0.1 + 0.2) are one amount of change.
        self.change, self.place = np.unique(np.round(change, 9), return_inverse=True)
        self.mark, self.reliability = mark, reliability
        patients, who = np.unique(patient, return_inverse=True)
        # Patients stand in the order of what they say, so that no draw depends on their ids.
        powers = [weight * self.place**power for weight in (mark, ~mark) for power in (0, 1, 2)]
        order = np.lexsort([np.bincount(who, power) for power in powers])
        self.patients, self.who = patients[order], np.argsort(order)[who]

    def count(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many improved and other patients stand at each change, one row per row of weights."""
        weighted = np.atleast_2d(weights)[:, self.who]
        size = len(self.change)
        counted = [np.zeros((len(weighted), size)) for _ in range(2)]
        for number, row in enumerate(weighted):
            for counts, which in zip(counted, (self.mark, ~self.mark), strict=True):
                counts[number] = np.bincount(self.place[which], row[which], minlength=size)
        return counted[0], counted[1]

    def find(self, weights: np.ndarray) -> Cutoffs:
        return find_cutoffs(self.change, *self.count(weights), self.reliability)


def _choose_rule(rating: Anchor, improved: str | None) -> Threshold:
    instrument = rating.instrument
    rule = read_rule(improved) if improved is not None else instrument.default_threshold
    try:
        rule = rule or (instrument.threshold(improved) if improved is not None else None)
    except FactsError as error:
        raise AnalysisError(f"{error} Or write a rule, such as improved='state:>=3'.") from None
    if rule is None or rule.rule != "state":
        raise AnalysisError(
            f"{instrument.name}: say who is improved by it, such as improved='state:>=3', or by the id of "
            "one of its thresholds of a state."
        )
    return rule


def _check_anchor(
    rating: Anchor, grid: Grid, held: np.ndarray, mark: np.ndarray, amount: np.ndarray, facts: dict[str, Any]
) -> float:
    fewest = min(len(np.unique(grid.patient[held[side]])) for side in (mark, ~mark))
    if fewest < facts["least_patients"]:
        raise AnalysisError(
            f"{rating.instrument.name}: {facts['least_patients']} patients are needed on either side of "
            f"improved, with a score at the start and then; there are {len(held)} in all."
        )
    correlation = correlate_ranks(rating.instrument.sign * rating.score[held], amount[held])
    if not correlation >= facts["least_correlation"]:
        turned = " It is negative: check how the anchor is coded."
        hint = turned if correlation <= -facts["least_correlation"] else ""
        raise AnalysisError(
            f"{rating.instrument.name} correlates with improvement by {correlation:.2f} (Spearman); at least "
            f"{facts['least_correlation']:g} is needed before it can say what change matters.{hint}"
        )
    return correlation


def _add_cutoffs(
    rows: Rows, cohort: Cohort, sample: _Sample, conf_level: float, resamples: int, seed: int
) -> None:
    n = len(sample.patients)
    found = sample.find(np.ones(n))
    drawn = sample.find(np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples))
    for statistic, (name, unit) in _STATISTICS.items():
        value = float(getattr(found, name)[0])
        bounds = _bound(getattr(drawn, name), conf_level) if np.isfinite(value) else {}
        state = "ok" if np.isfinite(value) else "separated"
        unit = unit or cohort.instrument.unit
        rows.add(_sides(sample), statistic=statistic, estimate=value, **bounds, n=n, state=state, unit=unit)
    better, others = (counts[0] for counts in sample.count(np.ones(n)))
    for tie in list_ties(sample.change, better, others)[1:]:
        place = {"statistic": "mic_roc_tied", "unit": cohort.instrument.unit}
        rows.add(_sides(sample), **place, x=tie, estimate=tie, n=n)


def _sides(sample: _Sample) -> dict[str, np.ndarray]:
    return {
        "all": np.sort(sample.patients),
        "with": np.unique(sample.patients[sample.who[sample.mark]]),
        "without": np.unique(sample.patients[sample.who[~sample.mark]]),
    }


def _bound(drawn: np.ndarray, conf_level: float) -> dict[str, float]:
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < (1 - _MOST_LOST) * len(drawn):
        return {}
    tail = (1 - conf_level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return {"conf_low": float(low), "conf_high": float(high)}


def _add_anchor(
    rows: Rows,
    cohort: Cohort,
    grid: Grid,
    rating: Anchor,
    sample: _Sample,
    held: np.ndarray,
    correlation: float,
    conf_level: float,
) -> None:
    n = len(sample.patients)
    share = estimate_share(int(sample.mark.sum()), len(held), n, conf_level)
    rows.add(_sides(sample), statistic="share_improved", **share, unit="proportion")
    signed = rating.instrument.sign * rating.score[held]
    column = grid.column(str(rows.shared["timepoint"]))
    scores = {"follow_up": grid.score[held, column], "baseline": grid.baseline[held]}
    found = {"change": correlation} | {
        name: correlate_ranks(signed, cohort.instrument.sign * score) for name, score in scores.items()
    }
    for name, value in found.items():
        state = "ok" if np.isfinite(value) else "degenerate"
        columns = {"estimate": value, "unit": "correlation", "state": state}
        rows.add_of(np.sort(sample.patients), statistic=f"correlation_{name}", **columns)


def _doubt(cohort: Cohort, rows: Rows, correlation: float, facts: dict[str, Any]) -> Iterator[Text]:
    """Say what makes the estimates weak: a loose anchor, sides that overlap, an amount within the error."""
    if correlation < facts["good_correlation"]:
        yield say("important_change.loose", good=f"{facts['good_correlation']:g}")
    found = {row["statistic"]: row["estimate"] for row in rows.table if row.get("state", "ok") == "ok"}
    if found.get("auc", 1.0) < facts["least_auc"]:
        yield say("important_change.overlapping", least=f"{facts['least_auc']:g}")
    amount = found.get("mic_improved")
    own = Threshold("mic_improved", "MIC", "absolute", amount or 0.0, "individual", "", "", True)
    error = cohort.instrument.find_larger_error(own) if amount is not None else None
    if error is not None:
        unit = cohort.instrument.called_unit
        yield say("responders.within_error", threshold=own.id, error=f"{error:g}", unit=unit)
