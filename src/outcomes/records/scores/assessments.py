"""`Assessments`: the scores of all files side by side, one entry per assessment, while they are checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from outcomes.facts import Source
from outcomes.records.columns import Part
from outcomes.records.episodes import Links, RowTimes, list_timepoints, read_day_numbers, read_days
from outcomes.records.scores.changes import add_starts
from outcomes.records.scores.item_codings import ask_item_codings
from outcomes.records.scores.measures import Measure, ScoreColumn, collect_scores


@dataclass(frozen=True)
class Assessments:
    """Scores of all files.

    Parameters
    ----------
    measures : tuple of Measure
    columns : tuple of ScoreColumn
        Where the scores stand.
    record, episode : numpy.ndarray of int32
        Number in the ledger and of the episode.
    column, measure : numpy.ndarray of int16
        Position in ``columns`` and ``measures``.
    timepoint, date, day : numpy.ndarray
        As in `RowTimes`.
    score : numpy.ndarray of float
    n_missing : numpy.ndarray of int16
    """

    measures: tuple[Measure, ...]
    columns: tuple[ScoreColumn, ...] = field(repr=False)
    record: np.ndarray = field(repr=False)
    episode: np.ndarray = field(repr=False)
    column: np.ndarray = field(repr=False)
    measure: np.ndarray = field(repr=False)
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
        for column in add_starts(part, collect_scores(part)):
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
    date = (
        read_days(part, spec.date_column, run_day, whole=False)[column.rows]
        if spec.date_column
        else when.date
    )
    day = read_day_numbers(part, spec.day_column, whole=False)[column.rows] if spec.day_column else when.day
    return RowTimes(timepoint, date, day)
