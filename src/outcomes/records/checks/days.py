"""The days of assessments: before the start, against their labels, out of reach; sessions by then."""

import numpy as np

from outcomes.facts import Lines, Source, Text, read_facts, read_schema, read_timepoints
from outcomes.records.columns.coded import sort_rows
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.mapping import read_dates
from outcomes.records.columns.part import Part
from outcomes.records.episodes.times import list_timepoints, map_measured
from outcomes.records.problems import Values
from outcomes.records.scores.assessments import Assessments
from outcomes.records.scores.measures import ScoreColumn

_CONFIRMED = "label_dates"


def check_days(scores: Assessments, header: str | None) -> np.ndarray:
    """Refuse assessments whose dates cannot be right, name those that nothing can use; return which stay."""
    _compare_labels(scores)
    _refuse_disorder(scores, header)
    early = _refuse_before_start(scores)
    problems = scores.problems
    limits = read_schema()["assessments"]["day"]
    known = scores.day != NO_DATE
    outside = known & ((scores.day < limits.minimum) | (scores.day > limits.maximum))
    problems.refuse("DAY_RANGE.too_far", scores.record[outside], column=header)
    first, last = read_timepoints()["baseline"].first_day or 0, _find_last_day(scores.source)
    late, before = scores.day > last, (scores.day < first) & (scores.timepoint < 0)
    for case, day, beyond in (("late", last, late), ("early", first, before)):
        records = scores.record[known & ~outside & beyond]
        problems.note(f"FOLLOWUP_WINDOW.{case}", records, column=header, day=day)
    return ~early


def _find_header(column: ScoreColumn) -> str | None:
    """Return the column that says when a score was given."""
    own = None if column.spec is None else column.spec.date_column or column.spec.day_column
    return own or column.part.header("date") or column.part.header("day")


