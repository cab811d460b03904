"""Whether a ledger's contents are what its events say."""

from __future__ import annotations

import sqlite3

from outcomes.disclosure.ledger.chain import Event
from outcomes.disclosure.ledger.database import refuse_damage
from outcomes.disclosure.ledger.ledger import hash_edition
from outcomes.disclosure.ledger.patient_sets import digest_set, unpack
from outcomes.disclosure.ledger.shelf import hash_cells


def check_contents(connection: sqlite3.Connection, events: list[Event]) -> None:
    """Check every edition, cell and set of patients against the hashes of the events.

    Raises
    ------
    DisclosureError
        At the first that does not fit.
    """
    last = {event.edition: event for event in events if event.change not in ("begun", "restored")}
    expected = {id: event for id, event in last.items() if event.change != "replaced"}
    found = dict(connection.execute("SELECT id, cells_sha256 FROM editions"))
    if found.keys() != expected.keys():
        raise refuse_damage("it does not hold the editions that its events name")
    for id, event in expected.items():
        if hash_edition(connection, id) != event.content:
            raise refuse_damage(f"the edition of event {event.sequence} was changed")
        if hash_cells(connection, id) != found[id]:
            raise refuse_damage(f"the released numbers of event {event.sequence} were changed")
    _check_sets(connection)


def _check_sets(connection: sqlite3.Connection) -> None:
    tokens = dict(connection.execute("SELECT number, token FROM patients"))
    for digest, members in connection.execute("SELECT digest, members FROM patient_sets"):
        if digest_set(tokens[number] for number in unpack(members).tolist()) != digest:
            raise refuse_damage("a set of patients was changed")
