"""Scores against the range and the steps of their instrument, and those of one site beside those of others.

A site may record another unit, a copied column or a reversed scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import OWN, Instrument, Lines, Text, list_scales, read_facts
from outcomes.records.problems import Answers, Problems, ScoreDoubt
from outcomes.records.scores import NO_ITEMS, Assessments, Measure, find_scale

_TOLERANCE = 1e-6
#: A mean change counts as a direction when it is this many standard errors from none.
_CLEAR = 3.0


def check_scores(
    scores: Assessments, asked: np.ndarray, site: np.ndarray, n_sites: int, problems: Problems
) -> np.ndarray:
    """Refuse scores that cannot be right and name those that look wrong; return which stay."""
    stays = np.ones(len(scores), dtype=bool)
    open_rows = np.flatnonzero(~asked)
    stays[open_rows] = _check_open(scores.keep(~asked), site[open_rows], n_sites, problems)
    return stays


def _check_open(scores: Assessments, site: np.ndarray, n_sites: int, problems: Problems) -> np.ndarray:
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    high = np.array([measure.instrument.maximum for measure in scores.measures])[scores.measure]
    outside = (scores.score < low) | (scores.score > high)
    groups = _group_by_site(scores, site, n_sites)
    if outside.any():
        outside &= ~_refuse_wrong_unit(scores, outside, groups, problems)
        _refuse_outside(scores, outside, problems)
    given, off = _find_off_grid(scores, ~outside)
    named = _note_sites(scores, given, off, groups, problems)
    for number in np.unique(scores.measure[off & ~named]):
        instrument = scores.measures[number].instrument
        what = Text.of("findings.SCORE_GRID.what")
        said = Text.of("findings.SCORE_GRID.said", instrument=instrument.called_short)
        error = (instrument.step or 0.0) / (instrument.maximum - instrument.minimum)
        doubt = ScoreDoubt("SCORE_GRID", instrument, what, said)
        _tell_doubt(doubt, scores, off & ~named & (scores.measure == number), problems, error=error)
    return ~outside


def _describe(measure: Measure) -> Text:
    instrument = measure.instrument
    ends = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}"}
    return Text("findings.SCORE_RANGE.range", {"instrument": instrument.called_short, **ends})


def _refuse_outside(scores: Assessments, outside: np.ndarray, problems: Problems) -> None:
    sentinel = outside & np.isin(scores.score, read_facts("checks")["sentinel_scores"])
    for number, column in enumerate(scores.columns):
        for rule, chosen in (("SCORE_SENTINEL", sentinel), ("SCORE_RANGE", outside & ~sentinel)):
            here = chosen & (scores.column == number)
            if not here.any():
                continue
            measures = (scores.measures[i] for i in np.unique(scores.measure[here]))
            ranges = Lines(tuple(sorted(set(map(_describe, measures)), key=str)), ", ")
            what = Text.of(f"findings.{rule}.what", ranges=ranges)
            remedy = Text.of("findings.SCORE_RANGE.remedy", scales=_name_scales(scores, here))
            refuse = problems.refuse_cells if column.part.is_wide else problems.refuse
            refuse(scores.record[here], rule, what, column=column.header, remedy=remedy)


def _name_scales(scores: Assessments, refused: np.ndarray) -> Lines | None:
    """Return the scales that hold all scores of a measure of which some are refused; None without any."""
    names = []
    for number in np.unique(scores.measure[refused]):
        score = scores.score[(scores.measure == number) & (scores.n_missing == NO_ITEMS)]
        for scale in list_scales(scores.measures[number].instrument).values():
            if scale.name == OWN or not score.size:
                continue
            if scale.low <= np.nanmin(score) and np.nanmax(score) <= scale.high:
                values = {"scale": scale.name, "meaning": scale.meaning}
                names.append(Text("findings.SCORE_RANGE.scale", values))
    return Lines(tuple(names), " or ") if names else None


def _refuse_wrong_unit(
    scores: Assessments, outside: np.ndarray, groups: _SiteGroups, problems: Problems
) -> np.ndarray:
    """Refuse the file where most scores of an instrument at a site are out of range by one factor."""
    limits = read_facts("checks")
    suspect = np.zeros(len(outside), dtype=bool)
    n_outside = np.bincount(groups.code[outside], minlength=len(groups.count))
    common = n_outside >= limits["share"]["unit"] * groups.count
    for code in np.flatnonzero(common & (n_outside > 0) & (groups.count >= limits["unit"]["fewest"])):
        measure = scores.measures[groups.measure(code)]
        low, high = measure.instrument.minimum, measure.instrument.maximum
        fitting = (
            factor
            for factor in limits["unit"]["factors"]
            if groups.low[code] * factor >= low and groups.high[code] * factor <= high
        )
        factor = next(fitting, None)
        if factor is None:
            continue
        here = groups.code == code
        suspect |= here
        scales = ", ".join(f'"{name}"' for name in measure.instrument.scales) or "none known"
        what = Text.of("findings.SCORE_UNIT_SUSPECT.by_factor", span=_describe(measure), factor=f"{factor:g}")
        remedy = Text.of("findings.SCORE_UNIT_SUSPECT.remedy", scales=scales)
        for column, records in scores.split(here & outside):
            rule, header = "SCORE_UNIT_SUSPECT", column.header
            problems.note(rule, "refuse_file", what, records, column=header, remedy=remedy)
    return suspect


def _find_off_grid(scores: Assessments, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which recorded scores have an instrument with steps, and which of them lie between two."""
    step = np.array([measure.instrument.step or 0.0 for measure in scores.measures])[scores.measure]
    low = np.array([measure.instrument.minimum for measure in scores.measures])[scores.measure]
    given = kept & (step > 0) & (scores.n_missing < 0) & ~np.isnan(scores.score)
    places = np.divide(scores.score - low, step, out=np.zeros(len(step)), where=given)
    return given, given & (np.abs(places - np.rint(places)) > _TOLERANCE)


