"""Texts as the gate compares them: one spelling of digits, blanks and dashes, nothing invisible."""

import re
import unicodedata

import pyarrow as pa

from outcomes.records.columns.coded import match_texts

#: Signs that show nothing though Unicode does not call them format characters.
_BLANK_SIGNS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HAN_DIGITS = {sign: str(value) for value, sign in enumerate("〇一二三四五六七八九")} | {"零": "0"}
_HAN_NUMBER = re.compile("[〇零一二三四五六七八九]{8,}")
_LONG_VOWEL = re.compile("(?<=[0-9])ー+(?=[0-9])")  # stands for a dash in Japanese telephone numbers
_ACCENT = re.compile("[\u0300-\u036f]")


def fold_text(text: str) -> str:
    r"""Return a text with the digits, blanks and dashes of every script as those of ASCII.

    Full-width and other compatibility forms become ordinary ones, characters that show nothing are left out.

    Examples
    --------
    >>> fold_text("０９–３"), fold_text("٠٩١٢"), fold_text("A12\u200b34"), fold_text("〇九一二三四五六")[:4]
    ('09-3', '0912', 'A1234', '0912')
    """
    if text.isascii():
        return text
    folded = "".join(_fold_sign(sign) for sign in unicodedata.normalize("NFKC", text))
    folded = _LONG_VOWEL.sub("-", folded)
    return _HAN_NUMBER.sub(lambda match: "".join(_HAN_DIGITS[sign] for sign in match.group()), folded)


def _fold_sign(sign: str) -> str:
    if sign.isascii():
        return sign
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.digit(sign))
    if kind in ("Cf", "Cc") or sign in _BLANK_SIGNS or "\ufe00" <= sign <= "\ufe0f":
        return ""
    if kind in ("Zs", "Zl", "Zp"):
        return " "
    return "-" if kind == "Pd" or sign == "\u2212" else sign


def fold_texts(texts: pa.Array) -> pa.Array:
    """Return texts folded one by one; those of plain ASCII stay as they are."""
    odd = match_texts(texts, "[^\x00-\x7f]")
    if not odd.any():
        return texts
    return pa.array([fold_text(text) for text in texts.to_pylist()], pa.string())


def strip_accents(text: str) -> str:
    """Return a text whose Latin letters bear no accents; other scripts are left as they are.

    Examples
    --------
    >>> strip_accents("Prénom"), strip_accents("ガイド")
    ('Prenom', 'ガイド')
    """
    bare = _ACCENT.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare)
