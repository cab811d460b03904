"""The words of all languages by which `outcomes draft` knows headers and codes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from outcomes.drafting.spelling import find_longest, list_languages, list_spellings, normalise, remove_word
from outcomes.facts import (
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
)


@cache
def words_of(section: str) -> Mapping[str, str]:
    """Return the words of a section of all languages, in normal form, each with what it stands for."""
    words: dict[str, str] = {}
    for language in list_languages():
        part = read_facts(language)
        for key in section.split("."):
            part = part.get(key, {})
        for name, listed in part.items():
            own = [name.replace("_", " ")] if section in ("columns", "timepoints") else []
            for word in (*own, *listed):
                for spelling in list_spellings(word):
                    words.setdefault(spelling, name)
    return words


@cache
def names_of(section: str, word: str) -> tuple[str, ...]:
    """Return all that a word of a section stands for, in any language."""
    names = (name for language in list_languages() for name in read_facts(language).get(section, {}))
    found = tuple(name for name in dict.fromkeys(names) if word in words_for(section, name))
    own = words_of(section).get(word)
    return tuple(dict.fromkeys([own, *found])) if own else found


@cache
def words_for(section: str, name: str) -> frozenset[str]:
    """Return the words of a section that stand for one thing."""
    words: set[str] = set()
    for language in list_languages():
        for word in read_facts(language).get(section, {}).get(name, ()):
            words |= list_spellings(word)
    return frozenset(words)


@cache
def single_words(section: str, name: str) -> frozenset[str]:
    """Return the single words of which those of a section for one thing are made."""
    return frozenset(token for word in words_for(section, name) for token in word.split())


@cache
def doubtful_words(name: str) -> frozenset[str]:
    """Return the words for a ``change``, an ``improvement`` or ``another`` thing than a score."""
    words = read_facts("doubtful_headers")[name]["words"]
    return frozenset(spelling for word in words for spelling in list_spellings(word) if spelling)


def instrument_words() -> Mapping[str, str]:
    """Return each name of an instrument, in normal form, with its id, and the variant that it says."""
    return _instrument_words(tuple(list_instruments()))


@cache
def _instrument_words(ids: tuple[str, ...]) -> Mapping[str, str]:
    words: dict[str, str] = {}
    for id in ids:
        instrument = read_instrument(id)
        for word in (id, instrument.short_name, instrument.name, *instrument.aliases):
            words.setdefault(normalise(word), id)
    for code, name in list_loinc_codes().items():
        words.setdefault(normalise(code), name.partition(":")[0])
    return {**words_of("instruments"), **words}


def find_instrument(text: str) -> str | None:
    """Return the id of the instrument that a header or cell names, None where it names none.

    >>> find_instrument("ODI %"), find_instrument("Pain 0-10"), find_instrument("shoe size")
    ('odi', 'nprs', None)
    """
    word = find_instrument_word(normalise(text))
    return instrument_words()[word] if word else None


def find_instrument_word(text: str) -> str | None:
    """Return the word of a normalised text that names an instrument; one that may be a time comes last."""
    words, times = instrument_words(), words_of("timepoints")
    word = find_longest(text, words)
    if word in times:
        word = find_longest(text, [other for other in words if other not in times]) or word
    return word


def drop_words(text: str, words: Mapping[str, str], name: str) -> str:
    """Return a normalised text without any word that stands for one thing, as where two languages name it."""
    own = [word for word, meaning in words.items() if meaning == name]
    while word := find_longest(text, own):
        text = remove_word(text, word)
    return text


def find_code(name: str, text: str) -> str | None:
    """Return the code of a category that a cell names in words, None where it names none or several.

    >>> find_code("region", "LWS-Syndrom chronisch"), find_code("region", "neck and shoulder")
    ('low_back', None)
    >>> find_code("sex", "女")
    'female'
    """
    words, rest, found = words_of(f"values.{name}"), normalise(text), set()
    column = read_schema()["episodes"].get(name)
    if column is not None:
        known = {**(column.aliases or {}), **{label: code for code, label in (column.labels or {}).items()}}
        words = {**words, **{normalise(word): code for word, code in known.items()}}
        words |= {normalise(code): code for code in column.allowed}
    while word := find_longest(rest, words):
        found.add(words[word])
        rest = remove_word(rest, word)
    return found.pop() if len(found) == 1 else None


@cache
def therapy_words() -> Mapping[str, str]:
    """Return each name of a therapy, in normal form, with its id."""
    words: dict[str, str] = {}
    for therapy in read_therapies().values():
        labels = (therapy.labels or {}).values()
        for name in (therapy.id, therapy.label, therapy.short_label, *therapy.aliases, *labels):
            words.setdefault(normalise(name), therapy.id)
    return {**words_of("therapies"), **words}
