"""Residuals of the repeated-measures model, as means of bins, for the team."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts, read_words
from outcomes.views.figure import apply_style, open_figure, place_axes, read_style
from outcomes.views.labels import Labels, read_labels
from outcomes.views.model_tables import explain_no_checks, refuse_outside
from outcomes.views.view import View, build_empty_view, build_figure_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_INCHES = 2.9
_PANELS = ("ranked", "fitted", "baseline")


def draw_residuals(checks: Release) -> View:
    """Draw mean residuals beside the normal distribution, and along fitted mean and baseline score.

    Parameters
    ----------
    checks : Release
        Of the analysis ``model_checks``, for the team.

    Returns
    -------
    View
        A figure of up to three panels, a mark for each bin; without a fitted model, or for another audience,
        a sentence that says why not.
    """
    if checks.audience != "team":
        return refuse_outside("residuals", checks)
    points = checks.where(statistic="mean_residual", shown=True).table
    if points.empty:
        return build_empty_view("residuals", "figure", (checks,), explain_no_checks(checks))
    labels = read_labels(checks)
    figure = plot_residuals(points, labels)
    return build_figure_view(
        "residuals", (checks,), figure, _describe(points, labels),
        read_words().say("model_checks.residuals_caption"), points.drop(columns=["shown"]),
    )  # fmt: skip


def plot_residuals(points: pd.DataFrame, labels: Labels) -> Figure:
    """Return the figure of some mean residuals, one mark a row."""
    panels = [name for name in _PANELS if (points["level"] == name).any()]
    width = read_style()["width_inches"]
    left, gap = 0.55, 0.5
    each = (width - left - 0.1 - gap * (len(panels) - 1)) / len(panels)
    with apply_style():
        figure = open_figure(_HEIGHT_INCHES)
        for number, name in enumerate(panels):
            start = left + number * (each + gap)
            axes = place_axes(figure, start, 0.55, width - start - each, 0.3)
            _draw_panel(axes, points[points["level"] == name], name, labels)
            if number == 0:
                axes.set_ylabel(read_words().say("model_checks.residual_axis"))
        if len(panels) > 1:
            _share_scale(list(figure.axes[1:]))
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, name: str, labels: Labels) -> None:
    style, colour = read_style(), read_facts("appearance")["palette"]["colours"][0]
    rows = rows.sort_values("x")
    if name == "ranked":
        ends = [min(rows["x"].min(), rows["estimate"].min()), max(rows["x"].max(), rows["estimate"].max())]
        axes.plot(ends, ends, color=style["soft"], linewidth=1, zorder=1)
    else:
        axes.axhline(0, color=style["soft"], linewidth=1, zorder=1)
        axes.vlines(
            rows["x"], rows["conf_low"], rows["conf_high"], color=colour, linewidth=style["line_width"]
        )
    axes.plot(
        rows["x"], rows["estimate"], linestyle="none", marker="o", color=colour, label=name,
        markersize=style["marker_size"] - 1, zorder=3,
    )  # fmt: skip
    axes.grid(axis="both")
    axes.set_xlabel(read_words().say(f"model_checks.along_{name}", measure=labels.measure))


def _share_scale(panels: list[Axes]) -> None:
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    reach = max(abs(low), abs(high))
    for axes in panels:
        axes.set_ylim(-reach, reach)


def _describe(points: pd.DataFrame, labels: Labels) -> str:
    """Say for each panel the largest distance from what the model expects."""
    words = read_words()
    said = []
    for name in _PANELS:
        rows = points[points["level"] == name]
        if rows.empty:
            continue
        away = (rows["estimate"] - (rows["x"] if name == "ranked" else 0)).abs().max()
        along = words.say(f"model_checks.along_{name}", measure=labels.measure).replace("\n", " ")
        said.append(words.say("model_checks.residual_alt_panel", along=along, away=f"{away:.2f}"))
    return words.say("model_checks.residual_alt", panels=" ".join(said))
