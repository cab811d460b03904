"""Which episodes of the records are no part of a cohort, and why: every exclusion is counted once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort.filters import apply_filters
from outcomes.cohort.grid import ScoreGrid
from outcomes.cohort.question import Question
from outcomes.cohort.refusals import refuse
from outcomes.cohort.remembering import remember
from outcomes.cohort.therapies import list_late_labels
from outcomes.cohort.types import STATUSES
from outcomes.facts import Text
from outcomes.records.tables import Records


class Flow:
    """Episodes that are left, and the steps that excluded the others.

    `patient` is the code of the patient of each episode of the records, from 0 without gaps.
    """

    def __init__(self, patient: np.ndarray) -> None:
        self._patient = patient
        self.kept = np.ones(len(patient), dtype=bool)
        self._steps: list[dict[str, object]] = []
        self._times: dict[str, int] = {}
        self.exclude("read", Text("cohort.flow.read"), np.zeros(len(patient), dtype=bool))

    def exclude(self, step: str, reason: Text | str, which: np.ndarray) -> None:
        """Exclude episodes that are still in; a step that excludes none is written down as well.

        Several steps of one name, such as two filters, are told apart by a number.
        """
        out = which & self.kept
        self.kept = self.kept & ~out
        left, behind = self._find_patients(self.kept), self._find_patients(out)
        gone = np.setdiff1d(behind, left, assume_unique=True)
        self._times[step] = self._times.get(step, 0) + 1
        times = self._times[step]
        self._steps.append(
            {
                "step": step if times == 1 else f"{step}_{times}",
                "reason": reason,
                "n_episodes": int(self.kept.sum()),
                "n_patients": len(left),
                "n_excluded_episodes": int(out.sum()),
                "n_excluded_patients": len(gone),
                "patients": behind,
                "patients_gone": gone,
            }
        )

    def _find_patients(self, which: np.ndarray) -> np.ndarray:
        """Return the distinct patients of some episodes, sorted."""
        return np.flatnonzero(np.bincount(self._patient[which]))

    def tabulate(self) -> pd.DataFrame:
        """Return one row per step in order."""
        return pd.DataFrame(self._steps)


@remember
def code_patients(records: Records) -> np.ndarray:
    """Return the patient of each episode of the records as a code, from 0 without gaps."""
    return pd.factorize(records.episodes["patient_id"])[0]


def exclude_episodes(
    records: Records, question: Question, grid: ScoreGrid, where: Mapping[str, Any] | None
) -> Flow:
    """Exclude episodes step by step, each step written down; refuse where none is left."""
    episodes, patient = records.episodes, code_patients(records)
    flow = Flow(patient)
    for reason in sorted(str(name) for name in episodes["excluded"].dropna().unique()):
        flow.exclude("excluded_by_source", reason, (episodes["excluded"] == reason).to_numpy(dtype=bool))
    for wanted, outside in apply_filters(episodes, where):
        flow.exclude("outside_filter", wanted, outside)
    therapy = episodes["therapy"]
    flow.exclude("no_therapy", Text("cohort.flow.no_therapy"), therapy.isna().to_numpy())
    late = list_late_labels(records.source)
    if late:
        flow.exclude("late_label", Text("cohort.flow.late_label"), therapy.isin(late).to_numpy())
    others = ~therapy.isin(list(question.therapies)).to_numpy()
    if (others & flow.kept).any():
        flow.exclude("other_therapy", Text("cohort.flow.other_therapy"), others)
    if question.has_baseline and question.needs_baseline:
        named = Text.of("cohort.flow.no_baseline", instrument=question.instrument.called)
        flow.exclude("no_baseline", named, np.isnan(grid.score[:, 0]))
    if question.episodes == "first":
        later = _find_later(_order_episodes(records), patient, flow.kept)
        flow.exclude("later_episode", Text("cohort.flow.later_episode"), later)
    waiting = (grid.status[:, 1:] == STATUSES.index("not_yet_due")).all(axis=1)
    flow.exclude("no_visit_due", Text("cohort.flow.no_visit_due"), waiting)
    if not flow.kept.any():
        steps = flow.tabulate()
        worst = int(steps["n_excluded_episodes"].to_numpy().argmax())
        raise refuse("empty", n=len(flow.kept), reason=steps["reason"].iloc[worst])
    return flow


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
