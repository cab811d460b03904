"""Codes of categories that nobody declared: where one is unknown, short ones beside it are doubtful too."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from outcomes.facts import Column, Text, find_languages, read_facts, read_schema
from outcomes.records.columns.coded import is_known
from outcomes.records.columns.mapping import list_spellings, list_therapy_spellings
from outcomes.records.columns.numbers import find_missing, parse_flags
from outcomes.records.columns.part import Part, list_missing_codes, look_up_codes
from outcomes.records.gate.person_names import find_person_names
from outcomes.records.problems import Answers, Problems, Values
from outcomes.records.spelling import simplify_name

#: A code stands in a message only where so many patients share it, or where a known reading has it.
FEWEST_PATIENTS = 3
_LONGEST_CODE = 40
_NUMBER_OR_MAIL = re.compile(r"\d{4}|@")
_DATE = re.compile(r"\d+[./-]\d+[./-]\d+")


@dataclass
class _Codes:
    """The codes of one column over the files of one block: what the package reads, and who holds them."""

    column: Column
    header: str
    allowed: tuple[str, ...]
    parts: list[Part] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    read: dict[str, str | None] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    where: dict[str, list[tuple[Part, int]]] = field(default_factory=dict)
    n_filled: int = 0

    @cached_property
    def n_patients(self) -> Counter[str]:
        """Return how many patients share each code, those of excluded rows left aside."""
        counts: Counter[str] = Counter()
        for part in self.parts:
            coded = part.columns[self.header]
            n_patients = _count_patients(part, coded.codes, len(coded.values))
            for code, places in self.where.items():
                counts[code] += sum(int(n_patients[place]) for here, place in places if here is part)
        return counts

    @property
    def kind(self) -> str:
        """Return the name of the readings of the column."""
        return "flag" if self.column.type == "flag" else self.column.name

    @property
    def languages(self) -> frozenset[str]:
        """Return the languages of the header."""
        return find_languages(self.header, self.column.name)

    def list_records(self, codes: Sequence[str]) -> np.ndarray:
        """Return the records that hold one of some codes, those of excluded rows left aside."""
        found = [np.zeros(0, dtype=np.int64)]
        for part in self.parts:
            places = [place for code in codes for here, place in self.where[code] if here is part]
            rows = np.isin(part.columns[self.header].codes, places) & (part.excluded < 0)
            found.append(part.records(rows))
        return np.concatenate(found)

    def list_unknown(self, fewest: int = FEWEST_PATIENTS) -> list[str]:
        """Return the unknown codes that enough patients share."""
        unknown = (code for code, reading in self.read.items() if reading is None)
        return [code for code in unknown if self.n_patients[code] >= fewest]

    def list_short(self) -> list[str]:
        """Return the short codes that the package reads by itself."""
        return [code for code, reading in self.read.items() if reading is not None and _is_short(code)]

    def list_words(self) -> list[str]:
        """Return the codes that the package reads by itself and that are spelled out in full."""
        return [code for code, reading in self.read.items() if reading is not None and not _is_short(code)]


def ask_codes(parts: Sequence[Part], problems: Problems) -> None:
    """Ask what the codes of a column mean as soon as one of them is unknown.

    The readings that the package has for the same column are doubtful then, unless they are spelled out in
    full: beside H, M is not male but mujer. Where none is unknown, and the header is of a language in which
    they have one meaning, they are read so. A code that fewer than three patients share is a slip of single
    records, and refused as a cell, unless it shows that the others mean something else.
    """
    columns: dict[tuple[str, str, str], _Codes] = {}
    for part in parts:
        for column in _list_categories(part):
            header = part.spec.columns[column.name]
            key = (part.spec.path, column.name, header)
            found = columns.setdefault(key, _Codes(column, header, _list_allowed(column)))
            _count_codes(part, column, header, found)
    for found in columns.values():
        unknown = found.list_unknown() or _find_telling(found)
        if unknown or not _settle_by_header(found, problems):
            _ask(found, unknown, problems)


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
    found.parts.append(part)
    found.declared |= {
        simplify_name(text): str(value)
        for text, value in zip(coded.values[told & used], declared[told & used], strict=True)
        if text
    }
    found.n_filled += int((coded.rows(used & ~missing) & (part.excluded < 0)).sum())
    for place in np.flatnonzero(used & ~told & ~missing):
        code = simplify_name(coded.values[place])
        found.read[code] = read[place]
        found.spelling.setdefault(code, str(coded.values[place]))
        found.where.setdefault(code, []).append((part, int(place)))


def _count_patients(part: Part, codes: np.ndarray, n_values: int) -> np.ndarray:
    """Return how many patients hold each distinct value, those of excluded rows left aside."""
    header = part.spec.columns.get("patient_id") or part.spec.columns.get("episode_id")
    patient = part.columns[header].codes if header else np.arange(part.n_rows)
    here = (codes >= 0) & (part.excluded < 0)
    pairs = np.unique(codes[here].astype(np.int64) * (int(patient.max(initial=0)) + 2) + patient[here] + 1)
    return np.bincount(pairs // (int(patient.max(initial=0)) + 2), minlength=n_values)


def _is_short(code: str) -> bool:
    facts = read_facts("code_readings")
    return code.isascii() and len(code) <= facts["longest"] and code not in facts["words"]


def _may_stand(found: _Codes, code: str) -> bool:
    """Whether a code may stand in a message: several share it or it is known, and it is no name or number."""
    text = found.spelling[code]
    shared = found.n_patients[code] >= FEWEST_PATIENTS or found.read[code] is not None
    shared = shared or any(code in meaning for meaning, _ in _list_meanings(found.kind))
    return shared and not _DATE.search(text) and may_be_shown(text)


def may_be_shown(text: str) -> bool:
    """Return whether a text that several patients share looks like a code: short, no long number, no name."""
    short = len(text) <= _LONGEST_CODE and not _NUMBER_OR_MAIL.search(text)
    return short and not find_person_names([text]).any()


def _settle_by_header(found: _Codes, problems: Problems) -> bool:
    """Read short codes by the language of their header, or ask; False where it says nothing about them."""
    codes, lines = found.list_short(), _list_readings(found, found.list_short(), found.languages)
    if len(lines) == 1:
        ((meaning, says),) = lines.items()
        _declare(found, dict(meaning), says, problems)
    elif lines:
        read = _tell(found, codes, readings=True)
        what = Text.of("findings.CODES_OF_TWO_MEANINGS.what", read=read)
        _put(found, "CODES_OF_TWO_MEANINGS", what, codes, problems)
    return bool(lines)


def _declare(found: _Codes, meaning: Mapping[str, str], says: str, problems: Problems) -> None:
    """Read codes as the header's language means them, as if the source declared it."""
    name = found.column.name
    for part in found.parts:
        spelled = {found.spelling[code]: value for code, value in meaning.items()}
        codes = {**part.spec.codes, name: {**spelled, **part.spec.codes.get(name, {})}}
        part.spec = replace(part.spec, codes=codes)
    other = [code for code, value in meaning.items() if found.read[code] != value]
    records, words = found.list_records(other), Values(name=found.column.label or name, says=says)
    problems.note("CODES_BY_HEADER", records, "repair_and_log", column=found.header, **words)


