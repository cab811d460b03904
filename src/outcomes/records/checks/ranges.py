"""Scores against the range and the steps of their instrument, and those of one site beside those of others.

A site may record another unit, a copied column or a reversed scale.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outcomes.facts import OWN, Instrument, Lines, Text, list_scales, read_facts
from outcomes.records.problems import Answers, Values
from outcomes.records.scores.assessments import Assessments, find_ends, find_first_scores
from outcomes.records.scores.measures import NO_ITEMS, Measure, find_scale

_TOLERANCE = 1e-6
#: A mean change counts as a direction when it is this many standard errors from none.
_CLEAR = 3.0


def check_scores(scores: Assessments, asked: np.ndarray) -> np.ndarray:
    """Refuse scores that cannot be right and name those that look wrong; return which stay."""
    stays = np.ones(len(scores), dtype=bool)
    stays[~asked] = _check_open(scores.keep(~asked))
    return stays


def _check_open(scores: Assessments) -> np.ndarray:
    outside = (scores.score < scores.low) | (scores.score > scores.high)
    groups = _group_by_site(scores)
    if outside.any():
        outside &= ~_refuse_wrong_unit(scores, outside, groups)
        _refuse_outside(scores, outside)
    given, off = _find_off_grid(scores, ~outside)
    _doubt_narrow(scores, groups)
    _doubt_constant(scores, groups)
    off &= ~_doubt_raw_sums(scores, given, off, groups)
    for number in np.unique(scores.measure[off]):
        instrument = scores.measures[number].instrument
        error = (instrument.step or 0.0) / (instrument.maximum - instrument.minimum)
        chosen, name = off & (scores.measure == number), instrument.called_short
        _doubt(scores, "SCORE_GRID", chosen, error=error, instrument=name)
    return ~outside


def _describe(measure: Measure) -> Text:
    instrument = measure.instrument
    ends = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}"}
    return Text("findings.SCORE_RANGE.range", {"instrument": instrument.called_short, **ends})


def _refuse_outside(scores: Assessments, outside: np.ndarray) -> None:
    problems = scores.problems
    sentinel = outside & np.isin(scores.score, read_facts("checks")["sentinel_scores"])
    for number, column in enumerate(scores.columns):
        for rule, chosen in (("SCORE_SENTINEL", sentinel), ("SCORE_RANGE", outside & ~sentinel)):
            here = chosen & (scores.column == number)
            if not here.any():
                continue
            measures = (scores.measures[i] for i in np.unique(scores.measure[here]))
            ranges = Lines(tuple(sorted(set(map(_describe, measures)), key=str)), ", ")
            values = Values(column=column.header, ranges=ranges, scales=_name_scales(scores, here))
            refuse = problems.refuse_cells if column.part.is_wide else problems.refuse
            refuse(rule, scores.record[here], **values)


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


def _refuse_wrong_unit(scores: Assessments, outside: np.ndarray, groups: "_SiteGroups") -> np.ndarray:
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
        words: Values = {"span": _describe(measure), "factor": f"{factor:g}", "scales": scales}
        for column, records in scores.split(here & outside):
            rule, header = "SCORE_UNIT_SUSPECT.by_factor", column.header
            scores.problems.note(rule, records, "refuse_file", column=header, **words)
    return suspect


def _find_off_grid(scores: Assessments, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which recorded scores have an instrument with steps, and which of them lie between two."""
    step = np.array([measure.instrument.step or 0.0 for measure in scores.measures])[scores.measure]
    given = kept & (step > 0) & (scores.n_missing < 0) & ~np.isnan(scores.score)
    places = np.divide(scores.score - scores.low, step, out=np.zeros(len(step)), where=given)
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


def _group_by_site(scores: Assessments) -> _SiteGroups:
    """Group scores by measure and site."""
    code = scores.measure.astype(np.int64) * scores.n_sites + scores.site
    size = len(scores.measures) * scores.n_sites
    known = ~np.isnan(scores.score)
    low, high = find_ends(scores.score[known], code[known], size)
    return _SiteGroups(code, scores.n_sites, np.bincount(code[known], minlength=size), low, high)


def _doubt(
    scores: Assessments,
    rule: str,
    chosen: np.ndarray,
    *,
    error: float,
    answers: Answers | None = None,
    confirmed_by: tuple[str, ...] = (),
    **values: Any,
) -> None:
    """Tell a doubt about scores of one measure, with the answers that the source may give.

    ``error`` is the largest that one of them may be wrong, as a share of the range; ``confirmed_by`` are the
    names by which ``confirmed`` of the source says that they are right as they stand.
    """
    problems = scores.problems
    rows = np.flatnonzero(chosen)
    time = scores.timepoint.astype(np.int64) + 1
    alike = (scores.measure == scores.measure[rows[0]]) & ~np.isnan(scores.score)
    share = np.bincount(time[chosen]) / np.bincount(time[alike | chosen])[: time[chosen].max() + 1].clip(1)
    shift, measure = float(share.max()) * error, scores.measures[scores.measure[rows[0]]].instrument.id
    if answers:
        columns = [scores.columns[place] for place in np.unique(scores.column[rows])]
        told = {name for it in columns for name in it.part.spec.confirmed}
        told |= {name for it in columns if it.spec for name in it.spec.confirmed}
        header = columns[0].header if len(columns) == 1 else None
        asked: Values = {"answers": answers, "column": header, "confirmed": bool(told & set(confirmed_by))}
        problems.doubt(rule, scores.record[rows], shift, measure=measure, **asked, **values)
        return
    for column, records in scores.split(chosen):
        problems.doubt(rule, records, shift, measure=measure, column=column.header, **values)


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


