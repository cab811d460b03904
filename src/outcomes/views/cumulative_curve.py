"""The cumulative distribution of improvement: for every amount, who improved that much."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release, read_rules, write_value
from outcomes.facts import Threshold, read_facts
from outcomes.result import ALL
from outcomes.views.comparing import pick_time
from outcomes.views.figure import (
    apply_style,
    measure_text,
    open_figure,
    pick_look,
    place_axes,
    read_style,
    spread_apart,
    wrap_label,
    write_at_right,
)
from outcomes.views.labels import Labels, pick_marked, read_labels, say_marked
from outcomes.views.released_rows import list_rows
from outcomes.views.view import View, build_empty_view, build_figure_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_cumulative"]

_HEIGHT_INCHES = 3.5


def draw_cumulative(cumulative: Release, *, threshold: str | None = None) -> View:
    """Draw the share of patients who improved by at least each amount, one curve a therapy.

    Its steps are the shown rows and no others.

    Parameters
    ----------
    cumulative : Release
        Of the analysis ``cumulative``.
    threshold : str, optional
        Id of a threshold of the instrument to mark, or a rule such as ``absolute:3``; the default one where
        absent. Only a threshold in points for single patients is drawn.
    """
    labels = read_labels(cumulative)
    time = pick_time(cumulative, "share_improved_by", labels)
    points = choose_steps(cumulative, time)
    if points.empty:
        return build_empty_view("cumulative", "figure", cumulative)
    marked = pick_marked(labels, threshold)
    figure = plot_cumulative(points, labels, marked)
    alt = _describe(points, labels, marked, cumulative)
    caption = _caption(points, labels, marked, cumulative)
    return build_figure_view("cumulative", cumulative, figure, alt, caption, points)


def choose_steps(cumulative: Release, timepoint: str | None) -> pd.DataFrame:
    """Return the shown steps of the therapies at a time point, or of everybody where no therapy has any."""
    shown = cumulative.where(statistic="share_improved_by", timepoint=timepoint, shown=True).table
    # A single point is no curve; its share stands among those who improved.
    shown = shown[shown.groupby("group")["x"].transform("size") > 1]
    own = shown[shown["group"] != ALL]
    return (shown if own.empty else own).sort_values(["group", "x"]).reset_index(drop=True)


@apply_style()
def plot_cumulative(points: pd.DataFrame, labels: Labels, threshold: Threshold | None) -> Figure:
    """Return the figure of some shown steps, one row per step."""
    groups = labels.order(points["group"])
    facts = read_facts("appearance")["labels"]
    ends = [wrap_label(labels.title(group), facts["direct_characters"], facts["lines"]) for group in groups]
    figure = open_figure(_HEIGHT_INCHES)
    lines = [line for end in ends for line in end.split("\n")]
    widest = measure_text(figure, lines, read_style()["text_size"], "bold")
    axes = place_axes(figure, 0.85, 0.6, widest + 0.35, 0.15)
    for group in groups:
        _draw_steps(axes, points[points["group"] == group], group, labels)
    _finish_axes(axes, points, labels)
    if threshold is not None:
        _mark_threshold(axes, threshold, labels)
    _label_ends(axes, points, groups, ends, labels)
    return figure


def _draw_steps(axes: Axes, rows: pd.DataFrame, group: str, labels: Labels) -> None:
    """Draw one step a row; it reaches to its left, as a share of x or more holds down to the step below."""
    style = read_style()
    colour, _, marker = pick_look(group, labels)
    xs, shares = rows["x"].tolist(), (rows["estimate"] * 100).tolist()
    step = labels.instrument.step or min((b - a for a, b in pairwise(xs)), default=1.0)
    line = {"drawstyle": "steps-pre", "color": colour, "linewidth": style["line_width"]}
    marks = {"marker": marker, "markersize": style["marker_size"] - 1, "markevery": (1, max(1, len(xs) // 5))}
    axes.plot([xs[0] - step, *xs], [shares[0], *shares], zorder=3, label=group, **line, **marks)


def _finish_axes(axes: Axes, points: pd.DataFrame, labels: Labels) -> None:
    words = labels.words
    time = labels.time(str(points["timepoint"].iloc[0]))
    low, high = min(points["x"].min(), 0), points["x"].max()
    edge = 0.04 * (high - low or 1)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(0, 103)
    axes.grid(axis="both")
    axes.set_ylabel(words.say("views.cumulative_y"))
    axes.set_xlabel(words.say("views.cumulative_x", measure=labels.measure, unit=labels.unit, time=time))


def _mark_threshold(axes: Axes, threshold: Threshold, labels: Labels) -> None:
    words, style = labels.words, read_style()
    low, high = axes.get_xlim()
    for value, key in ((threshold.value, "better_by"), (-threshold.value, "worse_by")):
        if not low < value < high:
            continue
        axes.axvline(value, color=style["soft"], linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        said = words.say(f"views.{key}", value=f"{threshold.value:g}")
        place: dict[str, Any] = {"xy": (value, 0.02), "xycoords": ("data", "axes fraction"), "xytext": (3, 2)}
        font = {"size": style["small_size"], "color": style["soft"]}
        axes.annotate(said, textcoords="offset points", **place, **font)


def _label_ends(
    axes: Axes, points: pd.DataFrame, groups: Sequence[str], ends: Sequence[str], labels: Labels
) -> None:
    """Write each therapy's name at the right, joined to the end of its curve."""
    size, soft = read_style()["text_size"], read_style()["soft"]
    inches = axes.get_window_extent().height / axes.figure.dpi
    lines = max(end.count("\n") + 1 for end in ends)
    gap = 103 / inches * size / 72 * 1.25 * lines
    last = [points[points["group"] == group].iloc[-1] for group in groups]
    right = axes.get_xlim()[1]
    wanted = spread_apart([row["estimate"] * 100 for row in last], gap)
    # Curves end near zero: the lowest label stays above the axis.
    lift = max(0.0, gap / 2 - min(wanted))
    for group, end, row, y in zip(groups, ends, last, wanted, strict=True):
        write_at_right(axes, y + lift, end, 5, size=size, weight="bold", color=pick_look(group, labels)[1])
        ends_at = [row["x"], right], [row["estimate"] * 100, y + lift]
        axes.plot(*ends_at, color=soft, linewidth=0.5, zorder=2, clip_on=False, label="_leader")


