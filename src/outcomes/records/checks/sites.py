"""Scores of one site beside those of the others: another unit, a copied column, a reversed scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import OWN, Instrument, list_scales, read_facts
from outcomes.records.doubts import Doubt
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments, find_scale

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


def note_sites(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: SiteGroups, problems: Problems
) -> np.ndarray:
    """Ask about sites whose scores look like another scale, or all the same.

    Returns
    -------
    numpy.ndarray of bool
        Assessments of sites that seem to record raw sums.
    """
    _doubt_narrow(scores, groups, problems)
    _doubt_constant(scores, groups, problems)
    return _doubt_raw_sums(scores, given, off_grid, groups, problems)


def tell_doubt(
    doubt: Doubt,
    scores: Assessments,
    chosen: np.ndarray,
    problems: Problems,
    *,
    error: float,
    names: tuple[str, ...] = (),
    remedy: str | None = None,
) -> None:
    """Tell a doubt about scores of one measure.

    Parameters
    ----------
    doubt : Doubt
    scores : Assessments
    chosen : numpy.ndarray of bool
        Scores concerned.
    problems : Problems
    error : float
        The largest that one of them may be wrong, as a share of the range.
    names : tuple of str
        What ``confirmed`` of the source names where they are right as they stand.
    remedy : str, optional
    """
    rows = np.flatnonzero(chosen)
    time = scores.timepoint.astype(np.int64) + 1
    alike = (scores.measure == scores.measure[rows[0]]) & ~np.isnan(scores.score)
    share = np.bincount(time[chosen]) / np.bincount(time[alike | chosen])[: time[chosen].max() + 1].clip(1)
    shift = float(share.max()) * error
    columns = [scores.columns[place] for place in np.unique(scores.column[rows])]
    told = {
        name for it in columns for name in (*it.part.spec.confirmed, *(it.spec.confirmed if it.spec else ()))
    }
    confirmed = bool(told & set(names))
    if doubt.question:
        header = columns[0].header if len(columns) == 1 else None
        doubt.tell(problems, scores.record[rows], shift, column=header, confirmed=confirmed, remedy=remedy)
        return
    for number, column in enumerate(scores.columns):
        records = scores.record[chosen & (scores.column == number)]
        if len(records):
            doubt.tell(problems, records, shift, column=column.header, remedy=remedy)


def _list_answers(name: str, other: str, line: str = "") -> dict[str, str]:
    """Return the answers to a doubt about one site: what to mend, or that nothing is wrong."""
    return {
        line: other,
        f'confirmed = ["{name}"]': "in its [[file.scores]], or in [[file]]: they are right as they stand",
    }


def _give_scale(name: str, scores: Assessments, chosen: np.ndarray, scale: str = "...") -> dict[str, str]:
    """Return the answers to a doubt about the scale of one site."""
    spec = scores.columns[scores.column[chosen][0]].part.spec
    told = f"scale = {scale} in its [[file.scores]]"
    header = spec.columns.get("site")
    if header is None or header.startswith("constants."):
        return _list_answers(name, f"yes: give that site a file and a [[file]] block of its own, {told}")
    line = f'only = {{ column = "{header}", values = ["<that site>"] }}'
    other = f"yes: in a second [[file]] block of that file, {told}; in the first, without = the same"
    return _list_answers(name, other, line)


def _say_site(groups: SiteGroups, instrument: Instrument) -> str:
    where = " at one site" if groups.n_sites > 2 else ""
    return f"the {instrument.short_name}{where}"


def _doubt_narrow(scores: Assessments, groups: SiteGroups, problems: Problems) -> None:
    """Doubt the scale of a site whose scores all lie in the lowest tenth of a wide instrument."""
    limits = read_facts("checks")["unit"]
    for code in np.flatnonzero(groups.count >= limits["narrow_fewest"]):
        instrument = scores.measures[groups.measure(code)].instrument
        span = instrument.maximum - instrument.minimum
        if instrument.unit != "points" or span < limits["narrow_range"]:
            continue
        if not instrument.minimum < groups.high[code] <= instrument.minimum + limits["narrow"] * span:
            continue
        chosen, name = groups.code == code, _say_site(groups, instrument)
        if _is_own(scores, chosen):
            continue
        what = f"all {groups.count[code]} scores of {name} lie in the lowest tenth of its range"
        said = f"All scores of {name} lie in the lowest tenth of its range; they count as they stand."
        enough = groups.count[code] >= read_facts("checks")["scale"]["fewest"]
        doubt = Doubt(
            "SCORE_UNIT_SUSPECT", instrument, what, said,
            "are they recorded on another scale?" if enough else "",
            _give_scale("unit", scores, chosen),
        )  # fmt: skip
        tell_doubt(doubt, scores, chosen, problems, error=1 - limits["narrow"], names=("unit",))


def _doubt_constant(scores: Assessments, groups: SiteGroups, problems: Problems) -> None:
    """Doubt the scores of a site that are all the same, but those whose usual answer is one."""
    limits = read_facts("checks")
    open_columns = {finding.column for finding in problems.blocking}
    equal = (groups.count >= limits["constant"]["fewest"]) & (groups.low == groups.high)
    for code in np.flatnonzero(equal):
        instrument, chosen = scores.measures[groups.measure(code)].instrument, groups.code == code
        headers = {scores.columns[place].header for place in np.unique(scores.column[chosen])}
        if headers <= open_columns:
            continue
        name, usual = _say_site(groups, instrument), instrument.domain in limits["absence"]["never"]
        what = f"all {groups.count[code]} scores of {name} are the same"
        said = f"All scores of {name} are the same; they count as measured."
        other = "copied: correct the file, or exclude them ([[file.exclude]])"
        doubt = Doubt(
            "SCORE_CONSTANT", instrument, what, said, "" if usual else "were they measured, or copied down?",
            _list_answers("copied", other),
        )  # fmt: skip
        names = ("copied", "constant", "zeros", "blanks")
        tell_doubt(doubt, scores, chosen, problems, error=0.0 if usual else 1.0, names=names)


def _doubt_raw_sums(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: SiteGroups, problems: Problems
) -> np.ndarray:
    limits = read_facts("checks")["raw"]
    raw = np.zeros(len(given), dtype=bool)
    if not off_grid.any():
        return raw
    count = np.bincount(groups.code[given], minlength=len(groups.count))
    odd = np.bincount(groups.code[off_grid], minlength=len(groups.count))
    for code in np.flatnonzero((count >= limits["fewest"]) & (odd >= limits["odd"] * count)):
        instrument, chosen = scores.measures[groups.measure(code)].instrument, groups.code == code
        factors = [scale.factor for scale in list_scales(instrument).values() if scale.factor > 1]
        fitting = [factor for factor in factors if groups.high[code] * factor <= instrument.maximum]
        if not fitting or _is_own(scores, chosen):
            continue
        raw |= chosen
        name = _say_site(groups, instrument)
        what = f"{odd[code]} of {count[code]} scores of {name} lie between its steps, as raw sums do"
        said = f"Scores of {name} that look like raw sums count as they stand."
        doubt = Doubt(
            "SCORE_UNIT_SUSPECT", instrument, what, said, "are they raw sums?",
            _give_scale("unit", scores, chosen),
        )  # fmt: skip
        error = float(np.nanmean(scores.score[chosen])) * (min(fitting) - 1)
        error /= instrument.maximum - instrument.minimum
        tell_doubt(doubt, scores, chosen, problems, error=error, names=("unit",))
    return raw


def _is_own(scores: Assessments, chosen: np.ndarray) -> bool:
    """Whether the source declares that scores are on the instrument's own scale."""
    measure = scores.measures[scores.measure[chosen][0]]
    columns = (scores.columns[place] for place in np.unique(scores.column[chosen]))
    return all(find_scale(it.part, it.spec, measure) == OWN for it in columns)


