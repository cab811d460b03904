"""From a file's text to names of the field: therapies, time points, instruments and their variants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from outcomes.facts import (
    Source,
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_therapies,
    read_timepoints,
)
from outcomes.records.columns.coded import Coded, is_known
from outcomes.records.columns.numbers import find_missing
from outcomes.records.columns.part import Part, list_missing_codes, look_up_codes, refuse_hazards
from outcomes.records.findings import describe
from outcomes.records.spelling import simplify_name

_SEPARATORS = re.compile(r"[;+/&,|、，；]|\band\b|\bplus\b")
#: Where a word such as "None" names an arm that nobody has described yet.
_UNNAMED_THERAPY = "other"
#: Signs of a shortened name of a therapy.
_SHORTEST = 4


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
    """Return therapies by id, and which rows were left blank.

    An unknown therapy, or several in one cell, refuse the record, unless the source excludes it.
    """
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
