"""The true numbers behind a page, under the names that the attacker uses: only to judge whether he
succeeded."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np
from page_knowledge import ANY

from outcomes.analyses import (
    compare_respondents,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    summarise_change,
    summarise_domains,
    trace_cumulative,
)
from outcomes.cohort import select_cohort
from outcomes.records import read_records
from outcomes.result import Result

_STEPS = {
    "n_patients": "left", "n_episodes": "episodes left",
    "n_excluded_patients": "gone", "n_excluded_episodes": "episodes gone",
}  # fmt: skip
_MEASURED = {
    "mean_score": "sum of score", "mean_score_seen": "sum of score",
    "mean_improvement_seen": "sum of improvement",
}  # fmt: skip


def know_truth(path: str | Path, **choices: object) -> dict[Hashable, float]:
    """Return the true numbers of the pages of a clinic.

    Parameters
    ----------
    path : str or Path
        Folder of the made-up clinic's files.
    **choices
        As in `select_cohort`.
    """
    records = read_records("made-up-clinic", path)
    cohort = select_cohort(records, **choices)
    shared = (count_flow, count_completeness, summarise_change, count_responders)
    found = name_numbers(
        analyse(cohort) for analyse in (*shared, describe_baseline, compare_respondents, trace_cumulative)
    )
    wide = select_cohort(records, needs_baseline=False, **choices)
    return found | name_numbers([analyse(wide) for analyse in (*shared, summarise_domains)], ANY)


def name_numbers(results: Iterable[Result], mark: str = "") -> dict[Hashable, float]:
    """Return the numbers of some results by name, the measures marked."""
    found: dict[Hashable, float] = {}
    for result in results:
        for row, sets in zip(result.table.itertuples(index=False), result.support, strict=True):
            sizes = {name: len(np.unique(codes)) for name, codes in sets.items()}
            for name, value in _name_row(result.name, row, sizes, mark):
                found.setdefault(name, value)
    return found


def _name_row(
    analysis: str, row: object, sizes: dict[str, int], mark: str
) -> Iterable[tuple[Hashable, float]]:
    outcome, statistic, term, level, group, time = (
        "" if (value := getattr(row, name)) != value else str(value)
        for name in ("outcome", "statistic", "term", "level", "group", "timepoint")
    )
    outcome += mark
    whole, place = sizes.get("all", 0), (outcome, group, time)
    if statistic == "n" and analysis in ("baseline", "domains"):
        yield ("cohort", mark or outcome, group, ""), whole
    elif statistic == "n" and analysis == "nonresponse":
        yield ("responding", *place), whole
    elif statistic == "n_missing" and analysis in ("baseline", "nonresponse"):
        yield ("unknown", *place, term), whole
    elif statistic == "share":
        yield ("level", *place, term, level), sizes["with"]
        yield ("known", *place, term), whole
    elif statistic == "mean":
        yield ("known", *place, term), whole
        yield from _sum(("sum of covariate", *place, term), row, whole)
    elif statistic == "share_seen":
        yield ("due", *place), whole
        yield ("met", *place), sizes["with"]
    elif statistic in _MEASURED and analysis in ("change", "domains"):
        yield ("gained" if statistic == "mean_improvement_seen" else "scored", *place), whole
        yield from _sum((_MEASURED[statistic], *place), row, whole)
    elif statistic in ("share_improved", "share_worse", "share_in_state"):
        yield (statistic.removeprefix("share_"), *place, level, term), sizes["with"]
        if term == "seen":
            yield ("answered", *place, level), whole
    elif statistic == "share_improved_by":
        yield ("by", *place, row.x), sizes["with"]
    elif statistic == "n_recorded":
        yield ("recorded", outcome, group, term), whole
    elif statistic in _STEPS and analysis == "flow":
        yield (_STEPS[statistic], outcome, term), row.estimate
        if statistic == "n_excluded_episodes":
            yield ("touched", outcome, term), whole


def _sum(name: Hashable, row: object, n: int) -> Iterable[tuple[Hashable, float]]:
    """Yield a sum, where there is a mean: a single patient has none."""
    if not n or row.estimate == row.estimate:
        yield name, row.estimate * n if n else 0.0
