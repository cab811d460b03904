"""`TextTable`: the mapped columns of one file as text, each record with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.errors import Finding


class Refusal(NamedTuple):
    """A record or a cell that cannot be read; holds no value.

    ``line`` is the record's first physical line (in a workbook its row), ``column`` a header or None.
    """

    line: int
    column: str | None
    rule: str
    reason: str


@dataclass(frozen=True)
class TextTable:
    """The mapped columns of one file as text; nothing is typed yet and no other column was loaded.

    Parameters
    ----------
    file : str
        Name of the file, unusual characters escaped, with the sheet where several are read; never its folder.
    table : pyarrow.Table
        One row per record that has the right shape, in the file's order; one column per mapped header,
        named as the source TOML spells it. Every column is dictionary-encoded text in a single chunk.
        Blank cells are ``""``; null stands only where the cell is in ``bad_cells``.
    lines : numpy.ndarray
        int32, one per row of ``table``: first physical line of the record, counted from 1 over the whole
        file (blank lines, preamble and line breaks inside quotes included); in a workbook the row, in a
        Parquet file the record's number.
    headers : tuple of str
        All headers of the file; mapped ones as the source TOML spells them.
    findings : tuple of Finding
        What was refused, repaired or accepted with a warning; refused records too, one finding per rule
        and column. Bad cells have none: whether one refuses its record depends on what a row is.
    refused : tuple of Refusal
        Records refused by their shape; they are not in ``table``.
    bad_cells : tuple of Refusal
        Cells that cannot be read (a formula without a value, an error, a control character); null in
        ``table``. A long file refuses their record, a wide one the cell where the schema allows it.
    n_read : int
        Records of the file: ``len(lines) + len(refused)``.
    sha256 : str
        Of the file's bytes.
    """

    file: str
    table: pa.Table = field(repr=False)
    lines: np.ndarray = field(repr=False)
    headers: tuple[str, ...]
    findings: tuple[Finding, ...] = field(repr=False)
    refused: tuple[Refusal, ...] = field(repr=False)
    n_read: int
    sha256: str
    bad_cells: tuple[Refusal, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Hold that every record is either in the table or among the refused."""
        if not self.n_read == self.table.num_rows + len(self.refused) == len(self.lines) + len(self.refused):
            raise ValueError(f"{self.file}: records read are not the sum of those kept and refused")

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Headers that were not read."""
        mapped = set(self.table.column_names)
        return tuple(header for header in self.headers if header not in mapped)

    def split(self, header: str) -> tuple[np.ndarray, pa.Array]:
        """Return a column as codes and distinct texts.

        Parameters
        ----------
        header : str
            A mapped header.

        Returns
        -------
        codes : numpy.ndarray
            int32, one per row; -1 for a bad cell.
        texts : pyarrow.Array
            The distinct texts; ``texts[codes[i]]`` is the cell of row i.

        Examples
        --------
        >>> table = pa.table({"sex": pa.array(["f", "m", "f"]).dictionary_encode()})
        >>> text = TextTable("a.csv", table, np.array([2, 3, 4]), ("sex",), (), (), 3, "")
        >>> codes, texts = text.split("sex")
        >>> codes.tolist(), texts.to_pylist()
        ([0, 1, 0], ['f', 'm'])
        """
        column = self.table.column(header).chunk(0) if self.table.num_rows else None
        if column is None:
            return np.empty(0, np.int32), pa.array([], pa.string())
        return pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False), column.dictionary
