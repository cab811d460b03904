"""Reading back what was published: bytes of the files beside a page, and the words of the page itself."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def read_numbers(page: Path) -> set[str]:
    """Return every number that a page says: in its text, and in what describes its figures and tables."""
    tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    body = tree.find("body")
    said = [" ".join(body.itertext())]
    said += [element.attrib[name] for element in body.iter() for name in ("alt", "aria-label", "title")
             if name in element.attrib]  # fmt: skip
    return {number for text in said for number in find_numbers(text)}


def find_numbers(text: str) -> list[str]:
    """Return the numbers in a text, as they are written; a minus sign does not count."""
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])", text.replace("\u2212", " "))
