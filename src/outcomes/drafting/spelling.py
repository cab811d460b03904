"""How the words and numbers of a file are compared: without case, accents, punctuation and width."""

import datetime
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from outcomes.facts import list_facts, read_facts

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*%?")
_DATE = re.compile(r"(\d{1,4})[/.\-年](\d{1,2})[/.\-月](\d{1,4})日?(?:[ T]\d{1,2}:\d{2}.*)?")
_ACCENTS = re.compile(r"[\u0300-\u036f]")
#: Signs of Chinese and Japanese, which stand in runs without blanks.
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKENS = re.compile(rf"\d+|[{_SIGNS}]+|[^\W\d_{_SIGNS}]+")
_NUMERALS = "零一二三四五六七八九十"
#: "第 3 次" is an occasion of its own, whatever sign follows.
_OCCASION = re.compile(r"(\d ?次)(?!數$)")
_COUNTED = re.compile(
    r"第?([一二兩三四五六七八九十]{1,3})(?=個|週|星期|禮拜|月|年|天|日|次|回|か|ヶ|ヵ|カ|ケ|箇|題)"
)
#: "6/52", "3/12" and "10/7": weeks, months and days as clinics in Britain write them.
_FRACTION = re.compile(r"(?<![\d/])(\d{1,2}) ?/ ?(52|12|7)(?![\d/])")
_FRACTION_UNITS = {"52": "weeks", "12": "months", "7": "days"}
#: What says how a score is recorded: "0-10", "/50", "out of 50", "%", or what the ends mean in brackets.
_ANCHORS = re.compile(r"[(（][^()（）]*\d\s*(?:=|＝|:|：)[^()（）]*[)）]")
_SCALE = re.compile(
    r"(?<![\d.])[-+−]?\d{1,3}\s*(?:-|–|—|~|～|〜|\bto\b|\bbis\b|\ba\b|\bà\b|至|到|から)\s*\+?\d{1,3}(?![\d.])"
    r"|(?<!\d)/\s*(?:10|11|18|20|24|27|28|30|40|48|50|60|80|96|100)(?!\d)"
    r"|\b(?:out of|von|sur|sobre)\s*(?:\d{2,3})\b|%|％"
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_LINKS = ("", "s", "n", "en", "es", "e")


def list_languages() -> list[str]:
    """Return the names of the word files of `outcomes draft`, one per language."""
    return [f"drafting/{name}" for name in list_facts("drafting")]


@cache
def _read_signs() -> dict[int, str]:
    """Return the signs that are written in several ways, each with the one to which all are brought."""
    signs: dict[int, str] = {}
    for language in list_languages():
        table = read_facts(language).get("signs", {"written": "", "meaning": ""})
        signs |= {ord(a): b for a, b in zip(table["written"], table["meaning"], strict=True)}
    return signs


def fold(text: object) -> str:
    """Return a text in lower case and one width, without accents, its signs and numerals in one form.

    >>> fold("Évaluation"), fold("六周后"), fold("第三次疼痛")
    ('evaluation', '6週後', '3次 疼痛')
    """
    plain = unicodedata.normalize("NFKC", str(text))
    plain = re.sub(r"(?<=[a-z][a-z])(?=[A-Z])", " ", plain).casefold()
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", plain)))
    plain = plain.replace("ø", "o").replace("œ", "oe").translate(_read_signs())
    return _OCCASION.sub(r"\1 ", _COUNTED.sub(lambda match: str(_count(match[1])), plain))


def _count(numeral: str) -> int:
    """Return the number that a Chinese numeral below one hundred names."""
    tens, ten, ones = numeral.replace("兩", "二").rpartition("十")
    return (10 * (_NUMERALS.index(tens[-1]) if tens else 1) if ten else 0) + (
        _NUMERALS.index(ones[-1]) if ones else 0
    )


def split_scale(text: str) -> tuple[str, str]:
    """Return a header without what says how a score is recorded, and that part of it.

    >>> split_scale("ODI /50 start"), split_scale("Pain 0-10"), split_scale("Pain 6/52")
    (('ODI   start', '/50'), ('Pain  ', '0-10'), ('Pain 6 weeks ', ''))
    """
    text = _FRACTION.sub(lambda match: f"{match[1]} {_FRACTION_UNITS[match[2]]} ", text)
    found = [match.group().strip() for pattern in (_ANCHORS, _SCALE) for match in pattern.finditer(text)]
    return _SCALE.sub("  ", _ANCHORS.sub(" ", text)), " ".join(found)


def normalise(text: object) -> str:
    """Return a text cut into words and numbers by single spaces, spellings of one word made one.

    >>> normalise("  Pt. No "), normalise("Pain 0-10"), normalise("ODI_6weeks"), normalise("六週後疼痛")
    ('pt no', 'pain 0 10', 'odi 6 weeks', '6 週後 疼痛')
    >>> normalise("Schmerzskala Behandlungsbeginn")
    'schmerzskala behandlungsbeginn'
    """
    return " ".join(part for token in _TOKENS.findall(fold(text)) for part in _split_token(token))


@cache
def _split_token(token: str) -> tuple[str, ...]:
    """Return the words that a run of signs or a compound is made of; the token where they are unknown."""
    signs, words = _read_vocabulary()
    if re.match(f"[{_SIGNS}]", token):
        return _cut_signs(token, signs)
    return (token,) if token in words else _cut_compound(token, words) or (token,)


def _cut_signs(run: str, known: frozenset[str]) -> tuple[str, ...]:
    """Cut a run of signs into known words, the longest first; signs between them stay together."""
    parts: list[str] = []
    unknown = ""
    while run:
        word = next((run[:size] for size in range(min(len(run), 12), 0, -1) if run[:size] in known), None)
        if word is None:
            unknown, run = unknown + run[0], run[1:]
            continue
        parts += [unknown, word] if unknown else [word]
        unknown, run = "", run[len(word) :]
    return tuple([*parts, unknown] if unknown else parts)


def _cut_compound(token: str, words: frozenset[str]) -> tuple[str, ...] | None:
    """Cut a compound into known words of at least three letters, None where that cannot be done."""
    if token in words:
        return (token,)
    for size in range(len(token) - 3, 2, -1):
        if token[:size] not in words:
            continue
        for link in _LINKS:
            rest = token[size:].removeprefix(link)
            if token[size:].startswith(link) and len(rest) >= 3:
                cut = _cut_compound(rest, words)
                if cut is not None:
                    return (token[:size], *cut)
    return None


@cache
def _read_vocabulary() -> tuple[frozenset[str], frozenset[str]]:
    """Return all words of signs, and the words from which a language makes compounds."""
    signs: set[str] = set()
    words: set[str] = set()
    doubtful = _list_words(read_facts("doubtful_headers"))
    for language in list_languages():
        facts = read_facts(language)
        listed = [word for word in (*_list_words(facts), *doubtful) if isinstance(word, str)]
        tokens = [
            token for word in listed for text in _spell_out(word) for token in _TOKENS.findall(fold(text))
        ]
        signs |= {token for token in tokens if re.match(f"[{_SIGNS}]", token)}
        if facts.get("compounds"):
            words |= {token for token in tokens if len(token) >= 3 and token.isalpha()}
    return frozenset(signs), frozenset(words - signs)


def _list_words(facts: Any) -> list[Any]:
    if isinstance(facts, dict):
        return [word for key, part in facts.items() if key != "signs" for word in _list_words(part)]
    return list(facts) if isinstance(facts, list) else []


def _spell_out(word: str) -> tuple[str, str]:
    return word, word.casefold().translate(_UMLAUTS)


def list_spellings(word: str) -> set[str]:
    """Return a word in normal form, with its umlauts as one letter and as two.

    >>> sorted(list_spellings("Rücken")), sorted(list_spellings("ODI 初診"))
    (['rucken', 'ruecken'], ['odi 初診'])
    """
    return {normalise(text) for text in _spell_out(word)}


def find_longest(text: str, words: Iterable[str]) -> str | None:
    """Return the longest of some words that a normalised text contains as whole words.

    >>> find_longest("baseline pain 0 10", ["pain", "pain 0 10", "in 0"])
    'pain 0 10'
    """
    padded = f" {text} "
    found = [word for word in words if word and f" {word} " in padded]
    return max(found, key=len, default=None)


def remove_word(text: str, word: str | None) -> str:
    """Return a normalised text without a word."""
    return " ".join(f" {text} ".replace(f" {word} ", " ", 1).split()) if word else text


def split_date(cell: object) -> tuple[int, int, int] | None:
    """Return the three numbers of a date written as text, in the order in which they stand.

    >>> split_date("30/11/2025"), split_date("2025-11-30"), split_date("40")
    ((30, 11, 2025), (2025, 11, 30), None)
    """
    match = _DATE.fullmatch(str(cell).strip()) if isinstance(cell, str) else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def is_number(cell: object) -> bool:
    """Return whether a cell holds a number, typed or as text; a percent sign may follow."""
    if isinstance(cell, bool):
        return False
    if isinstance(cell, int | float):
        return True
    return isinstance(cell, str) and bool(_NUMBER.fullmatch(cell.strip()))


def is_date(cell: object) -> bool:
    """Return whether a cell holds a date, typed or as text."""
    return isinstance(cell, datetime.date | datetime.datetime) or split_date(cell) is not None


def is_number_or_date(cell: Any) -> bool:
    """Return whether a cell holds a number or a date."""
    return is_number(cell) or is_date(cell)
