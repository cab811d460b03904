"""`SheetColumn`: what the cells of one column look like, and what its header says of its codes."""

import datetime
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from outcomes.drafting.spelling import fold, is_date, is_number, list_languages, split_date
from outcomes.facts import read_facts
from outcomes.records.codes import may_be_shown
from outcomes.records.columns.numbers import read_written
from outcomes.records.spelling import simplify_name

#: A code stands in a draft only where at least this many patients share it.
FEWEST_PATIENTS = 3
#: Years of the Republic of China that records may hold, 1991 to 2061.
_ROC_YEARS = (80, 150)
#: Letters of answers, as forms list them.
_LETTERS = {letter: letter for letter in "abcdef"}
#: How headers explain codes: a number and its word, a word and its number, a letter and its word.
_WORD = r"[^\W\d_][^\d,;/|()\[\]{}=:]*"
_EQUALS = re.compile(r"(?<![\d.])(\d{1,2}) ?[=:] ?([^,;/|()=:\[\]]+?)(?= ?\d{1,2} ?[=:]|[,;/|()\]]|$)")
_NUMBER_FIRST = re.compile(rf"(?<![\d.])(\d{{1,2}}) ?[=:.)–-]? ?({_WORD})")
_NUMBER_LAST = re.compile(rf"({_WORD}?) ?[=:] ?(\d{{1,2}})(?!\d)")
_LETTER_FIRST = re.compile(rf"(?<!\w)([^\W\d_]{{1,2}}) ?[=:] ?({_WORD})")
_EMPTY = re.compile(r"[\s,;/|()\[\]{}=:.–-]+$")


@dataclass(frozen=True)
class SheetColumn:
    """A column of a grid."""

    header: str
    #: One per data row, None where blank. Never shown.
    cells: tuple[Any, ...] = field(repr=False)

    @property
    def filled(self) -> list[Any]:
        """Return the cells that are not blank."""
        return [cell for cell in self.cells if cell is not None]

    def share(self, test: Any) -> float:
        """Return the proportion of filled cells that pass a test, 0 where none is filled."""
        filled = self.filled
        return sum(map(test, filled)) / len(filled) if filled else 0.0

    @property
    def is_numeric(self) -> bool:
        """Return whether nine of ten filled cells are numbers, words for "missing" left aside."""
        values = [cell for cell in self.filled if not is_missing_word(cell)]
        return bool(values) and sum(map(is_number, values)) >= 0.9 * len(values)

    def holds_scores(self, as_items: bool) -> bool:
        """Return whether nine of ten filled cells are numbers or written scores, letters too where items."""
        values = [cell for cell in self.filled if not is_missing_word(cell)]
        fitting = sum(
            read_number(cell) is not None or (as_items and find_letter(cell) != "") for cell in values
        )
        return bool(values) and fitting >= 0.9 * len(values)

    @property
    def is_dated(self) -> bool:
        """Return whether nine of ten filled cells are dates."""
        return self.share(is_date) >= 0.9

    @property
    def n_distinct(self) -> int:
        """Return the number of distinct values, spellings of one taken together."""
        return len({simplify_name(str(cell)) for cell in self.filled})

    @property
    def is_free_text(self) -> bool:
        """Return whether the cells are sentences, or so varied that they are no codes."""
        texts = [str(cell) for cell in self.filled if isinstance(cell, str)]
        if not texts or self.is_numeric or self.is_dated:
            return False
        long = sum(map(len, texts)) / len(texts) > 20 or max(map(len, texts)) > 80
        return long or (len(texts) >= 20 and self.n_distinct > len(texts) / 2)


@cache
def _missing_words() -> frozenset[str]:
    facts = read_facts("missing")
    own = (word for language in list_languages() for word in read_facts(language)["missing"]["words"])
    return frozenset(fold(word) for word in (*facts["always"], *facts["words"], *own))


def is_missing_word(cell: object) -> bool:
    """Return whether a cell says in a word that there is no value."""
    return isinstance(cell, str) and " ".join(fold(cell).split()) in _missing_words()


