"""A page for stakeholders depends on what it says alone: no other cell of the records, and no order of rows.

Whoever knows all records but one value must not be able to try values until a page or a file beside it
comes out the same: nothing published may depend on a value that is in none of its numbers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from made_pages import make_page, work_in

from outcomes.reports import report as report_module
from outcomes.reports.page import build_page
from outcomes.synthetic import write_clinic

OTHERS = ("therapy_profile", "site_benchmark", "trend", "data_quality")
#: The value that is changed: of a test of strength, which no page about disability speaks of.
COLUMN = "sorensen_s"


def shuffle(lines: list[str]) -> list[str]:
    random.Random(5).shuffle(lines)
    return lines


def change_one(lines: list[str], column: int) -> list[str]:
    """Let one patient hold out a second longer."""
    place = next(number for number, line in enumerate(lines) if line.split(",")[column].isdigit())
    cells = lines[place].split(",")
    cells[column] = str(int(cells[column]) + 1)
    return [*lines[:place], ",".join(cells), *lines[place + 1 :]]


def publish(folder: Path, change: Callable[[str, str, list[str]], list[str]], report: str) -> dict:
    """Make the pages of a clinic whose files were changed, and return every published file by its name."""
    with work_in(folder):
        write_clinic(Path("records"), n_episodes=100, seed=4)
        for path in Path("records").glob("*.csv"):
            header, *lines = path.read_text(encoding="utf-8").splitlines()
            lines = change(path.stem, header, lines)
            path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
        make_page(report)
        return {
            path.relative_to("pages").as_posix(): path.read_bytes()
            for path in sorted(Path("pages").rglob("*"))
            if path.is_file()
        }


def as_it_is(stem: str, header: str, lines: list[str]) -> list[str]:
    return lines


def changed(stem: str, header: str, lines: list[str]) -> list[str]:
    """Let the rows of each file stand in another order, and one value be another."""
    if stem == "assessments":
        lines = change_one(lines, header.split(",").index(COLUMN))
    return shuffle(lines)


def find_differing(folder: Path, report: str) -> list[str]:
    """Return the names of published files that differ between the two clinics."""
    made = publish(folder / "one", as_it_is, report)
    again = publish(folder / "other", changed, report)
    assert made and list(made) == list(again)
    return [name for name, content in made.items() if content != again[name]]


@pytest.mark.parametrize(
    "report", ["therapy_comparison", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_neither_order_nor_an_unpublished_value_changes_a_byte(tmp_path, report):
    assert find_differing(tmp_path, report) == []


@pytest.mark.slow
def test_a_page_that_names_its_records_would_differ(tmp_path, monkeypatch):
    """The teeth of the test above."""

    def build(*given):
        *before, _, words = given
        records = hashlib.sha256(Path("records/assessments.csv").read_bytes()).hexdigest()
        return build_page(*before, records, words)

    monkeypatch.setattr(report_module, "build_page", build)
    assert any(name.endswith(".html") for name in find_differing(tmp_path, "therapy_comparison"))
