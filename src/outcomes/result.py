"""`Result`: what every analysis returns, one estimate a row."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from outcomes.facts import Text, Therapy, Timepoint, Words, read_statistics, read_words

COLUMNS = (
    "outcome", "statistic", "term", "level", "group", "versus", "timepoint", "x", "estimate", "std_error",
    "df", "conf_low", "conf_high", "p_value", "n", "n_versus", "unit", "state",
)  # fmt: skip
#: The group of all groups together.
ALL = "all"
#: Set of a support: those who began, where the number rests on others, those seen, to tell of all of them.
BEGAN = "began"

_NUMBERS = ("x", "estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
_ESTIMATES = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value")
#: Columns of an estimate with its state.
ESTIMATE = (*_ESTIMATES, "state")

#: States in which a row carries an estimate.
WITH_ESTIMATE = frozenset({"ok", "boundary"})
#: States that name why a row carries none.
WITHOUT_ESTIMATE = frozenset(
    [
        "not_converged",
        "separated",
        "rank_deficient",
        "degenerate",
        "too_few",
        "few_clusters",
        "not_asked",
        "out_of_range",
    ]
)

#: The distinct patients behind one row: named sets of integer patient codes, each of which must be
#: large enough (or empty, where that is allowed) before the row may leave.
Support = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Patients:
    """Whose codes the support of a result counts. Private: it holds ids."""

    #: Id of each patient, by code.
    ids: np.ndarray = field(repr=False)
    #: Of all that was recorded of each patient, by code: another one where anything was corrected or added.
    digests: np.ndarray = field(repr=False)


#: A sentence, or several in a row; a plain string is somebody's own words, such as a source's.
Said: TypeAlias = "Text | str | tuple[Said, ...]"


#: Metadata of a field of `Origin`: stakeholders may know it, or it is for the team only.
_TOLD, _KEPT = {"told": True}, {"told": False}


@dataclass(frozen=True)
class Detail:
    """In how much less detail a page is made for an audience, and why."""

    #: Groups of therapies that count as one each; ``all`` where all of them do.
    merge: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Adjustment:
    """What the differences of an adjusted comparison are adjusted for."""

    adjusted_for: tuple[str, ...]
    p_adjustment: str
    interval_adjustment: str
    #: Whether a simpler covariance took the place of the one asked for; None where none was asked for.
    simplified: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a result was made from; what does not apply to it is None.

    The metadata of each field say whether stakeholders may know it; without them nothing is imported.
    """

    source: str | None = field(default=None, metadata=_TOLD)
    #: Hash of the records: whoever knew all of them but one value could try values until it fits.
    fingerprint: str | None = field(default=None, metadata=_KEPT)
    instrument: str | None = field(default=None, metadata=_TOLD)
    instrument_version: str | None = field(default=None, metadata=_TOLD)
    variant: str | None = field(default=None, metadata=_TOLD)
    design: str | None = field(default=None, metadata=_TOLD)
    made_up: bool | None = field(default=None, metadata=_TOLD)
    #: Id of the primary time point.
    primary: str | None = field(default=None, metadata=_TOLD)
    #: Id of the therapy that the others are compared with.
    reference: str | None = field(default=None, metadata=_TOLD)
    covariates: tuple[str, ...] | None = field(default=None, metadata=_TOLD)
    timepoints: Mapping[str, Timepoint] | None = field(default=None, metadata=_TOLD)
    therapies: Mapping[str, Therapy] | None = field(default=None, metadata=_TOLD)
    #: What the source says of itself, and what must be known of the measure.
    caveats: tuple[Said, ...] | None = field(default=None, metadata=_TOLD)
    #: Those of the caveats that the numbers of this result are to be read with.
    cautions: tuple[Said, ...] | None = field(default=None, metadata=_TOLD)
    #: By id of the threshold: the patients it was estimated in, if those here differ.
    foreign: Mapping[str, Said] | None = field(default=None, metadata=_TOLD)
    #: Rules of the cohort by name, and under ``reading`` how the records were read.
    rules: Mapping[str, Said] | None = field(default=None, metadata=_TOLD)
    #: What the source answered against the evidence; it counts patients.
    answered: tuple[Said, ...] | None = field(default=None, metadata=_KEPT)
    detail: Detail | None = field(default=None, metadata=_TOLD)
    disclosure_profile: str | None = field(default=None, metadata=_TOLD)
    n_patients: int | None = field(default=None, metadata=_KEPT)
    adjustment: Adjustment | None = field(default=None, metadata=_TOLD)
    #: What the release was called that this one is set beside.
    earlier: Said | None = field(default=None, metadata=_TOLD)
    #: Why each step of a flow excluded episodes, by the term of its rows.
    steps: Mapping[str, Said] | None = field(default=None, metadata=_TOLD)

    def allow(self) -> Origin:
        """Return the part that stakeholders may know; its texts are still to be judged."""
        return Origin(**{entry.name: getattr(self, entry.name) for entry in fields(self) if _is_told(entry)})


