"""Scores of one site beside those of the others: another unit, a copied column, a reversed scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import list_scales, read_facts
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments

#: A mean change counts as a direction when it is this many standard errors from none.
_CLEAR = 3.0


@dataclass(frozen=True)
class SiteGroups:
    """The scores of each measure at each site.

    Parameters
    ----------
    code : numpy.ndarray of int64
        Per assessment, ``measure * n_sites + site``.
    n_sites : int
    count, low, high : numpy.ndarray
        Per group: scores, the smallest and the largest.
    """

    code: np.ndarray = field(repr=False)
    n_sites: int
    count: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)

    def measure(self, code: int | np.signedinteger) -> int:
        """Return the position of a group's measure."""
        return int(code) // self.n_sites


def group_by_site(scores: Assessments, site: np.ndarray, n_sites: int) -> SiteGroups:
    """Group scores by measure and site."""
    code = scores.measure.astype(np.int64) * max(n_sites, 1) + site
    size = len(scores.measures) * max(n_sites, 1)
    known = ~np.isnan(scores.score)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, code[known], scores.score[known])
    np.maximum.at(high, code[known], scores.score[known])
    return SiteGroups(code, max(n_sites, 1), np.bincount(code[known], minlength=size), low, high)


def note_where(
    scores: Assessments,
    chosen: np.ndarray,
    problems: Problems,
    rule: str,
    what: str,
    outcome: str = "accept_with_warning",
    remedy: str | None = None,
) -> None:
    """Add a finding for each column that holds one of the chosen scores."""
    if not chosen.any():
        return
    for number, column in enumerate(scores.columns):
        records = scores.record[chosen & (scores.column == number)]
        problems.note(rule, outcome, what, records, column=column.header, remedy=remedy)


def note_sites(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: SiteGroups, problems: Problems
) -> np.ndarray:
    """Name sites whose scores look like another scale, or all the same.

    Returns
    -------
    numpy.ndarray of bool
        Assessments of sites that seem to record raw sums.
    """
    _note_narrow(scores, groups, problems)
    _note_constant(scores, groups, problems)
    return _note_raw_sums(scores, given, off_grid, groups, problems)


def _note_narrow(scores: Assessments, groups: SiteGroups, problems: Problems) -> None:
    """Ask about a site whose scores all lie in the lowest tenth of a wide instrument."""
    limits = read_facts("checks")["unit"]
    for code in np.flatnonzero(groups.count >= limits["narrow_fewest"]):
        instrument = scores.measures[groups.measure(code)].instrument
        span = instrument.maximum - instrument.minimum
        if instrument.unit != "points" or span < limits["narrow_range"]:
            continue
        if instrument.minimum < groups.high[code] <= instrument.minimum + limits["narrow"] * span:
            what = f"all scores of the {instrument.short_name} at a site lie in the lowest tenth of its range"
            note_where(
                scores, groups.code == code, problems, "SCORE_UNIT_SUSPECT", f"{what}; perhaps another scale"
            )


def _note_constant(scores: Assessments, groups: SiteGroups, problems: Problems) -> None:
    fewest = read_facts("checks")["constant"]["fewest"]
    for code in np.flatnonzero((groups.count >= fewest) & (groups.low == groups.high)):
        name = scores.measures[groups.measure(code)].instrument.short_name
        what = f"all scores of the {name} at a site are the same; perhaps copied down"
        note_where(scores, groups.code == code, problems, "SCORE_CONSTANT", what)


def _note_raw_sums(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: SiteGroups, problems: Problems
) -> np.ndarray:
    limits = read_facts("checks")["raw"]
    raw = np.zeros(len(given), dtype=bool)
    if not off_grid.any():
        return raw
    count = np.bincount(groups.code[given], minlength=len(groups.count))
    odd = np.bincount(groups.code[off_grid], minlength=len(groups.count))
    for code in np.flatnonzero((count >= limits["fewest"]) & (odd >= limits["odd"] * count)):
        instrument = scores.measures[groups.measure(code)].instrument
        factors = [scale.factor for scale in list_scales(instrument).values() if scale.factor > 1]
        if any(groups.high[code] * factor <= instrument.maximum for factor in factors):
            raw |= groups.code == code
    note_where(
        scores,
        raw,
        problems,
        "SCORE_UNIT_SUSPECT",
        "scores of a site that look like raw sums of an instrument recorded in percent",
        remedy="if they are, give the site a [[file]] of its own with scale = ... in its [[file.scores]]",
    )
    return raw


def note_reversed_sites(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    site: np.ndarray,
    n_sites: int,
    problems: Problems,
) -> None:
    """Name sites whose mean change of an instrument has the opposite sign of every other site's.

    The change is from an episode's first baseline to its mean follow-up score. A site counts with enough
    pairs and a mean change clearly different from none; of two sites the smaller is named.
    """
    if n_sites < 2:
        return
    fewest = read_facts("checks")["direction"]["fewest"]
    for number, measure in enumerate(scores.measures):
        here = (scores.measure == number) & ~np.isnan(scores.score)
        change, home = _measure_change(scores, here & is_baseline, here & is_follow_up, site)
        sign, count = _find_signs(change, home, n_sites, fewest)
        name = measure.instrument.short_name
        what = f"the {name} moves at a site against all others; perhaps its scale is reversed"
        for code in np.flatnonzero(sign):
            others = sign[(sign != 0) & (np.arange(n_sites) != code)]
            larger_of_two = len(others) == 1 and count[code] > count.sum() / 2
            if len(others) and not (others == sign[code]).any() and not larger_of_two:
                note_where(scores, here & (site == code), problems, "SCORE_DIRECTION_SUSPECT", what)


def _measure_change(
    scores: Assessments, baseline: np.ndarray, follow_up: np.ndarray, site: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of each episode that has both, and its site."""
    n_episodes = int(scores.episode.max(initial=-1)) + 1
    start = np.full(n_episodes, np.nan)
    start[scores.episode[baseline][::-1]] = scores.score[baseline][::-1]
    count = np.bincount(scores.episode[follow_up], minlength=n_episodes)
    total = np.bincount(scores.episode[follow_up], weights=scores.score[follow_up], minlength=n_episodes)
    home = np.zeros(n_episodes, dtype=np.int64)
    home[scores.episode] = site
    both = (count > 0) & ~np.isnan(start)
    return total[both] / count[both] - start[both], home[both]


def _find_signs(
    change: np.ndarray, home: np.ndarray, n_sites: int, fewest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction of each site's mean change (0 where unclear), and its number of pairs."""
    count = np.bincount(home, minlength=n_sites)
    size = np.maximum(count, 1)
    mean = np.bincount(home, weights=change, minlength=n_sites) / size
    square = np.bincount(home, weights=(change - mean[home]) ** 2, minlength=n_sites)
    error = np.sqrt(square / np.maximum(count - 1, 1) / size)
    clear = (count >= fewest) & (np.abs(mean) > _CLEAR * error)
    return np.where(clear, np.sign(mean), 0.0), count
