"""Texts that look like the names of persons, in Latin letters, Chinese and Japanese."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from outcomes.facts import read_facts, read_therapies
from outcomes.records.gate.folding import fold_text, strip_accents

_CAPITAL, _SMALL = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
#: Two capitalised words with an initial, a comma or a particle between them; an initial and a word.
_LATIN_SHAPE = re.compile(
    rf"(?:[{_CAPITAL}][{_SMALL}'’-]+(?:,? [{_CAPITAL}]\.?)?,? (?:(?:de|del|la|von|van|der|den|du|le) ){{0,2}}"
    rf"[{_CAPITAL}][{_CAPITAL}{_SMALL}'’-]+|[{_CAPITAL}]\. ?[{_CAPITAL}][{_SMALL}'’-]+|"
    rf"[{_CAPITAL}'’-]{{2,}}, ?[{_CAPITAL}][{_CAPITAL}{_SMALL}'’-]+)"
)
_WORDS = re.compile(rf"[{_CAPITAL}{_SMALL}'’]+")
_LATIN_ONLY = re.compile(rf"[{_CAPITAL}{_SMALL}'’.,_ -]+")
_KANA_PAIR = re.compile("[ぁ-ゖ]{2,6} [ぁ-ゖ]{2,6}|[ァ-ヺー]{2,6} [ァ-ヺー]{2,6}")
_MOST_WORDS = 4
_LONGEST_INITIALS = 3
_SHORTEST_FAMILY = 4  # signs of a family name that is known behind an initial, as in a name of a user


class _Facts(NamedTuple):
    title: re.Pattern[str]
    degree: re.Pattern[str]
    titles_after: tuple[str, ...]
    family_names: frozenset[str]
    not_in_names: frozenset[str]
    given: frozenset[str]
    latin_family: frozenset[str]
    places: frozenset[str]
    everyday: frozenset[str]
    care: frozenset[str]


@cache
def _read_names() -> _Facts:
    facts = read_facts("gate")["names"]
    titles = "|".join(sorted(map(re.escape, facts["titles"]), key=len, reverse=True))
    return _Facts(
        re.compile(rf"(?<![\w])(?:{titles})(?:\.\s*|\s+)(?:[{_CAPITAL}]|(?<=[.] )[{_SMALL}]{{2}})"),
        re.compile(rf"[{_CAPITAL}][{_SMALL}'’-]+,? \(?(?:{'|'.join(facts['degrees'])}|{titles})\.?\)?$"),
        tuple(facts["titles_after"]),
        frozenset([*facts["family_names"], *facts["long_family_names"]]),
        frozenset(facts["not_in_names"]),
        frozenset(map(_simplify, facts["given_names"])),
        frozenset(map(_simplify, facts["latin_family_names"])),
        frozenset(facts["place_words"]),
        frozenset(facts["everyday_words"]),
        frozenset([*map(_simplify, facts["care_words"]), *_list_therapy_words()]),
    )


def _list_therapy_words() -> Iterator[str]:
    """Yield the words of the names of therapies in all languages."""
    for therapy in read_therapies().values():
        labels = (therapy.labels or {}).values()
        for name in (therapy.id, therapy.label, therapy.short_label, *therapy.aliases, *labels):
            yield from map(_simplify, _WORDS.findall(name))


def _simplify(word: str) -> str:
    return strip_accents(word).casefold()


def find_person_names(texts: Sequence[str]) -> np.ndarray:
    """Return which texts look like the name of a person, some of them by their shape alone.

    Examples
    --------
    >>> find_person_names(["Dr Lee", "Tina Wood", "王小明", "T07", "north wing"]).tolist()
    [True, True, True, False, False]
    >>> find_person_names(["Manuelle Therapie", "Dry Needling", "Manuela Therapie"]).tolist()
    [False, False, True]
    """
    return np.array([_looks_like_name(fold_text(text).strip()) for text in texts], dtype=bool)


def _looks_like_name(text: str) -> bool:
    words = _WORDS.findall(text)
    if len(words) > 1 and all(_simplify(word) in _read_names().care for word in words):
        return False  # a therapy, whose words are written with capitals
    shaped = _LATIN_SHAPE.fullmatch(text) or _KANA_PAIR.fullmatch(text)
    return bool(shaped) or _is_known_name(text, False) or _is_family_name(text)


def find_known_names(texts: Sequence[str], *, full: bool = False) -> np.ndarray:
    """Return which texts hold a title or a frequent name, so that one of them says enough.

    With ``full`` only full names count: places and things may be called like one half of a name.

    Examples
    --------
    >>> find_known_names(["Wood, Tina", "tina.wood", "Tina", "North Team", "王小明", "Green"]).tolist()
    [True, True, True, False, True, False]
    >>> find_known_names(["Wood, Tina", "Tina", "Charlotte Street", "高雄"], full=True).tolist()
    [True, False, False, False]
    """
    return np.array([_is_known_name(fold_text(text).strip(), full) for text in texts], dtype=bool)


def _is_known_name(text: str, full: bool) -> bool:
    if has_title(text):
        return True
    if is_han_name(text):
        return len(text) > 2 or not full
    # In Latin letters: a given name among up to four words, or a name and no other word.
    if not _LATIN_ONLY.fullmatch(text):
        return False
    names = _read_names()
    words = _WORDS.findall(text)
    given = [_simplify(word) in names.given for word in words]
    family = [_simplify(word) in names.latin_family for word in words]
    if len(words) == 1:
        # Codes of two letters, or of three capital ones, are initials.
        coded = len(text) <= 2 or (text.isupper() and len(text) <= _LONGEST_INITIALS)
        plain = family[0] and _simplify(text) not in names.everyday
        return not full and not coded and (given[0] or plain)
    if len(words) > _MOST_WORDS:
        return False
    if full:
        placed = any(_simplify(word) in names.places for word in words)
        return any(given) and not placed and bool(_LATIN_SHAPE.fullmatch(text))
    return any(given) or all(family)


def _is_family_name(text: str) -> bool:
    """Return whether a text is a frequent family name, or one behind an initial: ``Wood``, ``twood``."""
    if not text.isalpha() or len(text) <= 2 or (text.isupper() and len(text) <= _LONGEST_INITIALS):
        return False
    family, word = _read_names().latin_family, _simplify(text)
    return word in family or (len(word) > _SHORTEST_FAMILY and word[1:] in family)


def has_title(text: str) -> bool:
    """Return whether a text holds a person's title with a name, or a name with a degree.

    Examples
    --------
    >>> has_title("seen by Dr.Lee"), has_title("王小姐"), has_title("物理治療師"), has_title("drive")
    (True, True, False, False)
    >>> has_title("Jane Wood, DPT"), has_title("MS lesion"), has_title("お客様")
    (True, False, False)
    """
    names = _read_names()
    if names.title.search(text) or names.degree.search(text):
        return True
    # In Chinese and Japanese the title follows.
    before = [text.removesuffix(title).strip() for title in names.titles_after if text.endswith(title)]
    return any(
        name in names.family_names or is_han_name(name) or re.fullmatch("[ァ-ヺー]{2,8}", name)
        for name in before
    )


def is_han_name(text: str) -> bool:
    """Return whether a text is a Chinese or Japanese name: a frequent family name, one to three signs.

    Examples
    --------
    >>> is_han_name("王小明"), is_han_name("佐藤 花子"), is_han_name("高血壓"), is_han_name("林口店")
    (True, True, False, False)
    """
    names = _read_names()
    whole = re.sub("[ ・·]", "", text)
    for length, longest in ((3, 3), (2, 3), (1, 2)):
        family, given = whole[:length], whole[length:]
        if family in names.family_names and 1 <= len(given) <= longest and _is_given(given, names):
            return True
    return False


def _is_given(text: str, names: _Facts) -> bool:
    plain = all("\u3041" <= sign <= "\u30ff" or "\u4e00" <= sign <= "\u9fff" for sign in text)
    return plain and not names.not_in_names & set(text)
