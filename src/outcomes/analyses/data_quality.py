"""What was read, what was refused and why, and how complete the records are."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from outcomes.analyses._declaration import percent, say
from outcomes.analyses._grid import Rows, may_group
from outcomes.analyses._interval import check_level, estimate_share
from outcomes.cohort import list_patients
from outcomes.cohort.rules import say_reading
from outcomes.errors import AnalysisError
from outcomes.facts import Listing, Name, Text, read_schema, read_timepoints
from outcomes.records.absence import explain_column, mark_not_asked
from outcomes.records.tables import Absence, Records
from outcomes.result import ALL, Origin, Result, build_result

__all__ = ["summarise_data_quality"]

#: Columns of the episodes that identify or date rather than describe.
_KEYS = ("episode_id", "patient_id", "start_date", "excluded", "observable_days", "episode_number")


def summarise_data_quality(records: Records, *, by: str = "site", conf_level: float = 0.95) -> Result:
    """Summarise what was read and refused, and what is recorded, per group of episodes.

    Parameters
    ----------
    records : Records
    by : str
        Column of the episodes whose values are the groups; where nothing is recorded in it, only ``all``.
    conf_level : float
        Level of the Wilson intervals of shares, a proportion.

    Returns
    -------
    Result
        ``n_read``, ``n_accepted``, ``n_repeated`` where there are any, ``n_refused`` (they add up) and
        ``n_refused_by_rule`` (``level`` the rule, ``term`` ``record`` or ``cell``); they count no patients,
        so that they never leave the clinic. ``n_patients``, ``n_episodes``, ``n_assessments``. Per group and
        for ``all``: ``share_recorded`` of each column of the episodes (``term``) and, per instrument
        (``outcome``), ``share_assessed`` of the episodes with a score at ``baseline``, at a ``follow_up`` or
        ``ever`` (``level``), and ``n_without_score``: assessments with too few items answered. Of an
        instrument that is made for complaints of some parts of the body, only episodes of which it was asked
        count; a group without any has no row.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or `by` no column that may name groups.
    """
    check_level(conf_level)
    rows = Rows()
    _count_records(rows, records)
    patient = pd.factorize(records.episodes["patient_id"])[0]
    groups = _find_groups(records.episodes, by)
    _count_tables(rows, records, patient)
    for group, members in groups:
        share = partial(_add_share, rows, patient, conf_level, group=group)
        for name in read_schema()["episodes"]:
            if name not in _KEYS and name in records.episodes and records.episodes[name].notna().any():
                recorded = records.episodes[name].notna().to_numpy()[members]
                share(members, recorded, statistic="share_recorded", term=name)
        _describe_instruments(rows, records, patient, group, members, share)
    reading = records.list_said()
    return build_result(
        "data_quality",
        rows.table,
        support=rows.support,
        patients=list_patients(records),
        method=say("data_quality.method", level=percent(conf_level)),
        warnings=_name_absent(records),
        origin=Origin(
            source=records.source.name,
            fingerprint=records.fingerprint,
            disclosure_profile=records.source.disclosure_profile,
            rules={"reading": say_reading(reading)} if reading else {},
            answered=records.list_answered(),
        ),
    )


def _count_records(rows: Rows, records: Records) -> None:
    counts = ("n_read", "n_accepted", *(["n_repeated"] if records.n_repeated else []), "n_refused")
    for statistic in counts:
        rows.add({}, statistic=statistic, group=ALL, estimate=getattr(records, statistic), unit="records")
    refused = records.refused.groupby(["scope", "rule"], observed=True).size().reset_index(name="number")
    for entry in refused.sort_values("number", ascending=False, kind="stable").to_dict("records"):
        place = {"group": ALL, "term": entry["scope"], "level": entry["rule"]}
        unit = "records" if entry["scope"] == "record" else "cells"
        rows.add({}, statistic="n_refused_by_rule", **place, estimate=entry["number"], unit=unit)


def _name_absent(records: Records) -> list[Text]:
    """Name the columns without any value: not recorded, or not read."""
    columns, held = read_schema()["episodes"], records.episodes
    recorded = [name for name in columns if name in held and held[name].notna().any()]
    known = {columns[name].label for name in recorded}
    found: dict[Absence, list[Name]] = {Absence.NOT_RECORDED: [], Absence.NOT_READ: []}
    for name, column in columns.items():
        if name not in _KEYS and column.label and column.label not in known:
            known.add(column.label)
            found[explain_column(records, name)].append(Name("covariates", name, column.label))
    n_unread = str(len({header for headers in records.unmapped.values() for header in headers}))
    return [
        say(f"data_quality.{kind}", names=Listing(tuple(names), "comma"), n=n_unread)
        for kind, names in found.items()
        if names
    ]


def _count_tables(rows: Rows, records: Records, patient: np.ndarray) -> None:
    everyone = np.unique(patient)
    assessed = _place_episodes(records)
    rows.add_count(everyone, statistic="n_patients", group=ALL)
    rows.add_count(everyone, statistic="n_episodes", group=ALL, estimate=len(patient), unit="episodes")
    counted = {"statistic": "n_assessments", "estimate": len(records.assessments), "unit": "assessments"}
    rows.add_count(np.unique(patient[assessed[assessed >= 0]]), group=ALL, **counted)


def _place_episodes(records: Records) -> np.ndarray:
    """Return for each assessment the position of its episode."""
    return pd.Index(records.episodes["episode_id"]).get_indexer(records.assessments["episode_id"])


def _find_groups(episodes: pd.DataFrame, by: str) -> list[tuple[str, np.ndarray]]:
    if not may_group(by):
        known = [name for name in read_schema()["episodes"] if may_group(name)]
        raise AnalysisError(f"Episodes are not grouped by {by!r}; choose one of: {', '.join(known)}.")
    everyone = [(ALL, np.arange(len(episodes)))]
    if by not in episodes or not episodes[by].notna().any():
        return everyone
    values = episodes[by].astype("str")
    names = sorted(values.dropna().unique())
    return [*((name, np.flatnonzero((values == name).fillna(False))) for name in names), *everyone]


def _describe_instruments(
    rows: Rows,
    records: Records,
    patient: np.ndarray,
    group: str,
    members: np.ndarray,
    share: Callable[..., None],
) -> None:
    table = records.assessments
    outcome = table["instrument"].astype("str") + (":" + table["variant"].astype("str")).fillna("")
    episode, late = _place_episodes(records), _mark_follow_ups(table)
    inside = np.isin(episode, members)
    scored = table["score"].notna().to_numpy()
    for name in sorted(outcome.unique()):
        asked = members[~mark_not_asked(records, name.partition(":")[0])[members]]
        if not len(asked):
            continue
        mine = inside & (outcome == name).to_numpy()
        marks = {"baseline": ~late, "follow_up": late, "ever": np.ones_like(late)}
        for level, mark in marks.items():
            has = np.isin(asked, episode[mine & scored & mark])
            share(asked, has, statistic="share_assessed", outcome=name, level=level)
        blank = episode[mine & ~scored]
        place = {"statistic": "n_without_score", "outcome": name, "group": group, "unit": "assessments"}
        rows.add_count(np.unique(patient[blank]), **place, estimate=len(blank))


def _mark_follow_ups(table: pd.DataFrame) -> np.ndarray:
    """Return whether each assessment came after the window of the baseline."""
    label = table["timepoint"].astype("str")
    day = table["day"].to_numpy("float64", na_value=np.nan)
    by_day = day > float(read_timepoints()["baseline"].last_day or 0)
    return np.where(label.notna(), (label != "baseline").fillna(False), by_day).astype(bool)


def _add_share(
    rows: Rows, patient: np.ndarray, conf_level: float, members: np.ndarray, has: np.ndarray, **place: object
) -> None:
    sides = {"all": members, "with": members[has], "without": members[~has]}
    sets = {name: np.unique(patient[which]) for name, which in sides.items()}
    share = estimate_share(int(has.sum()), len(members), len(sets["all"]), conf_level)
    rows.add(sets, **place, **share, unit="proportion")
