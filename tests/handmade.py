"""Cohorts written as text tables, so that every expected number can be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort import STATUSES, Cohort
from outcomes.facts import FileSpec, Instrument, Source, Therapy, Threshold, Timepoint
from outcomes.records import Records

PAIN = Instrument(
    id="nprs", name="Numeric Pain Rating Scale", short_name="pain", version="0-10", kind="prom",
    domain="pain_intensity", unit="points", minimum=0, maximum=10, step=1, direction="higher_worse",
    scoring={}, licence="", source="", verified=True,
    thresholds=(
        Threshold("two-points", "MIC", "absolute", 2, "individual", "adults", "made up", True),
        Threshold("thirty-percent", "MIC", "percent", 30, "individual", "adults", "made up", True),
        Threshold("no-pain", "PASS", "state", 1, "individual", "adults", "made up", True, comparison="<="),
        Threshold("of-groups", "MIC", "absolute", 1.5, "between-group", "adults", "made up", True),
        Threshold("unread", "MIC", "absolute", 4, "individual", "adults", "made up", False),
    ),
)  # fmt: skip
FUNCTION = replace(PAIN, id="oks", short_name="function", direction="higher_better", maximum=48)
PERCENT = replace(PAIN, id="odi", short_name="disability", maximum=100)


def build_cohort(
    text: str, *, instrument: Instrument = PAIN, covariates: tuple[str, ...] = (), **options: Any
) -> Cohort:
    """Build a cohort from a table: one row an episode, one column a time point (a score or a status).

    Columns before ``baseline`` are ``patient``, ``therapy`` and any of the episode; ``.`` is missing.
    """
    header, *lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    wide = pd.DataFrame(lines, columns=header)
    return assemble_cohort(wide, instrument=instrument, covariates=covariates, **options)


def assemble_cohort(
    wide: pd.DataFrame, *, instrument: Instrument = PAIN, covariates: tuple[str, ...] = (),
    design: str = "routine", primary: str | None = None, reference: str | None = None,
    incomparable: tuple[str, ...] = (), reference_scores: tuple[Mapping[str, Any], ...] = (),
    primary_choices: Mapping[str, Any] | None = None,
) -> Cohort:  # fmt: skip
    """Build a cohort from a wide frame whose columns from ``baseline`` on are time points."""
    start = list(wide.columns).index("baseline")
    timepoints, held = list(wide.columns[start:]), wide.iloc[:, :start].replace(".", np.nan)
    cells = wide[timepoints].astype("object").to_numpy().ravel()
    score = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy()
    status = np.where(np.isnan(score), np.where(np.isin(cells, STATUSES), cells, "missing"), "seen")
    episodes = held.assign(
        episode_id=[f"e{number}" for number in range(len(held))], patient=pd.factorize(held["patient"])[0]
    )
    for name in ("site", "therapist"):
        if name not in episodes:
            episodes[name] = pd.Series(np.nan, index=episodes.index, dtype="str")
    for name in covariates:
        numbers = pd.to_numeric(episodes[name], errors="coerce")
        if numbers.notna().sum() == episodes[name].notna().sum():
            episodes[name] = numbers
    table = episodes[["episode_id", "patient", "therapy", "site", "therapist"]].iloc[
        np.repeat(np.arange(len(held)), len(timepoints))
    ]
    baseline = np.repeat(score.reshape(len(held), -1)[:, 0], len(timepoints))
    table = table.reset_index(drop=True).assign(
        timepoint=pd.Categorical(np.tile(timepoints, len(held)), categories=timepoints, ordered=True),
        day=0, score=score, baseline=baseline, change=score - baseline,
        improvement=instrument.sign * (score - baseline), status=status,
    )  # fmt: skip
    therapies = list(dict.fromkeys(episodes["therapy"].dropna()))
    n_patients = episodes["patient"].nunique()
    flow = pd.DataFrame(
        {
            "step": ["read", "excluded"], "reason": ["episodes read", "excluded by the source"],
            "n_episodes": [len(held) + 1, len(held)], "n_patients": [n_patients + 1, n_patients],
            "n_excluded_episodes": [0, 1], "n_excluded_patients": [0, 1],
            "patients": [np.array([], dtype=int), np.array([n_patients])],
            "patients_gone": [np.array([], dtype=int), np.array([n_patients])],
        }
    )  # fmt: skip
    empty = pd.DataFrame({"episode_id": pd.Series([], dtype="str")})
    read = pd.DataFrame(
        {
            "episode_id": [*episodes["episode_id"], "excluded"],
            "patient_id": [*(f"p{code}" for code in episodes["patient"]), "excluded"],
        }
    )
    return Cohort(
        table=table, episodes=episodes, flow=flow, instrument=instrument, variant=None,
        timepoints={
            id: Timepoint(id, id.replace("_", " "), 0, comparable=id not in incomparable) for id in timepoints
        },
        therapies={
            id: Therapy(id, id, id, "exercise", "#000000", "o", order) for order, id in enumerate(therapies)
        },
        reference=reference or (therapies[-1] if therapies else None), primary=primary or timepoints[-1],
        covariates=covariates,
        rules={
            "episodes": "First episodes.", "therapy": "Planned at the start.", "intercurrent_events": "None.",
        },
        clustered_by="patient" if episodes["patient"].duplicated().any() else None,
        records=Records(
            source=Source(
                "made-up", "Made up", (FileSpec("x.csv", "episode"),), design=design,
                reference_scores=reference_scores, primary=primary_choices or {},
            ),
            episodes=read, assessments=empty, sessions=empty, events=empty, refused=empty, findings=(),
            unmapped={}, n_read=0, n_accepted=0, n_refused=0, fingerprint="0",
        ),
    )  # fmt: skip


def pick(result: Any, **equals: object) -> pd.Series:
    """Return the one row of a result whose columns equal the given values."""
    table = result.where(**equals).table
    assert len(table) == 1, f"{len(table)} rows for {equals}"
    return table.iloc[0]


def wilson(share: float, n: int) -> list[float]:
    """Return the ends of the 95 % interval: where (share - x)^2 = z^2 x (1 - x) / n."""
    z2 = 1.959963984540054**2 / n
    return sorted(np.roots([1 + z2, -(2 * share + z2), share**2]).real.tolist())


def ends(row: pd.Series) -> list[float]:
    """Return both ends of the interval of a row."""
    return [row["conf_low"], row["conf_high"]]


def supported(result: Any) -> bool:
    """Return whether every row's support holds as many distinct patients as its ``n`` says."""
    for row, sets in zip(result.table.itertuples(), result.support, strict=True):
        counted = sets.get("all", sets.get("group"))
        if len(counted) != row.n or any(len(np.unique(codes)) != len(codes) for codes in sets.values()):
            return False
        if row.n_versus == row.n_versus and len(sets["versus"]) != row.n_versus:
            return False
    return True