def _describe(points: pd.DataFrame, labels: Labels, threshold: Threshold | None, release: Release) -> str:
    """Say the share of each therapy at the threshold, or at its first, middle and last step."""
    words, rules = labels.words, read_rules(release.k)
    courses = []
    for group in labels.order(points["group"]):
        rows = points[points["group"] == group]
        chosen = rows[rows["x"] == threshold.value] if threshold else rows.iloc[:0]
        chosen = rows.iloc[[0, len(rows) // 2, -1]].drop_duplicates("x") if chosen.empty else chosen
        said = []
        for row in list_rows(chosen):
            x = write_value(row, "x", release.audience, rules)
            said.append(words.say("views.cumulative_point", share=row.display, x=x))
        course = ", ".join(said)
        courses.append(words.say("views.cumulative_course", group=labels.title(group), points=course))
    time = labels.time(str(points["timepoint"].iloc[0]))
    return words.say("views.cumulative_alt", measure=labels.measure, time=time, courses=" ".join(courses))


def _caption(
    points: pd.DataFrame, labels: Labels, threshold: Threshold | None, release: Release
) -> list[str]:
    words = labels.words
    parts = [words.say("views.cumulative_caption", time=labels.time(str(points["timepoint"].iloc[0])))]
    if threshold is not None:
        parts += [say_marked(threshold, labels), labels.explain_foreign(threshold)]
    if release.audience != "team":
        parts.append(words.say("views.cumulative_stops", k=release.k))
    if labels.design != "randomised" and points["group"].nunique() > 1:
        parts.append(words.say("views.description_only"))
    return parts
