"""Columns that hold a constant where another of the same visit is blank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from outcomes.facts import Instrument, read_facts
from outcomes.records.checks.score_groups import is_rare, is_settled
from outcomes.records.columns import find_missing, list_missing_codes
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments, ScoreColumn


def ask_blanks(scores: Assessments, problems: Problems) -> None:
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
