"""The words of all languages by which headers and codes are known; `Moment`, which some of them name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.drafting.spelling import (
    find_longest,
    list_languages,
    list_spellings,
    normalise,
    remove_word,
    split_scale,
)
from outcomes.facts import (
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)

_DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
_SINGULAR = {"days": "day", "weeks": "week", "months": "month", "years": "year"}
#: How far, as a part of its own day, a time may lie from a standard time point and still be called it.
_NEAR = 0.09


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
    """Return all words of a section for one thing."""
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
    """Return a normalised text without all words for one thing, as where two languages name it."""
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


@dataclass(frozen=True)
class Moment:
    """A standard time point, one of a source's own, or an occasion whose time is not known."""

    #: Id of the time point; None for an occasion that has to be asked about.
    timepoint: str | None
    label: str
    #: Day after the start of a time point that is not one of the standard ones.
    day: int | None = None


def find_moment(text: str) -> Moment | None:
    """Return the moment that a header or cell names, None where it names none.

    >>> [find_moment(text).timepoint for text in ("6 weeks ODI %", "ODI 3/12", "三個月")]
    ['week_6', 'month_3', 'month_3']
    >>> find_moment("NRS nach 4 Wochen"), find_moment("ODI T1").timepoint, find_moment("ODI")
    (Moment(timepoint='week_4', label='4 weeks', day=28), None, None)
    """
    return split_moment(normalise(split_scale(text)[0]))[0]


def split_moment(text: str) -> tuple[Moment | None, str]:
    """Return the moment that a normalised text names, and the text without its words."""
    words = words_of("timepoints")
    counted = _find_counted(text)
    if counted is not None:
        moment, said = counted
        # "post" and "follow-up" say nothing beside a counted time.
        beside = dict.fromkeys((*words, *words_for("occasions", "later")), "time")
        return moment, drop_words(remove_word(text, said), beside, "time")
    later = find_longest(text, words_for("occasions", "later"))
    word = find_longest(text, words)
    if word is not None and not (later and words[word] == "baseline" and later not in word):
        moment = Moment(words[word], read_timepoints()[words[word]].label)
        return moment, drop_words(text, words, words[word])
    return _split_occasion(text, later)


@cache
def _counted_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    units = "|".join(sorted(words_of("units"), key=len, reverse=True))
    numbers = "|".join([r"\d{1,3}", *sorted(words_of("numbers"), key=len, reverse=True)])
    return (
        re.compile(rf"(?<!\S)(?P<number>{numbers}) (?P<unit>{units})(?!\S)"),
        re.compile(rf"(?<!\S)(?P<unit>{units}) (?P<number>\d{{1,3}})(?!\S)"),
    )


def _find_counted(text: str) -> tuple[Moment, str] | None:
    """Return the moment that a number with a unit of time names, and the words that say so."""
    for pattern in _counted_patterns():
        match = pattern.search(text)
        if match is not None:
            number = int(words_of("numbers").get(match["number"], match["number"]))
            return _name_moment(number, words_of("units")[match["unit"]]), match.group()
    return None


def _name_moment(number: int, unit: str) -> Moment:
    day = round(number * _DAYS[unit])
    for id, timepoint in read_timepoints().items():
        if timepoint.comparable and abs(day - timepoint.day) <= _NEAR * timepoint.day:
            return Moment(id, timepoint.label)
    label = f"{number} {_SINGULAR[unit] if number == 1 else unit}"
    return Moment(f"{_SINGULAR[unit]}_{number}", label, day)


def _split_occasion(text: str, later: str | None) -> tuple[Moment | None, str]:
    """Return the occasion that a text names by a number or as a later one, with all words that say so."""
    names = {*words_for("occasions", "numbered"), *words_for("occasions", "later")}
    named = "|".join(sorted(names, key=len, reverse=True))
    ordinals = "|".join(words_for("occasions", "ordinals"))
    numbered = rf"(?<!\S)(?:(?:{named}) \d{{1,2}}|\d{{1,2}}(?: (?:{ordinals}))? (?:{named}))(?!\S)"
    if later is None and not re.search(numbered, text):
        return None, text
    starts = [word for word, id in words_of("timepoints").items() if id == "baseline"]
    telling = {token for word in (*names, *ordinals.split("|"), *starts) for token in word.split()}
    said = [token for token in text.split() if token in telling or token.isdecimal()]
    return Moment(None, " ".join(said)), " ".join(token for token in text.split() if token not in said)
