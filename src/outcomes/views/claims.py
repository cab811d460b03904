"""What may be said of released rows: a sentence is said only if it holds whatever was not released.

A statement about rows is true, false or undecided (`None`), in the three-valued logic of Kleene (1952,
Introduction to Metamathematics, section 64). Each number that it rests on is a `Span`: the values that are
compatible with how it was released. Nothing here sees more than that, so that a sentence answers no question
about numbers that were withheld.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from outcomes.disclosure import Fate, Release, find_range, read_rules
from outcomes.facts import Words

#: Whether a statement holds for all results that fit what was released, for none of them, or for some.
Truth: TypeAlias = bool | None


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all of several statements hold.

    Examples
    --------
    >>> all_of([True, True]), all_of([True, None]), all_of([None, False])
    (True, None, False)
    """
    found = set(truths)
    return False if False in found else None if None in found else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether one of several statements holds.

    Examples
    --------
    >>> any_of([False, True]), any_of([False, None]), any_of([])
    (True, None, False)
    """
    found = set(truths)
    return True if True in found else None if None in found else False


def deny(truth: Truth) -> Truth:
    """Return whether a statement does not hold.

    Examples
    --------
    >>> deny(True), deny(None)
    (False, None)
    """
    return None if truth is None else not truth


@dataclass(frozen=True)
class Span:
    """The values that a number may have, from the least to the greatest; the whole range where not shown."""

    low: float = -math.inf
    high: float = math.inf

    def is_above(self, limit: float) -> Truth:
        """Return whether the number is above a limit.

        Examples
        --------
        >>> Span(0.125, 0.175).is_above(0.1), Span(0.125, 0.175).is_above(0.15), Span(0, 0.1).is_above(0.15)
        (True, None, False)
        """
        return True if self.low > limit else False if self.high <= limit else None

    def is_below(self, limit: float) -> Truth:
        """Return whether the number is below a limit."""
        return True if self.high < limit else False if self.low >= limit else None

    def exceeds(self, other: "Span") -> Truth:
        """Return whether the number is larger than another.

        Examples
        --------
        >>> Span(2, 3).exceeds(Span(0, 1)), Span(2, 3).exceeds(Span(2, 4)), Span(0, 1).exceeds(Span(1, 2))
        (True, None, False)
        """
        return True if self.low > other.high else False if self.high <= other.low else None


def read_span(row: Any, release: Release, column: str = "estimate", *, marked: bool = False) -> Span:
    """Return what a row's number may be today: anything, where it is withheld, was left out or is None.

    A number of an earlier edition says nothing of today's. Where the sentence prints it with its mark
    (`marked`) it speaks of that edition, and the number is what it was then.
    """
    if row is None or (row.fate == Fate.HELD and not marked):
        return Span()
    rules = read_rules(release.k, release.origin.disclosure_profile)
    return Span(*find_range(row, column, release.audience, rules))


def is_positive(row: Any, release: Release, *, marked: bool = False) -> Truth:
    """Return whether the whole interval of a row lies above 0; `marked` as in `read_span`."""
    return read_span(row, release, "conf_low", marked=marked).is_above(0)


def is_negative(row: Any, release: Release, *, marked: bool = False) -> Truth:
    """Return whether the whole interval of a row lies below 0; `marked` as in `read_span`."""
    return read_span(row, release, "conf_high", marked=marked).is_below(0)


def say_if(truth: Truth, words: Words, key: str, **values: object) -> str:
    """Return a sentence where its statement holds; empty where it does not, or is undecided.

    Examples
    --------
    >>> from outcomes.facts import read_words
    >>> say_if(True, read_words(), "sentences.more"), say_if(None, read_words(), "sentences.more")
    ('more', '')
    """
    return words.say(key, **values) if truth is True else ""