def _list_windows(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last day of each time point, endless without one; the last is for no label."""
    first, last = [], []
    for id in list_timepoints(source):
        known = read_timepoints().get(id)
        held = {**(vars(known) if known else {}), **source.timepoints.get(id, {})}
        windowed = held.get("first_day") is not None and held.get("last_day") is not None
        first.append(held["first_day"] if windowed else -np.inf)
        last.append(held["last_day"] if windowed else np.inf)
    return np.array([*first, -np.inf]), np.array([*last, np.inf])


def _compare_labels(scores: Assessments) -> None:
    """Name scores dated outside the window of their label; ask where that is most of a label's."""
    first, last = _list_windows(scores.source)
    label = scores.timepoint
    known = (scores.day != NO_DATE) & (label >= 0)
    outside = known & ((scores.day < first[label]) | (scores.day > last[label]))
    if not outside.any():
        return
    n_all, n_out = (np.bincount(label[rows], minlength=len(first)) for rows in (known, outside))
    checks = read_facts("checks")
    often = (n_out > checks["share"]["label_window"] * n_all) & (
        n_out >= checks["shared"]["fewest_different"]
    )
    doubtful = outside & often[label]
    if doubtful.any():
        _ask_about_labels(scores, doubtful, n_out, n_all)
    for column, records in scores.split(outside & ~doubtful):
        scores.problems.note("LABEL_WINDOW", records, column=_find_header(column))


def _ask_about_labels(
    scores: Assessments, doubtful: np.ndarray, n_out: np.ndarray, n_all: np.ndarray
) -> None:
    problems, names = scores.problems, list_timepoints(scores.source)
    counts = tuple(
        Text.of("findings.LABEL_DATE.count", n=n_out[i], n_all=n_all[i], timepoint=names[i])
        for i in np.unique(scores.timepoint[doubtful])
    )
    fitting = _find_fitting_order(scores, doubtful)
    evidence: Values = {"told": Lines(counts, ", "), "order": fitting}
    evidence["column"] = _find_header(scores.columns[int(scores.column[doubtful][0])])
    records = scores.record[doubtful]
    if any(_CONFIRMED in held.part.spec.confirmed for held in scores.columns):
        problems.note("LABEL_DATE.asked", records, "answered", **evidence)
        return
    id = names[int(scores.timepoint[doubtful][0])]
    answers = {f'date_order = "{fitting}"': Text.of("findings.LABEL_DATE.other_order")} if fitting else {}
    answers |= {
        f'confirmed = ["{_CONFIRMED}"]': Text.of("findings.LABEL_DATE.dates_right"),
        f"[timepoints.{id}]  first_day = ..., last_day = ...": Text.of("findings.LABEL_DATE.own_window"),
        "# no date": Text.of("findings.LABEL_DATE.labels_right"),
    }
    problems.ask("LABEL_DATE.asked", answers, problems.keep_first_file(records), **evidence)


def _find_fitting_order(scores: Assessments, doubtful: np.ndarray) -> str | None:
    """Return the other order of day and month where it brings most doubtful scores into their window."""
    part = scores.columns[int(scores.column[doubtful][0])].part
    orders = {"day-first": "month-first", "month-first": "day-first"}
    if part.spec.date_order not in orders:
        return None
    other = orders[part.spec.date_order]
    date = np.full(len(scores), NO_DATE, dtype=np.int64)
    for number, column in enumerate(scores.columns):
        header, here = _find_header(column), scores.column == number
        if column.part is part and header is not None:
            days = read_dates(part, header, other).spread(NO_DATE)
            date[here] = days[scores.record[here] - part.place.start]
    start = np.full(scores.n_episodes, NO_DATE, dtype=np.int64)
    at_start = (date != NO_DATE) & scores.is_baseline
    start[scores.episode[at_start]] = date[at_start]
    inside = (scores.record >= part.place.start) & (scores.record < part.place.stop)
    if "start_date" in part.spec.columns:
        told = read_dates(part, part.spec.columns["start_date"], other).spread(NO_DATE)
        start[scores.episode[inside]] = told[scores.record[inside] - part.place.start]
    first, last = _list_windows(scores.source)
    day, label = date - start[scores.episode], scores.timepoint
    fits = (day >= first[label]) & (day <= last[label]) & (date != NO_DATE) & doubtful
    return other if fits.sum() > read_facts("checks")["share"]["label_window"] * doubtful.sum() else None


def _refuse_before_start(scores: Assessments) -> np.ndarray:
    """Refuse labelled follow-ups dated before the first day of their episode, and return which they are."""
    problems = scores.problems
    early = scores.is_follow_up & (scores.timepoint >= 0) & (scores.day != NO_DATE) & (scores.day < 0)
    early &= ~problems.is_refused(scores.record)
    for column, records in scores.split(early):
        refuse = problems.refuse_cells if column.part.is_wide else problems.refuse
        refuse("DATE_ORDER.before_start", records, column=_find_header(column) or column.header)
    return early


def _find_last_day(source: Source) -> int:
    """Return the last day of the latest time point that the source may use."""
    ends = [point.last_day for point in read_timepoints().values() if point.last_day is not None]
    own = [content["last_day"] for content in source.timepoints.values() if "last_day" in content]
    return max(ends + own)


def _refuse_disorder(scores: Assessments, header: str | None) -> None:
    """Refuse follow-ups dated before their episode's labelled baseline, and that baseline."""
    stages = (scores.is_baseline, scores.is_follow_up)
    is_baseline, is_follow_up = (stage & (scores.timepoint >= 0) for stage in stages)
    never = np.iinfo(np.int32).max
    dated = scores.date != NO_DATE
    baseline = np.full(scores.n_episodes, never, dtype=np.int32)
    at_start = dated & is_baseline
    np.minimum.at(baseline, scores.episode[at_start], scores.date[at_start])
    baseline[baseline == never] = NO_DATE
    early = dated & is_follow_up & (scores.date < baseline[scores.episode])
    if not early.any():
        return
    troubled = np.zeros(scores.n_episodes, dtype=bool)
    troubled[scores.episode[early]] = True
    records = scores.record[early | (is_baseline & troubled[scores.episode])]
    scores.problems.refuse("DATE_ORDER.before_baseline", records, column=header, contradict=True)


def read_sessions_to_date(part: Part) -> np.ndarray:
    """Return the sessions attended by then, one per row, NaN where unknown; impossible ones are refused."""
    header = part.spec.columns.get("sessions_to_date")
    if header is None:
        return np.full(part.n_rows, np.nan)
    column, whole = read_schema()["assessments"]["sessions_to_date"], part.spec.rows == "assessment"
    counts = map_measured(part, header, column, "SESSIONS_RANGE", "VALUE_RANGE.so_far", whole=whole)
    return counts.spread(np.nan)


def note_falling_sessions(part: Part, episode: np.ndarray, moment: np.ndarray, sessions: np.ndarray) -> None:
    """Name records whose count of sessions is lower than at an earlier time of the episode."""
    rows = np.flatnonzero(~np.isnan(sessions) & part.accepted() & (episode >= 0))
    if not len(rows):
        return
    rows = rows[sort_rows(episode[rows], moment[rows])]
    same = episode[rows][1:] == episode[rows][:-1]
    falls = rows[1:][same & (sessions[rows][1:] < sessions[rows][:-1])]
    header = part.spec.columns["sessions_to_date"]
    part.problems.note("SESSIONS_ORDER", part.records(falls), column=header)
