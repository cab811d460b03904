"""Pages of made-up clinics, made as a clinic makes them, and what an attacker finds in them."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bounding import Contradiction, Knowledge, hides
from page_knowledge import ANY, conclude
from published import Fact, read_rows

from outcomes.errors import DisclosureError
from outcomes.reports import run_report
from outcomes.synthetic import write_clinic

#: Smallest number of patients of the pages that are attacked.
K = 11


@contextlib.contextmanager
def work_in(folder: Path) -> Iterator[None]:
    """Make a folder the current one for a while."""
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_pages(
    folder: Path, n_episodes: int, seed: int, reports: Iterable[str], **parameters: object
) -> dict[str, Path | None]:
    """Write a clinic's records and make its pages for stakeholders; return the folder of each.

    None stands for a page that the package refused to make: then nothing is published.
    """
    made: dict[str, Path | None] = {}
    with work_in(folder):
        write_clinic(Path("records"), n_episodes=n_episodes, seed=seed)
        for name in reports:
            made[name] = make_page(name, **parameters)
    return made


def make_page(name: str, out: str = "pages", **parameters: object) -> Path | None:
    """Make one page from the records in the current folder."""
    values = {"audience": "stakeholder", **parameters}
    try:
        return run_report(name, values, path="records", out=out).folder.resolve()
    except DisclosureError as error:
        assert error.exit_code == 7
        return None


@dataclass(frozen=True)
class Found:
    """A number that an attacker narrows down too far."""

    name: tuple
    truth: float
    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether nothing but the truth is left."""
        return round(self.low) == round(self.high)


def attack(
    known: Knowledge, truth: Mapping, k: int, bounded: Iterable[tuple] = (), *, whole: bool = True
) -> tuple[list[Found], int]:
    """Attack every number of 1 to k-1 patients; return what was found out and how many were tried.

    Parameters
    ----------
    known : Knowledge
    truth : mapping
        True numbers by name.
    k : int
    bounded : iterable
        Kinds of numbers of which the page itself says "fewer than k", for all or for a group: of these an
        upper bound is no news, and 1 to half of k must stay possible.
    """
    bounded = set(bounded)
    small = [
        name for name in known.place if 0 < truth.get(name, 0) < k and not str(name[0]).startswith("sum")
    ]
    found = []
    for name in small:
        most = k // 2 if (name[0], name[1], *name[3:]) in bounded else k
        low, high = math.nan, math.nan
        with contextlib.suppress(Contradiction):  # the solver's presolve finds some that are none
            low, high = known.bound({name: 1}, whole=whole)
        if not hides(low, high, most):
            low, high = known.bound({name: 1}, whole=whole, presolve=False)
        if not hides(low, high, most):
            found.append(Found(name, truth[name], low, high))
    return found, len(small)


def list_bounded(facts: Iterable[Fact]) -> set[tuple]:
    """Return the numbers that a page says are few, in any group."""
    return {
        (fact.statistic.removeprefix("share_"), fact.outcome, fact.timepoint, fact.level, fact.term)
        for fact in facts
        if fact.few is not None
    }  # fmt: skip


def read_marked_rows(folder: Path) -> list[Fact]:
    """Read the rows of a page, its measures marked where its patients need no score at the start."""
    rows = read_rows(folder)
    if "therapy_profile" not in folder.name:
        return rows
    return [replace(row, outcome=row.outcome + ANY) for row in rows]


def attack_pages(folders: Iterable[Path | None], truth: Mapping, k: int = K) -> tuple[list[Found], int]:
    """Attack all pages of the same records together."""
    facts = [fact for folder in folders if folder for fact in read_marked_rows(folder)]
    known = conclude(facts, k)
    wrong = known.contradict(truth)
    assert not wrong, f"the attacker believes what is not so: {wrong[:3]}"
    try:
        return attack(known, truth, k, list_bounded(facts))
    except Contradiction:
        raise AssertionError("the attacker's facts contradict each other") from None
