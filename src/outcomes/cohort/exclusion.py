"""Which episodes of the records are no part of a cohort, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort.covariates import apply_filters
from outcomes.cohort.flow import Flow
from outcomes.cohort.grid import Grid
from outcomes.cohort.question import Question
from outcomes.cohort.remembering import remember
from outcomes.cohort.therapies import list_late_labels
from outcomes.cohort.types import STATUSES
from outcomes.errors import AnalysisError
from outcomes.facts import read_words
from outcomes.records.tables import Records


@remember
def code_patients(records: Records) -> np.ndarray:
    """Return the patient of each episode of the records as a code, from 0 without gaps."""
    return pd.factorize(records.episodes["patient_id"])[0]


def exclude_episodes(
    records: Records, question: Question, grid: Grid, where: Mapping[str, Any] | None
) -> Flow:
    """Exclude episodes step by step, each step written down.

    Raises
    ------
    AnalysisError
        When no episode is left.
    """
    say, episodes = read_words().say, records.episodes
    patient = code_patients(records)
    flow = Flow(patient, say("cohort.flow.read"))
    for reason in sorted(str(name) for name in episodes["excluded"].dropna().unique()):
        flow.exclude("excluded_by_source", reason, (episodes["excluded"] == reason).to_numpy(dtype=bool))
    for reason, outside in apply_filters(episodes, where):
        flow.exclude("outside_filter", reason, outside)
    therapy = episodes["therapy"]
    flow.exclude("no_therapy", say("cohort.flow.no_therapy"), therapy.isna().to_numpy())
    late = list_late_labels(records.source)
    if late:
        flow.exclude("late_label", say("cohort.flow.late_label"), therapy.isin(late).to_numpy())
    others = ~therapy.isin(list(question.therapies)).to_numpy()
    if (others & flow.kept).any():
        flow.exclude("other_therapy", say("cohort.flow.other_therapy"), others)
    if question.has_baseline and question.needs_baseline:
        missing = np.isnan(grid.score[:, 0])
        flow.exclude(
            "no_baseline", say("cohort.flow.no_baseline", instrument=question.instrument.name), missing
        )
    if question.episodes == "first":
        later = _find_later(_order_episodes(records), patient, flow.kept)
        flow.exclude("later_episode", say("cohort.flow.later_episode"), later)
    waiting = (grid.status[:, 1:] == STATUSES.index("not_yet_due")).all(axis=1)
    flow.exclude("no_visit_due", say("cohort.flow.no_visit_due"), waiting)
    if not flow.kept.any():
        raise AnalysisError(_explain_empty(flow))
    return flow


def _explain_empty(flow: Flow) -> str:
    steps = flow.tabulate()
    worst = int(steps["n_excluded_episodes"].to_numpy().argmax())
    return read_words().say("cohort.errors.empty", n=len(flow.kept), reason=steps["reason"].iloc[worst])


@remember
def _order_episodes(records: Records) -> np.ndarray:
    """Return the positions of the episodes by their number, else by their start, else as they stand."""
    episodes = records.episodes
    numbered = "episode_number" in episodes and episodes["episode_number"].notna().all()
    order = episodes["episode_number" if numbered else "start_date"].reset_index(drop=True)
    return order.sort_values(kind="stable").index.to_numpy()


def _find_later(order: np.ndarray, patient: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return which episodes come after the first one that is left of their patient."""
    ranked = order[kept[order]]
    later = np.zeros(len(order), dtype=bool)
    later[ranked] = pd.Series(patient[ranked]).duplicated().to_numpy()
    return later
