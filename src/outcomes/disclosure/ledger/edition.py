"""`Edition`: one page of one slot of a series, or a page made by hand, as the ledger knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: How an edition may stand. A withdrawn one was released once: whoever read it still knows what it said.
STATES = ("made", "prepared", "released", "withdrawn")


@dataclass(frozen=True)
class Edition:
    """One edition of a page.

    Parameters
    ----------
    id : str
        Of the run that made it.
    report : str
        Name of the notebook.
    page : str
        Name of the page, the same from edition to edition.
    series : str
        Id of the series; empty for a page made by hand.
    slot : str
        Which release of the series: ``2026-Q3``.
    slice : mapping
        What one page of a series is about: ``{"site": "meadow"}``.
    k : int
        Smallest number of patients behind a shown number.
    profile : str
        Of the rules.
    made : str
        Day (ISO).
    due : str
        When the slot fell due, in UTC, ISO.
    state : str
        One of `STATES`.
    page_sha256, files_sha256 : str
        Of the page, and of the list of the files beside it with theirs.
    approved_by, approved_on : str
        Who approved it, and on which day (ISO).
    sequence : int
        Of the ledger's last event that concerns it.
    """

    id: str
    report: str
    page: str
    series: str = ""
    slot: str = ""
    slice: Mapping[str, str] = field(default_factory=dict)
    k: int = 11
    profile: str = ""
    made: str = ""
    due: str = ""
    state: str = "made"
    page_sha256: str = ""
    files_sha256: str = ""
    approved_by: str = ""
    approved_on: str = ""
    sequence: int = 0

    @property
    def counts(self) -> bool:
        """Whether new pages are compared with it: it was released, or a declared series has it ready."""
        return self.state != "made" or bool(self.series)

    def replaces(self, other: Edition) -> bool:
        """Say whether `other` is an earlier making of this very edition, which nobody has seen."""
        same = (self.page, self.series, self.slot) == (other.page, other.series, other.slot)
        return same and other.state == "made"

    def follows(self, other: Edition) -> bool:
        """Say whether both are editions of one page."""
        return (self.page, self.series) == (other.page, other.series)
