"""`Result`: what every analysis returns, one estimate a row."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.facts.statistic import read_statistics

COLUMNS = (
    "outcome", "statistic", "term", "level", "group", "versus", "timepoint", "x", "estimate", "std_error",
    "df", "conf_low", "conf_high", "p_value", "n", "n_versus", "unit", "state",
)  # fmt: skip
#: The group of all groups together.
ALL = "all"

_NUMBERS = ("x", "estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
_ESTIMATES = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value")

#: States in which a row carries an estimate.
WITH_ESTIMATE = frozenset({"ok", "boundary"})
#: States that name why a row carries none.
WITHOUT_ESTIMATE = frozenset(
    {"not_converged", "separated", "rank_deficient", "degenerate", "too_few", "few_clusters"}
)

#: The distinct patients behind one row: named sets of integer patient codes, each of which must be
#: large enough (or empty, where that is allowed) before the row may leave.
Support = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Patients:
    """Whose codes the support of a result counts. Private: it holds ids.

    Parameters
    ----------
    ids : array of str
        Id of each patient, by code.
    digests : array of uint64
        Of all that was recorded of each patient, by code: another one where anything was corrected or added.
    """

    ids: np.ndarray = field(repr=False)
    digests: np.ndarray = field(repr=False)


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
    method : str
        One sentence or more: what was computed, from whom, how missing data were treated.
    warnings : tuple of str
        What a reader must know before using a number.
    estimand : str
        Population, therapy strategies, variable and time, intercurrent events, summary.
    provenance : mapping
        What it was made from: source name, fingerprint of the records, instrument and version, rules.
    comparable : bool or None
        Whether therapies passed the gate for a comparison; None where the result compares none.
        A stakeholder's release holds no row of a result whose therapies are not comparable.
    support : tuple of mappings
        Private: for each row the distinct patients behind it, as named arrays of integer codes
        (``all``, ``with``, ``without``, ``group``, ``versus``). Never shown, never exported.
    patients : Patients or None
        Private: whose codes these are, so that releases can be told apart by who is in them.
    """

    name: str
    table: pd.DataFrame
    method: str
    warnings: tuple[str, ...] = ()
    estimand: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
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
        return replace(
            self,
            table=self.table.iloc[rows].reset_index(drop=True),
            support=tuple(self.support[i] for i in rows),
        )

    def __repr__(self) -> str:
        """Return name, size and states, no patients."""
        states = ", ".join(f"{count} {state}" for state, count in self.table["state"].value_counts().items())
        return f"Result({self.name!r}, {len(self.table)} rows: {states or 'none'})"

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis="columns", how="all").to_html(index=False, na_rep="", escape=True)
        notes = "".join(f"<p>{html.escape(text)}</p>" for text in (self.method, *self.warnings))
        return f"{shown}{notes}"


def build_result(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    method: str,
    support: Sequence[Support] | None = None,
    warnings: Iterable[str] = (),
    estimand: str = "",
    provenance: Mapping[str, Any] | None = None,
    comparable: bool | None = None,
    patients: Patients | None = None,
) -> Result:
    """Build a `Result` from rows given as mappings.

    Absent columns become missing, an absent state ``ok``; in a row whose state forbids an estimate the
    estimate and its companions are removed.

    Parameters
    ----------
    name, method, warnings, estimand, provenance, comparable, patients
        As in `Result`.
    rows : iterable of mappings
        One per estimate, keys from `COLUMNS`.
    support : sequence of mappings, optional
        One per row; without it rows count as having no patients behind them, which `release` withholds.

    Returns
    -------
    Result
        With one row per mapping, in the given order.
    """
    rows = list(rows)
    unknown = {key for row in rows for key in row} - set(COLUMNS)
    if unknown:
        raise ValueError(f"{name}: unknown columns {sorted(unknown)}")
    table = pd.DataFrame(
        {
            column: pd.Series(
                [row.get(column) for row in rows], dtype="float64" if column in _NUMBERS else "str"
            )
            for column in COLUMNS
        }
    )
    table["state"] = table["state"].fillna("ok")
    without = ~table["state"].isin(list(WITH_ESTIMATE)).to_numpy()
    if without.any():
        table.loc[without, list(_ESTIMATES)] = np.nan
    empty: list[Support] = [{} for _ in rows]
    return Result(
        name, table, method, tuple(warnings), estimand, dict(provenance or {}), comparable,
        tuple(support if support is not None else empty), patients,
    )  # fmt: skip
