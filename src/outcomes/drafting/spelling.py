"""How the words and numbers of a file are compared: without case, punctuation and width."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*%?")
_DATE = re.compile(r"(\d{1,4})[/.\-年](\d{1,2})[/.\-月](\d{1,4})日?(?:[ T]\d{1,2}:\d{2}.*)?")


def normalise(text: object) -> str:
    """Return a text in lower case and one width, cut into words and numbers by single spaces.

    Examples
    --------
    >>> normalise("  Pt. No "), normalise("Pain 0-10"), normalise("ODI_6weeks")
    ('pt no', 'pain 0 10', 'odi 6 weeks')
    """
    plain = unicodedata.normalize("NFKC", str(text)).casefold()
    return " ".join(re.findall(r"\d+|[^\W\d_]+", plain))


def find_longest(text: str, words: Iterable[str]) -> str | None:
    """Return the longest of some words that stands in a normalised text as whole words.

    Examples
    --------
    >>> find_longest("baseline pain 0 10", ["pain", "pain 0 10", "in 0"])
    'pain 0 10'
    """
    padded = f" {text} "
    found = [
        word for word in words if word and (f" {word} " in padded or (not word.isascii() and word in text))
    ]
    return max(found, key=len, default=None)


def split_date(cell: object) -> tuple[int, int, int] | None:
    """Return the three numbers of a date written as text, in the order in which they stand.

    Examples
    --------
    >>> split_date("30/11/2025"), split_date("2025-11-30"), split_date("40")
    ((30, 11, 2025), (2025, 11, 30), None)
    """
    match = _DATE.fullmatch(str(cell).strip()) if isinstance(cell, str) else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def is_number(cell: object) -> bool:
    """Return whether a cell holds a number, typed or as text; a percent sign may follow."""
    if isinstance(cell, bool):
        return False
    if isinstance(cell, int | float):
        return True
    return isinstance(cell, str) and bool(_NUMBER.fullmatch(cell.strip()))


def is_date(cell: object) -> bool:
    """Return whether a cell holds a date, typed or as text."""
    return isinstance(cell, datetime.date | datetime.datetime) or split_date(cell) is not None


def is_number_or_date(cell: Any) -> bool:
    """Return whether a cell holds a number or a date."""
    return is_number(cell) or is_date(cell)
