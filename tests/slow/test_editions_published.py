"""Six years of a quarterly report (A2), really made, approved and published: what an attacker who keeps every
released edition finds out about those who joined, left or were corrected.

He reads ``reports/released/**/results.csv`` and nothing else. As in `tests/attack/test_editions_in_series.py`
he is given who stands behind each number, and looks for combinations of numbers about 1 to k-1 patients; and
he computes the score of each newcomer from two means.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "attack"))
from made_editions import Made
from test_editions_in_series import count_hits, find_isolated, list_cells, read_means

from outcomes.analyses import summarise_change
from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import RELEASE_COLUMNS
from outcomes.records import read_records
from outcomes.reports.editions.approval import approve_editions, find_waiting
from outcomes.synthetic import write_clinic
from series_project import NOW, build_project, declare, run, write_notebook
from test_editions import DECLARED

pytestmark = pytest.mark.slow

K = 11
N_EDITIONS = 24
CHANGE = """\
from outcomes import open_page, read_records, release, select_cohort, summarise_change, tabulate_change
cohort = select_cohort(read_records(source, path or None), instrument="odi", timepoints=["month_6"])
page = open_page(audience, k=k)
change = release(summarise_change(cohort), page)
"""
#: Put before it: nothing is compared with what was released before.
WITHOUT_LEDGER = """\
from outcomes.disclosure import page_context
page_context.read_earlier_cells = lambda folder: None
"""
FILES = ("episodes", "assessments", "sessions", "events")


@dataclass
class Clinic:
    """The files of a clinic whom patients join and leave, and some of whose scores are corrected.

    Parameters
    ----------
    folder : Path
        Of its files; replaced with each edition.
    n_start, joiners : int
        Patients at the first edition, and how many join before each later one.
    leaving, corrected : float
        Share of patients who withdraw, and of whom the first score is corrected, before each later one.
    """

    folder: Path
    n_start: int
    joiners: float
    leaving: float = 0.0
    corrected: float = 0.0
    seed: int = 0
    exactly: bool = False
    tables: dict[str, pd.DataFrame] = field(init=False)

    def __post_init__(self) -> None:
        wanted = int(self.n_start + 1.5 * self.joiners * N_EDITIONS) + 60
        source = self.folder.parent / "everybody"
        write_clinic(source, n_episodes=int(wanted * 1.3), seed=self.seed, drop_out=False)
        self.tables = {name: pd.read_csv(source / f"{name}.csv", dtype="str") for name in FILES}

    def follow(self) -> Iterator[int]:
        """Write the files of one edition after the other, and yield its number."""
        draw = np.random.default_rng(self.seed)
        order = self._list_episodes()
        here, waiting = order[: self.n_start], order[self.n_start :]
        for number in range(N_EDITIONS):
            if number:
                n = int(self.joiners) if self.exactly else int(draw.poisson(self.joiners))
                here, waiting = [*here, *waiting[:n]], waiting[n:]
                here = [one for one in here if draw.random() >= self.leaving]
                self._correct([one for one in here if draw.random() < self.corrected])
            for name, table in self.tables.items():
                table[table["episode_id"].isin(here)].to_csv(self.folder / f"{name}.csv", index=False)
            yield number

    def _list_episodes(self) -> list[str]:
        """List first episodes with a score at the start, therapy and consent, whose last day comes first.

        Records that end earlier than they did are refused by the series.
        """
        episodes = self.tables["episodes"].drop_duplicates("patient_id")
        episodes = episodes[episodes["therapy"].notna() & (episodes["use_of_records"] == "given")]
        first = self.tables["assessments"].sort_values("date").drop_duplicates("episode_id")
        scored = first.loc[first[[f"odi_{i}" for i in range(1, 11)]].notna().all(axis=1), "episode_id"]
        chosen = episodes.loc[episodes["episode_id"].isin(scored), "episode_id"].tolist()
        days = pd.concat([self.tables[name][["episode_id", "date"]] for name in FILES[1:]])
        last = days[days["episode_id"].isin(chosen)].sort_values("date")["episode_id"].iloc[-1]
        return [last, *(one for one in chosen if one != last)]

    def _correct(self, episodes: list[str]) -> None:
        table = self.tables["assessments"]
        first = table[table["episode_id"].isin(episodes)].sort_values("date").drop_duplicates("episode_id")
        for item in ("odi_1", "odi_2", "odi_3"):
            table.loc[first.index, item] = [
                text if text != text else str((int(text) + 3) % 6) for text in first[item]
            ]


def follow_series(folder: Path, monkeypatch, *, ledger: bool = True, **course: object) -> list[Made]:
    """Make and approve every edition of a series; without the ledger, of what the team's folder holds."""
    monkeypatch.chdir(folder)
    build_project(folder, n_episodes=30)
    declare(folder, DECLARED)
    parts = (CHANGE, "## Answer", "tabulate_change(change)")
    write_notebook(folder, *(parts if ledger else (WITHOUT_LEDGER, *parts)))
    clinic = Clinic(folder / "data" / "raw" / "made-up-clinic", **course)
    made = []
    for number in clinic.follow():
        now = NOW + dt.timedelta(days=92 * number)
        ending = run(now=now)
        assert ending.state in ("released", "nothing new"), (number, ending)
        if ending.state != "released":
            continue
        place = _approve(now) if ledger else _find_newest()
        result = summarise_change(_select(clinic.folder))
        made.append(Made(number, _read_rows(place), (result,)))
    return made


