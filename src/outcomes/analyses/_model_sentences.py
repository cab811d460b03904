"""What a comparison over time says of its model: how it was made, and what a reader must know."""

from __future__ import annotations

from outcomes.analyses._comparison import Comparison
from outcomes.analyses._covariates import SCORE
from outcomes.analyses._declaration import join_names, label_covariate, label_timepoint, percent, say
from outcomes.analyses._rows import Rows
from outcomes.analyses._visits import Visits
from outcomes.cohort import Cohort


def list_warnings(
    cohort: Cohort, plan: Comparison, visits: Visits, enough: dict[str, bool], rows: Rows
) -> list[str]:
    """Return what a reader must know: time points set aside, states, what the model left out.

    Parameters
    ----------
    cohort : Cohort
    plan : Comparison
    visits : Visits
        Fitted.
    enough : mapping of str to bool
        By time point, whether enough patients were seen to compare groups then.
    rows : Rows
        Of the result, contrasts among them.
    """
    found = []
    set_aside = [id for id, entry in cohort.timepoints.items() if not entry.comparable]
    if set_aside:
        times = join_names(label_timepoint(cohort, id) for id in set_aside)
        found.append(say("comparison.not_compared", times=times))
    if len(plan.groups) < 2:
        return found
    if visits.state != "ok":
        found.append(say(f"over_time.{visits.state}"))
    if visits.n_absent:
        found.append(say("over_time.repeated_columns", count=visits.n_absent))
    for timepoint in visits.timepoints:
        time = label_timepoint(cohort, timepoint)
        states = {
            row.get("state")
            for row in rows.table
            if row["statistic"] == "contrast" and row["timepoint"] == timepoint
        }
        if not enough[timepoint]:
            found.append(say("comparison.not_followed_up", time=time))
        elif min(len(visits.patients[timepoint, name]) for name in plan.groups) < 2:
            found.append(say("comparison.empty_group", time=time))
        if "rank_deficient" in states:
            found.append(say("over_time.rank_deficient", time=time))
        if "few_clusters" in states and visits.state == "ok":
            found.append(say("over_time.few_clusters"))
    return list(dict.fromkeys(found))


def describe_model(plan: Comparison, visits: Visits, method: str, adjust: str) -> str:
    """Return the method sentence: model, covariance, margins, adjustment, errors, missing covariates."""
    if not visits.timepoints:
        return say("comparison.no_direction")
    likelihood = say(f"over_time.{method}")
    parts = [_describe_terms(plan, visits, likelihood), say("over_time.margins")]
    if visits.fitted is None:
        return " ".join(parts)
    how = adjust if len(plan.groups) > 2 else "one"
    parts.append(say(f"over_time.adjust_{how}", level=percent(plan.conf_level)))
    if visits.given_up:
        gone = join_names(say(f"over_time.covariance_{name}") for name in visits.given_up)
        parts.append(say("over_time.ladder", given_up=gone))
    parts.append(say(f"clusters.by_{plan.clustering.unit}"))
    parts.append(say("over_time.robust" if visits.robust else f"over_time.df_{visits.df}".replace("-", "_")))
    if plan.clustering.site_effect:
        parts.append(say("clusters.site_effect"))
    return " ".join([*parts, say("clusters.missing")])


def _describe_terms(plan: Comparison, visits: Visits, likelihood: str) -> str:
    """Say which model it is; with one follow-up nothing is repeated."""
    names = [label_covariate(entry.name) for entry in plan.covariates if entry.name != SCORE]
    based = len(names) < len(plan.covariates)
    if len(visits.timepoints) == 1:
        start = [label_covariate(SCORE)] if based else []
        return say(
            "over_time.method_one",
            method=likelihood,
            terms=join_names([say("over_time.group"), *start, *names]),
        )
    start = [say("over_time.term_baseline")] if based else []
    return say(
        "over_time.method", method=likelihood,
        terms=join_names([say("over_time.term_group"), *start, *names]),
        covariance=say(f"over_time.covariance_{visits.covariance}"),
        based=say(f"over_time.{'with' if based else 'without'}_baseline"),
    )  # fmt: skip