def _ask(found: _Codes, unknown: list[str], problems: Problems) -> None:
    doubtful = found.list_short()
    short_values = {value for code, value in found.declared.items() if _is_short(code)}
    clashing = [code for code in doubtful if found.read[code] in short_values]
    name = found.column.label or found.column.name
    if unknown and doubtful:
        rule, asked = "CODE_UNKNOWN_BESIDE_KNOWN", [*unknown, *doubtful]
        read, held = _tell(found, doubtful, readings=True), _tell(found, unknown)
        what = Text.of("findings.CODE_UNKNOWN_BESIDE_KNOWN.what", read=read, column=name, held=held)
    elif clashing:
        rule, asked = "CODE_READ_TWICE", clashing
        what = Text.of("findings.CODE_READ_TWICE.what", read=_tell(found, clashing, readings=True))
    elif len(doubtful) > 1 and len(_list_readings(found, doubtful)) > 1:
        rule, asked = "CODES_OF_TWO_LANGUAGES", doubtful
        what = Text.of("findings.CODES_OF_TWO_LANGUAGES.what", read=_tell(found, doubtful, readings=True))
    elif asked := _list_unread(found):
        rule, words = "CODES_UNKNOWN", found.list_words()
        beside = _tell(found, words, readings=True) if words else None
        what = Text.of("findings.CODES_UNKNOWN.what", column=name, held=_tell(found, asked), beside=beside)
    else:
        return
    _put(found, rule, what, asked, problems)


