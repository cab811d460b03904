"""Simple estimators find the truths of a large made-up clinic: effects, recurrence, harms and dose.

The records are those that anyone reads; curves are by statsmodels. Estimates may lie four of their standard
errors from the truth.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.duration.survfunc import CumIncidenceRight

from outcomes.cohort import select_cohort
from outcomes.records import Records
from outcomes.synthetic import simulate_clinic, true_courses, true_effects, true_harms, true_recurrence

pytestmark = pytest.mark.slow
YEAR = 365
CAUSES = ("reconsultation", "new_episode", "surgery", "injection")


@pytest.fixture(scope="module")
def clinic() -> Records:
    return simulate_clinic(20_000, seed=11, drop_out=False, confounding="none")


@pytest.fixture(scope="module")
def seen(clinic) -> pd.DataFrame:
    """ODI at each visit, one row per first episode, with therapy, duration and number of sessions."""
    cohort = select_cohort(clinic, instrument="odi")
    wide = cohort.table.pivot(index="episode_id", columns="timepoint", values="score")
    return wide.join(cohort.episodes.set_index("episode_id")[["therapy", "duration", "n_sessions"]])


def test_means_find_the_effects_overall_and_in_each_subgroup(seen):
    truth = true_effects(200_000, seed=900_001).query("timepoint == 'month_6' and versus == 'usual_care'")
    adjusted = seen["month_6"] - 0.52 * seen["baseline"]
    for row in truth.itertuples():
        own = seen["duration"].astype(str).eq(row.subgroup) | (row.subgroup == "all")
        one, other = (adjusted[own & (seen["therapy"] == name)].dropna() for name in (row.group, row.versus))
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        assert abs(one.mean() - other.mean() - row.difference) < 4 * error, row
        assert error < 0.8


def test_changes_from_early_to_late_find_what_lasts(seen):
    means = true_courses(200_000, seed=900_001).query("subgroup == 'all'")
    means = means.set_index(["therapy", "timepoint"])["mean"]
    for therapy, own in seen.groupby("therapy", observed=True):
        change = (own["month_12"] - own["month_3"]).dropna()
        true = means[therapy, "month_12"] - means[therapy, "month_3"]
        assert abs(change.mean() - true) < 4 * change.std() / np.sqrt(len(change)), therapy


def follow_events(clinic: Records) -> pd.DataFrame:
    """Return the first day of each cause, one row per first episode; none is missing."""
    episodes = clinic.episodes.set_index("episode_id")
    first = episodes[episodes["episode_number"] == 1].copy()
    second = episodes[episodes["episode_number"] == 2].set_index("patient_id")["start_date"]
    first["new_episode"] = (first["patient_id"].map(second) - first["start_date"]).dt.days
    days = clinic.events.groupby(["episode_id", "event"], observed=True)["day"].min().unstack()
    return first.join(days[["reconsultation", "surgery", "injection"]])


def tell_first(table: pd.DataFrame, own: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return time and status: 1 one of its own, 2 a competing one, 0 free when the records were taken."""
    rivals = [name for name in CAUSES[1:] if name not in own]
    days = [table[list(names)].astype(float).min(axis=1).fillna(np.inf) for names in (own, rivals)]
    end = table["observable_days"].astype(float)
    time = np.minimum(np.minimum(*days), end)
    status = np.where(days[0] <= np.minimum(days[1], end), 1, np.where(days[1] <= end, 2, 0))
    return time.to_numpy(), status


def test_curves_find_the_cumulative_incidence_and_the_weeks_lost(clinic):
    table = follow_events(clinic)
    for row in true_recurrence(YEAR).itertuples():
        own = ("reconsultation", "new_episode") if row.event == "recurrence" else (row.event,)
        time, status = tell_first(table[table["therapy"] == row.therapy], own)
        # A day without any follow-up is no part of a curve.
        curve = CumIncidenceRight(time[time > 0], status[time > 0])
        until = curve.times <= YEAR
        found, error = curve.cinc[0][until][-1], curve.cinc_se[0][until][-1]
        assert abs(found - row.cumulative_incidence) < 4 * error, row
        assert error < 0.012
        steps = np.interp(np.arange(YEAR), curve.times, curve.cinc[0], left=0.0)
        assert steps.sum() / 7 == pytest.approx(row.weeks_lost, abs=4 * error * YEAR / 7), row


def test_counts_over_those_at_risk_find_the_mean_count_and_patients_differ(clinic):
    table = follow_events(clinic)
    again = clinic.events.query("event == 'reconsultation' and day <= @YEAR")
    end = table[["observable_days", *CAUSES[1:]]].astype(float).min(axis=1)
    truth = true_recurrence(YEAR).query("event == 'reconsultation'").set_index("therapy")["mean_count"]
    for therapy, own in table.groupby("therapy", observed=True):
        events = again[again["episode_id"].isin(own.index)]
        day = np.sort(events["day"].to_numpy(dtype=float))
        at_risk = (end[own.index].to_numpy()[:, None] >= np.arange(YEAR + 1)).sum(axis=0)
        found = (1 / at_risk[day.astype(int)]).sum()
        counts = events["episode_id"].astype(str).value_counts().reindex(own.index, fill_value=0)
        error = counts.std() / np.sqrt((end[own.index] >= YEAR).sum())
        assert abs(found - truth[therapy]) < 4 * error, therapy
        assert counts.var() > 1.1 * counts.mean(), "more alike within patients than chance"


def test_events_over_sessions_find_the_harms_of_each_therapy(clinic):
    place = clinic.episodes.set_index("episode_id")[["site", "therapy", "patient_id", "n_sessions"]]
    place = place[place["site"] != "station"]
    harms = clinic.events.query("event == 'adverse_event'")
    truth = true_harms().set_index(["therapy", "severity"])["per_100_sessions"]
    for (therapy, severity), rate in truth.items():
        chosen = harms if severity == "any" else harms[harms["severity"] == severity]
        own = place[place["therapy"] == therapy]
        count = chosen["episode_id"].astype(str).value_counts().reindex(own.index, fill_value=0)
        sessions = own["n_sessions"].astype(float)
        found = count.sum() / sessions.sum()
        error = np.sqrt(((count - found * sessions) ** 2).sum()) / sessions.sum()
        assert abs(100 * (found - rate / 100)) < 400 * error, (therapy, severity)
        if severity == "any":
            poisson = np.sqrt(count.sum()) / sessions.sum()
            assert error > poisson, "clustered by patient"


def test_more_sessions_go_with_worse_scores_and_the_score_at_the_review_explains_it(seen):
    table = seen.dropna(subset=["baseline", "week_6", "month_6"]).astype({"n_sessions": float})
    plain = smf.ols("month_6 ~ baseline + therapy + n_sessions", table).fit(cov_type="HC3")
    assert plain.params["n_sessions"] > 8 * plain.bse["n_sessions"]
    given = smf.ols("month_6 ~ baseline + week_6 + therapy + n_sessions", table).fit(cov_type="HC3")
    assert abs(given.params["n_sessions"]) < 4 * given.bse["n_sessions"] and given.bse["n_sessions"] < 0.1


def test_sessions_before_the_review_go_with_nothing(clinic, seen):
    early = clinic.sessions.query("day <= 42")["episode_id"].astype(str).value_counts()
    table = seen.assign(early=early.reindex(seen.index, fill_value=0)).dropna(subset=["baseline", "month_6"])
    fit = smf.ols("month_6 ~ baseline + therapy + early", table).fit(cov_type="HC3")
    assert abs(fit.params["early"]) < 4 * fit.bse["early"] and fit.bse["early"] < 0.2
