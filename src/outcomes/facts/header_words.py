"""What the words of a header say: a change, another measure, who answered, or a language."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from outcomes.facts.toml import list_facts, read_facts

#: Latin words of at least so many letters are also found within a compound such as ``Schmerzveränderung``.
_LONG = 8


def find_header_doubt(header: str, names: Iterable[str] = ()) -> str | None:
    """Return what a header says its column may hold instead of the score: change, improvement or another.

    What the names of the measure say themselves is no doubt ("global rating of change").

    >>> [find_header_doubt(it) for it in ("ODI change", "odi_improvement", "Pain relief", "ODI 6 weeks")]
    ['change', 'improvement', 'another', None]
    >>> find_header_doubt("Schmerzveränderung"), find_header_doubt("NDI變化"), find_header_doubt("ΔVAS")
    ('change', 'change', 'change')
    """
    text, own = _split_words(header), [_split_words(name) for name in names]
    for doubt, words in _list_words().items():
        if any(_holds(text, word) and not any(_holds(name, word) for name in own) for word in words):
            return doubt
    return None


def tells_answers(header: str) -> bool:
    """Return whether a header says that its column may tell who came, or which forms were filled in.

    >>> [tells_answers(it) for it in ("odi_complete", "Attended?", "Ausgefüllt", "是否填寫", "Work status")]
    [True, True, True, True, False]
    """
    text, facts = _split_words(header), read_facts("status_headers")
    words, others = (map(_split_words, facts[name]) for name in ("words", "not"))
    return any(_holds(text, word) for word in words) and not any(_holds(text, word) for word in others)


def find_languages(header: str, column: str) -> frozenset[str]:
    """Return the languages in which a header names a column of the schema.

    English counts for none: clinics of all languages use its words.

    >>> [sorted(find_languages(it, "sex")) for it in ("Geschlecht", "geslacht (m/v)", "sexo", "sex", "性別")]
    [['de'], ['nl'], ['es', 'pt'], [], ['ja', 'zh']]
    """
    text = _split_words(header)
    return frozenset(language for language, word in _list_names(column) if _holds(text, word))


@cache
def _list_names(column: str) -> tuple[tuple[str, str], ...]:
    """Return each name of a column in a language other than English, with the language."""
    facts = {name: read_facts(f"drafting/{name}")["columns"] for name in list_facts("drafting")}
    english = {_split_words(word) for word in facts.pop("en").get(column, ())}
    listed = [*facts.items(), *read_facts("code_readings").get("headers", {}).items()]
    names = [(language, _split_words(word)) for language, found in listed for word in found.get(column, ())]
    return tuple((language, word) for language, word in names if word and word not in english)


@cache
def _list_words() -> dict[str, tuple[str, ...]]:
    sections = read_facts("doubtful_headers").items()
    found = {name: tuple(_split_words(word) for word in section["words"]) for name, section in sections}
    return {name: found[name] for name in ("another", "improvement", "change")}


def _split_words(text: str) -> str:
    """Return a text without accents and case, its words between single blanks."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = unicodedata.normalize("NFKD", apart).casefold()
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(re.findall(r"[^\W\d_]+|∆", letters))


def _holds(text: str, word: str) -> bool:
    if not word.isascii() or (len(word) >= _LONG and " " not in word):
        return word in text
    return f" {word} " in f" {text} "
