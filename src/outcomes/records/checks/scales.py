"""On which scale scores are recorded: asked where numbers, headers or cells show another than is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log

import numpy as np

from outcomes.facts import OWN, find_shown, list_scales, read_facts
from outcomes.records.problems import Problems
from outcomes.records.scale_evidence import ScaleEvidence, judge_scale
from outcomes.records.scores import NO_ITEMS, Assessments, Measure, ScoreColumn, find_scale

#: Scores are looked at to so many decimals.
_DECIMALS = 4


@dataclass(frozen=True)
class _Group:
    """The recorded scores of one measure in the columns of one block of the source, under one declaration.

    ``place`` holds the position of each score's value among the distinct ``values``, as recorded.
    """

    measure: Measure
    declared: str | None
    columns: dict[int, ScoreColumn]
    rows: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    place: np.ndarray = field(repr=False)

    def judge(self, marked: np.ndarray | None = None, **evidence: object) -> ScaleEvidence:
        place = self.place if marked is None else self.place[marked]
        count = np.bincount(place, minlength=len(self.values))
        return judge_scale(self.measure.instrument, self.values, count, **evidence)  # type: ignore[arg-type]

    @property
    def labels(self) -> dict[str, None]:
        return dict.fromkeys(
            it for column in self.columns.values() for it in column.labels.get(self.measure.name, ())
        )


def ask_scales(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    site: np.ndarray,
    problems: Problems,
) -> np.ndarray:
    """Ask on which scale scores are recorded where there is a doubt, and note answers against the evidence.

    Parameters
    ----------
    scores : Assessments
        Of records not refused so far.
    is_baseline, is_follow_up : numpy.ndarray of bool
    site : numpy.ndarray of int
        Site of each assessment, 0 where the source has none.
    problems : Problems

    Returns
    -------
    numpy.ndarray of bool
        Which assessments are asked about.
    """
    asked = np.zeros(len(scores), dtype=bool)
    first = ("SCORE_OR_CHANGE", "SCORE_OR_OTHER")
    others = {it.column for it in problems.blocking if it.rule in first}
    for group in _list_groups(scores, others):
        effect = _measure_effect(scores, group, is_baseline, is_follow_up)
        if group.declared is None:
            for rows in _ask_group(scores, group, effect, site, problems):
                asked[rows] = True
        else:
            _note_answer(scores, group, effect, problems)
    return asked


def _list_groups(scores: Assessments, others: set[str | None]) -> Iterator[_Group]:
    """Yield the scores of each measure in each block: together for all columns declared alike."""
    blocks: list[object] = []
    for column in scores.columns:
        if column.part.spec not in blocks:
            blocks.append(column.part.spec)
    plain = (scores.n_missing == NO_ITEMS) & ~np.isnan(scores.score)
    for number, measure in enumerate(scores.measures):
        if len(list_scales(measure.instrument)) < 2 or measure.instrument.scale_required:
            continue
        alike: dict[tuple[int, str | None], dict[int, ScoreColumn]] = {}
        for place, column in enumerate(scores.columns):
            if measure in column.measures and _is_score(column, others):
                declared = find_scale(column.part, column.spec, measure)
                alike.setdefault((blocks.index(column.part.spec), declared), {})[place] = column
        here = plain & (scores.measure == number) if alike else plain
        for (_, declared), columns in alike.items():
            rows = np.flatnonzero(here & np.isin(scores.column, list(columns)))
            scale = list_scales(measure.instrument)[declared or OWN]
            if len(rows) and scale.per is None and not scale.by_table:
                recorded = np.round((scores.score[rows] - scale.offset) / scale.factor, _DECIMALS)
                yield _Group(measure, declared, columns, rows, *np.unique(recorded, return_inverse=True))


def _is_score(column: ScoreColumn, others: set[str | None]) -> bool:
    """Return whether a column holds recorded scores: no items, no changes, nothing that is asked first."""
    spec = column.spec
    if spec is not None and (spec.items or spec.holds not in (None, "score")):
        return False
    return column.header not in others


def _ask_group(
    scores: Assessments, group: _Group, effect: tuple[float, int] | None, site: np.ndarray, problems: Problems
) -> Iterator[np.ndarray]:
    """Ask about a whole measure, else about columns, files or sites that show another scale by themselves."""
    open_columns = dict(group.columns)
    by_header: dict[str, list[int]] = {}
    for place, column in group.columns.items():
        evidence = _judge_signs(scores, group, place, column)
        if evidence.certain:
            by_header.setdefault(str(evidence.suspected), []).append(place)
            del open_columns[place]
    for places in by_header.values():
        marked = np.isin(scores.column[group.rows], places)
        evidence = _judge_signs(scores, group, places[0], group.columns[places[0]])
        yield _ask(scores, group, marked, evidence, "", problems)
    left = np.isin(scores.column[group.rows], list(open_columns))
    if not left.any():
        return
    labels = [label for column in open_columns.values() for label in column.labels[group.measure.name]]
    evidence = group.judge(left, headers=labels, effect=effect)
    if evidence.suspected and not evidence.mixed:
        yield _ask(scores, group, left, evidence, "", problems)
        return
    n_asked = 0
    for where, part, found in _judge_parts(scores, group, left, site):
        n_asked += 1
        yield _ask(scores, group, part, found, where, problems)
    if evidence.mixed and not n_asked:
        yield _ask(scores, group, left, evidence, "", problems)


def _judge_parts(
    scores: Assessments, group: _Group, left: np.ndarray, site: np.ndarray
) -> Iterator[tuple[str, np.ndarray, ScaleEvidence]]:
    """Yield the columns, time points, sites and files on another scale than the rest, each score once."""
    fewest = read_facts("checks")["scale"]["fewest"]
    kinds = {
        "in one column": scores.column,
        "at one time point": scores.timepoint,
        "at one site": site,
        "in one file": _number_files(scores),
    }
    for where, all_kinds in kinds.items():
        kind = all_kinds[group.rows]
        found = np.unique(kind[left])
        for value in found if len(found) > 1 else ():
            part = left & (kind == value)
            evidence = group.judge(part, margin=log(len(found)))
            if evidence.suspected and not evidence.mixed and part.sum() >= fewest:
                left = left & ~part
                yield where, part, evidence


def _judge_signs(scores: Assessments, group: _Group, place: int, column: ScoreColumn) -> ScaleEvidence:
    """Judge one column by its header and by units in cells beside which others have none."""
    plain = scores.column[group.rows] == place
    units = {}
    if plain.any():
        units = {
            unit: n
            for unit, n in column.units.get(group.measure.name, {}).items()
            if OWN not in find_shown(group.measure.instrument, unit)
        }
    return group.judge(plain, headers=column.labels.get(group.measure.name, ()), units=units)


def _number_files(scores: Assessments) -> np.ndarray:
    starts = [column.part.place.start for column in scores.columns]
    return np.array(starts, dtype=np.int64)[scores.column]


def _ask(
    scores: Assessments,
    group: _Group,
    marked: np.ndarray,
    evidence: ScaleEvidence,
    where: str,
    problems: Problems,
) -> np.ndarray:
    """Ask on which scale some scores of a group are recorded, and return them."""
    rows = group.rows[marked]
    instrument, places = group.measure.instrument, np.unique(scores.column[rows])
    columns = [group.columns[int(place)] for place in places]
    headers = list(dict.fromkeys(column.header for column in columns))
    own = list_scales(instrument)[OWN].meaning
    others = [meaning for name, meaning in evidence.readings.items() if name != OWN]
    name = f"{instrument.short_name}{', ' + where if where else ''}"
    some = "are these" if evidence.mixed else "is it"
    what = f"{name}: {'; '.join(evidence.why)}; {some} recorded as {', or '.join(others)}, or as {own}?"
    answers = {}
    for name, meaning in evidence.readings.items():
        if columns[0].spec is None:
            line, place = f'[file.scales] {_quote(group.measure.name)} = "{name}"', ""
        else:
            line, place = f'scale = "{name}"', f"; in its [[file.scores]]: {', '.join(map(repr, headers))}"
        if evidence.mixed and name != OWN:
            line, meaning = "", "correct the file: all scores of a column on one scale"
        answers[line] = f"{own}, as it stands{place}" if name == OWN else f"{meaning}{place}"
        if where and where != "in one column":
            alone = where.removeprefix("at one ").removeprefix("in one ")
            answers[line] += f"; for all, else give that {alone} a [[file]] of its own, by only and without"
    first = columns[0].part.place
    inside = (scores.record[rows] >= first.start) & (scores.record[rows] < first.stop)
    header = headers[0] if len(headers) == 1 else None
    problems.ask("SCORE_SCALE", what, answers, scores.record[rows][inside], column=header)
    return rows


def _quote(name: str) -> str:
    return f'"{name}"' if ":" in name else name


def _note_answer(
    scores: Assessments, group: _Group, effect: tuple[float, int] | None, problems: Problems
) -> None:
    """Note a declared scale that the evidence contradicts."""
    instrument, declared = group.measure.instrument, str(group.declared)
    scales = list_scales(instrument)
    if effect is not None and scales[declared].factor < 0:
        effect = (-effect[0], effect[1])
    evidence = group.judge(headers=group.labels, effect=effect)
    against = evidence.suspected
    if declared != OWN:
        strong = 2 * read_facts("checks")["scale"]["weight"]
        weight = evidence.weights.get(declared, 0.0)
        best = max(evidence.weights, key=lambda name: evidence.weights[name], default=declared)
        if evidence.certain and evidence.shown:
            against = evidence.suspected if declared not in evidence.shown else None
        elif evidence.weights and max(evidence.weights[best], 0.0) - weight >= strong:
            against = best if evidence.weights[best] > 0 else OWN
        else:
            against = None
    if against is None:
        return
    meaning, other = scales[declared].meaning, scales[against].meaning
    problems.note(
        "SCORE_SCALE", "answered",
        f"the {instrument.short_name} is read as {meaning}, as the source says; "
        + ("; ".join(evidence.why) or f"its numbers look like {other}"),
        scores.record[group.rows],
        column=next(iter(group.columns.values())).header if len(group.columns) == 1 else None,
        said=f"The source says that the {instrument.short_name} is recorded as {meaning}, although it looks "
        f"like {other}.",
        measure=instrument.id,
    )  # fmt: skip


def _measure_effect(
    scores: Assessments, group: _Group, is_baseline: np.ndarray, is_follow_up: np.ndarray
) -> tuple[float, int] | None:
    """Return the mean improvement in standard deviations of it, and the number of pairs."""
    instrument = group.measure.instrument
    reversible = any(scale.factor < 0 for scale in list_scales(instrument).values())
    if instrument.direction == "none" or not reversible:
        return None
    episode, score = scores.episode[group.rows], scores.score[group.rows]
    start = np.full(int(episode.max()) + 1, np.nan)
    first, later = is_baseline[group.rows], is_follow_up[group.rows]
    start[episode[first]] = score[first]
    count = np.bincount(episode[later], minlength=len(start))
    total = np.bincount(episode[later], weights=score[later], minlength=len(start))
    both = (count > 0) & ~np.isnan(start)
    if both.sum() < 2:
        return None
    change = instrument.sign * (total[both] / count[both] - start[both])
    spread = float(change.std())
    return (float(change.mean()) / spread, int(both.sum())) if spread > 0 else None
