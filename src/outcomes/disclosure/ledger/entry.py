"""From the releases of a page to the cells that the ledger keeps of it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from outcomes.disclosure.backing import Backing
from outcomes.disclosure.ledger.cell import (
    Cell,
    gather_members,
    hash_definition,
    is_compared,
    list_rows,
    name_place,
    name_quantity,
)
from outcomes.disclosure.ledger.edition import Edition
from outcomes.disclosure.ledger.key import make_tokens, mark_recorded
from outcomes.disclosure.ledger.patient_sets import number_patients
from outcomes.disclosure.ledger.shelf import read_cells
from outcomes.disclosure.released import Release
from outcomes.disclosure.rules import Rules, read_rules
from outcomes.errors import DisclosureError
from outcomes.result import Patients

#: Gives each of some patients a number by which it can be told from the others.
Numbering = Callable[[Sequence[bytes]], np.ndarray]


class Roll:
    """Patients of results, by their number in the ledger and a mark of what was recorded of each.

    Parameters
    ----------
    key : bytes
    number : callable
        See `Numbering`.
    """

    def __init__(self, key: bytes, number: Numbering) -> None:
        self._key = key
        self._number = number
        self._known: dict[str, tuple[Patients, np.ndarray, np.ndarray]] = {}

    def call(self, patients: Patients) -> tuple[np.ndarray, np.ndarray]:
        """Return the number and the mark of each patient, by code."""
        name = f"{id(patients.ids)} {id(patients.digests)}"
        if name not in self._known:
            tokens = make_tokens(self._key, patients.ids)
            marks = mark_recorded(self._key, tokens, patients.digests)
            # the patients are held too, so that their place in memory is not given to others
            self._known[name] = (patients, self._number(tokens), marks)
        return self._known[name][1:]


def build_cells(
    connection: sqlite3.Connection, key: bytes, edition: Edition, releases: Sequence[Release]
) -> list[Cell]:
    """Return the cells of a page, each once, within a transaction; new patients get a number.

    Raises
    ------
    DisclosureError
        When a release does not say who stands behind it.
    """
    roll = Roll(key, lambda tokens: number_patients(connection, tokens))
    found: dict[tuple[str, str, bytes], Cell] = {}
    for release in sorted(releases, key=lambda release: release.name):
        if release.audience != "stakeholder" or release.backing is None:
            raise DisclosureError(
                f"The release of {release.name!r} does not say who stands behind it, so it cannot be entered "
                "in the ledger; nothing was released."
            )
        earlier = dict(_read_earlier(connection, release.backing))
        for cell in build_release_cells(release, release.backing, roll, read_rules(release.k)):
            cell = earlier.get(cell.id, cell) if cell.id else dataclasses.replace(cell, as_of=edition.made)
            found.setdefault((cell.place, cell.digest, cell.whole.tobytes()), cell)
    return sorted(found.values(), key=lambda cell: (cell.place, cell.digest, cell.whole.tobytes()))


def _read_earlier(connection: sqlite3.Connection, backing: Backing) -> Iterator[tuple[int, Cell]]:
    """Yield the cells of earlier editions that some rows show in place of their own number."""
    wanted = {id for id in backing.earlier if id}
    if wanted:
        yield from ((cell.id, cell) for cell in read_cells(connection) if cell.id in wanted)


def build_release_cells(release: Release, backing: Backing, roll: Roll, rules: Rules) -> Iterator[Cell]:
    """Yield the cells of one release: rows that say something about patients.

    Those that show an earlier row have its id, and the patients of that row are still to be put in.
    """
    rows = [row for row, _ in list_rows(release)]
    members = gather_members(rows, backing.support, backing.everybody, rules)
    definition = hash_definition(release.provenance, rules)
    if any(sets.whole.size for sets in members) and backing.patients is None:
        raise DisclosureError(
            f"The release of {release.name!r} does not say whose numbers it holds, so it cannot be entered "
            "in the ledger; nothing was released."
        )
    for place, (row, sets) in enumerate(zip(rows, members, strict=True)):
        if not is_compared(row, backing.fates[place], sets, rules):
            continue
        assert backing.patients is not None
        numbers, marks = roll.call(backing.patients)
        order = np.argsort(numbers[sets.whole])
        quantity = name_quantity(release.name, row, rules)
        yield Cell(
            analysis=release.name,
            quantity=quantity,
            place=name_place(release.name, quantity, row),
            definition=definition,
            whole=numbers[sets.whole][order],
            counted=None if sets.counted is None else np.sort(numbers[sets.counted]),
            versus=None if sets.versus is None else np.sort(numbers[sets.versus]),
            marks=marks[sets.whole][order],
            as_of="",
            row=row,
            id=backing.earlier[place] if backing.earlier else 0,
        )
