"""All outcome domains on one axis: each measure's improvement as a percentage of its range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts
from outcomes.views.domains import DomainMeasure, list_measures, pick_groups, pick_later
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
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import write_interval
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCHES = 0.32
_GROUP_INCHES = 0.17


@made_from("domains")
def draw_domains(domains: Release) -> View:
    """Draw the improvement in every measure on one axis, as a percentage of the measure's range.

    A figure with one row a measure and one mark a therapy; a mark stands for every shown row. Measures
    without a score at the start or without a direction are left to the table.
    """
    labels = read_labels(domains)
    groups, later = pick_groups(domains, labels), pick_later(domains)
    shown = [
        (measure, group, measure.cells[group, "mean_improvement", later])
        for measure in list_measures(domains, labels)
        for group in groups
        if (group, "mean_improvement", later) in measure.cells
        and measure.cells[group, "mean_improvement", later].shown
    ]
    if not shown:
        return build_empty_view("domains-figure", "figure", domains)
    figure = plot_domains(shown, groups, labels, domains)
    words, time = domains.words, labels.time(later)
    texts = [
        words.say(
            "views.domains.figure_row",
            measure=measure.labels.measure,
            group=labels.short(group),
            number=write_interval(row, domains),
            unit=measure.labels.unit,
        )
        for measure, group, row in shown
    ]
    alt = words.say("views.domains.figure_alt", time=time, rows=" ".join(texts))
    rows = pd.DataFrame([row for *_, row in shown])
    caption = words.say("views.domains.figure_caption", time=time)
    return build_figure_view("domains-figure", domains, figure, alt, caption, rows)


@apply_style()
def plot_domains(
    shown: Sequence[tuple[DomainMeasure, str, Any]], groups: Sequence[str], labels: Labels, domains: Release
) -> Figure:
    """Return the figure of some shown improvements, one mark each."""
    measures = list(dict.fromkeys(measure.outcome for measure, *_ in shown))
    names = {measure.outcome: _name(measure) for measure, *_ in shown}
    numbers = [write_interval(row, domains) for *_, row in shown] if len(groups) == 1 else []
    height = max(_ROW_INCHES, _GROUP_INCHES * len(groups) + 0.2)
    figure = open_figure(0.95 + height * len(measures))
    style, words = read_style(), labels.words
    left = measure_text(figure, list(names.values()), style["text_size"]) + 0.25
    head = [words.say("views.domains.number_head")] if numbers else []
    names_of_groups = [_name_group(group, labels) for group in groups] if len(groups) > 1 else []
    right = measure_text(figure, [*numbers, *head, *names_of_groups], style["small_size"]) + 0.3
    axes = place_axes(figure, left, 0.55, right, 0.35)
    for measure, group, row in shown:
        shift = (groups.index(group) - (len(groups) - 1) / 2) * _GROUP_INCHES / height
        _draw_mark(axes, measures.index(measure.outcome) + shift, measure, group, row, labels)
    _finish_axes(axes, [names[outcome] for outcome in measures], words.say("views.domains.axis"))
    if numbers:
        _write_numbers(axes, numbers, head[0])
    else:
        _write_key(axes, groups, labels)
    return figure


def _name(measure: DomainMeasure) -> str:
    return cut_label(measure.labels.measure, read_facts("appearance")["labels"]["row_characters"])


def _name_group(group: str, labels: Labels) -> str:
    return cut_label(labels.title(group), read_facts("appearance")["labels"]["direct_characters"])


def _draw_mark(axes: Axes, y: float, measure: DomainMeasure, group: str, row: Any, labels: Labels) -> None:
    style, instrument = read_style(), measure.labels.instrument
    per = 100 / (instrument.maximum - instrument.minimum)
    colour, _, marker = pick_look(group, labels)
    axes.hlines(y, row.conf_low * per, row.conf_high * per, color=colour, linewidth=style["line_width"])
    draw_mark(axes, row.estimate * per, y, (colour, marker), 1, zorder=3)


def _finish_axes(axes: Axes, names: Sequence[str], axis: str) -> None:
    style = read_style()
    low, high = axes.get_xlim()
    edge = 0.04 * (max(high, 0) - min(low, 0) or 1)
    axes.set_xlim(min(low, -2 * edge), max(high, 2 * edge))
    axes.axvline(0, color=style["soft"], linewidth=1, zorder=1)
    axes.grid(axis="x")
    list_marks_by_row(axes, names)
    axes.set_xlabel(axis)


def _write_numbers(axes: Axes, numbers: Sequence[str], head: str) -> None:
    transform = axes.get_yaxis_transform()
    for place, text in enumerate(numbers):
        write_small(axes, 1.02, place, text, transform, color=read_style()["ink"])
    write_small(axes, 1.02, -0.72, head, transform, va="bottom")


def _write_key(axes: Axes, groups: Sequence[str], labels: Labels) -> None:
    """Name the therapies at the right, each with its mark, in the order of the marks of a row."""
    height = axes.get_window_extent().height / axes.figure.dpi
    for place, group in enumerate(groups):
        colour, text, marker = pick_look(group, labels)
        y = 1 - (0.1 + 0.22 * place) / height
        draw_mark(axes, 1.03, y, (colour, marker), clip_on=False, transform=axes.transAxes)
        write_small(axes, 1.055, y, _name_group(group, labels), axes.transAxes, color=text)
