"""The made-up clinic: the same on every machine, as it says of itself, and with a truth that can be known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.multitest import multipletests

from outcomes.cohort import select_cohort
from outcomes.errors import FactsError, ReportError
from outcomes.facts import read_facts, read_instrument, read_schema, read_source
from outcomes.synthetic import (
    simulate_clinic,
    true_courses,
    true_effects,
    true_harms,
    true_recurrence,
    write_clinic,
)
from outcomes.synthetic.course import choose_therapy, draw_course, follow_scores
from outcomes.synthetic.people import Draws, draw_people

FACTS = read_facts("made_up_clinic")
TABLES = ("episodes", "assessments", "sessions", "events")
SHIPPED = Path(__file__).parents[1] / "data" / "raw" / "made-up-clinic"
RECORDS = simulate_clinic()


def test_the_same_seed_gives_the_same_clinic_and_another_seed_another():
    again, other = simulate_clinic(), simulate_clinic(seed=1)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(RECORDS, name), getattr(again, name))
    assert RECORDS.fingerprint == again.fingerprint != other.fingerprint
    assert not RECORDS.assessments["score"].equals(other.assessments["score"])


def test_the_shipped_files_are_the_default_clinic(tmp_path):
    for path in write_clinic(tmp_path):
        shipped = (SHIPPED / path.name).read_bytes()
        assert path.read_bytes() == shipped, f"{path.name} has to be written anew"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in SHIPPED.iterdir()}


def test_the_shipped_files_are_small_and_say_that_they_are_made_up():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 1.5e6
    readme = (SHIPPED.parent / "README.md").read_text(encoding="utf-8")
    assert "made up" in readme
    assert read_source("made-up-clinic").made_up


@pytest.mark.parametrize("confounding", ["moderate", "strong"])
def test_reading_the_files_gives_the_records_that_were_drawn(tmp_path, confounding):
    from outcomes.records import read_records

    folder = SHIPPED if confounding == "moderate" else tmp_path
    if confounding == "strong":
        write_clinic(tmp_path, 300, seed=3, confounding=confounding)
    drawn = RECORDS if confounding == "moderate" else simulate_clinic(300, seed=3, confounding=confounding)
    read = read_records("made-up-clinic", folder, private_folder=tmp_path / "private")
    for name in TABLES:
        pd.testing.assert_frame_equal(
            _plain(getattr(read, name)), _plain(getattr(drawn, name)), check_dtype=False
        )
    assert (read.n_read, read.n_refused) == (drawn.n_read, 0)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in ("episode_id", "day", "instrument", "event", "severity") if name in table]
    plain = table.assign(**{name: table[name].astype("str") for name in table.select_dtypes("category")})
    return plain.sort_values(keys, ignore_index=True)


def test_every_table_has_the_columns_and_values_of_the_schema():
    for name in TABLES:
        table = getattr(RECORDS, name)
        columns = read_schema()[name]
        assert list(table.columns) == list(columns)
        for column in columns.values():
            values = table[column.name].dropna()
            if column.allowed:
                assert set(values) <= set(column.allowed), column.name
            if column.minimum is not None and len(values):
                assert values.min() >= column.minimum, column.name
            if column.maximum is not None and len(values):
                assert values.max() <= column.maximum, column.name
            assert len(values) == len(table) or not column.required or column.name == "score"
    assert RECORDS.episodes["episode_id"].is_unique
    for name in TABLES[1:]:
        assert set(getattr(RECORDS, name)["episode_id"]) <= set(RECORDS.episodes["episode_id"])


def test_scores_lie_on_the_grid_of_their_instrument():
    scores = RECORDS.assessments.dropna(subset="score")
    for id, own in scores.groupby("instrument", observed=True)["score"]:
        measure = read_instrument(str(id))
        assert own.between(measure.minimum, measure.maximum).all(), id
    complete = scores.loc[(scores["instrument"] == "odi") & (scores["n_items_missing"] == 0), "score"]
    assert (complete % 2 == 0).all()
    assert RECORDS.assessments.loc[RECORDS.assessments["instrument"] == "odi", "score"].isna().any(), (
        "two blanks"
    )
    assert (RECORDS.assessments.loc[RECORDS.assessments["instrument"] == "pgic7", "day"] > 7).all()


def test_it_holds_what_a_clinic_holds():
    episodes, events = RECORDS.episodes, RECORDS.events
    assert episodes["site"].nunique() == 4
    assert (episodes.groupby("therapist", observed=True)["site"].nunique() == 1).all(), (
        "therapists lie in sites"
    )
    assert episodes.groupby("therapist", observed=True)["therapy"].nunique().max() == 4
    assert set(episodes["therapy"]) == set(FACTS["therapies"])
    assert episodes["patient_id"].duplicated().sum() == (episodes["episode_number"] == 2).sum() > 30
    assert episodes["excluded"].notna().sum() > 0
    assert episodes["work_status"].isna().sum() > 0
    assert {"adverse_event", "reconsultation", "therapy_switch", "injection", "surgery"} <= set(
        events["event"]
    )
    assert events.loc[events["event"] == "adverse_event", "severity"].notna().all()
    repeated = episodes.sort_values("start_date").groupby("patient_id", observed=True)["start_date"]
    earliest = FACTS["recurrence"]["new_episode"]["earliest_day"]
    assert repeated.diff().dropna().min() >= pd.Timedelta(days=earliest)


def test_nothing_happens_after_the_records_were_taken():
    observable = RECORDS.episodes.set_index("episode_id")["observable_days"]
    for name in TABLES[1:]:
        table = getattr(RECORDS, name)
        assert (
            table["day"].to_numpy() <= observable.loc[table["episode_id"].astype("str")].to_numpy()
        ).all(), name


def test_the_default_comparison_passes_the_gate_and_the_strongly_confounded_one_does_not():
    from outcomes.analyses.comparability import check_comparability

    for instrument in ("odi", "nprs"):
        assert check_comparability(select_cohort(RECORDS, instrument=instrument)).comparable, instrument
    strong = check_comparability(select_cohort(simulate_clinic(confounding="strong")))
    assert strong.comparable is False
    smd = strong.table.loc[strong.table["term"] == "smd"].iloc[0]
    assert smd["estimate"] > smd["x"] == 0.25


def test_therapies_are_chosen_by_severity_as_much_as_asked():
    people = draw_people(20_000, 1)
    course = draw_course(people, 1)
    start = course.baseline["odi"]

    def spread(confounding: float) -> float:
        therapy = choose_therapy(course, 1, confounding)
        means = [np.nanmean(start[therapy == code]) for code in range(len(FACTS["therapies"]))]
        return np.ptp(means) / np.nanstd(start)

    assert spread(0.0) < 0.06 < spread(1.0) < 0.25 < 0.8 < spread(FACTS["confounding"]["strong"])


def test_patients_leave_by_their_earlier_scores_only_where_asked():
    full = select_cohort(simulate_clinic(4_000, seed=2, drop_out=False))
    assert not full.table["status"].isin(["missing", "lost"]).any() or _only_blank(full)
    left = select_cohort(simulate_clinic(4_000, seed=2))
    wide = left.table.pivot(index="episode_id", columns="timepoint", values=["score", "status"])
    due = wide[wide["status"]["month_3"].isin(["seen", "lost"]) & (wide["status"]["week_6"] == "seen")]
    lost = due["status"]["month_3"] == "lost"
    therapy = left.episodes.set_index("episode_id")["therapy"].loc[due.index]
    score = due["score"]["week_6"].astype(float)
    exercised, usual = therapy == "combined_pt", therapy == "usual_care"
    assert score[lost & exercised].mean() < score[~lost & exercised].mean() - 1
    assert score[lost & usual].mean() > score[~lost & usual].mean() + 1


def _only_blank(cohort) -> bool:
    """Whether those not seen came, but left too many items blank."""
    absent = cohort.table.loc[cohort.table["status"].isin(["missing", "lost"])]
    blank = cohort.assessments.loc[
        (cohort.assessments["instrument"] == "odi") & cohort.assessments["score"].isna(), "episode_id"
    ]
    return set(absent["episode_id"]) <= set(blank)


def test_what_is_seen_is_the_potential_score_under_the_chosen_therapy():
    people = draw_people(500, 7)
    course = draw_course(people, 7)
    therapy = choose_therapy(course, 7, 1.0)
    seen = follow_scores(course, therapy, "odi")
    for code in range(len(FACTS["therapies"])):
        potential = follow_scores(course, np.full(500, code), "odi")
        np.testing.assert_array_equal(seen[therapy == code], potential[therapy == code])


def test_the_truth_is_near_the_declared_effects_and_adds_up():
    effects = true_effects(60_000, seed=3).query("subgroup == 'all'")
    effects = effects.set_index(["timepoint", "group", "versus"])["difference"]
    declared = FACTS["scores"]["odi"]["effects"]
    for visit, timepoint in enumerate(FACTS["timepoints"]):
        for therapy, shifts in declared.items():
            found = effects[(timepoint, therapy, "usual_care")]
            assert shifts[visit] - 0.05 <= found <= 0.9 * shifts[visit] + 0.05, (
                "a floor may take a little of an effect away"
            )
        legs = (
            effects[(timepoint, "strengthening", "manual_therapy")]
            + effects[(timepoint, "manual_therapy", "usual_care")]
        )
        assert legs == pytest.approx(effects[(timepoint, "strengthening", "usual_care")])


def test_effects_differ_by_duration_by_more_than_one_and_a_half_margins_and_average_to_the_whole():
    for instrument in ("odi", "nprs"):
        effects = true_effects(20_000, seed=3, instrument=instrument).query("timepoint == 'month_6'")
        scores = RECORDS.assessments.query("instrument == @instrument and day <= 3 and day >= -14")["score"]
        margin = 0.3 * scores.std()
        for (group, versus), rows in effects.groupby(["group", "versus"]):
            by = rows.set_index("subgroup")
            parts = by.drop(index="all")
            assert np.average(parts["difference"], weights=parts["n"]) == pytest.approx(
                by.loc["all", "difference"]
            ), (group, versus)
        strengthening = effects.query("group == 'strengthening' and versus == 'usual_care'")
        by = strengthening.set_index("subgroup")["difference"]
        assert by["chronic"] < by["acute"] - 1.5 * margin and by["chronic"] < by["subacute"] - 1.5 * margin


def test_the_shipped_records_show_that_effects_differ_by_duration():
    """An analysis of covariance (statsmodels) of each of five modifiers, its p-values by Holm."""
    names = ["therapy", "duration", "risk_group", "cause", "sex", "region", "age_years"]
    for instrument in ("odi", "nprs"):
        cohort = select_cohort(RECORDS, instrument=instrument, primary="month_6")
        wide = cohort.table.pivot(index="episode_id", columns="timepoint", values="score")
        people = cohort.episodes.set_index("episode_id")[names].astype(dict.fromkeys(names[:-1], "str"))
        table = wide.join(people).dropna(subset=["baseline", "month_6"])
        plain = "month_6 ~ baseline + age_years + sex + region + cause + duration + risk_group + therapy"
        without = smf.ols(plain, table).fit()
        modifiers = ["duration", "risk_group", "cause", "sex", "age_years"]
        p_values = [
            smf.ols(f"{plain} + therapy:{name}", table).fit().compare_f_test(without)[1] for name in modifiers
        ]
        adjusted = dict(zip(modifiers, multipletests(p_values, method="holm")[1], strict=True))
        assert adjusted.pop("duration") < 0.01 and min(adjusted.values()) > 0.05, instrument


def test_one_therapy_lasts_and_one_does_not():
    means = (
        true_courses(20_000, seed=3).query("subgroup == 'all'").set_index(["therapy", "timepoint"])["mean"]
    )
    late = {therapy: means[therapy, "month_12"] - means[therapy, "month_3"] for therapy in FACTS["therapies"]}
    assert late["strengthening"] < -2 and late["manual_therapy"] > 2
    assert late["strengthening"] < late["usual_care"] < late["manual_therapy"] - 4
    effects = true_effects(20_000, seed=3).query("subgroup == 'all' and group == 'strengthening'")
    pairs = effects.query("versus == 'manual_therapy'").set_index("timepoint")["difference"]
    # Not the very same patients: a score may be blank at one of two visits.
    assert pairs["month_12"] - pairs["month_3"] == pytest.approx(
        late["strengthening"] - late["manual_therapy"], abs=0.2
    )
    assert means.loc[:, "baseline"].nunique() == 1, "the start knows of no therapy"


def test_the_truth_of_measured_scores_is_known_and_no_other():
    assert set(true_effects(500, seed=1, instrument="mmst_cm")["timepoint"]) == {
        "week_6",
        "month_3",
        "month_6",
    }
    with pytest.raises(FactsError, match="odi, nprs, mmst_cm, sorensen_s"):
        true_effects(500, instrument="pgic7")


def test_chunks_make_no_difference_to_what_is_counted():
    effects = true_effects(1_000, seed=4, chunk=300)
    n = effects.loc[effects["subgroup"] == "all", "n"]
    assert n.nunique() <= len(FACTS["timepoints"]) and n.max() < 1_000


def test_surgery_an_injection_or_a_new_episode_ends_what_is_recorded_of_an_episode():
    clinic = simulate_clinic(4_000, seed=6)
    episodes, events = clinic.episodes.set_index("episode_id"), clinic.events
    for name, rule in FACTS["recurrence"].items():
        if name in ("surgery", "injection", "reconsultation"):
            assert events.loc[events["event"] == name, "day"].min() == rule["earliest_day"]
    ended = events[events["event"].isin(["surgery", "injection"])]
    assert ended["episode_id"].is_unique and len(ended) > 100
    first = episodes[episodes["episode_number"] == 1].reset_index().set_index("patient_id")
    second = episodes[episodes["episode_number"] == 2].set_index("patient_id")
    first = first.loc[second.index]
    gap = (second["start_date"] - first["start_date"]).dt.days
    assert gap.min() >= FACTS["recurrence"]["new_episode"]["earliest_day"] and len(gap) > 100
    assert (second["region"].astype(str) == first["region"].astype(str)).all()
    assert second["previous_episodes"].all()
    end = pd.concat([ended.set_index("episode_id")["day"], gap.set_axis(first["episode_id"])]).astype(int)
    assert end.index.is_unique, "none has surgery or an injection and then a new episode"
    again = events[events["event"] == "reconsultation"]
    known = again[again["episode_id"].isin(end.index)]
    assert len(known) > 30 and (known["day"] < known["episode_id"].astype(str).map(end)).all()
    assert again["episode_id"].duplicated().sum() > 300, "trouble comes back more than once"


def test_the_hazards_make_the_cumulative_incidence():
    """Piecewise constant hazards by hand: usual care, surgery beside injection and a new episode."""
    found = true_recurrence(365).set_index(["therapy", "event"])
    year = 365.25
    at_60 = np.exp(-0.10 * 30 / year)
    at_180 = at_60 * np.exp(-0.16 * 120 / year)
    by_hand = at_60 * 0.06 / 0.16 * (1 - np.exp(-0.16 * 120 / year))
    by_hand += at_180 * 0.06 / 0.24 * (1 - np.exp(-0.24 * 186 / year))
    assert found.loc[("usual_care", "surgery"), "cumulative_incidence"] == pytest.approx(by_hand, abs=1e-12)
    assert found.loc[("usual_care", "reconsultation"), "mean_count"] == pytest.approx(0.80 * 276 / year)
    share = found["cumulative_incidence"].unstack()
    assert (share["recurrence"] > share["reconsultation"]).all()
    assert share.loc["strengthening", "recurrence"] < share.loc["manual_therapy", "recurrence"] - 0.1
    early = true_recurrence(89).set_index(["therapy", "event"])["cumulative_incidence"]
    assert early.unstack()["recurrence"].max() == 0 < early.unstack()["injection"].min()


def test_one_site_records_no_harms_and_the_rates_add_up():
    clinic = simulate_clinic(4_000, seed=6)
    site = clinic.episodes.set_index("episode_id")["site"].astype(str)
    harms = clinic.events.query("event == 'adverse_event'")["episode_id"].astype(str).map(site)
    assert set(harms) == set(site) - {FACTS["harms"]["not_recorded_at"]}
    rates = true_harms().pivot(index="therapy", columns="severity", values="per_100_sessions")
    np.testing.assert_allclose(rates["any"], rates[["mild", "moderate", "severe"]].sum(axis=1))
    assert rates.loc["manual_therapy", "any"] > 2 * rates.loc["strengthening", "any"]


def test_sessions_after_the_review_follow_the_course_and_those_before_do_not(monkeypatch):
    clinic = simulate_clinic(4_000, seed=2, drop_out=False)
    table = select_cohort(clinic).table
    wide = table.pivot(index="episode_id", columns="timepoint", values="score").dropna()
    wide = wide.join(clinic.episodes.set_index("episode_id")[["therapy", "observable_days"]])
    wide = wide[wide["observable_days"] > 200]
    late = clinic.sessions["day"] > FACTS["sessions"]["review_day"]
    for name, rows in {"early": clinic.sessions[~late], "late": clinic.sessions[late]}.items():
        wide[name] = wide.index.map(rows["episode_id"].astype(str).value_counts()).fillna(0)
    for therapy, own in wide.groupby("therapy", observed=True):
        assert own["late"].corr(own["month_6"]) > 0.15, therapy
        assert abs(own["early"].corr(own["month_6"])) < 0.12, therapy
    monkeypatch.setitem(FACTS["sessions"], "maximum", 3)
    fewer = simulate_clinic(300, seed=2)
    monkeypatch.undo()
    assert fewer.sessions["episode_id"].value_counts().max() == 3
    pd.testing.assert_frame_equal(fewer.assessments, simulate_clinic(300, seed=2).assessments)


def test_normal_numbers_are_normal_and_do_not_change():
    draws = Draws(20261123, "a test")
    numbers = draws.normal(200_001)
    assert numbers.mean() == pytest.approx(0, abs=0.01)
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(numbers) > 1.959964) == pytest.approx(0.05, abs=0.002)
    # PCG64 seeded through SeedSequence, numpy 2.4; its stream of uniform numbers is fixed
    first = Draws(1, "a test").uniform(2)
    np.testing.assert_array_equal(first, Draws(1, "a test").uniform(2))
    assert Draws(1, "b test").uniform(1)[0] != first[0]


@pytest.mark.parametrize("n_episodes", [1, 2, 13])
def test_small_clinics_can_be_drawn(n_episodes):
    assert len(simulate_clinic(n_episodes, seed=9).episodes) == n_episodes


def test_what_cannot_be_drawn_or_written_says_why(tmp_path):
    with pytest.raises(FactsError, match="none, moderate, strong"):
        simulate_clinic(10, confounding="extreme")
    with pytest.raises(FactsError, match="at least one"):
        simulate_clinic(0)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match="cannot be written"):
        write_clinic(tmp_path / "file", 10)
