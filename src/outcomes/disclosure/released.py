"""`Release`: a result as one audience may see it, and its private `Backing`: who stands behind its rows."""

import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from outcomes.disclosure.decisions import Decisions
from outcomes.disclosure.rules import read_rules
from outcomes.facts import Words, read_words
from outcomes.result import COLUMNS, Origin, Patients, Result, Said, Support, read_origin, write_origin

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
    #: Hash of the records that the result was made from.
    fingerprint: str = ""

    def at(self, rows: Iterable[int]) -> "Backing":
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
    rows["fingerprint"] = [backing.fingerprint] * len(backing.fates)
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
    earlier, fingerprint = tuple(held["earlier"].tolist()), next(iter(held["fingerprint"]), "")
    return Backing(tuple(held["fate"]), support, patients, everybody, earlier, fingerprint)


def join_support(support: Iterable[Support]) -> np.ndarray:
    """Return the codes of all patients who stand behind any of some rows."""
    codes = [members for sets in support for members in sets.values()]
    return np.unique(np.concatenate([np.zeros(0, dtype="int64"), *codes]))


#: Columns of a release as it is written: those of a result, whether the number is shown, how it is written,
#: and, where it is that of an earlier edition, the day (ISO) of it.
RELEASE_COLUMNS = (*COLUMNS, "shown", "display", "as_of")
#: What names a row of a result for the team, beside what became of it.
_NAMING = ("outcome", "statistic", "term", "level", "group", "versus", "timepoint")


