"""From text to numbers, whole numbers and flags, once per distinct value; nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import read_facts
from outcomes.records.columns.coded import match_texts
from outcomes.records.files import simplify_name

_NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
_THOUSANDS_DOT = r"^[+-]?[0-9]{1,3}([.][0-9]{3})+$"
_ENDLESS = r"^[+-]?(inf|infinity|∞)$"
_LARGEST = 1e300
_TRUE = frozenset({"1", "y", "yes", "true", "t", "是", "ja", "si", "oui"})
_FALSE = frozenset({"0", "n", "no", "false", "f", "否", "nein", "nee", "non"})


def find_missing(texts: np.ndarray, codes: Iterable[str] = (), *, keep_words: bool = False) -> np.ndarray:
    """Return which texts mean missing.

    Parameters
    ----------
    texts : array of str
        Distinct repaired texts.
    codes : iterable of str
        The source's own codes; a number is compared as a number (``999`` is ``999.0``).
    keep_words : bool
        Whether words such as ``None`` may be a name here, so that only the source's codes make them missing.

    Examples
    --------
    >>> find_missing(np.array(["7", "NaN", "None", "999.0"], dtype=object), ["999"]).tolist()
    [False, True, True, True]
    """
    spellings = read_facts("missing")
    tokens = [*spellings["always"], *([] if keep_words else spellings["words"]), *codes]
    plain = pc.utf8_lower(pa.array(texts, pa.string()))
    missing = pc.is_in(plain, value_set=pa.array(sorted({token.casefold() for token in tokens}), pa.string()))
    found = missing.to_numpy(zero_copy_only=False).astype(bool)
    own = {simplify_name(code) for code in codes if _is_plain_number(code)}
    if own:
        numeric = np.flatnonzero(match_texts(texts, r"^-?[0-9]+\.0$"))
        found[numeric] |= np.array([simplify_name(text) in own for text in texts[numeric]], dtype=bool)
    return found


def _is_plain_number(text: str) -> bool:
    return text.strip().lstrip("-").replace(".", "", 1).isdigit()


def parse_numbers(
    texts: np.ndarray, present: np.ndarray, decimal: str = "."
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Parse texts as numbers.

    Parameters
    ----------
    texts : array of str
        Distinct repaired texts.
    present : array of bool
        Which of them are not missing.
    decimal : str
        The declared decimal mark, ``.`` or ``,``.

    Returns
    -------
    values : array of float
        NaN where missing or refused.
    rules : dict
        Mask per rule: ``SCORE_NOT_NUMERIC`` and ``SCORE_NOT_FINITE`` refuse, ``DECIMAL_COMMA`` repairs.

    Examples
    --------
    >>> values, rules = parse_numbers(np.array(["7,5", "4"], dtype=object), np.array([True, True]), ",")
    >>> values.tolist(), rules["DECIMAL_COMMA"].tolist()
    ([7.5, 4.0], [True, False])
    """
    text = pa.array(texts, pa.string())
    comma = np.zeros(len(texts), dtype=bool)
    grouped = np.zeros(len(texts), dtype=bool)
    with_comma = match_texts(text, ",")
    if decimal == ",":
        comma = match_texts(text, _DECIMAL_COMMA)
        grouped = match_texts(text, _THOUSANDS_DOT)
        text = pc.replace_substring(text, ",", ".")
    numeric = (match_texts(text, _NUMBER) & ~grouped & (comma | ~with_comma)) & present
    values = np.full(len(texts), np.nan)
    if numeric.any():
        values[numeric] = pc.cast(text.filter(pa.array(numeric)), pa.float64()).to_numpy()
    endless = (match_texts(pc.utf8_lower(text), _ENDLESS) | (np.abs(values) > _LARGEST)) & present
    values[endless] = np.nan
    return values, {
        "SCORE_NOT_NUMERIC": present & ~numeric & ~endless,
        "SCORE_NOT_FINITE": endless,
        "DECIMAL_COMMA": comma & present,
    }


def parse_flags(texts: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse texts as yes (1.0) or no (0.0); the second array marks those that are neither."""
    names = [simplify_name(text) for text in texts]
    values = np.array(
        [1.0 if name in _TRUE else 0.0 if name in _FALSE else np.nan for name in names], dtype=float
    )
    values[~present] = np.nan
    return values, present & np.isnan(values)
