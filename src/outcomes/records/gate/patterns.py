"""Headers and values that identify people, searched by the words and the patterns of ``gate.toml``."""

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import read_facts
from outcomes.records.columns.coded import match_texts
from outcomes.records.gate.folding import fold_text, fold_texts, strip_accents
from outcomes.records.gate.identifiers import find_check

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARKS = re.compile(r"[^\w]+|_+")
_NUMBER_AT_END = re.compile(r"(?<=\D)\d+$")
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


class HeaderRule(NamedTuple):
    """What a header says: the gate's rule, the kind of content, and whether re-keyed ids may carry it."""

    rule: str
    kind: str
    rekeyed: bool


def match_header(header: str, profile: str = "local") -> HeaderRule | None:
    """Return the rule that a header breaks under a source's privacy profile, None where it is harmless.

    Examples
    --------
    >>> match_header("Patient_Name").kind, match_header("姓名").rule, match_header("Provider Name")
    ('name', 'PHI_COLUMN_NAME', None)
    >>> match_header("Date of birth").rule, match_header("birth weight"), match_header("téléphone2").kind
    ('PHI_DOB', None, 'contact')
    """
    plain = fold_text(header)
    words = [_simplify(word) for word in _MARKS.split(_CAMEL.sub(" ", plain)) if word]
    whole = [_simplify(word) for word in _MARKS.split(plain) if word]
    joined = "".join(whole)
    present = {*words, *whole, *map("".join, pairwise(whole)), joined}
    persons, families = _read_families()
    for family in families:
        if family.get("profile", profile) != profile:
            continue
        named = present & family["words"] or joined in family["whole"]
        named = named or any(part in joined for part in family["parts"])
        if named and not _is_harmless(present, joined, family, persons):
            return HeaderRule(family["rule"], family["kind"], family.get("rekeyed", False))
    return None


def _simplify(word: str) -> str:
    """Return a word without case, accents and a number at its end, so that ``Phone2`` is a phone."""
    return _NUMBER_AT_END.sub("", strip_accents(word).casefold())


def _is_harmless(present: set[str], joined: str, family: Mapping[str, Any], persons: set[str]) -> bool:
    """Return whether a word beside it makes a header harmless, as a clinic makes a name."""
    if joined in family["words"] or present & persons:
        return False
    return bool(present & family["not_beside"]) or any(sign in joined for sign in family["signs"])


@cache
def _read_families() -> tuple[set[str], tuple[dict[str, Any], ...]]:
    """Return the words for persons, and the families with their lists as sets, in the form of headers."""
    facts = read_facts("gate")
    families = []
    for family in facts["headers"]:
        beside = family["not_beside"]
        lists: dict[str, Any] = {key: {_simplify(word) for word in family[key]} for key in ("words", "whole")}
        lists["parts"] = [unicodedata.normalize("NFKC", part) for part in family["parts"]]
        lists["not_beside"] = {word for word in beside if word.isascii()}
        lists["signs"] = [word for word in beside if not word.isascii()]
        families.append({**family, **lists})
    return set(facts["persons"]["header_words"]), tuple(families)


class ValueRule(NamedTuple):
    """What some values of a column look like: the gate's rule, and the kind of content."""

    rule: str
    kind: str
    #: Marks the distinct texts.
    hits: np.ndarray
    #: Whether they refuse the column or only warn.
    certain: bool = True
    #: ``value``, ``header`` or ``record_header``: the key of how it is told.
    said_by: str = "value"


class _Entry(NamedTuple):
    """A pattern of ``gate.toml``, with what is searched in each candidate."""

    facts: dict[str, Any]
    pattern: re.Pattern[str]


def search_values(
    texts: pa.Array, header: str, *, is_id: bool, holds_dates: bool, rekeyed: bool
) -> list[ValueRule]:
    """Search the distinct texts of a column for identifying values; one rule for each kind that is found.

    A word in the header may confirm a weak pattern. Among ids numbers may pass a weak check by chance, which
    is no reason to refuse where ids are ``rekeyed``. ``holds_dates`` says that full dates are declared here.
    """
    odd = np.flatnonzero(~match_texts(texts, _PLAIN_NUMBER))
    if not len(odd):
        return []
    candidates = fold_texts(texts.take(pa.array(odd)))
    if holds_dates:
        others = ~_match(candidates, _match_dates()) & ~_match(candidates, _DAY_DIGITS)
        odd, candidates = odd[others], candidates.filter(pa.array(others))
    found: dict[tuple[str, str], ValueRule] = {}
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
            key = (entry.facts["rule"], entry.facts["kind"])
            if known := found.get(key):
                mask, certain = known.hits | mask, known.certain or certain
            found[key] = ValueRule(*key, mask, certain)
    return list(found.values())


def _match(texts: pa.Array, pattern: str) -> np.ndarray:
    """Return which texts a pattern matches: few by Python's engine, which keeps a pattern, many by RE2."""
    if len(texts) > _FEW:
        return match_texts(texts, pattern)
    search = re.compile(pattern, re.ASCII).search
    return np.array([search(text) is not None for text in texts.to_pylist()], dtype=bool)


def _search_entry(entry: _Entry, texts: pa.Array, *, sampled: bool) -> tuple[np.ndarray, dict[int, float]]:
    """Return which texts hold a match of a pattern that passes its check.

    Where ``sampled`` only some of many texts of one length are checked; the second part says how many each of
    them stands for, by length.
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


def _confirms(
    facts: Mapping[str, Any], header: str, ids: pa.Array, hits: np.ndarray, weights: dict[int, float]
) -> bool:
    """Return whether matches of a weak pattern among ids are more than ids that look so by chance.

    They are where most ids are of other lengths or have other kinds of signs at their places, or where too
    many ids of their length match.
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


@cache
def _list_entries() -> tuple[_Entry, ...]:
    values = [(facts, *_LIMITS[facts["strength"]]) for facts in read_facts("gate")["values"]]
    return tuple(
        _Entry(facts, re.compile(f"{before}(?:{facts['pattern']}){after}", re.ASCII))
        for facts, before, after in values
    )


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
    return bool(math.exp(-tries * distance) <= read_facts("gate")["chance_level"] * (1 + 1e-9))