@dataclass(frozen=True)
class Release:
    """A result as one audience may see it.

    Parameters
    ----------
    name : str
        Name of the analysis.
    table : pandas.DataFrame
        One row per estimate: the columns of a result with numbers rounded or withheld, ``shown`` (whether
        the row carries a number) and ``display`` (the estimate in words: ``31.0``, ``75 %``, ``withheld``,
        ``fewer than 11 (under 4 %)``, or why it could not be estimated), and ``as_of``: the day (ISO) of the
        earlier edition whose row stands here, marked in ``display``, because the new one would tell of a few
        patients; missing in all other rows. ``fate`` says what became of the row (``shown``, ``held``,
        ``few``, ``state`` or ``withheld``), for views; it is written nowhere.
    method, estimand : Text, or tuple of Text
    warnings, notes : tuple of Text
        What a reader must know; `notes` are about this release.
    origin : Origin
        What the audience may know of what it was made from.
    comparable : bool or None
    audience : str
        ``stakeholder`` or ``team``.
    k : int
        Smallest number of patients behind a shown number.
    n_withheld : int
        Rows whose number is withheld or was removed.
    backing : Backing or None
        Private: who stands behind each row, for the audit of a page and the ledger of releases; none for the
        team's.
    language : str
        Of the page that it was released to.
    reasons : pandas.DataFrame or None
        Private, for the team: what became of each row of the result and why; see `why`.
    """

    name: str
    table: pd.DataFrame
    method: Said
    warnings: tuple[Said, ...]
    estimand: Said
    origin: Origin
    comparable: bool | None
    audience: str
    k: int
    n_withheld: int
    notes: tuple[Said, ...] = field(default=())
    backing: Backing | None = field(default=None, repr=False, compare=False)
    language: str = "en"
    reasons: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    @property
    def words(self) -> Words:
        """The catalogue of its language."""
        return read_words(self.language)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table as it is written, one row per estimate."""
        return self.table.drop(columns="fate", errors="ignore")

    def why(self) -> pd.DataFrame:
        """Return for the team what became of each row of the result, and why.

        Returns
        -------
        pandas.DataFrame
            One row per row of the result, those that were left out included: what names it, its ``fate``, the
            ``reason`` (empty where it is shown as it is) and a ``sentence`` that explains it. It names rules
            and holds no numbers; it is for the team, and stands on no page and in no file.
        """
        if self.reasons is None:
            return pd.DataFrame(columns=[*_NAMING, "fate", "reason", "sentence"])
        words, rules = self.words, read_rules(self.k)
        said = [
            words.say(f"release.reason.{reason}", k=self.k, full=rules.full_cell_size) if reason else ""
            for reason in self.reasons["reason"]
        ]
        return self.reasons.assign(sentence=said)

    def where(self, **equals: object) -> "Release":
        """Return the rows whose columns equal the given values (a list means any of them)."""
        keep = _find_rows(self.table, equals)
        named = {column: value for column, value in equals.items() if column in _NAMING}
        backing = self.backing and self.backing.at(np.flatnonzero(keep))
        table = self.table[keep].reset_index(drop=True)
        reasons = self.reasons
        if reasons is not None:
            reasons = reasons[_find_rows(reasons, named)].reset_index(drop=True)
        return replace(self, table=table, backing=backing, reasons=reasons)

    def __repr__(self) -> str:
        """Return name, audience and sizes."""
        shown = int(self.table["shown"].sum())
        sizes = f"{shown} of {len(self.table)} rows shown, k = {self.k}"
        return f"Release({self.name!r} for {self.audience}: {sizes})"

    def _repr_html_(self) -> str:
        shown = self.to_frame().dropna(axis="columns", how="all").to_html(index=False, na_rep="", escape=True)
        write = self.words.write
        texts = (str(write(text)) for text in (self.method, *self.warnings, *self.notes))
        return shown + "".join(f"<p>{html.escape(text)}</p>" for text in texts if text)


def _find_rows(table: pd.DataFrame, equals: Mapping[str, object]) -> np.ndarray:
    keep = np.ones(len(table), dtype=bool)
    for column, value in equals.items():
        wanted = list(value) if isinstance(value, (list, tuple, set)) else [value]
        keep &= table[column].isin(wanted).to_numpy()
    return keep


def tell_reasons(result: Result, decisions: Decisions) -> pd.DataFrame:
    """Return one row per row of a result: what names it, its fate, and the first rule that decided it."""
    reasons = [str(reasons[0]) if reasons else "" for reasons in decisions.reasons]
    return result.table[list(_NAMING)].assign(fate=list(map(str, decisions.fates)), reason=reasons)


def write_release(release: Release, run_folder: Path) -> None:
    """Write a release into a run as ``releases/<analysis>-<digest>.json``, its backing as ``backing/...``."""
    folder = run_folder / "releases"
    folder.mkdir(parents=True, exist_ok=True)
    write = release.words.write
    content = {
        "analysis": release.name,
        "audience": release.audience,
        "k": release.k,
        "method": write(release.method),
        "provenance": write_origin(release.origin),
        "table": json.loads(release.to_frame().to_json(orient="table", index=False, double_precision=15)),
    }
    text = json.dumps(content, ensure_ascii=False, default=lambda value: str(write(value)), sort_keys=True)
    name = f"{release.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    if release.backing is not None:
        write_backing(release.backing, run_folder / "backing", name)


def read_releases(run_folder: Path) -> list[Release]:
    """Return the releases behind all views that a run showed, each with the patients behind its rows.

    They are in the order of their names and without warnings and notes; several may hold the same rows.
    """
    found = []
    for path in sorted((run_folder / "releases").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        table = pd.read_json(StringIO(json.dumps(content["table"])), orient="table", precise_float=True)
        backed = (run_folder / "backing" / f"{path.stem}.parquet").is_file()
        backing = read_backing(run_folder / "backing", path.stem) if backed else None
        n_withheld = int((~table["shown"]).sum())
        found.append(
            Release(
                name=content["analysis"],
                table=table,
                method=content["method"],
                warnings=(),
                estimand="",
                origin=read_origin(content["provenance"]),
                comparable=None,
                audience=content["audience"],
                k=content["k"],
                n_withheld=n_withheld,
                backing=backing,
            )
        )
    return found
