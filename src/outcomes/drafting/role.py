"""`Role`: what a column of a spreadsheet is for, guessed from its header and held against its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from outcomes.drafting.column import SheetColumn
from outcomes.drafting.spelling import find_longest, is_date, is_number, normalise
from outcomes.facts import (
    Instrument,
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_schema,
    read_timepoints,
)
from outcomes.records.gate import find_person_names, match_header

#: Columns of the schema, and of a long file, by what their values must look like.
NUMERIC = {"age_years", "bmi", "duration_weeks", "n_sessions", "discharge_day", "day", "score"}
_DATES = {"start_date", "date"}
_MOST_CATEGORIES = 30
#: A column of an unknown instrument is asked about when its header is short and its values are many.
_LONGEST_UNKNOWN = 4
_FEWEST_SCORES = 6
#: Proportion of cells that look like persons' names from which on a column is taken to hold names.
_MOST_NAMES = 0.2


@dataclass(frozen=True)
class Role:
    """What a column is for.

    Parameters
    ----------
    kind : str
        ``column`` (of the schema), ``score``, ``score_date``, ``identifying``, ``free_text``,
        ``contradicted`` (the header says one thing, the values another) or ``unknown``.
    name : str or None
        Column of the schema, or id of the instrument; None for a score of an unknown instrument.
    timepoint : str or None
    variant : str or None
    item : int or None
        Number of the item, counted from 1.
    """

    kind: str
    name: str | None = None
    timepoint: str | None = None
    variant: str | None = None
    item: int | None = None


@cache
def _instrument_words() -> Mapping[str, str]:
    extra = read_facts("drafting")["instruments"]
    words: dict[str, str] = {}
    for id in list_instruments():
        instrument = read_instrument(id)
        for word in (id, instrument.short_name, instrument.name, *instrument.aliases, *extra.get(id, ())):
            words.setdefault(normalise(word), id)
    for code, name in list_loinc_codes().items():
        words.setdefault(normalise(code), name.partition(":")[0])
    return words


@cache
def _words_of(section: str) -> Mapping[str, str]:
    """Return the normalised words of a section of ``drafting.toml``, each with what it stands for."""
    entries = read_facts("drafting")[section]
    return {normalise(word): name for name, words in entries.items() for word in (name, *words)}


def find_instrument(text: str) -> str | None:
    """Return the id of the instrument that a header or cell names, None where it names none.

    Examples
    --------
    >>> find_instrument("ODI %"), find_instrument("Pain 0-10"), find_instrument("shoe size")
    ('odi', 'nprs', None)
    """
    return _instrument_words().get(find_longest(normalise(text), _instrument_words()) or "")


def find_timepoint(text: str) -> str | None:
    """Return the id of the time point that a header or cell names, None where it names none.

    Examples
    --------
    >>> find_timepoint("6 weeks ODI %"), find_timepoint("ODI at 12m"), find_timepoint("ODI")
    ('week_6', 'month_12', None)
    """
    return _words_of("timepoints").get(find_longest(normalise(text), _words_of("timepoints")) or "")


def guess_role(column: SheetColumn) -> Role:
    """Guess what a column is for.

    Parameters
    ----------
    column : SheetColumn

    Returns
    -------
    Role
    """
    header = normalise(column.header)
    if _is_identifying(column.header):
        return Role("identifying")
    exact = _words_of("columns").get(header)
    if exact is None:
        score = _guess_score(column, header)
        if score is not None:
            return score
    name = exact or _guess_schema_column(header)
    if name is None:
        return Role("free_text" if column.is_free_text else "unknown")
    return Role("column" if fits_values(name, column) else "contradicted", name)


def _is_identifying(header: str) -> bool:
    """Whether the gate would refuse the header; a record number may be the key, for it is re-keyed."""
    rule = match_header(header)
    keyed = _words_of("columns").get(normalise(header)) in ("patient_id", "episode_id")
    return rule is not None and not (rule.rekeyed and keyed)


def _guess_score(column: SheetColumn, header: str) -> Role | None:
    timepoint = find_timepoint(header)
    rest = header
    if timepoint is not None:
        rest = _without(rest, find_longest(header, _words_of("timepoints")))
    word = find_longest(rest, _instrument_words())
    beside = {
        name: [normalise(word) for word in words]
        for name, words in read_facts("drafting")["beside_a_score"].items()
    }
    if word is None:
        dated = timepoint is not None and column.is_dated and find_longest(rest, beside["date"])
        if dated:
            return Role("score_date", timepoint=timepoint)
        return Role("score", None, timepoint) if timepoint and _may_be_score(column, rest) else None
    instrument = read_instrument(_instrument_words()[word])
    rest = _without(rest, word)
    if column.is_dated and find_longest(rest, beside["date"]):
        return Role("score_date", instrument.id, timepoint)
    item = _find_item(rest, instrument, beside["item"])
    variant, rest = _split_variant(rest, instrument)
    if item is None and set(rest.split()) - set(beside["words"]):
        return None
    if not column.is_numeric:
        return Role("contradicted", instrument.id, timepoint)
    return Role("score", instrument.id, timepoint, variant, item)


def _may_be_score(column: SheetColumn, rest: str) -> bool:
    few_words = len(rest.split()) <= _LONGEST_UNKNOWN
    return few_words and column.is_numeric and column.n_distinct >= _FEWEST_SCORES


def _without(text: str, word: str | None) -> str:
    return " ".join(f" {text} ".replace(f" {word} ", " ", 1).split()) if word else text


def _find_item(rest: str, instrument: Instrument, words: Sequence[str]) -> int | None:
    named = _find_named_item(rest, instrument)
    if named is not None:
        return named
    match = re.fullmatch(rf"(?:(?:{'|'.join(words)}) ?)?(\d{{1,2}})", rest)
    n_items = int(instrument.scoring.get("n_items", 1))
    return int(match[1]) if match and 1 < n_items >= int(match[1]) >= 1 else None


def _find_named_item(rest: str, instrument: Instrument) -> int | None:
    """Return the number of the item whose name, or a word for it, is all that is left of a header."""
    words = read_facts("drafting")["items"]
    for number, label in enumerate(instrument.scoring_rule.items, start=1):
        if rest in {normalise(word) for word in (label, *words.get(label, ()))}:
            return number
    return None


def _split_variant(rest: str, instrument: Instrument) -> tuple[str | None, str]:
    """Return the variant that words of a header name, in the order of the instrument, and what is left."""
    spellings = {
        normalise(word): name for name, words in read_facts("drafting")["variants"].items() for word in words
    }
    found = []
    for names in instrument.variants.values():
        choices = {normalise(name): name for name in names}
        choices |= {word: name for word, name in spellings.items() if name in names}
        word = find_longest(rest, choices)
        if word is not None:
            found.append(choices[word])
            rest = _without(rest, word)
    return "-".join(found) or None, rest


def _guess_schema_column(header: str) -> str | None:
    """Return the column of the schema whose words fill a header but for words that say nothing more."""
    word = find_longest(header, _words_of("columns"))
    if word is None or set(_without(header, word).split()) - set(
        read_facts("drafting")["beside_a_column"]["words"]
    ):
        return None
    return _words_of("columns")[word]


def fits_values(name: str, column: SheetColumn) -> bool:
    """Return whether the values of a column can be what its header says."""
    if not column.filled:
        return False
    if name in NUMERIC:
        return column.is_numeric
    if name in _DATES:
        return column.is_dated or column.share(is_number) >= 0.9
    if name in {"patient_id", "episode_id"}:
        return column.n_distinct > 1 and not column.share(is_date) >= 0.5 and not _holds_names(column)
    if name in {"site", "therapist"}:
        return not column.is_free_text and not _holds_names(column)
    if name == "therapy":
        return not column.is_numeric or column.n_distinct <= _MOST_CATEGORIES
    allowed = read_schema()["episodes"][name].allowed if name in read_schema()["episodes"] else ()
    if allowed and column.is_numeric and column.n_distinct > 2 * len(allowed):
        return False
    return column.n_distinct <= _MOST_CATEGORIES and not column.is_dated


def _holds_names(column: SheetColumn) -> bool:
    texts = [str(cell) for cell in column.filled]
    return bool(find_person_names(texts).mean() > _MOST_NAMES)


def covariates_among(names: Sequence[str]) -> list[str]:
    """Return those columns of the schema that are known at time zero and may adjust a comparison."""
    episodes = read_schema()["episodes"]
    return [name for name in names if name in episodes and episodes[name].covariate]


def order_timepoints(names: Sequence[str]) -> list[str]:
    """Return time points once each, in the order of their days."""
    return [id for id in read_timepoints() if id in set(names)]
