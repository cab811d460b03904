"""Profiles: k and rounding as their sources ask, named on the page; k never below what a profile allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outcomes import read_records, select_cohort, simulate_clinic
from outcomes.analyses import list_analyses, monitor_periods, run_analysis, summarise_change
from outcomes.disclosure import read_rules, release
from outcomes.errors import DisclosureError, FactsError
from outcomes.facts import read_facts
from outcomes.facts.source import build_source
from outcomes.result import Origin, build_result
from outcomes.views import say_methods

PROFILES = read_facts("disclosure")["profiles"]


def people(n, start=0):
    return np.arange(start, start + n)


def share(n_with, n, profile, statistic="share_improved", **options):
    """Release one share under a profile and return its row."""
    members = people(n)
    sets = {"all": members, "with": members[:n_with], "without": members[n_with:]}
    row = {
        "outcome": "odi", "statistic": statistic, "group": "usual_care", "estimate": n_with / n, "n": n,
        "unit": "proportion", "timepoint": "month_6",
    }  # fmt: skip
    result = build_result(
        "responders", [row], method="", support=[sets], origin=Origin(disclosure_profile=profile)
    )
    return release(result, **options).table.iloc[0]


@pytest.mark.parametrize(
    ("profile", "k", "lowest"),
    [("standard", 11, 5), ("nhs", 8, 8), ("opensafely", 8, 8), ("safe_harbor", 11, 5)],
)
def test_a_profile_has_its_k_and_a_lowest_one(profile, k, lowest):
    assert read_rules(profile=profile).k == k
    assert read_rules(lowest, profile).k == lowest and read_rules(40, profile).k == 40
    with pytest.raises(DisclosureError, match=f"{lowest} or more"):
        read_rules(lowest - 1, profile)
    assert PROFILES[profile]["source"] and lowest >= 5


def test_there_is_no_profile_that_is_not_declared():
    with pytest.raises(DisclosureError, match="standard, nhs, opensafely, safe_harbor"):
        read_rules(profile="cms")
    with pytest.raises(FactsError, match="disclosure_profile = 'cms' is not one of 'standard'"):
        build_source(
            {
                "name": "a",
                "label": "a",
                "disclosure_profile": "cms",
                "file": [{"path": "a", "rows": "episode"}],
            },
            "a.toml",
        )


@pytest.mark.parametrize(
    ("profile", "shown"), [("standard", False), ("nhs", True), ("opensafely", True), ("safe_harbor", False)]
)
def test_eight_patients_are_enough_where_the_source_says_so(profile, shown):
    assert share(8, 30, profile)["shown"] == shown
    assert not share(7, 30, profile)["shown"]


@pytest.mark.parametrize(
    ("n_with", "n", "true", "of_rounded"),
    [
        (67, 130, "52 %", "50 %"),  # 65 of 130
        (68, 132, "52 %", "54 %"),  # 70 of 130 is 53.8 %
        (22, 63, "35 %", "30 %"),  # 20 of 65 is 30.8 %, to the nearest 5
    ],
)
def test_percentages_come_from_rounded_counts_where_the_source_asks_for_it(n_with, n, true, of_rounded):
    assert share(n_with, n, "standard")["display"] == true
    assert share(n_with, n, "nhs")["display"] == share(n_with, n, "opensafely")["display"] == of_rounded


def test_a_share_that_a_model_gives_is_no_quotient_of_counts():
    members = people(130)
    row = {
        "outcome": "odi", "statistic": "share_improved_standardised", "group": "a", "estimate": 67 / 130,
        "n": 130, "unit": "proportion",
    }  # fmt: skip
    result = build_result(
        "standardised", [row], method="", support=[{"all": members}], comparable=True,
        origin=Origin(disclosure_profile="nhs"),
    )  # fmt: skip
    assert release(result).table["display"].tolist() == ["52 %"]


def of_profile(name):
    records = simulate_clinic(300, seed=4)
    return replace(records, source=replace(records.source, disclosure_profile=name))


def test_safe_harbor_lets_no_period_leave_that_is_finer_than_a_year():
    cohort = select_cohort(of_profile("safe_harbor"))
    for every in ("month", "quarter"):
        with pytest.raises(DisclosureError, match="finer than a year"):
            release(monitor_periods(cohort, every=every))
        assert len(release(monitor_periods(cohort, every=every), "team").table), (
            "the team reads its own dates"
        )
    years = release(monitor_periods(cohort, every="year")).table["group"]
    assert {len(str(year)) for year in set(years) - {"all"}} == {4}
    assert len(release(monitor_periods(select_cohort(of_profile("standard")), every="month")).table)


def test_the_source_names_the_profile_and_the_page_says_it():
    change = release(summarise_change(select_cohort(of_profile("opensafely"))))
    assert change.k == 8 and change.origin.disclosure_profile == "opensafely"
    text = say_methods(change).alt
    assert "profile OpenSAFELY, with k = 8" in text and "7 or fewer are redacted" in text
    assert "k was set" not in text
    raised = say_methods(release(summarise_change(select_cohort(of_profile("nhs"))), k=20)).alt
    assert "For this report k was set to 20, above the 8 of the profile." in raised


def test_every_result_carries_the_profile_of_its_source():
    records = of_profile("nhs")
    cohort = select_cohort(records)
    missing = []
    for name in list_analyses():
        if name in ("model_checks", "important_change", "measurement_error", "regression_to_mean"):
            continue  # for the team alone, or made from what this clinic does not declare
        result = run_analysis(name, records if name == "data_quality" else cohort)
        missing += [] if result.origin.disclosure_profile == "nhs" else [name]
    assert not missing


def test_what_may_be_read_and_what_may_leave_are_two_keys(tmp_path):
    """A clinic reads its dates, and publishes by Safe Harbor."""
    (tmp_path / "a.csv").write_text(
        "id,first,therapy,score,later\n1,2026-01-05,usual care,40,20\n", encoding="utf-8"
    )
    scores = [
        {"instrument": "odi", "column": "score", "timepoint": "baseline"},
        {"instrument": "odi", "column": "later", "timepoint": "month_3"},
    ]
    columns = {"patient_id": "id", "start_date": "first", "therapy": "therapy"}
    content = {
        "name": "a", "label": "a", "disclosure_profile": "safe_harbor",
        "file": [{"path": "a.csv", "rows": "episode", "columns": columns, "scores": scores}],
    }  # fmt: skip
    source = build_source(content, "a.toml", tmp_path)
    assert (source.privacy_profile, source.disclosure_profile) == ("local", "safe_harbor")
    assert read_records(source).episodes["start_date"].notna().all()
