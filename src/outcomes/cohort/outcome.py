"""The other outcome measures of a cohort: the same episodes, followed with another instrument."""

from __future__ import annotations

from dataclasses import replace

from outcomes.cohort.positions import locate_episodes
from outcomes.cohort.question import list_timepoints
from outcomes.cohort.selection import lay_grid, lay_out
from outcomes.cohort.types import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import read_instrument


def list_outcomes(cohort: Cohort) -> tuple[str, ...]:
    """Return the outcomes recorded for a cohort's episodes, its own first, then by name.

    Examples
    --------
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

    Parameters
    ----------
    cohort : Cohort
    outcome : str
        An instrument's id, with its variant where it has one: ``nprs:average``.

    Returns
    -------
    Cohort
        Whoever lacks a score of the measure at the start stays, and has no improvement. Flow and rules are
        those of the given cohort, by whose measure its patients were chosen.

    Raises
    ------
    AnalysisError
        When it was not recorded for any of these episodes.
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
