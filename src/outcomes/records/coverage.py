"""What of the given files is read: each row counted once, and the sheets and files that no block reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from outcomes.errors import PrivacyError, RecordsError
from outcomes.facts import FileSpec, Source, read_facts
from outcomes.records.columns import Part, find_missing, list_missing_codes, match_texts
from outcomes.records.files import SheetCells, TextTable, escape_name, list_other_files, read_cells
from outcomes.records.gate import mark_identifying, names_person
from outcomes.records.problems import Place, Problems

_WITHHELD = "(a name that is withheld)"


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

    A cell that means missing is not filled. Cells of refused records count as filled alone.

    Parameters
    ----------
    parts : sequence of Part
    refused : pandas.DataFrame
        With ``record, column, rule, scope``, as `Problems.tabulate_refusals` returns it.
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
    """Return the visible sheets of the files that were read, and the files beside them, that no block reads.

    Returns
    -------
    dict
        Name to how many rows below the first hold something; None where it could not be counted. What may
        identify a person in a name is withheld.
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
