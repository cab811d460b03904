"""`Coded`: a column as codes into its distinct values, so that work is done once per distinct value."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Zero-width characters and soft hyphens, which no reader sees.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))

#: Blanks at an end, runs of blanks, blanks other than the space, and all that is not ASCII.
_ODD_SPELLING = r"^\s|\s$|\s\s|[\t\n\r\f\v]|[^\x00-\x7F]"


@dataclass(frozen=True)
class Coded:
    """A column of a file.

    Parameters
    ----------
    codes : numpy.ndarray of int32
        One per row, an index into ``values``; -1 is missing.
    values : numpy.ndarray
        Distinct values of the file (text, as object), or what they were typed to (several distinct
        spellings may then hold the same value).
    """

    codes: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def rows(self, distinct: np.ndarray) -> np.ndarray:
        """Return which rows hold one of the distinct values marked in ``distinct`` (a mask of values)."""
        if not distinct.any():
            return np.zeros(len(self.codes), dtype=bool)
        return np.append(distinct, False)[self.codes]

    def spread(self, fill: object) -> np.ndarray:
        """Return the values, one per row, with ``fill`` where missing."""
        return np.append(self.values, np.array([fill], dtype=self.values.dtype))[self.codes]

    def mark_used(self) -> np.ndarray:
        """Return which of the values any row holds, as a mask."""
        return np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:] > 0

    def type_as(self, values: np.ndarray, missing: np.ndarray) -> Coded:
        """Return the same rows with new values, missing where ``missing`` marks a distinct value."""
        codes = self.codes
        if missing.any():
            codes = np.append(np.where(missing, -1, np.arange(len(values))), -1).astype(np.int32)[codes]
        return Coded(codes, values)

    def merge_equal(self) -> Coded:
        """Return the same rows with every value once, sorted, so that codes can be compared."""
        values, inverse = np.unique(self.values, return_inverse=True)
        return Coded(np.append(inverse, -1).astype(np.int32)[self.codes], values)


def encode_text(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Encode a column of text.

    Parameters
    ----------
    column : pyarrow.ChunkedArray or pyarrow.Array
        Text, one per row; null is missing.

    Returns
    -------
    Coded
        With text as it stands in the file.
    """
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow keeps an empty column chunked
        encoded = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    indices = encoded.indices
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    values = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    return Coded(codes.astype(np.int32, copy=False), values)


def repair_text(value: str) -> tuple[str, str | None]:
    """Return a text in one spelling of its characters, and the rule that changed it.

    Compatibility forms (full-width digits) become their plain form, decomposed accents are composed, the
    minus sign becomes a hyphen, invisible characters go, runs of blanks become one.

    Examples
    --------
    >>> repair_text("７"), repair_text(" manual  therapy ")
    (('7', 'UNICODE_NFKC'), ('manual therapy', None))
    """
    if value.isascii():
        return " ".join(value.split()), None
    rule = None
    visible = value.translate(_INVISIBLE)
    if visible != value:
        rule = "INVISIBLE_CHAR"
    composed = unicodedata.normalize("NFC", visible)
    if composed != visible:
        rule = "UNICODE_NFC"
    plain = unicodedata.normalize("NFKC", composed).replace("\u2212", "-")
    if plain != composed:
        rule = "UNICODE_NFKC"
    return " ".join(plain.split()), rule


def match_texts(texts: np.ndarray | pa.Array, pattern: str) -> np.ndarray:
    """Return which texts a regular expression (RE2) matches anywhere, as a mask."""
    array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    return pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False).astype(bool)


def repair_texts(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct texts repaired by `repair_text`, and the rule that changed each (``""`` for none)."""
    repaired, rules = texts.copy(), np.full(len(texts), "", dtype=object)
    for i in np.flatnonzero(match_texts(texts, _ODD_SPELLING)):
        text, rule = repair_text(texts[i])
        repaired[i], rules[i] = text, rule or ""
    return repaired, rules


def simplify_name(text: str) -> str:
    """Return a name for comparison: without case, blanks, hyphens and underscores; ``498.0`` becomes ``498``.

    Examples
    --------
    >>> simplify_name("Manual_Therapy "), simplify_name("2.0")
    ('manualtherapy', '2')
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    if plain.lstrip("-").replace(".", "", 1).isdigit():
        return plain.removesuffix(".0")
    return plain.replace(" ", "").replace("_", "").replace("-", "") or plain


def is_known(values: np.ndarray) -> np.ndarray:
    """Return which of some objects are not None, as a mask."""
    return np.fromiter((value is not None for value in values), dtype=bool, count=len(values))


def sort_rows(*keys: np.ndarray) -> np.ndarray:
    """Return the stable order of rows by whole-number keys, the first one foremost.

    Several keys are packed into one number, which sorts fast where rows are nearly in order already.
    """
    packed = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        least = int(key.min(initial=0))
        packed = packed * (int(key.max(initial=0)) - least + 1) + (key.astype(np.int64) - least)
    return np.argsort(packed, kind="stable")
