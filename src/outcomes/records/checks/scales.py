"""What columns of scores hold: another scale, a change or another measure, asked where there is a doubt."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log

import numpy as np

from outcomes.facts import OWN, Lines, Text, Value, find_header_doubt, find_shown, list_scales, read_facts
from outcomes.records.problems import Answers, Values
from outcomes.records.scale_evidence import ScaleEvidence, judge_scale
from outcomes.records.scores.assessments import Assessments, find_first_scores
from outcomes.records.scores.measures import NO_ITEMS, Measure, ScoreColumn, find_scale

#: Scores are looked at to so many decimals.
_DECIMALS = 4
#: What to do where a column is not of its measure.
_OTHER = "leave its [[file.scores]] block out"


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


def ask_scales(scores: Assessments) -> np.ndarray:
    """Ask on which scale doubtful scores are, and note answers against the evidence; return the former."""
    asked = np.zeros(len(scores), dtype=bool)
    first = ("SCORE_OR_CHANGE", "SCORE_OR_OTHER")
    others = {it.column for it in scores.problems.blocking if it.rule in first}
    for group in _list_groups(scores, others):
        effect = _measure_effect(scores, group)
        if group.declared is None:
            for rows in _ask_group(scores, group, effect):
                asked[rows] = True
        else:
            _note_answer(scores, group, effect)
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


def _ask_group(scores: Assessments, group: _Group, effect: tuple[float, int] | None) -> Iterator[np.ndarray]:
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
        yield _ask(scores, group, marked, evidence, "")
    left = np.isin(scores.column[group.rows], list(open_columns))
    if not left.any():
        return
    labels = [label for column in open_columns.values() for label in column.labels[group.measure.name]]
    evidence = group.judge(left, headers=labels, effect=effect)
    if evidence.suspected and not evidence.mixed:
        yield _ask(scores, group, left, evidence, "")
        return
    n_asked = 0
    for where, part, found in _judge_parts(scores, group, left):
        n_asked += 1
        yield _ask(scores, group, part, found, where)
    if evidence.mixed and not n_asked:
        yield _ask(scores, group, left, evidence, "")


def _judge_parts(
    scores: Assessments, group: _Group, left: np.ndarray
) -> Iterator[tuple[str, np.ndarray, ScaleEvidence]]:
    """Yield the columns, time points, sites and files on another scale than the rest, each score once."""
    fewest = read_facts("checks")["scale"]["fewest"]
    starts = np.array([column.part.place.start for column in scores.columns], dtype=np.int64)
    kinds = {
        "column": scores.column,
        "timepoint": scores.timepoint,
        "site": scores.site,
        "file": starts[scores.column],
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
    units = {
        unit: n
        for unit, n in column.units.get(group.measure.name, {}).items()
        if plain.any() and OWN not in find_shown(group.measure.instrument, unit)
    }
    return group.judge(plain, headers=column.labels.get(group.measure.name, ()), units=units)


def _ask(
    scores: Assessments, group: _Group, marked: np.ndarray, evidence: ScaleEvidence, where: str
) -> np.ndarray:
    """Ask on which scale some scores of a group are recorded, and return them."""
    rows = group.rows[marked]
    instrument, places = group.measure.instrument, np.unique(scores.column[rows])
    columns = [group.columns[int(place)] for place in places]
    headers = list(dict.fromkeys(column.header for column in columns))
    others = tuple(meaning for name, meaning in evidence.readings.items() if name != OWN)
    values: dict[str, Value] = {
        "instrument": instrument.called_short,
        "own": list_scales(instrument)[OWN].meaning,
    }
    values |= {"where": where, "why": Lines(evidence.why, "; "), "mixed": evidence.mixed}
    name = group.measure.name
    of_file, block = columns[0].spec is None, ", ".join(map(repr, headers))
    alone = where if where != "column" else ""
    place = Text.of("findings.SCORE_SCALE.place", block="" if of_file else block, alone=alone)
    quoted = f'"{name}"' if ":" in name else name
    key = f"[file.scales] {quoted}" if of_file else "scale"
    answers = {}
    for scale, meaning in evidence.readings.items():
        line = f'{key} = "{scale}"'
        if scale == OWN:
            answers[line] = Text.of("findings.SCORE_SCALE.as_it_stands", meaning=meaning, place=place)
        elif evidence.mixed:
            answers[""] = Text.of("findings.SCORE_SCALE.correct_file", place=place)
        else:
            answers[line] = Text.of("findings.SCORE_SCALE.reading", meaning=meaning, place=place)
    header = headers[0] if len(headers) == 1 else None
    first = columns[0].part.place
    records = scores.record[rows]
    records = records[(records >= first.start) & (records < first.stop)]
    told = Lines(others, ", or ")
    scores.problems.ask("SCORE_SCALE.asked", answers, records, column=header, others=told, **values)
    return rows


def _note_answer(scores: Assessments, group: _Group, effect: tuple[float, int] | None) -> None:
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
    values: Values = {"instrument": instrument.called_short, "meaning": meaning, "other": other}
    why = (
        Lines(evidence.why, "; ") if evidence.why else Text.of("findings.SCORE_SCALE.looks_like", other=other)
    )
    header = next(iter(group.columns.values())).header if len(group.columns) == 1 else None
    values |= {"why": why, "column": header, "measure": instrument.id}
    scores.problems.note("SCORE_SCALE.answered", scores.record[group.rows], "answered", **values)


def _measure_effect(scores: Assessments, group: _Group) -> tuple[float, int] | None:
    """Return the mean improvement in standard deviations of it, and the number of pairs."""
    instrument = group.measure.instrument
    reversible = any(scale.factor < 0 for scale in list_scales(instrument).values())
    if instrument.direction == "none" or not reversible:
        return None
    episode, score = scores.episode[group.rows], scores.score[group.rows]
    start = np.full(int(episode.max()) + 1, np.nan)
    first, later = scores.is_baseline[group.rows], scores.is_follow_up[group.rows]
    start[episode[first]] = score[first]
    count = np.bincount(episode[later], minlength=len(start))
    total = np.bincount(episode[later], weights=score[later], minlength=len(start))
    both = (count > 0) & ~np.isnan(start)
    if both.sum() < 2:
        return None
    change = instrument.sign * (total[both] / count[both] - start[both])
    spread = float(change.std())
    return (float(change.mean()) / spread, int(both.sum())) if spread > 0 else None


def ask_changes(scores: Assessments) -> None:
    """Ask about columns whose header or values say that they hold something else than the score."""
    for number, column in enumerate(scores.columns):
        if column.spec is not None and (column.spec.items or column.spec.holds in ("change", "improvement")):
            continue
        for place, measure in enumerate(scores.measures):
            if measure not in column.measures:
                continue
            here = (scores.column == number) & (scores.measure == place) & ~np.isnan(scores.score)
            if not here.any() or measure.instrument.domain == "global_change":
                continue
            said = _read_header(column, measure, bool((here & ~scores.is_baseline).any()))
            later = here & scores.is_follow_up
            start = find_first_scores(scores, scores.is_baseline & (scores.measure == place))
            seen = _read_values(scores.score[later], start[scores.episode[later]], measure)
            if said or seen:
                _settle(column, measure, scores.record[here], said, seen)


def _read_header(column: ScoreColumn, measure: Measure, later: bool) -> str | None:
    """Return what the header makes doubtful; a change only after the start."""
    if column.spec is None:
        return None
    instrument = measure.instrument
    variant = instrument.name_variant(measure.variant) if measure.variant else ""
    names = (instrument.id, instrument.name, instrument.short_name, *instrument.aliases, variant)
    doubt = find_header_doubt(column.header, names)
    return doubt if doubt == "another" or later else None


def _read_values(score: np.ndarray, start: np.ndarray, measure: Measure) -> Text | None:
    """Return in counts how scores after the start behave as changes do; None where they do not."""
    limits, instrument = read_facts("checks")["change"], measure.instrument
    usable = ~np.isin(score, read_facts("checks")["sentinel_scores"])
    score, start = score[usable], start[usable]
    paired = ~np.isnan(start)
    below = score < 0
    if instrument.minimum >= 0 and below.sum() >= max(limits["fewest"], limits["share"] * len(score)):
        within = np.abs(score) <= instrument.maximum - instrument.minimum
        if paired.any() and within.all() and not (start < 0).any():
            ends = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}"}
            values: dict[str, Value] = {"n": int(below.sum()), "n_all": len(score), **ends}
            return Text("findings.SCORE_OR_CHANGE.below_zero", values)
    score, start = score[paired], start[paired]
    if len(score) < limits["fewest_pairs"] or not (score.std() and start.std()):
        return None
    span = instrument.maximum - instrument.minimum
    clear = np.arctanh(np.corrcoef(score, start)[0, 1].clip(-0.999, 0.999)) * np.sqrt(len(score) - 3)
    small, far = abs(score.mean()), start.mean() - score.mean()
    if clear > -limits["clear"] or small > limits["small"] * span or far < limits["far"] * span:
        return None
    return Text.of("findings.SCORE_OR_CHANGE.higher_start_lower_value", n=len(score))


def _settle(
    column: ScoreColumn, measure: Measure, records: np.ndarray, said: str | None, seen: Text | None
) -> None:
    """Ask what a column holds, or note that the source says that it is the score."""
    instrument, spec, problems = measure.instrument, column.spec, column.part.problems
    header = Text.of(f"findings.SCORE_OR_CHANGE.header_{said}") if said else None
    evidence = Text.of("findings.SCORE_OR_CHANGE.evidence", header=header, seen=seen)
    values: Values = {"instrument": instrument.called_short, "evidence": evidence, "column": column.header}
    if (spec is not None and spec.holds == "score") or "change" in column.part.spec.confirmed:
        problems.note("SCORE_OR_CHANGE.answered", records, "answered", measure=instrument.id, **values)
    elif said == "another":
        other: Answers = {
            'holds = "score"': Text.of("findings.SCORE_OR_OTHER.it_is"),
            _OTHER: Text.of("findings.SCORE_OR_OTHER.it_is_not"),
        }
        problems.ask("SCORE_OR_OTHER.asked", other, records, **values)
    else:
        problems.ask("SCORE_OR_CHANGE.asked", _list_contents(column), records, **values)


def _list_contents(column: ScoreColumn) -> Answers:
    if column.spec is None:
        return {'confirmed = ["change"]': Text.of("findings.SCORE_OR_CHANGE.scores_in_file")}
    answers = {'holds = "score"': Text.of("findings.SCORE_OR_CHANGE.scores")}
    if column.part.spec.rows == "episode":
        answers |= {
            'holds = "improvement"': Text.of("findings.SCORE_OR_CHANGE.improvements"),
            'holds = "change"': Text.of("findings.SCORE_OR_CHANGE.changes"),
        }
    return answers | {_OTHER: Text.of("findings.SCORE_OR_CHANGE.something_else")}
