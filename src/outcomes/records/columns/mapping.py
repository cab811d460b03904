"""From a file's text to typed columns of the schema: categories, numbers, flags, dates and ids.

Ids are text: put together from their columns, told apart within a site, mended after a spreadsheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from outcomes.facts import Column, Name, Text, read_facts, read_schema
from outcomes.records.columns.coded import Coded, is_known, join_coded, match_texts
from outcomes.records.columns.dates import (
    DATE_RULES,
    FORM_RULES,
    NO_DATE,
    REPAIRED_RULES,
    DateForm,
    find_date_doubts,
    parse_dates,
)
from outcomes.records.columns.numbers import find_missing, parse_flags, parse_numbers
from outcomes.records.columns.part import Part, refuse_hazards
from outcomes.records.files import describe, simplify_name

_DAMAGED_KEY = r"^\d\.\d+[eE]\+?\d+$"
_NUMERIC_KEY = r"^(0\d+|\d{16,}|\d+[eE]\d+)$"
_FRACTION = r"^\d+\.\d+$"
_NO_FRACTION = r"^\d+\.0+$"


def list_missing_codes(part: Part, name: str, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the source's codes for missing in a column of the schema."""
    return (*part.spec.missing, *part.spec.missing_codes.get(name, ()), *extra)


def look_up_codes(codes: Mapping[str, str], texts: np.ndarray) -> np.ndarray:
    """Return what a code list says of each text, None where it says nothing."""
    exact = dict(codes)
    simple = {simplify_name(code): value for code, value in codes.items()}
    return np.array(
        [exact.get(text, simple.get(simplify_name(text)) if text else exact.get("")) for text in texts],
        dtype=object,
    )


def type_known(coded: Coded, target: np.ndarray) -> Coded:
    """Return a column as what its texts mean; those that mean nothing known are missing."""
    lost = ~is_known(target)
    target[lost] = ""
    return coded.type_as(target, lost)


def map_category(part: Part, name: str, header: str, column: Column) -> Coded:
    """Return a category as codes of the schema; what is unknown is refused.

    Codes of the source come first, then what means missing, then the schema's codes, labels and aliases.
    A category without a list of allowed codes takes any short name.
    """
    coded = part.columns[header]
    hazard = refuse_hazards(part, header, not part.is_wide)
    target, missing = _translate(part, name, coded.values, column)
    target[hazard] = None
    unknown = ~hazard & ~missing & ~is_known(target)
    label = Name("columns", name, column.label or name)
    worded = describe("columns.CATEGORY_UNKNOWN", label=label, name=name, codes="|".join(column.allowed))
    part.refuse_values(header, coded.rows(unknown), whole=False, **worded)
    return type_known(coded, target)


