"""The de-identification gate: mapped columns only, all their distinct values, refused unless harmless."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from outcomes.errors import Finding
from outcomes.facts import FileSpec, Source, Text, Value, read_facts
from outcomes.records.columns import NO_DATE, DateForm, limit_categories, parse_dates, parse_numbers
from outcomes.records.files import TextTable
from outcomes.records.gate.folding import fold_text
from outcomes.records.gate.gated_column import GatedColumn, find_open, judge_texts, list_gated_columns
from outcomes.records.gate.identifiers import is_taiwan_number
from outcomes.records.gate.patterns import ValueRule, match_header, search_values
from outcomes.records.gate.person_names import find_known_names, find_person_names, has_title, is_han_name
from outcomes.records.gate.reviewed_exceptions import ReviewedExceptions, fingerprint_values

_BAND = re.compile(
    r"(\d{1,3}) ?(?:-|to|bis|~|a|à) ?(\d{1,3})|(\d{1,3}) ?\+|(?:>=?|≥|over) ?(\d{1,3})|(\d{1,3})"
)


def find_identifying(
    text: TextTable, spec: FileSpec, source: Source, exceptions: ReviewedExceptions | None = None
) -> list[Finding]:
    """Return what the gate finds in the mapped columns of a file; no message holds a value.

    ``exceptions``, those of the source where absent, note what each came to.
    """
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
