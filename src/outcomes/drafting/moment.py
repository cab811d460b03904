"""`Moment`: when a score was given, as far as the words of a header or of a cell say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from outcomes.drafting.spelling import find_longest, normalise, remove_word, split_scale
from outcomes.drafting.words import words_for, words_of
from outcomes.facts import read_timepoints

_DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
_SINGULAR = {"days": "day", "weeks": "week", "months": "month", "years": "year"}
#: How far, as a part of its own day, a time may lie from a standard time point and still be called it.
_NEAR = 0.09


@dataclass(frozen=True)
class Moment:
    """A time point, one of a source's own, or an occasion of which nothing says when it was."""

    #: Id of the time point; None for an occasion that has to be asked about.
    timepoint: str | None
    #: In words.
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
    counted = _find_counted(text)
    if counted is not None:
        moment, said = counted
        return moment, _drop_times(remove_word(text, said))
    words = words_of("timepoints")
    later = find_longest(text, words_for("occasions", "later"))
    word = find_longest(text, words)
    if word is not None and not (later and words[word] == "baseline" and later not in word):
        moment = Moment(words[word], read_timepoints()[words[word]].label)
        rest = remove_word(text, word)
        own = [other for other, name in words.items() if name == words[word]]
        while other := find_longest(rest, own):
            rest = remove_word(rest, other)
        return moment, rest
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


def _drop_times(text: str) -> str:
    """Return a text without words such as "post" and "follow-up", which say nothing beside a counted time."""
    words = {*words_of("timepoints"), *words_for("occasions", "later")}
    while word := find_longest(text, words):
        text = remove_word(text, word)
    return text


def _split_occasion(text: str, later: str | None) -> tuple[Moment | None, str]:
    """Return the occasion that a text names by a number or as a later one, with all words that say so."""
    names = {*words_for("occasions", "numbered"), *words_for("occasions", "later")}
    named = "|".join(sorted(names, key=len, reverse=True))
    ordinals = "|".join(words_for("occasions", "ordinals"))
    numbered = rf"(?<!\S)(?:(?:{named}) \d{{1,2}}|\d{{1,2}}(?: (?:{ordinals}))? (?:{named}))(?!\S)"
    if later is None and not re.search(numbered, text):
        return None, text
    telling = {token for word in {*names, *ordinals.split("|")} for token in word.split()}
    telling |= {
        token for word, id in words_of("timepoints").items() if id == "baseline" for token in word.split()
    }
    said = [token for token in text.split() if token in telling or token.isdecimal()]
    return Moment(None, " ".join(said)), " ".join(token for token in text.split() if token not in said)
