"""Quotes that do not enclose whole fields: which lines they spoil, and where one is never closed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

QUOTE, FEED = ord('"'), ord("\n")


@dataclass(frozen=True)
class QuoteFaults:
    """What following the quotes found; lines are indices of lines.

    Parameters
    ----------
    spans : list of tuple
        First and last line of each record that holds a line break inside quotes.
    stray : list of int
        Lines whose quotes do not enclose whole fields.
    unterminated : int or None
        Line on which a quote opens a field and is not closed where a field ends.
    """

    spans: list[tuple[int, int]]
    stray: list[int]
    unterminated: int | None


def find_wrong_quotes(
    view: np.ndarray, quotes: np.ndarray, opening: np.ndarray, delimiter: int
) -> np.ndarray:
    """Return which quotes are wrong: opening without a field's edge before, or closing without one after.

    Two quotes side by side stand for one, and are right.

    Parameters
    ----------
    view : numpy.ndarray
        Bytes of the text.
    quotes : numpy.ndarray
        Offsets of its quotes.
    opening : numpy.ndarray
        Whether each opens a quoted field, judging by its number.
    delimiter : int
    """
    beside = np.where(opening, quotes - 1, quotes + 1)
    inside = (beside >= 0) & (beside < len(view))
    signs = np.where(inside, view[np.clip(beside, 0, len(view) - 1)], FEED)
    return ~((signs == delimiter) | (signs == FEED) | (signs == QUOTE))


def follow_quotes(view: np.ndarray, feeds: np.ndarray, delimiter: str) -> QuoteFaults:
    """Follow the quotes line by line through a text in which some do not enclose whole fields.

    Lines whose quotes are right in themselves are passed over, unless a quote was left open before.
    """
    lines, suspicious = _find_suspicious_lines(view, feeds, ord(delimiter))
    follower = _Follower(delimiter)
    starts = np.concatenate(([0], feeds + 1))
    places = np.flatnonzero(suspicious)
    place = 0
    while place < len(lines) and not follower.failed:
        if follower.opened is None:
            following = places[np.searchsorted(places, place) :]
            if not len(following):
                break
            place = int(following[0])
        line = int(lines[place])
        follower.read(line, view[starts[line] : feeds[line]].tobytes())
        place += 1
    return QuoteFaults(follower.spans, follower.stray, follower.opened)


def _find_suspicious_lines(
    view: np.ndarray, feeds: np.ndarray, delimiter: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines with quotes, and whether their quotes are wrong or odd in number."""
    quotes = np.flatnonzero(view == QUOTE)
    lines, first, counts = np.unique(np.searchsorted(feeds, quotes), return_index=True, return_counts=True)
    opening = (np.arange(len(quotes)) - np.repeat(first, counts)) % 2 == 0
    wrong = find_wrong_quotes(view, quotes, opening, delimiter)
    return lines, (counts % 2 == 1) | np.logical_or.reduceat(wrong, first)


class _Follower:
    """Remembers whether a quoted field is open from one line to the next."""

    def __init__(self, delimiter: str) -> None:
        sign = re.escape(delimiter.encode())
        field = rb'(?:"[^"]*(?:""[^"]*)*"|[^"%b]*)' % sign
        self._whole = re.compile(rb"%b(?:%b%b)*\Z" % (field, sign, field))
        self._left_open = re.compile(rb'(?:%b%b)*"[^"]*(?:""[^"]*)*\Z' % (field, sign))
        self._still_open = re.compile(rb'[^"]*(?:""[^"]*)*\Z')
        self._closed = re.compile(rb'[^"]*(?:""[^"]*)*"(?:\Z|%b)' % sign)
        self.opened: int | None = None
        self.failed = False
        self.spans: list[tuple[int, int]] = []
        self.stray: list[int] = []

    def read(self, number: int, line: bytes) -> None:
        if self.opened is None:
            self._read_fields(number, line)
        elif not self._still_open.match(line):
            self._close(number, line)

    def _read_fields(self, number: int, line: bytes) -> None:
        if self._left_open.match(line):
            self.opened = number
        elif not self._whole.match(line):
            self.stray.append(number)

    def _close(self, number: int, line: bytes) -> None:
        """Close the open field; where something else follows, the quote was not meant to close it."""
        end = self._closed.match(line)
        rest = line[end.end() :] if end else b""
        if end is None or not (self._whole.match(rest) or self._left_open.match(rest)):
            self.failed = True
            return
        first = self.opened if self.opened is not None else number
        self.spans.append((first, number))
        self.opened = first if self._left_open.match(rest) else None
