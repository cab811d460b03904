"""How the cohort came about: each step with those excluded and those remaining."""

from dataclasses import replace

import numpy as np

from outcomes.analyses._declaration import conclude, say, trace_origin
from outcomes.analyses._grid import Rows
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["count_flow"]


def count_flow(cohort: Cohort) -> Result:
    """Count episodes and patients at every step from the records to the cohort.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    Result
        Per step in order (``term`` its id, ``level`` its reason in words): ``n_episodes`` and
        ``n_patients`` that remain, ``n_excluded_episodes``, and ``n_excluded_patients`` of whom no episode
        remains; a patient who is excluded with one episode may remain with another.
    """
    rows = Rows(outcome=cohort.outcome, group="all")
    flow = cohort.flow.reset_index(drop=True)
    excluded = [np.unique(np.asarray(codes, dtype="int64")) for codes in flow["patients"]]
    gone = [np.unique(np.asarray(codes, dtype="int64")) for codes in flow["patients_gone"]]
    remaining = _trace_back(cohort.episodes["patient"].to_numpy("int64"), excluded)
    for number, step in enumerate(flow.to_dict("records")):
        place = {"term": step["step"], "level": str(step["reason"])}
        for statistic, patients, unit in (
            ("n_episodes", remaining[number], "episodes"),
            ("n_patients", remaining[number], "patients"),
            ("n_excluded_episodes", excluded[number], "episodes"),
            ("n_excluded_patients", gone[number], "patients"),
        ):
            rows.add_count(patients, statistic=statistic, **place, estimate=step[statistic], unit=unit)
    origin = replace(trace_origin(cohort), steps=dict(zip(flow["step"], flow["reason"], strict=True)))
    return conclude("flow", cohort, rows, method=say("flow.method"), origin=origin)


def _trace_back(final: np.ndarray, excluded: list[np.ndarray]) -> list[np.ndarray]:
    """Return who remained after each step: the cohort and all whom later steps excluded."""
    remaining = [np.unique(final)]
    for codes in reversed(excluded[1:]):
        remaining.append(np.union1d(remaining[-1], codes))
    return remaining[::-1]
