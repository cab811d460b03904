"""The scores of one measure in one file, and what a source says already about those that may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments, Measure, ScoreColumn


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


def find_column(scores: Assessments, rows: np.ndarray) -> ScoreColumn:
    """Return the column that holds most of some scores."""
    return scores.columns[int(np.bincount(scores.column[rows]).argmax())]


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


def note_confirmed(
    scores: Assessments, rows: np.ndarray, group: ScoreGroup, what: str, said: str, problems: Problems
) -> None:
    """Note that the source gives an answer to a doubt."""
    problems.note(
        "SCORE_CONFIRMED", "answered", f"{what}, as the source says", scores.record[rows],
        column=group.columns[0].header, said=said, measure=group.measure.instrument.id,
    )  # fmt: skip