def _is_told(entry: Any) -> bool:
    if "told" not in entry.metadata:
        raise TypeError(f"Origin.{entry.name}: its metadata must say whether stakeholders may know it (told)")
    return bool(entry.metadata["told"])


for _entry in fields(Origin):
    _is_told(_entry)


def write_origin(origin: Origin, words: Words | None = None) -> dict[str, Any]:
    """Return an origin as JSON holds it, its texts in English unless other words are given."""
    write = (words or read_words()).write
    about_measure = ("variant", "reference") if origin.instrument is not None else ()
    held = {entry.name: getattr(origin, entry.name) for entry in fields(origin)}
    del held["adjustment"], held["earlier"], held["steps"], held["cautions"], held["foreign"]
    told = {name: value for name, value in held.items() if value is not None or name in about_measure}
    for name in ("timepoints", "therapies"):
        if name in told:
            told[name] = {id: asdict(entry) for id, entry in told[name].items()}
    if origin.covariates is not None:
        told["covariates"] = list(origin.covariates)
    for name in ("caveats", "answered"):
        if name in told:
            told[name] = [write(text) for text in told[name]]
    if origin.rules is not None:
        told["rules"] = {name: write(text) for name, text in origin.rules.items()}
    if origin.detail is not None:
        said = [write(text) for text in origin.detail.said]
        told["detail"] = {"merge": list(origin.detail.merge), "said": said}
    if origin.adjustment is not None:
        made = asdict(origin.adjustment) | {"adjusted_for": list(origin.adjustment.adjusted_for)}
        told |= {name: value for name, value in made.items() if value is not None}
    return told if origin.earlier is None else {**told, "earlier": write(origin.earlier)}


def read_origin(told: Mapping[str, Any]) -> Origin:
    """Return the origin that `write_origin` wrote; its texts are plain strings."""
    held = dict(told)
    for name, kind in (("timepoints", Timepoint), ("therapies", Therapy)):
        if name in held:
            held[name] = {id: kind(**content) for id, content in held[name].items()}
    for name in ("covariates", "caveats", "answered"):
        if name in held:
            held[name] = tuple(held[name])
    if "detail" in held:
        held["detail"] = Detail(*(tuple(held["detail"][name]) for name in ("merge", "said")))
    made = {entry.name: held.pop(entry.name) for entry in fields(Adjustment) if entry.name in held}
    if made:
        made["adjusted_for"] = tuple(made["adjusted_for"])
        held["adjustment"] = Adjustment(**made)
    return Origin(**held)


