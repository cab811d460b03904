"""What of the given files is read, and what was refused: rows shared out, counted, and kept privately."""

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from outcomes.errors import Finding, PrivacyError, RecordsError
from outcomes.facts import FileSpec, RowsSpec, Source, describe_finding, read_facts
from outcomes.machine.private_files import open_private_folder, spell_safely, write_private_file
from outcomes.records.columns.coded import match_texts
from outcomes.records.columns.numbers import find_missing
from outcomes.records.columns.part import Part, list_missing_codes
from outcomes.records.files.file_reader import escape_name, read_cells
from outcomes.records.files.locations import list_other_files
from outcomes.records.gate.inspection import mark_identifying, names_person
from outcomes.records.problems import Place, Problems
from outcomes.records.spelling import simplify_name
from outcomes.records.text_table import SheetCells, TextTable

_WITHHELD = "(a name that is withheld)"


def share_rows(
    texts: Sequence[tuple[FileSpec, TextTable]],
) -> tuple[list[tuple[FileSpec, TextTable]], list[Finding]]:
    """Keep of each file the rows that its block reads, and name those that no block reads."""
    if not any(spec.only or spec.without for spec, _ in texts):
        return list(texts), []
    kept = [(spec, _keep(text, _find_rows(text, spec))) for spec, text in texts]
    read: dict[str, set[int]] = defaultdict(set)
    for _, text in kept:
        read[text.file].update(text.lines.tolist())
    findings = {}
    for spec, text in texts:
        left = sorted(set(text.lines.tolist()) - read[text.file]) if spec.only or spec.without else []
        if left:
            worded = {"outcome": "accept_with_warning", **describe_finding("findings.ROWS_LEFT")}
            findings[text.file] = Finding(file=text.file, lines=tuple(left[:10]), count=len(left), **worded)
    return kept, list(findings.values())


def _find_rows(text: TextTable, spec: FileSpec) -> np.ndarray:
    rows = np.ones(text.table.num_rows, dtype=bool)
    for entry in spec.only:
        rows &= _hold(text, entry)
    for entry in spec.without:
        rows &= ~_hold(text, entry)
    return rows


def _hold(text: TextTable, entry: RowsSpec) -> np.ndarray:
    codes, held = text.split(entry.column)
    wanted = {simplify_name(value) for value in entry.values}
    marked = [simplify_name(value) in wanted for value in held.to_pylist()]
    return np.array([*marked, False], dtype=bool)[codes]


def _keep(text: TextTable, rows: np.ndarray) -> TextTable:
    if rows.all():
        return text
    lines = text.lines[rows]
    left = set(text.lines[~rows].tolist())
    return replace(
        text,
        table=text.table.filter(pa.array(rows)).combine_chunks().unify_dictionaries(),
        lines=lines,
        n_read=len(lines) + len(text.refused),
        bad_cells=tuple(cell for cell in text.bad_cells if cell.line not in left),
    )


def count_records(problems: Problems, files: Sequence[tuple[FileSpec, Path]]) -> tuple[int, int, int]:
    """Return how many source records were read, how many were refused, and how many only repeat others.

    A row that two blocks read, one its scores and one its sessions, is one record; it is refused where either
    refuses it, and repeated where both only repeat another one.
    """
    places: dict[tuple[Path, str | None], list[Place]] = defaultdict(list)
    for (spec, path), place in zip(files, problems.places, strict=True):
        places[path, spec.sheet].append(place)
    counts = np.zeros(3, dtype=np.int64)
    for here in places.values():
        records = np.concatenate([np.arange(place.start, place.stop) for place in here])
        refused, repeated = problems.is_refused(records), problems.is_repeated(records)
        if len(here) > 1:
            lines = np.unique(np.concatenate([place.lines for place in here]), return_inverse=True)[1]
            size = int(lines.max(initial=-1)) + 1
            refused = np.bincount(lines, refused, size) > 0
            repeated = np.bincount(lines, ~repeated, size) == 0
        counts += len(refused), refused.sum(), (repeated & ~refused).sum()
    return int(counts[0]), int(counts[1]), int(counts[2])


