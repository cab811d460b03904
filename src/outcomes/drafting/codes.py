"""The codes of a column, each with what it means or a question."""

from collections.abc import Mapping, Sequence

import numpy as np

from outcomes.drafting.column import SheetColumn, find_meaning, is_missing_word, read_legend
from outcomes.drafting.question import OpenQuestion, ask
from outcomes.drafting.sketch import Sketch
from outcomes.drafting.spelling import normalise
from outcomes.drafting.words import find_code, find_instrument, find_moment, therapy_words
from outcomes.facts import (
    Instrument,
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_schema,
    read_therapies,
)
from outcomes.records.columns.numbers import parse_flags
from outcomes.records.spelling import simplify_name

#: A known code of so few letters beside an unknown one may mean something else in the unknown one's language.
_SHORTEST_WORD = 2
_SEPARATORS = (";", "+", "/", "&", ",", "、", "＋", " and ", " und ", " et ", " y ")


def draft_codes(name: str, sketch: Sketch) -> tuple[dict[str, str], int]:
    """Return the codes of a schema column that a source must list, and how many are too rare."""
    if name == "therapy":
        return _draft_therapies(sketch)
    if name in ("instrument", "timepoint"):
        return _draft_names(name, sketch), 0
    column = read_schema()["episodes"].get(name)
    if column is not None and column.type == "flag":
        return _draft_flags(sketch.mapped[name], sketch), 0
    return _draft_categories(name, sketch) if column is not None and column.allowed else ({}, 0)


def _draft_flags(column: SheetColumn, sketch: Sketch) -> dict[str, str]:
    """Return the codes of a yes or no that the reader does not know, as questions."""
    codes, _ = sketch.list_codes(column)
    legend = read_legend(column)
    told = [code for code in codes if not is_missing_word(code)]
    words = [find_meaning(legend, code) or code for code in told]
    read, unclear = parse_flags(np.array(words, dtype=object), np.ones(len(words), dtype=bool))
    drafted: dict[str, str] = {}
    for code, flag, is_unclear in zip(told, read, unclear, strict=True):
        if is_unclear:
            drafted[code] = ask("category", ("yes", "no"), n=codes[code])
        elif legend:
            drafted[code] = "yes" if flag else "no"
    return drafted


def find_separator(sketch: Sketch) -> str | None:
    """Return what joins several therapies in one cell, None where nothing does."""
    column = sketch.mapped.get("therapy")
    if column is None:
        return None
    codes, _ = sketch.list_codes(column, _therapy_keys())
    keys = {simplify_name(code) for code in codes} | set(_therapy_keys())
    for separator in _SEPARATORS:
        for code in codes:
            parts = [simplify_name(part) for part in code.split(separator)]
            if len(parts) > 1 and all(part in keys for part in parts):
                return separator
    return None


def _therapy_keys() -> Mapping[str, str]:
    """Return the names of therapies that the reader knows, simplified, each with its id."""
    names: dict[str, str] = {}
    for therapy in read_therapies().values():
        labels = (therapy.labels or {}).values()
        for name in (therapy.id, therapy.label, therapy.short_label, *therapy.aliases, *labels):
            names.setdefault(simplify_name(name), therapy.id)
    return names


def _is_missing(code: str) -> bool:
    return simplify_name(code) in {simplify_name(word) for word in read_facts("missing")["always"]}


def _draft_therapies(sketch: Sketch) -> tuple[dict[str, str], int]:
    keys, separator = _therapy_keys(), find_separator(sketch)
    column = sketch.mapped["therapy"]
    legend = read_legend(column)
    texts = set(map(str, column.filled))
    named = [simplify_name(text) for text in texts if normalise(text) in therapy_words()]
    codes, n_others = sketch.list_codes(column, [*keys, *named])
    ids, planned = tuple(read_therapies()), read_facts("drafting")["planned_combination"]
    drafted: dict[str, str] = {}
    for code, n in codes.items():
        if _is_missing(code):
            continue
        joined = bool(separator) and str(separator) in code
        parts = code.split(separator) if joined else [find_meaning(legend, code) or code]
        known = [keys.get(simplify_name(part)) or therapy_words().get(normalise(part)) for part in parts]
        if joined:
            drafted[code] = ask("combination", (planned, *filter(None, known)), n=n)
        else:
            drafted[code] = known[0] or ask("therapy", ids, n=n)
    return drafted, n_others


