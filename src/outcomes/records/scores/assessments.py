"""`Assessments`: the scores of all files side by side, one entry per assessment, while they are checked.

Columns that hold a change or an improvement give the score with the start of the same row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from outcomes.facts import Source, Text, read_timepoints
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.part import Part
from outcomes.records.episodes.attributes import Attribute, take_first
from outcomes.records.episodes.times import (
    BASELINE,
    Links,
    RowTimes,
    list_timepoints,
    read_day_numbers,
    read_days,
)
from outcomes.records.problems import Problems
from outcomes.records.scores.item_codings import ask_item_codings
from outcomes.records.scores.measures import Measure, ScoreColumn, collect_scores

_TOLERANCE = 1e-6
#: What a column may hold in the place of scores.
_CHANGES = ("change", "improvement")


@dataclass(frozen=True)
class Assessments:
    """Scores of all files, with the ledger that what is found goes to."""

    source: Source = field(repr=False)
    problems: Problems = field(repr=False)
    #: Episodes of the source, and sites with one for none.
    n_episodes: int
    n_sites: int
    measures: tuple[Measure, ...]
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
    #: Number of the site, 0 for none.
    site: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        """Return the number of assessments."""
        return len(self.record)

    def keep(self, rows: np.ndarray) -> "Assessments":
        """Return the assessments that ``rows`` (a mask) marks."""
        return self if rows.all() else self.take(np.flatnonzero(rows))

    def split(self, chosen: np.ndarray) -> Iterator[tuple[ScoreColumn, np.ndarray]]:
        """Yield each column with the records of those of its scores that ``chosen`` marks."""
        for number, column in enumerate(self.columns):
            yield column, self.record[chosen & (self.column == number)]

    def take(self, places: np.ndarray) -> "Assessments":
        """Return the assessments at these places, in their order."""
        held = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        arrays = {name: value[places] for name, value in held.items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)

    @cached_property
    def is_baseline(self) -> np.ndarray:
        """Which assessments are baselines, by label, else by day."""
        at_start = self.timepoint == list_timepoints(self.source).index(BASELINE)
        window = read_timepoints()[BASELINE]
        within = (self.day >= (window.first_day or 0)) & (self.day <= (window.last_day or 0))
        return np.where(self.timepoint >= 0, at_start, within & (self.day != NO_DATE))

    @cached_property
    def is_follow_up(self) -> np.ndarray:
        """Which assessments are follow-ups, by label, else by day."""
        later = (self.day != NO_DATE) & (self.day > (read_timepoints()[BASELINE].last_day or 0))
        return np.where(self.timepoint >= 0, ~self.is_baseline, later)

    @cached_property
    def low(self) -> np.ndarray:
        """The lowest possible score of the measure of each assessment."""
        return np.array([measure.instrument.minimum for measure in self.measures])[self.measure]

    @cached_property
    def high(self) -> np.ndarray:
        """The highest possible score of the measure of each assessment."""
        return np.array([measure.instrument.maximum for measure in self.measures])[self.measure]

    def number_measures(self) -> np.ndarray:
        """Return a number per assessment that those of one episode and measure share."""
        return self.episode.astype(np.int64) * len(self.measures) + self.measure


def find_ends(score: np.ndarray, place: np.ndarray, n_places: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest score at each place, infinite where there is none."""
    low, high = np.full(n_places, np.inf), np.full(n_places, -np.inf)
    np.minimum.at(low, place, score)
    np.maximum.at(high, place, score)
    return low, high


def find_first_scores(scores: Assessments, chosen: np.ndarray) -> np.ndarray:
    """Return the first of some scores of each episode, NaN without one."""
    first = np.full(scores.n_episodes, np.nan)
    first[scores.episode[chosen][::-1]] = scores.score[chosen][::-1]
    return first


def gather_assessments(
    parts: Sequence[Part],
    links: Links,
    times: Sequence[RowTimes],
    source: Source,
    problems: Problems,
    run_day: int,
) -> Assessments:
    """Read the scores of all files and put them side by side, each with its episode and its time."""
    ask_item_codings(parts, problems)
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
                    np.zeros(len(column.rows), dtype=np.int64),
                ]
            )
            columns.append(column)
    if not pieces:
        types = ("i4", "i4", "i2", "i2", "i2", "i4", "i4", "f8", "i2", "i8")
        pieces = [[np.array([], dtype=kind) for kind in types]]
    arrays = (np.concatenate(alike) for alike in zip(*pieces, strict=True))
    n_episodes = len(links.episodes)
    return Assessments(source, problems, n_episodes, 1, tuple(known), tuple(columns), *arrays)


def _find_times(
    part: Part, column: ScoreColumn, rows: RowTimes, labels: tuple[str, ...], run_day: int
) -> RowTimes:
    """Return when the scores were given: what their block says, else what their row says."""
    when = rows.take(column.rows)
    spec = column.spec
    if spec is None:
        return when
    timepoint, date, day = when.timepoint, when.date, when.day
    if spec.timepoint is not None:
        timepoint = np.full(len(column.rows), labels.index(spec.timepoint), dtype=np.int16)
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
    alone = np.isnan(start)
    part.refuse_values(column.header, column.rows[alone], "CHANGE_WITHOUT_START", whole=False, kind=kind)
    part.refuse_values(column.header, column.rows[outside], "CHANGE_RANGE", whole=False, kind=kind, span=span)
    kept = ~alone & ~outside
    named = {"measure": instrument.id, "instrument": instrument.called_short, "kind": kind}
    part.note_values(column.header, column.rows[kept], "SCORE_FROM_CHANGE", "accept", **named)
    held = {"rows": column.rows, "which": column.which, "score": score, "n_missing": column.n_missing}
    return replace(column, **{name: values[kept] for name, values in held.items()})


def _find_change(column: ScoreColumn) -> np.ndarray:
    """Return changes in the instrument's unit; the offset of a scale belongs to scores alone."""
    assert column.spec is not None
    if column.spec.scale is None or column.spec.scale not in column.measures[0].instrument.scales:
        return column.score
    rule = column.measures[0].instrument.scales[column.spec.scale]
    change = column.score - rule["offset"]
    return change if column.spec.holds == "change" else np.sign(rule["factor"]) * change


def find_starts(scores: Assessments, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """Return the date of time zero of each episode (int32), `NO_DATE` where unknown."""
    start = None
    if "start_date" in attributes:
        attribute = attributes["start_date"]
        codes = take_first(attribute, scores.n_episodes)
        start = Coded(codes, attribute.values.astype(np.int32)).spread(NO_DATE)
    latest = np.iinfo(np.int32).max
    zero = np.full(scores.n_episodes, latest, dtype=np.int32)
    dated = scores.date != NO_DATE
    if (scores.timepoint >= 0).any():
        dated &= scores.timepoint == list_timepoints(scores.source).index(BASELINE)
    np.minimum.at(zero, scores.episode[dated], scores.date[dated])
    zero[zero == latest] = NO_DATE
    return zero if start is None else np.where(start != NO_DATE, start, zero)
