"""`select_cohort`: the one way from records to a cohort, and to other measures of the same episodes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort.flow import Flow, code_patients, exclude_episodes, explain_one_therapy
from outcomes.cohort.grid import (
    EpisodeRows,
    ScoreGrid,
    complete_grid,
    find_baseline,
    find_bounds,
    find_end_of_therapy,
    find_follow_up,
    gather_rows,
)
from outcomes.cohort.question import (
    Question,
    list_timepoints,
    pick_assessments,
    settle_question,
    split_score,
)
from outcomes.cohort.refusals import refuse
from outcomes.cohort.remembering import remember
from outcomes.cohort.rules import state_rules
from outcomes.cohort.therapies import merge_therapies
from outcomes.cohort.types import STATUSES, Cohort, locate_episodes
from outcomes.errors import AnalysisError
from outcomes.facts import Instrument, Timepoint, read_facts, read_instrument
from outcomes.records.absence import mark_not_asked
from outcomes.records.tables import Records


def select_cohort(
    records: Records,
    *,
    instrument: str | None = None,
    variant: str | None = None,
    timepoints: Sequence[str] | None = None,
    primary: str | None = None,
    reference: str | None = None,
    therapies: Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    episodes: str = "first",
    intercurrent_events: str | Mapping[str, str] | None = None,
    needs_baseline: bool = True,
    merge: Sequence[str] | None = None,
) -> Cohort:
    """Select the episodes that a question is about and lay their scores on a completed grid.

    What is None is taken from the source's ``primary`` table.

    Parameters
    ----------
    records : Records
    instrument : str, optional
        Id of the outcome measure.
    variant : str, optional
        Its variant; the only recorded one where absent.
    timepoints : sequence of str, optional
        Ids of those to show; the baseline is always added. All at which the instrument was recorded where
        absent. Which are shown changes no number: every analysis uses all that were recorded.
    primary : str, optional
        Id of the primary time point.
    reference : str, optional
        Therapy against which the others are compared.
    therapies : sequence of str, optional
        Those to look at; all recorded where absent.
    covariates : sequence of str, optional
        Columns of the episodes known at time zero, or ``instrument:variant@baseline``.
    where : mapping, optional
        Filters on what is known at time zero: ``{"region": "low_back", "age_years": (18, 65)}``; ranges
        include both ends, None leaves an end open. Episodes without the value are excluded. None or empty
        text instead of a value filters nothing.
    episodes : str
        ``first`` (each patient's first episode with a therapy in the records, found before anything else is
        asked of it, so that all questions are about the same episodes) or ``all`` (clustered by patient).
    intercurrent_events : str or mapping, optional
        ``treatment_policy`` (scores count whatever happened; the default) or ``while_on_therapy`` (scores
        after a switch, an injection or surgery do not count), for all events or each.
    needs_baseline : bool
        Whether an episode without a score of the instrument at the start is excluded. False keeps it: a
        look at several measures at once takes patients who lack one of them too.
    merge : sequence of str, optional
        Declared groups of therapies, such as ``exercise``, that count as one therapy each; ``all`` takes all
        together. A merged therapy's id is that of the group with ``_together``.

    Returns
    -------
    Cohort

    Raises
    ------
    AnalysisError
        When a name is unknown, a covariate or filter is not known at time zero, therapies would need later
        sessions, or no episode is left; the message says what is known and what to do.

    Examples
    --------
    >>> from outcomes.synthetic import simulate_clinic
    >>> cohort = select_cohort(simulate_clinic(200, seed=1), where={"age_years": (18, 65)})
    >>> cohort.primary, cohort.reference
    ('month_6', 'usual_care')
    """
    given = {
        "instrument": instrument, "variant": variant, "timepoints": timepoints, "primary": primary,
        "reference": reference, "therapies": therapies, "covariates": covariates, "episodes": episodes,
        "intercurrent_events": intercurrent_events, "needs_baseline": needs_baseline, "merge": merge,
    }  # fmt: skip
    question = settle_question(records, given)
    grid = lay_grid(records, question.instrument.id, question.variant, tuple(question.strategies.items()))
    grid = grid.at([list(question.labels).index(id) for id in question.timepoints])
    flow = exclude_episodes(records, question, grid, where)
    return _assemble(records, question, grid, flow, {**given, "where": dict(where or {})})


def reselect_cohort(cohort: Cohort, records: Records) -> Cohort:
    """Select the cohort of the same question from other records of its source."""
    return select_cohort(records, **cohort.asked)


@remember
def lay_grid(
    records: Records, instrument: str, variant: str | None, strategies: tuple[tuple[str, str], ...]
) -> ScoreGrid:
    """Lay the scores of one measure on all time points that the source may have, before any choice."""
    labels = list_timepoints(records)
    rows = gather_rows(pick_assessments(records, instrument, variant), records.episodes["episode_id"], labels)
    grid = complete_grid(
        rows,
        _find_scores(records, labels, rows),
        find_bounds(labels, _take_days(records.episodes, "discharge_day")),
        _take_days(records.episodes, "observable_days"),
        _find_last_contact(records),
        _find_event_day(records, strategies),
    )
    grid.status[mark_not_asked(records, instrument)] = STATUSES.index("not_asked")
    return grid


def _take_days(table: pd.DataFrame, column: str) -> np.ndarray:
    return table[column].to_numpy("float64", na_value=np.nan)


def _find_scores(records: Records, labels: Mapping[str, Timepoint], rows: EpisodeRows) -> np.ndarray:
    """Return the row number of the score that counts for each episode x time point, -1 where none does."""
    end = read_facts("cohort")["end_of_therapy"]["timepoint"]
    found = []
    for code, (id, timepoint) in enumerate(labels.items()):
        if id == "baseline":
            found.append(_find_start(records, labels, rows))
        elif id == end:
            found.append(find_end_of_therapy(rows, _take_days(records.episodes, "discharge_day"), code))
        else:
            found.append(find_follow_up(rows, timepoint, code, len(records.episodes)))
    return np.column_stack(found)


def _find_start(records: Records, labels: Mapping[str, Timepoint], rows: EpisodeRows) -> np.ndarray:
    code = list(labels).index("baseline")
    return find_baseline(rows, labels["baseline"], code, _find_first_session(records))


@remember
def _find_first_session(records: Records) -> np.ndarray:
    first = np.full(len(records.episodes), np.inf)
    place = locate_episodes(records.sessions["episode_id"], records.episodes["episode_id"])
    day = _take_days(records.sessions, "day")
    np.fmin.at(first, place[place >= 0], day[place >= 0])
    return np.where(np.isinf(first), np.nan, first)


@remember
def _find_last_contact(records: Records) -> np.ndarray:
    """Return the last day on which an episode was assessed with any instrument or came to a session."""
    ids, labels = records.episodes["episode_id"], list_timepoints(records)
    last = np.nan_to_num(_take_days(records.episodes, "discharge_day"), nan=-np.inf)
    end = read_facts("cohort")["end_of_therapy"]["timepoint"]  # its day is a place in an order, no day
    targets = np.array([np.nan if id == end else float(entry.day) for id, entry in labels.items()])
    targets = np.append(targets, np.nan)
    for table in (records.assessments, records.sessions):
        rows = gather_rows(table, ids, labels)
        day = np.where(np.isnan(rows.day), targets[rows.label], rows.day)
        np.fmax.at(last, rows.episode, day)
    return np.where(np.isinf(last), np.nan, last)


def _find_event_day(records: Records, strategies: tuple[tuple[str, str], ...]) -> np.ndarray:
    """Return the day of the first event after which scores do not count."""
    ending = [event for event, strategy in strategies if strategy == "while_on_therapy"]
    events = records.events.loc[records.events["event"].isin(ending) & (records.events["day"] > 0)]
    first = np.full(len(records.episodes), np.inf)
    place = locate_episodes(events["episode_id"], records.episodes["episode_id"])
    np.fmin.at(first, place[place >= 0], _take_days(events, "day")[place >= 0])
    return np.where(np.isinf(first), np.nan, first)


def _assemble(
    records: Records, question: Question, grid: ScoreGrid, flow: Flow, asked: Mapping[str, Any]
) -> Cohort:
    kept, patient = np.flatnonzero(flow.kept), code_patients(records)
    held = records.episodes.iloc[kept].reset_index(drop=True)
    held = held.drop(columns="patient_id").assign(patient=patient[kept])
    given = {id: entry for id, entry in question.therapies.items() if (held["therapy"] == id).any()}
    therapies, counted = merge_therapies(given, question.merge)
    named = held["therapy"].map(counted) if therapies != given else held["therapy"]
    held["therapy"] = named.astype("category").cat.set_categories(list(therapies))
    reference = counted.get(question.reference or "")
    for name in [name for name in question.covariates if "@" in name]:
        scores = _score_at_start(records, question, name)[kept]
        if not np.isnan(scores).all():
            held[name] = scores
        elif asked["covariates"] is None:
            question = question.leave_out(name)
        else:
            raise refuse("covariate_no_start", name=name)
    clustered = question.episodes == "all" and held["patient"].duplicated().any()
    return Cohort(
        table=lay_out(held, question.instrument, question.timepoints, grid, kept),
        episodes=held,
        flow=flow.tabulate(),
        instrument=question.instrument,
        variant=question.variant,
        timepoints=question.timepoints,
        therapies=therapies,
        reference=reference if len(therapies) > 1 else None,
        primary=question.primary,
        covariates=question.covariates,
        rules=state_rules(records, question, therapies),
        clustered_by="patient" if clustered else None,
        records=records,
        strategies=question.strategies,
        asked=asked,
        hidden=tuple(id for id in question.timepoints if id not in question.shown),
        one_therapy=explain_one_therapy(records, flow) if len(given) == 1 else None,
    )


def _score_at_start(records: Records, question: Question, name: str) -> np.ndarray:
    """Return each episode's baseline score of another instrument."""
    instrument, variant, _ = split_score(name)
    table = pick_assessments(records, instrument, variant)
    rows = gather_rows(table, records.episodes["episode_id"], question.labels)
    found: np.ndarray = np.append(rows.score, np.nan)[_find_start(records, question.labels, rows)]
    return found


