"""`Assessments`: the scores of all files side by side, one entry per assessment, while they are checked.

Columns that hold a change or an improvement give the score with the start of the same row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from outcomes.facts import Source, Text, read_timepoints
from outcomes.records.columns import NO_DATE, Coded, Part
from outcomes.records.episodes import (
    BASELINE,
    Attribute,
    Links,
    RowTimes,
    count_days,
    find_time_zero,
    list_timepoints,
    read_day_numbers,
    read_days,
    take_first,
)
from outcomes.records.scores.item_codings import ask_item_codings
from outcomes.records.scores.measures import Measure, ScoreColumn, collect_scores

_TOLERANCE = 1e-6
#: What a column may hold in the place of scores.
_CHANGES = ("change", "improvement")


@dataclass(frozen=True)
class Assessments:
    """Scores of all files."""

    measures: tuple[Measure, ...]
    #: Where the scores stand.
    columns: tuple[ScoreColumn, ...] = field(repr=False)
    #: Number in the ledger and of the episode.
    record: np.ndarray = field(repr=False)
    episode: np.ndarray = field(repr=False)
    #: Position in ``columns`` and ``measures``.
    column: np.ndarray = field(repr=False)
    measure: np.ndarray = field(repr=False)
    #: As in `RowTimes`.
    timepoint: np.ndarray = field(repr=False)
    date: np.ndarray = field(repr=False)
    day: np.ndarray = field(repr=False)
    score: np.ndarray = field(repr=False)
    n_missing: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        """Return the number of assessments."""
        return len(self.record)

    def keep(self, rows: np.ndarray) -> Assessments:
        """Return the assessments that ``rows`` (a mask) marks."""
        return self if rows.all() else self.take(np.flatnonzero(rows))

    def split(self, chosen: np.ndarray) -> Iterator[tuple[ScoreColumn, np.ndarray]]:
        """Yield each column with the records of those of its scores that ``chosen`` marks."""
        for number, column in enumerate(self.columns):
            yield column, self.record[chosen & (self.column == number)]

    def take(self, places: np.ndarray) -> Assessments:
        """Return the assessments at these places, in their order."""
        names = (entry.name for entry in fields(self) if entry.name not in ("measures", "columns"))
        return replace(self, **{name: getattr(self, name)[places] for name in names})


def gather_assessments(
    parts: Sequence[Part], links: Links, times: Sequence[RowTimes], source: Source, run_day: int
) -> Assessments:
    """Read the scores of all files and put them side by side, each with its episode and its time."""
    if parts:
        ask_item_codings(parts, parts[0].problems)
    labels = list_timepoints(source)
    measures: dict[str, int] = {}
    known: list[Measure] = []
    pieces: list[list[np.ndarray]] = []
    columns: list[ScoreColumn] = []
    for number, part in enumerate(parts):
        if part.spec.rows not in ("episode", "assessment"):
            continue
        found = collect_scores(part)
        for column in found:
            if column.spec and column.spec.holds in _CHANGES:
                column = _add_start(part, column, found)
            for measure in column.measures:
                if measure.name not in measures:
                    measures[measure.name] = len(known)
                    known.append(measure)
            local = np.array([measures[measure.name] for measure in column.measures] or [0], dtype=np.int16)
            when = _find_times(part, column, times[number], labels, run_day)
            pieces.append(
                [
                    (part.place.start + column.rows).astype(np.int32),
                    links.rows[number][column.rows],
                    np.full(len(column.rows), len(columns), dtype=np.int16),
                    local[column.which],
                    when.timepoint,
                    when.date,
                    when.day,
                    column.score,
                    column.n_missing,
                ]
            )
            columns.append(column)
    if not pieces:
        types = (np.int32, np.int32, np.int16, np.int16, np.int16, np.int32, np.int32, float, np.int16)
        pieces = [[np.array([], dtype=kind) for kind in types]]
    return Assessments(
        tuple(known), tuple(columns), *(np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    )


def _find_times(
    part: Part, column: ScoreColumn, rows: RowTimes, labels: tuple[str, ...], run_day: int
) -> RowTimes:
    """Return when the scores were given: what their block says, else what their row says."""
    when = rows.take(column.rows)
    spec = column.spec
    if spec is None or (spec.timepoint, spec.date_column, spec.day_column) == (None, None, None):
        return when
    timepoint = when.timepoint
    if spec.timepoint is not None:
        timepoint = np.full(len(column.rows), labels.index(spec.timepoint), dtype=np.int16)
    date, day = when.date, when.day
    if spec.date_column:
        date = read_days(part, spec.date_column, run_day, whole=False)[column.rows]
    if spec.day_column:
        day = read_day_numbers(part, spec.day_column, whole=False)[column.rows]
    return RowTimes(timepoint, date, day)


def _add_start(part: Part, column: ScoreColumn, columns: Sequence[ScoreColumn]) -> ScoreColumn:
    """Return a column as scores, refusing the cells of rows that have no start or lead out of the range."""
    assert column.spec is not None and column.spec.holds is not None
    measure, holds = column.measures[0], column.spec.holds
    instrument = measure.instrument
    start = np.full(part.n_rows, np.nan)
    for other in columns:
        if other.spec and other.spec.timepoint == BASELINE and other.measures[0].name == measure.name:
            start[other.rows] = other.score
    start[(start < instrument.minimum) | (start > instrument.maximum)] = np.nan
    start = start[column.rows]
    given = _find_change(column)
    score = start + (given if holds == "change" else instrument.sign * given)
    outside = (score < instrument.minimum - _TOLERANCE) | (score > instrument.maximum + _TOLERANCE)
    span = f"{instrument.short_name} {instrument.minimum:g} to {instrument.maximum:g}"
    kind = Text.of(f"findings.holds.{holds}")
    no_start = Text.of("findings.CHANGE_WITHOUT_START.what", kind=kind)
    beyond = Text.of("findings.CHANGE_RANGE.what", kind=kind, span=span)
    alone = np.isnan(start)
    part.refuse_values(column.header, column.rows[alone], "CHANGE_WITHOUT_START", no_start, whole=False)
    part.refuse_values(column.header, column.rows[outside], "CHANGE_RANGE", beyond, whole=False)
    kept = ~alone & ~outside
    part.problems.note(
        "SCORE_FROM_CHANGE",
        "accept",
        Text.of("findings.SCORE_FROM_CHANGE.what", kind=kind),
        part.records(column.rows[kept]),
        column=column.header,
        said=Text.of("findings.SCORE_FROM_CHANGE.said", instrument=instrument.called_short, kind=kind),
        measure=instrument.id,
    )
    return replace(
        column,
        rows=column.rows[kept],
        which=column.which[kept],
        score=score[kept],
        n_missing=column.n_missing[kept],
    )


def _find_change(column: ScoreColumn) -> np.ndarray:
    """Return changes in the instrument's unit; the offset of a scale belongs to scores alone."""
    assert column.spec is not None
    if column.spec.scale is None or column.spec.scale not in column.measures[0].instrument.scales:
        return column.score
    rule = column.measures[0].instrument.scales[column.spec.scale]
    change = column.score - rule["offset"]
    return change if column.spec.holds == "change" else np.sign(rule["factor"]) * change


