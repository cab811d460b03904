"""The ledger of releases: what was released, of whom, so that no two editions together tell of a few."""

from outcomes.disclosure.ledger.chain import Event, Head
from outcomes.disclosure.ledger.edition import STATES, Edition
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.opening import open_ledger
from outcomes.disclosure.ledger.restoring import restore_ledger

__all__ = ["STATES", "Edition", "Event", "Head", "Ledger", "open_ledger", "restore_ledger"]
