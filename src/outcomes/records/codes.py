"""Codes of categories that nobody declared: where one is unknown, short ones beside it are doubtful too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Column, read_facts, read_schema
from outcomes.records.columns import (
    Part,
    find_missing,
    is_known,
    list_missing_codes,
    list_spellings,
    list_therapy_spellings,
    look_up_codes,
    parse_flags,
)
from outcomes.records.files import simplify_name
from outcomes.records.gate import find_person_names
from outcomes.records.problems import Problems

#: A code stands in a message only where at least this many patients share it.
FEWEST_PATIENTS = 3
_LONGEST_CODE = 40
_NUMBER_OR_DATE = re.compile(r"\d{4}|\d+[./-]\d+[./-]\d+|@")


@dataclass
class _Codes:
    """The codes of one column over the files of one block: what the package reads, and who holds them."""

    column: Column
    header: str
    allowed: tuple[str, ...]
    declared: dict[str, str] = field(default_factory=dict)
    read: dict[str, str | None] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    where: dict[str, list[tuple[Part, int]]] = field(default_factory=dict)
    n_filled: int = 0

    def count_patients(self, code: str) -> int:
        """Return how many patients share a code, those of excluded rows left aside."""
        return sum(len(np.unique(_find_patients(part)[rows])) for part, rows in self._find_rows(code))

    def list_records(self, codes: Sequence[str]) -> np.ndarray:
        """Return the records that hold one of some codes."""
        return np.concatenate([part.records(rows) for code in codes for part, rows in self._find_rows(code)])

    def _find_rows(self, code: str) -> Iterator[tuple[Part, np.ndarray]]:
        for part, place in self.where[code]:
            yield part, np.flatnonzero((part.columns[self.header].codes == place) & (part.excluded < 0))

    def list_unknown(self) -> list[str]:
        """Return the unknown codes that enough patients share."""
        unknown = (code for code, reading in self.read.items() if reading is None)
        return [code for code in unknown if self.count_patients(code) >= FEWEST_PATIENTS]

    def list_short(self) -> list[str]:
        """Return the short codes that the package reads by itself."""
        return [code for code, reading in self.read.items() if reading is not None and _is_short(code)]


def ask_codes(parts: Sequence[Part], problems: Problems) -> None:
    """Ask what the codes of a column mean as soon as one of them is unknown.

    The readings that the package has for the same column are doubtful then, unless they are spelled out in
    full: beside H, M is not male but mujer. A code that fewer than three patients share is a slip of
    single records, and refused as a cell.
    """
    columns: dict[tuple[str, str, str], _Codes] = {}
    for part in parts:
        for column in _list_categories(part):
            header = part.spec.columns[column.name]
            key = (part.spec.path, column.name, header)
            found = columns.setdefault(key, _Codes(column, header, _list_allowed(column)))
            _count_codes(part, column, header, found)
    for found in columns.values():
        _ask(found, problems)


def _list_categories(part: Part) -> Iterator[Column]:
    schema = read_schema()
    for name, header in part.spec.columns.items():
        column = schema["episodes"].get(name) or schema.get(f"{part.spec.rows}s", {}).get(name)
        if column is None or header not in part.columns or header == f"constants.{name}":
            continue
        if name == "therapy" or column.type == "flag" or (column.type == "category" and column.allowed):
            yield column


def _list_allowed(column: Column) -> tuple[str, ...]:
    if column.name == "therapy":
        return ("id of a therapy",)
    return ("yes", "no") if column.type == "flag" else column.allowed


def _read(part: Part, column: Column, texts: np.ndarray) -> list[str | None]:
    """Return what the package reads by itself."""
    if column.type == "flag":
        values, _ = parse_flags(texts, np.ones(len(texts), dtype=bool))
        return [None if np.isnan(value) else "yes" if value else "no" for value in values]
    known = list_therapy_spellings(part.source) if column.name == "therapy" else list_spellings(column)
    return [known.get(simplify_name(text)) for text in texts]


def _count_codes(part: Part, column: Column, header: str, found: _Codes) -> None:
    coded = part.columns[header]
    declared = look_up_codes(part.spec.codes.get(column.name, {}), coded.values)
    told = is_known(declared)
    words = column.name == "therapy"
    missing = find_missing(coded.values, list_missing_codes(part, column.name), keep_words=words) & ~told
    read = _read(part, column, coded.values)
    used = coded.mark_used()
    found.declared |= {
        simplify_name(text): str(value)
        for text, value in zip(coded.values[told & used], declared[told & used], strict=True)
        if text
    }
    open_ = used & ~told & ~missing
    found.n_filled += int((coded.rows(used & ~missing) & (part.excluded < 0)).sum())
    short = np.array([_is_short(simplify_name(text)) for text in coded.values], dtype=bool)
    for place in np.flatnonzero(open_ & (short | ~is_known(np.array(read, dtype=object)))):
        code = simplify_name(coded.values[place])
        found.read[code] = read[place]
        found.spelling.setdefault(code, str(coded.values[place]))
        found.where.setdefault(code, []).append((part, int(place)))


def _find_patients(part: Part) -> np.ndarray:
    header = part.spec.columns.get("patient_id") or part.spec.columns.get("episode_id")
    return part.columns[header].codes if header else np.arange(part.n_rows)


def _is_short(code: str) -> bool:
    facts = read_facts("code_readings")
    return code.isascii() and len(code) <= facts["longest"] and code not in facts["words"]


def _may_stand(text: str) -> bool:
    """Whether a code may stand in a message: it is short and does not look like a name or a number."""
    plain = len(text) <= _LONGEST_CODE and not _NUMBER_OR_DATE.search(text)
    return plain and not find_person_names([text]).any()


def _ask(found: _Codes, problems: Problems) -> None:
    unknown, doubtful = found.list_unknown(), found.list_short()
    clashing = [
        code
        for code in doubtful
        if any(value == found.read[code] and _is_short(other) for other, value in found.declared.items())
    ]
    name = found.column.label or found.column.name
    if unknown and doubtful:
        read = _tell(found, doubtful, readings=True)
        what = (
            f"{read} by the package's own list, but the column of {name} also holds {_tell(found, unknown)}"
        )
        rule, asked = "CODE_UNKNOWN_BESIDE_KNOWN", [*unknown, *doubtful]
    elif clashing:
        read = _tell(found, clashing, readings=True)
        what = (
            f"{read} by the package's own list, but the source declares another short code to mean the same"
        )
        rule, asked = "CODE_READ_TWICE", clashing
    elif len(doubtful) > 1 and len(_list_readings(found, doubtful)) > 1:
        read = _tell(found, doubtful, readings=True)
        what = f"{read} by the package's own list, but another language means the opposite"
        rule, asked = "CODES_OF_TWO_LANGUAGES", doubtful
    elif _fills_column(found, unknown):
        what = f"the column of {name} holds {_tell(found, unknown)}, of which no meaning is known"
        rule, asked = "CODES_UNKNOWN", unknown
    else:
        return
    answers = _list_answers(found, [code for code in asked if _may_stand(found.spelling[code])])
    question = f"{what}; what does each code mean?"
    problems.ask(rule, question, answers, found.list_records(asked), column=found.header)


def _fills_column(found: _Codes, unknown: list[str]) -> bool:
    """Whether at least half of a category's records hold unknown codes (unknown therapies refuse records)."""
    if found.column.name == "therapy" or not unknown:
        return False
    return len(found.list_records(unknown)) >= found.n_filled / 2


