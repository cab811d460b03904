"""`Decisions`: what becomes of each row of a result, and which rules decided so."""

from collections.abc import Iterable
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of a row."""

    SHOWN = "shown"
    #: The number of an earlier edition stands in its place.
    HELD = "held"
    #: A bound in words: fewer than k, or all but fewer than k.
    FEW = "few"
    #: Why it was not estimated.
    STATE = "state"
    WITHHELD = "withheld"
    #: A point of a distribution that is not there: left out, and as unseen as a withheld cell.
    DROPPED = "dropped"
    #: Without a trace, not even its x.
    LEFT_OUT = "unsaid"


#: Fates that leave no row in a release.
NO_TRACE = frozenset({Fate.DROPPED, Fate.LEFT_OUT})
#: Fates of cells that stand for patients, and whose value a reader does not see.
UNSEEN = frozenset({Fate.WITHHELD, Fate.FEW, Fate.DROPPED, Fate.STATE})
#: Fates of rows that say something of their patients, be it a bound.
SAYING = frozenset({Fate.SHOWN, Fate.STATE, Fate.FEW})
#: Fates of rows that a page prints.
PRINTED = SAYING | {Fate.WITHHELD}


class Reason(StrEnum):
    """Why a row is not shown as it is; ``release.reason`` in the catalogue has a sentence for each."""

    # primary suppression: of the row's own patients
    INSIDE = "inside"
    TEAM_ONLY = "team_only"
    NOT_COMPARABLE = "not_comparable"
    NOT_FITTED = "not_fitted"
    FEW = "few"
    SIDE = "side"
    FULL_CELL = "full_cell"
    ALL_ALIKE = "all_alike"
    BAND = "band"
    SPREAD = "spread"
    COMPLEMENT = "complement"
    # secondary suppression: of what would follow from it
    STEP = "step"
    NEIGHBOUR = "neighbour"
    DIFFERENCE = "difference"
    FLOW = "flow"
    EPISODES = "episodes"
    SITES = "sites"
    CENTRE = "centre"
    RESTATED = "restated"
    SUM = "sum"
    PAGE = "page"
    EMPTY_LINE = "empty_line"
    CUT_DOWN = "cut_down"
    EARLIER_EDITION = "earlier_edition"


class Decisions:
    """Fate of each row of a result, with the reasons in the order in which rules gave them.

    Rules are applied one after the other; each records what it decides by `settle` or `withhold`.
    """

    def __init__(self, n_rows: int) -> None:
        self.fates = [Fate.SHOWN] * n_rows
        self.reasons: list[tuple[Reason, ...]] = [()] * n_rows
        #: Rows that are shown without their numbers of patients.
        self.unsized: frozenset[int] = frozenset()

    def settle(self, place: int, fate: Fate, reason: Reason) -> None:
        """Decide what becomes of a row; nothing happens where that is so already."""
        if self.fates[place] != fate:
            self.fates[place] = fate
            self.reasons[place] += (reason,)

    def withhold(self, places: Iterable[int], reason: Reason) -> None:
        """Withhold rows, which then say that they are."""
        for place in places:
            self.settle(place, Fate.WITHHELD, reason)

    def leave_out(self, places: Iterable[int], reason: Reason) -> None:
        """Remove rows without a trace."""
        for place in places:
            self.fates[place] = Fate.LEFT_OUT
            self.reasons[place] += (reason,)

    def remove_sizes(self, places: Iterable[int]) -> None:
        """Show rows without their numbers of patients."""
        self.unsized = frozenset(places)
        for place in self.unsized:
            self.reasons[place] += (Reason.PAGE,)

    def is_shown(self, place: int) -> bool:
        """Return whether a row shows its number so far."""
        return self.fates[place] == Fate.SHOWN

    def list_why_left_out(self, n_rows: int) -> list[Reason]:
        """Return for each of the first rows that is left out the rule that decided it in the end."""
        decided = list(zip(self.fates, self.reasons, strict=True))[:n_rows]
        return [reasons[-1] for fate, reasons in decided if fate in NO_TRACE]

    def copy(self) -> "Decisions":
        """Return the decisions so far, to try further ones on."""
        other = Decisions(0)
        other.fates, other.reasons, other.unsized = list(self.fates), list(self.reasons), self.unsized
        return other
