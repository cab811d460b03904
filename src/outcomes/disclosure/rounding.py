"""How exactly a released number is written: counts, percentages, scores, effects and p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts import read_instrument


def round_to(value: float, multiple: float | str, how: str = ROUND_HALF_UP) -> float:
    """Round to a multiple in decimal arithmetic, so that a half is a half.

    Parameters
    ----------
    value : float
        Missing stays missing.
    multiple : float or str
        Such as 5, or "0.1".
    how : str
        A rounding of the module `decimal`.

    Examples
    --------
    >>> round_to(12.5, 5), round_to(2.25, "0.1", ROUND_HALF_EVEN), round_to(-0.04, "0.1")
    (15.0, 2.2, 0.0)
    """
    if math.isnan(value):
        return math.nan
    step = Decimal(str(multiple))
    # Twelve decimals hold every number that is shown and drop the binary noise of 0.1 + 0.2.
    exact = Decimal(repr(float(value))).quantize(Decimal("1e-12"))
    return float((exact / step).quantize(Decimal(1), how) * step) + 0.0


def round_count(value: float, cells: Mapping[str, Any]) -> float:
    """Round a count to the nearest multiple of the rules, half up."""
    return round_to(value, cells["count_multiple"])


def percent_multiple(n: float, cells: Mapping[str, Any]) -> int:
    """Return to which multiple of a percent a share of `n` patients is rounded.

    Examples
    --------
    >>> cells = {"percent_multiple": [{"patients_below": 50, "multiple": 10}]}
    >>> percent_multiple(49, cells), percent_multiple(50, cells)
    (10, 1)
    """
    for entry in cells["percent_multiple"]:
        if n < entry["patients_below"]:
            return int(entry["multiple"])
    return 1


def round_share(value: float, n: float, cells: Mapping[str, Any], how: str = ROUND_HALF_UP) -> float:
    """Round a proportion to the multiple of a percent that `n` patients allow, half up unless told."""
    return round_to(round_to(value * 100, percent_multiple(n, cells), how) / 100, "0.01")


def share_of_rounded(value: float, n: float, cells: Mapping[str, Any]) -> float:
    """Return a proportion of `n` patients; that of rounded counts where the profile asks for it.

    Examples
    --------
    >>> cells = {"share_of_rounded_counts": True, "count_multiple": 5}
    >>> share_of_rounded(67 / 130, 130, cells), share_of_rounded(0.5, 2, cells)
    (0.5, 0.5)
    """
    whole = round_count(n, cells)
    if not cells["share_of_rounded_counts"] or not whole:
        return value
    return round_count(value * n, cells) / whole


def round_p(value: float, cells: Mapping[str, Any]) -> float:
    """Round a p-value; a smaller one than can be written becomes the smallest that can."""
    smallest = 10.0 ** -cells["p_decimals"]
    return value if math.isnan(value) else max(round_to(value, str(smallest), ROUND_HALF_EVEN), smallest)


def score_decimals(outcome: object, cells: Mapping[str, Any]) -> int:
    """Return the decimals of a score: 1, or more where the instrument's whole range is narrow."""
    try:
        instrument = read_instrument(str(outcome))
    except FactsError:
        return 1
    width = instrument.maximum - instrument.minimum
    fitting = [entry["decimals"] for entry in cells["score_decimals"] if width <= entry["range_up_to"]]
    return fitting[0] if fitting else 1


def pick_band(share: float, n: float, k: int, cells: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the edges, in percent, of the band that a proportion of `n` patients falls into.

    The finest set of bands is taken whose every band spans at least `k` patients, and whose lowest holds
    that many: its upper edge belongs to the next one. None where even the widest would place a group smaller
    than that.

    Examples
    --------
    Under half of 22 patients are fewer than 11; under half of 23 may be 11.

    >>> cells = {"bands": [{"edges": [0, 50, 100]}]}
    >>> pick_band(0.4, 22, 11, cells), pick_band(0.4, 23, 11, cells)
    (None, (0.0, 50.0))
    """
    for scheme in cells["bands"]:
        edges = scheme["edges"]
        widths = [high - low for low, high in pairwise(edges)]
        if min(widths) * n >= 100 * k and edges[1] * n > 100 * k:
            percent = round(share * 100, 9)
            low = max(edge for edge in edges[:-1] if edge <= max(percent, edges[0]))
            return float(low), float(edges[edges.index(low) + 1])
    return None


def round_away(value: float, multiple: float | str, needed: float, at_least: bool) -> float:
    """Round half up, unless that would carry the number across a limit that it did not keep.

    Parameters
    ----------
    value, needed : float
        What was found and what is needed, in the same unit.
    multiple : float or str
    at_least : bool
        Whether the value must reach `needed` (else it must not pass it).

    Examples
    --------
    >>> round_away(29, 5, needed=30, at_least=True), round_away(0.254, "0.01", 0.25, at_least=False)
    (25.0, 0.26)
    """
    near = round_to(value, multiple)
    if at_least:
        return round_to(value, multiple, ROUND_FLOOR) if value < needed <= near else near
    return round_to(value, multiple, ROUND_CEILING) if near <= needed < value else near