def _put(found: _Codes, rule: str, what: Text, asked: Sequence[str], problems: Problems) -> None:
    answers = _list_answers(found, [code for code in asked if _may_stand(found, code)])
    question = Text.of("findings.CODES_UNKNOWN.asked", what=what)
    problems.ask(rule, answers, found.list_records(asked), column=found.header, what=question)


def _find_telling(found: _Codes) -> list[str]:
    """Return rare unknown codes by which a known reading gives the short ones beside them another meaning."""
    rare, short = set(found.list_unknown(1)), found.list_short()
    telling: set[str] = set()
    for meaning, _ in _list_meanings(found.kind) if short else ():
        turned = all(code in meaning for code in short)
        if turned and any(meaning[code] != found.read[code] for code in short):
            telling |= rare & set(meaning)
    return sorted(telling)


def _list_unread(found: _Codes) -> list[str]:
    """Return unknown codes that are no slips of single records (unknown therapies refuse their records)."""
    if found.column.name == "therapy":
        return []
    rare = found.list_unknown(1)
    n = len(found.list_records(rare)) if rare else 0
    many = sum(found.n_patients[code] for code in rare) >= FEWEST_PATIENTS
    share = read_facts("checks")["categories"]["unknown"]
    return rare if many and n > share * found.n_filled else found.list_unknown()


def _tell(found: _Codes, codes: Sequence[str], readings: bool = False) -> Text:
    """Return codes with their numbers of patients; those that may not stand in a message are counted."""
    labels = found.column.labels or {}
    shown = [code for code in codes if _may_stand(found, code)]
    told = []
    for code in shown:
        reading = found.read[code] if readings else None
        n = found.n_patients[code]
        told.append(
            Text.of(
                "findings.CODES_UNKNOWN.code",
                code=repr(found.spelling[code]),
                n=n if n >= FEWEST_PATIENTS else None,
                reading=None if reading is None else labels.get(reading, reading),
            )
        )
    if len(shown) < len(codes):
        told.append(Text.of("findings.CODES_UNKNOWN.not_shown", n=len(codes) - len(shown)))
    first, *others = told
    for other in others:
        first = Text.of("findings.CODES_UNKNOWN.and", first=first, second=other)
    return first


def _list_answers(found: _Codes, codes: Sequence[str]) -> Answers:
    """Return a line for each reading that covers all the codes, else one line to fill in."""
    readings = _list_readings(found, codes, found.languages) or _list_readings(found, codes)
    if readings:
        return {
            _write_line(found, {found.spelling[code]: value for code, value in pairs}): says
            for pairs, says in readings.items()
        }
    blank = {found.spelling[code]: f"<{'|'.join(found.allowed)}>" for code in codes}
    line = _write_line(found, blank or {"<code>": f"<{'|'.join(found.allowed)}>"})
    return {
        line: Text.of("findings.CODES_UNKNOWN.meanings"),
        f'[file.missing_codes] {found.column.name} = ["<code>"]': Text.of("findings.CODES_UNKNOWN.nothing"),
    }


def _list_meanings(kind: str) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Yield the known readings of a kind of column: code to meaning, and all that is said about it."""
    for reading in read_facts("code_readings").get(kind, ()):
        yield {simplify_name(code): value for code, value in reading["codes"].items()}, reading


def _list_readings(
    found: _Codes, codes: Sequence[str], languages: frozenset[str] | None = None
) -> dict[tuple[tuple[str, str], ...], str]:
    """Return the readings that cover all the codes, as pairs of code and meaning, each with what it says."""
    found_readings: dict[tuple[tuple[str, str], ...], str] = {}
    declared = {code: value for code, value in found.declared.items() if _is_short(code)}
    for meaning, reading in _list_meanings(found.kind):
        if languages is not None:
            told = languages.intersection(reading.get("languages", ()))
            if not told or any(meaning.get(code) != value for code, value in declared.items()):
                continue
        first = next(iter(meaning))
        if codes and all(code in meaning for code in codes) and (first in codes or not first.isdigit()):
            pairs = tuple((code, meaning[code]) for code in codes)
            found_readings.setdefault(pairs, str(reading["says"]))
    return found_readings


def _write_line(found: _Codes, meaning: Mapping[str, str]) -> str:
    pairs = ", ".join(f'"{spelling}" = "{value}"' for spelling, value in meaning.items())
    return f"[file.codes] {found.column.name} = {{ {pairs} }}"
