"""The courses of single patients, for the team's eyes in the panel; no page ever holds one."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from outcomes.analyses.change import summarise_change
from outcomes.cohort import Cohort
from outcomes.disclosure.page_context import find_run_folder
from outcomes.errors import DisclosureError
from outcomes.facts import Words, read_facts, read_words
from outcomes.views.figure import (
    apply_style,
    explain_undrawn,
    find_undrawn_of,
    open_figure,
    pick_look,
    read_style,
    save_png,
    wrap_label,
)
from outcomes.views.labels import Labels, capitalise, complete_therapies
from outcomes.views.view import embed_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCHES = 1.9
#: Charts beside each other: two while there are few therapies, so that their time points stay readable.
_FEW, _MOST_COLUMNS = 4, 3


@dataclass(frozen=True)
class Drawing:
    """A picture of single patients; not a `View`, so that no report can take it up."""

    #: Never shown in a repr.
    png: bytes = field(repr=False)
    alt: str
    caption: str

    @property
    def html(self) -> str:
        """The picture with its caption, as the panel shows it."""
        if not self.png:
            return f'<p class="empty">{html.escape(self.caption)}</p>'
        return embed_png(self.png, self.alt, self.caption)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if find_run_folder() is not None:
            raise DisclosureError(read_words("en").say("views.individuals_refused"))
        return {"text/html": f'<div class="outcomes-view">{self.html}</div>', "text/plain": self.alt}


def draw_individuals(cohort: Cohort, language: str = "en") -> Drawing:
    """Draw the courses of single patients under each therapy, with the mean of all its patients.

    For the team only. Of all who began a therapy so many are drawn as can be told apart, spread evenly over
    the scores at the start; one who was not seen again is a dot. The means are those of the figure and the
    table of the course.
    """
    words = read_words(language)
    labels = label_cohort(cohort, words)
    times = [id for id in cohort.shown if cohort.timepoints[id].comparable]
    courses = {group: _take_courses(cohort, group, times) for group in labels.order(cohort.therapies)}
    courses = {group: scores for group, scores in courses.items() if len(scores)}
    if not courses:
        return Drawing(b"", "", words.say("views.individuals_none"))
    drawn = {}
    for group, scores in courses.items():  # so many as can be told apart, spread evenly
        n_drawn = min(read_facts("panel")["individuals"], len(scores))
        drawn[group] = scores[np.linspace(0, len(scores) - 1, n_drawn).round().astype(int)]
    counts = []
    for group, scores in courses.items():
        n_of = {"drawn": len(drawn[group]), "all": len(scores)}
        counts.append(words.say("views.individuals_count", group=labels.title(group), **n_of))
    caption = words.say("views.individuals_caption", measure=labels.measure, counts="; ".join(counts))
    held = summarise_change(cohort).where(statistic=["mean_score", "mean_expected"]).table
    means = {group: held[held["group"] == group].set_index("timepoint")["estimate"] for group in courses}
    averages = {group: own.reindex(times).to_numpy() for group, own in means.items()}
    figure = _plot(averages, drawn, times, labels)
    png, undrawn = save_png(figure), explain_undrawn(find_undrawn_of(figure), words)
    caption = " ".join(filter(None, [caption, undrawn]))
    return Drawing(png, words.say("views.individuals_alt", measure=labels.measure), caption)


def label_cohort(cohort: Cohort, words: Words) -> Labels:
    """Return how the therapies, time points and the measure of a cohort are called."""
    therapies = complete_therapies(cohort.therapies, cohort.therapies)
    declared = (cohort.timepoints, cohort.primary, cohort.reference, cohort.source.design)
    return Labels(cohort.instrument, cohort.variant, therapies, *declared, words)


def _take_courses(cohort: Cohort, group: str, times: list[str]) -> np.ndarray:
    """Return the scores of a therapy's episodes that have one at the start, the lowest first."""
    table, width = cohort.table, len(cohort.timepoints)
    wanted = [place for place, id in enumerate(cohort.timepoints) if id in times]
    scores = table["score"].to_numpy("float64", na_value=np.nan).reshape(-1, width)[:, wanted]
    own = (table["therapy"].iloc[::width] == group).to_numpy()
    held = scores[own & ~np.isnan(scores[:, 0])]
    return held[np.argsort(held[:, 0], kind="stable")]


@apply_style()
def _plot(
    averages: Mapping[str, np.ndarray], drawn: Mapping[str, np.ndarray], times: list[str], labels: Labels
) -> "Figure":
    width = min(2 if len(averages) <= _FEW else _MOST_COLUMNS, len(averages))
    height = -(-len(averages) // width)
    figure = open_figure(_ROW_INCHES * height + 0.5)
    grid = figure.subplots(height, width, sharex=True, sharey=True, squeeze=False).ravel()
    inches = figure.get_figheight()
    figure.subplots_adjust(
        left=0.1, right=0.985, top=1 - 0.3 / inches, bottom=0.5 / inches, wspace=0.08, hspace=0.35
    )
    for axes, group in zip(grid, averages, strict=False):
        _draw_courses(axes, averages[group], drawn[group], group, labels)
    for axes in grid[len(averages) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(averages) - width) : len(averages)]:
        names = [capitalise(labels.time(id)).replace(" ", "\n", 1) for id in times]
        axes.set_xticks(range(len(times)), names, size=read_style()["small_size"])
        axes.tick_params(axis="x", labelbottom=True)
    figure.supylabel(labels.axis, size=read_style()["text_size"], x=0.01)
    return figure


def _draw_courses(axes: "Axes", average: np.ndarray, drawn: np.ndarray, group: str, labels: Labels) -> None:
    style = read_style()
    colour, text, marker = pick_look(group, labels)
    places = np.arange(len(average))
    for course in drawn:
        known = ~np.isnan(course)
        alone = "." if known.sum() == 1 else ""
        look: dict[str, Any] = {"color": colour, "linewidth": 0.6, "marker": alone, "markersize": 2.0}
        axes.plot(places[known], course[known], alpha=0.35, zorder=2, **look)
    line = {"color": style["ink"], "linewidth": style["line_width"] + 0.6}
    marks = {"marker": marker, "markersize": style["marker_size"]}
    axes.plot(places, average, zorder=3, **line, **marks)
    axes.grid(axis="y")
    font = {"size": style["text_size"], "weight": "bold", "color": text}
    axes.set_title(wrap_label(labels.title(group), 30, 1), loc="left", **font)
