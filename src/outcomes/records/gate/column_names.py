"""Headers that say a column identifies people."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from outcomes.facts import read_facts
from outcomes.records.gate.folding import fold_text, strip_accents

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARKS = re.compile(r"[^\w]+|_+")
_NUMBER_AT_END = re.compile(r"(?<=\D)\d+$")


class HeaderRule(NamedTuple):
    """What a header says: the gate's rule, in words, and whether re-keyed ids may carry it."""

    rule: str
    what: str
    rekeyed: bool


def match_header(header: str, profile: str = "local") -> HeaderRule | None:
    """Return the rule that a header breaks, None where it is harmless.

    Parameters
    ----------
    header : str
    profile : str
        Privacy profile of the source; some families count under one profile only.

    Examples
    --------
    >>> match_header("Patient_Name").what, match_header("姓名").rule, match_header("Provider Name")
    ("a person's name", 'PHI_COLUMN_NAME', None)
    >>> match_header("Date of birth").rule, match_header("birth weight"), match_header("téléphone2").what
    ('PHI_DOB', None, 'a way to reach a person')
    """
    plain = fold_text(header)
    words = [_simplify(word) for word in _MARKS.split(_CAMEL.sub(" ", plain)) if word]
    whole = [_simplify(word) for word in _MARKS.split(plain) if word]
    joined = "".join(whole)
    present = {*words, *whole, *(first + second for first, second in pairwise(whole)), joined}
    persons, families = _read_families()
    for family in families:
        if family.get("profile", profile) != profile:
            continue
        named = present & family["words"] or joined in family["whole"]
        named = named or any(part in joined for part in family["parts"])
        if named and not _is_harmless(present, joined, family, persons):
            return HeaderRule(family["rule"], family["what"], family.get("rekeyed", False))
    return None


def _simplify(word: str) -> str:
    """Return a word without case, accents and a number at its end, so that ``Phone2`` is a phone."""
    return _NUMBER_AT_END.sub("", strip_accents(word).casefold())


def _is_harmless(present: set[str], joined: str, family: dict, persons: set[str]) -> bool:
    """Return whether a word beside it makes a header harmless, as a clinic makes a name."""
    if joined in family["words"] or present & persons:
        return False
    return bool(present & family["not_beside"]) or any(sign in joined for sign in family["signs"])


@cache
def _read_families() -> tuple[set[str], tuple[dict, ...]]:
    """Return the words for persons, and the families with their lists as sets, in the form of headers."""
    facts = read_facts("gate")
    families = []
    for family in facts["headers"]:
        beside = family["not_beside"]
        lists = {key: {_simplify(word) for word in family[key]} for key in ("words", "whole")}
        families.append(
            {
                **family,
                **lists,
                "parts": [unicodedata.normalize("NFKC", part) for part in family["parts"]],
                "not_beside": {word for word in beside if word.isascii()},
                "signs": [word for word in beside if not word.isascii()],
            }
        )
    return set(facts["persons"]["header_words"]), tuple(families)
