"""Control charts: their periods are dates of care, and their limits and signals hold the centre."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from outcomes.disclosure.rules import Rules
from outcomes.errors import DisclosureError
from outcomes.facts import read_words
from outcomes.result import Result

_WHOLE = "all"
_YEAR = re.compile(r"\d{4}")


def refuse_dates(result: Result, rules: Rules) -> None:
    """Refuse periods finer than a year where the profile lets none leave.

    Raises
    ------
    DisclosureError
        Saying which profile asks for it, and what to do.
    """
    table = result.table
    of_periods = table["statistic"].isin(rules.roles["of_periods"]) & table["term"].isin(
        rules.roles["periods"]
    )
    periods = set(table.loc[of_periods, "group"].dropna()) - {_WHOLE}
    if rules.cells["years_only"] and not all(_YEAR.fullmatch(str(period)) for period in periods):
        raise DisclosureError(read_words().say("release.years_only", profile=rules.profile))


def protect_charts(table: pd.DataFrame, fates: Sequence[str], rules: Rules) -> list[str]:
    """Remove limits and signals of which the centre, or the period's own number, is not shown.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of a result.
    fates : sequence of str
        What became of each row so far.
    rules : Rules

    Returns
    -------
    list of str
        The fates; ``unsaid`` for rows that leave no trace.
    """
    following = table["statistic"].isin(rules.roles["follow_centre"]).to_numpy()
    if not following.any():
        return list(fates)
    of_periods = [
        (str(row.group), fate)
        for row, fate in zip(table.itertuples(index=False), fates, strict=True)
        if row.statistic in rules.roles["of_periods"]
    ]
    shown = {group for group, fate in of_periods if fate == "shown"}
    # limits and signals of an earlier edition stand beside the centre of that edition, never beside a newer
    # one
    held = {"shown": shown, "held": {group for group, fate in of_periods if fate in ("shown", "held")}}
    return [
        "unsaid" if follows and not {_WHOLE, str(group)} <= held.get(fate, shown) else fate
        for fate, follows, group in zip(fates, following, table["group"], strict=True)
    ]