def lay_out(
    held: pd.DataFrame, instrument: Instrument, timepoints: Iterable[str], grid: ScoreGrid, kept: np.ndarray
) -> pd.DataFrame:
    """Return the grid of the held episodes as a table, one row per episode x time point."""
    ids, n = list(timepoints), len(kept)
    repeated = np.repeat(np.arange(n), len(ids))
    score, day = grid.score[kept], grid.day[kept]
    baseline = np.repeat(score[:, 0], len(ids))
    change = score.ravel() - baseline
    sign = instrument.sign if instrument.direction != "none" else np.nan
    status = pd.Index(STATUSES, dtype="str")
    named = held[["episode_id", "patient", "therapy", "site", "therapist"]]
    places, categories = np.tile(np.arange(len(ids)), n), pd.Index(ids, dtype="str")
    return (
        named.iloc[repeated]
        .reset_index(drop=True)
        .assign(
            timepoint=pd.Categorical.from_codes(places, categories=categories, ordered=True),
            day=pd.Series(day.ravel()).astype("Int64"),
            score=score.ravel(),
            baseline=baseline,
            change=change,
            improvement=sign * change + 0.0,  # no negative zeros
            status=pd.Categorical.from_codes(grid.status[kept].ravel(), categories=status),
        )
    )


def list_outcomes(cohort: Cohort) -> tuple[str, ...]:
    """Return the outcomes recorded for a cohort's episodes, its own first, then by name.

    >>> from outcomes.cohort import select_cohort
    >>> from outcomes.synthetic import simulate_clinic
    >>> list_outcomes(select_cohort(simulate_clinic(200, seed=1)))[:3]
    ('odi', 'eq5d_5l:taiwan', 'mmst_cm')
    """
    held = cohort.assessments
    if not len(held):
        return (cohort.outcome,)
    named = held.loc[held["score"].notna(), ["instrument", "variant"]].drop_duplicates()
    found = {
        f"{row.instrument}:{row.variant}" if isinstance(row.variant, str) else str(row.instrument)
        for row in named.itertuples(index=False)
    }
    return (cohort.outcome, *sorted(found - {cohort.outcome}))


def follow_outcome(cohort: Cohort, outcome: str) -> Cohort:
    """Return a cohort with the same episodes and time points, followed with another of its measures.

    `outcome` is an instrument's id, with its variant where it has one: ``nprs:average``. A patient who lacks
    a score of it at the start stays, and has no improvement. Flow and rules are those of the given cohort, by
    whose measure its patients were chosen.
    """
    if outcome == cohort.outcome:
        return cohort
    known = list_outcomes(cohort)
    if outcome not in known:
        raise AnalysisError(f"{outcome!r} was not recorded for these patients; known are {', '.join(known)}.")
    instrument = read_instrument(outcome)
    variant = outcome.partition(":")[2] or None
    grid = lay_grid(cohort.records, instrument.id, variant, tuple(cohort.strategies.items()))
    places = list(list_timepoints(cohort.records))
    grid = grid.at([places.index(id) for id in cohort.timepoints])
    kept = locate_episodes(cohort.episodes["episode_id"], cohort.records.episodes["episode_id"])
    return replace(
        cohort,
        table=lay_out(cohort.episodes, instrument, cohort.timepoints, grid, kept),
        instrument=instrument,
        variant=variant,
    )
