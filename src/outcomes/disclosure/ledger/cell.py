"""`Cell`: one released row, with the quantity that it is a number of and the patients behind it."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outcomes.disclosure.ledger.key import make_tokens, mark_recorded
from outcomes.disclosure.released import RELEASE_COLUMNS, Backing, join_support
from outcomes.disclosure.rules import Rules
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.result import BEGAN, Patients

#: Fates of rows that say something about their patients.
_INFORMATIVE = frozenset({"shown", "few", "state", "held"})
#: Fates of rows whose number is kept back.
_KEPT_BACK = frozenset({"withheld", "dropped"})
#: Prefix of the quantity of a cell that was kept back: it is compared with no number.
_WITHHELD = "withheld "
#: What must be the same for a number to be the same.
_NUMBERS = ("estimate", "conf_low", "conf_high", "p_value", "n", "n_versus", "state", "display")


@dataclass(frozen=True)
class Cell:
    """One released row."""

    analysis: str
    #: Name of what it is a number of, for whichever patients; see `name_quantity`.
    quantity: str
    #: Which row of a page it is: analysis, quantity, groups.
    place: str
    #: Hash of what else the number depends on: instrument's version, rules, covariates, confidence level.
    definition: str
    #: Sorted numbers of all patients it was computed from.
    whole: np.ndarray = field(repr=False)
    #: Those with the answer, of a share.
    counted: np.ndarray | None = field(repr=False)
    #: The second of two groups that are compared.
    versus: np.ndarray | None = field(repr=False)
    #: A mark of the records of each patient of `whole`, in their order; it changes when the records change.
    marks: np.ndarray | None = field(repr=False)
    #: Edition that the number was made for, and its day (ISO): an earlier one for a number that is held back.
    origin: str
    as_of: str
    row: Mapping[str, Any] = field(repr=False)
    #: In the ledger; 0 for a new cell.
    id: int = 0
    edition: str = ""

    @property
    def model(self) -> tuple[str, str] | None:
        """Analysis and outcome of a model's results, which depend on all patients; None for other numbers."""
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
        told = json.dumps([_write(self.row[name]) for name in _NUMBERS])
        return hashlib.sha256(told.encode()).hexdigest()

    def says_the_same(self, other: "Cell") -> bool:
        """Return whether both show one number: the same row, or another row of the same estimate."""
        names = _NUMBERS if self.place == other.place else ("estimate",)
        return [_write(self.row[name]) for name in names] == [_write(other.row[name]) for name in names]


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


def _text(value: Any) -> str:
    return "" if _write(value) is None else str(value)


def name_quantity(analysis: str, row: Mapping[str, Any], rules: Rules) -> str:
    """Return the name of what a row is a number of.

    Rows of one name can be compared, whatever their groups, slices, reports or editions. A model's result
    is a number of its own analysis, a covariate one of no outcome, and a number with two names gets one.
    """
    statistic, term = rules.statistics[str(row["statistic"])], _text(row["term"])
    if statistic.score_is and term == "score":
        statistic, term = rules.statistics[statistic.score_is], ""
    # A later score is the same quantity as the one at the start, so that a mean of all who began is compared
    # with one of those seen that an earlier version released.
    pairs = (entry.difference_of for entry in rules.statistics.values() if entry.difference_of)
    named = {later: start for start, later in pairs}.get(statistic.id, statistic.id)
    analysis = analysis if statistic.rests_on == "analysis" else ""
    outcome = "" if "outcome" in statistic.same_for_any else _text(row["outcome"])
    level = "" if "level" in statistic.same_for_any else _text(row["level"])
    where = [_text(row["timepoint"]), _text(_write(row["x"])), _text(row["unit"])]
    parts = [analysis, named, outcome, term, level, *where, "versus" if _text(row["versus"]) else ""]
    return json.dumps(parts, ensure_ascii=False)


class PatientNumbers:
    """Patients of results by their number in the ledger, with a mark of the records of each."""

    def __init__(self, key: bytes, number: Callable[[Sequence[bytes]], np.ndarray]) -> None:
        self._key = key
        self._number = number
        self._known: dict[str, tuple[Patients, np.ndarray, np.ndarray]] = {}

    def find(self, patients: Patients) -> tuple[np.ndarray, np.ndarray]:
        """Return the number and the mark of each patient, by code."""
        name = f"{id(patients.ids)} {id(patients.digests)}"
        if name not in self._known:
            tokens = make_tokens(self._key, patients.ids)
            marks = mark_recorded(self._key, tokens, patients.digests)
            # holding the patients keeps their ids in memory from being used again
            self._known[name] = (patients, self._number(tokens), marks)
        return self._known[name][1:]


def build_row_cells(
    analysis: str,
    rows: Sequence[Mapping[str, Any]],
    backing: Backing,
    provenance: Mapping[str, Any],
    numbering: PatientNumbers,
    rules: Rules,
) -> dict[int, Cell]:
    """Return the cells of rows that say something about patients, or keep a number back, by position."""
    depends = {key: provenance[key] for key in rules.ledger["definition"] if key in provenance}
    definition = hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()[:16]
    found: dict[int, Cell] = {}
    for place, (row, fate, sets) in enumerate(zip(rows, backing.fates, backing.support, strict=True)):
        # A row of a model depends on all patients of the fit, not on its own groups alone. Later scores
        # are compared by those seen: that more began shows in their start, which is compared by who began.
        rests_on = rules.statistics[row["statistic"]].rests_on
        own = {name: codes for name, codes in sets.items() if name != BEGAN}
        whole = backing.everybody if rests_on == "analysis" else join_support((own,))
        if rests_on == "nobody" or not whole.size:
            continue
        if fate not in _INFORMATIVE and (fate not in _KEPT_BACK or backing.patients is None):
            continue
        if backing.patients is None:
            raise DisclosureError(Text.of("errors.ledger.whose", analysis=repr(analysis)))
        numbers, marks = numbering.find(backing.patients)
        order = np.argsort(numbers[whole])
        counted, versus = (
            np.sort(numbers[np.unique(sets[name])]) if name in sets else None for name in ("with", "versus")
        )
        quantity = name_quantity(analysis, row, rules)
        named = [analysis, quantity, _text(row["group"]), _text(row["versus"])]
        found[place] = Cell(
            analysis=analysis,
            quantity=quantity if fate in _INFORMATIVE else f"{_WITHHELD}{quantity}",
            place=json.dumps(named, ensure_ascii=False),
            definition=definition,
            whole=numbers[whole][order],
            counted=counted,
            versus=versus,
            marks=marks[whole][order],
            origin="",
            as_of="",
            row=row,
        )
    return found
