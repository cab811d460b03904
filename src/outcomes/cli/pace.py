"""How many updates of a stakeholder's page would be held back at this clinic's pace, from its own records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from outcomes.cli.screen import print_table, say
from outcomes.cohort import Cohort
from outcomes.disclosure.ledger.pace import CADENCES, Pace, follow_pace, read_days
from outcomes.disclosure.rules import read_rules

_WHOLE = "all"


def describe_pace(cohort: Cohort, k: int = 11) -> dict[str, Any]:
    """Describe how often each therapy's mean improvement could have been brought up to date.

    Parameters
    ----------
    cohort : Cohort
    k : int
        Smallest number of patients.

    Returns
    -------
    dict
        ``numbers``: per therapy and time point the patients who joined and the updates held back, at each
        cadence; ``held``: the share of all updates (0-1) by cadence, missing where there were none. Where the
        records do not hold the dates both are empty and ``because`` says so.
    """
    read_rules(k)
    grid = cohort.table
    starts = cohort.records.episodes.set_index(cohort.records.episodes["episode_id"].astype("str"))[
        "start_date"
    ]
    start = starts.reindex(grid["episode_id"].astype("str")).reset_index(drop=True)
    improved = grid["improvement"].notna() if grid["improvement"].notna().any() else grid["score"].notna()
    seen = ((grid["status"] == "seen") & improved & (grid["timepoint"] != "baseline")).to_numpy()
    joined = read_days(start[seen], grid.loc[seen, "day"])
    if not joined.size:
        what = "on which an episode began" if start.isna().all() else "of follow-ups"
        return {"k": k, "numbers": [], "held": {}, "because": f"the records hold no dates {what}"}
    until = read_days(start, grid["day"]).max()
    numbers, paces = [], []
    for therapy, timepoint, members in _list_numbers(cohort):
        chosen = members & seen
        days = read_days(start[chosen], grid.loc[chosen, "day"])
        found = [follow_pace(days, until, k, cadence) for cadence in CADENCES]
        paces += found
        numbers.append({"therapy": therapy, "timepoint": timepoint, **_write(found)})
    held = {cadence: _share([pace for pace in paces if pace.cadence == cadence]) for cadence in CADENCES}
    return {"k": k, "numbers": numbers, "held": held, "because": ""}


def _list_numbers(cohort: Cohort) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield each number of a page: therapy, time point, and which rows of the grid are its."""
    grid = cohort.table
    for therapy in [*(name for name in cohort.therapies if (grid["therapy"] == name).any()), _WHOLE]:
        group = (
            np.ones(len(grid), dtype=bool) if therapy == _WHOLE else (grid["therapy"] == therapy).to_numpy()
        )
        for timepoint in cohort.timepoints:
            if timepoint != "baseline":
                yield therapy, timepoint, group & (grid["timepoint"] == timepoint).to_numpy()


def _write(paces: list[Pace]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for pace in paces:
        rows[f"new {pace.cadence}"] = None if np.isnan(pace.n_new) else pace.n_new
        rows[f"held {pace.cadence}"] = f"{pace.n_held} of {pace.n_updates}"
    return rows


def _share(paces: list[Pace]) -> float | None:
    updates = sum(pace.n_updates for pace in paces)
    return sum(pace.n_held for pace in paces) / updates if updates else None


def print_pace(pace: Mapping[str, Any], outcome: str) -> None:
    """Print what `describe_pace` found, and what to do about it."""
    say("")
    if pace["because"]:
        say(
            f"How many updates of a stakeholder's page would be held back cannot be said: {pace['because']}.",
        )
        return
    title = (
        f"Updates of the mean improvement in {outcome} that would have been held back in the last 24 months"
    )
    print_table(pace["numbers"], list(pace["numbers"][0]) if pace["numbers"] else [], title=title)
    told = [f"{cadence} {share:.0%}" for cadence, share in pace["held"].items() if share is not None]
    if not told:
        say("No number had k patients early enough to be released twice in that time.")
        return
    say(f"Held back, because fewer than {pace['k']} patients had joined: {', '.join(told)} of all updates.")
    quarterly = pace["held"].get("quarterly")
    if quarterly is not None and quarterly > 0.5:
        say('  A page for stakeholders is better made once or twice a year here (cadence = "yearly").')
    elif (pace["held"].get("monthly") or 0) > 0.5:
        say("  Quarterly, the default cadence, suits this clinic better than monthly.")
