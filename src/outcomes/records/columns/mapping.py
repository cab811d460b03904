"""From a file's text to typed columns of the schema: ids, categories, numbers, flags and dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from outcomes.facts import Column, Text, read_facts, read_schema
from outcomes.records.columns.coded import Coded, is_known
from outcomes.records.columns.date_evidence import find_date_doubts
from outcomes.records.columns.dates import (
    DATE_RULES,
    FORM_RULES,
    NO_DATE,
    REPAIRED_RULES,
    DateForm,
    parse_dates,
)
from outcomes.records.columns.numbers import find_missing, parse_flags, parse_numbers
from outcomes.records.columns.part import Part, refuse_hazards
from outcomes.records.files import simplify_name

_NUMBER_RULES = {
    "SCORE_NOT_NUMERIC": "not a number",
    "SCORE_NOT_FINITE": "not a finite number",
}


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


def map_category(part: Part, name: str, header: str, column: Column) -> Coded:
    """Return a category as codes of the schema; what is unknown is refused.

    Codes of the source come first, then what means missing, then the schema's codes, labels and aliases.
    A category without a list of allowed codes takes any short name.
    """
    coded = part.columns[header]
    whole = not part.is_wide
    hazard = refuse_hazards(part, header, whole)
    target, missing = _translate(part, name, coded.values, column)
    target[hazard] = None
    unknown = ~hazard & ~missing & ~is_known(target)
    rows = coded.rows(unknown)
    part.refuse_values(
        header,
        rows,
        "CATEGORY_UNKNOWN",
        f"not a known {column.label or name}",
        whole=False,
        remedy=f'add to [file.codes.{name}]: "<what stands in that cell>" = "{"|".join(column.allowed)}"',
    )
    lost = ~is_known(target)
    target[lost] = ""
    return coded.type_as(target, lost)


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
    lost = ~is_known(target)
    target[lost] = ""
    return coded.type_as(target, lost)


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
    rule: str = "NUMBER_RANGE",
    what: Text | str = "outside the possible range",
    texts: np.ndarray | None = None,
) -> Coded:
    """Return a column as numbers, refusing what is none or lies outside ``low`` to ``high``.

    Parameters
    ----------
    part : Part
    header : str
    missing : tuple of str
        The source's codes for missing here.
    low, high : float, optional
        Both are possible values.
    whole_number : bool
        Whether fractions are refused.
    whole : bool
        Whether a bad cell refuses its record.
    rule, what : str
        How the range is named in findings.
    texts : array of str, optional
        What stands for the column's distinct texts.
    """
    coded = part.columns[header]
    texts = coded.values if texts is None else texts
    absent = find_missing(texts, missing)
    values, rules = parse_numbers(texts, ~absent, part.spec.decimal)
    remedy = "if it means missing, add its spelling to [[file]]: missing = [...]"
    for name, reason in _NUMBER_RULES.items():
        rows = coded.rows(rules[name])
        if rows.any():
            part.refuse_values(header, rows, name, reason, whole=whole, remedy=remedy)
    part.note_values(
        header,
        coded.rows(rules["DECIMAL_COMMA"]),
        "DECIMAL_COMMA",
        "repair_and_log",
        "decimal commas read as declared",
    )
    bad = np.zeros(len(values), dtype=bool)
    if low is not None:
        bad |= values < low
    if high is not None:
        bad |= values > high
    if whole_number:
        bad |= ~np.isnan(values) & (values != np.floor(values))
    rows = coded.rows(bad)
    if rows.any():
        part.refuse_values(header, rows, rule, what, whole=whole, remedy=remedy)
    return coded.type_as(values, np.isnan(values) | bad)


def map_flags(part: Part, name: str, header: str) -> Coded:
    """Return a column as 1.0 (yes) and 0.0 (no); codes of the source are ``"yes"`` and ``"no"``."""
    coded = part.columns[header]
    texts = coded.values.copy()
    told = look_up_codes(part.spec.codes.get(name, {}), texts)
    texts = np.where(~is_known(told), texts, told)
    absent = find_missing(texts, list_missing_codes(part, name)) & ~is_known(told)
    values, unclear = parse_flags(texts, ~absent)
    part.refuse_values(
        header,
        coded.rows(unclear),
        "FLAG_UNKNOWN",
        "neither yes nor no",
        whole=False,
        remedy=f'add to [file.codes.{name}]: "<what stands in that cell>" = "yes" or "no"',
    )
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
    for rule, (what, remedy) in DATE_RULES.items():
        rows = coded.rows(rules[rule]) if rule in rules else np.zeros(0, dtype=bool)
        if not rows.any():
            continue
        share = read_facts("checks")["share"][FORM_RULES.get(rule, "date_form")]
        if rule in REPAIRED_RULES:
            part.note_values(header, rows, rule, "repair_and_log", what)
        elif rule in FORM_RULES and rows.sum() > share * n_present:
            part.note_values(header, rows, rule, "refuse_file", what, remedy)
        else:
            part.refuse_values(header, rows, rule, what, whole=whole, remedy=remedy)
    return coded.type_as(days, days == NO_DATE)


def _ask_about_dates(part: Part, header: str, form: DateForm) -> None:
    coded = part.columns[header]
    n_rows = np.bincount(coded.codes + 1, minlength=len(coded.values) + 1)[1:]
    for doubt in find_date_doubts(coded.values, n_rows, form):
        records = part.records(coded.rows(doubt.rows))
        told = [said for name, said in doubt.confirmed.items() if name in part.spec.confirmed]
        if told:
            part.problems.note(
                doubt.rule, "answered", doubt.what, records, column=header, said=" ".join(told)
            )
        else:
            part.problems.ask(doubt.rule, doubt.what, doubt.answers, records, column=header)


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
