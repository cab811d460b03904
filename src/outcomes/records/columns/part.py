"""`Part`: the mapped columns of one file of a source, coded, with the ledger its refusals go to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from outcomes.facts import FileSpec, Source, Text
from outcomes.records.columns.coded import Coded, encode_text, match_texts, tidy_blanks
from outcomes.records.files import TextTable, simplify_name
from outcomes.records.problems import Place, Problems

#: Columns without which a row means nothing: a bad cell in them refuses the row of a wide file too.
ESSENTIAL = frozenset(
    {"episode_id", "patient_id", "therapy", "timepoint", "date", "day", "start_date", "event"}
)
_IDS = ("episode_id", "patient_id")

_HAZARDS = {
    "BIDI_CONTROL": (
        re.compile(r"[\u202a-\u202e\u2066-\u2069]"),
        "text with characters that turn its direction round",
    ),
    "TEXT_MARKUP": (
        re.compile(
            r"<[a-zA-Z/!?]|&#?\w+;|\{\{|\{%|\$\(|\$\{|\]\s*\(\s*\w+:|javascript:|\\(?:input|write|def)\b",
            re.I,
        ),
        "text with markup or template code",
    ),
    "TEXT_FORMULA": (
        re.compile(r"^\s*(?:[=@|]|[+-](?![\d.,\s]*$))\S"),
        "text that a spreadsheet would run as a formula",
    ),
    "TEXT_PATHLIKE": (re.compile(r"\.\.[\\/]|^[\\/]|^[A-Za-z]:[\\/]|^~[\\/]"), "text that looks like a path"),
}


@dataclass
class Part:
    """One file, its columns coded once per distinct text.

    Parameters
    ----------
    source, spec : Source, FileSpec
        What declares it.
    problems : Problems
        Ledger of the whole source.
    place : Place
        Where its records stand in the ledger.
    n_rows : int
        Records of the right shape; those refused by shape come after them in the ledger.
    columns : dict
        Header to text, its blanks tidied.
    raw : dict
        Header to distinct text as it stands in the file, in the order of the codes.
    excluded : array of int16
        One per row: -1, or the number of the ``[[file.exclude]]`` block that excludes it.
    unmapped : tuple of str
        Headers of the file that no block reads, withheld where they may identify a person.
    """

    source: Source
    spec: FileSpec
    problems: Problems
    place: Place
    n_rows: int
    columns: dict[str, Coded] = field(repr=False)
    raw: dict[str, np.ndarray] = field(repr=False)
    excluded: np.ndarray = field(repr=False)
    unmapped: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether a row holds several scores, so that a bad cell need not refuse the row."""
        spec = self.spec
        return spec.rows == "episode" or len(spec.scores) + ("score" in spec.columns) > 1

    def header(self, name: str) -> str | None:
        """Return the header to which a column of the schema is mapped."""
        return self.spec.columns.get(name)

    def records(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers in the ledger of rows given as a mask or as positions."""
        return self.place.start + (np.flatnonzero(rows) if rows.dtype == bool else rows)

    def pad(self, values: np.ndarray, fill: object) -> np.ndarray:
        """Return values, one per row, with ``fill`` for the records refused by shape: one per record."""
        extra = len(self.place.lines) - self.n_rows
        return np.append(values, np.full(extra, fill, dtype=values.dtype))

    def accepted(self) -> np.ndarray:
        """Return which rows are not refused so far."""
        return ~self.problems.is_refused(slice(self.place.start, self.place.start + self.n_rows))

    def accepted_once(self) -> np.ndarray:
        """Return which rows are neither refused so far nor told before by another file."""
        rows = slice(self.place.start, self.place.start + self.n_rows)
        return ~self.problems.is_refused(rows) & ~self.problems.is_repeated(rows)

    def refuse_values(
        self,
        header: str,
        rows: np.ndarray,
        rule: str,
        what: Text | str,
        *,
        whole: bool,
        remedy: Text | str | None = None,
    ) -> None:
        """Refuse the rows (``whole``) or only their cell in a column."""
        records = self.records(rows)
        if whole:
            self.problems.refuse(records, rule, what, column=header, remedy=remedy)
        else:
            self.problems.refuse_cells(records, rule, what, column=header, remedy=remedy)

    def note_values(
        self,
        header: str,
        rows: np.ndarray,
        rule: str,
        outcome: str,
        what: Text | str,
        remedy: Text | str | None = None,
        said: Text | str = "",
    ) -> None:
        """Add a finding about cells of a column."""
        self.problems.note(rule, outcome, what, self.records(rows), column=header, remedy=remedy, said=said)


def build_part(text: TextTable, spec: FileSpec, source: Source, problems: Problems) -> Part:
    """Take over a file's text: code and tidy its columns, refuse what its shape or its characters refuse.

    Parameters
    ----------
    text : TextTable
        One row per record of the right shape.
    spec, source : FileSpec, Source
    problems : Problems
        Receives the file's findings and refusals.

    Returns
    -------
    Part
    """
    lines = np.append(text.lines, np.array([refusal.line for refusal in text.refused], dtype=np.int32))
    place = problems.add_file(text.file, lines.astype(np.int32))
    problems.findings.extend(text.findings)
    n_rows = len(text.lines)
    for number, refusal in enumerate(text.refused):
        problems.refuse_silently(place.start + n_rows + number, refusal.rule, refusal.reason, refusal.column)
    raw_columns = {header: encode_text(text.table.column(header)) for header in text.table.column_names}
    spec = _add_constants(spec, raw_columns, n_rows)
    part = Part(
        source,
        spec,
        problems,
        place,
        n_rows,
        dict(raw_columns),
        {header: coded.values for header, coded in raw_columns.items()},
        np.full(n_rows, -1, dtype=np.int16),
        text.unmapped,
    )
    _refuse_bad_cells(part, text)
    for header in part.columns:
        _tidy_column(part, header)
    _mark_excluded(part)
    return part


def _add_constants(spec: FileSpec, columns: dict[str, Coded], n_rows: int) -> FileSpec:
    """Put a declared constant beside the columns of the file, as if every row held it."""
    named = {name: f"constants.{name}" for name in spec.constants}
    for name, value in spec.constants.items():
        columns[named[name]] = Coded(np.zeros(n_rows, dtype=np.int32), np.array([value], dtype=object))
    return replace(spec, columns={**spec.columns, **named})


def _refuse_bad_cells(part: Part, text: TextTable) -> None:
    """Refuse the cells that could not be read, or their records where a row means nothing without them."""
    essential = {part.spec.columns[name] for name in ESSENTIAL & set(part.spec.columns)} | _list_ids(
        part.spec
    )
    row_of = {int(line): row for row, line in enumerate(text.lines)} if text.bad_cells else {}
    alike: dict[tuple[str, str, str | None], list[int]] = {}
    for cell in text.bad_cells:
        alike.setdefault((cell.rule, cell.reason, cell.column), []).append(
            part.place.start + row_of[cell.line]
        )
    for (rule, reason, column), records in alike.items():
        if part.is_wide and column is not None and column not in essential:
            part.problems.refuse_cells(np.array(records), rule, reason, column=column)
        else:
            part.problems.refuse(np.array(records), rule, reason, column=column)


def _tidy_column(part: Part, header: str) -> None:
    """Bring blanks to one spelling; ids keep blanks and case unless the source says so."""
    coded = part.columns[header]
    is_id = header in _list_ids(part.spec)
    values = _normalise_keys(coded.values, part.spec.key_normalise) if is_id else tidy_blanks(coded.values)
    part.columns[header] = Coded(coded.codes, values)


def _list_ids(spec: FileSpec) -> set[str]:
    """Return the headers that ids are made of."""
    several = {header for headers in spec.joined.values() for header in headers}
    return several | {spec.columns[name] for name in _IDS if name in spec.columns}


def _normalise_keys(values: np.ndarray, how: tuple[str, ...]) -> np.ndarray:
    for step in how:
        values = np.array([_KEY_STEPS[step](text) for text in values], dtype=object)
    return values


def _drop_zeros(text: str) -> str:
    """Return a number without its leading zeros; other ids as they stand."""
    return (text.lstrip("0") or "0") if text.isdigit() else text


_KEY_STEPS: Mapping[str, Callable[[str], str]] = {
    "strip": str.strip,
    "casefold": str.casefold,
    "leading_zeros": _drop_zeros,
}


def refuse_hazards(part: Part, header: str, whole: bool) -> np.ndarray:
    """Refuse texts that could do harm where they are shown, opened or used as a name.

    Returns
    -------
    numpy.ndarray of bool
        Which distinct texts are refused.
    """
    coded = part.columns[header]
    refused = np.zeros(len(coded.values), dtype=bool)
    suspects = np.flatnonzero(match_texts(coded.values, r"[^A-Za-z0-9 _.]|\.\."))
    for rule, (pattern, what) in _HAZARDS.items() if len(suspects) else ():
        found = np.zeros(len(coded.values), dtype=bool)
        found[suspects] = [bool(pattern.search(text)) for text in coded.values[suspects]]
        rows = coded.rows(found & ~refused)
        if rows.any():
            part.refuse_values(header, rows, rule, what, whole=whole)
        refused |= found
    return refused


def _mark_excluded(part: Part) -> None:
    for number, block in enumerate(part.spec.exclude):
        coded = part.columns[block.column]
        wanted = {simplify_name(value) for value in block.values}
        found = np.array([simplify_name(text) in wanted for text in coded.values], dtype=bool)
        rows = coded.rows(found) & (part.excluded < 0)
        part.excluded[rows] = number
