"""The byte pass over delimited text: where each record starts, on which line, and which cannot be one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.quotes import FEED, QUOTE, find_wrong_quotes, follow_quotes

_BLOCK = 8 << 20


@dataclass(frozen=True)
class RecordLines:
    """Where the records of a text stand.

    Parameters
    ----------
    starts, ends : numpy.ndarray
        int64, one per record: offsets of its first byte and of its line end.
    lines : numpy.ndarray
        int32, one per record: its first physical line, counted from 1.
    stray : numpy.ndarray
        int32: lines whose quotes do not enclose whole fields; each is a record of its own.
    spans_lines : bool
        Whether a quoted field holds a line break.
    """

    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    stray: np.ndarray
    spans_lines: bool

    def keep(self, wanted: np.ndarray) -> RecordLines:
        """Return only the records that are wanted (one bool per record)."""
        kept = (self.starts[wanted], self.ends[wanted], self.lines[wanted])
        return RecordLines(*kept, self.stray, self.spans_lines)


def locate_records(content: bytes, delimiter: str, findings: FileFindings, start: int = 0) -> RecordLines:
    """Find the records of delimited text (UTF-8, line feeds) from an offset at which no quote is open.

    Blank lines are records of length zero. A quote is whole where it opens a field and closes it; where
    one does not, its line is stray, and a quote that is never closed refuses the file.

    Parameters
    ----------
    content : bytes
    delimiter : str
        One ASCII character.
    findings : FileFindings
        Takes an unterminated quote; raised at once, for nothing after it can be trusted.
    start : int
        Offset of the first record.
    """
    view = np.frombuffer(content, np.uint8)[start:]
    feeds, outside, sound = _scan_blocks(view, ord(delimiter))
    if len(view) and view[-1] != FEED:
        feeds, outside = np.append(feeds, len(view)), np.append(outside, True)
    first_line = content.count(b"\n", 0, start) + 1
    stray = np.empty(0, np.int64)
    if not sound:
        outside, stray = _follow(view, feeds, delimiter, first_line, findings)
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
        ends = np.flatnonzero(block == FEED)
        quotes = np.flatnonzero(block == QUOTE)
        inside = (np.searchsorted(quotes, ends) + is_open) % 2 == 1 if len(quotes) or is_open else None
        if len(quotes):
            opening = (np.arange(len(quotes)) + is_open) % 2 == 0
            sound &= not find_wrong_quotes(view, quotes + begin, opening, delimiter).any()
            is_open = (is_open + len(quotes)) % 2
        feeds.append(ends + begin)
        outside.append(np.ones(len(ends), bool) if inside is None else ~inside)
    if not feeds:
        return np.empty(0, np.int64), np.empty(0, bool), True
    return np.concatenate(feeds), np.concatenate(outside), bool(sound and not is_open)


def _follow(
    view: np.ndarray, feeds: np.ndarray, delimiter: str, first_line: int, findings: FileFindings
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each line end is outside quotes, and the stray lines, where some quotes are wrong."""
    faults = follow_quotes(view, feeds, delimiter)
    if faults.unterminated is not None:
        findings.refuse(
            "QUOTE_UNTERMINATED",
            "a quote opens a field and is not closed where the field ends",
            lines=[faults.unterminated + first_line],
            remedy="close the quote in the file, or export it again",
        )
        findings.stop()
    outside = np.ones(len(feeds), bool)
    for first, last in faults.spans:
        outside[first:last] = False
    return outside, np.array(faults.stray, np.int64)


def check_lengths(content: bytes, records: RecordLines, delimiter: str, headers: list[str], findings) -> None:
    """Refuse records with a field longer than the limit, naming line and column."""
    limit = read_facts("limits")["text"]["max_field_chars"]
    for index in np.flatnonzero(records.ends - records.starts > limit):
        text = content[records.starts[index] : records.ends[index]].decode("utf-8")
        for position, cell in enumerate(split_fields(text, delimiter)):
            if len(cell) > limit:
                column = headers[position] if position < len(headers) else None
                what = f"a cell holds more than {limit} characters"
                findings.refuse("FIELD_TOO_LONG", what, lines=[records.lines[index]], column=column)


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
    return [
        found[1].replace('""', '"') if found[1] is not None else found[2]
        for found in re.finditer(field, record)
    ]