def _draft_categories(name: str, sketch: Sketch) -> tuple[dict[str, str], int]:
    """Return the codes of a category, all where one is asked: what is unknown doubts what is known."""
    column = read_schema()["episodes"][name]
    aliases, labels = column.aliases or {}, column.labels or {}
    built_in = {simplify_name(alias): code for alias, code in aliases.items()}
    built_in |= {simplify_name(label): code for code, label in labels.items()}
    built_in |= {simplify_name(code): code for code in column.allowed}
    texts = set(map(str, sketch.mapped[name].filled))
    named = [simplify_name(text) for text in texts if find_code(name, text)]
    codes, n_others = sketch.list_codes(sketch.mapped[name], [*built_in, *named])
    codes = {code: n for code, n in codes.items() if not is_missing_word(code) or find_code(name, code)}
    told = {code: built_in.get(simplify_name(code)) or find_code(name, code) for code in codes}
    drafted: dict[str, str] = {}
    legend = read_legend(sketch.mapped[name])
    if legend:
        words = {code: find_meaning(legend, code) or code for code in codes}
        meanings = _find_meanings(name, list(words.values()))
        for code, word in words.items():
            drafted[code] = meanings.get(word) or ask("category", column.allowed, n=codes[code])
        return drafted, n_others
    for code, n in codes.items():
        if all(told.values()):
            if simplify_name(code) not in built_in:
                drafted[code] = str(told[code])
        elif told[code] and not (code.isascii() and len(code) <= _SHORTEST_WORD):
            drafted[code] = str(told[code])
        else:
            drafted[code] = ask("category", column.allowed, n=n)
    return drafted, n_others


def _find_meanings(name: str, words: Sequence[str]) -> dict[str, str]:
    """Return what words of a header mean: short ones by a reading of one language that has them all."""
    for reading in read_facts("code_readings").get(name, ()):
        known = {simplify_name(code): value for code, value in reading["codes"].items()}
        if all(simplify_name(word) in known for word in words):
            return {word: known[simplify_name(word)] for word in words}
    return {word: code for word in words if (code := find_code(name, word))}


def _draft_names(name: str, sketch: Sketch) -> dict[str, str]:
    """Return the codes of a long file's instruments or time points, each with its id or a question."""
    legend = read_legend(sketch.mapped[name])
    find = find_instrument if name == "instrument" else find_moment
    # what is known is no person's name
    texts = {str(cell) for cell in sketch.mapped[name].filled}
    codes, _ = sketch.list_codes(sketch.mapped[name], [simplify_name(text) for text in texts if find(text)])
    drafted: dict[str, str] = {}
    for code, n in codes.items():
        if _is_missing(code):
            continue
        if name == "instrument":
            known = list_loinc_codes().get(code) or find_instrument(find_meaning(legend, code) or code)
            drafted[code] = known or ask("instrument_code", list_instruments(), n=n)
        else:
            moment = find_moment(find_meaning(legend, code) or code)
            known = moment.timepoint if moment else None
            drafted[code] = known or ask("timepoint", sketch.timepoint_choices, n=n)
    return drafted


def list_therapies(codes: Mapping[str, str]) -> list[str]:
    """Return the therapies that the codes of a file are known to mean."""
    return list(dict.fromkeys(code for code in codes.values() if not isinstance(code, OpenQuestion)))


def has_other_regions(sketch: Sketch, codes: Mapping[str, str], instrument: Instrument) -> bool:
    """Return whether patients may have complaints of a region that an instrument is not made for."""
    cells = {str(cell) for cell in sketch.mapped["region"].filled}
    told = {codes.get(cell) or find_code("region", cell) for cell in cells}
    return bool(told - {*instrument.regions, "other", None})
