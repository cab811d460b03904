"""From records to a cohort: small tables whose answer can be checked by hand."""

from __future__ import annotations

import pytest

from outcomes.cohort import select_cohort
from outcomes.facts import read_words
from written_records import PRIMARY, assert_grid, read_table, write_records

write = read_words().write


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
    assert "a year later" in write(cohort.rules["windows"])


def test_a_day_decides_over_a_label_and_a_label_where_there_is_no_day():
    cohort = select_cohort(
        write_records(
            "episode_id\n a\n b",
            """
            episode_id timepoint day score
            a          baseline    0     8
            a          month_3   140     4
            b          baseline    .     7
            b          month_3     .     2
            """,
            primary={**PRIMARY, "timepoint": "month_6"},
        )
    )
    assert_grid(
        cohort,
        "score",
        """
        episode_id baseline month_3 month_6
        a                 8       .       4
        b                 7       2       .
        """,
    )
    assert "A score without a day" in write(cohort.rules["windows"])


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


def test_the_end_of_therapy_without_a_day_does_not_mean_that_someone_was_seen_later():
    cohort = select_cohort(
        write_records(
            "episode_id\n a",
            """
            episode_id timepoint      day score
            a          baseline       .   8
            a          month_3        .   6
            a          end_of_therapy .   5
            """,
        ),
        timepoints=["month_3", "month_6", "end_of_therapy"],
        primary="month_3",
    )
    assert_grid(cohort, "status", "episode_id month_3 month_6 end_of_therapy\n a seen lost seen")


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
    assert "treatment policy" in write(kept.rules["intercurrent_events"])
    assert (
        "surgery" in write(on_therapy.rules["intercurrent_events"]).split("while on")[0].split("strategy.")[1]
    )


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
        no_therapy                  8          6                   1                   1
        later_episode               6          6                   2                   0
        outside_filter              5          5                   1                   1
        other_therapy               4          4                   1                   1
        no_visit_due                3          3                   1                   1
        no_baseline                 1          1                   2                   2
        """
    ).set_index("step")
    assert shown.astype(str).to_dict() == expected.to_dict()
    assert list(cohort.episodes["episode_id"]) == ["e1"]
    assert "declined" in set(map(str, cohort.flow["reason"]))


def test_patients_behind_each_step_are_kept_privately():
    cohort = select_cohort(FLOW)
    flow = cohort.flow.set_index("step")
    assert len(flow.loc["no_baseline", "patients"]) == 2
    assert len(flow.loc["no_baseline", "patients_gone"]) == 2
    assert len(flow.loc["later_episode", "patients"]) == 2
    assert not len(flow.loc["later_episode", "patients_gone"]), "the first episode of each is still in"
    assert "patients" not in cohort._repr_html_().replace("n_patients", "").replace("n_excluded_patients", "")
    assert "e1" not in repr(cohort) and "p1" not in repr(cohort)


def test_all_episodes_are_clustered_by_patient():
    first, every = select_cohort(FLOW), select_cohort(FLOW, episodes="all")
    assert first.clustered_by is None
    assert every.clustered_by == "patient"
    assert set(every.episodes["episode_id"]) - set(first.episodes["episode_id"]) == {"e2", "e7"}
    assert set(first.episodes["patient"]) < set(every.episodes["patient"]), (
        "p6 has no score at the first start"
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"therapies": ["strengthening"]},
        {"where": {"start_date": ("2024-01-01", None)}},
        {"needs_baseline": False},
        {"needs_baseline": True},
    ],
)
def test_which_episode_of_a_patient_counts_does_not_depend_on_what_is_asked(asked):
    """e8 is the first episode of p6: with another therapy, from before, without a score at the start."""
    counted = set(select_cohort(FLOW, **asked).episodes["episode_id"])
    assert not counted & {"e2", "e7"}


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
    assert choose(start_date=("", ""), site="", sex=None) == "abcde", "what asks nothing filters nothing"
    assert choose(start_date=("2024-04-01", "")) == "de"
    steps = select_cohort(records, where={"sex": "female", "site": ["north", "west"]}).flow["step"]
    assert list(steps)[3:5] == ["outside_filter", "outside_filter_2"], "each filter is a step of its own"
    reasons = select_cohort(records, where={"age_years": (18, 65)}).flow["reason"]
    assert "age is not 18 to 65 years, or was not recorded" in set(map(str, reasons))


def test_each_filter_is_a_step_of_its_own():
    """Two filters are two steps of the flow: under one name the second could not be told from the first."""
    from outcomes import count_flow, draw_flow, release, simulate_clinic

    records = simulate_clinic(300, seed=2)
    cohort = select_cohort(records, where={"region": "low_back", "sex": "female"})
    steps = cohort.flow["step"].tolist()
    assert steps.count("outside_filter") == steps.count("outside_filter_2") == 1
    assert len(set(steps)) == len(steps)
    for audience in ("team", "stakeholder"):
        shown = draw_flow(release(count_flow(cohort), audience))
        assert "Region" in shown.alt and "Sex" in shown.alt
