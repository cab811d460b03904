"""Whose a row is and when it happened: its episode; its label, date or day; days from time zero."""

from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Column, Source, Text, read_schema, read_timepoints
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.mapping import map_dates, map_numbers, map_timepoints
from outcomes.records.columns.part import Part, list_missing_codes

BASELINE = "baseline"
#: The doubt whose answer is that the order of the file is that of the courses.
FILE_ORDER = "file_order"


@dataclass(frozen=True)
class Links:
    """Which episode each row belongs to."""

    #: Ids of all episodes of the source, sorted.
    episodes: np.ndarray = field(repr=False)
    patients: np.ndarray = field(repr=False)
    #: Per part: one episode number per row, -1 where the row has none.
    rows: list[np.ndarray] = field(repr=False)
    #: Place of each episode's first row in the files, one after the other.
    order: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class RowTimes:
    """When each row of a file happened, as far as the file says."""

    #: Position among `list_timepoints`, -1 without a label.
    timepoint: np.ndarray = field(repr=False)
    #: Days since 1970-01-01 and since time zero; `NO_DATE` where not given.
    date: np.ndarray = field(repr=False)
    day: np.ndarray = field(repr=False)

    def take(self, rows: np.ndarray) -> "RowTimes":
        """Return the times of some rows."""
        return RowTimes(self.timepoint[rows], self.date[rows], self.day[rows])


def find_moments(times: RowTimes, zero: np.ndarray, source: Source) -> np.ndarray:
    """Return what orders the rows of an episode, as days after time zero: date, day, or target of the label.

    Rows that say nothing describe the episode as it began: they stand at day 0. Where time zero is unknown,
    dates stand as they are, after all labels.
    """
    targets = np.array([*(find_target_day(id, source) for id in list_timepoints(source)), 0])
    counted = np.where(zero != NO_DATE, times.date - np.where(zero != NO_DATE, zero, 0), times.date)
    undated = np.where(times.day != NO_DATE, times.day, targets[times.timepoint])
    return np.where(times.date != NO_DATE, counted, undated).astype(np.int64)


def find_target_day(id: str, source: Source) -> int:
    """Return the target day of a time point, as the source declares it, else the standard one."""
    own = source.timepoints.get(id, {}).get("day")
    return int(read_timepoints()[id].day if own is None else own)


def list_timepoints(source: Source) -> tuple[str, ...]:
    """Return the ids of all time points a source may use: the standard ones, then its own."""
    return (*read_timepoints(), *(id for id in source.timepoints if id not in read_timepoints()))


def read_row_times(part: Part, run_day: int) -> RowTimes:
    """Return when the rows of a file happened; rows in the future, or without any time, are refused."""
    columns = part.spec.columns
    times = RowTimes(
        _read_labels(part, columns.get("timepoint")),
        read_days(part, columns.get("date"), run_day, whole=part.spec.rows != "episode"),
        read_day_numbers(part, columns.get("day"), whole=part.spec.rows != "episode"),
    )
    labelled = bool(part.spec.scores) and all(spec.timepoint for spec in part.spec.scores)
    if part.spec.rows != "episode" and not labelled:
        nowhere = (times.timepoint < 0) & (times.date == NO_DATE) & (times.day == NO_DATE) & part.accepted()
        header = next((columns[name] for name in ("date", "timepoint", "day") if name in columns), None)
        part.problems.refuse("TIME_MISSING.row", part.records(nowhere), column=header)
    return times


def _read_labels(part: Part, header: str | None) -> np.ndarray:
    """Return the position of each row's time point among `list_timepoints`."""
    if header is None:
        return np.full(part.n_rows, -1, dtype=np.int16)
    labels = map_timepoints(part, header)
    position = {id: i for i, id in enumerate(list_timepoints(part.source))}
    number = np.array([position.get(value, -1) for value in labels.values] + [-1], dtype=np.int16)
    return number[labels.codes]


def read_days(part: Part, header: str | None, run_day: int, *, whole: bool) -> np.ndarray:
    """Return a column of dates as day numbers, one per row; dates after the run are refused."""
    if header is None:
        return np.full(part.n_rows, NO_DATE, dtype=np.int32)
    return map_days(part, header, run_day, whole=whole).spread(NO_DATE)


def map_days(part: Part, header: str, run_day: int, *, whole: bool) -> Coded:
    """Return a column of dates as day numbers; dates after the run are refused."""
    dates = map_dates(part, header, whole=whole)
    future = (dates.values > run_day) & (dates.values != NO_DATE)
    part.refuse_values(header, dates.rows(future), "DATE_FUTURE", whole=whole)
    return dates.type_as(dates.values, future)


def read_day_numbers(part: Part, header: str | None, *, whole: bool) -> np.ndarray:
    """Return a column of days after time zero, one per row."""
    if header is None:
        return np.full(part.n_rows, NO_DATE, dtype=np.int32)
    column = read_schema()["assessments"]["day"]
    days = map_measured(part, header, column, "DAY_RANGE", "DAY_RANGE.impossible", whole=whole)
    numbers = np.where(np.isnan(days.values), NO_DATE, days.values).astype(np.int32)
    return Coded(days.codes, numbers).spread(NO_DATE)


def map_measured(
    part: Part, header: str, column: Column, rule: str, case: str, *, whole: bool = False
) -> Coded:
    """Return the numbers of a column of the schema; those outside its range are refused for a rule."""
    low, high = column.minimum, column.maximum
    ends = {"low": None if low is None else f"{low:g}", "high": None if high is None else f"{high:g}"}
    return map_numbers(
        part,
        header,
        missing=list_missing_codes(part, column.name),
        low=low,
        high=high,
        whole_number=column.type == "integer",
        whole=whole,
        rule=rule,
        what=Text.of(f"findings.{case}", **ends, unit=column.unit),
    )


def count_days(date: np.ndarray, zero: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return days after time zero: as given, else counted from the dates; `NO_DATE` where unknown."""
    known = (date != NO_DATE) & (zero != NO_DATE)
    counted = np.where(known, date - np.where(known, zero, 0), NO_DATE)
    return np.where(day != NO_DATE, day, counted).astype(np.int32)