@dataclass(frozen=True)
class _SiteGroups:
    """The scores of each measure at each site."""

    #: Per assessment, ``measure * n_sites + site``.
    code: np.ndarray = field(repr=False)
    n_sites: int
    #: Per group: scores, the smallest and the largest.
    count: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)

    def measure(self, code: int | np.signedinteger) -> int:
        """Return the position of a group's measure."""
        return int(code) // self.n_sites


def _group_by_site(scores: Assessments, site: np.ndarray, n_sites: int) -> _SiteGroups:
    """Group scores by measure and site."""
    code = scores.measure.astype(np.int64) * max(n_sites, 1) + site
    size = len(scores.measures) * max(n_sites, 1)
    known = ~np.isnan(scores.score)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, code[known], scores.score[known])
    np.maximum.at(high, code[known], scores.score[known])
    return _SiteGroups(code, max(n_sites, 1), np.bincount(code[known], minlength=size), low, high)


def _note_sites(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: _SiteGroups, problems: Problems
) -> np.ndarray:
    """Ask about sites whose scores look like another scale, or all the same; return those like raw sums."""
    _doubt_narrow(scores, groups, problems)
    _doubt_constant(scores, groups, problems)
    return _doubt_raw_sums(scores, given, off_grid, groups, problems)


def _tell_doubt(
    doubt: ScoreDoubt,
    scores: Assessments,
    chosen: np.ndarray,
    problems: Problems,
    *,
    error: float,
    names: tuple[str, ...] = (),
) -> None:
    """Tell a doubt about scores of one measure.

    ``error`` is the largest that one of them may be wrong, as a share of the range; ``names`` is what
    ``confirmed`` of the source names where they are right as they stand.
    """
    rows = np.flatnonzero(chosen)
    time = scores.timepoint.astype(np.int64) + 1
    alike = (scores.measure == scores.measure[rows[0]]) & ~np.isnan(scores.score)
    share = np.bincount(time[chosen]) / np.bincount(time[alike | chosen])[: time[chosen].max() + 1].clip(1)
    shift = float(share.max()) * error
    if doubt.question:
        columns = [scores.columns[place] for place in np.unique(scores.column[rows])]
        told = {name for it in columns for name in it.part.spec.confirmed}
        told |= {name for it in columns if it.spec for name in it.spec.confirmed}
        header = columns[0].header if len(columns) == 1 else None
        confirmed = bool(told & set(names))
        doubt.tell(problems, scores.record[rows], shift, column=header, confirmed=confirmed)
        return
    for column, records in scores.split(chosen):
        if len(records):
            doubt.tell(problems, records, shift, column=column.header)


def _give_scale(name: str, scores: Assessments, chosen: np.ndarray, scale: str = "...") -> Answers:
    """Return the answers to a doubt about the scale of one site."""
    spec = scores.columns[scores.column[chosen][0]].part.spec
    header = spec.columns.get("site")
    stand = {f'confirmed = ["{name}"]': Text.of("findings.site.as_they_stand")}
    if header is None or header.startswith("constants."):
        return {"": Text.of("findings.site.file_of_its_own", scale=scale), **stand}
    line = f'only = {{ column = "{header}", values = ["<that site>"] }}'
    return {line: Text.of("findings.site.second_block", scale=scale), **stand}


