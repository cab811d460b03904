"""Everything that may leave - pages, files, release records, the index - searched for whom it is about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
from searching import find_planted, list_date_forms

from outcomes.reports.editions.approval import approve_editions, find_waiting
from outcomes.reports.editions.released_pages import RECORD_NAME
from outcomes.reports.site import write_released_site
from series_project import NOW, build_project, declare, run, write_notebook

DECLARED = """\
[report.whole]
source = "made-up-clinic"
notebook = "mine"
audience = "stakeholder"
"""
SHOW = """\
from outcomes import count_flow, draw_flow, open_page, read_records, release, select_cohort, summarise_change
from outcomes import draw_trajectory, tabulate_change
cohort = select_cohort(read_records(source, path or None))
page = open_page(audience, k=k)
change = release(summarise_change(cohort), page)
"""


def test_nothing_that_was_released_names_anybody_or_a_day_of_theirs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=240)
    path = Path("data/raw/made-up-clinic/episodes.csv")
    episodes = pd.read_csv(path, dtype="str")
    episodes["therapist"] = "Okonjo-" + episodes["therapist"]
    episodes.to_csv(path, index=False)
    declare(tmp_path, DECLARED)
    write_notebook(
        tmp_path, SHOW, "draw_flow(release(count_flow(cohort), page))", "draw_trajectory(change)",
        "tabulate_change(change)",
    )  # fmt: skip
    assert run().state == "released"
    private = tmp_path / ".outcomes"
    approve_editions(find_waiting(private, ["whole"]), by="A. Reviewer", private=private, now=NOW)
    write_released_site(NOW)
    released = tmp_path / "reports" / "released"
    names = {path.name for path in released.rglob("*")}
    assert {RECORD_NAME, "index.html", "results.csv", "results.xlsx"} <= names
    planted = {*episodes["patient_id"], *episodes["episode_id"], *episodes["therapist"].dropna()}
    days = {dt.date.fromisoformat(day) for day in episodes["start_date"].dropna().unique()[:60]}
    planted |= {form for day in days for form in list_date_forms(day) if len(form) > 6}
    assert find_planted(released, planted) == []
    edition = next((private / "runs").iterdir()).name
    assert find_planted(released, [edition, str(tmp_path)]) == []