def _doubt_narrow(scores: Assessments, groups: _SiteGroups) -> None:
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
        values: Values = {"n": int(groups.count[code]), "name": name, "error": 1 - limits["narrow"]}
        if groups.count[code] >= read_facts("checks")["scale"]["fewest"]:
            values |= {"answers": _give_scale("unit", scores, chosen), "confirmed_by": ("unit",)}
        _doubt(scores, "SCORE_UNIT_SUSPECT.narrow", chosen, **values)


def _doubt_constant(scores: Assessments, groups: _SiteGroups) -> None:
    """Doubt the scores of a site that are all the same, but those whose usual answer is one."""
    limits = read_facts("checks")
    open_columns = {finding.column for finding in scores.problems.blocking}
    equal = (groups.count >= limits["constant"]["fewest"]) & (groups.low == groups.high)
    for code in np.flatnonzero(equal):
        instrument, chosen = scores.measures[groups.measure(code)].instrument, groups.code == code
        headers = {scores.columns[place].header for place in np.unique(scores.column[chosen])}
        if headers <= open_columns:
            continue
        name, usual = _name_scores(groups, instrument), instrument.domain in limits["absence"]["never"]
        answers = {
            "": Text.of("findings.SCORE_CONSTANT.copied"),
            'confirmed = ["copied"]': Text.of("findings.site.as_they_stand"),
        }
        values: Values = {"n": int(groups.count[code]), "name": name, "error": 0.0 if usual else 1.0}
        if not usual:
            values |= {"answers": answers, "confirmed_by": ("copied", "constant", "zeros", "blanks")}
        _doubt(scores, "SCORE_CONSTANT", chosen, **values)


def _doubt_raw_sums(
    scores: Assessments, given: np.ndarray, off_grid: np.ndarray, groups: _SiteGroups
) -> np.ndarray:
    """Doubt the scale of a site whose scores lie between the steps as raw sums do; return its scores."""
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
        values: Values = {"n": int(odd[code]), "n_all": int(count[code])}
        values |= {"answers": _give_scale("unit", scores, chosen), "confirmed_by": ("unit",)}
        error = float(np.nanmean(scores.score[chosen])) * (min(fitting) - 1)
        error /= instrument.maximum - instrument.minimum
        values["name"] = _name_scores(groups, instrument)
        _doubt(scores, "SCORE_UNIT_SUSPECT.raw", chosen, error=error, **values)
    return raw


def _is_own(scores: Assessments, chosen: np.ndarray) -> bool:
    """Whether the source declares that scores are on the instrument's own scale."""
    measure = scores.measures[scores.measure[chosen][0]]
    columns = (scores.columns[place] for place in np.unique(scores.column[chosen]))
    return all(find_scale(it.part, it.spec, measure) == OWN for it in columns)


def note_reversed_sites(scores: Assessments) -> None:
    """Ask about sites whose mean change of an instrument has the opposite sign of every other site's.

    The change is from an episode's first baseline to its mean follow-up score. A site counts with enough
    pairs and a mean change clearly different from none; of two sites the smaller is asked about.
    """
    n_sites = scores.n_sites
    if n_sites < 2:
        return
    fewest = read_facts("checks")["direction"]["fewest"]
    for number, measure in enumerate(scores.measures):
        here = (scores.measure == number) & ~np.isnan(scores.score)
        change, home = _measure_change(scores, here)
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
                chosen = here & (scores.site == code)
                answers: Answers = {
                    "": Text.of("findings.SCORE_DIRECTION_SUSPECT.turn_round"),
                    'confirmed = ["direction"]': Text.of("findings.site.as_they_stand"),
                }
                if turned:
                    answers = _give_scale("direction", scores, chosen, f'"{turned[0]}"')
                values = Values(instrument=instrument.called_short, answers=answers)
                values |= {"error": 1.0, "confirmed_by": ("direction",)}
                _doubt(scores, "SCORE_DIRECTION_SUSPECT", chosen, **values)


def _measure_change(scores: Assessments, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of each episode that has both a start and follow-ups here, and its site."""
    start, follow_up = find_first_scores(scores, here & scores.is_baseline), here & scores.is_follow_up
    count = np.bincount(scores.episode[follow_up], minlength=len(start))
    total = np.bincount(scores.episode[follow_up], weights=scores.score[follow_up], minlength=len(start))
    home = np.zeros(len(start), dtype=np.int64)
    home[scores.episode] = scores.site
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
