"""Counts of episodes in a flow: beside those of patients they tell who came again."""

from __future__ import annotations

from collections.abc import Sequence

from outcomes.disclosure.rules import Rules
from outcomes.result import Result


def leave_out_episodes(result: Result, fates: Sequence[str], rules: Rules) -> list[str]:
    """Remove all counts of episodes from a flow of which one may not be shown.

    Episodes less patients are later episodes of the same patients, so that a withheld one of these would be
    bounded by the others. Patients are counted in any case.

    Parameters
    ----------
    result : Result
    fates : sequence of str
        What became of each row so far.
    rules : Rules

    Returns
    -------
    list of str
        The fates; ``unsaid`` for rows that leave no trace.
    """
    counted = result.table["statistic"].isin(rules.roles["of_episodes"]).to_numpy()
    if result.name != "flow" or all(
        fate == "shown" for fate, counts in zip(fates, counted, strict=True) if counts
    ):
        return list(fates)
    return ["unsaid" if counts else fate for fate, counts in zip(fates, counted, strict=True)]
