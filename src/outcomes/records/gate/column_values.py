"""Values that identify people, searched among the distinct texts of a column."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from outcomes.facts import read_facts
from outcomes.records.columns import match_texts
from outcomes.records.gate.identifiers import count_phones, find_check

#: Short plain numbers are scores, ages and counts; nothing is searched in them.
_PLAIN_NUMBER = r"^\s*[+-]?\d{0,7}([.,]\d*)?\s*$"
_PHONE_FORM = r"^\s*(\+\d[\d\s().-]{6,}\d|\(?0\d[\d\s().-]{6,}\d|\(?\d{2,4}\)?[ .-]\d{3,4}[ .-]\d{3,4})\s*$"
_DIGITS_ONLY = r"^\s*\d{1,8}\s*$"
_HAN_NAME_LENGTH = 3


class ValueRule(NamedTuple):
    """What some values of a column look like.

    ``hits`` marks the distinct texts, ``certain`` says whether they refuse the column or only warn.
    """

    rule: str
    what: str
    hits: np.ndarray
    certain: bool


def search_values(
    texts: pa.Array, header: str, *, is_id: bool, holds_dates: bool, rekeyed: bool
) -> list[ValueRule]:
    """Search distinct texts for identifying values.

    Parameters
    ----------
    texts : pyarrow.Array of str
        Distinct texts of a column.
    header : str
        A word in it may confirm a weak pattern.
    is_id : bool
        Whether the column is declared as ids, where numbers may pass a weak check by chance.
    holds_dates : bool
        Whether full dates are declared here.
    rekeyed : bool
        Whether its ids are replaced at the door; numbers are then no reason to refuse.

    Returns
    -------
    list of ValueRule
    """
    odd = np.flatnonzero(~match_texts(texts, _PLAIN_NUMBER))
    if not len(odd):
        return []
    candidates = texts.take(pa.array(odd))
    found = []
    suspects = np.flatnonzero(match_texts(candidates, _join_patterns()))
    for entry in read_facts("gate")["values"] if len(suspects) else ():
        if entry.get("dates") and holds_dates:
            continue
        if entry["strength"] == "weak" and rekeyed:
            continue
        rule = _search_pattern(entry, candidates.take(pa.array(suspects)), header, is_id)
        if rule is not None:
            found.append(_place(rule, odd[suspects], len(texts)))
    if not holds_dates and not (is_id and rekeyed):
        phones = _search_phones(candidates)
        if phones is not None:
            found.append(_place(phones, odd, len(texts)))
    return found


@cache
def _join_patterns() -> str:
    return "|".join(f"(?:{entry['pattern']})" for entry in read_facts("gate")["values"])


def _place(rule: ValueRule, positions: np.ndarray, size: int) -> ValueRule:
    hits = np.zeros(size, dtype=bool)
    hits[positions[rule.hits]] = True
    return rule._replace(hits=hits)


def _search_pattern(entry: dict, texts: pa.Array, header: str, is_id: bool) -> ValueRule | None:
    formed = match_texts(texts, entry["pattern"])
    hits = formed.copy()
    if "check" in entry and formed.any():
        check = find_check(entry["check"])
        hits[formed] = [check(text) for text in texts.filter(pa.array(formed)).to_pylist()]
    if not hits.any():
        return None
    certain = entry["strength"] == "strong" or not is_id
    certain = certain or any(word in header.casefold() for word in entry.get("context", ()))
    certain = certain or exceeds_chance(
        int(hits.sum()), int(formed.sum()), read_facts("gate")["chance_share"]
    )
    return ValueRule(entry["rule"], entry["what"], hits, certain)


def exceeds_chance(hits: int, tries: int, share: float) -> bool:
    """Return whether so many hits are more than chance explains, by Chernoff's bound of the binomial tail.

    Hoeffding 1963, J Am Stat Assoc 58:13: P(X >= hits) <= exp(-tries * KL(hits/tries, share)).

    Examples
    --------
    >>> exceeds_chance(9, 90, 0.1), exceeds_chance(3, 3, 0.1), exceeds_chance(1, 1, 0.1)
    (False, True, False)
    """
    found = hits / tries
    if found <= share:
        return False
    distance = found * math.log(found / share)
    if found < 1:
        distance += (1 - found) * math.log((1 - found) / (1 - share))
    return math.exp(-tries * distance) <= read_facts("gate")["chance_level"] * (1 + 1e-9)


def _search_phones(texts: pa.Array) -> ValueRule | None:
    facts = read_facts("gate")
    dates = next(entry["pattern"] for entry in facts["values"] if entry.get("dates"))
    formed = match_texts(texts, _PHONE_FORM) & ~match_texts(texts, _DIGITS_ONLY) & ~match_texts(texts, dates)
    if not formed.any():
        return None
    chosen = texts.filter(pa.array(formed)).to_pylist()
    hits = formed.copy()
    if len(chosen) <= facts["most_phones_checked"]:
        hits[formed] = [
            count_phones([text], _choose_regions(text, facts["phone_regions"]))[0] for text in chosen
        ]
    return ValueRule("PHI_PHONE", "a telephone number", hits, True) if hits.any() else None


def _choose_regions(text: str, regions: list[str]) -> list[str]:
    """Return the regions whose numbers a text may be: of bare digits, as ids are too, the first only."""
    return regions[:1] if text.strip().isdigit() else regions


def find_person_names(texts: list[str]) -> np.ndarray:
    """Return which texts look like the name of a person.

    Examples
    --------
    >>> find_person_names(["Dr Lee", "Tina Wood", "王小明", "T07", "north wing"]).tolist()
    [True, True, True, False, False]
    """
    facts = read_facts("gate")["names"]
    return np.array([_is_person_name(text.strip(), facts) for text in texts], dtype=bool)


_LATIN_NAME = re.compile(
    r"^[A-ZÀ-Þ][a-zß-ÿ'’-]+(,? [A-ZÀ-Þ]\.?)?,? [A-ZÀ-Þ][A-Za-zÀ-ÿ'’-]+$|^[A-Z]\. ?[A-ZÀ-Þ][a-zß-ÿ'’-]+$"
)


def _is_person_name(text: str, facts: dict) -> bool:
    return (
        has_title(text, facts["titles"])
        or bool(_LATIN_NAME.match(text))
        or is_han_name(text, facts["family_names"])
    )


def has_title(text: str, titles: list[str]) -> bool:
    """Return whether a text begins with a person's title, or ends with one that follows the name.

    Examples
    --------
    >>> has_title("Dr. Lee", ["dr"]), has_title("王小姐", ["小姐"]), has_title("drive", ["dr"])
    (True, True, False)
    """
    first, _, rest = text.partition(" ")
    before = bool(rest) and first.casefold().rstrip(".") in titles and rest[0].isupper()
    return before or any(_follows(text, title) for title in titles)


def _follows(text: str, title: str) -> bool:
    """Return whether a text ends with a title that is written after the name, as in Chinese and Japanese."""
    return title[0] > "\u2e7f" and len(text) > len(title) and text.endswith(title)


def is_han_name(text: str, family_names: str) -> bool:
    """Return whether a text is a Chinese or Japanese name: a frequent family name and one or two signs."""
    return (
        2 <= len(text) <= _HAN_NAME_LENGTH
        and text[0] in family_names
        and all("\u4e00" <= sign <= "\u9fff" for sign in text)
    )
