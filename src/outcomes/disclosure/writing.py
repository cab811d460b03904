"""How exactly a released number is rounded, and how it is written in tables, figures and sentences alike."""

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from outcomes.disclosure.rules import Rules
from outcomes.errors import FactsError
from outcomes.facts import Words, read_instrument, read_words

MINUS = "\N{MINUS SIGN}"
_HELD = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
#: What a check looks at, by the role of its term.
_CHECKED = {"checked_counts": "count", "checked_bands": "band", "checked_effects": "effect"}
_SHARES = frozenset({"share", "curve", "band"})


def round_to(value: float, multiple: float | str, how: str = ROUND_HALF_UP) -> float:
    """Round to a multiple in decimal arithmetic, so that a half is a half; missing stays missing.

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


def round_share(value: float, n: float, cells: Mapping[str, Any]) -> float:
    """Round a proportion to the multiple of a percent that `n` patients allow, half up."""
    return round_to(round_to(value * 100, percent_multiple(n, cells)) / 100, "0.01")


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

    Where `at_least`, the value must reach `needed`; else it must not pass it.

    Examples
    --------
    >>> round_away(29, 5, needed=30, at_least=True), round_away(0.254, "0.01", 0.25, at_least=False)
    (25.0, 0.26)
    """
    near = round_to(value, multiple)
    if at_least:
        return round_to(value, multiple, ROUND_FLOOR) if value < needed <= near else near
    return round_to(value, multiple, ROUND_CEILING) if near <= needed < value else near


def write_number(value: float, decimals: int = 0) -> str:
    """Write a number with fixed decimals and a true minus sign; a missing one is empty text.

    Examples
    --------
    >>> write_number(-0.04, 1), write_number(1234.0), write_number(float("nan"))
    ('0.0', '1234', '')
    """
    if math.isnan(value):
        return ""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def find_kind(row: Any, rules: Rules) -> str:
    """Return which kind of number a row is written as; a check follows what it checks."""
    kind = rules.statistics[str(row.statistic)].kind
    if kind != "check":
        return "score" if kind == "inside" else kind
    for role, of_kind in _CHECKED.items():
        if row.term in rules.roles[role]:
            return of_kind
    return "effect"


def find_decimals(row: Any, audience: str, rules: Rules) -> int:
    """Return the decimals of a row's estimate and interval; those of a percentage for a share."""
    kind = find_kind(row, rules)
    if kind in ("count", "verdict", "sites", "signal"):
        return 0
    if kind == "effect":
        return int(rules.cells["effect_decimals"])
    team = audience == "team"
    if kind in _SHARES:
        return int(rules.cells["share_decimals_team"]) if team else 0
    if team:
        return int(rules.cells["score_decimals_team"])
    of_covariate = rules.statistics[str(row.statistic)].of_covariate and row.term != "score"
    return 1 if of_covariate else _find_score_decimals(row.outcome, rules)


def _find_score_decimals(outcome: object, rules: Rules) -> int:
    """Return the decimals of a score: 1, or more where the instrument's whole range is narrow."""
    try:
        instrument = read_instrument(str(outcome))
    except FactsError:
        return 1
    width = instrument.maximum - instrument.minimum
    entries = rules.cells["score_decimals"]
    return next((int(entry["decimals"]) for entry in entries if width <= entry["range_up_to"]), 1)


def write_value(row: Any, column: str, audience: str, rules: Rules) -> str:
    """Write one number of a row of a release, which is rounded already; empty where it is missing.

    `column` is ``estimate, conf_low, conf_high, x, p_value, n`` or ``n_versus``; shares become ``75 %``.
    """
    value = float(getattr(row, column))
    if math.isnan(value):
        return ""
    if column in ("n", "n_versus"):
        return write_number(value)
    if column == "p_value":
        decimals = int(rules.cells["p_decimals"])
        smallest = 10.0**-decimals
        return f"<{smallest:.{decimals}f}" if value <= smallest else write_number(value, decimals)
    if column == "x" and rules.statistics[str(row.statistic)].kind != "check":
        return f"{value:g}".replace("-", MINUS)
    decimals = find_decimals(row, audience, rules)
    if find_kind(row, rules) in _SHARES:
        return f"{write_number(value * 100, decimals)} %"
    return write_number(value, decimals)


def write_band(low: float, high: float, words: Words) -> str:
    """Write a band of completeness given in percent.

    Examples
    --------
    >>> [write_band(low, high, read_words()) for low, high in ((0, 60), (60, 80), (80, 100))]
    ['under 60 %', '60 to 79 %', '80 % or more']
    """
    if low <= 0:
        return words.say("release.band_lowest", high=f"{high:g}")
    if high >= 100:
        return words.say("release.band_highest", low=f"{low:g}")
    return words.say("release.band", low=f"{low:g}", high=f"{high - 1:g}")


def split_mark(display: str) -> tuple[str, str]:
    """Return a number as it is written, and the mark behind it where it is that of an earlier edition.

    Examples
    --------
    >>> split_mark("31.0†"), split_mark("31.0")
    (('31.0', '†'), ('31.0', ''))
    """
    mark = read_words().say("release.as_of_mark")
    return (display.removesuffix(mark), mark) if display.endswith(mark) else (display, "")


def write_held(row: dict[str, Any], earlier: Mapping[str, Any], as_of: str, rules: Rules) -> dict[str, Any]:
    """Return a row with the numbers that it had in an earlier edition, marked as such.

    `earlier` is the row as it was released, a missing number None; `as_of` the day (ISO) of that edition.
    """
    numbers = {name: math.nan if earlier[name] is None else earlier[name] for name in _HELD}
    display = f"{earlier['display']}{read_words().say('release.as_of_mark')}"
    kept = {name: earlier[name] for name in ("state", "shown")} | {"display": display, "as_of": as_of}
    if rules.statistics[row["statistic"]].kind == "verdict":  # its finding is its level
        kept["level"] = earlier["level"]
    return {**row, **numbers, **kept}


def write_few(row: Any, n: float, rules: Rules, words: Words) -> str:
    """Write the bound that stands for a small number of patients, or for all but so few; zero included."""
    statistic = rules.statistics[str(row.statistic)]
    most = statistic.when_few == "bounded" and row.estimate > 0.5
    if statistic.kind == "check" or math.isnan(n) or n <= 0:
        return words.say("release.most" if most else "release.few", k=rules.k)
    multiple = percent_multiple(n, rules.cells)
    bound = min(round_to(100 * rules.k / n, multiple, "ROUND_CEILING"), 100)
    if most:
        return words.say("release.most_share", k=rules.k, bound=f"{100 - bound:g}")
    return words.say("release.few_share", k=rules.k, bound=f"{bound:g}")
