"""Earlier cells that a page is compared with, and the rows that are held back because of them.

A row that would reveal fewer than k patients beside earlier cells shows its earlier value, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from outcomes.disclosure.ledger.cell import Cell, PatientNumbers, build_row_cells
from outcomes.disclosure.ledger.comparison import Judgement, count_differing, judge_cells
from outcomes.disclosure.ledger.editions import Edition
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.stored_cells import number_new, read_numbers
from outcomes.disclosure.notes import allow_origin
from outcomes.disclosure.released import Backing, join_support
from outcomes.disclosure.rules import Rules
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.result import Patients, Result, write_origin

#: Fates by which a number of an earlier edition would vanish.
_VANISHING = frozenset({"withheld", "dropped", "unsaid"})


class EarlierCells:
    """Earlier cells a page is compared with: the ledger's, and its own so far.

    An earlier version of the edition that is being made does not count.
    """

    def __init__(self, ledger: Ledger, edition: Edition) -> None:
        counting = [
            other
            for other in ledger.list_editions()
            if other.counts and other.id != edition.id and not edition.replaces(other)
        ]
        cells = ledger.read_cells(counting)
        own = [other.id for other in counting if edition.follows(other) and other.state != "withdrawn"]
        self._earlier = [cell for cell in cells if not cell.is_kept_back]
        self._ks = {other.id: other.k for other in counting}
        self._own = set(own)
        self._last = [cell for cell in cells if own and cell.edition == own[-1]]
        #: The last edition of each page, with the page's name and series.
        self._newest = {(other.page, other.series): other.id for other in counting}
        self._edition, self._checked = edition, list[Patients]()
        self._numbers = read_numbers(ledger.connection)
        self._last_number = max(self._numbers.values(), default=0)
        self.numbering = PatientNumbers(ledger.key, self._number)
        self._shown: list[Cell] = []

    def _number(self, tokens: Sequence[bytes]) -> np.ndarray:
        """Number patients as the ledger does; those new to it get numbers of this page only."""
        self._numbers |= number_new(self._numbers, tokens)
        return np.array([self._numbers[token] for token in tokens], dtype="int64")

    def refuse_renamed(self, patients: Patients, source: str | None, k: int) -> None:
        """Refuse records in which most patients of the last editions go by ids that nobody knows.

        Compared are pages of the same name, of the same series, and of the same source, which their names
        hold. Patients who only went away are no ground, nor are those who only came.
        """
        if any(patients is one for one in self._checked):
            return
        self._checked.append(patients)
        numbers, _ = self.numbering.find(patients)
        n_new = int((numbers > self._last_number).sum())
        for (page, series), id in self._newest.items():
            named = f"-{PurePosixPath(page).stem}-"
            same_series = bool(series) and series == self._edition.series
            if page == self._edition.page or same_series or (source and f"-{source.lower()}-" in named):
                before = [cell.whole for cell in self._earlier if cell.edition == id]
                members = np.unique(np.concatenate([np.zeros(0, dtype="int64"), *before]))
                n_missing = int((~np.isin(members, numbers)).sum())
                if members.size >= k and 2 * n_missing > members.size and 2 * n_new >= n_missing:
                    raise DisclosureError(Text.of("errors.ledger.renamed"))

    def judge(self, cells: Sequence[Cell], k: int) -> list[Judgement]:
        """Judge new cells by the ledger's, and by those that the page has shown so far."""
        return judge_cells(
            cells, [*self._earlier, *self._shown], k, self._ks, lambda cell: self.find_row(cell) is not None
        )

    def find_row(self, cell: Cell) -> Cell | None:
        """Return the latest row of an earlier edition of this page that may replace a new cell.

        It must be a number of the same row and, for the most part, of the same patients: a value of another
        set would mislead.
        """
        rows = [
            other
            for other in self._earlier
            if other.place == cell.place
            and other.edition in self._own
            and 2 * np.intersect1d(other.whole, cell.whole).size > other.whole.size
        ]
        latest = [other for other in rows if other.edition == rows[-1].edition]
        return latest[int(np.argmin(count_differing([cell], latest)[0]))] if latest else None

    def find_vanished(self, cell: Cell, k: int) -> Cell | None:
        """Return the earlier row of a number that would vanish because of fewer than k patients."""
        earlier = self.find_row(cell)
        return earlier if earlier is not None and _count_apart(cell, earlier) < k else None

    def find_kept_back(self, cell: Cell, k: int) -> Cell | None:
        """Return the cell without a number beside which one would appear because of fewer than k patients.

        That it appears would reveal that somebody came, or that somebody's answer changed. The cell is
        what the last edition kept back in this place; where it had no row there, its nearest one of the
        same line.
        """
        same = [other for other in self._last if other.place == cell.place]
        if any(not other.is_kept_back for other in same):
            return None
        beside = same or [other for other in self._last if other.line == cell.line]
        nearest = min(beside, key=lambda other: _count_apart(cell, other), default=None)
        return nearest if nearest is not None and _count_apart(cell, nearest) < k else None

    def add_shown(self, cells: Sequence[Cell]) -> None:
        """Add cells that the page shows: later ones are compared with them too."""
        self._shown += cells


