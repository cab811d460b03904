"""The k report counts patients, takes a missing value for a value, and measures what merging would do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.cli.checking import describe_records, print_description
from outcomes.errors import FactsError, PrivacyError
from outcomes.facts import read_source
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.gate.anonymity import measure_anonymity, report_anonymity

TRAITS = ("age_band", "sex", "site")


def make_source(**content):
    file = {"path": "*", "rows": "episode", "columns": {"patient_id": "id"}}
    return build_source(
        {"name": "k", "label": "k", "quasi_identifiers": TRAITS, "file": [file], **content}, "k.toml"
    )


def make_episodes(rows):
    """Return episodes of rows of patient, age band, sex and site."""
    table = pd.DataFrame(rows, columns=["patient_id", *TRAITS]).astype("str").replace("-", np.nan)
    return table.assign(episode_id=[f"E{n}" for n in range(len(table))])


NO_SCORES = pd.DataFrame(columns=["episode_id", "timepoint", "day", "instrument", "variant", "score"])


def measure(rows, assessments=NO_SCORES, **content):
    return measure_anonymity(make_episodes(rows), assessments, make_source(**content))


#: Six women of 40-49 at A, three men of 50-59 at A, one whose sex is missing, one alone at B.
BY_HAND = [
    *((f"W{n}", "40-49", "female", "A") for n in range(6)),
    *((f"M{n}", "50-59", "male", "A") for n in range(3)),
    ("X", "40-49", "-", "A"),
    ("Y", "50-59", "male", "B"),
]


def test_figures_of_a_table_by_hand():
    found = measure(BY_HAND)
    assert (found.n_patients, found.smallest) == (11, 1)
    assert found.below == {2: 2, 5: 5, 11: 11}
    assert found.average_risk == pytest.approx(
        (6 / 6 + 3 / 3 + 1 + 1) / 11
    )  # four groups over eleven patients
    assert found.largest_risk == 1
    assert found.least_diversity is None and found.n_alike_outcome is None


def test_patients_count_not_rows():
    rows = [row for row in BY_HAND for _ in range(5)]
    assert dataclasses.replace(measure(rows), advice=()) == dataclasses.replace(measure(BY_HAND), advice=())


def test_a_patient_counts_with_the_most_telling_of_her_episodes():
    found = measure([*BY_HAND, ("W0", "40-49", "female", "C")])
    assert found.n_patients == 11
    assert found.below[2] == 3  # W0 is now alone at C, whatever her other episode says


def test_a_missing_value_is_a_value():
    rows = [(f"P{n}", "40-49", "-", "A") for n in range(12)]
    assert measure(rows).smallest == 12
    assert measure([*rows, ("P99", "40-49", "female", "A")]).smallest == 1


def test_ages_stand_for_bands_and_dates_for_years():
    episodes = make_episodes(BY_HAND).drop(columns="age_band")
    episodes["age_years"] = [*range(40, 46), 50, 51, 52, 47, 59]
    episodes["start_date"] = pd.to_datetime(["2025-03-01"] * 10 + ["2026-01-01"])
    source = make_source(quasi_identifiers=["age_band", "sex", "start_year"])
    found = measure_anonymity(episodes, NO_SCORES, source)
    assert found.traits == ("age_band", "sex", "start_year")
    assert found.below == {2: 2, 5: 5, 11: 11}


def test_advice_is_measured():
    ages = [f"{20 + 10 * (n % 4)}-{29 + 10 * (n % 4)}" for n in range(40)]
    found = measure([(f"P{n}", age, "female", "A") for n, age in enumerate(ages)])
    assert found.n_small == 40  # four decades of ten
    assert {entry["what"]: entry["left"] for entry in found.advice} == {
        "age_band in steps of 20": 0,
        "without age_band": 0,
    }


def test_rare_values_are_merged_only_where_that_helps():
    sites = ["A"] * 30 + [f"S{n}" for n in range(12)]
    found = measure([(f"P{n}", "40-49", "female", site) for n, site in enumerate(sites)])
    told = {entry["what"]: entry["left"] for entry in found.advice}
    assert told["the 12 rare values of site as one"] == 0
    assert "without sex" not in told  # nothing would change


def test_outcomes_that_a_group_tells_are_counted():
    scores = [(f"E{n}", day, "odi", None, score) for n in range(11) for day, score in ((0, 60), (90, 20))]
    assessments = pd.DataFrame(scores, columns=["episode_id", "day", "instrument", "variant", "score"])
    assessments["timepoint"] = pd.Series([None] * len(scores), dtype="object")
    primary = {"instrument": "odi", "timepoint": "month_3"}
    found = measure(BY_HAND, assessments, primary=primary)
    assert (found.least_diversity, found.n_alike_outcome) == (1, 9)  # the six women and the three men
    assessments.loc[1, "score"] = 90  # one of the women got worse
    assert measure(BY_HAND, assessments, primary=primary).n_alike_outcome == 3


def test_it_warns_below_k_min_and_the_strict_profile_refuses():
    rows = [(f"P{n}", "40-49", "female", "A") for n in range(20)]
    four = [(f"Q{n}", "50-59", "male", "A") for n in range(4)]
    local, strict = make_source(), make_source(privacy_profile="strict", k_min=0)

    def report(rows, source):
        return report_anonymity(measure_anonymity(make_episodes(rows), NO_SCORES, source), source, "a.csv")

    assert report(rows, local) is None and report(rows, strict) is None
    old = [(f"Q{n}", "50-59", "female", "A") for n in range(4)]
    found = report([*rows, *old], local)
    assert found.outcome == "accept_with_warning" and "without age_band would leave 0" in str(found.remedy)
    assert "would leave" not in str(report(four, local).remedy)  # four patients in all: nothing helps
    with pytest.raises(PrivacyError, match="refuses groups below 5") as caught:
        report([*rows, *four], strict)
    assert caught.value.exit_code == 4
    many = [(f"R{n}", "40-49", "male", f"S{n // 20}") for n in range(140)]
    six = [(f"Q{n}", "50-59", "male", "A") for n in range(6)]
    assert report([*many, *rows, *six], strict) is None  # 6 of 166 in a group below 11
    with pytest.raises(PrivacyError, match="more than 5% in groups below 11"):
        report([*rows, *six], strict)


def test_unknown_traits_are_refused_with_the_nearest():
    file = [{"path": "*.csv", "rows": "episode", "columns": {"patient_id": "id"}}]
    content = {"name": "k", "label": "k", "file": file, "quasi_identifiers": ["age_bands"]}
    with pytest.raises(FactsError, match="did you mean 'age_band'"):
        read_records(build_source(content, "k.toml"), ".")


def test_check_tells_the_team_what_is_alike_and_what_would_help(tmp_path, monkeypatch, capsys):
    from outcomes.synthetic import write_clinic

    monkeypatch.chdir(tmp_path)
    write_clinic(tmp_path / "records", n_episodes=120, seed=4)
    records = read_records(
        read_source("made-up-clinic"), tmp_path / "records", private_folder=tmp_path / "private"
    )
    print_description(describe_records(records))
    told = capsys.readouterr().out
    for piece in (
        "Patients who are alike by age, sex",
        "have fewer than 10 others like them",
        "without age_band",
    ):
        assert piece in told


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 15),
            st.sampled_from(["40-49", "50-59", "-"]),
            st.sampled_from(["f", "m"]),
            st.just("A"),
        ),
        min_size=1,
        max_size=40,
    ),
    seed=st.integers(0, 99),
)
def test_each_patient_is_counted_by_definition_whatever_the_order(rows, seed):
    episodes = make_episodes(rows)
    found = measure_anonymity(episodes, NO_SCORES, make_source())
    who = episodes.fillna("-").groupby(list(TRAITS))["patient_id"].unique()
    size = {
        patient: min(len(group) for group in who if patient in group) for patient in episodes["patient_id"]
    }
    assert found.n_patients == len(size)
    assert found.below == {k: sum(number < k for number in size.values()) for k in (2, 5, 11)}
    assert found.average_risk == pytest.approx(np.mean([1 / number for number in size.values()]))
    shuffled = episodes.sample(frac=1, random_state=seed)
    assert measure_anonymity(shuffled, NO_SCORES, make_source()).below == found.below
    assert all(entry["left"] < found.n_small for entry in found.advice)
