"""One table asked in several ways (A13), and the same data asked twice (A14).

Pages with other filters, periods, groupings and orders are made under one ledger; an attacker puts them
together.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_editions import open_series
from made_pages import make_page, work_in
from published import read_rows
from test_editions_in_series import find_isolated, list_cells

from outcomes.analyses import count_responders, summarise_change
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.synthetic import simulate_clinic, write_clinic

K = 11
ASKED = {
    "whole": {},
    "women": {"where": {"sex": "female"}},
    "men": {"where": {"sex": "male"}},
    "until": {"where": {"start_date": ("", "2024-06-30")}},
    "since": {"where": {"start_date": ("2024-07-01", "")}},
    "low_back": {"where": {"region": "low_back"}},
    "nearly_whole": {"where": {"start_date": ("2023-01-20", "")}},
    "three": {"therapies": ["strengthening", "manual_therapy", "usual_care"]},
    "working": {"where": {"work_status": ["working", "off_work"]}},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    records = simulate_clinic(420, seed=17)
    turned = replace(records, episodes=records.episodes.iloc[::-1].reset_index(drop=True))
    with open_series(tmp_path_factory.mktemp("asked")) as series:
        made = {
            name: series.publish(
                records, (summarise_change,), page=name, **{"timepoints": ["month_6"], **choices}
            )
            for name, choices in ASKED.items()
        }
        made["turned"] = series.publish(turned, (summarise_change,), page="turned", timepoints=["month_6"])
    return made


def test_no_combination_of_filters_and_periods_is_about_few(pages):
    tried = 0
    for quantity, cells in list_cells(list(pages.values())).items():
        unique = list({cell.tobytes(): cell for cell in cells}.values())
        tried += len(unique)
        assert not find_isolated(unique, K), quantity
    assert tried >= 25


def test_each_asking_still_shows_something(pages):
    shown = {name: int(made.rows["estimate"].notna().sum()) for name, made in pages.items()}
    assert shown["whole"] >= 10 and shown["turned"] == shown["whole"]
    assert sum(n > 0 for n in shown.values()) >= 6


def test_the_same_table_in_another_order_is_the_same_table(pages):
    key = ["statistic", "group", "timepoint"]
    first, second = (pages[name].rows.sort_values(key)["display"].tolist() for name in ("whole", "turned"))
    assert first == second


def test_without_the_ledger_filters_tell_of_few(tmp_path, monkeypatch):
    import outcomes.disclosure.page_context as page_context

    monkeypatch.setattr(page_context, "read_earlier_cells", lambda folder: None)
    records = simulate_clinic(420, seed=17)
    with open_series(tmp_path) as series:
        made = [
            series.publish(
                records, (summarise_change,), page=name, **{"timepoints": ["month_6"], **ASKED[name]}
            )
            for name in ("whole", "nearly_whole", "low_back")
        ]
    assert any(
        find_isolated(list({cell.tobytes(): cell for cell in cells}.values()), K)
        for cells in list_cells(made).values()
    )


# Determinism


@pytest.mark.slow
def test_the_same_data_twice_gives_the_same_bytes(tmp_path):
    contents = []
    for name in ("first", "second"):
        with work_in(tmp_path / name):
            write_clinic("records", n_episodes=200, seed=9)
            folder = make_page("therapy_profile")
            assert folder
            files = sorted(
                path
                for path in folder.parent.rglob("*")
                if path.is_file() and path.name != "release-record.json"
            )
            contents.append({path.relative_to(folder.parent): path.read_bytes() for path in files})
    assert contents[0].keys() == contents[1].keys()
    assert [path for path in contents[0] if contents[0][path] != contents[1][path]] == []


@pytest.mark.slow
def test_what_is_withheld_depends_on_neither_order_nor_scores(tmp_path):
    shown = []
    for name in ("plain", "shuffled", "worse"):
        with work_in(tmp_path / name):
            write_clinic("records", n_episodes=150, seed=12)
            path = Path("records") / ("assessments.csv" if name == "worse" else "episodes.csv")
            table = pd.read_csv(path, dtype="str")
            if name == "shuffled":
                table = table.iloc[np.random.default_rng(0).permutation(len(table))]
            if name == "worse":
                table["nprs_average"] = [
                    None if value != value else str(10 - int(value)) for value in table["nprs_average"]
                ]
            table.to_csv(path, index=False)
            folder = make_page("therapy_profile")
            assert folder
            shown.append(
                {
                    row.key: (row.withheld, row.n)
                    for row in read_rows(folder)
                    if row.statistic.startswith(("mean", "n"))
                }
            )
    names = set(shown[0]) & set(shown[1]) & set(shown[2])
    assert len(names) > 50
    for other in shown[1:]:
        differing = [key for key in names if repr(other[key]) != repr(shown[0][key])]
        assert not differing, differing[:3]


def test_patterns_of_a_release_do_not_depend_on_rows_or_values():
    records = simulate_clinic(160, seed=2)
    draw = np.random.default_rng(1)
    cohort = select_cohort(records, instrument="odi")
    width = len(cohort.timepoints)
    order = draw.permutation(len(cohort.episodes))
    rows = (order[:, None] * width + np.arange(width)).ravel()
    turned = replace(
        cohort, table=cohort.table.iloc[rows].reset_index(drop=True),
        episodes=cohort.episodes.iloc[order].reset_index(drop=True),
    )  # fmt: skip
    moved = cohort.table.copy()
    moved["score"] = (
        draw.uniform(0, 100, len(moved)).round(1) * moved["score"].notna() / moved["score"].notna()
    )
    other = replace(cohort, table=moved)
    tables = [
        release(summarise_change(one)).table.set_index(["statistic", "group", "timepoint"])
        for one in (cohort, turned, other)
    ]
    assert tables[0].loc[:, "display"].to_dict() == tables[1].loc[:, "display"].to_dict()
    scores = [table.loc[["mean_score"], "shown"].to_dict() for table in tables]
    assert scores[0] == scores[2]
    assert (
        release(count_responders(cohort)).table["display"].tolist()
        == release(count_responders(cohort)).table["display"].tolist()
    )
