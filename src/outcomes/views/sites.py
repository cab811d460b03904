"""Sites side by side: the table, what it says in words, the funnel between the limits of chance."""

from __future__ import annotations

from collections.abc import Sequence, Set
from math import comb
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts
from outcomes.facts.wording import Text
from outcomes.result import ALL
from outcomes.views.claims import say_if
from outcomes.views.figure import (
    apply_style,
    cut_label,
    darken,
    draw_mark,
    measure_text,
    name_lines,
    open_figure,
    place_axes,
    read_style,
    spread_apart,
)
from outcomes.views.labels import Labels, capitalise, read_labels, write_id
from outcomes.views.released_rows import explain_absence, has_warning, list_days, list_rows
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, build_figure_view, build_sentence, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_funnel", "say_sites", "tabulate_sites"]

#: Adjusted and observed statistics to how words for them are called.
_ADJUSTED = {
    "adjusted_improvement": "mean",
    "adjusted_share_improved": "share",
    "adjusted_share_in_state": "state",
}
_OBSERVED = ("mean_improvement", "share_improved", "share_in_state")
_OUTSIDE = ("above_998", "above_95", "below_95", "below_998")


def list_sites(sites: Release) -> pd.DataFrame:
    """Return the shown adjusted rows of a release of sites, by name; a rank is no verdict."""
    held = sites.where(statistic=list(_ADJUSTED), shown=True).table
    return held.sort_values("group", kind="stable").reset_index(drop=True)


def explain_no_sites(sites: Release) -> str:
    """Say why no site is shown: none recorded, too few, or not for this audience."""
    words = sites.words
    for key in ("not_recorded", "not_read", "not_estimated"):
        if has_warning(sites, f"methods.site_funnel.{key}"):
            return words.say(f"methods.site_funnel.{key}")
    if sites.warnings[1:]:
        return str(words.write(sites.warnings[0]))
    told = (note for note in sites.notes if isinstance(note, Text) and note.key == "release.league_note")
    return next((str(words.write(note)) for note in told), explain_absence(sites))


@made_from("site_funnel")
def tabulate_sites(sites: Release) -> View:
    """Tabulate the named sites: patients, completeness, outcome as observed and adjusted, and position."""
    shown, words = list_sites(sites), sites.words
    if shown.empty:
        return build_empty_view("sites", "table", sites, explain_no_sites(sites))
    cells: dict[str, dict[str, Any]] = {}
    for row in list_rows(sites.table):
        statistic = "observed" if row.statistic in _OBSERVED else str(row.statistic)
        cells.setdefault(str(row.group), {})[statistic] = row
    lines = [
        TableLine(name_site(str(row.group)), {**cells[str(row.group)], "adjusted": row, "n": row})
        for row in list_rows(shown)
    ]
    whole = cells.get(ALL, {}).get("observed")
    if whole is not None:
        lines.append(TableLine(words.say("views.sites.all"), {"n": whole, "observed": whole}))
    columns = {
        "n": show_size(words.say("views.sites.n")),
        "share": TableColumn(words.say("views.sites.share"), "share_seen"),
        "observed": show_interval(words.say("views.sites.observed")),
        "adjusted": TableColumn(words.say("views.sites.adjusted")),
        "position": TableColumn(words.say("views.sites.position")),
    }
    caption = words.say(f"views.sites.caption_{_kind(shown)}", **_place(shown, sites))
    stub = words.say("views.sites.site")
    return build_table_view("sites", sites, lines, columns, caption, stub)


def name_site(site: str) -> str:
    """Return how a site is called: its alias, with a capital."""
    return capitalise(write_id(site))


def _kind(shown: pd.DataFrame) -> str:
    return _ADJUSTED[str(shown["statistic"].iloc[0])]


def _place(shown: pd.DataFrame, sites: Release) -> dict[str, str]:
    labels = read_labels(sites)
    time = labels.time(str(shown["timepoint"].iloc[0]))
    return {"measure": labels.measure, "unit": labels.unit, "time": time}


