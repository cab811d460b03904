"""The map of completeness: who was seen of those due, therapies by time points."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import read_facts
from outcomes.result import ALL
from outcomes.views.figure import (
    apply_style,
    measure_text,
    open_figure,
    place_axes,
    read_style,
    wrap_label,
    write_small,
)
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import list_rows, say_cautions, say_course
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_completeness"]

_CELL_INCHES = 0.5
#: Where the colour map would end, as a proportion: shades stay pale enough for dark text.
_PALE = 1.9


@made_from("completeness")
def draw_completeness(completeness: Release) -> View:
    """Draw the share of patients seen of those due as a map in shades with the numbers in it.

    A figure; a withheld cell stays white and says so, and a therapy without any other is named beneath.
    Stakeholders see bands.
    """
    labels = read_labels(completeness)
    shares = completeness.where(statistic="share_seen").table
    if not shares["shown"].any():
        return build_empty_view("completeness", "figure", completeness)
    if shares.loc[shares["group"] != ALL, "group"].nunique() == 1:
        shares = shares[shares["group"] != ALL]
    held = set(shares.loc[shares["shown"], "group"])
    left_out = [group for group in labels.order(shares["group"]) if group not in held]
    shares = shares[shares["group"].isin(held)]
    groups, times = labels.order(shares["group"]), labels.order_times(shares["timepoint"])
    texts = _write_cells(shares, completeness)
    figure = plot_completeness(shares, texts, groups, times, labels)
    words = completeness.words
    courses = " ".join(say_course(shares, group, labels) for group in groups)
    team = completeness.audience == "team"
    caption = [words.say("views.completeness_caption" if team else "views.completeness_caption_bands")]
    if left_out:
        names = words.join([labels.short(group) for group in left_out])
        caption.append(words.say("views.completeness_left_out", groups=names))
    alt = words.say("views.completeness_alt", courses=courses)
    return build_figure_view(
        "completeness", completeness, figure, alt, [*caption, say_cautions(completeness)], shares
    )


@apply_style()
def plot_completeness(
    shares: pd.DataFrame,
    texts: Mapping[tuple[str, str], str],
    groups: Sequence[str],
    times: Sequence[str],
    labels: Labels,
) -> "Figure":
    """Return the figure, one cell per therapy and time point."""
    import seaborn

    facts = read_facts("appearance")
    grid = shares.pivot(index="group", columns="timepoint", values="estimate").reindex(
        list(groups), columns=list(times)
    )
    said = [[texts.get((group, time), "") for time in times] for group in groups]
    names = [wrap_label(labels.title(group), facts["labels"]["direct_characters"], 2) for group in groups]
    figure = open_figure(_CELL_INCHES * len(groups) + 0.5)
    lines = [line for name in names for line in name.split("\n")]
    left = measure_text(figure, lines, read_style()["text_size"]) + 0.3
    axes = place_axes(figure, left, 0.1, 0.1, 0.4)
    seaborn.heatmap(
        grid.astype(float),
        ax=axes,
        annot=said,
        fmt="",
        vmin=0,
        vmax=_PALE,
        cbar=False,
        linewidths=2,
        linecolor="white",
        cmap=facts["completeness"]["colour_map"],
        annot_kws={"size": read_style()["small_size"], "color": read_style()["ink"]},
        xticklabels=[capitalise(labels.time(id)) for id in times],
        yticklabels=names,
    )
    _write_withheld(axes, grid, said)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set(xlabel="", ylabel="")
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    return figure


def _write_withheld(axes: Any, grid: pd.DataFrame, said: Sequence[Sequence[str]]) -> None:
    """Write into the cells that seaborn leaves without text, because they hold no number."""
    missing = grid.isna().to_numpy()
    for y, row in enumerate(said):
        for x, text in enumerate(row):
            if missing[y, x]:
                write_small(axes, x + 0.5, y + 0.5, text, ha="center")


def _write_cells(shares: pd.DataFrame, completeness: Release) -> dict[tuple[str, str], str]:
    """Return what each cell says: the share, and seen of due or the number due where these are shown."""
    words = completeness.words
    counts = completeness.where(statistic=["n_due", "n_seen"], shown=True).table
    shown = {(row.group, row.timepoint, row.statistic): row.display for row in list_rows(counts)}
    texts = {}
    for row in list_rows(shares):
        place = (row.group, row.timepoint)
        due, seen = shown.get((*place, "n_due")), shown.get((*place, "n_seen"))
        second = ""
        if due and seen and completeness.audience == "team":
            second = words.say("views.completeness_seen", seen=seen, due=due)
        elif due and row.shown:
            second = words.say("views.completeness_due", n=due)
        texts[place] = f"{row.display}\n{second}".strip()
    return texts
