"""How each episode went, in categories: what a group of patients with the same traits may tell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.facts import Source, read_instrument, read_timepoints


def sort_outcomes(episodes: pd.DataFrame, assessments: pd.DataFrame, source: Source) -> np.ndarray | None:
    """Return the category of the primary outcome's last change: better (2), much the same (1), worse (0).

    Parameters
    ----------
    episodes, assessments : pandas.DataFrame
        As in `Records`.
    source : Source
        Its primary instrument and variant.

    Returns
    -------
    numpy.ndarray of int or None
        One per episode, -1 where there are no two scores; None where the source names no primary outcome, or
        one without direction. Better and worse are by the instrument's default threshold where that is an
        amount of points, otherwise any change.
    """
    name = source.primary.get("instrument")
    if name is None:
        return None
    instrument = read_instrument(name)
    if instrument.direction == "none":
        return None
    mine = (assessments["instrument"].astype("str") == name) & assessments["score"].notna()
    if source.primary.get("variant"):
        mine &= (assessments["variant"].astype("str") == source.primary["variant"]).fillna(False)
    rows = assessments.loc[mine, ["episode_id", "timepoint", "day", "score"]]
    days = {id: entry.day for id, entry in read_timepoints().items()}
    days |= {id: entry["day"] for id, entry in source.timepoints.items()}
    labelled = rows["timepoint"].astype("object").map(days).astype("float64")
    order = rows["day"].astype("Float64").fillna(labelled.astype("Float64")).astype("float64")
    rows = rows.assign(order=order).dropna(subset=["order"]).sort_values("order", kind="stable")
    ends = rows.groupby("episode_id", observed=True)["score"].agg(["first", "last", "size"])
    ends = ends.loc[ends["size"] > 1]
    better = instrument.sign * (ends["last"] - ends["first"])
    threshold = instrument.default_threshold
    amount = threshold.value if threshold is not None and threshold.rule == "absolute" else np.nextafter(0, 1)
    category = 1 + (better >= amount).astype(int) - (better <= -amount).astype(int)
    return episodes["episode_id"].astype("object").map(category.to_dict()).fillna(-1).to_numpy(np.int64)
