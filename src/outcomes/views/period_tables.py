"""Outcomes period by period: the table, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Text, read_words
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    explain_mark,
    list_rows,
    write_ends,
    write_size,
)
from outcomes.views.table import build_table_view
from outcomes.views.text import join_words, write_html, write_plain
from outcomes.views.view import View, build_empty_view, build_view

OUTCOMES = ("mean_improvement", "share_improved")
LIMITS = ("control_limit", "control_limit_share")


def list_periods(trend: Release) -> pd.DataFrame:
    """Return the rows of the periods in order, shown or not."""
    held = trend.where(statistic=OUTCOMES).table
    return held[held["group"] != WHOLE].sort_values("group", kind="stable").reset_index(drop=True)


def find_centre(trend: Release) -> Any:
    """Return the row of the centre; None where there is none or it may not be shown."""
    rows = list_rows(trend.where(statistic=OUTCOMES, group=WHOLE, shown=True).table)
    return rows[0] if rows else None


def list_signals(trend: Release) -> dict[str, list[Any]]:
    """Return the shown signals by period."""
    found: dict[str, list[Any]] = {}
    for row in list_rows(trend.where(statistic="signal", shown=True).table):
        found.setdefault(str(row.group), []).append(row)
    return found


def name_period(period: str) -> str:
    """Return how a period is called.

    Examples
    --------
    >>> name_period("2024Q1"), name_period("2024-03"), name_period("2024")
    ('2024 Q1', '2024-03', '2024')
    """
    return period.replace("Q", " Q")


def explain_no_periods(trend: Release) -> str:
    """Say why there is no period to show."""
    words = read_words()
    reason = Text("methods.trend.no_dates")
    if reason in trend.warnings:
        return str(words.write(reason))
    longer = f" {words.say('views.periods.longer')}" if trend.n_withheld else ""
    return f"{explain_absence(trend)}{longer}"


def tabulate_periods(trend: Release) -> View:
    """Tabulate the periods: patients, completeness, outcome, limits and signals.

    Parameters
    ----------
    trend : Release
        Of the analysis ``trend``.
    """
    labels, periods = read_labels(trend), list_periods(trend)
    if not periods["shown"].any():
        return build_empty_view("periods", "table", (trend,), explain_no_periods(trend))
    words, signals = read_words(), list_signals(trend)
    shares = {row.group: row for row in list_rows(trend.where(statistic="share_seen").table)}
    limits = {row.group: row for row in list_rows(trend.where(statistic=LIMITS, shown=True).table)}
    rows = []
    for row in list_rows(periods):
        rows.append(
            {
                "row": name_period(str(row.group)),
                "n": write_size(row, trend),
                "share": str(shares[row.group].display) if row.group in shares else "",
                "value": str(row.display),
                "limits": _write_limits(limits.get(row.group), trend),
                "signal": _write_state(row, signals.get(str(row.group), [])),
            }
        )
    value = words.say(f"views.periods.value_{_kind(periods)}", unit=labels.instrument.unit)
    headings = {"n": words.say("views.periods.n"), "share": words.say("views.periods.share"), "value": value}
    headings |= {"limits": words.say("views.periods.limits")} if limits else {}
    headings["signal"] = words.say("views.periods.signal")
    return build_table_view(
        "periods", (trend,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        stub=words.say("views.periods.period"), released=trend.table,
        caption=words.say(f"views.periods.caption_{_kind(periods)}", **place_of(periods, labels)),
    )  # fmt: skip


def _write_limits(row: Any, trend: Release) -> str:
    if row is None:
        return ""
    low, high = write_ends(row, trend)
    return read_words().say("views.periods.between", low=low, high=high)


def _write_state(row: Any, signals: Sequence[Any]) -> str:
    words = read_words()
    if row.term == "open":
        return words.say("views.periods.open")
    texts = [words.say(f"views.periods.signal_{signal.term}", rule=str(signal.display)) for signal in signals]
    return "; ".join(texts) or (words.say("views.periods.baseline") if row.term == "baseline" else "")


def _kind(periods: pd.DataFrame) -> str:
    return "share" if (periods["statistic"] == OUTCOMES[1]).any() else "mean"


def place_of(periods: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Return the measure and the time point of some periods, as sentences name them."""
    return {"measure": labels.measure, "time": labels.time(str(periods["timepoint"].iloc[0]))}


def say_trend(trend: Release) -> View:
    """Say what the last closed period had, whether anything changed, and which periods are still open.

    Parameters
    ----------
    trend : Release
        Of the analysis ``trend``.
    """
    words, labels, periods = read_words(), read_labels(trend), list_periods(trend)
    if not periods["shown"].any():
        texts = [explain_no_periods(trend)]
    else:
        kind = _kind(periods)
        centre, place = find_centre(trend), place_of(periods, labels)
        closed = list_rows(periods[(periods["term"] != "open") & periods["shown"]])
        texts = []
        if closed:
            values = {
                "period": name_period(str(closed[-1].group)), "value": closed[-1].display,
                "unit": labels.instrument.unit,
            }  # fmt: skip
            key = f"last_{kind}" if centre is not None else f"last_{kind}_alone"
            texts.append(
                words.say(f"views.periods.{key}", centre=getattr(centre, "display", ""), **values, **place)
            )
        texts += _say_signals(trend, centre is not None)
        waiting = [name_period(str(period)) for period in periods.loc[periods["term"] == "open", "group"]]
        if waiting:
            texts.append(words.say("views.periods.waiting", periods=join_words(waiting)))
    text = " ".join(filter(None, [*texts, explain_mark(trend.table, " ".join(texts))]))
    return build_view(
        "trend-sentence",
        "sentence",
        (trend,),
        f'<p id="{{id}}">{write_html(text)}</p>',
        alt=write_plain(text),
    )


def _say_signals(trend: Release, limited: bool) -> list[str]:
    words = read_words()
    if not limited:
        few = [text for text in trend.warnings if text != Text("methods.trend.description")]
        return list(map(words.write, few)) or [words.say("views.periods.no_centre", k=trend.k)]
    held = trend.where(statistic="signal", shown=True).table
    texts = []
    for side in ("better", "worse"):
        points = list(dict.fromkeys(held.loc[held["term"] == side, "group"]))
        if points:
            named = join_words([f"**{name_period(str(point))}**" for point in points])
            texts.append(words.say(f"views.periods.change_{side}", periods=named))
    if not texts:
        return [words.say(f"views.periods.no_signal{'_shown' if _may_hide_signals(trend) else ''}")]
    return [*texts, words.say("views.periods.caution")]


def _may_hide_signals(trend: Release) -> bool:
    """Return whether a signal may have been removed with a period that is withheld or holds all or nobody."""
    closed = list_periods(trend)
    closed = closed[closed["term"] != "open"]
    full = (closed["unit"] == "proportion") & closed["estimate"].isin([0, 1])
    return trend.audience != "team" and bool((~closed["shown"] | full).any())
