"""Which encoding a text was probably saved in, by how plausible it reads in each."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from outcomes.facts import read_facts

_ACCENTED, _GREEK_CYRILLIC = "\u00c0-\u024f", "\u0370-\u052f"
_ODD_NEIGHBOURS = re.compile(
    f"(?<=[A-Za-z{_ACCENTED}])[{_GREEK_CYRILLIC}]|(?<=[{_GREEK_CYRILLIC}])[A-Za-z{_ACCENTED}]"
    f"|(?<=[a-z])[À-ÖØ-Þ\u0391-\u03ab\u0410-\u042f]|(?<=[\u03b1-\u03c9\u0430-\u044f])[\u0391-\u03ab\u0410-\u042f]"
    f"|(?<=[{_ACCENTED}])[{_ACCENTED}]"
)


class Candidate(NamedTuple):
    """An encoding in which all bytes can be read.

    ``likelihood`` is the natural logarithm of how likely the text is in it; ``text`` what of it was weighed.
    """

    encoding: str
    likelihood: float
    text: str


def rank_encodings(content: bytes) -> list[Candidate]:
    """Return the encodings in which bytes can be read, the most plausible first, no reading twice.

    A text is likely where its characters beyond ASCII are those that one language has in daily use; each
    character counts by itself. Words that a draft knows add to it.

    Examples
    --------
    >>> [rank_encodings(word.encode(name))[0].encoding for word, name in
    ...  (("thérapie à la maison", "cp1252"), ("基準的分數", "cp950"), ("治疗方法", "gb18030"))]
    ['cp1252', 'cp950', 'gb18030']
    """
    model = read_facts("encodings")["model"]
    sample = _sample_lines(content, model["most_bytes"])
    found: dict[str, Candidate] = {}
    for facts in read_facts("encodings")["encoding"]:
        try:
            content.decode(facts["name"])
            text = sample.decode(facts["name"])
        except UnicodeDecodeError:
            continue
        candidate = Candidate(facts["name"], _weigh(text, facts, model), text)
        found[text] = max(found.get(text, candidate), candidate, key=lambda entry: entry.likelihood)
    return sorted(found.values(), key=lambda candidate: -candidate.likelihood)


def is_certain(candidates: list[Candidate]) -> bool:
    """Return whether the first of several encodings leaves no doubt."""
    if len(candidates) < 2:
        return bool(candidates)
    lead = candidates[0].likelihood - candidates[1].likelihood
    return lead >= read_facts("encodings")["model"]["certain"]


def _sample_lines(content: bytes, most: int) -> bytes:
    """Return the distinct lines that hold more than ASCII, up to a number of bytes."""
    lines = dict.fromkeys(line for line in content.splitlines() if not line.isascii())
    kept: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line)
        if kept and size > most:
            break
        kept.append(line)
    return b"\n".join(kept)


def _weigh(text: str, facts: dict[str, Any], model: dict[str, Any]) -> float:
    signs = Counter(sign for sign in text if sign > "\x7f")
    rare = math.log((1 - model["common"]) / model["rare"])
    if "lead" in facts:
        daily = math.log(model["common"] / facts["number"])
        beyond = sum(number * (daily if _is_daily(sign, facts) else rare) for sign, number in signs.items())
    else:
        beyond = max(_weigh_letters(signs, letters, model["common"], rare) for letters in facts["letters"])
    return (
        beyond
        - facts.get("unusual", 0.0)
        - (len(text) - signs.total()) * math.log(model["ascii"])
        - len(_ODD_NEIGHBOURS.findall(text)) * model["odd_neighbour"]
        + sum(word in text for word in _list_known_words()) * model["known_word"]
    )


def _weigh_letters(signs: Counter[str], letters: str, common: float, rare: float) -> float:
    total = sum(1 / place for place in range(1, len(letters) + 1))
    weights = {letter: math.log(common / (place * total)) for place, letter in enumerate(letters, start=1)}
    return sum(number * weights.get(sign, weights.get(sign.lower(), rare)) for sign, number in signs.items())


def _is_daily(sign: str, facts: dict[str, Any]) -> bool:
    code = sign.encode(facts["name"])
    return len(code) == 2 and any(low <= code[0] <= high for low, high in facts["lead"])


@cache
def _list_known_words() -> tuple[str, ...]:
    """Return the words beyond ASCII by which drafts know headers, of two characters or more."""
    words = dict.fromkeys(_walk(read_facts("drafting")))
    return tuple(word for word in words if len(word) > 1 and not word.isascii())


def _walk(facts: Any) -> Iterator[str]:
    if isinstance(facts, str):
        yield facts
    elif isinstance(facts, dict):
        for key, value in facts.items():
            yield from (key, *_walk(value))
    elif isinstance(facts, list | tuple):
        for value in facts:
            yield from _walk(value)
