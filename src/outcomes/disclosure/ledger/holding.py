"""Holding numbers back: a row that would tell of a few shows its earlier value, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from outcomes.disclosure.backing import join_support
from outcomes.disclosure.ledger.cell import Cell
from outcomes.disclosure.ledger.entry import About, build_row_cells
from outcomes.disclosure.ledger.memory import Memory
from outcomes.disclosure.notes import allow_origin
from outcomes.disclosure.rules import Rules
from outcomes.result import Result, write_origin

#: Fates by which a number of an earlier edition would vanish.
_VANISHING = frozenset({"withheld", "dropped", "collapsed", "unsaid", "league"})


@dataclass(frozen=True)
class Held:
    """What the ledger makes of the rows of a result.

    Parameters
    ----------
    fates : tuple of str
        One per row; ``held`` for those that show an earlier value.
    rows : mapping
        The earlier cell of each held row, by position.
    cells : mapping
        The cell of each row that says something about patients, by position.
    n_withheld : int
        Rows without an earlier value to show.
    waiting : mapping
        By position, what an earlier edition kept back there: from who was in it then, it is counted who has
        come since, however many editions that takes.
    """

    fates: tuple[str, ...]
    rows: Mapping[int, Cell]
    cells: Mapping[int, Cell] = field(default_factory=dict)
    n_withheld: int = 0
    waiting: Mapping[int, Cell] = field(default_factory=dict)

    def find_earlier(self, place: int, fate: str) -> int:
        """Return the ledger's cell that stands for a row in its place; 0 where the row stands for itself."""
        kept = {"held": self.rows, "withheld": self.waiting}.get(fate, {})
        return kept[place].id if place in kept else 0


def hold_back(
    result: Result,
    written: Sequence[Mapping[str, Any]],
    fates: Sequence[str],
    rules: Rules,
    memory: Memory | None,
) -> Held:
    """Compare the rows of a result with all that was shown before.

    Parameters
    ----------
    result : Result
    written : sequence of mappings
        The rows as they would be shown.
    fates : sequence of str
    rules : Rules
    memory : Memory or None
        Without one nothing is held back.

    Returns
    -------
    Held
    """
    if memory is None:
        return Held(tuple(fates), {})
    now, rows, waiting = list(fates), dict[int, Cell](), dict[int, Cell]()
    about = About(
        result.name, written, fates, result.support, join_support(result.support), result.patients,
        write_origin(allow_origin(result.origin, rules)),
    )  # fmt: skip
    cells = build_row_cells(about, memory.roll, rules)
    asked = {place: cell for place, cell in cells.items() if not cell.is_kept_back}
    for (place, cell), judgement in zip(
        asked.items(), memory.judge(list(asked.values()), rules.k), strict=True
    ):
        barrier = None
        if not judgement.reason:
            barrier = None if judgement.is_known else memory.find_kept_back(cell, rules.k)
            if barrier is None:
                continue
            if barrier.place == cell.place:
                waiting[place] = barrier
        earlier = memory.find_row(cell) if barrier is None else None
        now[place] = "held" if earlier is not None else "withheld"
        if earlier is None and cell.row["statistic"] in rules.roles["follow_whole"]:
            now[place] = "unsaid"
        if earlier is not None:
            rows[place] = earlier
    n_withheld = sum(fate == "withheld" and fates[place] != fate for place, fate in enumerate(now))
    return Held(tuple(now), rows, cells, n_withheld, waiting)


def hold_vanishing(held: Held, fates: Sequence[str], rules: Rules, memory: Memory | None) -> Held:
    """Let numbers stand that would vanish because of a few patients: that they vanish would tell of these.

    Parameters
    ----------
    held : Held
    fates : sequence of str
        Once all rules have been applied.
    rules : Rules
    memory : Memory or None

    Returns
    -------
    Held
        With the final fates.
    """
    if memory is None:
        return replace(held, fates=tuple(fates))
    now, rows = list(fates), dict(held.rows)
    for place, cell in held.cells.items():
        earlier = memory.find_vanished(cell, rules.k) if now[place] in _VANISHING else None
        if earlier is not None:
            now[place], rows[place] = "held", earlier
    return replace(held, fates=tuple(now), rows=rows)


def note_shown(held: Held, fates: Sequence[str], memory: Memory | None) -> None:
    """Keep in mind what a page shows of a result, once all rules have been applied to it."""
    if memory is not None:
        memory.note([cell for place, cell in held.cells.items() if fates[place] in ("shown", "few", "state")])
