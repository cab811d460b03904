"""What a small clinic still sees: pages for stakeholders made of few patients, as a clinic makes them."""

from __future__ import annotations

import csv
import re
from contextlib import chdir
from dataclasses import dataclass

import html5lib
import pytest

from outcomes.reports import run_report
from small_clinics import write_small_clinic

THERAPIES = {
    2: ["manual_therapy", "usual_care"],
    3: ["strengthening", "manual_therapy", "usual_care"],
    4: ["strengthening", "manual_therapy", "combined_pt", "usual_care"],
}
CLINICS = [(25, 4), (40, 2), (40, 3), (60, 2), (90, 2), (90, 4)]
#: A reader finds a number in at least three of four cells of the tables. Before the detail was chosen and
#: rows of nothing were left out, 31 to 63 % of the cells of such pages were withheld.
LARGEST_WITHHELD = 0.25
INTERVAL = re.compile(r"\(?−?\d+\.\d to −?\d+\.\d\)?")


@dataclass(frozen=True)
class Page:
    text: str
    title: str
    answer: str
    cells: list[str]
    responders: list[str]
    rows: list[dict[str, str]]

    @property
    def withheld(self) -> float:
        return self.cells.count("withheld") / len(self.cells)


def read(report) -> Page:
    tree = html5lib.parse(report.page.read_text(encoding="utf-8"), namespaceHTMLElements=False)

    def say(element):
        return " ".join("".join(element.itertext()).split())

    answers = [part for part in tree.iter("section") if say(part).startswith("Answer")]
    tables = list(tree.iter("table"))
    with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return Page(
        say(tree.find("body")), say(next(tree.iter("h1"))), say(answers[0]),
        [cell for table in tables for cell in map(say, table.iter("td")) if cell],
        [say(cell) for table in tables if "Better by" in say(table) for cell in table.iter("td")],
        rows,
    )  # fmt: skip


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Make a page of a clinic once."""
    made = {}

    def run(n_patients, n_therapies, name="therapy_comparison", **parameters):
        key = (n_patients, n_therapies, name, *parameters.items())
        if key not in made:
            folder = tmp_path_factory.mktemp("project")
            clinic = write_small_clinic(folder / "clinic", n_patients, THERAPIES[n_therapies], seed=1)
            with chdir(folder):
                made[key] = read(run_report(name, {"audience": "stakeholder", **parameters}, path=clinic))
        return made[key]

    return run


@pytest.mark.parametrize(("n_patients", "n_therapies"), CLINICS)
def test_a_page_is_no_field_of_withheld_and_its_answer_holds_a_number(make, n_patients, n_therapies):
    page = make(n_patients, n_therapies)
    found = f"{page.cells.count('withheld')} of {len(page.cells)} cells withheld"
    print(f"{n_patients} patients, {n_therapies} therapies: {found} ({page.withheld:.0%})")
    assert page.withheld <= LARGEST_WITHHELD, found
    assert INTERVAL.search(page.answer), page.answer
    assert page.text.count("Nothing is shown here") <= 3


def test_sixty_patients_and_two_therapies_get_means_intervals_and_responder_shares(make):
    page = make(60, 2)
    shown = [row for row in page.rows if row["estimate"]]
    gained = [
        row for row in shown if row["statistic"] == "mean_improvement" and row["timepoint"] == "month_6"
    ]
    assert {row["group"] for row in gained} >= {"manual_therapy", "usual_care"}
    assert all(row["conf_low"] and row["conf_high"] for row in gained)
    # The ledger may hold back a mean beside what else the page tells of who was seen.
    scores = [row for row in shown if row["statistic"] in ("mean_score", "mean_expected")]
    assert all(
        sum(row["group"] == group for row in scores) >= 3 for group in ("manual_therapy", "usual_care")
    )
    assert INTERVAL.search(page.answer) and "Manual therapy: from" in page.answer
    assert "Usual care: " in page.answer and "Not shown" not in page.answer
    improved = [row for row in shown if row["statistic"] == "share_improved" and row["conf_low"]]
    rules = {row["level"] for row in page.rows if row["statistic"] == "share_improved"}
    assert len(rules) == 2 and {row["level"] for row in improved} == rules
    assert len([cell for cell in page.responders if re.match(r"\d+ % \(\d+ to \d+ %\)", cell)]) >= 2


def test_what_was_taken_together_is_said_where_it_changes_the_question(make):
    page = make(25, 4)
    assert page.title == "How did patients do, all therapies together?"
    assert (
        "All therapies are taken together (strengthening, manual therapy, combined, usual care)"
        in page.answer
    )
    assert (
        "fewer than two of them, or of the kinds that they are of, had 11 patients" in page.answer
        and "only one therapy" not in page.text.lower()
    )
    assert make(60, 2).title == "Which therapy goes with less disability?"
    assert "In how much detail?" not in make(60, 2).answer


def test_more_can_be_shown_with_a_smaller_k_and_the_page_names_both(make):
    assert make(40, 2).title == "How did patients do, all therapies together?"
    page = make(40, 2, k=5)
    assert page.title == "Which therapy goes with less disability?"
    assert "profile standard, with k = 5" in page.text
    assert "For this report k was set to 5, below the 11 of the profile." in page.text


@pytest.mark.parametrize(("n_patients", "n_therapies"), [(25, 2), (60, 2)])
def test_a_profile_of_all_domains_holds_numbers_too(make, n_patients, n_therapies):
    page = make(n_patients, n_therapies, "therapy_profile")
    assert page.withheld <= LARGEST_WITHHELD
    if n_patients == 25:
        assert "All therapies are taken together" in page.answer and "95 % interval" in page.answer


@pytest.mark.parametrize(
    ("name", "said"), [("trend", "such as whole years"), ("site_benchmark", "Fewer than 3 sites")]
)
def test_other_pages_of_a_small_clinic_say_why_they_show_nothing(make, name, said):
    assert said in make(25, 2, name).answer
