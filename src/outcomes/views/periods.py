"""Outcomes period by period: the table, what it says in words, the control chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release, split_mark
from outcomes.facts import Text, Words, read_facts
from outcomes.result import ALL
from outcomes.views.figure import (
    apply_style,
    darken,
    draw_mark,
    measure_text,
    name_lines,
    open_figure,
    place_axes,
    read_style,
    write_small,
)
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    explain_mark,
    has_warning,
    list_rows,
    write_ends,
    write_size,
    write_texts,
)
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_size
from outcomes.views.view import View, build_empty_view, build_figure_view, build_sentence, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_trend", "say_trend", "tabulate_periods"]

#: Statistics to how words for them are called.
OUTCOMES = {"mean_improvement": "mean", "share_improved": "share", "share_in_state": "state"}
LIMITS = ("control_limit", "control_limit_share")
_FEW_PERIODS = "methods.trend.few_periods"


def list_periods(trend: Release) -> pd.DataFrame:
    """Return the rows of the periods in order, shown or not."""
    held = trend.where(statistic=list(OUTCOMES)).table
    return held[held["group"] != ALL].sort_values("group", kind="stable").reset_index(drop=True)


def find_centre(trend: Release) -> Any:
    """Return the row of the centre; None where there is none or it may not be shown."""
    rows = list_rows(trend.where(statistic=list(OUTCOMES), group=ALL, shown=True).table)
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
    words = trend.words
    if has_warning(trend, "methods.trend.no_dates"):
        return words.say("methods.trend.no_dates")
    whole_years = all(str(group).isdecimal() for group in list_periods(trend)["group"])
    longer = "" if whole_years or not trend.n_withheld else words.say("views.periods.longer")
    return f"{explain_absence(trend)} {longer}".strip()


@made_from("trend")
def tabulate_periods(trend: Release) -> View:
    """Tabulate the periods: patients, completeness, outcome, limits and signals."""
    labels, words, periods = read_labels(trend), trend.words, list_periods(trend)
    if not periods["shown"].any():
        return build_empty_view("periods", "table", trend, explain_no_periods(trend))
    signals, kind = list_signals(trend), _kind(periods)
    shares = {row.group: row for row in list_rows(trend.where(statistic="share_seen").table)}
    limits = {row.group: row for row in list_rows(trend.where(statistic=LIMITS, shown=True).table)}
    lines = []
    for row in list_rows(periods):
        cells = {"row": row, "share": shares.get(row.group), "limits": limits.get(row.group)}
        state = _write_state(row, signals.get(str(row.group), []), words)
        lines.append(TableLine(name_period(str(row.group)), {**cells, "signal": state}))
    value = words.say(f"views.periods.value_{kind}", unit=labels.unit)
    columns = {
        "n": show_size(words.say("views.periods.n"), "row"),
        "share": TableColumn(words.say("views.periods.share")),
        "value": TableColumn(value, "row"),
        "limits": TableColumn(words.say("views.periods.limits"), write=_write_limits),
        "signal": TableColumn(words.say("views.periods.signal")),
    }
    if not limits:
        del columns["limits"]
    caption = words.say(f"views.periods.caption_{kind}", **_place_of(periods, labels))
    stub = words.say("views.periods.period")
    return build_table_view("periods", trend, lines, columns, caption, stub)


def _write_limits(row: Any, trend: Release) -> str:
    low, high = write_ends(row, trend)
    mark = split_mark(str(row.display))[1]  # of an earlier edition
    return trend.words.say("views.periods.between", low=low, high=f"{high}{mark}")


def _write_state(row: Any, signals: Sequence[Any], words: Words) -> str:
    if row.term == "open":
        return words.say("views.periods.open")
    texts = [words.say(f"views.periods.signal_{signal.term}", rule=str(signal.display)) for signal in signals]
    return "; ".join(texts) or (words.say("views.periods.baseline") if row.term == "baseline" else "")


def _kind(periods: pd.DataFrame) -> str:
    return next(OUTCOMES[name] for name in periods["statistic"] if name in OUTCOMES)


def _place_of(periods: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Return the measure and the time point of some periods, as sentences name them."""
    return {"measure": labels.measure, "time": labels.time(str(periods["timepoint"].iloc[0]))}


