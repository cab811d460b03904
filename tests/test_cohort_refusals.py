"""Questions that cannot be asked of records, and therapies and covariates as a source declares them."""

from __future__ import annotations

import pytest

from outcomes.cohort import select_cohort
from outcomes.errors import AnalysisError, FactsError
from outcomes.facts import read_words
from written_records import PRIMARY, assert_grid, write_records

write = read_words().write

SMALL = write_records(
    """
    episode_id therapy       sex    n_sessions discharge_day
    a          usual_care    female 3          60
    b          strengthening male   9          80
    """,
    """
    episode_id instrument variant day score
    a          nprs       average   0  8
    a          nprs       average  91  4
    a          nprs       worst     0  9
    a          nprs       worst    91  9
    a          odi        .         0  40
    a          pgic7      .        91  2
    b          nprs       average   0  8
    b          nprs       average  91  4
    b          odi        .         0  30
    b          odi        .        91  20
    """,
    primary={**PRIMARY, "variant": "average"},
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"instrument": "nprz"}, "did you mean 'nprs'"),
        ({"variant": "least"}, "average, worst"),
        ({"timepoints": ["month_33"]}, "did you mean 'month_3'"),
        ({"primary": "month_12"}, "Known are: month_3"),
        ({"therapies": ["manual_therapy"]}, "usual_care"),
        ({"reference": "manual_therapy"}, "strengthening"),
        ({"covariates": ["n_sessions"]}, "time zero"),
        ({"covariates": ["discharge_day"]}, "time zero"),
        ({"covariates": ["sessions_to_date"]}, "time zero"),
        ({"covariates": ["pgic7@baseline"]}, "nobody of this cohort"),
        ({"where": {"age_years": ("young", "old")}}, "range"),
        ({"where": {"start_date": ("spring", None)}}, "range"),
        ({"covariates": ["minutes"]}, "time zero"),
        ({"covariates": ["odi@month_3"]}, "after time zero"),
        ({"covariates": ["odi"]}, "odi@baseline"),
        ({"covariates": ["rmdq24@baseline"]}, "nprs:average"),
        ({"covariates": ["age_years"]}, "No value of age_years is read"),
        ({"covariates": ["shoe_size"]}, "sex"),
        ({"where": {"n_sessions": (6, None)}}, "time zero"),
        ({"where": {"patient_id": "a"}}, "names someone"),
        ({"where": {"shoe_size": 44}}, "region"),
        ({"where": {"sex": "woman"}}, "female, male, other"),
        ({"where": {"age_years": 44}}, "range"),
        ({"where": {"previous_episodes": "yes"}}, "true or false"),
        ({"where": {"sex": "other"}}, "No episode is left"),
        ({"episodes": "last"}, "first, all"),
        ({"intercurrent_events": "composite"}, "while_on_therapy"),
        ({"intercurrent_events": {"death": "treatment_policy"}}, "surgery"),
        ({"timepoints": []}, "after the start"),
    ],
)
def test_a_question_that_cannot_be_asked_says_what_can(asked, said):
    with pytest.raises(AnalysisError) as error:
        select_cohort(SMALL, **asked)
    assert said in str(error.value)


def test_variants_are_never_pooled():
    records = write_records(
        "episode_id\n a",
        "episode_id variant day score\n a average 0 8\n a worst 0 9\n a average 91 2\n a worst 91 7",
    )
    with pytest.raises(AnalysisError, match="average, worst"):
        select_cohort(records)
    assert select_cohort(records, variant="worst").outcome == "nprs:worst"


def test_therapies_put_together_from_later_sessions_are_refused():
    scores = "episode_id day score\n a 0 8\n a 91 2\n b 0 8\n b 91 2"
    of_sessions = write_records(
        "episode_id therapy\n a .\n b .",
        scores,
        sessions="episode_id day therapy\n a 0 strengthening\n b 0 stretching",
    )
    with pytest.raises(AnalysisError, match="planned at the start"):
        select_cohort(of_sessions)
    with pytest.raises(AnalysisError, match="landmark"):
        select_cohort(
            write_records("episode_id\n a\n b", scores, primary={**PRIMARY, "therapy_rule": "dose"})
        )
    late = write_records(
        "episode_id therapy\n a usual_care\n b both", scores,
        therapies={"both": {"label": "exercise and manual therapy", "known_at_start": False}},
    )  # fmt: skip
    with pytest.raises(AnalysisError, match="known_at_start"):
        select_cohort(late, therapies=["both"])
    cohort = select_cohort(late)
    assert list(cohort.episodes["episode_id"]) == ["a"]
    assert cohort.flow.set_index("step").loc["late_label", "n_excluded_episodes"] == 1


def test_an_instrument_that_looks_back_needs_no_baseline():
    cohort = select_cohort(SMALL, instrument="pgic7")
    assert_grid(cohort, "score", "episode_id baseline month_3\n a . 2\n b . .")
    assert_grid(cohort, "status", "episode_id baseline month_3\n a missing seen\n b missing missing")
    assert "looks back" in write(cohort.rules["baseline"])


def test_the_baseline_score_of_another_instrument_may_be_a_covariate():
    cohort = select_cohort(SMALL, covariates=["sex", "odi@baseline"])
    assert cohort.episodes["odi@baseline"].tolist() == [40, 30]


def test_missing_covariates_are_counted():
    records = write_records(
        "episode_id sex work_status\n a female working\n b male .\n c . .",
        "episode_id day score\n" + "".join(f"{id} 0 7\n{id} 91 3\n" for id in "abc"),
    )
    cohort = select_cohort(records, covariates=["sex", "work_status"])
    assert cohort.episodes[list(cohort.covariates)].isna().sum().to_dict() == {"sex": 1, "work_status": 2}
    assert "sex, work" in write(cohort.rules["missing"])


def test_a_source_names_therapies_of_its_own():
    scores = "episode_id day score\n" + "".join(f"{id} 0 7\n{id} 91 3\n" for id in "abc")
    held = "episode_id therapy\n a usual_care\n b water\n c sling"
    own = {"water": {"label": "exercise in water", "short_label": "water"}, "sling": {"colour": "#123456"}}
    cohort = select_cohort(write_records(held, scores, therapies=own))
    water, sling = cohort.therapies["water"], cohort.therapies["sling"]
    assert (water.label, water.short_label, sling.label) == ("exercise in water", "water", "sling")
    assert sling.colour == "#123456" and water.colour != sling.colour and water.marker != sling.marker
    with pytest.raises(FactsError, match="color"):
        select_cohort(write_records(held, scores, therapies={**own, "sling": {"color": "#123456"}}))


def test_one_therapy_has_no_reference():
    cohort = select_cohort(SMALL, therapies=["usual_care"])
    assert cohort.reference is None and list(cohort.therapies) == ["usual_care"]
