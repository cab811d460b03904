"""Values that identify people, searched among the distinct texts of a column."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    if not len(odd):
        return []
    candidates = fold_texts(texts.take(pa.array(odd)))
    if holds_dates:
        others = ~_match(candidates, _match_dates()) & ~_match(candidates, _DAY_DIGITS)
        odd, candidates = odd[others], candidates.filter(pa.array(others))
    found: list[ValueRule] = []
    for entry in _list_entries():
        weak = entry.facts["strength"] == "weak"
        if (entry.facts.get("dates") and holds_dates) or (weak and is_id and rekeyed):
            continue
        hits, weights = _search_entry(entry, candidates, sampled=weak and is_id)
        if hits.any():
            certain = not (weak and is_id) or _confirms(entry.facts, header, candidates, hits, weights)
            if certain and weights:
                hits, _ = _search_entry(entry, candidates, sampled=False)
            mask = np.zeros(len(texts), dtype=bool)
            mask[odd[hits]] = True
            found.append(ValueRule(entry.facts["rule"], entry.facts["what"], mask, certain))
    return _merge_rules(found)


def _match(texts: pa.Array, pattern: str) -> np.ndarray:
    """Return which texts a pattern matches: few by Python's engine, which keeps a pattern, many by RE2."""
    if len(texts) > _FEW:
        return match_texts(texts, pattern)
    search = re.compile(pattern, re.ASCII).search
    return np.array([search(text) is not None for text in texts.to_pylist()], dtype=bool)


def _search_entry(entry: _Entry, texts: pa.Array, *, sampled: bool) -> tuple[np.ndarray, dict[int, float]]:
    """Return which texts hold a match of a pattern that passes its check.

    Where ``sampled``, of many texts of one length that have the form only some are checked; the second part
    says how many each of them stands for, by length.
    """
    formed = _match(texts, entry.facts["pattern"])
    weights: dict[int, float] = {}
    if sampled and "check" in entry.facts:
        formed, weights = _thin_out(texts, formed)
    hits = np.zeros(len(texts), dtype=bool)
    check = find_check(entry.facts["check"]) if "check" in entry.facts else None
    for place in np.flatnonzero(formed):
        found = (match.group() for match in entry.pattern.finditer(texts[place].as_py()))
        hits[place] = any(check is None or check(text) for text in found)
    return hits, weights


def _thin_out(texts: pa.Array, formed: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """Return evenly spaced ones of the marked texts of each length, and how many each stands for."""
    most = read_facts("gate")["most_checked"]
    if formed.sum() <= most:
        return formed, {}
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    chosen, weights = np.zeros(len(formed), dtype=bool), {}
    for length in np.unique(lengths[formed]):
        places = np.flatnonzero(formed & (lengths == length))
        some = places[np.linspace(0, len(places) - 1, min(most, len(places))).astype(int)]
        chosen[some] = True
        weights[int(length)] = len(places) / len(some)
    return chosen, weights


def _confirms(facts: dict, header: str, ids: pa.Array, hits: np.ndarray, weights: dict[int, float]) -> bool:
    """Return whether matches of a weak pattern among ids are more than ids that look so by chance.

    They are where they are exceptions - most ids are of other lengths, or have other kinds of signs at their
    places, such as a letter where the match has a digit - or where too many ids of their length match.
    """
    if any(word in header.casefold() for word in facts.get("context", ())):
        return True
    lengths = pc.utf8_length(ids).to_numpy(zero_copy_only=False)
    usual, chance = facts.get("usual"), read_facts("gate")["chance_share"]
    for length in np.unique(lengths[hits]):
        same = lengths == length
        found = ids.filter(pa.array(hits & same)).to_pylist()
        tries = max(round(same.sum() / weights.get(int(length), 1)), len(found))
        if same.sum() * 2 < len(ids) or _stand_out(found, ids.filter(pa.array(same))):
            return True
        if len(found) > usual * tries if usual else exceeds_chance(len(found), tries, chance):
            return True
    return False


def _stand_out(found: list[str], same: pa.Array) -> bool:
    """Return whether a match has a sign where ids of its length have another, as a digit for a letter."""
    facts = read_facts("gate")
    step = max(len(same) // facts["most_checked"], 1)
    kinds = _sort_signs(same.to_pylist()[::step])
    usual = np.stack([(kinds == kind).mean(axis=0) for kind in range(3)])
    share = np.take_along_axis(usual, _sort_signs(found), axis=0)
    return bool((share < facts["usual_share"]).any())


def _sort_signs(texts: list[str]) -> np.ndarray:
    """Return for texts of one length whether each sign is a digit (0), a letter (1) or a mark (2)."""
    signs = np.array([list(text) for text in texts])
    return np.where(np.char.isdigit(signs), 0, np.where(np.char.isalpha(signs), 1, 2))


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
