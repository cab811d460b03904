"""The forest: adjusted differences between therapies with their intervals, and which side favours whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Words, read_facts
from outcomes.views.comparing import allows_for_several, list_adjusted, pick_contrasts, pick_time
from outcomes.views.figure import (
    apply_style,
    cut_label,
    draw_mark,
    list_marks_by_row,
    measure_text,
    open_figure,
    pick_look,
    place_axes,
    read_style,
    write_small,
)
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, write_interval, write_size
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCHES = 0.3


@made_from("over_time", "ancova")
def draw_forest(contrasts: Release) -> View:
    """Draw the adjusted differences between therapies at the primary time point.

    A figure, each therapy against the reference; for the team all pairs. Where therapies are not compared, a
    sentence that says so. No threshold is drawn: those of single patients say nothing about a difference
    between groups.
    """
    labels = read_labels(contrasts)
    time = pick_time(contrasts, "contrast", labels)
    points = pick_contrasts(contrasts, labels, time, all_pairs=contrasts.audience == "team")
    points = points[points["shown"]].reset_index(drop=True)
    if points.empty:
        reason = explain_absence(contrasts.where(statistic="contrast"))
        return build_empty_view("forest", "figure", contrasts, reason)
    figure = plot_forest(points, labels, contrasts)
    alt, caption = _describe(points, labels, contrasts), _caption(labels, contrasts, time)
    return build_figure_view("forest", contrasts, figure, alt, caption, points)


@apply_style()
def plot_forest(points: pd.DataFrame, labels: Labels, contrasts: Release) -> Figure:
    """Return the figure of some shown contrasts, one mark a row."""
    names = [_name_row(row, points, labels) for row in list_rows(points)]
    numbers = [write_interval(row, contrasts) for row in list_rows(points)]
    sizes = [
        f"{write_size(row, contrasts)} / {write_size(row, contrasts, 'n_versus')}"
        for row in list_rows(points)
    ]
    figure = open_figure(0.95 + _ROW_INCHES * (len(points) + 0.6))
    axes = _open_axes(figure, names, numbers, sizes, labels.words)
    for place, row in enumerate(list_rows(points)):
        colour, _, marker = pick_look(str(row.group), labels)
        width = read_style()["line_width"] + 0.4
        axes.hlines(place, row.conf_low, row.conf_high, color=colour, linewidth=width)
        draw_mark(axes, row.estimate, place, (colour, marker), 2, zorder=3)
    _finish_axes(axes, points, names, labels)
    _write_columns(axes, numbers, sizes, labels.words)
    return figure


def _name_row(row: Any, points: pd.DataFrame, labels: Labels) -> str:
    characters = read_facts("appearance")["labels"]["row_characters"]
    name = labels.title(str(row.group))
    if points["versus"].nunique() == 1:
        return cut_label(name, characters)
    pair = labels.words.say("views.pair", group=name, versus=labels.short(str(row.versus)))
    return cut_label(pair, characters + 12)


def _open_axes(figure: Figure, names: list[str], numbers: list[str], sizes: list[str], words: Words) -> Axes:
    style = read_style()
    small = style["small_size"]
    left = measure_text(figure, names, style["text_size"]) + 0.25
    first = measure_text(figure, [*numbers, words.say("views.difference_head")], small)
    second = measure_text(figure, [*sizes, words.say("views.patients")], small)
    return place_axes(figure, left, 0.72, first + second + 0.4, 0.32)


def _finish_axes(axes: Axes, points: pd.DataFrame, names: list[str], labels: Labels) -> None:
    words, style = labels.words, read_style()
    ends = [*points["conf_low"], *points["conf_high"], *points["estimate"], 0.0]
    low, high = min(ends), max(ends)
    edge = 0.08 * (high - low or 1)
    # Zero stays away from the edge, so that both directions have a side of their own.
    reach = 0.3 * (high - low or 1)
    axes.set_xlim(min(low - edge, -reach), max(high + edge, reach))
    axes.axvline(0, color=style["soft"], linewidth=1)
    list_marks_by_row(axes, names)
    axes.set_xlabel(words.say("views.forest_axis", measure=labels.measure, unit=labels.unit), labelpad=18)
    _write_directions(axes, points, labels)


def _write_directions(axes: Axes, points: pd.DataFrame, labels: Labels) -> None:
    """Say on each side of zero whom it favours, which depends on the direction of the measure."""
    words = labels.words
    one = points["versus"].nunique() == 1
    versus = labels.short(points["versus"].iloc[0]) if one else words.say("views.second_therapy")
    group = words.say("views.the_therapy" if one else "views.first_therapy")
    left, right = (group, versus) if labels.instrument.sign < 0 else (versus, group)
    characters = read_facts("appearance")["labels"]["direct_characters"]
    y = -0.29 / (axes.get_window_extent().height / axes.figure.dpi)
    zero = axes.transAxes.inverted().transform(axes.transData.transform((0, 0)))[0]
    for x, side, key in ((zero - 0.02, left, "favours_left"), (zero + 0.02, right, "favours_right")):
        text = words.say(f"views.{key}", who=cut_label(side, characters))
        write_small(axes, x, y, text, axes.transAxes, va="top", ha="right" if x < zero else "left")


def _write_columns(axes: Axes, numbers: list[str], sizes: list[str], words: Words) -> None:
    style = read_style()
    figure = axes.figure
    edge = 1 - 0.06 / style["width_inches"]
    width = measure_text(figure, [*sizes, words.say("views.patients")], style["small_size"])  # type: ignore[arg-type]
    inner = edge - (width + 0.2) / style["width_inches"]
    transform = axes.get_yaxis_transform()
    for column, head, cells in (
        (inner, words.say("views.difference_head"), numbers),
        (edge, words.say("views.patients"), sizes),
    ):
        box = axes.get_position()
        x = (column - box.x0) / box.width
        write_small(axes, x, -0.72, head, transform, ha="right", va="bottom")
        for place, text in enumerate(cells):
            write_small(axes, x, place, text, transform, ha="right", color=style["ink"])


def _describe(points: pd.DataFrame, labels: Labels, contrasts: Release) -> str:
    words = labels.words
    rows = [
        words.say(
            "views.forest_row",
            group=labels.title(row.group),
            versus=labels.short(row.versus),
            number=write_interval(row, contrasts),
        )
        for row in list_rows(points)
    ]
    return words.say(
        "views.forest_alt",
        measure=labels.measure,
        time=labels.time(points["timepoint"].iloc[0]),
        rows=" ".join(rows),
        favours=words.say(f"views.favours_{labels.instrument.direction}"),
    )


def _caption(labels: Labels, contrasts: Release, time: str | None) -> str:
    words = labels.words
    parts = [words.say("views.forest_caption", measure=labels.measure, time=labels.time(str(time)))]
    parts.append(words.say("views.forest_adjusted", covariates=words.join(list_adjusted(contrasts, labels))))
    if allows_for_several(contrasts):
        parts.append(words.say("views.intervals_together"))
    parts.append(capitalise(words.say("views.forest_patients")))
    return " ".join(parts)
