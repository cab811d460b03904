"""All reports of a clinic and the panel give one number under one name, for the same audience.

Every page is made as users make it; what is compared are the released rows beside it. A row is named by what
it is a number of: statistic, outcome, threshold, time point, and whose number it is - which therapy, site or
period, whether that is a group of the page or what the page was cut down to.
"""

from __future__ import annotations

from contextlib import chdir
from decimal import Decimal

import pandas as pd
import pytest

from outcomes.analyses import list_analyses, run_analysis
from outcomes.cohort import select_cohort
from outcomes.disclosure.released import RELEASE_COLUMNS
from outcomes.facts import read_instrument
from outcomes.panel import open_panel
from outcomes.panel.panes import INDIVIDUALS, list_steps
from outcomes.records import read_records
from outcomes.reports import run_report
from outcomes.synthetic import simulate_clinic, write_clinic

REAL = {
    "ashar-2022": "ashar-2022-back-pain",
    "verwoerd-2024": "verwoerd-2024-neck-pain",
    "nhs-proms-2018-19": "nhs-proms-2018-19-sample",
}
#: Those whose pages take minutes.
LARGE = ("verwoerd-2024", "nhs-proms-2018-19")
AUDIENCES = ("team", "stakeholder")
#: Terms that say of whom a number is; others name the column of the groups or the role of a period.
OF_WHOM = ("seen", "due")
#: What a page compares depends on all that it was made from: only whole pages of one question agree.
COMPARING = (
    "adjusted_improvement", "adjusted_share_improved", "funnel_limit", "funnel_limit_share", "control_limit",
    "control_limit_share", "position", "signal", "overdispersion", "n_sites", "contrast", "marginal_mean",
    "share_improved_standardised", "hedges_g", "smd", "max_smd", "check", "verdict", "residual_sd",
    "before", "after", "definitions", "new_episodes", "revised_records", "n_episodes_changed",
)  # fmt: skip


def list_pages(slices, audience):
    """Yield the reports with their parameters, and to what each is cut down."""
    yield "therapy_comparison", {}, {}
    yield "therapy_profile", {}, {}
    yield "site_benchmark", {}, {}
    yield "trend", {"every": "year"}, {}
    yield "site_benchmark", {"measured": "responders"}, {}
    if audience == "team":
        yield "therapy_comparison", {"timepoints": True}, {}
    if "therapy" in slices:
        yield "therapy_profile", {"therapy": slices["therapy"]}, {"therapy": slices["therapy"]}
    if "site" in slices:
        yield "therapy_comparison", {"site": slices["site"]}, {"site": slices["site"]}
    if "year" in slices:
        year = slices["year"]
        yield "therapy_comparison", {"since": f"{year}-01-01", "until": f"{year}-12-31"}, {"period": year}


def name_whose(report, row, cut):
    """Return whose number a row is; None where it is of all together in some other way."""
    kind = {"site_benchmark": "site", "trend": "period"}.get(report, "therapy")
    group = row["group"]
    if row["view"] in ("flow", "nonresponse") or (report in ("site_benchmark", "trend") and group == "all"):
        return ("as the page is cut", row["view"], group, *sorted(cut.items()))
    whose = dict(cut) if group in ("", "all") else {**cut, kind: group}
    return tuple(sorted(whose.items()))


def name_row(report, row, cut):
    term = row["term"]
    if report in ("site_benchmark", "trend") or term in ("therapy", "site"):
        term = ""
    if row["statistic"] == "share_improved" and not term:
        term = "seen"
    return (
        row["outcome"], row["statistic"], term, row["level"], row["versus"], row["timepoint"], row["x"],
        name_whose(report, row, cut),
    )  # fmt: skip


def collect(found, page, report, rows, cut):
    """Add the numbers of a page under their names: what is written, and the patients behind it."""
    for row in rows:
        whole = not cut and report == "therapy_comparison"
        told = row["display"] and row["estimate"]
        if not told or (row["statistic"] in COMPARING and not whole):
            continue
        if row["statistic"] == "share_improved" and report == "site_benchmark":
            row = {**row, "level": "", "x": ""}
        found.setdefault(name_row(report, row, cut), {})[page] = (row["display"], row["n"])


def read_rows(table):
    rows = table.astype("object").where(table.notna(), "").map(str).to_dict("records")
    return [dict.fromkeys(RELEASE_COLUMNS, "") | row for row in rows]  # a file leaves out empty columns


