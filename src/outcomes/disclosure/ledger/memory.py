"""What a page in the making is compared with: the ledger's cells, and what it has itself shown so far."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from outcomes.disclosure.ledger.cell import Cell
from outcomes.disclosure.ledger.comparison import Judgement, count_differing, judge_cells
from outcomes.disclosure.ledger.edition import Edition
from outcomes.disclosure.ledger.entry import Roll
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.opening import open_as_it_is
from outcomes.disclosure.ledger.patient_sets import read_numbers
from outcomes.errors import DisclosureError
from outcomes.machine.private_files import write_private_file

#: Set while a report runs: the private folder in which views leave their content.
RUN_FOLDER = "OUTCOMES_RUN_DIR"
_HANDED = "ledger.json"
#: In it the language of the page that is being made.
LANGUAGE = "language"


def hand_ledger(private: Path, edition: Edition, run_folder: Path) -> None:
    """Let the notebook of a run compare what it releases with the ledger.

    Parameters
    ----------
    private : Path
        The private folder of the project, whose ledger `open_ledger` has opened before.
    edition : Edition
        That is being made.
    run_folder : Path
        Private folder of the run; the file in it is for its owner only.
    """
    content = {"private": str(Path(private).absolute()), "edition": dataclasses.asdict(edition)}
    write_private_file(run_folder / _HANDED, json.dumps(content, ensure_ascii=False).encode("utf-8"))


class Memory:
    """Earlier cells that a page is compared with.

    Parameters
    ----------
    ledger : Ledger
    edition : Edition
        That is being made; an earlier making of it does not count.
    """

    def __init__(self, ledger: Ledger, edition: Edition) -> None:
        counting = [
            other
            for other in ledger.list_editions()
            if other.counts and other.id != edition.id and not edition.replaces(other)
        ]
        self._edition = edition
        cells = ledger.read_cells(counting)
        self._earlier = [cell for cell in cells if not cell.is_kept_back]
        self._ks = {other.id: other.k for other in counting}
        own = [other.id for other in counting if edition.follows(other) and other.state != "withdrawn"]
        self._own = set(own)
        self._last = [cell for cell in cells if own and cell.edition == own[-1]]
        self._numbers = read_numbers(ledger.connection)
        self.roll = Roll(ledger.key, self._number)
        self._shown: list[Cell] = []

    def _number(self, tokens: Sequence[bytes]) -> np.ndarray:
        """Number patients as the ledger does; whoever is new to it gets a number of this page only."""
        new = sorted(set(tokens) - self._numbers.keys())
        first = max(self._numbers.values(), default=0) + 1
        self._numbers |= {token: number for number, token in enumerate(new, start=first)}
        return np.array([self._numbers[token] for token in tokens], dtype="int64")

    def judge(self, cells: Sequence[Cell], k: int) -> list[Judgement]:
        """Judge new cells by the ledger's, and by those that the page has shown so far."""
        return judge_cells(
            cells, [*self._earlier, *self._shown], k, self._ks, lambda cell: self.find_row(cell) is not None
        )

    def find_row(self, cell: Cell) -> Cell | None:
        """Return the latest row of an earlier edition of this page that may stand in place of a new cell.

        It must be a number of the same row and, for the most part, of the same patients: a value of another
        set would mislead.
        """
        rows = [other for other in self._earlier if other.place == cell.place and other.edition in self._own]
        rows = [
            other for other in rows if 2 * np.intersect1d(other.whole, cell.whole).size > other.whole.size
        ]
        latest = [other for other in rows if other.edition == rows[-1].edition]
        if not latest:
            return None
        return latest[int(np.argmin(count_differing(cell, latest)))]

    def find_vanished(self, cell: Cell, k: int) -> Cell | None:
        """Return the earlier row of a number that would vanish because of fewer than k patients."""
        earlier = self.find_row(cell)
        return earlier if earlier is not None and _count_apart(cell, [earlier]) < k else None

    def find_kept_back(self, cell: Cell, k: int) -> Cell | None:
        """Return the cell without a number beside which one would appear because of fewer than k patients.

        That it appears would tell that somebody came, or that somebody's answer changed.

        Returns
        -------
        Cell or None
            What the last edition kept back in this place; where it had no row there, its nearest one of the
            same line.
        """
        same = [other for other in self._last if other.place == cell.place]
        if any(not other.is_kept_back for other in same):
            return None
        beside = same or [other for other in self._last if other.line == cell.line]
        nearest = min(beside, key=lambda other: _count_apart(cell, [other]), default=None)
        return nearest if nearest is not None and _count_apart(cell, [nearest]) < k else None

    def note(self, cells: Sequence[Cell]) -> None:
        """Keep in mind what the page shows."""
        self._shown += cells


def _count_apart(cell: Cell, others: Sequence[Cell]) -> int:
    """Return in how many patients a cell differs from the nearest of others."""
    return min(np.setxor1d(cell.whole, other.whole).size for other in others)


def recall_language() -> str:
    """Return the language of the page that is being made; English outside a report's run."""
    run_folder = os.environ.get(RUN_FOLDER)
    path = Path(run_folder) / LANGUAGE if run_folder else None
    return path.read_text(encoding="utf-8") if path and path.is_file() else "en"


_MEMORIES: dict[Path, Memory] = {}


def recall_memory() -> Memory | None:
    """Return what a page that is being made in this process must be compared with.

    Returns
    -------
    Memory or None
        None where no run has handed on its ledger: the team's analyses, work by hand.

    Raises
    ------
    DisclosureError
        When the ledger cannot be trusted.
    """
    run_folder = os.environ.get(RUN_FOLDER)
    path = Path(run_folder) / _HANDED if run_folder else None
    if path is None or not path.is_file():
        return None
    if path not in _MEMORIES:
        try:
            handed = json.loads(path.read_text(encoding="utf-8"))
            edition, private = Edition(**handed["edition"]), Path(handed["private"])
        except (OSError, ValueError, TypeError, KeyError):
            raise DisclosureError("The run's ledger.json cannot be read; nothing was released.") from None
        with open_as_it_is(private) as ledger:
            _MEMORIES[path] = Memory(ledger, edition)
    return _MEMORIES[path]
