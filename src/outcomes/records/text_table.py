"""What is read of a file: `RawColumns`, `TextTable` (its cells tidied), and `SheetCells` for a draft."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.errors import Finding
from outcomes.records.findings import Refusal


@dataclass(frozen=True)
class RawColumns:
    """The mapped columns of a file before their cells are tidied."""

    #: Mapped header to its cells as text, one per record; null where the cell is in ``bad_cells``.
    columns: dict[str, pa.ChunkedArray]
    #: int32, one per record.
    lines: np.ndarray
    #: All headers, mapped ones as the source TOML spells them.
    headers: tuple[str, ...]
    refused: list[Refusal] = field(default_factory=list)
    bad_cells: list[Refusal] = field(default_factory=list)
    #: Whether the file held numbers as numbers, which were spelt with a decimal point.
    typed: bool = False


@dataclass(frozen=True)
class TextTable:
    """The mapped columns of one file as text; nothing is typed yet and no other column was loaded."""

    #: Name of the file, unusual characters escaped, with the sheet where several are read; never its folder.
    file: str
    #: One row per record that has the right shape, in the file's order; one column per mapped header, of
    #: dictionary-encoded text in a single chunk. Blank cells are ``""``, null are those in ``bad_cells``.
    table: pa.Table = field(repr=False)
    #: int32, one per row of ``table``: first physical line of the record, counted from 1; in a workbook the
    #: row, in a Parquet file the record's number.
    lines: np.ndarray = field(repr=False)
    #: All headers of the file; mapped ones as the source TOML spells them.
    headers: tuple[str, ...]
    #: What was refused, repaired or accepted with a warning. Bad cells have no finding: whether one refuses
    #: its record depends on what a row is.
    findings: tuple[Finding, ...] = field(repr=False)
    #: Records refused by their shape; they are not in ``table``.
    refused: tuple[Refusal, ...] = field(repr=False)
    #: Records of the file: ``len(lines) + len(refused)``.
    n_read: int
    sha256: str
    #: Cells that cannot be read, such as a formula without a value or an error.
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
        """Return a column as codes (int32, one per row, -1 for a bad cell) and the distinct texts they count.

        Examples
        --------
        >>> table = pa.table({"sex": pa.array(["f", "m", "f"]).dictionary_encode()})
        >>> text = TextTable("a.csv", table, np.array([2, 3, 4]), ("sex",), (), (), 3, "")
        >>> codes, texts = text.split("sex")
        >>> codes.tolist(), texts.to_pylist()
        ([0, 1, 0], ['f', 'm'])
        """
        if not self.table.num_rows:
            return np.empty(0, np.int32), pa.array([], pa.string())
        column = self.table.column(header).chunk(0)
        return pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False), column.dictionary


@dataclass(frozen=True)
class SheetCells:
    """The cells of a sheet, or of a file that holds one table, before anything is known about them."""

    #: Cells as the file types them (text, numbers, dates), None where blank; row i stands in line i + 1.
    rows: list[tuple[Any, ...]] = field(repr=False)
    #: How many rows hold something, also beyond those that were kept.
    n_rows: int
    title: str | None = None
    #: Of a text file, where they are not comma and UTF-8.
    delimiter: str | None = None
    encoding: str | None = None
    #: Whether the encoding leaves no doubt.
    certain: bool = True
    #: Line and column (from 1) of cells with a colour behind them, to the colour.
    fills: Mapping[tuple[int, int], str] = field(default_factory=dict, repr=False)
    #: Variable to what the file says that it is.
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Variable to its codes and what each stands for.
    value_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
