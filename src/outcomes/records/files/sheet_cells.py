"""`SheetCells`: the cells of one table of a file as they stand there, before anything is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SheetCells:
    """The cells of a sheet, or of a file that holds one table.

    Parameters
    ----------
    rows : list of tuples
        Cells as the file types them (text, numbers, dates), None where blank; row i stands in line i + 1.
        Never shown.
    n_rows : int
        How many rows hold something, also beyond those that were kept.
    title : str, optional
        Of a sheet.
    delimiter, encoding : str, optional
        Of a text file, where they are not comma and UTF-8.
    certain : bool
        Whether the encoding leaves no doubt.
    fills : mapping
        Line and column (from 1) of cells with a colour behind them, to the colour.
    labels : mapping
        Variable to what the file says that it is.
    value_labels : mapping
        Variable to its codes and what each stands for.
    """

    rows: list[tuple[Any, ...]] = field(repr=False)
    n_rows: int
    title: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    certain: bool = True
    fills: Mapping[tuple[int, int], str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    value_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
