"""`Cell`: one released row, with the quantity that it is a number of and the patients behind it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outcomes.disclosure.released import RELEASE_COLUMNS
from outcomes.disclosure.rules import Rules
from outcomes.result import Support

#: Fates of rows that say something about their patients.
_TELLING = frozenset({"shown", "few", "state", "held"})
#: Fates of rows of which an edition says that it shows no number, or does not say anything.
_KEPT_BACK = frozenset({"withheld", "dropped"})
#: Begins the quantity of a cell that was kept back: it is compared with no number.
_WITHHELD = "withheld "
#: What tells one row of a quantity from the others of a page, beside the analysis.
_PLACE = ("group", "versus")
#: What must be the same for a number to be the same.
_NUMBERS = ("estimate", "conf_low", "conf_high", "p_value", "n", "n_versus", "state", "display")


@dataclass(frozen=True)
class Cell:
    """One released row.

    Parameters
    ----------
    analysis : str
    quantity : str
        What it is a number of, whoever is in it.
    place : str
        Which row of a page it is: analysis, quantity, groups.
    definition : str
        Hash of what else the number depends on: instrument's version, rules, covariates, confidence level.
    whole : array of int
        Everybody it was computed from.
    counted : array of int or None
        Those with the answer, of a share.
    versus : array of int or None
        The second of two groups that are compared.
    marks : array of int or None
        Of what was recorded of each of `whole`, in their order; another one where anything was changed.
    origin, as_of : str
        The edition that it was made for, and the day (ISO) of it: an earlier one for a number that is held
        back.
    row : mapping
        The released row.
    id : int
        In the ledger; 0 where it does not stand there.
    edition : str
    """

    analysis: str
    quantity: str
    place: str
    definition: str
    whole: np.ndarray = field(repr=False)
    counted: np.ndarray | None = field(repr=False)
    versus: np.ndarray | None = field(repr=False)
    marks: np.ndarray | None = field(repr=False)
    origin: str
    as_of: str
    row: Mapping[str, Any] = field(repr=False)
    id: int = 0
    edition: str = ""

    @property
    def model(self) -> tuple[str, str] | None:
        """Analysis and outcome of a model's results, which rest on everybody; None for other numbers."""
        analysis, _, outcome, *_ = json.loads(self.quantity)
        return (analysis, outcome) if analysis else None

    @property
    def is_kept_back(self) -> bool:
        """Whether its edition shows no number there."""
        return self.quantity.startswith(_WITHHELD)

    @property
    def line(self) -> tuple[str, ...]:
        """What it shares with the other levels, or amounts, of one group."""
        named = ("statistic", "term", "group", "versus", "timepoint")
        return (self.analysis, *(_text(self.row[name]) for name in named))

    @property
    def digest(self) -> str:
        """Hash of the numbers that it shows."""
        return digest_row(self.row)

    def says_the_same(self, other: Cell) -> bool:
        """Say whether both show one number: the same row, or another row of the same estimate."""
        names = _NUMBERS if self.place == other.place else ("estimate",)
        return [_write(self.row[name]) for name in names] == [_write(other.row[name]) for name in names]


def digest_row(row: Mapping[str, Any]) -> str:
    """Return a hash of the numbers that a row shows."""
    return hashlib.sha256(json.dumps([_write(row[name]) for name in _NUMBERS]).encode()).hexdigest()


def write_row(row: Mapping[str, Any]) -> str:
    """Write a released row as JSON."""
    return json.dumps({name: _write(row.get(name)) for name in RELEASE_COLUMNS}, ensure_ascii=False)


def _write(value: Any) -> Any:
    """Return a value as JSON holds it, a missing one as None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return float(value)
    return str(value)


def name_quantity(analysis: str, row: Mapping[str, Any], rules: Rules) -> str:
    """Return the name of what a row is a number of.

    Two rows of one name, of whatever groups, slices, reports or editions, can be set against each other. A
    result of a model is a number of its own analysis, a covariate one of no outcome, and a number that has
    two names gets one.
    """
    statistic, term = rules.statistics[str(row["statistic"])], _text(row["term"])
    if statistic.score_is and term == "score":
        statistic, term = rules.statistics[statistic.score_is], ""
    of_model = statistic.rests_on == "analysis"
    no_outcome = "outcome" in statistic.same_for_any
    parts = [
        analysis if of_model else "", statistic.id, "" if no_outcome else _text(row["outcome"]), term,
        "" if "level" in statistic.same_for_any else _text(row["level"]), _text(row["timepoint"]),
        _text(_write(row["x"])), _text(row["unit"]), "versus" if _text(row["versus"]) else "",
    ]  # fmt: skip
    return json.dumps(parts, ensure_ascii=False)


def name_place(analysis: str, quantity: str, row: Mapping[str, Any]) -> str:
    """Return the name of a row among those of a page."""
    return json.dumps([analysis, quantity, *(_text(row[name]) for name in _PLACE)], ensure_ascii=False)


def hash_definition(provenance: Mapping[str, Any], rules: Rules) -> str:
    """Return a hash of what a number depends on beside records and quantity."""
    kept = {key: provenance[key] for key in rules.ledger["definition"] if key in provenance}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _text(value: Any) -> str:
    return "" if _write(value) is None else str(value)


@dataclass(frozen=True)
class Members:
    """Patients behind one row, by code: everybody, those with the answer, the second group."""

    whole: np.ndarray
    counted: np.ndarray | None
    versus: np.ndarray | None


def gather_members(
    rows: Sequence[Mapping[str, Any]], support: Sequence[Support], everybody: np.ndarray, rules: Rules
) -> list[Members]:
    """Return the patients behind each row of a result.

    A row of a model's results depends on everybody whom the model saw, not on its own groups alone. Who that
    was is bounded by all who stand behind any row of the result: `everybody`.
    """
    found = []
    for row, sets in zip(rows, support, strict=True):
        of_model = rules.statistics[row["statistic"]].rests_on == "analysis"
        whole = everybody if of_model else _join(sets.values())
        counted, versus = (np.unique(sets[name]) if name in sets else None for name in ("with", "versus"))
        found.append(Members(whole, counted, versus))
    return found


def _join(sets: Iterable[np.ndarray]) -> np.ndarray:
    """Return who is in any of some sets."""
    return np.unique(np.concatenate([np.zeros(0, dtype="int64"), *sets]))


def is_kept_back(row: Mapping[str, Any], fate: str, members: Members, rules: Rules) -> bool:
    """Say whether a row would say something about patients, and does not."""
    apart = rules.statistics[row["statistic"]].rests_on == "nobody"
    return fate in _KEPT_BACK and not apart and members.whole.size > 0


def keep_apart(quantity: str) -> str:
    """Return the name of a quantity for a cell that was kept back."""
    return f"{_WITHHELD}{quantity}"


def is_compared(row: Mapping[str, Any], fate: str, members: Members, rules: Rules) -> bool:
    """Say whether a row says anything about patients."""
    apart = rules.statistics[row["statistic"]].rests_on == "nobody"
    return fate in _TELLING and not apart and members.whole.size > 0