def _tell(found: _Codes, codes: Sequence[str], readings: bool = False) -> str:
    """Return codes with their numbers of patients; those that may not stand in a message are counted."""
    labels = found.column.labels or {}
    shown = [code for code in codes if _may_stand(found.spelling[code])]
    told = []
    for code in shown:
        as_read = f" is read as {labels.get(str(found.read[code]), found.read[code])}" if readings else ""
        n = found.count_patients(code)
        count = f" ({n} patients)" if n >= FEWEST_PATIENTS else ""
        told.append(f"{found.spelling[code]!r}{count}{as_read}")
    if len(shown) < len(codes):
        told.append(f"{len(codes) - len(shown)} that may not be shown")
    return " and ".join(told)


def _list_answers(found: _Codes, codes: Sequence[str]) -> Mapping[str, str]:
    """Return a line for each reading that covers all the codes, else one to fill in."""
    answers = _list_readings(found, codes)
    if not answers:
        blank = {code: f"<{'|'.join(found.allowed)}>" for code in codes}
        answers[_write_line(found, blank)] = "with the meaning of each"
        answers[f'[file.missing_codes] {found.column.name} = ["<code>"]'] = "where nothing is known"
    return answers


def _list_readings(found: _Codes, codes: Sequence[str]) -> dict[str, str]:
    """Return the lines of the readings that cover all the codes, each with what it says."""
    kind = "flag" if found.column.type == "flag" else found.column.name
    lines: dict[str, str] = {}
    for reading in read_facts("code_readings").get(kind, ()):
        meaning = {simplify_name(code): value for code, value in reading["codes"].items()}
        first = next(iter(meaning))
        if codes and all(code in meaning for code in codes) and (first in codes or not first.isdigit()):
            lines.setdefault(_write_line(found, {code: meaning[code] for code in codes}), reading["says"])
    return lines


def _write_line(found: _Codes, meaning: Mapping[str, str]) -> str:
    pairs = ", ".join(f'"{found.spelling[code]}" = "{value}"' for code, value in meaning.items())
    return f"[file.codes] {found.column.name} = {{ {pairs} }}"
