"""`Backing`: who stands behind the rows of a release. Private: it never reaches a view, a page or a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from outcomes.result import Patients, Support

_SETS = ("all", "with", "without", "group", "versus")


@dataclass(frozen=True, eq=False)
class Backing:
    """The contributors to each row of a release, and what became of the row."""

    #: A `outcomes.disclosure.decisions.Fate` per row.
    fates: tuple[str, ...]
    #: Named arrays of patients' codes per row, as in a `Result`.
    support: tuple[Support, ...] = field(repr=False)
    #: Whose codes these are; None for a result that does not say so.
    patients: Patients | None = field(repr=False)
    #: Codes of all who stand behind any row of the result, those that were not handed on included.
    everybody: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0, dtype="int64"))
    #: For each row the ledger's cell that it shows in place of its own number, else 0; empty where none does.
    earlier: tuple[int, ...] = ()

    def at(self, rows: Iterable[int]) -> Backing:
        """Return that of some rows, by position."""
        places = list(rows)
        return replace(
            self,
            fates=tuple(self.fates[i] for i in places),
            support=tuple(self.support[i] for i in places),
            earlier=tuple(self.earlier[i] for i in places if self.earlier),
        )


def write_backing(backing: Backing, folder: Path, name: str) -> None:
    """Write a backing into a private folder, as ``<name>.parquet`` and ``<name>-patients.parquet``."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = {
        name: [sets[name].tolist() if name in sets else None for sets in backing.support] for name in _SETS
    }
    rows = {"fate": list(map(str, backing.fates)), "earlier": backing.earlier or [0] * len(backing.fates)}
    pd.DataFrame({**rows, **sets}).to_parquet(folder / f"{name}.parquet", index=False)
    if backing.patients is not None:
        listed = pd.DataFrame({"id": backing.patients.ids, "digest": backing.patients.digests})
        listed["stands_behind"] = np.isin(np.arange(len(listed)), backing.everybody)
        listed.to_parquet(folder / f"{name}-patients.parquet", index=False)


def read_backing(folder: Path, name: str) -> Backing:
    """Read a backing back that `write_backing` wrote."""
    held = pd.read_parquet(folder / f"{name}.parquet")
    support = tuple(
        {name: np.asarray(row[name], dtype="int64") for name in _SETS if row[name] is not None}
        for row in held.to_dict("records")
    )
    path = folder / f"{name}-patients.parquet"
    patients, everybody = None, join_support(support)
    if path.is_file():
        listed = pd.read_parquet(path)
        patients = Patients(listed["id"].to_numpy(dtype=object), listed["digest"].to_numpy("uint64"))
        everybody = np.flatnonzero(listed["stands_behind"].to_numpy(dtype=bool))
    return Backing(tuple(held["fate"]), support, patients, everybody, tuple(held["earlier"].tolist()))


def join_support(support: Iterable[Support]) -> np.ndarray:
    """Return the codes of all patients who stand behind any of some rows."""
    codes = [members for sets in support for members in sets.values()]
    return np.unique(np.concatenate([np.zeros(0, dtype="int64"), *codes]))
