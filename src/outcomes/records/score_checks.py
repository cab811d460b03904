"""Checks of scores against their instrument and against each other, vectorised over all assessments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.assessments import Assessments
from outcomes.records.measures import Measure
from outcomes.records.problems import Problems

_TOLERANCE = 1e-6


def check_scores(scores: Assessments, site: np.ndarray, n_sites: int, problems: Problems) -> np.ndarray:
    """Refuse scores that cannot be right and name those that look wrong.

    Parameters
    ----------
    scores : Assessments
        Of records not refused so far.
    site : numpy.ndarray of int32
        Site of each assessment, 0 where the source has none.
    n_sites : int
    problems : Problems

    Returns
    -------
    numpy.ndarray of bool
        Which assessments have a score that stays.
    """
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    high = np.array([measure.instrument.maximum for measure in scores.measures])[scores.measure]
    outside = (scores.score < low) | (scores.score > high)
    group = scores.measure.astype(np.int64) * max(n_sites, 1) + site
    if outside.any():
        outside &= ~_refuse_wrong_unit(scores, outside, group, n_sites, problems)
        _refuse_outside(scores, outside, problems)
    _note_narrow(scores, group, n_sites, problems)
    _note_off_grid(scores, ~outside, group, n_sites, problems)
    _note_constant(scores, group, n_sites, problems)
    return ~outside


def _describe(measure: Measure) -> str:
    instrument = measure.instrument
    return f"{instrument.short_name} from {instrument.minimum:g} to {instrument.maximum:g}"


def _refuse_outside(scores: Assessments, outside: np.ndarray, problems: Problems) -> None:
    sentinel = outside & np.isin(scores.score, read_facts("checks")["sentinel_scores"])
    for number, column in enumerate(scores.columns):
        for rule, chosen, what in (
            ("SCORE_SENTINEL", sentinel, "a number that often stands for missing, outside the range"),
            ("SCORE_RANGE", outside & ~sentinel, "a score outside the range of its instrument"),
        ):
            here = chosen & (scores.column == number)
            if not here.any():
                continue
            ranges = ", ".join(
                sorted({_describe(scores.measures[i]) for i in np.unique(scores.measure[here])})
            )
            remedy = "if it means missing, add it to [[file]]: missing_codes.score = [...]"
            records = scores.record[here]
            if column.part.is_wide:
                problems.refuse_cells(
                    records, rule, f"{what} ({ranges})", column=column.header, remedy=remedy
                )
            else:
                problems.refuse(records, rule, f"{what} ({ranges})", column=column.header, remedy=remedy)


def _refuse_wrong_unit(
    scores: Assessments, outside: np.ndarray, group: np.ndarray, n_sites: int, problems: Problems
) -> np.ndarray:
    """Refuse the file where most scores of an instrument, or of a site, are out of range by one factor.

    Returns
    -------
    numpy.ndarray of bool
        The assessments of those instruments and sites.
    """
    limits = read_facts("checks")
    suspect = np.zeros(len(group), dtype=bool)
    for code in np.unique(group[outside]):
        here = group == code
        values = scores.score[here & ~np.isnan(scores.score)]
        share = outside[here].sum() / max(len(values), 1)
        if len(values) < limits["unit"]["fewest"] or share < limits["share"]["unit"]:
            continue
        instrument = scores.measures[code // max(n_sites, 1)].instrument
        factor = next(
            (
                f
                for f in limits["unit"]["factors"]
                if np.all((values * f >= instrument.minimum) & (values * f <= instrument.maximum))
            ),
            None,
        )
        if factor is None:
            continue
        suspect |= here
        scales = ", ".join(f'"{name}"' for name in instrument.scales) or "none known"
        _note(
            scores, here & outside, problems, "SCORE_UNIT_SUSPECT", "refuse_file",
            f"most scores lie outside {_describe(scores.measures[code // max(n_sites, 1)])}, and all would fit times {factor:g}: "
            "the unit is not the declared one",
            f"add scale = ... to its [[file.scores]] (of the {instrument.short_name}: {scales}), or correct the file",
        )  # fmt: skip
    return suspect


def _note(
    scores: Assessments,
    chosen: np.ndarray,
    problems: Problems,
    rule: str,
    outcome: str,
    what: str,
    remedy: str | None = None,
) -> None:
    for number, column in enumerate(scores.columns):
        here = chosen & (scores.column == number)
        if here.any():
            problems.note(rule, outcome, what, scores.record[here], column=column.header, remedy=remedy)


def _split(scores: Assessments, group: np.ndarray, n_groups: int) -> Sequence[np.ndarray]:
    """Return count, sum, smallest and largest score of each group."""
    known = ~np.isnan(scores.score)
    codes, values = group[known], scores.score[known]
    count = np.bincount(codes, minlength=n_groups)
    low, high = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
    np.minimum.at(low, codes, values)
    np.maximum.at(high, codes, values)
    return count, low, high


def _note_narrow(scores: Assessments, group: np.ndarray, n_sites: int, problems: Problems) -> None:
    """Ask about a site whose scores all lie in the lowest tenth of a wide instrument."""
    limits = read_facts("checks")["unit"]
    n_sites = max(n_sites, 1)
    count, _, high = _split(scores, group, len(scores.measures) * n_sites)
    for code in np.flatnonzero(count >= limits["narrow_fewest"]):
        instrument = scores.measures[code // n_sites].instrument
        span = instrument.maximum - instrument.minimum
        if instrument.unit != "points" or span < limits["narrow_range"]:
            continue
        if instrument.minimum < high[code] <= instrument.minimum + limits["narrow"] * span:
            _note(
                scores, group == code, problems, "SCORE_UNIT_SUSPECT", "accept_with_warning",
                f"all scores of the {instrument.short_name} lie in the lowest tenth of its range; perhaps another scale",
            )  # fmt: skip


def _note_off_grid(
    scores: Assessments, kept: np.ndarray, group: np.ndarray, n_sites: int, problems: Problems
) -> None:
    """Name scores between the steps of their instrument, and sites that seem to record raw sums."""
    step = np.array([measure.instrument.step or 0.0 for measure in scores.measures])[scores.measure]
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    given = kept & (step > 0) & (scores.n_missing < 0) & ~np.isnan(scores.score)
    places = np.divide(scores.score - low, step, out=np.zeros(len(step)), where=given)
    off = given & (np.abs(places - np.rint(places)) > _TOLERANCE)
    if not off.any():
        return
    off &= ~_note_raw_sums(scores, off, given, group, max(n_sites, 1), problems)
    _note(
        scores, off, problems, "SCORE_GRID", "accept_with_warning",
        "a score between the steps of its instrument; kept as recorded",
    )  # fmt: skip


def _note_raw_sums(
    scores: Assessments,
    off: np.ndarray,
    given: np.ndarray,
    group: np.ndarray,
    n_sites: int,
    problems: Problems,
) -> np.ndarray:
    """Ask about sites whose scores look like raw sums among sites that record percent.

    Returns
    -------
    numpy.ndarray of bool
        The assessments that look so.
    """
    limits = read_facts("checks")["raw"]
    n_groups = len(scores.measures) * n_sites
    count = np.bincount(group[given], minlength=n_groups)
    odd = np.bincount(group[off], minlength=n_groups)
    _, _, high = _split(scores, group, n_groups)
    raw = np.zeros(len(group), dtype=bool)
    for code in np.flatnonzero((count >= limits["fewest"]) & (odd >= limits["odd"] * count)):
        instrument = scores.measures[code // n_sites].instrument
        factors = [rule["factor"] for rule in instrument.scales.values() if rule.get("factor", 1) > 1]
        if any(high[code] * factor <= instrument.maximum for factor in factors):
            raw |= group == code
    _note(
        scores, raw, problems, "SCORE_UNIT_SUSPECT", "accept_with_warning",
        "scores of a site that look like raw sums of an instrument that others record in percent",
        "if they are, give the site a file of its own with scale = ... in its [[file.scores]]",
    )  # fmt: skip
    return raw


def _note_constant(scores: Assessments, group: np.ndarray, n_sites: int, problems: Problems) -> None:
    """Name sites all of whose scores are the same."""
    count, low, high = _split(scores, group, len(scores.measures) * max(n_sites, 1))
    fewest = read_facts("checks")["constant"]["fewest"]
    for code in np.flatnonzero((count >= fewest) & (low == high)):
        instrument = scores.measures[code // max(n_sites, 1)].instrument
        _note(
            scores, group == code, problems, "SCORE_CONSTANT", "accept_with_warning",
            f"all scores of the {instrument.short_name} at one site are the same; perhaps copied down",
        )  # fmt: skip
