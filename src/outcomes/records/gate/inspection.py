"""The de-identification gate: mapped columns only, all their distinct values, refused unless harmless."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.errors import Finding
from outcomes.facts import FileSpec, Source, Text, Value, read_facts, read_schema
from outcomes.records.columns.coded import match_texts
from outcomes.records.columns.dates import NO_DATE, DateForm, parse_dates
from outcomes.records.columns.mapping import (
    limit_categories,
    list_instrument_spellings,
    list_spellings,
    list_therapy_spellings,
    list_timepoint_spellings,
)
from outcomes.records.columns.numbers import parse_numbers
from outcomes.records.gate.folding import fold_text
from outcomes.records.gate.identifiers import is_taiwan_number
from outcomes.records.gate.patterns import ValueRule, match_header, search_values
from outcomes.records.gate.person_names import find_known_names, find_person_names, has_title, is_han_name
from outcomes.records.gate.reviewed_exceptions import ReviewedExceptions, fingerprint_values
from outcomes.records.spelling import simplify_name
from outcomes.records.text_table import TextTable

_SHOWN_LINES = 10
#: Columns that hold persons, where one frequent name is enough.
_PERSONS = frozenset({"patient_id", "episode_id", "therapist"})
#: Columns whose words are the field's; schools of therapy are called after persons.
_TERMS = frozenset({"therapy", "instrument", "variant", "timepoint", "event"})
#: A title stands beside a blank or a full stop, or is written in Chinese or Japanese.
_MAY_HAVE_TITLE = r"\S[\s.]\S|[^\x00-\x7f]"
#: Names have no digits, and few marks.
_MAY_BE_NAME = r"^[^0-9#%&*+/:;<=>?@\\^|~]*$"
_BAND = re.compile(
    r"(\d{1,3}) ?(?:-|to|bis|~|a|à) ?(\d{1,3})|(\d{1,3}) ?\+|(?:>=?|≥|over) ?(\d{1,3})|(\d{1,3})"
)


@dataclass(frozen=True, repr=False)
class GatedColumn:
    """A mapped column as the gate sees it."""

    header: str
    #: Column of the schema it is mapped to; ``""`` for scores and what excludes records.
    name: str
    #: ``id``, ``category``, ``number`` or ``date``.
    kind: str
    #: One per row, -1 for a bad cell.
    codes: np.ndarray
    #: Distinct texts.
    texts: pa.Array
    lines: np.ndarray

    def count(self, hits: np.ndarray) -> tuple[int, tuple[int, ...]]:
        """Return how many rows hold one of the marked texts, and the first lines of those."""
        rows = np.flatnonzero(np.append(hits, False)[self.codes])
        return len(rows), tuple(int(line) for line in self.lines[rows[:_SHOWN_LINES]])


def list_gated_columns(text: TextTable, spec: FileSpec) -> list[GatedColumn]:
    """Return the mapped columns that a file has, each with what it is declared to be."""
    roles = {entry.column: ("", "category") for entry in spec.exclude}
    for score in spec.scores:
        numbers = (score.column, score.day_column, *score.items)
        roles |= {header: ("", "number") for header in numbers if header}
        roles |= {header: ("", "date") for header in [score.date_column] if header}
    for name, headers in spec.joined.items():
        roles |= {header: (name, "id") for header in headers if header not in roles}
    roles |= {header: (name, _find_kind(name)) for name, header in spec.columns.items()}
    return [
        GatedColumn(header, name, kind, *text.split(header), text.lines)
        for header, (name, kind) in roles.items()
        if header in text.table.column_names
    ]


def _find_kind(name: str) -> str:
    if name == "date":
        return "date"
    for columns in read_schema().values():
        if name in columns:
            kind = columns[name].type
            return kind if kind in ("id", "date", "category") else "number"
    return "category"


def judge_texts(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    """Search the undeclared texts of a category or of ids: free text, too many categories, persons' names."""
    open_ = find_open(column, spec, source)
    if not open_.any():
        return []
    strange = column.texts.filter(pa.array(open_))
    rules = _search_free_text(column, open_, strange)
    if column.kind == "category" and len(strange) > limit_categories(column.name):
        rules.append(ValueRule("CATEGORY_CARDINALITY", "many_texts", open_))
    return rules + _search_names(column, open_, strange)


def find_open(column: GatedColumn, spec: FileSpec, source: Source) -> np.ndarray:
    """Return which distinct texts are neither blank nor declared, as a mask."""
    known = {simplify_name(code) for code in spec.codes.get(column.name, {})}
    if column.name == "therapy":
        known |= set(list_therapy_spellings(source))
    elif column.name == "instrument":
        known |= set(list_instrument_spellings())
    elif column.name == "timepoint":
        known |= set(list_timepoint_spellings(source))
    for columns in read_schema().values():
        if column.name in columns:
            known |= set(list_spellings(columns[column.name]))
    open_ = ~match_texts(column.texts, r"^\s*$")
    if known:
        open_ &= np.array([simplify_name(text) not in known for text in column.texts.to_pylist()], dtype=bool)
    return open_


