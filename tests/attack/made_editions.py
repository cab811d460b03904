"""A made-up clinic in the course of years: who joins, who leaves, what is corrected; and the pages made of
it.

Pages are made by the package as a report makes them: analysed, released with the ledger of the clinic in
hand, written as the rows beside a page, entered in the ledger and approved.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import RELEASE_COLUMNS, Release, open_page, release
from outcomes.disclosure.ledger import Edition, Ledger, open_ledger
from outcomes.disclosure.page_context import hand_ledger
from outcomes.records import Records
from outcomes.reports.exports import write_csv
from outcomes.result import Result
from outcomes.synthetic import simulate_clinic
from outcomes.views.view import View

RUN_FOLDER = "OUTCOMES_RUN_DIR"
#: What a clinic's page of a series is made of, for these attacks.
Analysis = Callable[[Cohort], Result]


@dataclass
class Course:
    """The records of a clinic, as they stand at each edition.

    Parameters
    ----------
    n_start, joiners : int
        Patients at the first edition, and how many join before each later one, on average.
    leaving, corrected : float
        Share of patients who withdraw, and of whom a score is corrected, before each later one.
    """

    n_editions: int
    n_start: int
    joiners: float
    leaving: float = 0.0
    corrected: float = 0.0
    seed: int = 0
    exactly: bool = False
    records: Records = field(init=False)

    def __post_init__(self) -> None:
        wanted = int(self.n_start + 1.5 * self.joiners * self.n_editions) + 60
        self.records = simulate_clinic(int(wanted * 1.25), seed=self.seed, drop_out=False)

    def follow(self) -> Iterator[Records]:
        """Yield the records of each edition."""
        draw = np.random.default_rng(self.seed)
        episodes = self.records.episodes
        # one episode each, that a page of the whole clinic would have: who joins, joins the page
        first = episodes.drop_duplicates("patient_id")
        asked = set(select_cohort(self.records, instrument="odi").episodes["episode_id"].astype("str"))
        order = [one for one in first["episode_id"].astype("str") if one in asked]
        here, waiting = order[: self.n_start], order[self.n_start :]
        assessments = self.records.assessments
        for number in range(self.n_editions):
            if number:
                n = int(self.joiners) if self.exactly else int(draw.poisson(self.joiners))
                here, waiting = [*here, *waiting[:n]], waiting[n:]
                if self.leaving:
                    here = [one for one in here if draw.random() >= self.leaving]
                if self.corrected:
                    assessments = self._correct(assessments, here, draw)
            kept = episodes["episode_id"].astype("str").isin(here)
            yield replace(
                self.records, episodes=episodes[kept].reset_index(drop=True),
                assessments=_pick(assessments, here), sessions=_pick(self.records.sessions, here),
                events=_pick(self.records.events, here), fingerprint=f"{number:064d}",
            )  # fmt: skip

    def _correct(self, assessments: pd.DataFrame, here: list[str], draw: np.random.Generator) -> pd.DataFrame:
        """Correct the first score of some patients."""
        chosen = {one for one in here if draw.random() < self.corrected}
        rows = assessments["episode_id"].astype("str").isin(chosen) & (assessments["instrument"] == "odi")
        moved = assessments.copy()
        moved.loc[rows, "score"] = (moved.loc[rows, "score"] + 14) % 100
        return moved


def _pick(table: pd.DataFrame, episodes: list[str]) -> pd.DataFrame:
    return table[table["episode_id"].astype("str").isin(episodes)].reset_index(drop=True)


@dataclass(frozen=True)
class Made:
    """One edition: its number, the rows that were published, and - to judge by only - the results behind
    them."""

    number: int
    rows: pd.DataFrame
    results: tuple[Result, ...]


@contextmanager
def open_series(folder: Path) -> Iterator[Series]:
    """Open a series of pages with a ledger of its own; what the process knew of runs before is put back."""
    before = os.environ.get(RUN_FOLDER)
    private = folder / ".outcomes"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open_ledger(private) as ledger:
            yield Series(folder, private, ledger)
    finally:
        os.environ.pop(RUN_FOLDER, None)
        if before is not None:
            os.environ[RUN_FOLDER] = before


@dataclass
class Series:
    """Pages that follow each other, or stand side by side, under one ledger."""

    folder: Path
    private: Path
    ledger: Ledger
    n_made: int = 0

    def publish(
        self,
        records: Records,
        analyses: Iterable[Analysis],
        *,
        page: str = "page",
        k: int = 11,
        **choices: object,
    ) -> Made:
        """Make one edition of some records, approve it, and return what was published."""
        cohort = select_cohort(records, instrument="odi", **choices)
        return self.publish_results(lambda: [analyse(cohort) for analyse in analyses], page=page, k=k)

    def publish_results(
        self, make: Callable[[], Iterable[Result]], *, page: str = "page", k: int = 11
    ) -> Made:
        """Make one edition of results, approve it, and return what was published."""
        self.n_made += 1
        number = self.n_made
        day = str(np.datetime64("2020-01-01") + 91 * number)
        edition = Edition(f"run{number}", "report", page, series="whole", slot=f"{number:04d}", k=k, made=day)
        run = self.folder / f"run{number}"
        run.mkdir()
        hand_ledger(self.private, edition, run)
        os.environ[RUN_FOLDER] = str(run)
        results = tuple(make())
        page_of_run = open_page(k=k)
        released = [release(result, page_of_run) for result in results]
        rows = read_published(released)
        self.ledger.enter(edition, released)
        self.ledger.prepare(edition.id, "A. Nurse", day)
        self.ledger.settle(edition.id)
        return Made(number, rows, results)


def publish_page(folder: Path, make: Callable[[], Iterable[Result]], k: int = 11) -> tuple[Result, ...]:
    """Release results as one page without a ledger, and write its rows into ``results.csv``.

    What the process knew of runs before is put back.
    """
    before = os.environ.get(RUN_FOLDER)
    os.environ[RUN_FOLDER] = str(folder)
    try:
        results = tuple(make())
        page = open_page(k=k)
        rows = read_published([release(result, page) for result in results])
    finally:
        os.environ.pop(RUN_FOLDER)
        if before is not None:
            os.environ[RUN_FOLDER] = before
    rows.to_csv(folder / "results.csv", index=False, encoding="utf-8-sig")
    return results


def read_published(released: Iterable[Release]) -> pd.DataFrame:
    """Write releases as the rows beside a page, and read the bytes back."""
    views = [
        View(f"view{number}", "table", "", None, "", "", one.table.drop(columns="shown"), one.audience, one.k)
        for number, one in enumerate(released)
    ]
    rows = pd.read_csv(io.BytesIO(write_csv(views)), encoding="utf-8-sig", dtype={"x": "float64"})
    # columns that are empty throughout are not written
    return rows.reindex(columns=dict.fromkeys([*rows.columns, *RELEASE_COLUMNS, "as_of"]))
