"""Attacks on what tables say together: all numbers of patients, and all sums, of one page."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import nbformat
from made_editions import publish_page
from made_pages import Found, attack, list_bounded
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from page_knowledge import conclude
from published import read_rows
from random_tables import draw_table
from small_means import attack_means, conclude_means
from test_tables import attack_table, suppress
from truth import name_numbers

from outcomes.analyses import (
    compare_respondents,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    summarise_change,
)
from outcomes.cohort import Cohort, select_cohort
from outcomes.errors import DisclosureError
from outcomes.records import Records, read_records
from outcomes.reports import run_report
from outcomes.synthetic import simulate_clinic, write_clinic

K = 11
#: Change by therapy, and by site: the same patients, twice.
BY_TWO = (summarise_change, partial(summarise_change, by="site"))


def move_patients(records: Records, n: int) -> Records:
    """Return records of a clinic with two sites, one of which has so few patients."""
    episodes = records.episodes.copy()
    few = set(episodes["patient_id"].drop_duplicates().head(n))
    sites = ["south" if one in few else "north" for one in episodes["patient_id"]]
    episodes["site"] = sites
    return replace(records, episodes=episodes.astype({"site": "category"}))


def two_sites() -> Cohort:
    """A clinic of whose patients nine come to its second site."""
    return select_cohort(
        move_patients(simulate_clinic(160, seed=4), 9), instrument="odi", timepoints=["month_6"]
    )


def attack_page_means(folder: Path, truth: dict) -> tuple[list[Found], int]:
    """Attack the means of few by the rows of a page."""
    known = conclude_means(read_rows(folder), K)
    wrong = known.contradict(truth)
    assert not wrong, f"the attacker believes what is not so: {wrong[:3]}"
    return attack_means(known, truth, K)


def take_a_mean_from_two_tables() -> bool:
    """The mean of all stands in one table and that of nearly all in another: those of the few follow."""
    with tempfile.TemporaryDirectory() as folder:
        results = publish_page(Path(folder), lambda: [analyse(two_sites()) for analyse in BY_TWO])
        found, tried = attack_page_means(Path(folder), name_numbers(results))
    assert tried >= 3
    return bool(found)


def count_from_linked_tables() -> bool:
    """Flow, baseline, completeness, means and responders of one page in one linear programme."""
    analyses = (
        count_flow,
        describe_baseline,
        count_completeness,
        compare_respondents,
        summarise_change,
        count_responders,
    )
    cohort = select_cohort(simulate_clinic(120, seed=2), instrument="odi", timepoints=["month_6"])
    with tempfile.TemporaryDirectory() as folder:
        results = publish_page(Path(folder), lambda: [analyse(cohort) for analyse in analyses])
        facts = read_rows(Path(folder))
    known = conclude(facts, K)
    found, _ = attack(known, name_numbers(results), K, list_bounded(facts), whole=False)
    return bool(found)


def count_from_a_table() -> bool:
    """A linear programme over each of twenty tables, as a page shows them."""
    for seed in range(20):
        table = draw_table(seed)
        if attack_table(table, suppress(table), whole=False).narrowed:
            return True
    return False


PARAMETERS = """\
audience = "stakeholder"  # one of: team, stakeholder
k = 11  # from 5 to 100
source = "made-up-clinic"  # name
path = ""  # folder
"""
SEPARATE = """\
import os
from outcomes import read_records, release, select_cohort, summarise_change, tabulate_change
cohort = select_cohort(read_records(source, path), instrument="odi", timepoints=["month_6"])
# neither of the two knows of the other: only the audit reads both
run = os.environ.pop("OUTCOMES_RUN_DIR")
therapies = release(summarise_change(cohort), audience, k=k)
sites = release(summarise_change(cohort, by="site"), audience, k=k)
os.environ["OUTCOMES_RUN_DIR"] = run
"""


def publish_tables_apart(folder: Path) -> bool:
    """A notebook whose two tables do not know of each other, though only together they give a mean away."""
    import pandas as pd

    write_clinic(folder / "records", n_episodes=160, seed=4)
    path = folder / "records" / "episodes.csv"
    episodes = pd.read_csv(path, dtype="str")
    few = set(episodes["patient_id"].drop_duplicates().head(9))
    episodes["site"] = ["south" if one in few else "north" for one in episodes["patient_id"]]
    episodes.to_csv(path, index=False)
    (folder / "notebooks").mkdir()
    cells = [
        new_markdown_cell("# Which?"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(SEPARATE), new_markdown_cell("## Answer"),
        new_code_cell("tabulate_change(therapies)"), new_code_cell("tabulate_change(sites)"),
    ]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), folder / "notebooks" / "mine.ipynb")
    try:
        report = run_report("mine", {}, path="records")
    except DisclosureError as error:
        assert error.exit_code == 7
        return False
    cohort = select_cohort(
        read_records("made-up-clinic", folder / "records"), instrument="odi", timepoints=["month_6"]
    )
    found, _ = attack_page_means(report.folder, name_numbers(analyse(cohort) for analyse in BY_TWO))
    return bool(found)
