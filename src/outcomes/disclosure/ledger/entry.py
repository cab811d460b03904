"""From the releases of a page to the cells that the ledger keeps of it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outcomes.disclosure.backing import Backing
from outcomes.disclosure.ledger.cell import (
    Cell,
    gather_members,
    hash_definition,
    is_compared,
    is_kept_back,
    keep_apart,
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
from outcomes.result import Patients, Support, write_origin

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


@dataclass(frozen=True)
class About:
    """Rows as they are shown, with what became of each and who stands behind it.

    Parameters
    ----------
    analysis : str
    rows : sequence of mappings
    fates : sequence of str
    support : sequence of mappings
    everybody : array of int
        Codes of all who stand behind any row of the result.
    patients : Patients or None
    provenance : mapping
    """

    analysis: str
    rows: Sequence[Mapping[str, Any]]
    fates: Sequence[str]
    support: Sequence[Support]
    everybody: np.ndarray
    patients: Patients | None
    provenance: Mapping[str, Any]


def _describe(release: Release, backing: Backing) -> About:
    rows = [{str(name): value for name, value in row.items()} for row in release.table.to_dict("records")]
    return About(
        release.name, rows, backing.fates, backing.support, backing.everybody, backing.patients,
        write_origin(release.origin),
    )  # fmt: skip


def build_cells(
    connection: sqlite3.Connection, key: bytes, edition: Edition, releases: Sequence[Release]
) -> list[Cell]:
    """Return the cells of a page, each once, within a transaction; new patients get a number.

    Raises
    ------
    DisclosureError
        When a release does not say who stands behind it, or shows a row that the ledger no longer holds.
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
        cells = build_row_cells(_describe(release, release.backing), roll, read_rules(release.k))
        for place, cell in cells.items():
            id = release.backing.earlier[place] if release.backing.earlier else 0
            if id and id not in earlier:
                raise DisclosureError(
                    f"The ledger changed while the page of {edition.report} was made; make the page again."
                )
            cell = earlier[id] if id else dataclasses.replace(cell, origin=edition.id, as_of=edition.made)
            found.setdefault((cell.place, cell.digest, cell.whole.tobytes()), cell)
    return sorted(found.values(), key=lambda cell: (cell.place, cell.digest, cell.whole.tobytes()))


def _read_earlier(connection: sqlite3.Connection, backing: Backing) -> Iterator[tuple[int, Cell]]:
    """Yield the cells of earlier editions that some rows show in place of their own number."""
    wanted = {id for id in backing.earlier if id}
    if wanted:
        yield from ((cell.id, cell) for cell in read_cells(connection) if cell.id in wanted)


def build_row_cells(about: About, roll: Roll, rules: Rules) -> dict[int, Cell]:
    """Return the cells of those rows that say something about patients, by position.

    Raises
    ------
    DisclosureError
        When nobody says whose numbers they are.
    """
    members = gather_members(about.rows, about.support, about.everybody, rules)
    asked = list(enumerate(zip(about.rows, about.fates, members, strict=True)))
    telling = [place for place, (row, fate, sets) in asked if is_compared(row, fate, sets, rules)]
    if about.patients is not None:
        telling += [place for place, (row, fate, sets) in asked if is_kept_back(row, fate, sets, rules)]
    if not telling:
        return {}
    if about.patients is None:
        raise DisclosureError(
            f"The result of {about.analysis!r} does not say whose numbers it holds "
            "(patients=list_patients(records)), so that it cannot be compared with earlier releases; nothing "
            "was released."
        )
    numbers, marks = roll.call(about.patients)
    definition = hash_definition(about.provenance, rules)
    found = {}
    for place in telling:
        row, sets = about.rows[place], members[place]
        order = np.argsort(numbers[sets.whole])
        quantity = name_quantity(about.analysis, row, rules)
        found[place] = Cell(
            analysis=about.analysis,
            quantity=quantity if is_compared(row, about.fates[place], sets, rules) else keep_apart(quantity),
            place=name_place(about.analysis, quantity, row),
            definition=definition,
            whole=numbers[sets.whole][order],
            counted=None if sets.counted is None else np.sort(numbers[sets.counted]),
            versus=None if sets.versus is None else np.sort(numbers[sets.versus]),
            marks=marks[sets.whole][order],
            origin="",
            as_of="",
            row=row,
        )
    return found
