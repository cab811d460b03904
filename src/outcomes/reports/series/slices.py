"""The pages of a series: one for each recorded site, therapist, therapy, region or instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from outcomes.records import Records
from outcomes.reports.parameters import Parameter
from outcomes.reports.series.declaration import Series
from outcomes.reports.series.periods import Period


@dataclass(frozen=True)
class Reading:
    """What a run must know of the records before it makes a page.

    Parameters
    ----------
    sha256 : str
        Fingerprint of the records.
    n_read : int
        Source records read.
    newest : str
        The newest day in the records (ISO); empty where they hold no dates.
    recorded : mapping
        For each kind of slice the values that occur, sorted.
    """

    sha256: str
    n_read: int
    newest: str
    recorded: Mapping[str, Sequence[Mapping[str, str]]]


def describe_reading(records: Records) -> Reading:
    """Return what a run must know of the records."""
    episodes = records.episodes
    recorded: dict[str, Sequence[Mapping[str, str]]] = {
        name: [{name: value} for value in sorted(str(one) for one in episodes[name].dropna().unique())]
        for name in ("site", "therapist", "therapy", "region")
    }
    scores = records.assessments[["instrument", "variant"]].drop_duplicates().astype("object")
    found = {(str(id), variant if isinstance(variant, str) else "") for id, variant in scores.to_numpy()}
    recorded["instrument"] = [
        {"instrument": id, **({"variant": variant} if variant else {})} for id, variant in sorted(found)
    ]
    return Reading(records.fingerprint, records.n_read, _find_newest(records), recorded)


def list_slices(series: Series, reading: Reading) -> list[Mapping[str, str]]:
    """Return what each page of a series is about; one empty mapping where it is a single page."""
    return list(reading.recorded[series.for_each]) if series.for_each else [{}]


def fill_parameters(
    series: Series, schema: Mapping[str, Parameter], slice: Mapping[str, str], period: Period, said: str
) -> dict[str, Any]:
    """Return the parameters of one page: those declared, those of its slice, and those of its period."""
    values: dict[str, Any] = {"audience": series.audience, **series.parameters, **slice}
    if series.k is not None:
        values.setdefault("k", series.k)
    if period.since is not None and period.until is not None:
        values |= {"since": period.since.isoformat(), "until": period.until.isoformat()}
    if said and "period" in schema and "period" not in series.parameters:
        values["period"] = said
    return values


def _find_newest(records: Records) -> str:
    """Return the newest day on which anything happened; a start has a date, all else days after it."""
    start = records.episodes["start_date"]
    if not start.notna().any():
        return ""
    starts = dict(zip(records.episodes["episode_id"].astype("str"), start, strict=True))
    newest = start.max()
    for table in (records.assessments, records.sessions, records.events):
        begun = pd.to_datetime(table["episode_id"].astype("str").map(starts))
        days = pd.to_timedelta(table["day"].astype("float64"), unit="D")
        newest = max(newest, latest) if not pd.isna(latest := (begun + days).max()) else newest
    return dt.date(newest.year, newest.month, newest.day).isoformat()
