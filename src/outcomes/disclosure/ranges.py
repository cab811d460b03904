"""The values that a released number is compatible with: what rounding, bounds and withholding leave open."""

import math
from collections.abc import Mapping
from typing import Any

from outcomes.disclosure.decisions import Fate
from outcomes.disclosure.rules import Rules
from outcomes.disclosure.writing import find_decimals, find_kind, percent_multiple

_SIZES = ("n", "n_versus")


def find_range(row: Any, column: str, audience: str, rules: Rules) -> tuple[float, float]:
    """Return the least and the greatest true value that is compatible with a released row.

    Both ends count as possible. The team's numbers are exact; a number of an earlier edition is taken for
    what it was then.

    Parameters
    ----------
    row : named tuple
        Of the table of a `Release`, its ``fate`` included.
    column : str
        ``estimate, conf_low, conf_high, p_value, n`` or ``n_versus``.
    audience : str
        ``team`` or ``stakeholder``.
    rules : Rules

    Examples
    --------
    A share of some 60 patients is shown in steps of 5 %.

    >>> from types import SimpleNamespace
    >>> from outcomes.disclosure.rules import read_rules
    >>> row = SimpleNamespace(statistic="share_at_floor", estimate=0.15, n=60.0, fate="shown", term=None)
    >>> find_range(row, "estimate", "stakeholder", read_rules())
    (0.125, 0.175)
    """
    value = float(getattr(row, column))
    kind = "count" if column in _SIZES else find_kind(row, rules)
    statistic = rules.statistics[str(row.statistic)]
    if row.fate == Fate.FEW and column == "estimate":
        return _bound_few(row, rules)
    if math.isnan(value):
        return _find_whole(kind, column)
    if audience == "team":
        return value, value
    if column == "p_value":
        half = 0.5 * 10.0 ** -rules.cells["p_decimals"]
        return (0.0 if value <= 2 * half else value - half), value + half
    if kind == "band":
        return _bound_band(value, rules.cells)
    if column == "estimate" and statistic.kind == "check":
        return _bound_check(row, kind, rules)
    if kind in ("share", "curve"):
        return _bound_share(row, value, column, rules)
    half = _find_step(row, kind, rules) / 2
    # the later of two numbers may be written as the other one less their difference, both rounded
    seconds = {entry.difference_of[1] for entry in rules.statistics.values() if entry.difference_of}
    half *= 2 if column == "estimate" and statistic.id in seconds else 1
    return value - half, value + half


def _find_whole(kind: str, column: str) -> tuple[float, float]:
    """Return the range of a number that nothing is known about."""
    if kind == "count":
        return 0.0, math.inf
    is_proportion = kind in ("share", "curve", "band") or column == "p_value"
    return (0.0, 1.0) if is_proportion else (-math.inf, math.inf)


def _find_step(row: Any, kind: str, rules: Rules) -> float:
    """Return to which multiple a count, a score or an effect is rounded; what is shown as it is has none."""
    if kind == "count":
        return float(rules.cells["count_multiple"])
    if kind in ("verdict", "sites", "signal"):
        return 0.0
    return float(10.0 ** -find_decimals(row, "stakeholder", rules))


def _bound_few(row: Any, rules: Rules) -> tuple[float, float]:
    """Return what "fewer than k" allows; a bound that may also be "all but fewer" allows everything."""
    statistic = rules.statistics[str(row.statistic)]
    if statistic.kind == "check":
        return 0.0, float(rules.k - 1)
    if statistic.when_few == "bounded" or math.isnan(row.n):
        return 0.0, 1.0
    least = max(row.n - rules.cells["count_multiple"] / 2, rules.k)
    return 0.0, min((rules.k - 1) / least, 1.0)


def _bound_band(low: float, cells: Mapping[str, Any]) -> tuple[float, float]:
    """Return the widest band that begins there."""
    edges = [scheme["edges"] for scheme in cells["bands"]]
    ends = [row[row.index(100 * low) + 1] for row in edges if 100 * low in row[:-1]]
    return low, max(ends, default=100) / 100


def _bound_check(row: Any, kind: str, rules: Rules) -> tuple[float, float]:
    """Return what a check may have found: rounding never carries it across what it needed."""
    step, value, needed = _find_step(row, kind, rules), float(row.estimate), float(row.x)
    if row.term in rules.roles["smallest_needed"]:
        kept = value >= needed
        return (max(value - step / 2, needed) if kept else value - step / 2), value + step / (1 + kept)
    kept = value <= needed
    return value - step / (1 + kept), (min(value + step / 2, needed) if kept else value + step / 2)


def _bound_share(row: Any, value: float, column: str, rules: Rules) -> tuple[float, float]:
    """Return what a share may be: in steps that its number of patients allows, be it of rounded counts."""
    cells, half = rules.cells, rules.cells["count_multiple"] / 2
    fewest = rules.k if math.isnan(row.n) else max(row.n - half, rules.k)
    reach = percent_multiple(fewest, cells) / 200
    counted = column == "estimate" and not rules.statistics[str(row.statistic)].is_modelled
    if counted and cells["share_of_rounded_counts"]:
        reach += 2 * half / fewest
    return max(value - reach, 0.0), min(value + reach, 1.0)
