"""Numbers as text, the same in tables, figures and sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from outcomes.disclosure.rounding import percent_multiple, round_to, score_decimals
from outcomes.disclosure.rules import Rules
from outcomes.facts import Words, read_words

MINUS = "\N{MINUS SIGN}"
_HELD = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
#: What a check looks at, by the role of its term.
_CHECKED = {"checked_counts": "count", "checked_bands": "band", "checked_effects": "effect"}
#: Kinds of statistic that are proportions and written as percentages.
SHARES = frozenset({"share", "curve", "band"})


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
    """Return which rule a row's number follows; a check follows that of what it checks."""
    kind = rules.kind_of.get(str(row.statistic), "score")
    if kind != "check":
        return kind
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
    if kind in SHARES:
        return int(rules.cells["share_decimals_team"]) if team else 0
    if team:
        return int(rules.cells["score_decimals_team"])
    of_covariate = row.statistic in rules.roles["of_covariates"] and row.term != "score"
    return 1 if of_covariate else score_decimals(row.outcome, rules.cells)


def write_value(row: Any, column: str, audience: str, rules: Rules) -> str:
    """Write one number of a row.

    Parameters
    ----------
    row : named tuple or Series
        A row of a release; its numbers are already rounded.
    column : str
        ``estimate, conf_low, conf_high, x, p_value, n`` or ``n_versus``.
    audience : str
    rules : Rules

    Returns
    -------
    str
        Empty where the number is missing; shares as ``75 %``.
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
    if find_kind(row, rules) in SHARES and not (column == "x" and row.statistic != "check"):
        return f"{write_number(value * 100, find_decimals(row, audience, rules))} %"
    if column == "x" and row.statistic != "check":
        return f"{value:g}".replace("-", MINUS)
    return write_number(value, find_decimals(row, audience, rules))


def write_band(low: float, high: float, words: Words) -> str:
    """Write a band of completeness given in percent.

    Examples
    --------
    >>> from outcomes.facts import read_words
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


def write_held(row: dict[str, Any], earlier: Mapping[str, Any], as_of: str) -> dict[str, Any]:
    """Return a row with the numbers that it had in an earlier edition, marked as such.

    Parameters
    ----------
    row : dict
        As it would stand now.
    earlier : mapping
        As it was released; a missing number is None.
    as_of : str
        Day (ISO) of that edition.
    """
    numbers = {name: math.nan if earlier[name] is None else earlier[name] for name in _HELD}
    display = f"{earlier['display']}{read_words().say('release.as_of_mark')}"
    kept = {name: earlier[name] for name in ("state", "shown")} | {"display": display, "as_of": as_of}
    if row["statistic"] == "position":  # its finding is its level
        kept["level"] = earlier["level"]
    return {**row, **numbers, **kept}


def write_few(row: Any, n: float, rules: Rules, words: Words) -> str:
    """Write the bound that stands for a small number of patients, or for all but so few; zero included."""
    most = row.statistic in rules.roles["bounded"] and row.estimate > 0.5
    if row.statistic == "check" or math.isnan(n) or n <= 0:
        return words.say("release.most" if most else "release.few", k=rules.k)
    multiple = percent_multiple(n, rules.cells)
    bound = min(round_to(100 * rules.k / n, multiple, "ROUND_CEILING"), 100)
    if most:
        return words.say("release.most_share", k=rules.k, bound=f"{100 - bound:g}")
    return words.say("release.few_share", k=rules.k, bound=f"{bound:g}")
