"""Where therapies are not comparable, no page, no file beside it and no panel compares them, for anybody."""

from __future__ import annotations

import csv
import math
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "attack"))
from searching import find_planted

from outcomes import (
    check_model,
    compare_at_timepoints,
    compare_over_time,
    estimate_effect_sizes,
    list_headline,
    read_records,
    select_cohort,
    simulate_clinic,
    standardise_responders,
    write_clinic,
)
from outcomes.cli.analysing import run_named
from outcomes.cohort import take_snapshot
from outcomes.disclosure import MINUS
from outcomes.panel import open_panel
from outcomes.panel.panes import list_in_front
from outcomes.reports import list_reports, run_report
from outcomes.reports.archive.snapshots import write_snapshot
from panel_texts import read_texts

#: Statistics that compare therapies; `smd` says how they differed at the start.
COMPARING = (
    "contrast",
    "marginal_mean",
    "share_improved_standardised",
    "hedges_g",
    "alternative_contrast",
    "f_test",
)
TEAM_ONLY = {"data_quality", "model_checks"}
#: Each clinic with the reports that are made of it.
STRONG = {"n_episodes": 400, "confounding": "strong"}
CLINICS = {
    "confounded": (STRONG, ["model_checks", "therapy_comparison"]),
    "small": ({"n_episodes": 150, "confounding": "none"}, ["therapy_comparison"]),
    "every report": (STRONG, sorted(list_reports())),
}


def list_numbers(cohort) -> set[str]:
    """Return what tells of differences in the numbers of the analyses: whole, and as pages write them.

    Intervals with one and two decimals, short ones left out because others are the same by chance, and all
    digits of estimates, ends and p-values.
    """
    made = [compare_over_time(cohort), compare_at_timepoints(cohort), check_model(cohort)]
    made += [standardise_responders(cohort), estimate_effect_sizes(cohort)]
    found = set()
    for result in made:
        for row in result.where(statistic=list(COMPARING)).table.to_dict("records"):
            numbers = [row[name] for name in ("estimate", "conf_low", "conf_high", "p_value")]
            found |= {
                repr(float(value))[:12] for value in numbers if math.isfinite(value) and value not in (0, 1)
            }
            if math.isnan(row["conf_low"]):
                continue
            low, high, factor = row["conf_low"], row["conf_high"], 1
            if row["unit"] == "proportion":
                factor = 100
            for decimals in (2,) if row["unit"] == "sd" else (1, 2):  # as effects are written
                ends = [f"{factor * end:.{decimals}f}" for end in (low, high)]
                found |= {f"{ends[0]} to {ends[1]}", f"{ends[0]} to {ends[1]}".replace("-", MINUS)}
    return {text for text in found if len(text) > 10}


@pytest.fixture(
    scope="module",
    params=[
        "confounded",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("small", "every report")),
    ],
)
def clinic(request, tmp_path_factory):
    """A clinic whose therapies are not comparable, and what the analyses say of their differences."""
    folder, (options, names) = tmp_path_factory.mktemp(request.param), CLINICS[request.param]
    write_clinic(folder / "data" / "raw" / "made-up-clinic", seed=5, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        records = read_records("made-up-clinic")
    cohort = select_cohort(records)
    numbers = list_numbers(cohort)
    assert compare_over_time(cohort).comparable is False and len(numbers) > 50
    return folder, records, numbers, names


def read_statistics(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["statistic"] for row in csv.DictReader(file)}


def test_no_page_and_no_file_beside_it_compares(clinic, monkeypatch):
    folder, _, numbers, names = clinic
    monkeypatch.chdir(folder)
    for name in names:
        for audience in ["team"] if name in TEAM_ONLY else ["team", "stakeholder"]:
            report = run_report(name, {"audience": audience})
            tables = report.folder / "results.csv"
            assert not tables.is_file() or not read_statistics(tables) & set(COMPARING)
            if name == "therapy_comparison":
                text = report.page.read_text(encoding="utf-8")
                assert "Therapies are not compared, because" in text
                assert "all pairs are compared" not in text, "the methods tell of no model that is not shown"
    assert not find_planted(folder / "reports", numbers)
    assert not list(folder.glob("reports/**/*forest*")) and not list(folder.glob("reports/**/*marginal*"))


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_no_pane_of_the_panel_compares(audience, clinic, monkeypatch, tmp_path):
    folder, records, numbers, _ = clinic
    monkeypatch.chdir(folder)
    panel = open_panel(records)
    panel.choose(audience=audience)
    panel.finish()
    for pane in list_in_front(panel.answer.question):
        for number, view in enumerate(panel.answer.show(pane)):
            (tmp_path / f"{pane}-{number}.html").write_text(str(getattr(view, "html", "")), encoding="utf-8")
    for place, text in read_texts(panel).items():
        (tmp_path / f"{place}.html").write_text(text, encoding="utf-8")
    assert not find_planted(tmp_path, numbers)
    assert "not comparable on what was recorded" in (tmp_path / "comparison-1.html").read_text(
        encoding="utf-8"
    )


def test_what_a_release_keeps_for_the_next_one_holds_no_difference(clinic, tmp_path):
    _, records, numbers, _ = clinic
    cohort = select_cohort(records)
    headline = list_headline(cohort).table
    assert len(headline) and not set(headline["statistic"]) & set(COMPARING)
    kept = write_snapshot(take_snapshot(cohort, headline), tmp_path / "snapshot.zip")
    with zipfile.ZipFile(kept) as archive:
        archive.extractall(tmp_path)
    assert not find_planted(tmp_path, numbers)


def test_the_command_line_gives_them_to_the_team_alone(clinic, monkeypatch):
    monkeypatch.chdir(clinic[0])
    shown = {
        audience: set(run_named("over_time", "made-up-clinic", None, {}, {}, audience)[0].table["statistic"])
        for audience in ("team", "stakeholder")
    }
    assert "contrast" in shown["team"] and not shown["stakeholder"] & set(COMPARING)


def test_the_headline_of_comparable_therapies_has_their_differences():
    records = simulate_clinic(300, seed=2)
    cohort = select_cohort(replace(records, source=replace(records.source, design="randomised")))
    assert "contrast" in set(list_headline(cohort).table["statistic"])