@made_from("site_funnel")
def say_sites(sites: Release) -> View:
    """Say how many sites are set side by side, which lie outside the limits, and how to read that."""
    words, shown = sites.words, list_sites(sites)
    texts = [explain_no_sites(sites)]
    if len(shown):
        lead = words.say("views.sites.lead", n=len(shown), **_place(shown, sites))
        held = sites.where(statistic="position", shown=True).table
        outside = []
        for level in _OUTSIDE:
            names = [f"**{name_site(str(site))}**" for site in held.loc[held["level"] == level, "group"]]
            if names:
                outside.append(words.say(f"views.sites.{level}", sites=words.join(names)))
        within = set(shown["group"]) <= set(held.loc[held["level"] == "within", "group"])
        texts = [lead, *(outside or [say_if(within, words, "views.sites.within")])]
        texts += _say_chance(held, sites) if set(shown["group"]) <= set(held["group"]) else []
    counts = {row.level: int(row.estimate) for row in list_rows(sites.where(statistic="n_sites").table)}
    texts += [words.say(f"views.sites.{key}", n=n) for key, n in counts.items() if key != "named" and n]
    if len(shown):
        texts.append(words.say("views.sites.caution"))
    if days := list_days(shown):  # the findings stand here in words, without the mark of a number
        texts.append(words.say("release.held.unmarked", days=days))
    return build_sentence("sites-sentence", sites, texts)


def _say_chance(positions: pd.DataFrame, sites: Release) -> list[str]:
    """Say how many of the sites shown chance alone would leave outside, and how many lie there."""
    words, n = sites.words, len(positions)
    limits, usual = read_facts("monitoring")["sites"]["limits"], True
    told: dict[str, Any] = {"n": n}
    for level, within in zip(("95", "998"), limits["levels"], strict=True):
        beyond = [f"{side}_998" for side in ("above", "below")]
        beyond += [f"{side}_95" for side in ("above", "below")] if level == "95" else []
        found, expected = int(positions["level"].isin(beyond).sum()), n * (1 - within)
        key = "about" if expected >= 1 else "below_one"
        told |= {
            f"found_{level}": found,
            f"expected_{level}": words.say(f"views.sites.{key}", n=round(expected)),
        }
        as_many = 1 - sum(comb(n, k) * (1 - within) ** k * within ** (n - k) for k in range(found))
        usual = usual and as_many >= limits["unusual"]
    method = sites.method if isinstance(sites.method, tuple) else (sites.method,)
    widened = any(isinstance(text, Text) and text.key == "methods.site_funnel.spread_wide" for text in method)
    said = [words.say("views.sites.chance", widened=widened, **told)]
    if told["found_95"]:
        said.append(words.say(f"views.sites.{'usual' if usual else 'unusual'}"))
    return said


_PLOT_INCHES = 3.2
_LIMITS = {"95": (0, (4, 3)), "99.8": "solid"}
#: More sites than so many are named in the table alone, but for those outside the limits.
_MOST_NAMES = 12
#: Marks nearer to each other than this part of the axis keep their names apart.
_NEAR = 0.2


@made_from("site_funnel")
def draw_funnel(sites: Release) -> View:
    """Draw the named sites between the limits of chance.

    A figure with one mark a site, or a sentence that says why no site is shown.
    """
    shown, words = list_sites(sites), sites.words
    if shown.empty:
        return build_empty_view("funnel", "figure", sites, explain_no_sites(sites))
    positions = sites.where(statistic="position", shown=True).table.set_index("group")
    limits = sites.where(statistic=["funnel_limit", "funnel_limit_share"], shown=True).table
    outside = set(positions.index[positions["level"].isin(_OUTSIDE)])
    figure = plot_funnel(shown, limits, outside, read_labels(sites))
    kind, place = _kind(shown), _place(shown, sites)
    rows = []
    for row in list_rows(shown):
        told = {"site": name_site(str(row.group)), "value": row.display, "n": f"{row.n:g}"}
        position = positions["display"].get(row.group, "")
        rows.append(words.say("views.sites.figure_row", **told, position=position))
    alt = words.say(f"views.sites.alt_{kind}", rows=" ".join(rows), **place)
    caption = words.say(f"views.sites.figure_{kind}", **place)
    return build_figure_view("funnel", sites, figure, alt, caption, pd.concat([shown, limits]))


