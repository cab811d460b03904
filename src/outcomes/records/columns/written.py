"""Scores as people write them: with a unit, a denominator or a label behind the number, or as a letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.columns.coded import match_texts

_PLAIN = r"^[+-]?([0-9]+([.,][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_NUMBER = r"([+-]?\d+(?:[.,]\d+)?)"
_OF = re.compile(rf"^{_NUMBER} ?(?:/|out of|of|von|sur|de|su|van) ?(\d{{1,3}})$", re.I)
_WITH_UNIT = re.compile(rf"^{_NUMBER} ?([^\W\d_]+(?: [^\W\d_]+)*\.?|%)$")
#: A number or a letter and what it means, as forms list it: ``1) ...``, ``3- moderate``, ``2. ...``.
_LABELLED = re.compile(
    r"^\(?(\d{1,3})(?:(?:\)|:|、| ?=| ?[.](?!\d))\s*(?:[(]?[^\W\d].*|[.]{2}.*)?"
    r"| ?[-\u2013\u2014]\s*[(]?[^\W\d].*)$",
    re.S,
)
_LETTERED = re.compile(
    r"^\(?([A-Za-z])(?:$|\).*$|\s?[-\u2013\u2014:=、].*$|[.](?:[\W\u3040-\u30ff\u3400-\u9fff].*)?$)", re.S
)
_PROFILE = re.compile(r"^(\d)[-\u2013 .,/;](\d)[-\u2013 .,/;](\d)[-\u2013 .,/;](\d)[-\u2013 .,/;](\d)$")
_THOUSAND = re.compile(r"^[+-]?\d{1,3}(?:[.,]\d{3})+$")


@dataclass(frozen=True)
class Written:
    """Distinct texts as numbers can be read from them.

    Parameters
    ----------
    texts : numpy.ndarray of object
        The number alone where a text is one of the written forms, with the declared decimal mark; else the
        text as it was.
    units : numpy.ndarray of object
        Unit (``%``, ``cm``) or denominator (``/50``) of each; ``""`` for none.
    labelled : numpy.ndarray of bool
        Which had a label behind the number, or are written as text.
    lettered : numpy.ndarray of bool
        Which are a letter.
    """

    texts: np.ndarray
    units: np.ndarray
    labelled: np.ndarray
    lettered: np.ndarray

    @property
    def changed(self) -> np.ndarray:
        """Return which texts were a number with something behind it."""
        return np.asarray((self.units != "") | self.labelled)


def read_written(texts: np.ndarray, decimal: str = ".", letters: dict[str, str] | None = None) -> Written:
    """Read numbers that are written with something behind them; what is no such form stays as it is.

    Parameters
    ----------
    texts : array of str
        Distinct repaired texts.
    decimal : str
        The declared decimal mark. Behind a comma with one or two decimals a unit tells that it is no mark of
        thousands, so that it is read whatever is declared.
    letters : dict, optional
        What the letters of an item's answers stand for, from ``a`` on.

    Examples
    --------
    >>> written = read_written(np.array(["7 / 10", "5,7 cm", "1) ...", "5 (left)", "b)"], dtype=object))
    >>> written.texts.tolist(), written.units.tolist()
    (['7', '5.7', '1', '5 (left)', 'b)'], ['/10', 'cm', '', '', ''])
    >>> read_written(np.array(["b)"], dtype=object), letters={"a": "0", "b": "1"}).texts.tolist()
    ['1']
    """
    none = np.zeros(len(texts), dtype=bool)
    result = Written(texts.copy(), np.full(len(texts), "", dtype=object), none, none.copy())
    for i in np.flatnonzero(~match_texts(texts, _PLAIN)):
        text = str(texts[i]).strip().lstrip("'\u2019").strip()
        if found := _PROFILE.match(text):
            result.texts[i], result.labelled[i] = "".join(found.groups()), True
        elif found := _OF.match(text):
            result.texts[i], result.units[i] = _spell(found[1], decimal, texts[i]), f"/{found[2]}"
        elif (found := _WITH_UNIT.match(text)) and _is_unit(found[2]):
            result.texts[i], result.units[i] = _spell(found[1], decimal, texts[i]), _name_unit(found[2])
            result.labelled[i] = not result.units[i]
        elif found := _LABELLED.match(text):
            result.texts[i], result.labelled[i] = found[1], True
        elif letters and (found := _LETTERED.match(text)) and found[1].lower() in letters:
            result.texts[i], result.lettered[i] = letters[found[1].lower()], True
        elif text != texts[i] and re.match(_PLAIN, text):
            result.texts[i], result.labelled[i] = text, True
    return result


def _spell(number: str, decimal: str, text: str) -> str:
    """Return a number with the declared decimal mark; the whole text where it may be one of thousands."""
    if _THOUSAND.match(number) and not number.startswith("0"):
        return number if number[-4] == decimal else text
    return number.replace(",", decimal).replace(".", decimal)


@cache
def _list_units() -> frozenset[str]:
    return frozenset(word for words in read_facts("scale_words").values() for word in words)


def _is_unit(text: str) -> bool:
    return text.casefold().rstrip(".") in _list_units()


def _name_unit(text: str) -> str:
    plain = text.casefold().rstrip(".")
    return "" if plain in read_facts("scale_words")["points"] else plain
