"""Headers that say a column identifies people."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from outcomes.facts import read_facts

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARKS = re.compile(r"[^\w]+|_+")


class HeaderRule(NamedTuple):
    """What a header says: the gate's rule, in words, and whether re-keyed ids may carry it."""

    rule: str
    what: str
    rekeyed: bool


def match_header(header: str) -> HeaderRule | None:
    """Return the rule that a header breaks, None where it is harmless.

    Examples
    --------
    >>> match_header("Patient_Name").what, match_header("姓名").rule, match_header("Provider Name")
    ("a person's name", 'PHI_COLUMN_NAME', None)
    >>> match_header("Date of birth").rule, match_header("birth weight")
    ('PHI_DOB', None)
    """
    plain = unicodedata.normalize("NFKC", header)
    words = [word.casefold() for word in _MARKS.split(_CAMEL.sub(" ", plain)) if word]
    whole = [word.casefold() for word in _MARKS.split(plain) if word]
    joined = "".join(whole)
    pairs = {first + second for first, second in pairwise(whole)}
    present = {*words, *whole, *pairs, joined}
    for family in _read_families():
        harmless = present & family["not_beside"] and joined not in family["words"]
        if not harmless and (present & family["words"] or any(part in joined for part in family["parts"])):
            return HeaderRule(family["rule"], family["what"], family.get("rekeyed", False))
    return None


@cache
def _read_families() -> tuple[dict, ...]:
    return tuple(
        {**family, "words": set(family["words"]), "not_beside": set(family["not_beside"])}
        for family in read_facts("gate")["headers"]
    )
