"""Words of a header which say that a column may hold a change, or another measure, and not the score."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from outcomes.facts.toml import read_facts

#: Latin words of at least so many letters are also found within a compound such as ``Schmerzveränderung``.
_LONG = 8


def find_header_doubt(header: str, names: Iterable[str] = ()) -> str | None:
    """Return what the words of a header make doubtful: whether its column holds the score of its measure.

    Parameters
    ----------
    header : str
    names : iterable of str
        Names of the measure; what they say themselves is no doubt ("global rating of change").

    Returns
    -------
    str or None
        ``change``, ``improvement``, ``another`` (another measure) or None.

    Examples
    --------
    >>> [find_header_doubt(it) for it in ("ODI change", "odi_improvement", "Pain relief", "ODI 6 weeks")]
    ['change', 'improvement', 'another', None]
    >>> find_header_doubt("Schmerzveränderung"), find_header_doubt("NDI變化"), find_header_doubt("ΔVAS")
    ('change', 'change', 'change')
    """
    text, own = _split_words(header), [_split_words(name) for name in names]
    for doubt, words in _list_words().items():
        if any(_holds(text, word) and not any(_holds(name, word) for name in own) for word in words):
            return doubt
    return None


@cache
def _list_words() -> dict[str, tuple[str, ...]]:
    sections = read_facts("doubtful_headers").items()
    found = {name: tuple(_split_words(word) for word in section["words"]) for name, section in sections}
    return {name: found[name] for name in ("another", "improvement", "change")}


def _split_words(text: str) -> str:
    """Return a text without accents and case, its words between single blanks."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = unicodedata.normalize("NFKD", apart).casefold()
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(re.findall(r"[^\W\d_]+|∆", letters))


def _holds(text: str, word: str) -> bool:
    if not word.isascii() or (len(word) >= _LONG and " " not in word):
        return word in text
    return f" {word} " in f" {text} "
