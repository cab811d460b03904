"""From a file's text to typed columns of the schema, and to names of the field such as therapies."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from outcomes.facts import (
    Column,
    Name,
    Source,
    Text,
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.records.columns.coded import Coded, is_known, join_coded, match_texts
from outcomes.records.columns.dates import DATE_RULES, NO_DATE, DateForm, find_date_doubts, parse_dates
from outcomes.records.columns.numbers import find_missing, parse_flags, parse_numbers
from outcomes.records.columns.part import Part, list_missing_codes, look_up_codes, refuse_hazards
from outcomes.records.findings import describe
from outcomes.records.spelling import simplify_name

_SEPARATORS = re.compile(r"[;+/&,|、，；]|\band\b|\bplus\b")
#: Where a word such as "None" names an arm that nobody has described yet.
_UNNAMED_THERAPY = "other"
#: Signs of a shortened name of a therapy.
_SHORTEST = 4
_DAMAGED_KEY = r"^\d\.\d+[eE]\+?\d+$"
_NUMERIC_KEY = r"^(0\d+|\d{16,}|\d+[eE]\d+)$"
_FRACTION = r"^\d+\.\d+$"
_NO_FRACTION = r"^\d+\.0+$"


def list_therapy_spellings(source: Source) -> dict[str, str]:
    """Return every known spelling of a therapy, simplified, to its id; the source's own come first."""
    names = {
        id: [id, therapy.label, therapy.short_label, *therapy.aliases, *(therapy.labels or {}).values()]
        for id, therapy in read_therapies().items()
    }
    own = {
        id: [id, content.get("label", id), content.get("short_label", id), *content.get("aliases", ())]
        for id, content in source.therapies.items()
    }
    return _simplify_all(names) | _simplify_all(own)


def list_timepoint_spellings(source: Source) -> dict[str, str]:
    """Return every known spelling of a time point, simplified, to its id."""
    names = {id: [id, point.label] for id, point in read_timepoints().items()}
    own = {id: [id, content.get("label", id)] for id, content in source.timepoints.items()}
    return _simplify_all(names) | _simplify_all(own)


def list_instrument_spellings() -> dict[str, str]:
    """Return every known spelling of an instrument, simplified, to its id; LOINC codes of scores too."""
    names = {
        instrument.id: [*instrument.aliases, instrument.name, instrument.short_name, instrument.id]
        for instrument in map(read_instrument, list_instruments())
    }
    return _simplify_all(names) | {simplify_name(code): name for code, name in list_loinc_codes().items()}


