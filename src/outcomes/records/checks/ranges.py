"""Scores against the range and the steps of their instrument, vectorised over all assessments."""

from __future__ import annotations

import numpy as np

from outcomes.facts import OWN, list_scales, read_facts
from outcomes.records.checks.sites import SiteGroups, group_by_site, note_sites, tell_doubt
from outcomes.records.doubts import Doubt
from outcomes.records.problems import Problems
from outcomes.records.scores import NO_ITEMS, Assessments, Measure

_TOLERANCE = 1e-6


def check_scores(
    scores: Assessments, asked: np.ndarray, site: np.ndarray, n_sites: int, problems: Problems
) -> np.ndarray:
    """Refuse scores that cannot be right and name those that look wrong.

    Parameters
    ----------
    scores : Assessments
        Of records not refused so far.
    asked : numpy.ndarray of bool
        Those of which it is asked on which scale they are; they stay.
    site : numpy.ndarray of int
        Site of each assessment, 0 where the source has none.
    n_sites : int
    problems : Problems

    Returns
    -------
    numpy.ndarray of bool
        Which assessments have a score that stays.
    """
    stays = np.ones(len(scores), dtype=bool)
    open_rows = np.flatnonzero(~asked)
    stays[open_rows] = _check_open(scores.keep(~asked), site[open_rows], n_sites, problems)
    return stays


def _check_open(scores: Assessments, site: np.ndarray, n_sites: int, problems: Problems) -> np.ndarray:
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    high = np.array([measure.instrument.maximum for measure in scores.measures])[scores.measure]
    outside = (scores.score < low) | (scores.score > high)
    groups = group_by_site(scores, site, n_sites)
    if outside.any():
        outside &= ~_refuse_wrong_unit(scores, outside, groups, problems)
        _refuse_outside(scores, outside, problems)
    given, off = _find_off_grid(scores, ~outside)
    named = note_sites(scores, given, off, groups, problems)
    for number in np.unique(scores.measure[off & ~named]):
        instrument = scores.measures[number].instrument
        what = "a score between the steps of its instrument; kept as recorded"
        said = f"Scores of the {instrument.short_name} between its steps count as recorded."
        error = (instrument.step or 0.0) / (instrument.maximum - instrument.minimum)
        doubt = Doubt("SCORE_GRID", instrument, what, said)
        tell_doubt(doubt, scores, off & ~named & (scores.measure == number), problems, error=error)
    return ~outside


def _describe(measure: Measure) -> str:
    instrument = measure.instrument
    return f"{instrument.short_name} from {instrument.minimum:g} to {instrument.maximum:g}"


def _refuse_outside(scores: Assessments, outside: np.ndarray, problems: Problems) -> None:
    sentinel = outside & np.isin(scores.score, read_facts("checks")["sentinel_scores"])
    rules = (
        ("SCORE_SENTINEL", sentinel, "a number that often stands for missing, outside the range"),
        ("SCORE_RANGE", outside & ~sentinel, "a score outside the range of its instrument"),
    )
    for number, column in enumerate(scores.columns):
        for rule, chosen, what in rules:
            here = chosen & (scores.column == number)
            if not here.any():
                continue
            ranges = sorted({_describe(scores.measures[i]) for i in np.unique(scores.measure[here])})
            missing = "if it means missing, add it to [[file]]: missing_codes.score = [...]"
            remedy = f"{_name_scales(scores, here)}{missing}"
            refuse = problems.refuse_cells if column.part.is_wide else problems.refuse
            what_range = f"{what} ({', '.join(ranges)})"
            refuse(scores.record[here], rule, what_range, column=column.header, remedy=remedy)


def _name_scales(scores: Assessments, refused: np.ndarray) -> str:
    """Return the scales that hold all scores of a measure of which some are refused, as part of a remedy."""
    names = []
    for number in np.unique(scores.measure[refused]):
        score = scores.score[(scores.measure == number) & (scores.n_missing == NO_ITEMS)]
        for scale in list_scales(scores.measures[number].instrument).values():
            if (
                scale.name != OWN
                and score.size
                and scale.low <= np.nanmin(score)
                and np.nanmax(score) <= scale.high
            ):
                names.append(f'scale = "{scale.name}" ({scale.meaning})')
    return f"all lie within {' or '.join(names)}: add it if it is meant; " if names else ""


def _refuse_wrong_unit(
    scores: Assessments, outside: np.ndarray, groups: SiteGroups, problems: Problems
) -> np.ndarray:
    """Refuse the file where most scores of an instrument at a site are out of range by one factor.

    Returns
    -------
    numpy.ndarray of bool
        The assessments of those instruments and sites.
    """
    limits = read_facts("checks")
    suspect = np.zeros(len(outside), dtype=bool)
    n_outside = np.bincount(groups.code[outside], minlength=len(groups.count))
    common = n_outside >= limits["share"]["unit"] * groups.count
    for code in np.flatnonzero(common & (n_outside > 0) & (groups.count >= limits["unit"]["fewest"])):
        measure = scores.measures[groups.measure(code)]
        factor = _find_factor(measure, groups.low[code], groups.high[code], limits["unit"]["factors"])
        if factor is None:
            continue
        here = groups.code == code
        suspect |= here
        scales = ", ".join(f'"{name}"' for name in measure.instrument.scales) or "none known"
        what = (
            f"most scores lie outside {_describe(measure)}, and all would fit times {factor:g}: "
            "the unit is not the declared one"
        )
        remedy = (
            f"add scale = ... to its [[file.scores]], or to [file.scales] of a long file (known: {scales}), "
            "or correct the file"
        )
        for number, column in enumerate(scores.columns):
            records = scores.record[here & outside & (scores.column == number)]
            problems.note(
                "SCORE_UNIT_SUSPECT", "refuse_file", what, records, column=column.header, remedy=remedy
            )
    return suspect


def _find_factor(measure: Measure, low: float, high: float, factors: list[float]) -> float | None:
    minimum, maximum = measure.instrument.minimum, measure.instrument.maximum
    fitting = (factor for factor in factors if low * factor >= minimum and high * factor <= maximum)
    return next(fitting, None)


def _find_off_grid(scores: Assessments, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which recorded scores have an instrument with steps, and which of them lie between two."""
    step = np.array([measure.instrument.step or 0.0 for measure in scores.measures])[scores.measure]
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    given = kept & (step > 0) & (scores.n_missing < 0) & ~np.isnan(scores.score)
    places = np.divide(scores.score - low, step, out=np.zeros(len(step)), where=given)
    return given, given & (np.abs(places - np.rint(places)) > _TOLERANCE)