@apply_style()
def plot_funnel(shown: pd.DataFrame, limits: pd.DataFrame, outside: Set[str], labels: Labels) -> Figure:
    """Return the figure of some shown sites, one mark each, with the limits as lines."""
    words, kind = labels.words, _kind(shown)
    factor = 1 if kind == "mean" else 100
    figure = open_figure(_PLOT_INCHES + 0.6)
    names = [words.say("views.sites.limit", level=level) for level in _LIMITS]
    mean = words.say("views.sites.mean")
    right = measure_text(figure, [*names, mean], read_style()["small_size"]) + 0.2
    axes = place_axes(figure, 0.75, 0.5, right, 0.15)
    _draw_limits(axes, limits, factor, labels)
    _draw_sites(axes, shown, outside, factor)
    axes.set_xlabel(words.say("views.sites.x"))
    axes.set_ylabel(words.say(f"views.sites.y_{kind}", measure=labels.measure, unit=labels.unit))
    return figure


def _draw_limits(axes: Axes, limits: pd.DataFrame, factor: float, labels: Labels) -> None:
    words, style = labels.words, read_style()
    ends: list[tuple[float, str]] = []
    for level, dashes in _LIMITS.items():
        line = limits[limits["level"] == level].sort_values("x")
        for end in ("conf_low", "conf_high"):
            drawn: Any = {"color": style["soft"], "linewidth": 1, "linestyle": dashes, "zorder": 1}
            axes.plot(line["x"], line[end] * factor, **drawn)
            ends.append((float(line[end].iloc[-1]) * factor, words.say("views.sites.limit", level=level)))
    target = float(limits["estimate"].iloc[0]) * factor
    axes.axhline(target, color=style["soft"], linewidth=0.8, zorder=1)
    ends.append((target, words.say("views.sites.mean")))
    axes.set_xlim(0, float(limits["x"].max()))
    axes.margins(y=0.06)
    name_lines(axes, ends)


def _draw_sites(axes: Axes, shown: pd.DataFrame, outside: Set[str], factor: float) -> None:
    facts = read_facts("appearance")
    colours = facts["palette"]["colours"]
    named: list[tuple[float, float, str, str]] = []
    for row in list_rows(shown):
        inside = row.group not in outside
        colour = darken(colours[0 if inside else 1], facts["contrast"]["text"])
        draw_mark(axes, row.n, row.estimate * factor, (colour, "o" if inside else "D"), 1, zorder=4)
        if len(shown) <= _MOST_NAMES or not inside:
            name = cut_label(name_site(str(row.group)), facts["labels"]["direct_characters"])
            named.append((float(row.n), float(row.estimate) * factor, name, colour))
    _name_marks(axes, named)


def _name_marks(axes: Axes, named: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the sites' names beside their marks, on the side that has room, names of neighbours apart."""
    size, width = read_style()["text_size"], axes.get_xlim()[1]
    low, high = axes.get_ylim()
    gap = (high - low) / (axes.get_window_extent().height / axes.figure.dpi) * size / 72 * 1.25
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
    clusters: list[list[tuple[float, float, str, str]]] = []
    for entry in sorted(named):
        if clusters and entry[0] - clusters[-1][-1][0] < _NEAR * width:
            clusters[-1].append(entry)
        else:
            clusters.append([entry])
    for cluster in clusters:
        for (x, _, name, colour), y in zip(cluster, spread_apart([e[1] for e in cluster], gap), strict=True):
            right = x < 0.75 * width
            place: Any = {"xy": (x, y), "xytext": (7 if right else -7, 0), "textcoords": "offset points"}
            font: Any = {"size": size, "weight": "bold", "color": colour, "bbox": box}
            axes.annotate(name, **place, va="center", ha="left" if right else "right", zorder=3, **font)
