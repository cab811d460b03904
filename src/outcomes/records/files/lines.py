"""The byte pass over delimited text: where each record starts, on which line, and which cannot be one."""

import re
from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.findings import FileFindings

_QUOTE, _FEED = ord('"'), ord("\n")
_BLOCK = 8 << 20


@dataclass(frozen=True)
class RecordLines:
    """Where the records of a text stand."""

    #: int64, one per record: offsets of its first byte and of its line end.
    starts: np.ndarray
    ends: np.ndarray
    #: int32, one per record: its first physical line, counted from 1.
    lines: np.ndarray
    #: int32: lines whose quotes do not enclose whole fields; each is a record of its own.
    stray: np.ndarray
    #: Whether a quoted field holds a line break.
    spans_lines: bool

    def keep(self, wanted: np.ndarray) -> "RecordLines":
        """Return only the records that are wanted (one bool per record)."""
        kept = (self.starts[wanted], self.ends[wanted], self.lines[wanted])
        return RecordLines(*kept, self.stray, self.spans_lines)


def locate_records(content: bytes, delimiter: str, findings: FileFindings, start: int = 0) -> RecordLines:
    """Find the records of delimited text (UTF-8, line feeds) from an offset at which no quote is open.

    Blank lines are records of length zero. A line whose quotes do not enclose whole fields is stray; a quote
    that is never closed refuses the file at once, for nothing after it can be trusted.
    """
    view = np.frombuffer(content, np.uint8)[start:]
    feeds, outside, sound = _scan_blocks(view, ord(delimiter))
    if len(view) and view[-1] != _FEED:
        feeds, outside = np.append(feeds, len(view)), np.append(outside, True)
    first_line = content.count(b"\n", 0, start) + 1
    stray = np.empty(0, np.int64)
    if not sound:
        follower = _follow_quotes(view, feeds, delimiter)
        if follower.opened is not None:
            findings.refuse_now("QUOTE_UNTERMINATED", lines=[follower.opened + first_line])
        outside = np.ones(len(feeds), bool)
        for first, last in follower.spans:
            outside[first:last] = False
        stray = np.array(follower.stray, np.int64)
    line_starts = np.concatenate(([0], feeds[:-1] + 1)) if len(feeds) else feeds
    closes = np.flatnonzero(outside)
    opens = np.concatenate(([0], closes[:-1] + 1)) if len(closes) else closes
    lines = (opens + first_line).astype(np.int32)
    spans = len(closes) != len(feeds)
    return RecordLines(line_starts[opens] + start, feeds[closes] + start, lines, stray + first_line, spans)


