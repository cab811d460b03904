"""All outcome domains of the same patients at a glance, at one time point."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    label_timepoint,
    percent,
    say,
    say_of_measure,
    trace_origin,
)
from outcomes.analyses._grid import BASELINE, Grid, Rows, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses.change import summarise_change
from outcomes.cohort import Cohort, follow_outcome, list_outcomes, select_cohort
from outcomes.cohort.question import list_recorded
from outcomes.cohort.rules import say_reading
from outcomes.facts import Text, list_instruments, read_facts, read_instrument
from outcomes.records.absence import explain_measures, mark_not_asked
from outcomes.records.tables import Absence
from outcomes.result import Result

__all__ = ["summarise_domains"]


def summarise_domains(
    cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95, timepoint: str | None = None
) -> Result:
    """Summarise every outcome domain of a cohort's patients; a description, not a comparison.

    Each measure that was recorded is followed in all episodes that fit the cohort's question, those without a
    score of the cohort's own measure at the start too: otherwise pain would be told of those only who filled
    in a disability form, and of others on each page.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the t intervals of the means, a proportion.
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.

    Returns
    -------
    Result
        Per group, then for ``all``: the patients (``n``), and per domain of ``facts/domains.toml`` that has
        no analysis or no measure recorded (``term``) how many of them have any score or event of it
        (``n_recorded``; ``level``: the `Absence` where it is none). Then per measure (``outcome``; ``level``
        its domain) the rows of `summarise_change` at the start and at the chosen time point.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion; when there is no such follow-up, or no column ``by``.
    """
    check_level(conf_level)
    if cohort.asked.get("needs_baseline"):
        wide = select_cohort(cohort.records, **{**cohort.asked, "needs_baseline": False})
        cohort = replace(wide, detail=cohort.detail)
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    domains = read_facts("domains")["domain"]
    outcomes = {outcome: read_instrument(outcome).domain for outcome in list_outcomes(cohort)}
    outcomes[cohort.outcome] = cohort.instrument.domain
    described = [  # in the order of a page
        (str(entry["id"]), outcome)
        for entry in domains
        for outcome, domain in outcomes.items()
        if entry.get("analysed", True) and domain in entry.get("measures", ())
    ]
    named = {domain for domain, _ in described}
    rows = Rows()
    _count_recorded(rows, cohort, grid, [entry for entry in domains if entry["id"] not in named], outcomes)
    said: dict[Text, None] = {}
    for domain, outcome in described:
        followed = follow_outcome(cohort, outcome)
        change = summarise_change(followed, by=by, conf_level=conf_level)
        rows.copy(change.where(timepoint=[BASELINE, timepoint]), level=domain)
        said |= dict.fromkeys(say_of_measure(followed))
    records, measures = cohort.records, [outcome.partition(":")[0] for _, outcome in described]
    reading = records.list_said(*measures)
    rules = {**cohort.rules, **({"reading": say_reading(reading)} if reading else {})}
    return conclude(
        "domains",
        cohort,
        rows,
        method=say("domains.method", time=label_timepoint(cohort, timepoint), level=percent(conf_level)),
        warnings=[say("domains.description"), say("domains.not_recorded"), *said],
        origin=replace(trace_origin(cohort), rules=rules, answered=records.list_answered(*measures)),
    )


def _count_recorded(
    rows: Rows,
    cohort: Cohort,
    grid: Grid,
    domains: Sequence[Mapping[str, Any]],
    outcomes: Mapping[str, str],
) -> None:
    """Count per group those of whom anything of a domain is recorded, at whatever time."""
    marks = {str(entry["id"]): _mark_recorded(cohort, grid, entry, outcomes) for entry in domains}
    kinds = {str(entry["id"]): _explain_domain(cohort, entry) for entry in domains}
    for group, members in grid.members():
        rows.add_count(grid.patients(members), statistic="n", term="patients", group=group)
        for domain, mark in marks.items():
            counted, rest = (grid.patients(members[has[members]]) for has in (mark, ~mark))
            # Those of whom nothing is recorded must be enough too, since the group's size is told.
            sets = {"all": counted, **({"rest": rest} if len(counted) and len(rest) else {})}
            place = {"statistic": "n_recorded", "term": domain, "group": group, "unit": "patients"}
            place["level"] = kinds[domain]
            rows.add(sets, **place, estimate=len(counted), n=len(counted))


def _explain_domain(cohort: Cohort, domain: Mapping[str, Any]) -> Absence:
    """Return why nothing of a domain is there, where nothing is: by its measures in all records."""
    measures = domain.get("measures", ())
    own = {id for id in list_instruments() if read_instrument(id).domain in measures}
    held = list_recorded(cohort.records) if len(cohort.records.assessments) else ()
    recorded = own & {id for id, _ in held}
    kept = cohort.records.episodes["episode_id"].isin(cohort.episodes["episode_id"]).to_numpy(dtype=bool)
    least = 1 - read_facts("checks")["regions"]["share"]
    if recorded and all(mark_not_asked(cohort.records, id)[kept].mean() >= least for id in recorded):
        return Absence.NOT_ASKED
    return explain_measures(cohort.records, own, domain.get("events", ()))


def _mark_recorded(
    cohort: Cohort, grid: Grid, domain: Mapping[str, Any], outcomes: Mapping[str, str]
) -> np.ndarray:
    """Return of which episodes a score or an event of a domain is recorded."""
    own = {outcome for outcome, name in outcomes.items() if name in domain.get("measures", ())}
    mark: np.ndarray = np.logical_and(grid.seen.any(axis=1), cohort.outcome in own)
    ids = pd.Index(grid.episodes["episode_id"].astype("str"))
    held = []
    if len(cohort.assessments):
        scored = cohort.assessments[cohort.assessments["score"].notna()]
        names = scored["instrument"].astype("str") + (":" + scored["variant"].astype("str")).fillna("")
        held.append(scored.loc[names.isin(own), "episode_id"])
    if len(cohort.events):
        held.append(cohort.events.loc[cohort.events["event"].isin(domain.get("events", ())), "episode_id"])
    for named in held:
        mark |= np.asarray(ids.isin(named.astype("str").unique()), dtype=bool)
    return mark
