"""`Part`: the mapped columns of one file of a source, coded, with the ledger its refusals go to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from outcomes.facts import AbsenceSpec, FileSpec, Source, Text
from outcomes.records.columns.coded import Coded, encode_text, match_texts, tidy_blanks
from outcomes.records.columns.numbers import find_missing
from outcomes.records.findings import describe
from outcomes.records.problems import Place, Problems
from outcomes.records.spelling import simplify_name
from outcomes.records.text_table import TextTable

_IDS = frozenset({"episode_id", "patient_id"})
#: Columns without which a row means nothing: a bad cell in them refuses the row of a wide file too.
_ESSENTIAL = _IDS | {"therapy", "timepoint", "date", "day", "start_date", "event"}

#: Rule to what it refuses: characters that turn the direction of text, markup or template code, what a
#: spreadsheet would run as a formula, and what looks like a path.
_HAZARDS = {
    "BIDI_CONTROL": re.compile(r"[\u202a-\u202e\u2066-\u2069]"),
    "TEXT_MARKUP": re.compile(
        r"<[a-zA-Z/!?]|&#?\w+;|\{\{|\{%|\$\(|\$\{|\]\s*\(\s*\w+:|javascript:|\\(?:input|write|def)\b", re.I
    ),
    "TEXT_FORMULA": re.compile(r"^\s*(?:[=@|]|[+-](?![\d.,\s]*$))\S"),
    "TEXT_PATHLIKE": re.compile(r"\.\.[\\/]|^[\\/]|^[A-Za-z]:[\\/]|^~[\\/]"),
}


@dataclass
class Part:
    """One file, its columns coded once per distinct text."""

    source: Source
    spec: FileSpec
    #: Ledger of the whole source.
    problems: Problems
    #: Where its records stand in the ledger.
    place: Place
    #: Records of the right shape; those refused by shape come after them in the ledger.
    n_rows: int
    #: Header to text, its blanks tidied.
    columns: dict[str, Coded] = field(repr=False)
    #: Header to distinct text as it stands in the file, in the order of the codes.
    raw: dict[str, np.ndarray] = field(repr=False)
    #: int16, one per row: -1, or the number of the ``[[file.exclude]]`` block that excludes it.
    excluded: np.ndarray = field(repr=False)
    #: Headers of the file that no block reads, withheld where they may identify a person.
    unmapped: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether a row holds several scores, so that a bad cell need not refuse the row."""
        spec = self.spec
        return spec.rows == "episode" or len(spec.scores) + ("score" in spec.columns) > 1

    def header(self, name: str) -> str | None:
        """Return the header to which a column of the schema is mapped."""
        return self.spec.columns.get(name)

    def find_id_header(self) -> str | None:
        """Return the header of the episodes' ids, else of the patients'."""
        return self.header("episode_id") or self.header("patient_id")

    def records(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers in the ledger of rows given as a mask or as positions."""
        return self.place.start + (np.flatnonzero(rows) if rows.dtype == bool else rows)

    def pad(self, values: np.ndarray, fill: object) -> np.ndarray:
        """Return values, one per row, with ``fill`` for the records refused by shape: one per record."""
        extra = len(self.place.lines) - self.n_rows
        return np.append(values, np.full(extra, fill, dtype=values.dtype))

    def accepted(self) -> np.ndarray:
        """Return which rows are not refused so far."""
        return np.logical_not(self.problems.is_refused(self._rows))

    def accepted_once(self) -> np.ndarray:
        """Return which rows are neither refused so far nor told before by another file."""
        return self.accepted() & ~self.problems.is_repeated(self._rows)

    @property
    def _rows(self) -> slice:
        return slice(self.place.start, self.place.start + self.n_rows)

    def refuse_values(self, header: str, rows: np.ndarray, rule: str, *, whole: bool, **words: Any) -> None:
        """Refuse the rows (``whole``) or only their cell in a column; words as in `Problems.note`."""
        refuse = self.problems.refuse if whole else self.problems.refuse_cells
        refuse(rule, self.records(rows), column=header, **words)

    def note_values(self, header: str, rows: np.ndarray, rule: str, outcome: str, **words: Any) -> None:
        """Add a finding about cells of a column; words as in `Problems.note`."""
        self.problems.note(rule, self.records(rows), outcome, column=header, **words)


def build_part(text: TextTable, spec: FileSpec, source: Source, problems: Problems) -> Part:
    """Take over a file's text and findings: code and tidy its columns, refuse cells that were not read."""
    lines = np.append(text.lines, np.array([refusal.line for refusal in text.refused], dtype=np.int32))
    place = problems.add_file(text.file, lines.astype(np.int32))
    problems.findings.extend(text.findings)
    n_rows = len(text.lines)
    reasons = {what: str(what) for what in {refusal.what for refusal in text.refused}}
    for record, refusal in enumerate(text.refused, start=place.start + n_rows):
        problems.refuse_silently(record, refusal.rule, reasons[refusal.what], refusal.column)
    columns = {header: encode_text(text.table.column(header)) for header in text.table.column_names}
    constants = {name: f"constants.{name}" for name in spec.constants}
    for name, value in spec.constants.items():  # as if every row held it
        columns[constants[name]] = Coded(np.zeros(n_rows, dtype=np.int32), np.array([value], dtype=object))
    spec = replace(spec, columns={**spec.columns, **constants})
    raw = {header: coded.values for header, coded in columns.items()}
    excluded = np.full(n_rows, -1, dtype=np.int16)
    part = Part(source, spec, problems, place, n_rows, columns, raw, excluded, text.unmapped)
    _refuse_bad_cells(part, text)
    ids = _list_ids(spec)
    for header, coded in columns.items():
        values = tidy_blanks(coded.values) if header not in ids else coded.values
        for step in spec.key_normalise if header in ids else ():  # ids keep blanks and case otherwise
            values = np.array([_KEY_STEPS[step](text) for text in values], dtype=object)
        columns[header] = Coded(coded.codes, values)
    for number, block in enumerate(spec.exclude):
        wanted = {simplify_name(value) for value in block.values}
        coded = columns[block.column]
        found = np.array([simplify_name(text) in wanted for text in coded.values], dtype=bool)
        excluded[coded.rows(found) & (excluded < 0)] = number
    return part


def _refuse_bad_cells(part: Part, text: TextTable) -> None:
    """Refuse the cells that could not be read, or their records where a row means nothing without them."""
    essential = {part.spec.columns[name] for name in _ESSENTIAL & set(part.spec.columns)}
    essential |= _list_ids(part.spec)
    row_of = {int(line): row for row, line in enumerate(text.lines)} if text.bad_cells else {}
    alike: dict[tuple[str, Text, str | None], list[int]] = {}
    for cell in text.bad_cells:
        alike.setdefault((cell.rule, cell.what, cell.column), []).append(part.place.start + row_of[cell.line])
    for (rule, what, column), records in alike.items():
        if part.is_wide and column is not None and column not in essential:
            part.problems.refuse_cells(rule, np.array(records), column=column, what=what)
        else:
            part.problems.refuse(rule, np.array(records), column=column, what=what)


def _list_ids(spec: FileSpec) -> set[str]:
    """Return the headers that ids are made of."""
    several = {header for headers in spec.joined.values() for header in headers}
    return several | {spec.columns[name] for name in _IDS if name in spec.columns}


#: Steps of ``key_normalise``; what is no number keeps its zeros.
_KEY_STEPS: Mapping[str, Callable[[str], str]] = {
    "strip": str.strip,
    "casefold": str.casefold,
    "leading_zeros": lambda text: (text.lstrip("0") or "0") if text.isdigit() else text,
}


def list_missing_codes(part: Part, name: str, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the source's codes for missing in a column of the schema."""
    return (*part.spec.missing, *part.spec.missing_codes.get(name, ()), *extra)


def look_up_codes(codes: Mapping[str, str], texts: np.ndarray) -> np.ndarray:
    """Return what a code list says of each text, None where it says nothing."""
    simple = {simplify_name(code): value for code, value in codes.items()}
    found = [codes.get(text, simple.get(simplify_name(text)) if text else None) for text in texts]
    return np.array(found, dtype=object)


def refuse_hazards(part: Part, header: str, whole: bool) -> np.ndarray:
    """Refuse texts that could do harm where shown, opened or used as a name; return which distinct ones."""
    coded = part.columns[header]
    refused = np.zeros(len(coded.values), dtype=bool)
    suspects = np.flatnonzero(match_texts(coded.values, r"[^A-Za-z0-9 _.]|\.\."))
    for rule, pattern in _HAZARDS.items() if len(suspects) else ():
        found = np.zeros(len(coded.values), dtype=bool)
        found[suspects] = [bool(pattern.search(text)) for text in coded.values[suspects]]
        rows = coded.rows(found & ~refused)
        part.refuse_values(header, rows, whole=whole, **describe(f"columns.{rule}"))
        refused |= found
    return refused


def blank_absent(part: Part) -> None:
    """Blank the scores that the source declares missing by ``answered`` and ``missing_where``.

    What a column says is read before any is blanked, so that the order of declarations does not matter.
    """
    spec = part.spec
    unanswered = [(entry, ~_find_rows(part, entry)) for entry in spec.answered]
    said = [(entry, _find_rows(part, entry)) for entry in spec.missing_where]
    for entry, rows in unanswered:
        if part.n_rows and rows.all():
            worded = describe("columns.FORM_NEVER_ANSWERED")
            part.problems.note(outcome="refuse_file", column=entry.columns[0], place=part.place, **worded)
        _blank(part, entry, rows, "FORM_UNANSWERED")
    for entry, rows in said:
        _blank(part, entry, rows, "SCORE_ABSENT")


def _list_concerned(spec: FileSpec, entry: AbsenceSpec) -> list[str]:
    """Return the headers of scores that a declaration is about."""
    blocks = [(score.instrument, (score.column, *score.items)) for score in spec.scores]
    blocks.append(("", (spec.columns.get("score"),)))
    headers = [(name, header) for name, several in blocks for header in several if header]
    wanted = entry.scores
    return list(dict.fromkeys(h for name, h in headers if not wanted or name in wanted or h in wanted))


def _find_rows(part: Part, entry: AbsenceSpec) -> np.ndarray:
    """Return the rows in which every column of a declaration holds one of its values."""
    held = np.ones(part.n_rows, dtype=bool)
    wanted = {_spell(value) for value in entry.values}
    for header in entry.columns:
        coded = part.columns[header]
        holds = np.array([_spell(text) in wanted for text in coded.values], dtype=bool)
        rows = coded.rows(holds)
        if "" in wanted:
            rows |= coded.rows(find_missing(coded.values, part.spec.missing) & ~holds) | (coded.codes < 0)
        held &= rows
    return held


def _spell(text: str) -> str:
    """Return one spelling of a value, whatever its case, its blanks and the way its number is written."""
    try:
        return f"{float(text.strip().replace(',', '.')):g}"
    except ValueError:
        return simplify_name(text)


def _blank(part: Part, entry: AbsenceSpec, rows: np.ndarray, rule: str) -> None:
    filled = np.zeros(part.n_rows, dtype=bool)
    for header in _list_concerned(part.spec, entry):
        coded = part.columns[header]
        filled |= rows & (coded.codes >= 0) & ~coded.rows(find_missing(coded.values, part.spec.missing))
        codes = np.where(rows, len(coded.values), coded.codes).astype(np.int32)
        part.columns[header] = Coded(codes, np.append(coded.values, ""))
        part.raw[header] = np.append(part.raw[header], "")
    worded, records = describe(f"columns.{rule}"), part.records(filled)
    part.problems.note(outcome="accept", records=records, column=entry.columns[0], **worded)