def note_reversed_sites(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    site: np.ndarray,
    n_sites: int,
    problems: Problems,
) -> None:
    """Ask about sites whose mean change of an instrument has the opposite sign of every other site's.

    The change is from an episode's first baseline to its mean follow-up score. A site counts with enough
    pairs and a mean change clearly different from none; of two sites the smaller is asked about.
    """
    if n_sites < 2:
        return
    fewest = read_facts("checks")["direction"]["fewest"]
    for number, measure in enumerate(scores.measures):
        here = (scores.measure == number) & ~np.isnan(scores.score)
        change, home = _measure_change(scores, here & is_baseline, here & is_follow_up, site)
        sign, count = _find_signs(change, home, n_sites, fewest)
        instrument = measure.instrument
        what = f"{instrument.short_name} moves at one site against all others"
        turned = [
            name
            for name, scale in list_scales(instrument).items()
            if scale.factor < 0 and (scale.low, scale.high) == (instrument.minimum, instrument.maximum)
        ]
        for code in np.flatnonzero(sign):
            others = sign[(sign != 0) & (np.arange(n_sites) != code)]
            larger_of_two = len(others) == 1 and count[code] > count.sum() / 2
            if len(others) and not (others == sign[code]).any() and not larger_of_two:
                chosen = here & (site == code)
                answers = (
                    _give_scale("direction", scores, chosen, f'"{turned[0]}"') if turned
                    else _list_answers("direction", "yes: turn its scores round in the file")
                )  # fmt: skip
                said, question = (
                    f"The {what}; its scores count as they stand.",
                    "is its scale reversed there?",
                )
                doubt = Doubt("SCORE_DIRECTION_SUSPECT", instrument, f"the {what}", said, question, answers)
                tell_doubt(doubt, scores, chosen, problems, error=1.0, names=("direction",))


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
