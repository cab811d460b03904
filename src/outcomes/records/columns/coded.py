"""`Coded`: a column as codes into its distinct values, so that work is done once per distinct value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Blanks at an end, runs of blanks and blanks other than the space; beyond ASCII there may be further ones.
_ODD_BLANKS = r"^\s|\s$|\s\s|[\t\n\r\f\v]|[^\x00-\x7F]"


@dataclass(frozen=True)
class Coded:
    """A column of a file."""

    #: int32, one per row, an index into ``values``; -1 is missing.
    codes: np.ndarray
    #: Distinct texts of the file, or what they were typed to, where several may hold the same value.
    values: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def rows(self, distinct: np.ndarray) -> np.ndarray:
        """Return which rows hold one of the distinct values marked in ``distinct`` (a mask of values)."""
        if not distinct.any():
            return np.zeros(len(self.codes), dtype=bool)
        return np.take(np.append(distinct, False), self.codes)

    def spread(self, fill: object) -> np.ndarray:
        """Return the values, one per row, with ``fill`` where missing."""
        return np.take(np.append(self.values, np.array([fill], dtype=self.values.dtype)), self.codes)

    def mark_used(self) -> np.ndarray:
        """Return which of the values any row holds, as a mask."""
        return np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:] > 0

    def type_as(self, values: np.ndarray, missing: np.ndarray) -> "Coded":
        """Return the same rows with new values, missing where ``missing`` marks a distinct value."""
        codes = self.codes
        if missing.any():
            codes = np.append(np.where(missing, -1, np.arange(len(values))), -1).astype(np.int32)[codes]
        return Coded(codes, values)

    def type_known(self, target: np.ndarray) -> "Coded":
        """Return the same rows as what their texts mean, missing where that is None."""
        lost = ~is_known(target)
        target[lost] = ""
        return self.type_as(target, lost)

    def merge_equal(self) -> "Coded":
        """Return the same rows with every value once, sorted, so that codes can be compared."""
        values, inverse = np.unique(self.values, return_inverse=True)
        return Coded(np.append(inverse, -1).astype(np.int32)[self.codes], values)


def encode_text(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Return a column of text, one per row and null where missing, coded as it stands in the file."""
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow keeps an empty column chunked
        encoded = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    indices = encoded.indices
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    values = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    return Coded(codes.astype(np.int32, copy=False), values)


def join_coded(pieces: Sequence[Coded]) -> Coded:
    """Return columns of text put together, missing where any is; a slash within a text is doubled."""
    joined = pieces[0]
    for piece in pieces[1:]:
        pair = joined.codes.astype(np.int64) * (len(piece.values) + 1) + piece.codes
        pair[(joined.codes < 0) | (piece.codes < 0)] = -1
        distinct, codes = np.unique(pair, return_inverse=True)
        first, second = np.divmod(distinct[distinct >= 0], len(piece.values) + 1)
        left = joined.values if joined is not pieces[0] else _double_slashes(joined.values)
        right = _double_slashes(piece.values)
        texts = [f"{left[i]} / {right[j]}" for i, j in zip(first, second, strict=True)]
        numbers = (codes - int((distinct < 0).any())).astype(np.int32)
        joined = Coded(numbers, np.array(texts, dtype=object))
    return joined


def _double_slashes(texts: np.ndarray) -> np.ndarray:
    return np.array([str(text).replace("/", "//") for text in texts], dtype=object)


def number_texts(columns: Sequence[Coded]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Number distinct texts over several columns, in their order; each row has a number, -1 for none."""
    if not columns:
        return np.array([], dtype=object), []
    used = [coded.values[coded.mark_used()] for coded in columns]
    together = pa.array(np.concatenate(used), pa.string()).unique()
    names = together.take(pc.array_sort_indices(together))
    rows = []
    for coded in columns:
        number = pc.index_in(pa.array(coded.values, pa.string()), value_set=names).fill_null(-1)
        rows.append(np.append(number.to_numpy(zero_copy_only=False), -1).astype(np.int32)[coded.codes])
    return names.to_numpy(zero_copy_only=False).astype(object), rows


def match_texts(texts: np.ndarray | pa.Array, pattern: str) -> np.ndarray:
    """Return which texts a regular expression (RE2) matches anywhere, as a mask."""
    array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    return np.asarray(pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False), dtype=bool)


def tidy_blanks(texts: np.ndarray) -> np.ndarray:
    """Return distinct texts without blanks at their ends, and with single spaces for runs of blanks."""
    tidied = texts.copy()
    for i in np.flatnonzero(match_texts(texts, _ODD_BLANKS)):
        tidied[i] = " ".join(texts[i].split())
    return tidied


def is_known(values: np.ndarray) -> np.ndarray:
    """Return which of some objects are not None, as a mask."""
    return np.fromiter((value is not None for value in values), dtype=bool, count=len(values))


def sort_rows(*keys: np.ndarray) -> np.ndarray:
    """Return the stable order of rows by whole-number keys, the first one foremost."""
    # Packed into one number, they sort fast where rows are nearly in order already.
    packed = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        least = int(key.min(initial=0))
        packed = packed * (int(key.max(initial=0)) - least + 1) + (key.astype(np.int64) - least)
    return np.argsort(packed, kind="stable")
