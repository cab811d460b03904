"""Headers: where they stand, joining the rows of merged ones, and matching them to what a source maps."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from outcomes.facts import FileSpec, Text, read_facts, read_schema
from outcomes.records.findings import FileFindings
from outcomes.records.spelling import INVISIBLE, simplify_header

_LOOKS_LIKE_DATA = re.compile(r"[-+]?\d[\d.,/:-]*\Z")
_MOST_SHOWN = 40


def list_header_lines(spec: FileSpec) -> tuple[int, ...]:
    """Return the lines of the header in their order, counted from 1."""
    rows = spec.header_row
    return (rows,) if isinstance(rows, int) else tuple(sorted(rows))


def list_numeric_headers(spec: FileSpec) -> set[str]:
    """Return the mapped headers whose cells are numbers."""
    schema = [column for columns in read_schema().values() for column in columns.items()]
    numeric = {name for name, column in schema if column.type in ("number", "integer")}
    headers = {header for name, header in spec.columns.items() if name in numeric}
    for score in spec.scores:
        headers |= {name for name in (score.column, score.day_column, *score.items) if name}
    return headers


def join_header_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join the rows of a header; a blank upper cell takes the one to its left where it has a cell beneath.

    Examples
    --------
    >>> join_header_rows([["Pt No", "Baseline", "", "Notes"], ["", "ODI %", "Pain", ""]])
    ['Pt No', 'Baseline ODI %', 'Baseline Pain', 'Notes']
    """
    if len(rows) == 1:
        return list(rows[0])
    width = max(len(row) for row in rows)
    cells = [[*(" ".join(cell.split()) for cell in row), *[""] * (width - len(row))] for row in rows]
    for depth, row in enumerate(cells[:-1]):
        for place in range(1, width):
            if not row[place] and any(below[place] for below in cells[depth + 1 :]):
                row[place] = row[place - 1]
    return [" ".join(row[place] for row in cells if row[place]) for place in range(width)]


def count_matches(headers: Sequence[str], mapped: Sequence[str]) -> int:
    """Return how many mapped headers a row of headers has, spelling variants included."""
    present = {simplify_header(header) for header in headers}
    return sum(simplify_header(name) in present for name in mapped)


def check_header_place(
    readings: Sequence[Sequence[Sequence[str]]],
    wanted: Sequence[int],
    mapped: Sequence[str],
    findings: FileFindings,
) -> None:
    """Refuse a file whose header stands on another line than declared, or that has none; raised at once.

    ``readings`` are the first lines as rows of cells, once for every delimiter that may be meant, the one in
    use first. ``wanted`` are the lines of the header, counted from 1.
    """
    if not mapped:
        return
    if wanted[-1] > len(readings[0]):
        findings.refuse_now("PREAMBLE.short", count=1, line=wanted[-1])
    rows = [readings[0][line - 1] for line in wanted]
    found = count_matches(join_header_rows(rows), mapped)
    if found == len(mapped):
        return
    places: dict[tuple[int, ...], int] = {}  # each line, then each two lines as a merged header
    for depth in (1, 2):
        for line in range(1, len(readings[0]) + 2 - depth):
            headers = (join_header_rows(rows[line - 1 : line - 1 + depth]) for rows in readings)
            places[tuple(range(line, line + depth))] = max(count_matches(row, mapped) for row in headers)
    best = max(places, key=lambda lines: places[lines])
    if places[best] > max(found, 1):
        value, number = (best[0], "one_line") if len(best) == 1 else (list(best), "two_lines")
        place = {"first": best[0], "last": best[-1], "value": str(value)}
        findings.refuse_now(f"PREAMBLE.{number}", lines=best, count=1, **place)
    if not found and any(_LOOKS_LIKE_DATA.match(cell.strip()) for row in rows for cell in row):
        findings.refuse_now("HEADER_MISSING", lines=wanted[:1], headers=", ".join(map(repr, mapped)))


def match_headers(
    headers: Sequence[str], mapped: Sequence[str], line: int, findings: FileFindings
) -> list[int]:
    """Return the position of every mapped header, -1 for none; absent and repeated ones refuse the file."""
    simple = [simplify_header(header) for header in headers]
    positions: list[int] = []
    # Where no header matches, the line may hold a patient's values, which no message repeats.
    shown = findings.veil(headers, mapped)
    listed: Text | str = ""
    if count_matches(headers, mapped):
        named = [repr(header) for header in shown if header]
        more, some = max(len(named) - _MOST_SHOWN, 0), ", ".join(named[:_MOST_SHOWN])
        listed = Text.of("findings_files.errors.headers", headers=some, more=more)
    for name in mapped:
        exact = [place for place, header in enumerate(headers) if header == name]
        places = exact or [place for place, header in enumerate(simple) if header == simplify_header(name)]
        positions.append(places[0] if places else -1)
        if len(places) > 1:
            findings.refuse("HEADER_DUPLICATE", lines=[line], column=name, count=1, number=len(places))
        elif not places:
            near = _find_near(name, shown, mapped) if listed else None
            findings.refuse("COLUMN_MISSING.header", lines=[line], column=name, near=near, listed=listed)
            listed = listed and Text.of("findings_files.errors.see_above")
        elif not exact:
            found = headers[places[0]]
            hidden = INVISIBLE.search(found) or "\u00a0" in found
            findings.repair("INVISIBLE_CHAR.header" if hidden else "HEADER_ALIAS", lines=[line], column=name)
    return positions


def _find_near(name: str, headers: Sequence[str], mapped: Sequence[str]) -> str | None:
    """Return the free header most like one that is absent, quoted."""
    free = {simplify_header(header): header for header in headers if header and header not in mapped}
    near = get_close_matches(simplify_header(name), free, n=1, cutoff=0.5)
    return repr(free[near[0]]) if near else None


def name_headers(headers: Sequence[str], mapped: Sequence[str], positions: Sequence[int]) -> tuple[str, ...]:
    """Return the file's headers with the mapped ones spelt as the source TOML spells them."""
    names = list(headers)
    for name, place in zip(mapped, positions, strict=True):
        if place >= 0:
            names[place] = name
    return tuple(names)


def check_width(headers: Sequence[str], line: int, findings: FileFindings) -> None:
    """Refuse a file with more columns than records can have; raised at once."""
    limit = read_facts("limits")["text"]["max_columns"]
    if len(headers) > limit:
        findings.refuse_now("TOO_MANY_COLUMNS", lines=[line], number=len(headers), most=limit)
