"""From records to a cohort: small tables whose answer can be checked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_records import PRIMARY, lay_grid, read_table, write_records

from outcomes.cohort import STATUSES, select_cohort
from outcomes.errors import AnalysisError, FactsError
from outcomes.synthetic import simulate_clinic


def assert_grid(cohort, column: str, expected: str) -> None:
    """Compare a column of the grid with a text table whose first column is the episode."""
    wanted = read_table(expected).set_index("episode_id")
    found = lay_grid(cohort, column).loc[wanted.index, wanted.columns]
    for name in wanted.columns:
        told = [None if pd.isna(value) else value for value in found[name]]
        meant = [None if pd.isna(value) else value for value in wanted[name]]
        if column != "status":
            meant = [None if value is None else float(value) for value in meant]
        assert told == meant, f"{column} at {name}"


# --- time zero, baseline, windows ------------------------------------------------------------------------------------


def test_the_last_score_before_the_first_session_is_the_baseline():
    cohort = select_cohort(
        write_records(
            "episode_id\n a\n b\n c\n d",
            """
            episode_id day score
            a          -40  9
            a          -10  8
            a            0  7
            a            3  6
            a           91  2
            b           -3  5
            b            4  4
            b           91  2
            c            2  6
            c            6  3
            c           91  2
            d           10  6
            d           91  2
            """,
            sessions="""
            episode_id day
            a            2
            a            9
            b            5
            c            3
            d            0
            """,
        )
    )
    assert_grid(
        cohort,
        "score",
        """
        episode_id baseline month_3
        a                 7       2
        b                 4       2
        c                 6       2
        """,
    )
    assert cohort.flow.set_index("step").loc["no_baseline", "n_excluded_episodes"] == 1


def test_without_sessions_the_baseline_is_the_last_score_up_to_day_0_else_the_first_after():
    cohort = select_cohort(
        write_records(
            "episode_id\n a\n b\n c",
            """
            episode_id day score
            a           -3  5
            a            4  4
            a           91  1
            b            2  6
            b            6  3
            b           91  1
            c            8  6
            c           91  1
            """,
        )
    )
    assert_grid(cohort, "baseline", "episode_id month_3\n a 5\n b 6")


def test_the_score_nearest_to_the_target_counts_and_of_two_as_near_the_earlier():
    cohort = select_cohort(
        write_records(
            "episode_id\n a\n b\n c",
            """
            episode_id day score
            a            0  8
            a           63  7
            a           85  6
            a          100  5
            b            0  8
            b           90  4
            b           92  3
            c            0  8
            c           62  6
            c          129  4
            c          130  2
            """,
        )
    )
    assert_grid(
        cohort,
        "score",
        """
        episode_id baseline week_6 month_3 month_6
        a                 8      .       6       .
        b                 8      .       4       .
        c                 8      6       4       2
        """,
    )
    assert_grid(cohort, "day", "episode_id baseline month_3\n a 0 85\n b 0 90\n c 0 129")
    assert_grid(cohort, "change", "episode_id baseline month_3\n a 0 -2\n b 0 -4\n c 0 -4")
    assert_grid(cohort, "improvement", "episode_id month_3\n a 2\n b 4\n c 4")


def test_labels_count_where_a_source_has_no_days():
    cohort = select_cohort(
        write_records(
            "episode_id\n a\n b",
            """
            episode_id timepoint score
            a          baseline   7
            a          month_3    3
            a          follow_up  2
            b          baseline   6
            b          follow_up  5
            """,
            timepoints={"follow_up": {"label": "a year later", "day": 365}},
        )
    )
    assert list(cohort.timepoints) == ["baseline", "month_3", "follow_up"]
    assert_grid(
        cohort,
        "score",
        """
        episode_id baseline month_3 follow_up
        a                 7       3         2
        b                 6       .         5
        """,
    )
    assert_grid(cohort, "status", "episode_id month_3 follow_up\n a seen seen\n b missing seen")
    assert "a year later" in cohort.rules["windows"]


def test_the_end_of_therapy_is_the_last_score_up_to_14_days_after_discharge():
    cohort = select_cohort(
        write_records(
            "episode_id discharge_day observable_days\n a 60 300\n b 60 300\n c . 300",
            """
            episode_id day score
            a            0  8
            a           40  6
            a           74  4
            a           91  2
            b            0  8
            b           75  3
            b           91  2
            c            0  8
            c           91  2
            """,
        ),
        timepoints=["month_3", "end_of_therapy"],
    )
    assert_grid(cohort, "score", "episode_id month_3 end_of_therapy\n a 2 4\n b 2 .\n c 2 .")
    assert_grid(cohort, "status", "episode_id end_of_therapy\n a seen\n b missing\n c not_yet_due")
    assert not cohort.timepoints["end_of_therapy"].comparable


# --- statuses ------------------------------------------------------------------------------------------------------


def test_each_visit_that_is_not_seen_says_why():
    cohort = select_cohort(
        write_records(
            """
            episode_id observable_days
            all_seen        300
            skipped_one     300
            came_for_odi    300
            in_care         300
            lost            300
            young           100
            early           100
            undated           .
            """,
            """
            episode_id   instrument day score
            all_seen     nprs         0  8
            all_seen     nprs        42  6
            all_seen     nprs        91  4
            skipped_one  nprs         0  8
            skipped_one  nprs        91  4
            came_for_odi nprs         0  8
            came_for_odi odi         91  40
            in_care      nprs         0  8
            lost         nprs         0  8
            lost         nprs        42  8
            young        nprs         0  8
            young        nprs        42  7
            early        nprs         0  8
            early        nprs        91  7
            undated      nprs         0  8
            """,
            sessions="episode_id day\n in_care 0\n in_care 70",
        )
    )
    assert_grid(
        cohort,
        "status",
        """
        episode_id   baseline week_6  month_3
        all_seen     seen     seen    seen
        skipped_one  seen     missing seen
        came_for_odi seen     missing missing
        in_care      seen     missing missing
        lost         seen     seen    lost
        young        seen     seen    not_yet_due
        early        seen     missing seen
        undated      seen     lost    lost
        """,
    )


def test_scores_after_an_event_count_unless_the_strategy_is_while_on_therapy():
    records = write_records(
        "episode_id\n a\n b\n c",
        """
        episode_id day score
        a            0  8
        a           42  6
        a           91  2
        b            0  8
        b           42  6
        c            0  8
        c           42  5
        c           91  4
        """,
        events="""
        episode_id day event
        a           60 surgery
        b           50 surgery
        c           -5 surgery
        c           60 injection
        """,
    )
    kept = select_cohort(records)
    assert_grid(kept, "status", "episode_id week_6 month_3\n a seen seen\n b seen lost\n c seen seen")
    on_therapy = select_cohort(records, intercurrent_events={"surgery": "while_on_therapy"})
    assert_grid(
        on_therapy,
        "status",
        "episode_id week_6 month_3\n a seen after_event\n b seen after_event\n c seen seen",
    )
    assert_grid(on_therapy, "score", "episode_id week_6 month_3\n a 6 .\n b 6 .\n c 5 4")
    every = select_cohort(records, intercurrent_events="while_on_therapy")
    assert_grid(every, "status", "episode_id month_3\n a after_event\n b after_event\n c after_event")
    assert "treatment policy" in kept.rules["intercurrent_events"]
    assert "surgery" in on_therapy.rules["intercurrent_events"].split("while on")[0].split("strategy.")[1]


# --- flow ----------------------------------------------------------------------------------------------------------

FLOW = write_records(
    """
    episode_id patient_id therapy       start_date region   excluded observable_days
    e1         p1         usual_care    2024-01-01 low_back .        400
    e2         p1         usual_care    2024-06-01 low_back .        400
    e3         p2         strengthening 2024-01-02 low_back declined 400
    e4         p3         .             2024-01-03 low_back .        400
    e5         p4         strengthening 2024-01-04 neck     .        400
    e6         p5         strengthening 2024-01-05 low_back .        400
    e7         p6         strengthening 2024-01-06 low_back .        400
    e8         p6         usual_care    2023-01-06 low_back .        400
    e9         p7         strengthening 2024-01-07 low_back .        10
    f1         p8         manual_therapy 2024-01-08 low_back .       400
    """,
    """
    episode_id day score
    e1           0  7
    e1          91  3
    e2           0  7
    e2          91  3
    e3           0  7
    e3          91  3
    e4           0  7
    e5           0  7
    e6          91  3
    e7           0  6
    e7          91  2
    e9           0  6
    f1           0  6
    f1          91  6
    """,
)


def test_every_exclusion_is_counted_in_order():
    cohort = select_cohort(FLOW, where={"region": "low_back"}, therapies=["usual_care", "strengthening"])
    shown = cohort.flow.set_index("step")[
        ["n_episodes", "n_patients", "n_excluded_episodes", "n_excluded_patients"]
    ]
    expected = read_table(
        """
        step               n_episodes n_patients n_excluded_episodes n_excluded_patients
        read                       10          8                   0                   0
        excluded_by_source          9          7                   1                   1
        outside_filter              8          6                   1                   1
        no_therapy                  7          5                   1                   1
        other_therapy               6          4                   1                   1
        no_baseline                 4          3                   2                   1
        later_episode               3          3                   1                   0
        no_visit_due                2          2                   1                   1
        """
    ).set_index("step")
    assert shown.astype(str).to_dict() == expected.to_dict()
    assert list(cohort.episodes["episode_id"]) == ["e1", "e7"]
    assert "declined" in set(cohort.flow["reason"])


def test_patients_behind_each_step_are_kept_privately():
    cohort = select_cohort(FLOW)
    flow = cohort.flow.set_index("step")
    assert len(flow.loc["no_baseline", "patients"]) == 2
    assert len(flow.loc["no_baseline", "patients_gone"]) == 1
    assert "patients" not in cohort._repr_html_().replace("n_patients", "").replace("n_excluded_patients", "")
    assert "e1" not in repr(cohort) and "p1" not in repr(cohort)


def test_all_episodes_are_clustered_by_patient():
    first, every = select_cohort(FLOW), select_cohort(FLOW, episodes="all")
    assert first.clustered_by is None
    assert every.clustered_by == "patient"
    assert set(every.episodes["episode_id"]) - set(first.episodes["episode_id"]) == {"e2"}
    assert every.episodes["patient"].nunique() == first.episodes["patient"].nunique()


def test_the_first_episode_that_qualifies_is_the_first():
    cohort = select_cohort(FLOW, therapies=["strengthening"])
    assert "e7" in set(cohort.episodes["episode_id"]), "the earlier episode had another therapy"


def test_filters_take_values_lists_ranges_and_open_ends():
    records = write_records(
        """
        episode_id age_years sex    site  previous_episodes start_date
        a          17        female north yes               2024-01-01
        b          18        male   north no                2024-02-01
        c          65        female south yes               2024-03-01
        d          66        male   south .                 2024-04-01
        e          .         female west  no                2024-05-01
        """,
        "episode_id day score\n" + "".join(f"{id} 0 7\n{id} 91 3\n" for id in "abcde"),
    )

    def choose(**where):
        return "".join(select_cohort(records, where=where).episodes["episode_id"])

    assert choose(age_years=(18, 65)) == "bc"
    assert choose(age_years=(None, 65)) == "abc"
    assert choose(age_years=(18, None)) == "bcd"
    assert choose(sex="female") == "ace"
    assert choose(site=["north", "west"]) == "abe"
    assert choose(previous_episodes=True) == "ac"
    assert choose(start_date=("2024-02-01", "2024-03-31")) == "bc"
    reasons = select_cohort(records, where={"age_years": (18, 65)}).flow["reason"]
    assert "age is not 18 to 65 years, or was not recorded" in set(reasons)


# --- what is refused -----------------------------------------------------------------------------------------------

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
        ({"covariates": ["minutes"]}, "time zero"),
        ({"covariates": ["odi@month_3"]}, "after time zero"),
        ({"covariates": ["odi"]}, "odi@baseline"),
        ({"covariates": ["rmdq24@baseline"]}, "nprs:average"),
        ({"covariates": ["age_years"]}, "never recorded"),
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
    assert "looks back" in cohort.rules["baseline"]


def test_the_baseline_score_of_another_instrument_may_be_a_covariate():
    cohort = select_cohort(SMALL, covariates=["sex", "odi@baseline"])
    assert cohort.episodes["odi@baseline"].tolist() == [40, 30]


def test_missing_covariates_are_counted():
    records = write_records(
        "episode_id sex work_status\n a female working\n b male .\n c . .",
        "episode_id day score\n" + "".join(f"{id} 0 7\n{id} 91 3\n" for id in "abc"),
    )
    cohort = select_cohort(records, covariates=["sex", "work_status"])
    assert cohort.missing_covariates.to_dict() == {"sex": 1, "work_status": 2}
    assert "sex, work" in cohort.rules["missing"]


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


# --- properties ----------------------------------------------------------------------------------------------------

CLINIC = simulate_clinic(150, seed=5)
COLUMNS = ("timepoint", "day", "score", "baseline", "improvement", "status", "therapy")


def content(cohort) -> pd.DataFrame:
    table = cohort.table[["episode_id", *COLUMNS]].astype("object")
    return table.sort_values(["episode_id", "timepoint"], ignore_index=True)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_does_not_matter(seed):
    shuffled = {
        name: getattr(CLINIC, name).sample(frac=1, random_state=seed).reset_index(drop=True)
        for name in ("episodes", "assessments", "sessions", "events")
    }
    again = select_cohort(replace_tables(CLINIC, **shuffled))
    pd.testing.assert_frame_equal(content(select_cohort(CLINIC)), content(again))
    private = ["patients", "patients_gone"]
    pd.testing.assert_frame_equal(
        select_cohort(CLINIC).flow.drop(columns=private), again.flow.drop(columns=private)
    )


@given(prefix=st.text("abcxyz", min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_the_names_of_patients_and_episodes_do_not_matter(prefix):
    renamed = {
        name: getattr(CLINIC, name).assign(episode_id=_rename(getattr(CLINIC, name)["episode_id"], prefix))
        for name in ("episodes", "assessments", "sessions", "events")
    }
    renamed["episodes"]["patient_id"] = _rename(renamed["episodes"]["patient_id"], prefix)
    left, right = content(select_cohort(CLINIC)), content(select_cohort(replace_tables(CLINIC, **renamed)))
    pd.testing.assert_frame_equal(left[list(COLUMNS)], right[list(COLUMNS)])


def _rename(ids: pd.Series, prefix: str) -> pd.Categorical:
    return pd.Categorical([prefix + str(id) for id in ids])


def replace_tables(records, **tables):
    from dataclasses import replace

    return replace(records, **tables)


@given(
    low=st.integers(18, 60), width=st.integers(20, 60), episodes=st.sampled_from(["first", "all"]),
    instrument=st.sampled_from(["odi", "nprs"]), region=st.sampled_from([None, "low_back"]),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_the_flow_sums_and_the_grid_is_complete(low, width, episodes, instrument, region):
    where = {"age_years": (low, low + width)} | ({"region": region} if region else {})
    cohort = select_cohort(CLINIC, instrument=instrument, where=where, episodes=episodes)
    flow = cohort.flow
    for unit in ("episodes", "patients"):
        left = flow[f"n_{unit}"]
        assert (left.shift(1, fill_value=left.iloc[0]) - left == flow[f"n_excluded_{unit}"]).all()
    assert flow["n_episodes"].iloc[0] == len(CLINIC.episodes)
    assert flow["n_episodes"].iloc[-1] == len(cohort.episodes)
    assert flow["n_patients"].iloc[-1] == cohort.episodes["patient"].nunique()
    assert len(cohort.table) == len(cohort.episodes) * len(cohort.timepoints)
    assert set(cohort.table["status"]) <= set(STATUSES)
    assert (cohort.table["score"].notna() == (cohort.table["status"] == "seen")).all()


def test_no_argument_is_changed():
    names = ("episodes", "assessments", "sessions", "events")
    before = {name: getattr(CLINIC, name).copy(deep=True) for name in names}
    where, covariates = {"age_years": (18, 70)}, ["sex", "nprs:average@baseline"]
    select_cohort(CLINIC, where=where, covariates=covariates, intercurrent_events="while_on_therapy")
    for name in names:
        pd.testing.assert_frame_equal(before[name], getattr(CLINIC, name))
    assert where == {"age_years": (18, 70)} and covariates == ["sex", "nprs:average@baseline"]


def test_a_hundred_thousand_episodes_take_about_a_second():
    import time

    records = simulate_clinic(100_000, seed=2)
    start = time.perf_counter()
    cohort = select_cohort(records)
    assert time.perf_counter() - start < 10, "a generous bound for slow machines"
    assert len(cohort.episodes) > 70_000
    assert np.isfinite(cohort.table.loc[cohort.table["status"] == "seen", "score"]).all()
