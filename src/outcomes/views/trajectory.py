"""The trajectory: mean score of each therapy over time, adjusted or not, and the patients seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts
from outcomes.result import ALL
from outcomes.views.comparing import say_adjusted
from outcomes.views.figure import (
    apply_style,
    cut_label,
    measure_text,
    open_figure,
    pick_look,
    place_axes,
    read_style,
    spread_apart,
    wrap_label,
    write_at_right,
)
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, say_course, write_size
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_marginal_means", "draw_trajectory"]

_PLOT_INCHES = 2.75
_ROW_INCHES = 0.165
#: Characters of the axis' label that fit beside the plot in one line.
_AXIS_CHARACTERS = 36
#: Time points closer than this part of the whole span are drawn at equal distances instead.
_CLOSEST = 0.15


@dataclass(frozen=True)
class _Axis:
    """Where the time points lie, and whether their distances are true."""

    places: Mapping[str, float]
    true_scale: bool

    @property
    def width(self) -> float:
        return max(self.places.values()) - min(self.places.values()) or 1.0


@made_from("change")
def draw_trajectory(change: Release) -> View:
    """Draw the mean score of each therapy's patients over time, with intervals and those seen beneath.

    The same numbers as in `tabulate_change`: of all who began, after the start as expected from those seen.

    A figure. Where no therapy has a mean to show, all therapies together; where that is withheld too, a
    sentence that says why. A mark stands for every shown row, and for no other.
    """
    labels = read_labels(change)
    points = _choose_points(change, labels)
    if points.empty:
        return build_empty_view("trajectory", "figure", change)
    figure = plot_trajectory(points, labels, change)
    alt, caption = _describe(points, labels, "trajectory_alt"), _caption(points, labels)
    return build_figure_view("trajectory", change, figure, alt, caption, points)


@made_from("over_time", "ancova")
def draw_marginal_means(contrasts: Release) -> View:
    """Draw the adjusted mean score of each therapy at the follow-ups that are compared.

    A figure. Where therapies are not compared, or at one follow-up only so that there is no course, a
    sentence that says so.
    """
    labels = read_labels(contrasts)
    means = contrasts.where(statistic="marginal_mean")
    points = means.where(shown=True).table
    if points.empty:
        return build_empty_view("marginal-means", "figure", contrasts, explain_absence(means))
    if points["timepoint"].nunique() == 1:
        time = labels.time(str(points["timepoint"].iloc[0]))
        reason = contrasts.words.say("views.one_follow_up", time=time)
        return build_empty_view("marginal-means", "figure", contrasts, reason)
    figure = plot_trajectory(points, labels, contrasts)
    alt = _describe(points, labels, "marginal_means_alt")
    caption = _caption_adjusted(points, labels, contrasts)
    return build_figure_view("marginal-means", contrasts, figure, alt, caption, points)


def _choose_points(change: Release, labels: Labels) -> pd.DataFrame:
    """Return the shown means of the therapies, or of everybody where none of a therapy is shown."""
    means = change.where(statistic=["mean_score", "mean_expected"], shown=True).table
    own = means[means["group"] != ALL]
    chosen = means if own.empty else own
    # Reaching the end of therapy depends on the outcome, so it lies on no axis of time.
    off_axis = [id for id, entry in labels.timepoints.items() if not entry.comparable]
    return chosen[~chosen["timepoint"].isin(off_axis)].reset_index(drop=True)


@apply_style()
def plot_trajectory(points: pd.DataFrame, labels: Labels, release: Release) -> Figure:
    """Return the figure of some shown means, one row per mark."""
    groups = labels.order(points["group"])
    axis = _place_times(labels.order_times(points["timepoint"]), labels)
    figure = open_figure(_PLOT_INCHES + 0.75 + _ROW_INCHES * (len(groups) + 1))
    axes = _open_axes(figure, groups, labels)
    for number, group in enumerate(groups):
        shift = (number - (len(groups) - 1) / 2) * 0.012 * axis.width
        _draw_group(axes, points[points["group"] == group], group, labels, axis, shift)
    _finish_axes(axes, axis, labels)
    _label_ends(axes, points, groups, labels, axis)
    _write_patients(axes, points, groups, labels, axis, release)
    return figure


def _place_times(times: Sequence[str], labels: Labels) -> _Axis:
    days = [labels.timepoints[id].day if id in labels.timepoints else None for id in times]
    known = [day for day in days if day is not None]
    if len(known) == len(times) and len(times) > 1:
        gaps = [later - earlier for earlier, later in pairwise(known)]
        if min(gaps) >= _CLOSEST * (known[-1] - known[0]):
            return _Axis(dict(zip(times, map(float, known), strict=True)), True)
    return _Axis({id: float(place) for place, id in enumerate(times)}, False)


def _open_axes(figure: Figure, groups: Sequence[str], labels: Labels) -> Axes:
    facts = read_facts("appearance")["labels"]
    small = read_style()["small_size"]
    rows = [cut_label(labels.title(group), facts["row_characters"]) for group in groups]
    ends = [_end_label(group, labels).split("\n") for group in groups]
    left = max(0.75, measure_text(figure, [*rows, labels.words.say("views.patients")], small) + 0.4)
    size = read_style()["text_size"]
    widest = measure_text(figure, [line for lines in ends for line in lines], size, "bold")
    return place_axes(figure, left, 0.5 + _ROW_INCHES * (len(groups) + 1), widest + 0.3, 0.15)


def _end_label(group: str, labels: Labels) -> str:
    facts = read_facts("appearance")["labels"]
    return wrap_label(labels.title(group), facts["direct_characters"], facts["lines"])


def _draw_group(
    axes: Axes, rows: pd.DataFrame, group: str, labels: Labels, axis: _Axis, shift: float
) -> None:
    style = read_style()
    colour, _, marker = pick_look(group, labels)
    rows = rows.set_index("timepoint").loc[labels.order_times(rows["timepoint"])]
    xs = [axis.places[id] + shift for id in rows.index]
    line = {"color": colour, "linewidth": style["line_width"]}
    marks = {"marker": marker, "markersize": style["marker_size"]}
    axes.plot(xs, rows["estimate"], label=group, zorder=3, clip_on=False, **line, **marks)
    axes.vlines(xs, rows["conf_low"], rows["conf_high"], zorder=2, **line)


def _finish_axes(axes: Axes, axis: _Axis, labels: Labels) -> None:
    axes.set_xticks(list(axis.places.values()), [capitalise(labels.time(id)) for id in axis.places])
    edge = 0.06 * axis.width
    axes.set_xlim(min(axis.places.values()) - edge, max(axis.places.values()) + edge)
    axes.margins(y=0.08)
    axes.grid(axis="y")
    axes.set_ylabel(wrap_label(labels.axis, _AXIS_CHARACTERS, 2))


def _label_ends(axes: Axes, points: pd.DataFrame, groups: Sequence[str], labels: Labels, axis: _Axis) -> None:
    """Write each therapy's name beside its last mark, kept apart from its neighbours."""
    size = read_style()["text_size"]
    low, high = axes.get_ylim()
    inches = axes.get_window_extent().height / axes.figure.dpi
    lines = max(_end_label(group, labels).count("\n") + 1 for group in groups)
    gap = (high - low) / inches * size / 72 * 1.25 * lines
    last: list[Any] = []
    for group in groups:
        rows = points[points["group"] == group].set_index("timepoint", drop=False)
        last.append(rows.loc[labels.order_times(rows.index)[-1]])
    for group, row, y in zip(groups, last, spread_apart([r["estimate"] for r in last], gap), strict=True):
        colour = pick_look(group, labels)[1]
        write_at_right(axes, y, _end_label(group, labels), size=size, weight="bold", color=colour)
        start, end = axis.places[row["timepoint"]] + 0.02 * axis.width, axes.get_xlim()[1]
        if abs(y - row["estimate"]) > gap / 4:
            axes.plot([start, end], [row["estimate"], y], color=read_style()["soft"], linewidth=0.5, zorder=1)