def _translate(part: Part, name: str, texts: np.ndarray, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return what texts mean as a category, None for nothing known, and which of them mean missing."""
    target = look_up_codes(part.spec.codes.get(name, {}), texts)
    missing = find_missing(texts, list_missing_codes(part, name)) & ~is_known(target)
    free = ~is_known(target) & ~missing
    if column.allowed:
        known = list_spellings(column)
        target[free] = [known.get(simplify_name(text)) for text in texts[free]]
    else:
        target[free] = texts[free]
    return target, missing


def read_category(part: Part, name: str) -> Coded:
    """Return a category of the episodes without a word about what is unknown in it, which is missing."""
    coded = part.columns[part.spec.columns[name]]
    target, _ = _translate(part, name, coded.values, read_schema()["episodes"][name])
    return type_known(coded, target)


def list_spellings(column: Column) -> dict[str, str]:
    """Return every known spelling of a category's codes, simplified, to the code."""
    spellings = {simplify_name(alias): code for alias, code in (column.aliases or {}).items()}
    spellings |= {simplify_name(label): code for code, label in (column.labels or {}).items()}
    return spellings | {simplify_name(code): code for code in column.allowed}


def map_numbers(
    part: Part,
    header: str,
    *,
    missing: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    whole_number: bool = False,
    whole: bool = False,
    rule: str = "",
    what: Text | str = "",
    texts: np.ndarray | None = None,
) -> Coded:
    """Return a column as numbers, refusing what is none or lies outside ``low`` to ``high``, both possible.

    With ``whole_number`` fractions are refused, with ``whole`` a bad cell refuses its record. ``rule`` and
    ``what`` name the range in findings; ``texts`` stand for the column's distinct texts, where given.
    """
    coded = part.columns[header]
    texts = coded.values if texts is None else texts
    absent = find_missing(texts, missing)
    values, rules = parse_numbers(texts, ~absent, part.spec.decimal)
    for name in ("SCORE_NOT_NUMERIC", "SCORE_NOT_FINITE"):
        rows = coded.rows(rules[name])
        if rows.any():
            part.refuse_values(header, rows, whole=whole, **describe(f"columns.{name}"))
    commas = coded.rows(rules["DECIMAL_COMMA"])
    part.note_values(header, commas, outcome="repair_and_log", **describe("columns.DECIMAL_COMMA"))
    bad = np.zeros(len(values), dtype=bool)
    if low is not None:
        bad |= values < low
    if high is not None:
        bad |= values > high
    if whole_number:
        bad |= ~np.isnan(values) & (values != np.floor(values))
    rows = coded.rows(bad)
    if rows.any():
        remedy = describe("columns.SCORE_NOT_NUMERIC")["remedy"]
        part.refuse_values(header, rows, rule, what=what, whole=whole, remedy=remedy)
    return coded.type_as(values, np.isnan(values) | bad)


def map_flags(part: Part, name: str, header: str) -> Coded:
    """Return a column as 1.0 (yes) and 0.0 (no); codes of the source are ``"yes"`` and ``"no"``."""
    coded = part.columns[header]
    texts = coded.values.copy()
    told = look_up_codes(part.spec.codes.get(name, {}), texts)
    texts = np.where(~is_known(told), texts, told)
    absent = find_missing(texts, list_missing_codes(part, name)) & ~is_known(told)
    values, unclear = parse_flags(texts, ~absent)
    worded = describe("columns.FLAG_UNKNOWN", name=name)
    part.refuse_values(header, coded.rows(unclear), whole=False, **worded)
    return coded.type_as(values, np.isnan(values))


def map_dates(part: Part, header: str, *, whole: bool) -> Coded:
    """Return a column as days since 1970-01-01 (int32), by the declared order and calendar.

    A form that was not declared refuses the file when it is common in the column, else its records. What
    tells against the declaration as a whole is asked.
    """
    coded = part.columns[header]
    absent = find_missing(coded.values, part.spec.missing)
    form = _find_form(part)
    days, rules = parse_dates(coded.values, ~absent, form)
    _ask_about_dates(part, header, form)
    n_present = int(coded.rows(~absent).sum())
    for rule in (rule for rule in DATE_RULES if rule in rules):
        rows, worded = coded.rows(rules[rule]), describe(f"columns.{rule}")
        share = read_facts("checks")["share"][FORM_RULES.get(rule, "date_form")]
        if rule in REPAIRED_RULES:
            part.note_values(header, rows, outcome="repair_and_log", **worded)
        elif rule in FORM_RULES and rows.sum() > share * n_present:
            part.note_values(header, rows, outcome="refuse_file", **worded)
        else:
            part.refuse_values(header, rows, whole=whole, **worded)
    return coded.type_as(days, days == NO_DATE)


def _ask_about_dates(part: Part, header: str, form: DateForm) -> None:
    coded = part.columns[header]
    n_rows = np.bincount(coded.codes + 1, minlength=len(coded.values) + 1)[1:]
    for doubt in find_date_doubts(coded.values, n_rows, form):
        records, key = part.records(coded.rows(doubt.rows)), f"findings_files.columns.{doubt.rule}"
        worded = describe(f"columns.{doubt.rule}", **doubt.values)
        told = [name for name in doubt.answers.values() if name in part.spec.confirmed]
        if told:
            said = " ".join(str(Text.of(f"{key}.confirmed.{name}", **doubt.values)) for name in told)
            part.problems.note(outcome="answered", records=records, column=header, said=said, **worded)
        else:
            answers = {line: str(Text.of(f"{key}.answers.{name}")) for line, name in doubt.answers.items()}
            part.problems.ask(answers=answers, records=records, column=header, **worded)


def read_dates(part: Part, header: str, order: str | None = None) -> Coded:
    """Return a column as days, in the declared order or another, without a word about what is no date."""
    coded, form = part.columns[header], _find_form(part)
    form = form if order is None else replace(form, order=order)
    days, _ = parse_dates(coded.values, ~find_missing(coded.values, part.spec.missing), form)
    return coded.type_as(days, days == NO_DATE)


def _find_form(part: Part) -> DateForm:
    spec = part.spec
    swapped = "swapped_dates" in spec.confirmed
    return DateForm(spec.date_order, spec.date_calendar, part.source.time_zone, swapped)


def map_ids(part: Part, name: str) -> Coded:
    """Return ids as text, refusing rows without one.

    A key is never a number: ``0007`` is not ``7``. What Excel has already turned into one (``1.23457E+11``)
    cannot be mended, so the file is refused; ``1001.0`` in a column without other fractions is ``1001``. An
    id made of several columns, or told apart within a site, is their cells together.
    """
    headers = part.spec.joined.get(name, (part.spec.columns[name],))
    pieces = [_read_id(part, header) for header in headers]
    if part.spec.within is None:
        return join_coded(pieces)
    site, worded = read_category(part, "site"), describe("columns.KEY_EMPTY.site")
    part.refuse_values(part.spec.columns["site"], site.codes < 0, whole=True, **worded)
    return join_coded([site, *pieces])


def _read_id(part: Part, header: str) -> Coded:
    coded = _mend_fractions(part, header)
    missing = find_missing(coded.values, part.spec.missing) | match_texts(coded.values, r"^\s*$")
    rows = coded.rows(missing) | (coded.codes < 0)
    part.refuse_values(header, rows, whole=True, **describe("columns.KEY_EMPTY.id"))
    damaged = coded.rows(match_texts(coded.values, _DAMAGED_KEY))
    part.note_values(header, damaged, outcome="refuse_file", **describe("columns.KEY_EXCEL_DAMAGED"))
    numeric = coded.rows(match_texts(coded.values, _NUMERIC_KEY) & ~missing)
    part.note_values(header, numeric, outcome="accept", **describe("columns.KEY_AS_TEXT"))
    refuse_hazards(part, header, whole=True)
    return coded.type_as(coded.values, missing)


def _mend_fractions(part: Part, header: str) -> Coded:
    """Read ``1001.0`` as ``1001``, unless other ids of the column have a fraction that says something."""
    coded = part.columns[header]
    mended = match_texts(coded.values, _NO_FRACTION)
    if not mended.any() or (match_texts(coded.values, _FRACTION) & ~mended).any():
        return coded
    values = coded.values.copy()
    values[mended] = [text.partition(".")[0] for text in values[mended]]
    part.columns[header] = Coded(coded.codes, values)
    rows = coded.rows(mended)
    part.note_values(header, rows, outcome="repair_and_log", **describe("columns.KEY_FRACTION"))
    return part.columns[header]
