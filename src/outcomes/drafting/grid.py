"""`Grid`: the cells of one table as they stand in a file, before anything is known about them."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from outcomes.errors import RecordsError
from outcomes.facts import read_facts
from outcomes.records.files import FileFindings, open_container

#: Rows that a draft looks at; enough to see every usual code, few enough to answer at once.
MAX_ROWS = 20_000
#: Bytes of a text file from which its encoding is told.
_MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Grid:
    """The cells of one sheet or text file.

    Parameters
    ----------
    file : str
        Name of the file.
    kind : str
        ``csv``, ``excel`` or ``parquet``.
    rows : tuple of tuples
        Cell values as the file types them (text, numbers, dates), None where blank; at most `MAX_ROWS`
        rows. Never shown.
    sheet : str or None
        Sheet that was looked at, the fullest visible one.
    other_sheets : tuple of str
        The workbook's other sheets.
    delimiter, encoding : str or None
        Of a text file, where they are not comma and UTF-8.
    """

    file: str
    kind: str
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None


def read_grid(path: Path, sheet: str | None = None) -> Grid:
    """Read the cells of a CSV, Excel or Parquet file.

    Parameters
    ----------
    path : Path
    sheet : str, optional
        Sheet of a workbook; the fullest visible one where absent.

    Returns
    -------
    Grid

    Raises
    ------
    RecordsError
        When the file is absent, empty or of another kind.
    """
    if not path.is_file():
        raise RecordsError(f"There is no file {path.name!r}; give the path of a CSV, Excel or Parquet file.")
    suffix = path.suffix.lower()
    if suffix in {".xlsx", ".xlsm"}:
        grid = _read_workbook(path, sheet)
    elif suffix == ".parquet":
        grid = _read_parquet(path)
    elif suffix in {".csv", ".tsv", ".txt"}:
        grid = _read_text(path)
    else:
        raise RecordsError(f"{path.name} is neither CSV, Excel (.xlsx) nor Parquet; save it as one of these.")
    if not grid.rows:
        raise RecordsError(f"{path.name} holds no rows.")
    return grid


def _trim(rows: Iterable[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    """Return at most `MAX_ROWS` rows of one width, blank text as None, without blank rows at the end."""
    kept = [
        tuple(None if isinstance(cell, str) and not cell.strip() else cell for cell in row)
        for row in itertools.islice(rows, MAX_ROWS)
    ]
    while kept and all(cell is None for cell in kept[-1]):
        kept.pop()
    width = max((len(row) for row in kept), default=0)
    return tuple(row + (None,) * (width - len(row)) for row in kept)


def _read_workbook(path: Path, sheet: str | None) -> Grid:
    from openpyxl import load_workbook

    open_container(path.read_bytes(), FileFindings(path.name)).close()
    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (KeyError, ValueError):
        raise RecordsError(f"{path.name} is no Excel workbook; save it again as .xlsx.") from None
    try:
        names = [entry.title for entry in book.worksheets if entry.sheet_state == "visible"]
        if sheet is not None and sheet not in names:
            raise RecordsError(f"{path.name} has no sheet {sheet!r}; it has: {', '.join(names)}.")
        tables = {
            name: _trim(book[name].iter_rows(values_only=True)) for name in ([sheet] if sheet else names)
        }
    finally:
        book.close()
    fullest = max(tables, key=lambda name: sum(cell is not None for row in tables[name] for cell in row))
    others = tuple(name for name in names if name != fullest)
    return Grid(path.name, "excel", tables[fullest], sheet=fullest, other_sheets=others)


def _read_parquet(path: Path) -> Grid:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
        batch = next(file.iter_batches(MAX_ROWS), None)
    except ArrowInvalid:
        raise RecordsError(f"{path.name} is not a readable Parquet file.") from None
    header = tuple(file.schema_arrow.names)
    body = zip(*(column.to_pylist() for column in batch.columns), strict=True) if batch is not None else ()
    return Grid(path.name, "parquet", _trim([header, *body]))


def _read_text(path: Path) -> Grid:
    encoding = _find_encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as lines:
        start = "".join(itertools.islice(lines, 60))
        lines.seek(0)
        delimiter = _find_delimiter(start)
        rows = _trim(_split_lines(lines, delimiter, path.name))
    return Grid(
        path.name,
        "csv",
        rows,
        delimiter=None if delimiter == "," else delimiter,
        encoding=None if encoding == "utf-8-sig" else encoding,
    )


def _split_lines(lines: TextIO, delimiter: str, name: str) -> Iterator[tuple[str, ...]]:
    """Yield the fields of each record.

    Raises
    ------
    RecordsError
        When a quote is never closed, which makes one field of all that follows; names the line (exit code 3).
    """
    begins, held = 1, list[str]()

    def listen() -> Iterator[str]:
        for line in lines:
            held.append(line)
            yield line

    reader = csv.reader(listen(), delimiter=delimiter)
    for row in reader:
        runs_on = len(held) > 1 or (row and row[-1].endswith(("\n", "\r")))
        if runs_on and "".join(held).count('"') % 2:
            raise RecordsError(
                f"{name}, line {begins}: a quote opens a field and is never closed; close it in the file, or "
                "export it again."
            )
        held.clear()
        begins = reader.line_num + 1
        yield tuple(row)


def _find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, UTF-8, else the first usual one that fits."""
    with path.open("rb") as file:
        start = file.read(_MOST_BYTES)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    for encoding in ("utf-8-sig", *read_facts("limits")["text"]["candidate_encodings"]):
        try:
            # A sign that was cut off at the end of what was read is no error.
            codecs.getincrementaldecoder(encoding)().decode(start, final=False)
        except UnicodeDecodeError:
            continue
        return encoding
    raise RecordsError(f"The encoding of {path.name} is unknown; save it as CSV UTF-8.")


def _find_delimiter(start: str) -> str:
    """Return the delimiter that cuts most lines into the same number of fields, more than one."""
    lines = [line for line in start.splitlines() if line.strip()]

    def regularity(delimiter: str) -> tuple[int, int]:
        widths = [line.count(delimiter) for line in lines if delimiter in line]
        usual = max(set(widths), key=widths.count) if widths else 0
        return (widths.count(usual) if usual else 0, usual)

    return max(read_facts("limits")["text"]["delimiters"], key=regularity)
