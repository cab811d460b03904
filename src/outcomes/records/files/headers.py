"""Headers: joining the rows of a merged one, and matching what a file has to what its source TOML maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from outcomes.facts import read_facts
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.spelling import compose_text, narrow_text

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


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


def simplify_header(header: str) -> str:
    """Return a header without case, outer and repeated spaces, invisible characters and width variants.

    Examples
    --------
    >>> simplify_header(" Score\\u200b ")
    'score'
    """
    visible = _INVISIBLE.sub("", compose_text(narrow_text(header)))
    return " ".join(visible.split()).casefold()


def count_matches(headers: Sequence[str], mapped: Sequence[str]) -> int:
    """Return how many mapped headers a row of headers has, spelling variants included."""
    present = {simplify_header(header) for header in headers}
    return sum(simplify_header(name) in present for name in mapped)


def match_headers(
    headers: Sequence[str], mapped: Sequence[str], line: int, findings: FileFindings
) -> list[int]:
    """Return the position of every mapped header; those that are absent or stand twice refuse the file.

    Parameters
    ----------
    headers : sequence of str
        As they stand in the file.
    mapped : sequence of str
        As the source TOML spells them.
    line : int
        Line of the header, for messages.
    findings : FileFindings

    Returns
    -------
    list of int
        One per mapped header; -1 where there is none.
    """
    simple = [simplify_header(header) for header in headers]
    positions: list[int] = []
    # Where no header matches, the line may hold a patient's values, which no message repeats.
    shown = findings.veil(headers, mapped)
    listed = _list_headers(shown) if count_matches(headers, mapped) else ""
    for name in mapped:
        exact = [place for place, header in enumerate(headers) if header == name]
        similar = [place for place, header in enumerate(simple) if header == simplify_header(name)]
        places = exact or similar
        positions.append(places[0] if places else -1)
        if len(places) > 1:
            findings.refuse(
                "HEADER_DUPLICATE",
                f"the header stands {len(places)} times",
                lines=[line],
                column=name,
                count=1,
                remedy="give each column a name of its own",
            )
        elif not places:
            _report_missing(name, shown if listed else [], mapped, listed, line, findings)
            listed = listed and "see above"
        elif not exact:
            _report_variant(headers[places[0]], name, line, findings)
    return positions


def _report_variant(found: str, name: str, line: int, findings: FileFindings) -> None:
    if _INVISIBLE.search(found) or "\u00a0" in found:
        findings.repair(
            "INVISIBLE_CHAR", "an invisible character in the header was ignored", lines=[line], column=name
        )
    else:
        what = "the header differs in case, spaces or width and was taken for it"
        findings.repair("HEADER_ALIAS", what, lines=[line], column=name)


def _report_missing(
    name: str,
    headers: Sequence[str],
    mapped: Sequence[str],
    listed: str,
    line: int,
    findings: FileFindings,
) -> None:
    free = {simplify_header(header): header for header in headers if header and header not in mapped}
    near = get_close_matches(simplify_header(name), free, n=1, cutoff=0.5)
    hint = f"write {free[near[0]]!r} in the source TOML if that is it; " if near else ""
    what = "the source TOML maps this header, and the file has no such column"
    remedy = f"{hint}the file's headers: {listed}" if listed else "check header_row and the file's headers"
    findings.refuse("COLUMN_MISSING", what, lines=[line], column=name, remedy=remedy)


def _list_headers(headers: Sequence[str], shown: int = 40) -> str:
    named = [repr(header) for header in headers if header]
    more = f" and {len(named) - shown} more" if len(named) > shown else ""
    return ", ".join(named[:shown]) + more


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
        what = f"the header has {len(headers)} columns, more than {limit}"
        findings.refuse("TOO_MANY_COLUMNS", what, lines=[line], remedy="export the needed columns only")
        findings.stop()
