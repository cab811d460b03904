"""The shipped sources read real, openly licensed records to the figures that were published from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from outcomes.records import read_records


@pytest.fixture(scope="module")
def read(shared, tmp_path_factory):
    """Read a source from its folder of outside data."""
    private = tmp_path_factory.mktemp("private")

    def read_source_records(name: str, folder: str):
        records = read_records(name, shared / "data" / folder, private_folder=private)
        assert records.n_read == records.n_accepted + records.n_refused
        return records

    return read_source_records


def summarise(records, instrument: str, by: str) -> pd.DataFrame:
    """Return n, mean and SD of the scores that no exclusion takes out."""
    scores = records.to_frame()
    scores = scores[scores["excluded"].isna() & (scores["instrument"] == instrument)]
    return scores.groupby([by, "timepoint"], observed=True)["score"].agg(["count", "mean", "std"])


@pytest.fixture(scope="module")
def ashar(read):
    return read("ashar-2022", "ashar-2022-back-pain")


# Ashar 2022, JAMA Psychiatry 79:13, Table 2, after therapy.
@pytest.mark.parametrize(
    ("instrument", "therapy", "n", "mean", "sd"),
    [
        ("nprs", "pain_reprocessing", 44, 1.18, 1.24),
        ("nprs", "placebo", 44, 2.84, 1.64),
        ("nprs", "usual_care", 47, 3.13, 1.45),
        ("odi", "pain_reprocessing", 44, 10.14, 10.63),
        ("odi", "placebo", 44, 19.00, 11.07),
        ("odi", "usual_care", 47, 20.68, 10.68),
    ],
)
def test_ashar_after_therapy_as_published(ashar, instrument, therapy, n, mean, sd):
    found = summarise(ashar, instrument, "therapy").loc[(therapy, "post")]
    assert int(found["count"]) == n
    assert found["mean"] == pytest.approx(mean, abs=0.005)
    assert found["std"] == pytest.approx(sd, abs=0.005)


def test_ashar_leaves_out_healthy_controls_and_counts_them(ashar):
    excluded = ashar.episodes["excluded"].value_counts()
    assert excluded.to_dict() == {"healthy control without back pain": 54}
    randomised = ashar.episodes[ashar.episodes["excluded"].isna()]["therapy"].value_counts()
    assert randomised.to_dict() == {"placebo": 51, "pain_reprocessing": 50, "usual_care": 50}


def test_ashar_refuses_the_one_patient_whose_arm_is_blank(ashar):
    assert (ashar.n_read, ashar.n_refused) == (341, 1)
    assert ashar.refused["rule"].tolist() == ["THERAPY_MISSING"]


def test_ashar_has_global_change_after_therapy_only_and_one_as_best(ashar):
    change = summarise(ashar, "pgic7", "therapy")
    assert set(change.index.get_level_values("timepoint")) == {"post"}
    assert change["mean"].idxmin() == ("pain_reprocessing", "post")


def test_verwoerd_as_measured_and_impossible_bmi_refused_as_cells(read):
    records = read("verwoerd-2024", "verwoerd-2024-neck-pain")
    found = summarise(records, "nprs", "therapy").droplevel("therapy")
    assert found.index.tolist() == ["baseline", "week_6", "month_3", "month_6"]
    assert found["count"].tolist() == [603, 449, 379, 391]
    assert found["mean"].tolist() == pytest.approx([5.93, 2.59, 1.98, 1.48], abs=0.005)
    assert found["std"].tolist() == pytest.approx([1.86, 2.61, 2.59, 2.40], abs=0.005)
    assert (records.n_read, records.n_refused) == (603, 0)
    refused = records.refused
    assert refused[["rule", "scope", "line"]].to_numpy().tolist() == [
        ["BMI_RANGE", "cell", 174],
        ["BMI_RANGE", "cell", 502],
    ]
    assert records.episodes["bmi"].between(12, 50).sum() == 589
    assert records.episodes["sex"].value_counts().to_dict() == {"female": 397, "male": 206}
    assert records.episodes["therapist"].nunique() == 94


@pytest.fixture(scope="module")
def nhs(read):
    return read("nhs-proms-2018-19", "nhs-proms-2018-19-sample")


def pair_scores(records, instrument: str) -> pd.DataFrame:
    scores = records.to_frame()
    scores = scores[scores["excluded"].isna() & (scores["instrument"] == instrument)]
    pairs = scores.pivot(index=["site", "episode_id"], columns="timepoint", values="score")
    return pairs.dropna().reset_index("site")


def test_nhs_knee_gain_of_a_commissioner_as_published(nhs):
    pairs = pair_scores(nhs, "oks")
    pairs = pairs[pairs["site"] == "00C"]
    # published_organisation_figures_1819.csv: Knee Replacement Primary, 00C: 69 modelled records, 18.0435.
    assert len(pairs) == 69
    assert (pairs["month_6"] - pairs["baseline"]).mean() == pytest.approx(18.0435, abs=5e-5)


def test_nhs_scores_of_the_items_are_the_published_scores(nhs, shared):
    differing = [finding for finding in nhs.findings if finding.rule.startswith("SCORE_TOTAL")]
    assert differing == []
    published = [
        pd.read_csv(shared / "data" / "nhs-proms-2018-19-sample" / f"{joint}_Replacement_1819.csv")
        for joint in ("Knee", "Hip")
    ]
    totals = [
        frame.filter(regex=f"Replacement {visit} Q Score").notna().sum().sum()
        for frame in published
        for visit in ("Pre-Op", "Post-Op")
    ]
    oxford = nhs.assessments[nhs.assessments["instrument"].isin(["oks", "ohs"])]
    assert oxford["score"].notna().sum() == sum(totals)


def test_nhs_codes_for_missing_never_become_scores(nhs):
    by_instrument = nhs.assessments.groupby("instrument", observed=True)["score"]
    assert by_instrument.max().to_dict() == {"oks": 48, "eq5d_3l": 1, "eq_vas": 100, "ohs": 48}
    assert nhs.episodes["excluded"].notna().sum() == 39 + 77
    assert nhs.episodes["sex"].isna().sum() == 25 + 34
    assert nhs.episodes["patient_id"].nunique() == nhs.n_read == 3386


def test_nhs_improvement_is_positive_where_higher_is_better(nhs):
    pairs = pair_scores(nhs, "oks")
    assert np.mean(pairs["month_6"] > pairs["baseline"]) > 0.9


def test_ashar_has_its_questionnaires_of_thoughts_about_pain_and_of_fear_of_movement(ashar, shared):
    path = shared / "data" / "ashar-2022-back-pain" / "Ashar2022_outcomes_demographics.csv"
    own = pd.read_csv(path, na_values=["<undefined>"]).query("is_patient == 1 and group > 0")
    for instrument, (low, high) in {"pcs": (0, 52), "tsk11": (11, 44)}.items():
        found = summarise(ashar, instrument, "therapy").groupby("timepoint", observed=True)["count"].sum()
        assert (
            found.to_dict()
            == own.groupby("time")[instrument].count().rename({1: "baseline", 2: "post"}).to_dict()
        )
        assert own[instrument].between(low, high).all()