def _simplify_all(names: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {simplify_name(name): id for id, several in names.items() for name in several}


def map_therapy(part: Part, header: str) -> tuple[Coded, np.ndarray]:
    """Return therapies by id, refusing what is none or several, and which rows were left blank."""
    coded = part.columns[header]
    texts = coded.values
    hazard = refuse_hazards(part, header, whole=True)
    spellings = list_therapy_spellings(part.source)
    codes = part.spec.codes.get("therapy", {})
    target = look_up_codes(codes, texts)
    told = is_known(target)
    missing = find_missing(texts, list_missing_codes(part, "therapy"), keep_words=True) & ~told
    word = find_missing(texts) & ~missing & ~told
    target[word] = _UNNAMED_THERAPY
    open_ = ~told & ~missing & ~word & ~hazard
    target[open_] = [spellings.get(simplify_name(text)) for text in texts[open_]]
    separator = part.spec.therapy_separator
    if separator:  # joined therapies are looked up whatever their order
        joined = {_sort_joined(code, separator): value for code, value in codes.items() if separator in code}
        for i in np.flatnonzero(~is_known(target)):
            if separator in texts[i]:
                target[i] = joined.get(_sort_joined(texts[i], separator))
    pairs = zip(part.raw[header], target, strict=True)
    exact = np.array([text in codes or text == found for text, found in pairs], dtype=bool)
    needed = part.excluded < 0
    several = open_ & ~is_known(target)
    several[several] = [_names_several(part, codes, spellings, text) for text in texts[several]]
    unknown = open_ & ~is_known(target) & ~several
    worded = describe("columns.MISSING_TOKEN_IN_CATEGORY")
    part.note_values(header, coded.rows(word), outcome="accept_with_warning", **worded)
    alias = coded.rows(open_ & ~exact & is_known(target))
    part.note_values(header, alias, outcome="repair_and_log", **describe("columns.THERAPY_ALIAS"))
    for rule, texts_refused in (("THERAPY_MULTI", several), ("THERAPY_UNKNOWN", unknown)):
        rows = coded.rows(texts_refused) & needed
        part.refuse_values(header, rows, whole=True, **describe(f"columns.{rule}"))
    blank = (coded.rows(missing) | (coded.codes < 0)) & needed
    return coded.type_known(target), blank


def _sort_joined(text: str, separator: str) -> str:
    return separator.join(sorted(simplify_name(piece) for piece in text.split(separator)))


def _names_several(part: Part, codes: Mapping[str, str], spellings: dict[str, str], text: str) -> bool:
    separator = part.spec.therapy_separator
    pieces = text.split(separator) if separator and separator in text else _SEPARATORS.split(text)
    pieces = [simplify_name(piece) for piece in pieces if piece.strip()]
    known = spellings.keys() | {simplify_name(code) for code in codes}
    known |= {
        piece for piece in pieces if len(piece) >= _SHORTEST and any(n.startswith(piece) for n in known)
    }
    return len(pieces) > 1 and (bool(separator and separator in text) or known.issuperset(pieces))


def map_timepoints(part: Part, header: str) -> Coded:
    """Return time points by id; an unknown label refuses the record."""
    labels = read_labels(part, header)
    missing = find_missing(part.columns[header].values, list_missing_codes(part, "timepoint"))
    unknown = labels.rows((labels.values == "") & ~missing)
    part.refuse_values(header, unknown, whole=True, **describe("columns.TIMEPOINT_UNKNOWN"))
    return labels.type_as(labels.values, labels.values == "")


def read_labels(part: Part, header: str) -> Coded:
    """Return time points by id without a word about unknown labels, which are blank."""
    coded = part.columns[header]
    spellings = list_timepoint_spellings(part.source)
    target = look_up_codes(part.spec.codes.get("timepoint", {}), coded.values)
    missing = find_missing(coded.values, list_missing_codes(part, "timepoint"))
    open_ = ~is_known(target) & ~missing
    target[open_] = [spellings.get(simplify_name(text)) for text in coded.values[open_]]
    target[~is_known(target)] = ""
    return Coded(coded.codes, target)


def map_instruments(part: Part, header: str) -> Coded:
    """Return instruments as ``id`` or ``id:variant``; an unknown one refuses the record."""
    coded = part.columns[header]
    refuse_hazards(part, header, whole=True)
    spellings = list_instrument_spellings()
    target = look_up_codes(part.spec.codes.get("instrument", {}), coded.values)
    open_ = ~is_known(target)
    target[open_] = [spellings.get(simplify_name(text)) for text in coded.values[open_]]
    unknown = coded.rows(~is_known(target)) | (coded.codes < 0)
    part.refuse_values(header, unknown, whole=True, **describe("columns.INSTRUMENT_UNKNOWN"))
    return coded.type_known(target)


def limit_categories(name: str) -> int:
    """Return how many distinct values a category may have before it is taken for free text."""
    limits = read_facts("checks")["categories"]
    return int(limits["most_therapists" if name == "therapist" else "most"])


def map_category(part: Part, name: str, header: str, column: Column) -> Coded:
    """Return a category as codes of the schema; what is unknown is refused.

    Codes of the source come first, then what means missing, then the schema's codes, labels and aliases.
    """
    coded = part.columns[header]
    hazard = refuse_hazards(part, header, not part.is_wide)
    target, missing = _translate(part, name, coded.values, column)
    target[hazard] = None
    unknown = ~hazard & ~missing & ~is_known(target)
    label = Name("columns", name, column.label or name)
    worded = describe("columns.CATEGORY_UNKNOWN", label=label, name=name, codes="|".join(column.allowed))
    part.refuse_values(header, coded.rows(unknown), whole=False, **worded)
    return coded.type_known(target)


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
    return coded.type_known(target)


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
        part.refuse_values(header, coded.rows(rules[name]), whole=whole, **describe(f"columns.{name}"))
    commas = coded.rows(rules["DECIMAL_COMMA"])
    part.note_values(header, commas, outcome="repair_and_log", **describe("columns.DECIMAL_COMMA"))
    bad = (values < (-np.inf if low is None else low)) | (values > (np.inf if high is None else high))
    if whole_number:
        bad |= ~np.isnan(values) & (values != np.floor(values))
    remedy = describe("columns.SCORE_NOT_NUMERIC")["remedy"]
    part.refuse_values(header, coded.rows(bad), rule, what=what, whole=whole, remedy=remedy)
    return coded.type_as(values, np.isnan(values) | bad)


def map_flags(part: Part, name: str, header: str) -> Coded:
    """Return a column as 1.0 (yes) and 0.0 (no); codes of the source are ``"yes"`` and ``"no"``."""
    coded = part.columns[header]
    told = look_up_codes(part.spec.codes.get(name, {}), coded.values)
    texts = np.where(is_known(told), told, coded.values)
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
        rows, worded, effect = coded.rows(rules[rule]), describe(f"columns.{rule}"), DATE_RULES[rule]
        if effect == "repair":
            part.note_values(header, rows, outcome="repair_and_log", **worded)
        elif effect != "refuse" and rows.sum() > read_facts("checks")["share"][effect] * n_present:
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
            said = " ".join(str(Text(f"{key}.confirmed.{name}", doubt.values)) for name in told)
            part.problems.note(outcome="answered", records=records, column=header, said=said, **worded)
        else:
            answers = {line: Text(f"{key}.answers.{name}") for line, name in doubt.answers.items()}
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

    A key is never a number: ``0007`` is not ``7``. What Excel has turned into one (``1.23457E+11``) refuses
    the file; an id made of several columns, or told apart within a site, is their cells together.
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