def make_pages(name, records, folder, slices, audience):
    """Make every page and the panel; return their numbers by name, and the rows of each page."""
    found, pages = {}, {}
    for report, parameters, cut in list_pages(slices, audience):
        if parameters.get("timepoints"):
            parameters = {"timepoints": [records.source.primary["timepoint"]]}
        made = run_report(report, {"source": name, "audience": audience, **parameters}, path=folder)
        path = made.folder / "results.csv"
        if not path.is_file():
            continue
        rows = read_rows(pd.read_csv(path, dtype=str, encoding="utf-8-sig"))
        page = " ".join([report, *map(str, parameters.values())])
        pages[page] = rows
        collect(found, page, report, rows, cut)
    panel = open_panel(records)
    panel.choose(audience=audience)
    for step in list_steps(panel.question):
        released = panel.answer.release(step)
        rows = [{**row, "view": step} for row in read_rows(released.table)]
        pages[f"panel {step}"] = rows
        collect(found, f"panel {step}", "therapy_comparison", rows, {})
    return found, pages


@pytest.fixture(
    scope="module",
    params=[
        "made-up-clinic",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ashar-2022", *LARGE)),
    ],
)
def clinic(request, tmp_path_factory):
    """A clinic: the name of its source, its records, their folder, and what to cut pages down to."""
    project = tmp_path_factory.mktemp("project")
    if request.param == "made-up-clinic":
        folder = project / "clinic"
        write_clinic(folder, n_episodes=500, seed=5)
    else:
        folder = request.getfixturevalue("shared") / "data" / REAL[request.param]
    records = read_records(request.param, folder, private_folder=project / "private")
    episodes = records.episodes
    largest = {
        name: episodes[name].value_counts().index[0]
        for name in ("therapy", "site")
        if episodes[name].notna().any()
    }
    years = pd.to_datetime(episodes["start_date"]).dt.year.value_counts()
    slices = largest | ({"year": str(years.index[0])} if len(years) else {})
    return project, request.param, records, folder, slices


@pytest.fixture(scope="module", params=AUDIENCES)
def made(request, clinic):
    project, name, records, folder, slices = clinic
    with chdir(project):
        return make_pages(name, records, folder, slices, request.param)


def test_one_name_has_one_number_on_every_page_and_in_the_panel(made):
    found, _ = made
    shared = {name: told for name, told in found.items() if len(told) > 1}
    assert len(shared) > 20, "numbers that stand on several pages"
    for part in (0, 1):  # what is written; the patients, where a page may say how many
        said = {name: {one[part] for one in told.values()} - {""} for name, told in shared.items()}
        assert not {name: shared[name] for name, values in said.items() if len(values) > 1}


def test_the_start_less_the_later_score_is_the_improvement_as_they_are_written(made):
    compared = 0
    for rows in made[1].values():
        places = {
            (row["view"], row["outcome"], row["group"], row["statistic"], row["timepoint"]): row
            for row in rows
            if row["estimate"]
        }
        for (view, outcome, group, statistic, time), row in places.items():
            if statistic != "mean_improvement":
                continue
            start = places.get((view, outcome, group, "mean_score", "baseline"))
            later = places.get((view, outcome, group, "mean_expected", time))
            if start and later:
                first, last, gain = (
                    Decimal(one["display"].replace("\N{MINUS SIGN}", "-")) for one in (start, later, row)
                )
                assert gain == (last - first) * int(read_instrument(outcome).sign)
                compared += 1
    assert compared > 5


@pytest.mark.parametrize("name", sorted({*list_analyses()} - {"data_quality", "since_last"}))
def test_which_time_points_are_shown_changes_no_number(name):
    records = simulate_clinic(260, seed=3)
    every, one = select_cohort(records), select_cohort(records, timepoints=["month_6"])
    assert one.shown == ("baseline", "month_6") and one.timepoints.keys() == every.timepoints.keys()
    whole, shown = (run_analysis(name, cohort).table for cohort in (every, one))
    kept = whole[whole["timepoint"].isna() | whole["timepoint"].isin(one.shown)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, shown)


def test_counts_beside_choices_are_the_patients_of_figure_and_table():
    """Of the measures, the therapies and the follow-ups: by the list, by the boxes and by the table."""
    panel = open_panel(simulate_clinic(300, seed=5))
    panel._count()

    def count(option):
        return int(option["note"].replace(" ", ""))

    start = panel.to_frame().query("timepoint == 'baseline'").set_index(["statistic", "group"])
    first = panel._controls.measure.options[0][0]
    assert f"{start.at[('mean_score', 'all'), 'n']:.0f}" in first
    for option in panel._controls.timepoints.options:
        rows = panel.to_frame().query("statistic == 'mean_expected' and group == 'all'")
        assert rows.set_index("timepoint").at[option["id"], "n"] == count(option)
        listed = {id: label for label, id in panel._controls.primary.options}
        assert option["note"] in listed[option["id"]]
    for option in panel._controls.therapies.options:
        assert start.at[("mean_score", option["id"]), "n"] == count(option)
        assert f" of {count(option)}" in panel.answer.show(INDIVIDUALS)[0].caption