def _name_scores(groups: _SiteGroups, instrument: Instrument) -> Text:
    """Return the name of an instrument's scores, of one of several sites."""
    several = groups.n_sites > 2
    return Text.of("findings.site.scores", instrument=instrument.called_short, several=several)


def _doubt_narrow(scores: Assessments, groups: _SiteGroups, problems: Problems) -> None:
    """Doubt the scale of a site whose scores all lie in the lowest tenth of a wide instrument."""
    limits = read_facts("checks")["unit"]
    for code in np.flatnonzero(groups.count >= limits["narrow_fewest"]):
        instrument = scores.measures[groups.measure(code)].instrument
        span = instrument.maximum - instrument.minimum
        if instrument.unit != "points" or span < limits["narrow_range"]:
            continue
        if not instrument.minimum < groups.high[code] <= instrument.minimum + limits["narrow"] * span:
            continue
        chosen, name = groups.code == code, _name_scores(groups, instrument)
        if _is_own(scores, chosen):
            continue
        what = Text.of("findings.SCORE_UNIT_SUSPECT.narrow", n=groups.count[code], scores=name)
        said = Text.of("findings.SCORE_UNIT_SUSPECT.said_narrow", scores=name)
        enough = groups.count[code] >= read_facts("checks")["scale"]["fewest"]
        question = Text.of("findings.SCORE_UNIT_SUSPECT.another_scale") if enough else None
        answers = _give_scale("unit", scores, chosen)
        doubt = ScoreDoubt("SCORE_UNIT_SUSPECT", instrument, what, said, question, answers)
        _tell_doubt(doubt, scores, chosen, problems, error=1 - limits["narrow"], names=("unit",))


def _doubt_constant(scores: Assessments, groups: _SiteGroups, problems: Problems) -> None:
    """Doubt the scores of a site that are all the same, but those whose usual answer is one."""
    limits = read_facts("checks")
    open_columns = {finding.column for finding in problems.blocking}
    equal = (groups.count >= limits["constant"]["fewest"]) & (groups.low == groups.high)
    for code in np.flatnonzero(equal):
        instrument, chosen = scores.measures[groups.measure(code)].instrument, groups.code == code
        headers = {scores.columns[place].header for place in np.unique(scores.column[chosen])}
        if headers <= open_columns:
            continue
        name, usual = _name_scores(groups, instrument), instrument.domain in limits["absence"]["never"]
        what = Text.of("findings.SCORE_CONSTANT.what", n=groups.count[code], scores=name)
        said = Text.of("findings.SCORE_CONSTANT.said", scores=name)
        question = None if usual else Text.of("findings.SCORE_CONSTANT.question")
        answers = {
            "": Text.of("findings.SCORE_CONSTANT.copied"),
            'confirmed = ["copied"]': Text.of("findings.site.as_they_stand"),
        }
        doubt = ScoreDoubt("SCORE_CONSTANT", instrument, what, said, question, answers)
        names = ("copied", "constant", "zeros", "blanks")
        _tell_doubt(doubt, scores, chosen, problems, error=0.0 if usual else 1.0, names=names)


def _doubt_raw_sums(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: _SiteGroups, problems: Problems
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
        name = _name_scores(groups, instrument)
        what = Text.of("findings.SCORE_UNIT_SUSPECT.raw", n=odd[code], n_all=count[code], scores=name)
        said = Text.of("findings.SCORE_UNIT_SUSPECT.said_raw", scores=name)
        question = Text.of("findings.SCORE_UNIT_SUSPECT.raw_sums")
        answers = _give_scale("unit", scores, chosen)
        doubt = ScoreDoubt("SCORE_UNIT_SUSPECT", instrument, what, said, question, answers)
        error = float(np.nanmean(scores.score[chosen])) * (min(fitting) - 1)
        error /= instrument.maximum - instrument.minimum
        _tell_doubt(doubt, scores, chosen, problems, error=error, names=("unit",))
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
                answers: Answers = {
                    "": Text.of("findings.SCORE_DIRECTION_SUSPECT.turn_round"),
                    'confirmed = ["direction"]': Text.of("findings.site.as_they_stand"),
                }
                if turned:
                    answers = _give_scale("direction", scores, chosen, f'"{turned[0]}"')
                name = instrument.called_short
                what = Text.of("findings.SCORE_DIRECTION_SUSPECT.what", instrument=name)
                said = Text.of("findings.SCORE_DIRECTION_SUSPECT.said", instrument=name)
                question = Text.of("findings.SCORE_DIRECTION_SUSPECT.question")
                doubt = ScoreDoubt("SCORE_DIRECTION_SUSPECT", instrument, what, said, question, answers)
                _tell_doubt(doubt, scores, chosen, problems, error=1.0, names=("direction",))


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
