"""`SheetColumn`: what the cells of one column look like; the cells themselves stay here."""

from __future__ import annotations

import datetime
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from outcomes.drafting.spelling import fold, is_date, is_number, list_languages, split_date
from outcomes.facts import read_facts
from outcomes.records.codes import may_be_shown
from outcomes.records.columns import read_written
from outcomes.records.files import simplify_name

#: A code stands in a draft only where at least this many patients share it.
FEWEST_PATIENTS = 3
#: Years of the Republic of China that records may hold, 1991 to 2061.
_ROC_YEARS = (80, 150)
#: Letters of answers, as forms list them.
_LETTERS = {letter: letter for letter in "abcdef"}


@dataclass(frozen=True)
class SheetColumn:
    """A column of a grid.

    Parameters
    ----------
    header : str
    cells : tuple
        One per data row, None where blank. Never shown.
    """

    header: str
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
        """Whether nine of ten filled cells are numbers, words for "missing" left aside."""
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
        """Whether nine of ten filled cells are dates."""
        return self.share(is_date) >= 0.9

    @property
    def n_distinct(self) -> int:
        """Return the number of distinct values, spellings of one taken together."""
        return len({simplify_name(str(cell)) for cell in self.filled})

    @property
    def is_free_text(self) -> bool:
        """Whether the cells are sentences, or so varied that they are no codes."""
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
    written = read_written(
        np.array([unicodedata.normalize("NFKC", text).strip()], dtype=object), ".", _LETTERS
    )
    found, unit = str(written.texts[0]), str(written.units[0])
    if written.lettered[0]:
        return _Written(None, "", found)
    try:
        return _Written(float(found.replace(",", ".").removesuffix("%")), unit, "")
    except ValueError:
        return _Written(None, "", "")


def read_number(cell: object) -> float | None:
    """Return the number of a cell, alone or as a score is written; None where it holds none.

    Examples
    --------
    >>> [read_number(cell) for cell in (7, "7/10", "34 %", "5,7 cm", "2) some", "3 - some", "about 5")]
    [7.0, 7.0, 34.0, 5.7, 2.0, 3.0, None]
    """
    if isinstance(cell, bool):
        return None
    return (
        float(cell)
        if isinstance(cell, int | float)
        else _read(cell).number
        if isinstance(cell, str)
        else None
    )


def find_letter(cell: object) -> str:
    """Return the letter of an answer, alone or before its text; nothing where a cell holds none.

    Examples
    --------
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
    not look like a name or a number by which someone could be known.

    Parameters
    ----------
    column : SheetColumn
    patients : sequence
        Key of the patient of each row.
    known : iterable of str
        Simplified names that facts know; these never count as a person's name.

    Returns
    -------
    codes : dict of str to int
        Commonest spelling of each code to its number of patients, most frequent first.
    n_others : int
        Codes that were left out.
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
    """Return the order that the dates of some columns prove, None where they leave it open.

    Returns
    -------
    str or None
        ``year-first``, ``day-first``, ``month-first``; ``typed`` where no date stands as text.

    Examples
    --------
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
    """Return the calendar that the dates of some columns are written in, where it is not the usual one.

    Returns
    -------
    str or None
        ``roc`` where all years count from 1912, as in Taiwan; ``excel1900`` where dates stand as the
        numbers of a spreadsheet; else None.

    Examples
    --------
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

    Examples
    --------
    >>> [uses_decimal_comma([SheetColumn("cm", cells)]) for cells in (("5,5", "6"), ("5.5", "6"))]
    [True, False]
    """
    texts = [
        cell for column in columns for cell in column.filled if isinstance(cell, str) and is_number(cell)
    ]
    return any("," in text for text in texts) and not any("." in text for text in texts)
