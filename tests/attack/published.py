"""Reading back what was published: bytes of the files beside a page, and the words of the page itself."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import openpyxl

#: What a page writes where it shows no number.
WITHHELD = "withheld"
_FEW = re.compile(r"fewer than (\d+)")
_ALL_BUT = re.compile(r"all but fewer than (\d+)")
_BAND = re.compile(r"(?:(\d+) to (\d+)|under (\d+)|(\d+)) %(?: or more)?")


@dataclass(frozen=True)
class Fact:
    """One published row.

    Parameters
    ----------
    view : str
        Id of the table or figure that it stands in.
    outcome, statistic, term, level, group, versus, timepoint : str
        Empty where absent.
    x, estimate, conf_low, conf_high, n : float
        Missing is NaN.
    display : str
    """

    view: str
    outcome: str
    statistic: str
    term: str
    level: str
    group: str
    versus: str
    timepoint: str
    x: float
    estimate: float
    conf_low: float
    conf_high: float
    n: float
    display: str

    @property
    def key(self) -> tuple[object, ...]:
        """What the row is about, whichever table it stands in."""
        x = None if math.isnan(self.x) else round(self.x, 6)
        return (
            self.outcome, self.statistic, self.term, self.level, self.group, self.versus, self.timepoint, x,
        )  # fmt: skip

    @property
    def withheld(self) -> bool:
        """Whether its number is withheld without a bound."""
        return self.display == WITHHELD

    @property
    def few(self) -> int | None:
        """The bound of "fewer than k", where it says so."""
        found = _FEW.match(self.display)
        return int(found.group(1)) if found else None

    @property
    def all_but(self) -> int | None:
        """The bound of "all but fewer than k", where it says so."""
        found = _ALL_BUT.match(self.display)
        return int(found.group(1)) if found else None

    @property
    def band(self) -> tuple[float, float]:
        """The band of completeness that its words name, as proportions."""
        found = _BAND.match(self.display)
        if not found:
            return 0.0, 1.0
        low, high, under, over = found.groups()
        if under:
            return 0.0, int(under) / 100
        if over:
            return int(over) / 100, 1.0
        return int(low) / 100, (int(high) + 1) / 100


def read_rows(folder: Path) -> list[Fact]:
    """Read the rows of ``results.csv``."""
    path = folder / "results.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [_read_row(row) for row in csv.DictReader(file)]


def _read_row(row: dict[str, str]) -> Fact:
    texts = ("view", "outcome", "statistic", "term", "level", "group", "versus", "timepoint")
    numbers = ("x", "estimate", "conf_low", "conf_high", "n")
    return Fact(
        **{name: row.get(name) or "" for name in texts},
        **{name: float(row[name]) if row.get(name) else math.nan for name in numbers},
        display=row.get("display") or "",
    )


def read_workbook(folder: Path) -> Iterator[tuple[str, str, object]]:
    """Yield sheet, type and value of every cell of ``results.xlsx``."""
    path = folder / "results.xlsx"
    if path.is_file():
        for sheet in openpyxl.load_workbook(path):
            for row in sheet:
                yield from ((sheet.title, cell.data_type, cell.value) for cell in row)


@dataclass(frozen=True)
class Piece:
    """A sentence, a cell, or what describes a figure or a table, with the numbers in it.

    Parameters
    ----------
    view : str
        Id of the table, figure or sentences that it is part of; empty for the rest of the page.
    text : str
    numbers : tuple of str
        As they are written; a minus sign does not count.
    """

    view: str
    text: str
    numbers: tuple[str, ...]

    def list_contexts(self) -> list[tuple[str, str]]:
        """Return of each number what it stands in: the piece without its numbers, and the words beside it."""
        parts = _NUMBER.split(self.text)
        masked = "#".join(parts).rstrip(" .;:,")
        return [
            (f"{place} of {masked}", " # ".join((*_LAST_WORD.findall(before), *_FIRST_WORD.findall(after))))
            for place, (before, after) in enumerate(itertools.pairwise(parts))
        ]


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
#: A fingerprint of records or of code: eight hexadecimal digits, a letter or a digit each by chance.
_FINGERPRINT = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b")
_VIEW_ID = re.compile(r"-[0-9a-f]{8}$")
_LAST_WORD = re.compile(r"([^\W\d]{2,})\W*$")
_FIRST_WORD = re.compile(r"^\W*([^\W\d]{2,})")


def read_pieces(page: Path) -> list[Piece]:
    """Read all that a page says, in its title, its text, and what describes its figures and tables."""
    tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    return [
        Piece(view, piece, find_numbers(piece))
        for view, text in _walk(tree, "")
        for piece in re.split(r"(?<=[.;:])\s", _FINGERPRINT.sub("", " ".join(text.split())))
        if piece
    ]


def _walk(element: Element, view: str) -> Iterator[tuple[str, str]]:
    id = element.attrib.get("id", "")
    view = id if _VIEW_ID.search(id) else view
    yield from (
        (view, element.attrib[name]) for name in ("alt", "aria-label", "title") if name in element.attrib
    )
    if element.tag == "style":
        return
    yield view, element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            yield from _walk(child, view)
        yield view, child.tail or ""


def find_numbers(text: str) -> tuple[str, ...]:
    """Return the numbers in a text, also within words, as they are written."""
    return tuple(_NUMBER.findall(text))


def read_written(folder: Path) -> dict[str, set[str]]:
    """Return every number of ``results.csv`` by view, in each way in which a page may write it."""
    written: dict[str, set[str]] = defaultdict(set)
    path = folder / "results.csv"
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                written[row["view"]].update(
                    *(_write(value) for column, value in row.items() if value and column != "view")
                )
    return written


def _write(value: str) -> set[str]:
    try:
        number = abs(float(value))
    except ValueError:
        return set(find_numbers(value))
    exact = {
        f"{number:.{decimals}f}" for decimals in range(4) if abs(number - round(number, decimals)) < 1e-9
    }
    percent = (
        {f"{100 * number:.0f}"} if number <= 1 and abs(100 * number - round(100 * number)) < 1e-9 else set()
    )
    return exact | percent | {f"{number:g}"}
