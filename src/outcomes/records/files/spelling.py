"""Spellings that mean the same: one width of characters, blanks, case; nothing that changes a meaning."""

from __future__ import annotations

import unicodedata

#: Wide and narrow forms, the ideographic space and the minus sign, to what they stand for. The rest of NFKC
#: is left out: it would turn ``7²`` into ``72`` and ``1½`` into ``11⁄2``.
_ONE_WIDTH = {code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))}
_ONE_WIDTH[0x2212] = "-"


def narrow_text(text: str) -> str:
    """Return a text with full-width and half-width forms, and the minus sign, as ordinary characters.

    Examples
    --------
    >>> narrow_text("－７．５"), narrow_text("\u22122"), narrow_text("7²")
    ('-7.5', '-2', '7²')
    """
    return text.translate(_ONE_WIDTH)


def compose_text(text: str) -> str:
    """Return a text whose letters written in several parts (NFD) are composed (NFC)."""
    return unicodedata.normalize("NFC", text)


def simplify_name(text: str) -> str:
    """Return a name for comparison: without case, blanks, hyphens and underscores; ``498.0`` becomes ``498``.

    Examples
    --------
    >>> simplify_name("Manual_Therapy "), simplify_name("２.0"), simplify_name("1²")
    ('manualtherapy', '2', '1²')
    """
    plain = compose_text(narrow_text(text)).casefold().strip()
    if plain.lstrip("-").replace(".", "", 1).isdigit():
        return plain.removesuffix(".0")
    return "".join(plain.split()).replace("_", "").replace("-", "") or plain