def _select(folder: Path) -> Cohort:
    return select_cohort(read_records("made-up-clinic", folder), instrument="odi", timepoints=["month_6"])


def _approve(now: dt.datetime) -> Path:
    private = Path.cwd() / ".outcomes"
    placed = approve_editions(find_waiting(private, ["whole"]), by="A. Reviewer", private=private, now=now)
    (page,) = placed.values()
    assert Path("reports/released").resolve() in page.resolve().parents
    return page.with_suffix("")


def _find_newest() -> Path:
    paths = Path("reports/html/whole").rglob("results.csv")
    return max(paths, key=lambda path: path.stat().st_mtime_ns).parent


def _read_rows(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "results.csv", encoding="utf-8-sig", dtype={"x": "float64"})
    return rows.reindex(columns=dict.fromkeys([*rows.columns, *RELEASE_COLUMNS, "as_of"]))


def find_all_isolated(editions: list[Made]) -> tuple[dict[tuple, list[int]], int]:
    """Return, by quantity, sizes of groups of few that a combination is about; and how many numbers there
    were."""
    found, tried = {}, 0
    for quantity, cells in list_cells(editions).items():
        unique = list({cell.tobytes(): cell for cell in cells}.values())
        tried += len(unique)
        if len(unique) > 1 and (sizes := find_isolated(unique, K)):
            found[quantity] = sizes
    return found, tried


def read_scores(editions: list[Made], folder: Path) -> dict[str, float]:
    """Return the true score at the start of each patient of the last edition."""
    cohort = _select(folder / "data" / "raw" / "made-up-clinic")
    ids = editions[-1].results[0].patients.ids
    start = cohort.table[cohort.table["timepoint"] == "baseline"]
    return {ids[int(row.patient)]: float(row.score) for row in start.itertuples()}


def test_no_combination_of_released_editions_is_about_few_patients(tmp_path, monkeypatch):
    editions = follow_series(
        tmp_path, monkeypatch, n_start=160, joiners=4, leaving=0.004, corrected=0.004, seed=7
    )
    found, tried = find_all_isolated(editions)
    moved = [len({cell.tobytes() for cell in cells}) for cells in list_cells(editions).values()]
    print(f"{len(editions)} editions, {tried} different numbers, {len(found)} quantities give few away")
    assert len(editions) >= 20 and tried >= 20 and max(moved) >= 3
    assert not found


def test_the_score_of_a_newcomer_is_hit_no_more_often_than_by_chance(tmp_path, monkeypatch):
    course = {"n_start": 100, "joiners": 1, "exactly": True, "seed": 3}
    editions = follow_series(tmp_path, monkeypatch, **course)
    hits, tries, chance = count_hits([(read_means(editions), read_scores(editions, tmp_path))])
    sigma = np.sqrt(chance * (1 - chance / tries))
    print(f"{hits} hits in {tries} tries, by chance {chance:.1f} (standard deviation {sigma:.1f})")
    assert tries >= 15
    assert hits <= chance + 3 * sigma


def test_without_the_ledger_both_attacks_succeed(tmp_path, monkeypatch):
    course = {"n_start": 100, "joiners": 1, "exactly": True, "seed": 3}
    editions = follow_series(tmp_path, monkeypatch, ledger=False, **course)
    hits, tries, chance = count_hits([(read_means(editions), read_scores(editions, tmp_path))])
    sigma = np.sqrt(chance * (1 - chance / tries))
    found, tried = find_all_isolated(editions)
    print(f"{hits} hits in {tries} tries, by chance {chance:.1f}; {len(found)} quantities of {tried} numbers")
    assert hits > chance + 3 * sigma and found
