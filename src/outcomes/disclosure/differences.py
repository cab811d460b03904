"""Numbers that belong together: of a start, a later score and the improvement, two give the third."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pandas as pd

from outcomes.disclosure.decisions import Decisions, Fate, Reason
from outcomes.disclosure.rules import Rules
from outcomes.disclosure.writing import find_decimals, round_to, write_value

#: Columns that the three rows share; two of them also share the time point.
_SHARED = ("outcome", "term", "level", "group")
_BASELINE = "baseline"


def _list_differences(rows: Sequence[Mapping[str, Any]], rules: Rules) -> Iterator[tuple[int, int, int]]:
    """Yield the positions of each start, later score and difference of one table."""
    places = {_name(row, str(row["statistic"]), str(row["timepoint"])): i for i, row in enumerate(rows)}
    for place, row in enumerate(rows):
        pair = rules.statistics[str(row["statistic"])].difference_of
        if pair:
            start = places.get(_name(row, pair[0], _BASELINE))
            later = places.get(_name(row, pair[1], str(row["timepoint"])))
            if start is not None and later is not None:
                yield start, later, place


def _name(row: Mapping[str, Any], statistic: str, timepoint: str) -> tuple[str, ...]:
    return (statistic, timepoint, *("" if pd.isna(row[key]) else str(row[key]) for key in _SHARED))


def protect_differences(table: pd.DataFrame, decisions: Decisions, rules: Rules) -> None:
    """Withhold a difference if one of its numbers is not shown, and the later number if the other two are.

    A number of an earlier edition is not the one of today, which the other two would give.
    """
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    for start, later, place in _list_differences(rows, rules):
        both = decisions.is_shown(start) and decisions.is_shown(later)
        if decisions.is_shown(place) and not both:
            decisions.withhold([place], Reason.RESTATED)
        elif both and decisions.fates[place] not in (Fate.SHOWN, Fate.HELD):
            decisions.withhold([later], Reason.RESTATED)


def write_differences(rows: list[dict[str, Any]], shown: Sequence[bool], audience: str, rules: Rules) -> None:
    """Write later scores as the start less the difference, both as they are written, so that all three agree.

    For stakeholders the number itself is written so, for the team only its text; it moves by less than two
    halves of the last decimal. `shown` says of which rows a number of today stands there.
    """
    for start, later, place in _list_differences(rows, rules):
        if not (shown[start] and shown[later] and shown[place]):
            continue
        step = f"1e-{find_decimals(SimpleNamespace(**rows[later]), audience, rules)}"
        first, gain = (
            Decimal(str(round_to(rows[i]["estimate"], step, "ROUND_HALF_EVEN"))) for i in (start, place)
        )
        rises = rows[later]["estimate"] > rows[start]["estimate"]
        agreed = float(first + abs(gain) if rises else first - abs(gain))
        if audience != "team":
            rows[later]["estimate"] = agreed
        row = SimpleNamespace(**{**rows[later], "estimate": agreed})
        rows[later]["display"] = write_value(row, "estimate", audience, rules)
