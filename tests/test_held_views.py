"""How numbers of an earlier edition look: marked in tables and sentences, dated in figures and files."""

from __future__ import annotations

import io
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest

from outcomes.analyses import (
    check_comparability,
    compare_over_time,
    compare_sites,
    monitor_periods,
    standardise_responders,
    summarise_change,
)
from outcomes.cohort import select_cohort
from outcomes.disclosure import open_page, release
from outcomes.disclosure.ledger import Edition, open_ledger
from outcomes.disclosure.page_context import hand_ledger, name_run_folder
from outcomes.records import read_records
from outcomes.reports.exports import build_exports
from outcomes.views import (
    draw_forest,
    draw_trajectory,
    say_answer,
    say_methods,
    tabulate_change,
    tabulate_contrasts,
)

DAY = "2025-12-31"


def leave_out(records, n_less):
    """Return the records without a few patients, who were followed for long."""
    patients = records.episodes["patient_id"].astype("str")
    left = set(sorted(patients.unique())[:n_less])
    ids = set(records.episodes.loc[~patients.isin(left), "episode_id"].astype("str"))
    tables = {}
    for name in ("episodes", "assessments", "sessions", "events"):
        table = getattr(records, name)
        tables[name] = table[table["episode_id"].astype("str").isin(ids)].reset_index(drop=True)
    return replace(records, **tables)


ANALYSES = (
    summarise_change, compare_over_time, standardise_responders, check_comparability, compare_sites,
    monitor_periods,
)  # fmt: skip


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Two editions of a page, the second with eight more patients: releases by the analysis' name."""
    root = tmp_path_factory.mktemp("project")
    records, shown = read_records("made-up-clinic"), []
    with pytest.MonkeyPatch.context() as patch, open_ledger(root / ".outcomes") as ledger:
        for number, held in enumerate([leave_out(records, 8), records]):
            day = DAY if not number else "2026-03-31"
            edition = Edition(f"run{number}", "r", "page", series="s", slot=str(number), made=day)
            (root / edition.id).mkdir()
            hand_ledger(root / ".outcomes", edition, root / edition.id)
            for name, value in name_run_folder(root / edition.id).items():
                patch.setenv(name, value)
            cohort, page = select_cohort(held), open_page()
            shown.append({result.name: release(result, page) for result in (f(cohort) for f in ANALYSES)})
            ledger.enter(edition, list(shown[-1].values()))
            assert ledger.check(edition.id) == []
            ledger.prepare(edition.id, "A. Nurse", day)
            ledger.settle(edition.id)
    return shown


def test_the_second_edition_shows_numbers_of_the_first(editions):
    first, second = (page["over_time"].table for page in editions)
    both = first.merge(second, on=["statistic", "group", "versus", "timepoint"], suffixes=("", "_later"))
    marked = both[both["as_of_later"].notna() & both["shown"]]
    assert len(marked) > 20 and set(marked["as_of_later"]) == {DAY}
    assert (marked["estimate"] == marked["estimate_later"]).all()
    assert (marked["display"] + "†" == marked["display_later"]).all()


def test_tables_sentences_and_figures_say_which_edition(editions):
    second = editions[1]
    change, contrasts = second["change"], second["over_time"]
    answer = say_answer(change, contrasts, second["standardised"], second["comparability"])
    assert "†" in answer.html and f"† of an earlier edition ({DAY}); see Methods." in answer.html
    table = tabulate_contrasts(contrasts)
    assert "†" in table.html and f"earlier edition ({DAY})" in table.caption
    for figure in (draw_trajectory(change), draw_forest(contrasts)):
        assert f"Some of what is shown here is of an earlier edition ({DAY})" in figure.caption
    methods = say_methods(change, contrasts).html
    assert "Numbers marked †" in methods and "it follows once there are enough" in methods


def test_a_first_edition_has_no_mark(editions):
    first = editions[0]
    change, contrasts = first["change"], first["over_time"]
    for view in (say_answer(change, contrasts), tabulate_contrasts(contrasts), draw_forest(contrasts),
                 say_methods(change, contrasts)):  # fmt: skip
        assert "†" not in view.html and "earlier edition" not in view.html


def test_files_beside_a_page_give_the_day(editions):
    files = build_exports([tabulate_change(editions[1]["change"])])
    table = pd.read_csv(io.BytesIO(files["results.csv"]), dtype=str)
    assert set(table["as_of"].dropna()) == {DAY} and table["as_of"].isna().any()
    sheet = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).worksheets[1]
    header = [cell.value for cell in sheet[1]]
    assert DAY in [row[header.index("as_of")].value for row in sheet.iter_rows(min_row=2)]


def test_limits_and_findings_of_sites_and_periods_are_of_one_edition(editions):
    """Funnel and control limits rest on everybody: with a few newcomers all are of the first edition."""
    sites, periods = (editions[1][name].table for name in ("site_funnel", "trend"))
    funnel = sites[sites["statistic"].isin(["adjusted_improvement", "funnel_limit", "position"])]
    assert len(funnel) and set(funnel["as_of"]) == {DAY}
    limits = periods[periods["statistic"] == "control_limit"]
    assert len(limits) and set(limits["as_of"]) == {DAY}