def find_starts(
    scores: Assessments, attributes: Mapping[str, Attribute], n_episodes: int, source: Source
) -> np.ndarray:
    """Return the date of time zero of each episode (int32), `NO_DATE` where unknown."""
    start = None
    if "start_date" in attributes:
        attribute = attributes["start_date"]
        codes = take_first(attribute, n_episodes)
        start = Coded(codes, attribute.values.astype(np.int32)).spread(NO_DATE)
    at_start = scores.timepoint == list_timepoints(source).index(BASELINE)
    labelled = bool((scores.timepoint >= 0).any())
    return find_time_zero(n_episodes, start, scores.episode, scores.date, at_start, labelled)


def set_days(scores: Assessments, zero: np.ndarray) -> Assessments:
    """Return the assessments with their days after time zero, as given, else counted from the dates."""
    return replace(scores, day=count_days(scores.date, zero[scores.episode], scores.day))


def find_stages(scores: Assessments, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Return which assessments are baselines and which follow-ups, by label, else by day."""
    labels, window = list_timepoints(source), read_timepoints()[BASELINE]
    by_label = scores.timepoint >= 0
    known = ~by_label & (scores.day != NO_DATE)
    is_baseline = np.where(
        by_label,
        scores.timepoint == labels.index(BASELINE),
        known & (scores.day >= (window.first_day or 0)) & (scores.day <= (window.last_day or 0)),
    )
    is_follow_up = np.where(by_label, ~is_baseline, known & (scores.day > (window.last_day or 0)))
    return is_baseline, is_follow_up
