"""`Coded`: a column as codes into its distinct values, so that work is done once per distinct value."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

#: Zero-width characters and soft hyphens, which no reader sees.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))


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
