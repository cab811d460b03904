"""Values that identify people, searched among the distinct texts of a column."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from outcomes.facts import read_facts
from outcomes.records.columns import match_texts
from outcomes.records.gate.folding import fold_texts
from outcomes.records.gate.identifiers import find_check

#: Short plain numbers are scores, ages and counts; nothing is searched in them.
_PLAIN_NUMBER = r"^\s*[+-]?\d{0,7}([.,]\d*)?\s*$"
#: Digits alone that may be a day, with a time or not, or the number of a day.
_DAY_DIGITS = r"^\s*((18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{2}){0,3}|\d{1,7})\s*$"
_FEW = 200  # distinct texts
#: A match begins and ends where no word or number goes on; a weak one is no part of a compound code either.
_LIMITS = {
    "strong": (r"(?<![0-9A-Za-z])(?<![0-9][-./])", r"(?![0-9A-Za-z])(?![-./][0-9])"),
    "weak": (r"(?<![0-9A-Za-z])(?<![0-9A-Za-z][-./_:])", r"(?![0-9A-Za-z])(?![-./_:][0-9A-Za-z])"),
}


class ValueRule(NamedTuple):
    """What some values of a column look like.

    ``hits`` marks the distinct texts, ``certain`` says whether they refuse the column or only warn.
    """

    rule: str
    what: str
    hits: np.ndarray
    certain: bool


class _Entry(NamedTuple):
    """A pattern of ``gate.toml``, with what is searched in each candidate."""

    facts: dict[str, Any]
    pattern: re.Pattern[str]


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
        One per rule and meaning.
    """
    odd = np.flatnonzero(~match_texts(texts, _PLAIN_NUMBER))
    candidates = fold_texts(texts.take(pa.array(odd)))
    suspect = _match(candidates, _join_patterns())
    if holds_dates:
        suspect &= ~_match(candidates, _match_dates()) & ~_match(candidates, _DAY_DIGITS)
    if not suspect.any():
        return []
    places = odd[suspect]
    suspects = candidates.filter(pa.array(suspect))
    column = candidates if is_id else suspects
    found: list[ValueRule] = []
    for entry in _list_entries():
        weak = entry.facts["strength"] == "weak"
        if (entry.facts.get("dates") and holds_dates) or (weak and is_id and rekeyed):
            continue
        hits = _search_entry(entry, suspects)
        if hits.any():
            certain = not (weak and is_id) or _confirms(entry.facts, header, column, suspects, hits)
            found.append(_place(entry.facts, hits, certain, places, len(texts)))
    return _merge_rules(found)


def _match(texts: pa.Array, pattern: str) -> np.ndarray:
    """Return which texts a pattern matches: few by Python's engine, which keeps a pattern, many by RE2."""
    if len(texts) > _FEW:
        return match_texts(texts, pattern)
    search = re.compile(pattern, re.ASCII).search
    return np.array([search(text) is not None for text in texts.to_pylist()], dtype=bool)


def _search_entry(entry: _Entry, texts: pa.Array) -> np.ndarray:
    """Return which texts hold a match of a pattern that passes its check."""
    formed = _match(texts, entry.facts["pattern"])
    hits = np.zeros(len(texts), dtype=bool)
    check = find_check(entry.facts["check"]) if "check" in entry.facts else None
    for place in np.flatnonzero(formed):
        found = (match.group() for match in entry.pattern.finditer(texts[place].as_py()))
        hits[place] = any(check is None or check(text) for text in found)
    return hits


def _confirms(facts: dict, header: str, column: pa.Array, suspects: pa.Array, hits: np.ndarray) -> bool:
    """Return whether matches of a weak pattern among ids are more than ids that look so by chance.

    They are where they are exceptions - most ids are of other lengths, or have other kinds of signs at their
    places, such as a letter where the match has a digit - or where too many ids of their length match.
    """
    if any(word in header.casefold() for word in facts.get("context", ())):
        return True
    texts = column.to_pylist()
    mine = suspects.filter(pa.array(hits)).to_pylist()
    same = {size: [text for text in texts if len(text) == size] for size in {len(text) for text in mine}}
    for size, others in same.items():
        found = [text for text in mine if len(text) == size]
        if len(others) * 2 < len(texts) or _stand_out(found, others):
            return True
        usual = facts.get("usual")
        share = len(found) / len(others)
        if (
            share > usual
            if usual
            else exceeds_chance(len(found), len(others), read_facts("gate")["chance_share"])
        ):
            return True
    return False


def _stand_out(found: list[str], same: list[str]) -> bool:
    """Return whether a match has a sign where ids of its length have another, as a digit for a letter."""
    kinds = _sort_signs(same)
    usual = np.stack([(kinds == kind).mean(axis=0) for kind in range(3)])
    share = np.take_along_axis(usual, _sort_signs(found), axis=0)
    return bool((share < read_facts("gate")["usual_share"]).any())


def _sort_signs(texts: list[str]) -> np.ndarray:
    """Return for texts of one length whether each sign is a digit (0), a letter (1) or a mark (2)."""
    signs = np.array([list(text) for text in texts])
    return np.where(np.char.isdigit(signs), 0, np.where(np.char.isalpha(signs), 1, 2))


def _place(facts: dict, hits: np.ndarray, certain: bool, places: np.ndarray, size: int) -> ValueRule:
    mask = np.zeros(size, dtype=bool)
    mask[places[hits]] = True
    return ValueRule(facts["rule"], facts["what"], mask, certain)


def _merge_rules(rules: list[ValueRule]) -> list[ValueRule]:
    """Return one rule where several patterns of one meaning matched."""
    merged: dict[tuple[str, str], ValueRule] = {}
    for rule in rules:
        known = merged.get(rule[:2])
        merged[rule[:2]] = (
            rule
            if known is None
            else rule._replace(hits=known.hits | rule.hits, certain=known.certain or rule.certain)
        )
    return list(merged.values())


@cache
def _list_entries() -> tuple[_Entry, ...]:
    entries = []
    for facts in read_facts("gate")["values"]:
        before, after = _LIMITS[facts["strength"]]
        pattern = re.compile(f"{before}(?:{facts['pattern']}){after}", re.ASCII)
        entries.append(_Entry(facts, pattern))
    return tuple(entries)


@cache
def _join_patterns() -> str:
    return "|".join(f"(?:{entry['pattern']})" for entry in read_facts("gate")["values"])


@cache
def _match_dates() -> str:
    dates = (entry["pattern"] for entry in read_facts("gate")["values"] if entry.get("dates"))
    return f"^\\s*(?:{'|'.join(f'(?:{pattern})' for pattern in dates)})\\s*$"


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
