"""Which episodes stay, which the source or the checks exclude, and their rows of sessions and events."""

from collections.abc import Sequence

import numpy as np

from outcomes.facts import Column, read_facts, read_schema
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.mapping import map_category, map_therapy
from outcomes.records.columns.part import Part
from outcomes.records.episodes.times import FILE_ORDER, Links, RowTimes, count_days, map_measured
from outcomes.records.problems import Problems, Values

#: Columns of sessions and events that are found by other ways.
_OWN = frozenset({"episode_id", "day"})


def keep_episodes(parts: Sequence[Part], links: Links, problems: Problems) -> np.ndarray:
    """Return which episodes have an accepted record; rows of other files about none of them are refused.

    Episodes come from the files with one row per episode; where there is none, from the assessments.
    """
    base = [i for i, part in enumerate(parts) if part.spec.rows == "episode"]
    base = base or [i for i, part in enumerate(parts) if part.spec.rows == "assessment"]
    kept = np.zeros(len(links.episodes) + 1, dtype=bool)
    for i in base:
        episode = links.rows[i][parts[i].accepted()]
        kept[episode[episode >= 0]] = True
    for i, part in enumerate(parts):
        if i not in base:
            unknown = part.records(~kept[links.rows[i]] & part.accepted())
            problems.refuse("EPISODE_UNKNOWN", unknown, column=part.find_id_header())
    return kept[:-1]


def find_excluded(
    parts: Sequence[Part], links: Links, contradictory: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Return each episode's position among the reasons for exclusion, and the reasons."""
    excluded = np.full(len(links.episodes), -1, dtype=np.int64)
    reasons: list[str] = [read_facts("checks")["reasons"]["contradictory"]]
    excluded[contradictory.astype(np.int64)] = 0
    for part, episode in zip(parts, links.rows, strict=True):
        rows = np.flatnonzero((part.excluded >= 0) & part.accepted() & (episode >= 0))
        excluded[episode[rows][::-1]] = len(reasons) + part.excluded[rows][::-1]
        reasons += [block.reason for block in part.spec.exclude]
    return excluded, reasons


def count_sessions(parts: Sequence[Part], links: Links) -> np.ndarray | None:
    """Return how many accepted sessions each episode has, None where no file holds sessions."""
    numbers = [i for i, part in enumerate(parts) if part.spec.rows == "session"]
    if not numbers:
        return None
    counts = np.zeros(len(links.episodes), dtype=np.int64)
    for i in numbers:
        episode = links.rows[i][parts[i].accepted_once()]
        counts += np.bincount(episode[episode >= 0], minlength=len(counts))
    return counts


def note_undated_courses(
    parts: Sequence[Part], links: Links, kept: np.ndarray, zero: np.ndarray, problems: Problems
) -> None:
    """Name the records of patients with several episodes that nothing dates: the file orders them."""
    told = any("episode_number" in part.spec.columns or FILE_ORDER in part.spec.confirmed for part in parts)
    if told or links.patients is links.episodes:
        return
    _, patient = np.unique(links.patients.astype(str), return_inverse=True)
    several = np.bincount(patient[kept], minlength=patient.max(initial=-1) + 1) > 1
    undated = np.zeros(len(several), dtype=bool)
    undated[patient[kept & (zero == NO_DATE)]] = True
    open_ = np.append((several & undated)[patient] & kept, False)
    for part, episode in zip(parts, links.rows, strict=True):
        if part.spec.rows in ("episode", "assessment"):
            records = part.records(open_[episode] & part.accepted())
            problems.note("EPISODE_ORDER.undated", records, column=part.header("episode_id"))


def map_rows(part: Part) -> dict[str, Coded]:
    """Return the columns of a file of sessions or events, typed; bad cells are refused."""
    schema = read_schema()[f"{part.spec.rows}s"]
    typed = {}
    for name, column in schema.items():
        if name in _OWN or name not in part.spec.columns:
            continue
        typed[name] = _map_column(part, column)
        if column.required:
            missing = part.records((typed[name].codes < 0) & part.accepted())
            header, label = part.spec.columns[name], column.label or name
            part.problems.refuse("VALUE_MISSING", missing, column=header, name=label)
    return typed


def _map_column(part: Part, column: Column) -> Coded:
    header = part.spec.columns[column.name]
    if column.name == "therapy":
        return map_therapy(part, header)[0]
    if column.type == "number":
        return map_measured(part, header, column, f"{column.name.upper()}_RANGE", "VALUE_RANGE.measured")
    return map_category(part, column.name, header, column)


def refuse_unplaced(part: Part, episode: np.ndarray, times: RowTimes, zero: np.ndarray) -> np.ndarray:
    """Refuse rows whose day after time zero is unknown or impossible; return all rows' days."""
    column = read_schema()[f"{part.spec.rows}s"]["day"]
    days = count_days(times.date, np.append(zero, NO_DATE)[episode], times.day)
    header = part.spec.columns.get("day", part.spec.columns.get("date"))
    nowhere = part.records((days == NO_DATE) & part.accepted())
    part.problems.refuse("TIME_MISSING.no_start", nowhere, column=header)
    assert column.minimum is not None and column.maximum is not None
    outside = (days != NO_DATE) & ((days < column.minimum) | (days > column.maximum)) & part.accepted()
    ends: Values = {"low": f"{column.minimum:g}", "high": f"{column.maximum:g}"}
    part.problems.refuse("DAY_RANGE.allowed", part.records(outside), column=header, **ends)
    return days
