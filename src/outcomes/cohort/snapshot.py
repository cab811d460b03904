"""`Snapshot`: what is kept privately of a release, so that the next can say what changed."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

import outcomes
from outcomes.cohort.remembering import remember
from outcomes.cohort.types import Cohort, locate_episodes
from outcomes.records.tables import Records
from outcomes.result import Patients

TABLES = ("episodes", "assessments", "sessions", "events")
#: Differ when records are taken anew or come beside them, without anybody's record having changed.
OF_THE_DAY = ["observable_days", "episode_number"]


@dataclass(frozen=True)
class Snapshot:
    """The records of a release as they were read, and its headline numbers. Private: it holds patients."""

    #: Those of the records, by name.
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    #: One row per number, the columns of a result.
    headline: pd.DataFrame = field(repr=False)
    #: Texts and hashes of what the numbers depend on beside the records: ``question``, ``source``, ``code``.
    definitions: Mapping[str, str]
    #: Name of each file of records to its SHA-256; empty where the records come from no file.
    files: Mapping[str, str]
    #: What the release was called, such as ``2026-Q2``.
    label: str = ""


def take_snapshot(cohort: Cohort, headline: pd.DataFrame, *, label: str = "") -> Snapshot:
    """Take what the next release needs of this one; `headline` has the columns of a result."""
    tables = {name: getattr(cohort.records, name).copy() for name in TABLES}
    files = dict(cohort.records.files)
    return Snapshot(tables, headline.copy(), describe_definitions(cohort), files, label)


def describe_definitions(cohort: Cohort) -> dict[str, str]:
    """Return what the numbers of a cohort depend on beside its records, as texts to be compared."""
    source = dataclasses.asdict(cohort.source)
    source.pop("folder", None)
    return {
        "question": json.dumps(cohort.asked, sort_keys=True, default=str),
        "source": hashlib.sha256(repr(sorted(source.items())).encode("utf-8")).hexdigest(),
        "code": _hash_package(),
    }


@cache
def _hash_package() -> str:
    """Return a hash of the version, the code and the facts of this package."""
    digest = hashlib.sha256(outcomes.__version__.encode())
    waiting: list[Any] = [resources.files("outcomes")]
    while waiting:
        entry = waiting.pop()
        if entry.is_dir():
            waiting += sorted(entry.iterdir(), key=lambda held: held.name, reverse=True)
        elif entry.name.endswith((".py", ".toml", ".csv")):
            digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()


def rebuild_records(snapshot: Snapshot, like: Records) -> Records:
    """Return the records of a snapshot, with today's source."""
    return _replace_tables(like, snapshot.tables)


def _replace_tables(records: Records, tables: Mapping[str, pd.DataFrame]) -> Records:
    given: dict[str, Any] = {name: tables[name] for name in TABLES}
    return dataclasses.replace(records, **given)


def add_new_episodes(snapshot: Snapshot, records: Records) -> Records:
    """Return the records of a snapshot with the episodes that came since, each with all its rows."""
    known = pd.Index(snapshot.tables["episodes"]["episode_id"].astype("str"))
    tables = {}
    for name in TABLES:
        before, now = snapshot.tables[name], getattr(records, name)
        new = now[~now["episode_id"].astype("str").isin(known)]
        tables[name] = _join_tables(before, new)
    return _replace_tables(records, tables)


def _join_tables(before: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Put rows under others; categories are those of both."""
    joined = {}
    for name in new.columns:
        held = before[name] if name in before else pd.Series(pd.NA, before.index).astype(new[name].dtype)
        if isinstance(new[name].dtype, pd.CategoricalDtype) or isinstance(held.dtype, pd.CategoricalDtype):
            both = pd.concat([held.astype("str"), new[name].astype("str")], ignore_index=True)
            joined[name] = both.astype("category")
        else:
            joined[name] = pd.concat([held, new[name]], ignore_index=True)
    return pd.DataFrame(joined)


def compare_episodes(snapshot: Snapshot, records: Records) -> dict[str, np.ndarray]:
    """Return the ids of the episodes that came (``new``), changed (``revised``) or went (``gone``)."""
    before = _digest_episodes(snapshot.tables)
    now = _digest_episodes({name: getattr(records, name) for name in TABLES})
    both = before.index.intersection(now.index)
    changed = before[both].to_numpy() != now[both].to_numpy()
    return {
        "new": now.index.difference(before.index).to_numpy(object),
        "revised": both[changed].to_numpy(object),
        "gone": before.index.difference(now.index).to_numpy(object),
    }


def _digest_episodes(tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Return one number per episode that changes when any of its rows does, whatever their order."""
    total: pd.Series | None = None
    for name in TABLES:
        table = tables[name].drop(columns=OF_THE_DAY, errors="ignore")
        texts = pd.DataFrame({column: _spell(table[column]) for column in table.columns})
        rows = pd.util.hash_pandas_object(texts, index=False)
        sums = rows.groupby(table["episode_id"].astype("str").to_numpy()).sum()
        total = sums if total is None else total.add(sums.reindex(total.index).fillna(0).astype("uint64"))
    assert total is not None
    return total


def _spell(column: pd.Series) -> pd.Series:
    """Return values as texts, the same however a column is held."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("datetime64[s]").astype("str").astype("object").fillna("")
    if column.isna().all():
        return pd.Series("", column.index, dtype="object")
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype("float64").map(lambda value: f"{value:.9g}")
    return column.astype("str").astype("object").fillna("")


@remember
def list_patients(records: Records) -> Patients:
    """List the patients of records by code, each with a digest of their rows in the four tables.

    >>> from outcomes import read_records
    >>> patients = list_patients(read_records("made-up-clinic"))
    >>> len(patients.ids) == len(patients.digests)
    True
    """
    codes, ids = pd.factorize(records.episodes["patient_id"])
    digests = np.zeros(len(ids), dtype="uint64")
    for number, name in enumerate(TABLES):
        table = getattr(records, name).drop(columns=OF_THE_DAY, errors="ignore")
        place = locate_episodes(table["episode_id"], records.episodes["episode_id"])
        hashed = pd.util.hash_pandas_object(table, index=False).to_numpy("uint64")
        # an odd factor for each table, so that a row counts differently in another
        np.add.at(digests, codes[place], hashed * np.uint64(2 * number + 1))
    return Patients(np.asarray(ids, dtype=object), digests)
