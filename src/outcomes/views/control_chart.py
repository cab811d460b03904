"""The control chart: an outcome period by period, with its centre, its limits and its signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts, read_words
from outcomes.views.figure import (
    apply_style,
    darken,
    measure_text,
    name_lines,
    open_figure,
    place_axes,
    read_style,
)
from outcomes.views.labels import Labels, read_labels
from outcomes.views.period_tables import (
    LIMITS,
    explain_no_periods,
    find_centre,
    list_periods,
    list_signals,
    name_period,
    place_of,
)
from outcomes.views.released_rows import list_rows, write_size
from outcomes.views.view import View, build_empty_view, build_figure_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLOT_INCHES = 2.9
#: Periods are named under the axis so many at most; with more, every second or third.
_MOST_NAMES = 14


def draw_trend(trend: Release) -> View:
    """Draw an outcome period by period.

    Parameters
    ----------
    trend : Release
        Of the analysis ``trend``.

    Returns
    -------
    View
        A figure with one mark per shown period: filled where its follow-up has ended, hollow where it is
        still open, a diamond where it signals a change; or a sentence that says why there is none.
    """
    labels, periods = read_labels(trend), list_periods(trend)
    if not periods["shown"].any():
        return build_empty_view("trend", "figure", (trend,), explain_no_periods(trend))
    words, place = read_words(), place_of(periods, labels)
    shown = periods[periods["shown"]]
    figure = plot_trend(periods, trend, labels)
    share = bool((shown["unit"] == "proportion").all())
    signals = list_signals(trend)
    rows = [
        words.say(
            "views.periods.figure_row", period=name_period(str(row.group)), value=row.display,
            state=_say_state(row, signals.get(str(row.group), [])),
        )
        for row in list_rows(shown)
    ]  # fmt: skip
    limits = trend.where(statistic=LIMITS, shown=True).table
    kind = "share" if share else "mean"
    caption = [words.say(f"views.periods.figure_{kind}", **place)]
    if len(limits):
        caption.append(words.say("views.periods.figure_limits"))
    if (shown["term"] == "open").any():
        caption.append(words.say("views.periods.figure_open"))
    return build_figure_view(
        "trend", (trend,), figure, words.say("views.periods.alt", rows=" ".join(rows), **place),
        " ".join(caption), pd.concat([shown, limits]).drop(columns=["shown"]),
    )  # fmt: skip


def _say_state(row: Any, signals: list[Any]) -> str:
    words = read_words()
    if row.term == "open":
        return words.say("views.periods.alt_open")
    return "".join(
        words.say("views.periods.alt_signal", rule=str(signal.display), side=signal.term)
        for signal in signals
    )


def plot_trend(periods: pd.DataFrame, trend: Release, labels: Labels) -> Figure:
    """Return the figure of the periods, one mark per shown one."""
    words, style = read_words(), read_style()
    factor = 100 if (periods["unit"] == "proportion").any() else 1
    with apply_style():
        figure = open_figure(_PLOT_INCHES + 1.05)
        names = [words.say(f"views.periods.{key}") for key in ("upper", "lower", "centre")]
        right = measure_text(figure, names, style["small_size"]) + 0.2
        axes = place_axes(figure, 0.85, 0.85, right, 0.25)
        places = {str(group): place for place, group in enumerate(periods["group"])}
        axes.set_xlim(-0.6, len(places) - 0.4)
        _draw_line(axes, periods, places, factor)
        _draw_marks(axes, periods, trend, places, factor)
        axes.margins(y=0.08)
        _draw_limits(axes, trend, places, factor)
        _name_periods(axes, periods, places, trend)
        key = "y_share" if factor == 100 else "y_mean"
        axes.set_ylabel(
            words.say(f"views.periods.{key}", measure=labels.measure, unit=labels.instrument.unit)
        )
    return figure


def _draw_line(axes: Axes, periods: pd.DataFrame, places: dict[str, int], factor: float) -> None:
    closed = periods[periods["shown"] & (periods["term"] != "open")]
    xs = [places[str(group)] for group in closed["group"]]
    axes.plot(xs, closed["estimate"] * factor, color=read_style()["soft"], linewidth=1, zorder=2)


def _draw_marks(
    axes: Axes, periods: pd.DataFrame, trend: Release, places: dict[str, int], factor: float
) -> None:
    style, facts, signals = read_style(), read_facts("appearance"), list_signals(trend)
    colours = [darken(colour, facts["contrast"]["text"]) for colour in facts["palette"]["colours"]]
    for row in list_rows(periods[periods["shown"]]):
        held = signals.get(str(row.group), [])
        colour = colours[0] if not held or held[0].term == "better" else colours[1]
        axes.plot(
            [places[str(row.group)]], [row.estimate * factor], marker="D" if held else "o", color=colour,
            markerfacecolor="white" if row.term == "open" else colour, linestyle="none", zorder=3,
            markersize=style["marker_size"] + (2.5 if held else 1),
        )  # fmt: skip


def _draw_limits(axes: Axes, trend: Release, places: dict[str, int], factor: float) -> None:
    """Draw centre and limits as steps, one a period, and name them at the right."""
    centre, style, words = find_centre(trend), read_style(), read_words()
    if centre is None:
        return
    limits = [
        row for row in list_rows(trend.where(statistic=LIMITS, shown=True).table) if row.group in places
    ]
    axes.axhline(centre.estimate * factor, color=style["soft"], linewidth=0.8, zorder=1)
    ends = [(centre.estimate * factor, words.say("views.periods.centre"))]
    for name, end in (("upper", "conf_high"), ("lower", "conf_low")):
        for row in limits:
            x, y = places[str(row.group)], getattr(row, end) * factor
            axes.hlines(
                y, x - 0.5, x + 0.5, color=style["soft"], linewidth=1, linestyle=(0, (4, 3)), zorder=1
            )
        if limits:
            ends.append((getattr(limits[-1], end) * factor, words.say(f"views.periods.{name}")))
    name_lines(axes, ends)
    baseline = [places[str(row.group)] for row in list_rows(list_periods(trend)) if row.term == "baseline"]
    axes.axvspan(min(baseline) - 0.5, max(baseline) + 0.5, color=style["line"], alpha=0.45, zorder=0, lw=0)
    axes.text(
        min(baseline) - 0.45, 1.01, words.say("views.periods.baseline_span"), va="bottom", ha="left",
        size=style["small_size"], color=style["soft"], transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def _name_periods(axes: Axes, periods: pd.DataFrame, places: dict[str, int], trend: Release) -> None:
    """Write the periods under the axis, and under them the patients seen."""
    words, style = read_words(), read_style()
    every = -(-len(places) // _MOST_NAMES)
    kept = [place for place in places.values() if place % every == 0]
    names = [name_period(group).replace(" ", "\n").replace("-", "\n") for group in places]
    axes.set_xticks(kept, [names[place] for place in kept], size=style["small_size"])
    height = axes.get_window_extent().height / axes.figure.dpi
    y = -0.62 / height
    axes.text(
        -0.01, y, words.say("views.patients"), transform=axes.transAxes, ha="right", va="center",
        size=style["small_size"], color=style["soft"],
    )  # fmt: skip
    for row in list_rows(periods):
        place = places[str(row.group)]
        if place in kept:
            axes.text(
                place, y, write_size(row, trend) or "·", transform=axes.get_xaxis_transform(), ha="center",
                va="center", size=style["small_size"],
            )  # fmt: skip
