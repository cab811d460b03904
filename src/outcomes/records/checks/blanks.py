"""Scores by file and measure, and columns that hold a constant where another of the visit is blank."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Text, describe_finding, read_facts
from outcomes.records.columns.numbers import find_missing
from outcomes.records.columns.part import list_missing_codes
from outcomes.records.problems import Values
from outcomes.records.scores.assessments import Assessments
from outcomes.records.scores.measures import Measure, ScoreColumn


@dataclass(frozen=True)
class ScoreGroup:
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


def group_scores(scores: Assessments, counted: np.ndarray) -> Iterator[ScoreGroup]:
    """Yield the scores that count, by file and measure."""
    files = np.array([column.part.place.start for column in scores.columns])
    for start in np.unique(files):
        columns = [column for column in scores.columns if column.part.place.start == start]
        inside = counted & (files == start)[scores.column]
        for number, measure in enumerate(scores.measures):
            own = [column for column in columns if measure in column.measures]
            here = inside & (scores.measure == number) if own else inside
            if own and here.any():
                values, place = np.unique(scores.score[here], return_inverse=True)
                yield ScoreGroup(measure, own, here, values, place)


def is_rare(few: int, n: int, share: float, n_looks: int = 1) -> bool:
    """Whether so few of n are hardly possible in any of some looks at a share (Chernoff's bound)."""
    p, rest = few / n, 1 - few / n
    if p >= share:
        return False
    gain = (p * np.log(p / share) if p else 0.0) + (rest * np.log(rest / (1 - share)) if rest else 0.0)
    return bool(n_looks * np.exp(-n * gain) < read_facts("checks")["absence"]["chance"])


def is_settled(column: ScoreColumn) -> bool:
    """Whether the source says already which of the scores are missing."""
    entries = (*column.part.spec.answered, *column.part.spec.missing_where)
    named = {column.header, *(column.spec.items if column.spec else ())}
    named |= {column.spec.instrument} if column.spec else set()
    return any(not entry.scores or named & set(entry.scores) for entry in entries)


def is_confirmed(group: ScoreGroup, doubt: str) -> bool:
    """Whether a doubt is confirmed in one of the blocks of a measure, or for the whole file."""
    own = [name for column in group.columns if column.spec for name in column.spec.confirmed]
    return doubt in own or doubt in group.columns[0].part.spec.confirmed


def note_confirmed(group: ScoreGroup, rule: str, records: np.ndarray) -> None:
    """Note that the source gives an answer to a doubt."""
    instrument, column = group.measure.instrument, group.columns[0]
    worded = describe_finding(f"findings.{rule}", instrument=instrument.called_short)
    words: Values = {"what": Text.of("findings.question.confirmed", what=worded["what"])}
    words |= {"said": worded["said"], "column": column.header, "measure": instrument.id}
    column.part.problems.note("SCORE_CONFIRMED", records, "answered", **words)


def ask_blanks(scores: Assessments) -> None:
    """Ask about columns that hold a constant where another of the same visit is blank."""
    asked, pairs = set(), list(_pair(scores.columns))
    for blank, other in pairs:
        key = (other.part.place.start, other.measures[0].name)
        if key in asked or is_settled(other):
            continue
        rows = _find_constant_beside(blank, other, len(pairs))
        if not len(rows):
            continue
        asked.add(key)
        instrument, header, records = other.measures[0].instrument, other.header, other.part.records(rows)
        name = instrument.called_short
        if "blanks" in (*(other.spec.confirmed if other.spec else ()), *other.part.spec.confirmed):
            words = describe_finding("findings.SCORE_BESIDE_BLANK", instrument=name)
            words |= {"rule": "SCORE_CONFIRMED", "measure": instrument.id, "column": header}
            scores.problems.note(records=records, outcome="answered", **words)
            continue
        line = f'missing_where = [{{ column = "{blank.header}", values = [""], scores = ["{header}"] }}]'
        answers = {
            line: Text.of("findings.SCORE_BESIDE_BLANK.missing"),
            'confirmed = ["blanks"]': Text.of("findings.SCORE_BESIDE_BLANK.measured"),
        }
        seen = {"blank": repr(blank.header), "instrument": name, "n": len(rows)}
        scores.problems.ask("SCORE_BESIDE_BLANK.asked", answers, records, column=header, **seen)


def _pair(columns: Sequence[ScoreColumn]) -> Iterator[tuple[ScoreColumn, ScoreColumn]]:
    never = read_facts("checks")["absence"]["never"]
    for one in columns:
        for two in columns:
            if one is two or one.part is not two.part or one.spec is None or two.spec is None:
                continue
            usual = two.measures[0].instrument.domain in never
            if usual or one.measures[0].name == two.measures[0].name:
                continue
            if one.spec.timepoint == two.spec.timepoint:
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
    if off > 0.05 * n_people or usual < 0.6 or not is_rare(off, n_people, float(min(usual, 0.9)), n_looks):
        return none
    return rows[beside & (score == value)]