class _Written(NamedTuple):
    number: float | None
    unit: str
    letter: str


@lru_cache(maxsize=100_000)
def _read(text: str) -> _Written:
    """Return the number, its unit or the letter of a text, as `read_records` reads them."""
    plain = unicodedata.normalize("NFKC", text).strip()
    written = read_written(np.array([plain], dtype=object), ".", _LETTERS)
    found, unit = str(written.texts[0]), str(written.units[0])
    if written.lettered[0]:
        return _Written(None, "", found)
    try:
        return _Written(float(found.replace(",", ".").removesuffix("%")), unit, "")
    except ValueError:
        return _Written(None, "", "")


def read_number(cell: object) -> float | None:
    """Return the number of a cell, alone or as a score is written; None where it holds none.

    >>> [read_number(cell) for cell in (7, "7/10", "34 %", "5,7 cm", "2) some", "3 - some", "about 5")]
    [7.0, 7.0, 34.0, 5.7, 2.0, 3.0, None]
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    return _read(cell).number if isinstance(cell, str) else None


def find_letter(cell: object) -> str:
    """Return the letter of an answer, alone or before its text; nothing where a cell holds none.

    >>> [find_letter(cell) for cell in ("B) some", "（Ｃ）少し", "d", "bad")]
    ['b', 'c', 'd', '']
    """
    return _read(cell).letter if isinstance(cell, str) else ""


def find_unit(cell: object) -> str:
    """Return what is written behind the number of a cell, such as "%" or "/50"."""
    return _read(cell).unit if isinstance(cell, str) else ""


def list_numbers(cells: Iterable[Any]) -> list[float]:
    """Return the numbers among some cells, what is written behind them left aside."""
    return [number for cell in cells if (number := read_number(cell)) is not None]


def list_codes(
    column: SheetColumn, patients: Sequence[Hashable], known: Iterable[str] = ()
) -> tuple[dict[str, int], int]:
    """Return the codes of a column that may stand in a draft, and how many others it has.

    A code may stand there when at least `FEWEST_PATIENTS` patients share it, it is short, and it does
    not look like a name or a number by which someone could be known; ``known`` are simplified names that
    facts know, which are nobody's. Codes are spelt as is commonest, with their number of patients.
    """
    known = set(known)
    spellings: dict[str, dict[str, set[Hashable]]] = defaultdict(lambda: defaultdict(set))
    for cell, patient in zip(column.cells, patients, strict=True):
        if cell is not None and not isinstance(cell, datetime.date | datetime.datetime):
            text = " ".join(str(cell).split())
            spellings[simplify_name(text)][text].add(patient)
    codes = {}
    for key, variants in spellings.items():
        n_patients = len(set().union(*variants.values()))
        usual = max(variants, key=lambda text: (len(variants[text]), text))
        plain = key in known or (split_date(usual) is None and may_be_shown(usual))
        if n_patients >= FEWEST_PATIENTS and plain:
            codes[usual] = n_patients
    ordered = dict(sorted(codes.items(), key=lambda item: (-item[1], item[0])))
    return ordered, len(spellings) - len(codes)


def find_date_order(columns: Iterable[SheetColumn]) -> str | None:
    """Return the order that dates prove, None where they leave it open, ``typed`` where none stands as text.

    >>> find_date_order([SheetColumn("seen", ("03/11/2025", "30/11/2025"))])
    'day-first'
    >>> find_date_order([SheetColumn("seen", ("03/11/2025",))]) is None
    True
    """
    texts = [split_date(cell) for column in columns for cell in column.filled]
    dates = [parts for parts in texts if parts]
    if not dates:
        return "typed"
    if all(parts[0] > 31 for parts in dates):
        return "year-first"
    day_first = any(12 < parts[0] <= 31 for parts in dates)
    month_first = any(parts[0] <= 12 < parts[1] <= 31 for parts in dates)
    if day_first == month_first:
        return None
    return "day-first" if day_first else "month-first"


def find_calendar(columns: Iterable[SheetColumn]) -> str | None:
    """Return the calendar that dates are written in, where it is not the usual one.

    It is ``roc`` where years count from 1912, as in Taiwan, and ``excel1900`` for a spreadsheet's numbers.

    >>> find_calendar([SheetColumn("初診日", ("115/03/04", "114/12/30"))])
    'roc'
    >>> find_calendar([SheetColumn("seen", ("2025-03-04",))]) is None
    True
    """
    cells = [cell for column in columns for cell in column.filled]
    dates = [parts for parts in map(split_date, cells) if parts]
    if dates and all(_ROC_YEARS[0] <= parts[0] <= _ROC_YEARS[1] for parts in dates):
        return "roc"
    limits = read_facts("checks")["excel"]
    numbers = [float(cell) for cell in cells if isinstance(cell, str) and cell.strip().isdecimal()]
    serial = [limits["first_serial"] <= number <= limits["last_serial"] for number in numbers]
    return "excel1900" if cells and sum(serial) >= 0.9 * len(cells) else None


def uses_decimal_comma(columns: Iterable[SheetColumn]) -> bool:
    """Return whether numbers written as text have decimal commas, and none has a decimal point.

    >>> [uses_decimal_comma([SheetColumn("cm", cells)]) for cells in (("5,5", "6"), ("5.5", "6"))]
    [True, False]
    """
    cells = [cell for column in columns for cell in column.filled]
    texts = [cell for cell in cells if isinstance(cell, str) and is_number(cell)]
    return any("," in text for text in texts) and not any("." in text for text in texts)


def read_legend(column: SheetColumn) -> Mapping[str, str]:
    """Return the codes of a column that its header explains, simplified, each with its word; else nothing.

    They count only where they stand for all values: at least two codes, numbers in a row from 0 or 1.

    >>> dict(read_legend(SheetColumn("性別(1男2女)", (1, 2, 2, 1))))
    {'1': '男', '2': '女'}
    >>> dict(read_legend(SheetColumn("Sex (M = 1, F = 2)", ("1", "2"))))
    {'1': 'M', '2': 'F'}
    >>> dict(read_legend(SheetColumn("ODI 6 weeks", (10, 20))))
    {}
    """
    return split_legend(column)[1]


def split_legend(column: SheetColumn) -> tuple[str, Mapping[str, str]]:
    """Return a header without what it says about codes, and that."""
    text = unicodedata.normalize("NFKC", column.header)
    for pattern, code in ((_EQUALS, 1), (_NUMBER_FIRST, 1), (_NUMBER_LAST, 2), (_LETTER_FIRST, 1)):
        found = list(pattern.finditer(text))
        legend = {match[code].casefold(): match[3 - code].strip(" .-–") for match in found}
        if len(found) == len(legend) >= 2 and _covers(list(legend), column):
            bare = _EMPTY.sub("", text[: found[0].start()])
            if not bare and code == 2:  # "sexo H=1 M=2"
                bare, _, legend[found[0][2]] = found[0][1].rpartition(" ")
            return bare or column.header, legend
    return column.header, {}


def _covers(codes: Sequence[str], column: SheetColumn) -> bool:
    """Return whether codes are numbers in a row, or letters, and all values of a column are among them."""
    if codes[0].isdecimal():
        numbers = [int(code) for code in codes if code.isdecimal()]
        if len(numbers) < len(codes) or numbers[0] > 1 or any(b != a + 1 for a, b in pairwise(numbers)):
            return False
    values = {_spell(cell) for cell in column.filled if not is_missing_word(cell)}
    return bool(values) and values <= set(codes)


def find_meaning(legend: Mapping[str, str], code: str) -> str | None:
    """Return the word of a code, as it stands in a file."""
    return legend.get(_spell(code))


def _spell(cell: object) -> str:
    return re.sub(r"\.0+$", "", simplify_name(str(cell)))
