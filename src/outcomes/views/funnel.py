"""The funnel: each site's adjusted outcome by its number of patients, between the limits of chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts, read_words
from outcomes.views.figure import (
    apply_style,
    cut_label,
    darken,
    measure_text,
    name_lines,
    open_figure,
    place_axes,
    read_style,
    spread_apart,
)
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import list_rows
from outcomes.views.site_tables import explain_no_sites, list_sites, name_site
from outcomes.views.view import View, build_empty_view, build_figure_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLOT_INCHES = 3.2
_LIMITS = {"95": (0, (4, 3)), "99.8": "solid"}
#: More sites than so many are named in the table alone, but for those outside the limits.
_MOST_NAMES = 12
#: Marks nearer to each other than this part of the axis keep their names apart.
_NEAR = 0.2


def draw_funnel(sites: Release) -> View:
    """Draw the named sites between the limits of chance.

    Parameters
    ----------
    sites : Release
        Of the analysis ``site_funnel``.

    Returns
    -------
    View
        A figure with one mark a site, or a sentence that says why no site is shown.
    """
    shown = list_sites(sites)
    if shown.empty:
        return build_empty_view("funnel", "figure", (sites,), explain_no_sites(sites))
    labels, words = read_labels(sites), read_words()
    positions = sites.where(statistic="position", shown=True).table.set_index("group")["display"]
    limits = sites.where(statistic=["funnel_limit", "funnel_limit_share"], shown=True).table
    figure = plot_funnel(shown, limits, positions, labels)
    share = _is_share(shown)
    place = {"measure": labels.measure, "time": labels.time(str(shown["timepoint"].iloc[0]))}
    rows = [
        words.say(
            "views.sites.figure_row", site=name_site(str(row.group)), value=row.display, n=f"{row.n:g}",
            position=positions.get(row.group, ""),
        )
        for row in list_rows(shown)
    ]  # fmt: skip
    kind = "share" if share else "mean"
    return build_figure_view(
        "funnel", (sites,), figure,
        words.say(f"views.sites.alt_{kind}", rows=" ".join(rows), **place),
        words.say(f"views.sites.figure_{kind}", **place),
        pd.concat([shown, limits]).drop(columns=["shown"]),
    )  # fmt: skip


def _is_share(shown: pd.DataFrame) -> bool:
    return bool((shown["unit"] == "proportion").all())


def plot_funnel(shown: pd.DataFrame, limits: pd.DataFrame, positions: pd.Series, labels: Labels) -> Figure:
    """Return the figure of some shown sites, one mark each, with the limits as lines."""
    words, factor = read_words(), 100 if _is_share(shown) else 1
    with apply_style():
        figure = open_figure(_PLOT_INCHES + 0.6)
        style = read_style()
        names = [words.say("views.sites.limit", level=level) for level in _LIMITS]
        right = measure_text(figure, [*names, words.say("views.sites.mean")], style["small_size"]) + 0.2
        axes = place_axes(figure, 0.75, 0.5, right, 0.15)
        _draw_limits(axes, limits, factor)
        _draw_sites(axes, shown, positions, factor)
        axes.set_xlabel(words.say("views.sites.x"))
        key = "y_share" if factor == 100 else "y_mean"
        axes.set_ylabel(words.say(f"views.sites.{key}", measure=labels.measure, unit=labels.instrument.unit))
    return figure


def _draw_limits(axes: Axes, limits: pd.DataFrame, factor: float) -> None:
    words, style = read_words(), read_style()
    ends: list[tuple[float, str]] = []
    for level, dashes in _LIMITS.items():
        line = limits[limits["level"] == level].sort_values("x")
        for end in ("conf_low", "conf_high"):
            axes.plot(
                line["x"], line[end] * factor, color=style["soft"], linewidth=1, linestyle=dashes, zorder=1
            )
            ends.append((float(line[end].iloc[-1]) * factor, words.say("views.sites.limit", level=level)))
    target = float(limits["estimate"].iloc[0]) * factor
    axes.axhline(target, color=style["soft"], linewidth=0.8, zorder=1)
    ends.append((target, words.say("views.sites.mean")))
    axes.set_xlim(0, float(limits["x"].max()))
    axes.margins(y=0.06)
    name_lines(axes, ends)


def _draw_sites(axes: Axes, shown: pd.DataFrame, positions: pd.Series, factor: float) -> None:
    style, facts = read_style(), read_facts("appearance")
    within = read_words().say("release.verdict.within")
    colours = facts["palette"]["colours"]
    named: list[tuple[float, float, str, str]] = []
    for row in list_rows(shown):
        inside = positions.get(row.group, within) == within
        colour = darken(colours[0 if inside else 1], facts["contrast"]["text"])
        axes.plot(
            [row.n], [row.estimate * factor], marker="o" if inside else "D", color=colour,
            markersize=style["marker_size"] + 1, linestyle="none", zorder=4,
        )  # fmt: skip
        if len(shown) <= _MOST_NAMES or not inside:
            name = cut_label(name_site(str(row.group)), facts["labels"]["direct_characters"])
            named.append((float(row.n), float(row.estimate) * factor, name, colour))
    _name_marks(axes, named)


def _name_marks(axes: Axes, named: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the sites' names beside their marks, on the side that has room, names of neighbours apart."""
    size, width = read_style()["text_size"], axes.get_xlim()[1]
    low, high = axes.get_ylim()
    gap = (high - low) / (axes.get_window_extent().height / axes.figure.dpi) * size / 72 * 1.25
    clusters: list[list[tuple[float, float, str, str]]] = []
    for entry in sorted(named):
        if clusters and entry[0] - clusters[-1][-1][0] < _NEAR * width:
            clusters[-1].append(entry)
        else:
            clusters.append([entry])
    for cluster in clusters:
        for (x, _, name, colour), y in zip(cluster, spread_apart([e[1] for e in cluster], gap), strict=True):
            right = x < 0.75 * width
            axes.annotate(
                name, xy=(x, y), xytext=(7 if right else -7, 0), textcoords="offset points", va="center",
                ha="left" if right else "right", size=size, weight="bold", color=colour, zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
            )  # fmt: skip