def count_score_cells(parts: Sequence[Part], refused: pd.DataFrame) -> tuple[int, int]:
    """Return how many filled cells of scores were refused as cells, and how many there are.

    A cell that means missing is not filled. Cells of refused records count as filled alone. ``refused`` is a
    table of `Problems.tabulate_refusals`.
    """
    declared = refused["rule"] == "REGION_OTHER"  # left out because the source says so
    cells = refused.loc[(refused["scope"] == "cell") & ~declared, ["record", "column"]].drop_duplicates()
    n_given = n_refused = 0
    for part in parts:
        within = cells.loc[cells["record"].between(part.place.start, part.place.stop - 1)]
        for header, codes in _list_score_headers(part).items():
            coded = part.columns[header]
            filled = ~find_missing(coded.values, codes) & ~match_texts(coded.values, r"^\s*$")
            given = coded.rows(filled)
            mine = within.loc[within["column"] == header, "record"].to_numpy() - part.place.start
            mine = mine.astype(np.int64)
            given[mine[mine < part.n_rows]] = True  # a cell that could not be read is blank by now
            n_given += int(given.sum())
            n_refused += len(mine)
    return n_refused, n_given


def _list_score_headers(part: Part) -> dict[str, tuple[str, ...]]:
    """Return the headers of scores and of their items, each with its codes for missing."""
    headers: dict[str, tuple[str, ...]] = {}
    if "score" in part.spec.columns:
        headers[part.spec.columns["score"]] = ()
    for score in part.spec.scores:
        headers |= dict.fromkeys([name for name in (score.column, *score.items) if name], score.missing)
    return {header: list_missing_codes(part, "score", codes) for header, codes in headers.items()}


def list_unmapped(texts: Sequence[tuple[FileSpec, TextTable]]) -> dict[str, tuple[str, ...]]:
    """Return the headers of each file or sheet that no block reads."""
    unmapped: dict[str, tuple[str, ...]] = {}
    for _, text in texts:
        others = unmapped.get(text.file, text.unmapped)
        unmapped[text.file] = tuple(header for header in text.unmapped if header in others)
    return unmapped


def count_unread(
    source: Source, path: str | Path | None, files: Sequence[tuple[FileSpec, Path]]
) -> dict[str, int | None]:
    """Return what no block reads: visible sheets of the files that were read, and files beside them.

    Each name has the number of rows below the first that hold something, None where it could not be counted.
    A name that may identify a person is withheld.
    """
    unread: dict[str, int | None] = {}
    sheets: dict[Path, set[str]] = defaultdict(set)
    for spec, file in files:
        if spec.sheet is not None:
            sheets[file].add(spec.sheet.strip())
    for file, known in sheets.items():
        for table in _list_tables(file) if "*" not in known else ():
            if table.title is not None and table.title.strip() not in known and table.n_rows:
                title = _WITHHELD if mark_identifying([table.title]).any() else table.title
                unread[f"{escape_name(file.name)} [{title}]"] = table.n_rows - 1
    for file in list_other_files(source, path, [file for _, file in files]):
        tables = _list_tables(file)
        name = _WITHHELD if names_person(file.name) else escape_name(file.name)
        unread[name] = sum(table.n_rows - 1 for table in tables if table.n_rows) if tables else None
    return unread


def _list_tables(file: Path) -> list[SheetCells]:
    """Return the tables of a file without their cells, none where it is too large or cannot be opened."""
    if file.stat().st_size > read_facts("limits")["file"]["counted_bytes"]:
        return []
    try:
        return read_cells(file, most=0)[1]
    except (RecordsError, PrivacyError):
        return []


def keep_refused(
    refused: pd.DataFrame,
    parts: Sequence[Part],
    sha256: Mapping[str, str],
    source_name: str,
    private_folder: Path,
) -> None:
    """Write the refused records and cells to the source's private quarantine, with what stood in each cell.

    Values are kept nowhere else outside the source. Where nothing was refused, an older file is removed.
    """
    folder = open_private_folder(open_private_folder(private_folder) / "quarantine")
    folder = open_private_folder(folder / spell_safely(source_name))
    path = folder / "refused.csv"
    if refused.empty:
        path.unlink(missing_ok=True)
        return
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sha256", "file", "line", "column", "rule", "reason", "scope", "value"])
    columns = ["file", "line", "column", "rule", "reason", "scope"]
    starts = [part.place.start for part in parts]
    rows = zip(refused["record"], refused[columns].to_numpy().tolist(), strict=True)
    for record, row in rows:
        part = parts[bisect_right(starts, record) - 1]
        value = _find_value(part, record - part.place.start, row[2])
        writer.writerow([sha256.get(row[0], ""), *row, value])
    write_private_file(path, text.getvalue().encode("utf-8"))


def _find_value(part: Part, row: int, column: str) -> str:
    """Return what stood in a refused cell, ``""`` where a whole record was refused or it is not kept."""
    known = column in part.raw and row < part.n_rows
    code = part.columns[column].codes[row] if known else -1
    return str(part.raw[column][code]) if code >= 0 else ""
