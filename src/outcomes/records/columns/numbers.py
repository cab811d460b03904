"""From text to numbers, as people write them, and flags, once per distinct value; nothing is guessed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import read_facts
from outcomes.records.columns.coded import match_texts
from outcomes.records.spelling import simplify_name

_PLAIN_NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
_THOUSANDS_DOT = r"^[+-]?[0-9]{1,3}([.][0-9]{3})+$"
_ENDLESS = r"^[+-]?(inf|infinity|∞)$"
_LARGEST = 1e300
_TRUE = frozenset({"1", "y", "yes", "true", "t", "是", "ja", "si", "oui"})
_FALSE = frozenset({"0", "n", "no", "false", "f", "否", "nein", "nee", "non"})

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


def find_missing(texts: np.ndarray, codes: Iterable[str] = (), *, keep_words: bool = False) -> np.ndarray:
    """Return which distinct texts mean missing, by words or by the source's own codes.

    A number is compared as a number (``999`` is ``999.0``). With ``keep_words`` words such as ``None`` may be
    a name, so that only the source's codes make them missing.

    Examples
    --------
    >>> find_missing(np.array(["7", "NaN", "None", "999.0"], dtype=object), ["999"]).tolist()
    [False, True, True, True]
    """
    spellings = read_facts("missing")
    tokens = [*spellings["always"], *([] if keep_words else spellings["words"]), *codes]
    plain = pc.utf8_lower(pa.array(texts, pa.string()))
    missing = pc.is_in(plain, value_set=pa.array(sorted({token.casefold() for token in tokens}), pa.string()))
    found = np.array(missing.to_numpy(zero_copy_only=False), dtype=bool)
    own = {simplify_name(code) for code in codes if code.strip().lstrip("-").replace(".", "", 1).isdigit()}
    if own:
        numeric = np.flatnonzero(match_texts(texts, r"^-?[0-9]+\.0$"))
        found[numeric] |= np.array([simplify_name(text) in own for text in texts[numeric]], dtype=bool)
    return found


def parse_numbers(
    texts: np.ndarray, present: np.ndarray, decimal: str = "."
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return distinct texts as numbers, NaN where not present or refused, and a mask per rule that they met.

    ``SCORE_NOT_NUMERIC`` and ``SCORE_NOT_FINITE`` refuse, ``DECIMAL_COMMA`` repairs; ``decimal`` is the
    declared decimal mark, ``.`` or ``,``.

    Examples
    --------
    >>> values, rules = parse_numbers(np.array(["7,5", "4"], dtype=object), np.array([True, True]), ",")
    >>> values.tolist(), rules["DECIMAL_COMMA"].tolist()
    ([7.5, 4.0], [True, False])
    """
    text = pa.array(texts, pa.string())
    comma = grouped = np.zeros(len(texts), dtype=bool)
    with_comma = match_texts(text, ",")
    if decimal == ",":
        comma = match_texts(text, _DECIMAL_COMMA)
        grouped = match_texts(text, _THOUSANDS_DOT)
        text = pc.replace_substring(text, ",", ".")
    numeric = (match_texts(text, _PLAIN_NUMBER) & ~grouped & (comma | ~with_comma)) & present
    values = np.full(len(texts), np.nan)
    if numeric.any():
        values[numeric] = pc.cast(text.filter(pa.array(numeric)), pa.float64()).to_numpy()
    endless = (match_texts(pc.utf8_lower(text), _ENDLESS) | (np.abs(values) > _LARGEST)) & present
    values[endless] = np.nan
    return values, {
        "SCORE_NOT_NUMERIC": present & ~numeric & ~endless,
        "SCORE_NOT_FINITE": endless,
        "DECIMAL_COMMA": comma & present,
    }


def parse_flags(texts: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse texts as yes (1.0) or no (0.0); the second array marks those that are neither."""
    meanings = dict.fromkeys(_TRUE, 1.0) | dict.fromkeys(_FALSE, 0.0)
    values = np.array([meanings.get(simplify_name(text), np.nan) for text in texts], dtype=float)
    values[~present] = np.nan
    return values, present & np.isnan(values)


@dataclass(frozen=True)
class Written:
    """Distinct texts as numbers can be read from them."""

    #: The number alone where a text is a written form, with the declared decimal mark; else the text.
    texts: np.ndarray
    #: Unit (``%``, ``cm``) or denominator (``/50``) of each; ``""`` for none.
    units: np.ndarray
    #: Which had a label behind the number, or are written as text.
    labelled: np.ndarray
    #: Which are a letter.
    lettered: np.ndarray

    @property
    def changed(self) -> np.ndarray:
        """Return which texts were a number with something behind it."""
        return np.asarray((self.units != "") | self.labelled)


def read_written(texts: np.ndarray, decimal: str = ".", letters: dict[str, str] | None = None) -> Written:
    """Read numbers that are written with something behind them; what is no such form stays as it is.

    Behind a comma with one or two decimals a unit tells that it is no mark of thousands, so that it is read
    whatever decimal mark is declared. ``letters`` says what the letters of an item's answers stand for.

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
        elif (found := _WITH_UNIT.match(text)) and found[2].casefold().rstrip(".") in _list_units():
            plain = found[2].casefold().rstrip(".")
            result.texts[i] = _spell(found[1], decimal, texts[i])
            result.units[i] = "" if plain in read_facts("scale_words")["points"] else plain
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