@dataclass(frozen=True)
class Result:
    """One estimate a row, with the sentence that says how it was made.

    Parameters
    ----------
    name : str
        Name of the analysis, the same as its module and as on the command line.
    table : pandas.DataFrame
        One row per estimate, with exactly the columns of `COLUMNS`. ``estimate`` and its companions
        are missing unless ``state`` is ``ok`` or ``boundary``; ``n`` counts distinct patients.
    method : Text, or tuple of Text
        One sentence or more: what was computed, from whom, how missing data were treated.
    warnings : tuple of Text
        What a reader must know before using a number.
    estimand : Text
        Population, therapy strategies, variable and time, intercurrent events, summary.
    origin : Origin
        What it was made from: source name, fingerprint of the records, instrument and version, rules.
    comparable : bool or None
        Whether therapies passed the gate for a comparison; None where the result compares none.
        No release holds a row that compares therapies which are not comparable.
    support : tuple of mappings
        Private: for each row the distinct patients behind it, as named arrays of integer codes
        (``all``, ``with``, ``without``, ``group``, ``versus``). Never shown, never exported.
    patients : Patients or None
        Private: whose codes these are, so that releases can be told apart by who is in them.
    """

    name: str
    table: pd.DataFrame
    method: Said
    warnings: tuple[Said, ...] = ()
    estimand: Said = ""
    origin: Origin = field(default_factory=Origin)
    comparable: bool | None = None
    support: tuple[Support, ...] = field(default=(), repr=False, compare=False)
    patients: Patients | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a table that breaks the promises of the type."""
        if tuple(self.table.columns) != COLUMNS:
            raise ValueError(f"{self.name}: the columns of a Result are {', '.join(COLUMNS)}")
        if len(self.support) != len(self.table):
            raise ValueError(f"{self.name}: every row needs its support")
        unknown = set(self.table["state"]) - WITH_ESTIMATE - WITHOUT_ESTIMATE
        if unknown:
            raise ValueError(f"{self.name}: unknown states {sorted(unknown)}")
        undeclared = set(self.table["statistic"].dropna()) - read_statistics().keys()
        if undeclared or self.table["statistic"].isna().any():
            raise ValueError(
                f"{self.name}: add a block to facts/statistics.toml for each of these statistics: "
                f"{', '.join(sorted(undeclared)) or 'rows without a statistic'}"
            )
        doubtful = ~self.table["state"].isin(list(WITH_ESTIMATE))
        if self.table.loc[doubtful, list(_ESTIMATES)].notna().any(axis=None):
            raise ValueError(f"{self.name}: an estimate stands in a row whose state forbids one")
        for sets in self.support:
            for members in sets.values():
                members.flags.writeable = False

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table, one row per estimate."""
        return self.table.copy()

    def where(self, **equals: object) -> Result:
        """Return the rows whose columns equal the given values (a list means any of them).

        Examples
        --------
        >>> result = build_result("change", [{"statistic": "mean_score", "estimate": 4.2, "n": 12}],
        ...                       method="Mean.")
        >>> len(result.where(statistic="mean_score").table), len(result.where(statistic=["srm"]).table)
        (1, 0)
        """
        keep = np.ones(len(self.table), dtype=bool)
        for column, value in equals.items():
            wanted = list(value) if isinstance(value, (list, tuple, set)) else [value]
            keep &= self.table[column].isin(wanted).to_numpy()
        rows = np.flatnonzero(keep)
        table = self.table.iloc[rows].reset_index(drop=True)
        return replace(self, table=table, support=tuple(self.support[i] for i in rows))

    def __repr__(self) -> str:
        """Return name, size and states, no patients."""
        states = ", ".join(f"{count} {state}" for state, count in self.table["state"].value_counts().items())
        return f"Result({self.name!r}, {len(self.table)} rows: {states or 'none'})"

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis="columns", how="all").to_html(index=False, na_rep="", escape=True)
        texts = (str(read_words().write(text)) for text in (self.method, *self.warnings))
        notes = "".join(f"<p>{html.escape(text)}</p>" for text in texts)
        return f"{shown}{notes}"


def build_result(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    method: Said,
    support: Sequence[Support] | None = None,
    warnings: Iterable[Said] = (),
    estimand: Said = "",
    origin: Origin | None = None,
    comparable: bool | None = None,
    patients: Patients | None = None,
) -> Result:
    """Build a `Result` from rows given as mappings.

    Keys of rows are from `COLUMNS`; absent columns become missing, an absent state ``ok``, and a row whose
    state forbids an estimate loses it. Without support rows count as having no patients behind them, which
    `release` withholds.
    """
    rows = list(rows)
    unknown = {key for row in rows for key in row} - set(COLUMNS)
    if unknown:
        raise ValueError(f"{name}: unknown columns {sorted(unknown)}")
    types = {column: "float64" if column in _NUMBERS else "str" for column in COLUMNS}
    held = {name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in types.items()}
    table = pd.DataFrame(held)
    table["state"] = table["state"].fillna("ok")
    without = ~table["state"].isin(list(WITH_ESTIMATE)).to_numpy()
    if without.any():
        table.loc[without, list(_ESTIMATES)] = np.nan
    sets: tuple[Support, ...] = tuple({} for _ in rows) if support is None else tuple(support)
    said = (method, tuple(warnings), estimand)
    return Result(name, table, *said, origin or Origin(), comparable, sets, patients)