@made_from("trend")
def say_trend(trend: Release) -> View:
    """Say what the last closed period had, whether anything changed, and which periods are still open."""
    words, periods = trend.words, list_periods(trend)
    if periods["shown"].any():
        texts = [*_say_last(trend, periods), *_say_signals(trend)]
        waiting = [name_period(str(period)) for period in periods.loc[periods["term"] == "open", "group"]]
        if waiting:
            texts.append(words.say("views.periods.waiting", periods=words.join(waiting)))
    else:
        texts = [explain_no_periods(trend)]
    marked = explain_mark(trend.table, words, " ".join(texts))
    return build_sentence("trend-sentence", trend, " ".join(filter(None, [*texts, marked])))


def _say_last(trend: Release, periods: pd.DataFrame) -> list[str]:
    """Say what the last shown period had whose follow-up has ended; later ones may be withheld."""
    labels, centre = read_labels(trend), find_centre(trend)
    ended = periods[periods["term"] != "open"]
    closed = list_rows(ended[ended["shown"]])
    if not closed:
        return []
    return [
        labels.words.say(
            f"views.periods.last_{_kind(periods)}{'' if centre is not None else '_alone'}",
            centre=getattr(centre, "display", ""),
            is_last=bool(ended["shown"].iloc[-1]),
            period=name_period(str(closed[-1].group)),
            value=closed[-1].display,
            unit=labels.unit,
            **_place_of(periods, labels),
        )
    ]


def _say_signals(trend: Release) -> list[str]:
    words = trend.words
    if find_centre(trend) is None:
        few = [text for text in trend.warnings if isinstance(text, Text) and text.key == _FEW_PERIODS]
        return write_texts(few, words) or [words.say("views.periods.no_centre")]
    held = trend.where(statistic="signal", shown=True).table
    texts = []
    for side in ("better", "worse"):
        points = list(dict.fromkeys(held.loc[held["term"] == side, "group"]))
        if points:
            named = words.join([f"**{name_period(str(point))}**" for point in points])
            texts.append(words.say(f"views.periods.change_{side}", periods=named))
    if not texts:
        # a signal that may not be shown leaves no trace
        return [words.say(f"views.periods.no_signal{'' if trend.audience == 'team' else '_shown'}")]
    return [*texts, words.say("views.periods.caution")]


_PLOT_INCHES = 2.9
#: Periods are named under the axis so many at most; with more, every second or third.
_MOST_NAMES = 14


@made_from("trend")
def draw_trend(trend: Release) -> View:
    """Draw an outcome period by period.

    A figure with one mark per shown period: filled where its follow-up has ended, hollow where it is still
    open, a diamond where it signals a change; or a sentence that says why there is none.
    """
    labels, words, periods = read_labels(trend), trend.words, list_periods(trend)
    if not periods["shown"].any():
        return build_empty_view("trend", "figure", trend, explain_no_periods(trend))
    place, shown, signals = _place_of(periods, labels), periods[periods["shown"]], list_signals(trend)
    figure = plot_trend(periods, trend, labels)
    rows = []
    for row in list_rows(shown):
        state = _say_state(row, signals.get(str(row.group), []), words)
        told = {"period": name_period(str(row.group)), "value": row.display, "state": state}
        rows.append(words.say("views.periods.figure_row", **told))
    limits = trend.where(statistic=LIMITS, shown=True).table
    caption = [words.say(f"views.periods.figure_{_kind(shown)}", **place)]
    if len(limits):
        caption.append(words.say("views.periods.figure_limits"))
    if (shown["term"] == "open").any():
        caption.append(words.say("views.periods.figure_open"))
    alt = words.say("views.periods.alt", rows=" ".join(rows), **place)
    return build_figure_view("trend", trend, figure, alt, caption, pd.concat([shown, limits]))


def _say_state(row: Any, signals: Sequence[Any], words: Words) -> str:
    if row.term == "open":
        return words.say("views.periods.alt_open")
    said = []
    for signal in signals:
        side = words.say(f"views.periods.side_{signal.term}")
        said.append(words.say("views.periods.alt_signal", rule=str(signal.display), side=side))
    return "".join(said)