def _write_patients(
    axes: Axes, points: pd.DataFrame, groups: Sequence[str], labels: Labels, axis: _Axis, release: Release
) -> None:
    """Write the patients behind each mark in rows beneath the axis, under their time points."""
    size = read_style()["small_size"]
    height = axes.get_window_extent().height / axes.figure.dpi
    characters = read_facts("appearance")["labels"]["row_characters"]
    shown = {(row.group, row.timepoint): row for row in list_rows(points)}

    def write(column: float | None, row: int, text: str, colour: str) -> None:
        y = -(0.46 + _ROW_INCHES * row) / height
        place = {"transform": axes.transAxes, "ha": "right", "x": -0.02}
        if column is not None:
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "x": column}
        axes.text(y=y, s=text, size=size, color=colour, va="center", clip_on=False, **place)  # type: ignore[arg-type]

    write(None, 0, labels.words.say("views.patients"), read_style()["soft"])
    for number, group in enumerate(groups, start=1):
        write(None, number, cut_label(labels.title(group), characters), pick_look(group, labels)[1])
        for id, place in axis.places.items():
            row = shown.get((group, id))
            text = (write_size(row, release) if row else "") or "·"
            write(place, number, text, read_style()["ink"])


def _describe(points: pd.DataFrame, labels: Labels, key: str) -> str:
    words, times = labels.words, labels.order_times(points["timepoint"])
    courses = " ".join(say_course(points, group, labels) for group in labels.order(points["group"]))
    better = words.say(f"views.better_{labels.instrument.direction}")
    said = {"measure": labels.measure, "times": words.join(map(labels.time, times)), "better": better}
    return words.say(f"views.{key}", courses=courses, **said)


def _caption(points: pd.DataFrame, labels: Labels) -> list[str]:
    words = labels.words
    expected = "_expected" if "mean_expected" in set(points["statistic"]) else ""
    parts = [words.say(f"views.trajectory_caption{expected}", measure=labels.measure)]
    if labels.design != "randomised" and points["group"].nunique() > 1:
        parts.append(words.say("views.description_only"))
    parts += _say_distances(points, labels)
    if set(points["group"]) == {ALL}:
        parts.append(words.say("views.whole_only"))
    return parts


def _caption_adjusted(points: pd.DataFrame, labels: Labels, contrasts: Release) -> list[str]:
    words = labels.words
    adjusted = say_adjusted(contrasts, labels)
    parts = [words.say("views.marginal_means_caption", measure=labels.measure, covariates=adjusted)]
    return [*parts, *_say_distances(points, labels), words.say("views.not_by_overlap")]


def _say_distances(points: pd.DataFrame, labels: Labels) -> list[str]:
    axis = _place_times(labels.order_times(points["timepoint"]), labels)
    unequal = not axis.true_scale and len(axis.places) > 2
    return [labels.words.say("views.equal_distances")] if unequal else []
