"""The flow: from the records to those who are reported on, with every exclusion in order."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Words
from outcomes.views.figure import apply_style, open_figure, place_axes, read_style
from outcomes.views.labels import capitalise
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_flow"]

_MAIN_INCHES = 3.3
_SIDE_INCHES = 3.3
_LINE_INCHES = 0.17
_MAIN_CHARACTERS = 46
_SIDE_CHARACTERS = 54


@dataclass(frozen=True)
class FlowStep:
    """What stands between two counts of a flow, in words."""

    #: Who remains.
    remaining: str
    #: Who was excluded since the count before, and why; empty at the first.
    excluded: tuple[str, ...]


#: What a step tells.
_COUNTS = ("n_episodes", "n_patients", "n_excluded_episodes", "n_excluded_patients")


@made_from("flow")
def draw_flow(flow: Release) -> View:
    """Draw the flow from the records to the cohort, a box a count and a side box for exclusions.

    A figure. Steps that excluded nobody are left out; where what remained is withheld, the steps stand
    together in one side box.
    """
    steps = read_steps(flow)
    if not steps:
        return build_empty_view("flow", "figure", flow, flow.words.say("views.empty_nothing"))
    words = flow.words
    said = " ".join(f"{text}." for step in steps for text in (*step.excluded, step.remaining))
    alt, caption = words.say("views.flow_alt", steps=said), words.say("views.flow_caption")
    return build_figure_view("flow", flow, plot_flow(steps), alt, caption, flow.table)


def read_steps(flow: Release) -> list[FlowStep]:
    """Return the counts of a flow in words, each with the exclusions before it."""
    table = flow.table
    terms = list(dict.fromkeys(table["term"].dropna()))
    steps: list[FlowStep] = []
    waiting: list[str] = []
    for place, term in enumerate(terms):
        # a count that may not even be printed as withheld is like one that is
        rows = table[table["term"] == term].set_index("statistic").reindex(list(_COUNTS))
        rows["shown"] = rows["shown"].eq(True)
        if reason := (flow.origin.steps or {}).get(str(term)):
            rows["level"] = flow.words.write(reason)
        gone = rows.loc[["n_excluded_episodes", "n_excluded_patients"]]
        if place and not (gone["shown"].all() and (gone["estimate"] == 0).all()):
            waiting.append(_count(rows, "n_excluded_episodes", "n_excluded_patients", flow.words))
        ends = place in (0, len(terms) - 1)
        if ends or (waiting and rows.loc[["n_episodes", "n_patients"], "shown"].any()):
            remaining = _count(rows, "n_episodes", "n_patients", flow.words, named=False)
            if not steps or place == len(terms) - 1:
                remaining = flow.words.say(f"views.flow_{'last' if steps else 'first'}", count=remaining)
            steps.append(FlowStep(remaining, tuple(waiting)))
            waiting = []
    return steps


def _count(rows: pd.DataFrame, episodes: str, patients: str, words: Words, named: bool = True) -> str:
    """Say what is shown of episodes and patients, one number where both are alike, after the reason."""
    both = rows.loc[[episodes, patients]]
    many, people = both["display"]
    none = both["estimate"].iloc[1] == 0
    if not both["shown"].any() or (none and not both["shown"].iloc[0]):
        count = words.say("views.flow_withheld")
    elif many == people or not both["shown"].iloc[0]:
        count = words.say("views.flow_patients", patients=people)
    elif none or not both["shown"].iloc[1]:
        count = words.say("views.flow_episodes", episodes=many)
    else:
        count = words.say("views.flow_both", episodes=many, patients=people)
    reason = str(words.write(rows["level"].dropna().iloc[0])) if rows["level"].notna().any() else ""
    return f"{capitalise(reason)}: {count}" if named and reason else count


@apply_style()
def plot_flow(steps: list[FlowStep]) -> "Figure":
    """Return the figure of the steps of a flow."""
    texts = [
        (_wrap([step.remaining], _MAIN_CHARACTERS), _wrap(step.excluded, _SIDE_CHARACTERS)) for step in steps
    ]
    heights = [_box_height(side) if side else 0.0 for _, side in texts]
    mains = [_box_height(main) for main, _ in texts]
    total = sum(mains) + sum(height + 0.3 for height in heights[1:]) + 0.2
    figure = open_figure(total)
    axes = place_axes(figure, 0.1, 0.0, 0.1, 0.0)
    axes.set_axis_off()
    axes.set_xlim(0, read_style()["width_inches"] - 0.2)
    axes.set_ylim(total, 0)
    y, middle, left = 0.1, 0.1 + _MAIN_INCHES / 2, 0.1 + _MAIN_INCHES + 0.4
    for place, (main, side) in enumerate(texts):
        if place:
            _draw_arrow(axes, (middle, y), (middle, y + heights[place] + 0.3))
            if side:
                centre = y + 0.15 + heights[place] / 2
                _draw_arrow(axes, (middle, centre), (left, centre))
                _draw_box(axes, left, y + 0.15, _SIDE_INCHES, heights[place], side)
            y += heights[place] + 0.3
        _draw_box(axes, 0.1, y, _MAIN_INCHES, mains[place], main, strong=True)
        y += mains[place]
    return figure


def _wrap(texts: Sequence[str], characters: int) -> list[str]:
    # A number stays on one line with what it counts.
    kept = [re.sub(r"(?<=\d) (?=\w)", "\N{NO-BREAK SPACE}", text) for text in texts]
    return [line for text in kept for line in textwrap.wrap(text, characters, max_lines=3, placeholder=" …")]


def _box_height(lines: list[str]) -> float:
    return 0.16 + _LINE_INCHES * len(lines)


def _draw_box(
    axes: "Axes", x: float, y: float, width: float, height: float, lines: list[str], strong: bool = False
) -> None:
    from matplotlib.patches import Rectangle

    style = read_style()
    edge, size = ("ink", "text_size") if strong else ("soft", "small_size")
    axes.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor=style[edge], linewidth=0.9))
    font = {"va": "center", "ha": "left", "size": style[size], "linespacing": 1.3}
    axes.text(x + 0.1, y + height / 2, "\n".join(lines), **font)


def _draw_arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": read_style()["soft"], "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
