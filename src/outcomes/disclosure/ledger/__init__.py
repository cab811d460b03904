"""The ledger of releases: what was released, of whom, so that editions together reveal no few patients."""

from outcomes.disclosure.ledger.editions import Edition
from outcomes.disclosure.ledger.ledger import Ledger
from outcomes.disclosure.ledger.opening import is_begun, open_as_it_is, open_ledger, restore_ledger

__all__ = ["Edition", "Ledger", "is_begun", "open_as_it_is", "open_ledger", "restore_ledger"]