def _count_apart(cell: Cell, other: Cell) -> int:
    """Return in how many patients two cells differ."""
    return int(np.setxor1d(cell.whole, other.whole).size)


@dataclass(frozen=True)
class HeldRows:
    """What follows for the rows of a result from the comparison with earlier cells."""

    #: One per row; ``held`` for those that show an earlier value.
    fates: tuple[str, ...]
    #: The earlier cell of each held row, by position.
    rows: Mapping[int, Cell]
    #: The cell of each row that says something about patients, by position.
    cells: Mapping[int, Cell] = field(default_factory=dict)
    #: Number of rows without an earlier value to show.
    n_withheld: int = 0
    #: By position, the cell that an earlier edition kept back there: newcomers are counted from it,
    #: however many editions it takes.
    waiting: Mapping[int, Cell] = field(default_factory=dict)

    def find_earlier(self, place: int, fate: str) -> int:
        """Return the id of the ledger's cell that is shown in place of a row; 0 where the row is new."""
        kept = {"held": self.rows, "withheld": self.waiting}.get(fate, {})
        return kept[place].id if place in kept else 0


def hold_back(
    result: Result,
    written: Sequence[Mapping[str, Any]],
    fates: Sequence[str],
    rules: Rules,
    earlier: EarlierCells | None,
) -> HeldRows:
    """Compare the rows of a result, as they would be shown, with earlier cells; without these hold none."""
    if earlier is None:
        return HeldRows(tuple(fates), {})
    if result.patients is not None:
        earlier.refuse_renamed(result.patients, result.origin.source, rules.k)
    now, rows, waiting = list(fates), dict[int, Cell](), dict[int, Cell]()
    backing = Backing(tuple(fates), result.support, result.patients, join_support(result.support))
    provenance = write_origin(allow_origin(result.origin, rules))
    cells = build_row_cells(result.name, written, backing, provenance, earlier.numbering, rules)
    asked = {place: cell for place, cell in cells.items() if not cell.is_kept_back}
    judged = earlier.judge(list(asked.values()), rules.k)
    for (place, cell), judgement in zip(asked.items(), judged, strict=True):
        row = None
        if judgement.reason:
            row = earlier.find_row(cell)
        else:
            barrier = None if judgement.is_known else earlier.find_kept_back(cell, rules.k)
            if barrier is None:
                continue
            if barrier.place == cell.place:
                waiting[place] = barrier
        if row is not None:
            now[place], rows[place] = "held", row
        else:
            in_chart = rules.statistics[cell.row["statistic"]].in_chart
            now[place] = "unsaid" if in_chart in ("limit", "whole_limit") else "withheld"
    n_withheld = sum(fate == "withheld" and fates[place] != fate for place, fate in enumerate(now))
    return HeldRows(tuple(now), rows, cells, n_withheld, waiting)


def hold_vanishing(
    held: HeldRows, fates: Sequence[str], rules: Rules, earlier: EarlierCells | None
) -> HeldRows:
    """Keep a number whose disappearance would reveal fewer than k patients; `fates` are after all rules."""
    if earlier is None:
        return replace(held, fates=tuple(fates))
    now, rows = list(fates), dict(held.rows)
    for place, cell in held.cells.items():
        row = earlier.find_vanished(cell, rules.k) if now[place] in _VANISHING else None
        if row is not None:
            now[place], rows[place] = "held", row
    return replace(held, fates=tuple(now), rows=rows)


def note_shown(held: HeldRows, fates: Sequence[str], earlier: EarlierCells | None) -> None:
    """Add the cells that a page finally shows of a result to those that later results are compared with."""
    if earlier is not None:
        earlier.add_shown(
            [cell for place, cell in held.cells.items() if fates[place] in ("shown", "few", "state")]
        )
