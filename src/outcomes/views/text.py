"""Sentences put together: lists in words, and HTML in which every text is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from outcomes.facts import read_words


def join_words(items: Sequence[str], last: str = "and") -> str:
    """Join words for a sentence.

    Parameters
    ----------
    items : sequence of str
    last : str
        ``and`` or ``or``: which word of the catalogue stands before the last.

    Examples
    --------
    >>> join_words(["age", "sex", "region"]), join_words(["pain"])
    ('age, sex and region', 'pain')
    """
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {read_words().say(f'views.{last}')} {items[-1]}"


def capitalise(text: str) -> str:
    """Return a text with its first letter a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def write_id(text: str) -> str:
    """Return an id as words; a name that is none of this package's ids, such as a site's, stays as it is.

    Examples
    --------
    >>> write_id("low_back"), write_id("Ward_7 (A)")
    ('low back', 'Ward_7 (A)')
    """
    return text.replace("_", " ") if re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", text) else text


def write_html(text: str) -> str:
    """Return a text as HTML: escaped, ``**words**`` bold, a number kept with its unit.

    Examples
    --------
    >>> write_html("**9.3 points** less, 75 % <b>")
    '<b>9.3&nbsp;points</b> less, 75&nbsp;% &lt;b&gt;'
    """
    escaped = html.escape(text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"(?<=\d) (?=%|points?\b|cm\b|mm\b|s\b)", "&nbsp;", bold)


def write_plain(text: str) -> str:
    """Return a text without its marks of emphasis."""
    return re.sub(r"\*\*(.+?)\*\*", r"\1", text)


def escape_emphasis(text: str) -> str:
    """Return a label that holds no marks of emphasis of its own."""
    return text.replace("**", "* *")