def _search_free_text(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    limits = read_facts("gate")["free_text"]
    lengths = pc.utf8_length(strange).to_numpy(zero_copy_only=False)
    n_rows = int(np.append(open_, False)[column.codes].sum())
    share = len(strange) / max(n_rows, 1)
    long = lengths.mean() > limits["mean_characters"] and share > limits["distinct_share"]
    spoken = bool(match_texts(strange, r"\S\s\S").any())
    longest = lengths.max() > limits["most_characters"]
    if column.kind == "id":
        free = spoken and (long or longest)
    else:
        many = n_rows >= limits["fewest_records"] and share > limits["distinct_share"]
        free = longest or many or (long and spoken and len(strange) > 1)
    return [ValueRule("PHI_FREE_TEXT", "free_text", open_)] if free else []


def _search_names(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    """Search names: any with a title, a frequent one among persons, many that look so elsewhere."""
    facts = read_facts("gate")["names"]
    found = match_texts(strange, _MAY_HAVE_TITLE)
    found[found] = [has_title(text) for text in strange.filter(pa.array(found)).to_pylist()]
    possible = np.flatnonzero(match_texts(strange, _MAY_BE_NAME))
    texts = strange.take(pa.array(possible)).to_pylist()

    def are_many(looks: np.ndarray) -> bool:
        return bool(looks.sum() >= facts["fewest"] and looks.sum() >= facts["share"] * len(strange))

    if column.name in _PERSONS:
        # Where most ids are codes with digits, a name is an exception among them.
        coded = match_texts(strange, r"\d").mean() > facts["share"]
        looks = find_person_names(texts)
        found[possible[find_known_names(texts) | (looks & (coded or are_many(looks)))]] = True
    elif column.name not in _TERMS:
        looks = find_known_names(texts, full=True)
        found[possible[looks & are_many(looks)]] = True
    hits = np.zeros(len(open_), dtype=bool)
    hits[np.flatnonzero(open_)[found]] = True
    return [ValueRule("PHI_NAME", "names", hits)] if hits.any() else []


def find_identifying(
    text: TextTable, spec: FileSpec, source: Source, exceptions: ReviewedExceptions | None = None
) -> list[Finding]:
    """Return what the gate finds in a file, and note what became of exceptions; no message holds a value."""
    exceptions = exceptions or ReviewedExceptions(source)
    return [
        _report(column, rule, text.file, exceptions, source)
        for column in list_gated_columns(text, spec)
        for rule in _judge_column(column, spec, source)
    ]


def _report(
    column: GatedColumn, rule: ValueRule, file: str, exceptions: ReviewedExceptions, source: Source
) -> Finding:
    count, lines = column.count(rule.hits)
    shown = str(_word("found.withheld")) if _is_value(column.header) else column.header
    place = (file, lines, shown, max(count, 1))
    most, profile = limit_categories(column.name), source.privacy_profile
    found = _word(f"found.{rule.said_by}", kind=_word(f"kinds.{rule.kind}", most=most, profile=profile))
    if not rule.certain:
        return Finding(rule.rule, "accept_with_warning", _word("found.by_chance", found=found), *place)
    fingerprint = fingerprint_values(column.texts.to_pylist())
    verdict = exceptions.judge(column.header, rule.rule, fingerprint)
    if verdict is not None:
        entry, lifts = verdict.entry, verdict.state == "in_force"
        told = {"reviewer": entry.reviewer, "expires": str(entry.expires)}
        key = "found.excepted" if lifts else "found.not_excepted"
        found = _word(key, found=found, state=verdict.word(), **told)
        if lifts:
            return Finding(rule.rule, "accept_with_warning", found, *place)
    remedy = _word("remedies.review", source=source.name, file=exceptions.file)
    if rule.rule == "PHI_AGE_OVER_89":
        remedy = _word("remedies.band")
    if rule.said_by == "record_header":
        remedy = _word("remedies.rekey")
    return Finding(rule.rule, "refuse_file", found, *place, remedy)


def _word(key: str, **values: Value) -> Text:
    return Text.of(f"findings_files.gate.{key}", **values)


def _judge_column(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    is_id, is_date = column.kind == "id", column.kind == "date"
    kind = {"is_id": is_id, "holds_dates": is_date, "rekeyed": source.rekey and is_id}
    rules = _judge_header(column, source) + search_values(column.texts, column.header, **kind)
    if column.kind == "date" and not read_facts("gate")["profiles"][source.privacy_profile]["full_dates"]:
        rules += _search_full_dates(column, spec)
    if column.name == "age_years" and "age_years" not in spec.top_code:
        rules += _search_old_ages(column, spec)
    if column.name == "age_band":
        rules += _search_old_bands(column, spec, source)
    if column.kind in ("category", "id"):
        rules += judge_texts(column, spec, source)
    return rules


def _judge_header(column: GatedColumn, source: Source) -> list[ValueRule]:
    """Judge a header by its words, and as a value: in wide files identifiers stand in headers too."""
    everything = np.ones(len(column.texts), dtype=bool)
    rules = []
    named = match_header(column.header, source.privacy_profile)
    if named is not None and not (named.rekeyed and source.rekey and column.kind == "id"):
        said_by = "record_header" if named.rekeyed else "header"
        rules.append(ValueRule(named.rule, named.kind, everything, said_by=said_by))
    if _is_value(column.header):
        rules.append(ValueRule("PHI_COLUMN_NAME", "header", everything))
    return rules


def _is_value(header: str) -> bool:
    return has_title(header) or any(rule.certain for rule in _search_alone([header]))


def _search_alone(texts: Sequence[str]) -> list[ValueRule]:
    return search_values(pa.array(texts, pa.string()), "", is_id=False, holds_dates=True, rekeyed=False)


def mark_identifying(texts: Sequence[str], *, one_column: bool = False) -> np.ndarray:
    """Return which texts may identify a person, wherever they stand: headers, comments, hidden cells.

    Among cells of one column many that look like names are names; dates do not count.

    Examples
    --------
    >>> mark_identifying(["ODI 6 weeks", "0912-345-678", "Mrs Wood", "High Blood Pressure"]).tolist()
    [False, True, True, False]
    """
    texts = list(texts)
    marked = find_known_names(texts, full=True)
    for rule in _search_alone(texts):
        marked |= rule.hits
    if one_column:
        facts = read_facts("gate")["names"]
        looks = find_person_names(texts)
        if looks.sum() >= facts["fewest"] and looks.mean() >= facts["share"]:
            marked |= looks
    return marked


def _search_full_dates(column: GatedColumn, spec: FileSpec) -> list[ValueRule]:
    texts = np.array(column.texts.to_pylist(), dtype=object)
    present = np.array([bool(text.strip()) for text in texts], dtype=bool)
    days, rules = parse_dates(texts, present, DateForm(spec.date_order, spec.date_calendar))
    hits = np.logical_or.reduce([days != NO_DATE, *rules.values()])
    return [ValueRule("PHI_FULL_DATE", "forbidden_dates", hits)] if hits.any() else []


def _search_old_ages(column: GatedColumn, spec: FileSpec) -> list[ValueRule]:
    texts = np.array([text.strip() for text in column.texts.to_pylist()], dtype=object)
    missing = {*spec.missing, *spec.missing_codes.get("age_years", ())}
    present = np.array([bool(text) and text not in missing for text in texts], dtype=bool)
    ages, _ = parse_numbers(texts, present, spec.decimal)
    hits = ages > read_facts("gate")["oldest_age"]
    return [ValueRule("PHI_AGE_OVER_89", "old_age", hits)] if hits.any() else []


def _search_old_bands(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    """Search bands that lie above 89 and are narrower than "90 and over"."""
    oldest = read_facts("gate")["oldest_age"]
    missing = {*spec.missing, *spec.missing_codes.get("age_band", ())}
    hits = find_open(column, spec, source)
    for place in np.flatnonzero(hits):
        text = fold_text(column.texts[int(place)].as_py()).strip()
        band = _BAND.match(text)
        low, _, over, above, exact = (int(part or 0) for part in (band.groups() if band else [0] * 5))
        first = low or exact
        hits[place] = text not in missing and (first > oldest or max(over, above) > oldest + 1)
    return [ValueRule("PHI_AGE_OVER_89", "old_band", hits)] if hits.any() else []


def names_person(file_name: str) -> bool:
    """Return whether a file's name holds an identity number or a person's name.

    Examples
    --------
    >>> names_person("王小明.csv"), names_person("Dr Lee visits.xlsx"), names_person("visits_2026.csv")
    (True, True, False)
    """
    stem = fold_text(file_name).rsplit(".", 1)[0]
    pieces = [piece for piece in re.split(r"[\W_]+", stem) if piece]
    named = ((len(piece) >= 3 and is_han_name(piece)) or is_taiwan_number(piece) for piece in pieces)
    return bool(mark_identifying([stem, *pieces, " ".join(pieces)]).any()) or any(named)
