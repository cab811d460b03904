"""Absence that may be written as a value: forms all zero, constants after the start, and beside blanks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Instrument, read_facts
from outcomes.records.columns import find_missing, list_missing_codes
from outcomes.records.problems import Problems
from outcomes.records.scales import rescale
from outcomes.records.scores import Assessments, Measure, ScoreColumn
from outcomes.records.scoring import score_items


@dataclass(frozen=True)
class _Group:
    """The scores of one measure in one file, with the column (or block of items) that stands for them."""

    measure: Measure
    columns: Sequence[ScoreColumn]
    here: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    place: np.ndarray = field(repr=False)

    def count(self, rows: np.ndarray) -> np.ndarray:
        """Return how often each value occurs among rows."""
        return np.bincount(self.place[rows[self.here]], minlength=len(self.values))

    @property
    def spacing(self) -> float:
        """Return the usual distance of neighbouring values."""
        return float(np.median(np.diff(self.values))) if len(self.values) > 1 else np.inf


def ask_absences(
    scores: Assessments, is_baseline: np.ndarray, is_follow_up: np.ndarray, problems: Problems
) -> None:
    """Ask about values that may stand for a form that nobody filled in.

    Parameters
    ----------
    scores : Assessments
    is_baseline, is_follow_up : numpy.ndarray of bool
    problems : Problems
    """
    low = np.array([measure.instrument.minimum for measure in scores.measures])
    high = np.array([measure.instrument.maximum for measure in scores.measures])
    possible = (scores.score >= low[scores.measure]) & (scores.score <= high[scores.measure])
    counted = possible & ~_find_excluded(scores)
    groups = list(_group(scores, counted))
    for group in groups:
        stages = _list_stages(scores, is_baseline, is_follow_up)
        zero = _find_zero(group)
        found = zero is not None and next((rows for rows in stages if _is_spike(group, rows, zero)), None)
        if found is not None and found is not False:
            _settle_zeros(scores, group, group.here & found & (scores.score == zero), found, problems)
        value = next((it for rows in stages[1:] for it in _find_constants(group, is_baseline, rows)), None)
        if value is not None and value != zero:
            _settle_constant(scores, group, value, is_baseline, is_follow_up, problems)
    _ask_blanks(scores, problems)


def _find_excluded(scores: Assessments) -> np.ndarray:
    excluded = np.zeros(len(scores), dtype=bool)
    for number, column in enumerate(scores.columns):
        if (column.part.excluded >= 0).any():
            here = scores.column == number
            excluded[here] = column.part.excluded[scores.record[here] - column.part.place.start] >= 0
    return excluded


def _group(scores: Assessments, counted: np.ndarray) -> Iterator[_Group]:
    files = np.array([column.part.place.start for column in scores.columns])
    for start in np.unique(files):
        columns = [column for column in scores.columns if column.part.place.start == start]
        inside = counted & (files == start)[scores.column]
        for number, measure in enumerate(scores.measures):
            own = [column for column in columns if measure in column.measures]
            here = inside & (scores.measure == number) if own else inside
            if own and here.any():
                values, place = np.unique(scores.score[here], return_inverse=True)
                yield _Group(measure, own, here, values, place)


def _list_stages(scores: Assessments, is_baseline: np.ndarray, is_follow_up: np.ndarray) -> list[np.ndarray]:
    """Return the rows of the start, of all that follows, and of each time point after the start."""
    labels = np.unique(scores.timepoint[is_follow_up & (scores.timepoint >= 0)])
    each = [is_follow_up & (scores.timepoint == label) for label in labels] if len(labels) > 1 else []
    return [is_baseline, is_follow_up, *each]


def _find_zero(group: _Group) -> float | None:
    """Return the score of a form with 0 everywhere, None where it is no form of many items or has no 0."""
    instrument = group.measure.instrument
    rule, spec = instrument.scoring_rule, group.columns[0].spec
    span = instrument.maximum - instrument.minimum
    limits = read_facts("checks")["absence"]
    if instrument.kind != "prom" or rule.rule == "single" or group.spacing > limits["fine"] * span:
        return None
    if spec is not None and spec.items:
        found = score_items(instrument, np.zeros((1, len(spec.items))), variant=group.measure.variant).score[
            0
        ]
    else:
        scales = group.columns[0].part.spec.scales
        scale = spec.scale if spec else scales.get(group.measure.name, scales.get(instrument.id))
        found = rescale(instrument, 0.0, scale if scale in instrument.scales else None)
    return float(found) if instrument.minimum <= found <= instrument.maximum else None


def _is_spike(group: _Group, rows: np.ndarray, value: float) -> bool:
    """Whether a value is far more frequent than its neighbours allow, by any of the windows."""
    instrument = group.measure.instrument
    count = group.count(rows)
    n = int(count[group.values == value].sum())
    limits = read_facts("checks")["absence"]
    if n < max(limits["fewest"], limits["share"] * count.sum()):
        return False
    if count.sum() - n < limits["fewest"] or (count > 0).sum() - 1 < limits["fewest_values"]:
        return False
    distance = np.abs(group.values - value)
    coarse = instrument.scoring_rule.rule == "count_endorsed"  # of yes and no, many forms of the well are 0
    windows = limits["windows"][-1:] if coarse else limits["windows"]
    for width, usual in windows:
        reach = max(width * (instrument.maximum - instrument.minimum), 1.5 * group.spacing)
        near = int(count[(distance > 0) & (distance <= reach)].sum())
        most = usual * limits["coarse" if coarse else "clear"]
        if near <= most * (n + near) and _is_rare(near, n + near, usual):
            return True
    return False


def _is_rare(few: int, n: int, share: float, n_looks: int = 1) -> bool:
    """Whether so few of n are hardly possible in any of some looks at a share (Chernoff's bound)."""
    p, rest = few / n, 1 - few / n
    if p >= share:
        return False
    gain = (p * np.log(p / share) if p else 0.0) + (rest * np.log(rest / (1 - share)) if rest else 0.0)
    return bool(n_looks * np.exp(-n * gain) < read_facts("checks")["absence"]["chance"])


def _find_constants(group: _Group, is_baseline: np.ndarray, rows: np.ndarray) -> Iterator[float]:
    """Yield values that many follow-ups and hardly any start hold, and that have no neighbours."""
    instrument, facts = group.measure.instrument, read_facts("checks")
    limits = facts["absence"]
    if instrument.domain in limits["never"] or instrument.direction == "none":
        return
    before, after = group.count(is_baseline), group.count(rows)
    if min((before > 0).sum(), (after > 0).sum() - 1) < limits["fewest_values"]:
        return
    best = instrument.maximum if instrument.sign > 0 else instrument.minimum
    span = instrument.maximum - instrument.minimum
    often = after >= max(limits["fewest"], limits["constant"] * after.sum())
    code = np.isin(group.values, facts["sentinel_scores"]) & (after >= limits["fewest_sentinels"])
    reach = max(limits["near"] * span, 1.5 * max(group.spacing, instrument.step or 0.0))
    for place in np.flatnonzero(often | code):
        value, n = group.values[place], int(after[place])
        distance = np.abs(group.values - value)
        if code[place] and not (after + before)[(distance > 0) & (distance <= 2 * reach)].any():
            yield float(value)
        better = after[instrument.sign * group.values > instrument.sign * value].sum()
        # The well may all score the best that there is, or nearly: that is no sign of a blank.
        well = abs(value - best) <= limits["well"] * span and better <= 0.05 * after.sum()
        if not often[place] or well or value == instrument.censored_at:
            continue
        near = int(after[(distance > 0) & (distance <= reach)].sum())
        absent = before[place] <= n / after.sum() * before.sum() / 10
        absent = absent and _is_rare(int(before[place]), int(before.sum()), min(n / after.sum(), 0.99))
        if absent and near <= 0.2 * (n + near) and _is_rare(near, n + near, 0.5):
            yield float(value)


def _settle_zeros(
    scores: Assessments, group: _Group, zero: np.ndarray, stage: np.ndarray, problems: Problems
) -> None:
    name, n = group.measure.instrument.short_name, int(zero.sum())
    n_all = int((group.here & stage).sum())
    column = _find_column(scores, zero)
    if _is_settled(column):
        return
    if _is_confirmed(group, "zeros"):
        said = f"Forms of the {name} with 0 in every item are read as filled in."
        _note_confirmed(
            scores, zero, group, f"forms of the {name} that are all 0 count as answers", said, problems
        )
        return
    what = (
        f"{n} of {n_all} forms of the {name} are 0 throughout, and hardly any comes near that: were they "
        "filled in, or does 0 stand for a blank?"
    )
    problems.ask("FORM_ALL_ZERO", what, _list_zero_answers(column), scores.record[zero], column=column.header)


def _list_zero_answers(column: ScoreColumn) -> Mapping[str, str]:
    spec = column.spec
    status = 'answered = { column = "<header of the form\'s status>", values = ["<what says filled in>"] }'
    if spec is None:
        blank = _write_where(column, "0")
    elif spec.items:
        items = ", ".join(f'"{header}"' for header in spec.items)
        blank = f'missing_where = [{{ column = [{items}], values = ["0"], scores = ["{spec.instrument}"] }}]'
    else:
        blank = 'missing = ["0"]'
    where = "[[file]]" if spec is None or spec.items else "[[file.scores]]"
    own = "[[file]]" if spec is None else "[[file.scores]]"
    return {
        blank: f"in {where}: 0 stands for a blank",
        status: "in [[file]]: another column says which forms were filled in",
        'confirmed = ["zeros"]': f"in {own}: they were filled in",
    }


def _write_where(column: ScoreColumn, value: str) -> str:
    """Return the line by which a value of one measure means missing in a long file."""
    headers = [column.part.spec.columns[name] for name in ("instrument", "score")]
    listed = ", ".join(f'"{header}"' for header in headers)
    return f'missing_where = [{{ column = [{listed}], values = ["<what names it there>", "{value}"] }}]'


def _settle_constant(
    scores: Assessments, group: _Group, value: float, is_baseline: np.ndarray, is_follow_up: np.ndarray,
    problems: Problems,
) -> None:  # fmt: skip
    name = group.measure.instrument.short_name
    constant = group.here & (scores.score == value) & is_follow_up
    column = _find_column(scores, constant)
    if _is_settled(column):
        return
    if _is_confirmed(group, "constant"):
        said = f"A score of the {name} that many follow-ups and hardly any start hold is read as measured."
        _note_confirmed(
            scores, constant, group, f"a frequent score of the {name} counts as measured", said, problems
        )
        return
    n, n_start = int(constant.sum()), int((group.here & (scores.score == value) & is_baseline).sum())
    what = (
        f"one value stands in {n} of {int((group.here & is_follow_up).sum())} scores of the {name} after the "
        f"start, in {n_start} of {int((group.here & is_baseline).sum())} at the start, and hardly any other "
        "comes near it: was it measured, or does it stand for a visit that was missed?"
    )
    own = "[[file]]" if column.spec is None else "[[file.scores]]"
    missing = 'missing = ["<that value>"]' if column.spec else _write_where(column, "<that value>")
    answers = {
        missing: f"in {own}: it means missing",
        'confirmed = ["constant"]': f"in {own}: it was measured",
    }
    problems.ask("SCORE_CONSTANT_AFTER_START", what, answers, scores.record[constant], column=column.header)


def _find_column(scores: Assessments, rows: np.ndarray) -> ScoreColumn:
    """Return the column that holds most of some scores."""
    return scores.columns[int(np.bincount(scores.column[rows]).argmax())]


def _is_settled(column: ScoreColumn) -> bool:
    """Whether the source says already which of the scores are missing."""
    entries = (*column.part.spec.answered, *column.part.spec.missing_where)
    named = {column.header, *(column.spec.items if column.spec else ())}
    named |= {column.spec.instrument} if column.spec else set()
    return any(not entry.scores or named & set(entry.scores) for entry in entries)


def _is_confirmed(group: _Group, doubt: str) -> bool:
    """Whether a doubt is confirmed in one of the blocks of a measure, or for the whole file."""
    own = [name for column in group.columns if column.spec for name in column.spec.confirmed]
    return doubt in own or doubt in group.columns[0].part.spec.confirmed


def _note_confirmed(
    scores: Assessments, rows: np.ndarray, group: _Group, what: str, said: str, problems: Problems
) -> None:
    problems.note(
        "SCORE_CONFIRMED", "answered", f"{what}, as the source says", scores.record[rows],
        column=group.columns[0].header, said=said, measure=group.measure.instrument.id,
    )  # fmt: skip


def _ask_blanks(scores: Assessments, problems: Problems) -> None:
    """Ask about columns that hold a constant where another of the same visit is blank."""
    asked, pairs = set(), list(_pair(scores.columns))
    for blank, other in pairs:
        key = (other.part.place.start, other.measures[0].name)
        if key in asked or _is_settled(other):
            continue
        rows = _find_constant_beside(blank, other, len(pairs))
        if not len(rows):
            continue
        asked.add(key)
        instrument: Instrument = other.measures[0].instrument
        name, records = instrument.short_name, other.part.records(rows)
        if "blanks" in (*(other.spec.confirmed if other.spec else ()), *other.part.spec.confirmed):
            told = "a constant beside a blank counts as measured, as the source says"
            said = (
                f"Equal scores of the {name} where another score of the visit is blank are read as measured."
            )
            problems.note(
                "SCORE_CONFIRMED", "answered", told, records,
                column=other.header, said=said, measure=instrument.id,
            )  # fmt: skip
            continue
        what = (
            f"where {blank.header!r} is blank, the {name} of the same visit is one and the same value "
            f"({len(rows)} times), which is rare elsewhere: was it measured, or was the visit missed?"
        )
        answers = {
            f'missing_where = [{{ column = "{blank.header}", values = [""], scores = ["{other.header}"] }}]':
                "in [[file]]: it is missing there",
            'confirmed = ["blanks"]': "in [[file.scores]]: it was measured",
        }  # fmt: skip
        problems.ask("SCORE_BESIDE_BLANK", what, answers, records, column=other.header)


def _pair(columns: Sequence[ScoreColumn]) -> Iterator[tuple[ScoreColumn, ScoreColumn]]:
    for one in columns:
        for two in columns:
            if one is two or one.part is not two.part or one.spec is None or two.spec is None:
                continue
            if one.spec.timepoint == two.spec.timepoint and one.measures[0].name != two.measures[0].name:
                yield one, two


def _find_constant_beside(blank: ScoreColumn, other: ScoreColumn, n_looks: int) -> np.ndarray:
    """Return the rows of a constant beside a blank, none where there is no such thing."""
    limits = read_facts("checks")["absence"]
    part, spec = other.part, blank.spec
    none = np.array([], dtype=np.int64)
    assert spec is not None
    absent = part.excluded < 0
    for header in spec.items or (blank.header,):
        coded = part.columns[header]
        texts = find_missing(coded.values, list_missing_codes(part, "score", spec.missing))
        absent &= coded.rows(texts) | (coded.codes < 0)
    known = ~np.isnan(other.score)
    rows, score = other.rows[known], other.score[known]
    beside = absent[rows]
    named = part.header("patient_id") or part.header("episode_id")
    people = part.columns[named].codes[rows] if named in part.columns else rows
    # Visits of one patient are often alike, so that patients are counted.
    n_people = len(np.unique(people[beside]))
    if n_people < limits["fewest_blanks"] or (~beside).sum() < limits["fewest"]:
        return none
    values, counts = np.unique(score[beside], return_counts=True)
    value = values[counts.argmax()]
    off = len(np.unique(people[beside & (score != value)]))
    usual = 1 - (score[~beside] == value).mean()
    if off > 0.05 * n_people or usual < 0.6 or not _is_rare(off, n_people, float(min(usual, 0.9)), n_looks):
        return none
    return rows[beside & (score == value)]