def _scan_blocks(view: np.ndarray, delimiter: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return line ends, whether each is outside quotes, and whether all quotes enclose whole fields."""
    feeds, outside, is_open, sound = [], [], 0, True
    for begin in range(0, len(view), _BLOCK):
        block = view[begin : begin + _BLOCK]
        ends = np.flatnonzero(block == _FEED)
        quotes = np.flatnonzero(block == _QUOTE)
        inside = (np.searchsorted(quotes, ends) + is_open) % 2 == 1 if len(quotes) or is_open else None
        if len(quotes):
            opening = (np.arange(len(quotes)) + is_open) % 2 == 0
            sound &= not _find_wrong_quotes(view, quotes + begin, opening, delimiter).any()
            is_open = (is_open + len(quotes)) % 2
        feeds.append(ends + begin)
        outside.append(np.ones(len(ends), bool) if inside is None else ~inside)
    if not feeds:
        return np.empty(0, np.int64), np.empty(0, bool), True
    return np.concatenate(feeds), np.concatenate(outside), bool(sound and not is_open)


def _find_wrong_quotes(
    view: np.ndarray, quotes: np.ndarray, opening: np.ndarray, delimiter: int
) -> np.ndarray:
    """Return which quotes are wrong: opening without a field's edge before, or closing without one after.

    ``quotes`` are offsets; ``opening`` says whether each opens a quoted field, judging by its number. Two
    quotes side by side stand for one, and are right.
    """
    beside = np.where(opening, quotes - 1, quotes + 1)
    inside = (beside >= 0) & (beside < len(view))
    signs = np.where(inside, view[np.clip(beside, 0, len(view) - 1)], _FEED)
    return np.isin(signs, [delimiter, _FEED, _QUOTE], invert=True)


def _follow_quotes(view: np.ndarray, feeds: np.ndarray, delimiter: str) -> "_Follower":
    """Follow the quotes line by line, passing over lines whose quotes are right, where none was left open."""
    quotes = np.flatnonzero(view == _QUOTE)
    lines, first, counts = np.unique(np.searchsorted(feeds, quotes), return_index=True, return_counts=True)
    opening = (np.arange(len(quotes)) - np.repeat(first, counts)) % 2 == 0
    wrong = _find_wrong_quotes(view, quotes, opening, ord(delimiter))
    suspicious = (counts % 2 == 1) | np.logical_or.reduceat(wrong, first)
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
    return follower


class _Follower:
    """Remembers whether a quoted field is open from one line to the next; lines are indices of lines."""

    def __init__(self, delimiter: str) -> None:
        sign = re.escape(delimiter.encode())
        field = rb'(?:"[^"]*(?:""[^"]*)*"|[^"%b]*)' % sign
        self._whole = re.compile(rb"%b(?:%b%b)*\Z" % (field, sign, field))
        self._left_open = re.compile(rb'(?:%b%b)*"[^"]*(?:""[^"]*)*\Z' % (field, sign))
        self._still_open = re.compile(rb'[^"]*(?:""[^"]*)*\Z')
        self._closed = re.compile(rb'[^"]*(?:""[^"]*)*"(?:\Z|%b)' % sign)
        #: Line on which a quote opens a field and is not closed where a field ends.
        self.opened: int | None = None
        self.failed = False
        #: First and last line of each record that holds a line break inside quotes.
        self.spans: list[tuple[int, int]] = []
        #: Lines whose quotes do not enclose whole fields.
        self.stray: list[int] = []

    def read(self, number: int, line: bytes) -> None:
        if self.opened is not None:
            if not self._still_open.match(line):
                self._close(self.opened, number, line)
        elif self._left_open.match(line):
            self.opened = number
        elif not self._whole.match(line):
            self.stray.append(number)

    def _close(self, first: int, number: int, line: bytes) -> None:
        """Close the open field; where something else follows, the quote was not meant to close it."""
        end = self._closed.match(line)
        rest = line[end.end() :] if end else b""
        if end is None or not (self._whole.match(rest) or self._left_open.match(rest)):
            self.failed = True
            return
        self.spans.append((first, number))
        self.opened = first if self._left_open.match(rest) else None


def check_lengths(
    content: bytes, records: RecordLines, delimiter: str, headers: list[str], findings: FileFindings
) -> None:
    """Refuse records with a field longer than the limit, naming line and column."""
    limit = read_facts("limits")["text"]["max_field_chars"]
    for index in np.flatnonzero(records.ends - records.starts > limit):
        text = content[records.starts[index] : records.ends[index]].decode("utf-8")
        for position, cell in enumerate(split_fields(text, delimiter)):
            if len(cell) > limit:
                column = headers[position] if position < len(headers) else None
                findings.refuse("FIELD_TOO_LONG", lines=[records.lines[index]], column=column, most=limit)


def count_whole_fields(record: str, delimiter: str) -> int:
    """Return how many fields stand before the first whose quotes do not enclose it.

    Examples
    --------
    >>> count_whole_fields('P1,"a,b",exer"cise,7', ",")
    2
    """
    sign = re.escape(delimiter)
    whole = re.match(rf'(?:(?:"(?:[^"]|"")*"|[^"{sign}]*){sign})*', record)
    return len(split_fields(whole[0], delimiter)) - 1 if whole else 0


def split_fields(record: str, delimiter: str) -> list[str]:
    """Split one record whose quotes enclose whole fields.

    Examples
    --------
    >>> split_fields('P1,"a ""b"", c",,7', ",")
    ['P1', 'a "b", c', '', '7']
    """
    sign = re.escape(delimiter)
    field = rf'(?:\A|{sign})(?:"((?:[^"]|"")*)"|([^"{sign}]*))'
    found = (match.groups() for match in re.finditer(field, record))
    return [plain if quoted is None else quoted.replace('""', '"') for quoted, plain in found]
