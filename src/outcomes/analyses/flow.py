"""How the cohort came about: each step with those excluded and those remaining."""

from __future__ import annotations

import numpy as np

from outcomes.analyses._declaration import say, trace_provenance
from outcomes.analyses._rows import Rows
from outcomes.cohort import Cohort, list_patients
from outcomes.result import Result, build_result

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
    for place, step in enumerate(flow.to_dict("records")):
        for statistic, patients, unit in (
            ("n_episodes", remaining[place], "episodes"),
            ("n_patients", remaining[place], "patients"),
            ("n_excluded_episodes", excluded[place], "episodes"),
            ("n_excluded_patients", gone[place], "patients"),
        ):
            rows.add_count(
                patients, statistic=statistic, term=step["step"], level=step["reason"],
                estimate=step[statistic], unit=unit,
            )  # fmt: skip
    return build_result(
        "flow",
        rows.table,
        support=rows.support,
        patients=list_patients(cohort.records),
        provenance=trace_provenance(cohort),
        method=say("flow.method"),
    )


def _trace_back(final: np.ndarray, excluded: list[np.ndarray]) -> list[np.ndarray]:
    """Return who remained after each step: the cohort and all whom later steps excluded."""
    remaining = [np.unique(final)]
    for codes in reversed(excluded[1:]):
        remaining.append(np.union1d(remaining[-1], codes))
    return remaining[::-1]