@apply_style()
def plot_trend(periods: pd.DataFrame, trend: Release, labels: Labels) -> Figure:
    """Return the figure of the periods, one mark per shown one."""
    words, style, kind = labels.words, read_style(), _kind(periods)
    factor = 1 if kind == "mean" else 100
    figure = open_figure(_PLOT_INCHES + 1.05)
    named = ("upper", "lower", "centre") if find_centre(trend) is not None else ()
    names = [words.say(f"views.periods.{key}") for key in named]
    right = measure_text(figure, names, style["small_size"]) + 0.2
    axes = place_axes(figure, 0.85, 0.85, right, 0.25)
    places = {str(group): place for place, group in enumerate(periods["group"])}
    axes.set_xlim(-0.6, len(places) - 0.4)
    closed = periods[periods["shown"] & (periods["term"] != "open")]
    xs = [places[str(group)] for group in closed["group"]]
    axes.plot(xs, closed["estimate"] * factor, color=style["soft"], linewidth=1, zorder=2)
    _draw_marks(axes, periods, trend, places, factor)
    axes.margins(y=0.08)
    _draw_limits(axes, trend, places, factor)
    _name_periods(axes, periods, places, trend)
    axes.set_ylabel(words.say(f"views.periods.y_{kind}", measure=labels.measure, unit=labels.unit))
    return figure


def _draw_marks(
    axes: Axes, periods: pd.DataFrame, trend: Release, places: dict[str, int], factor: float
) -> None:
    facts, signals = read_facts("appearance"), list_signals(trend)
    colours = [darken(colour, facts["contrast"]["text"]) for colour in facts["palette"]["colours"]]
    for row in list_rows(periods[periods["shown"]]):
        held = signals.get(str(row.group), [])
        colour = colours[0] if not held or held[0].term == "better" else colours[1]
        look, face = (colour, "D" if held else "o"), "white" if row.term == "open" else colour
        x, y = places[str(row.group)], row.estimate * factor
        draw_mark(axes, x, y, look, 2.5 if held else 1, markerfacecolor=face, zorder=3)


def _draw_limits(axes: Axes, trend: Release, places: dict[str, int], factor: float) -> None:
    """Draw centre and limits as steps, one a period, and name them at the right."""
    centre, style, words = find_centre(trend), read_style(), trend.words
    if centre is None:
        return
    shown = list_rows(trend.where(statistic=LIMITS, shown=True).table)
    limits = [row for row in shown if row.group in places]
    dashed: Any = {"color": style["soft"], "linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 1}
    axes.axhline(centre.estimate * factor, color=style["soft"], linewidth=0.8, zorder=1)
    ends = [(centre.estimate * factor, words.say("views.periods.centre"))]
    for name, end in (("upper", "conf_high"), ("lower", "conf_low")):
        for row in limits:
            x, y = places[str(row.group)], getattr(row, end) * factor
            axes.hlines(y, x - 0.5, x + 0.5, **dashed)
        if limits:
            ends.append((getattr(limits[-1], end) * factor, words.say(f"views.periods.{name}")))
    name_lines(axes, ends)
    baseline = [places[str(row.group)] for row in list_rows(list_periods(trend)) if row.term == "baseline"]
    axes.axvspan(min(baseline) - 0.5, max(baseline) + 0.5, color=style["line"], alpha=0.45, zorder=0, lw=0)
    said, transform = words.say("views.periods.baseline_span"), axes.get_xaxis_transform()
    write_small(axes, min(baseline) - 0.45, 1.01, said, transform, va="bottom")


def _name_periods(axes: Axes, periods: pd.DataFrame, places: dict[str, int], trend: Release) -> None:
    """Write the periods under the axis, and under them the patients seen."""
    words, style = trend.words, read_style()
    every = -(-len(places) // _MOST_NAMES)
    kept = [place for place in places.values() if place % every == 0]
    names = [name_period(group).replace(" ", "\n").replace("-", "\n") for group in places]
    axes.set_xticks(kept, [names[place] for place in kept], size=style["small_size"])
    height = axes.get_window_extent().height / axes.figure.dpi
    y = -0.62 / height
    write_small(axes, -0.01, y, words.say("views.patients"), axes.transAxes, ha="right")
    for row in list_rows(periods):
        place = places[str(row.group)]
        if place in kept:
            size, transform = write_size(row, trend) or "·", axes.get_xaxis_transform()
            write_small(axes, place, y, size, transform, ha="center", color=style["ink"])
