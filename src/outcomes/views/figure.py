"""What all figures share: one column wide, no titles, labels kept apart, the same bytes each time."""

from __future__ import annotations

import textwrap
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from outcomes.facts import Words, read_facts
from outcomes.result import ALL
from outcomes.views.labels import Labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def read_style() -> Mapping[str, Any]:
    """Return the sizes and colours of figures."""
    return read_facts("appearance")["figure"]


@contextmanager
def apply_style() -> Iterator[None]:
    """Draw within this project's style, whatever the user's own settings are."""
    import matplotlib

    style = read_style()
    settings: Any = {
        "font.family": find_fonts(),
        "font.size": style["text_size"],
        "text.color": style["ink"],
        "text.parse_math": False,  # a label may hold "$" and "^"
        "axes.edgecolor": style["soft"],
        "axes.labelcolor": style["ink"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "grid.color": style["line"],
        "xtick.color": style["soft"],
        "ytick.color": style["soft"],
        "xtick.labelcolor": style["ink"],
        "ytick.labelcolor": style["ink"],
    }
    with matplotlib.rc_context(), warnings.catch_warnings():
        # such a warning names the character, which may come from records; glyphs.py tells what is missing
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


def find_fonts() -> list[str]:
    """Return the fonts that are installed; a later one lends the characters that an earlier one lacks."""
    from matplotlib.font_manager import fontManager

    _learn_fonts()
    installed = set(fontManager.get_font_names())
    return [name for name in read_style()["fonts"] if name in installed]


@cache
def _learn_fonts() -> None:
    """Tell matplotlib of fonts that were installed after it made its list, which it keeps for good."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with suppress(OSError, RuntimeError, ValueError):  # of a font that matplotlib cannot read
                fontManager.addfont(path)


def open_figure(height_inches: float) -> Figure:
    """Return an empty figure of one column's width, free of pyplot's state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = read_style()
    figure = Figure(
        figsize=(style["width_inches"], height_inches), dpi=style["dots_per_inch"], facecolor="white"
    )
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure) -> bytes:
    """Return a figure as PNG without any text chunk, the same bytes for the same figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    held = BytesIO()
    with apply_style():  # some texts, such as those of ticks, are made only now
        # level 3 of 9: a third of the time of the usual 6, and hardly larger, since figures are mostly white
        settings = {"compress_level": 3}
        FigureCanvasAgg(figure).print_png(held, metadata={"Software": None}, pil_kwargs=settings)
    return held.getvalue()


def measure_text(figure: Figure, texts: Sequence[str], size: float, weight: str = "normal") -> float:
    """Return the width in inches of the widest of some texts."""
    widest = 0.0
    for text in texts:
        drawn = figure.text(0, 0, text, size=size, weight=weight)
        widest = max(widest, drawn.get_window_extent(figure.canvas.get_renderer()).width)  # type: ignore[attr-defined]
        drawn.remove()
    return widest / figure.dpi


def place_axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Return axes with the given margins in inches."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(box)


def spread_apart(positions: Sequence[float], gap: float) -> list[float]:
    """Move positions apart as little as needed so that neighbours keep a gap; their order stays.

    Examples
    --------
    >>> spread_apart([1.0, 1.2, 5.0], 1.0)
    [0.6, 1.6, 5.0]
    """
    order = sorted(range(len(positions)), key=lambda i: (positions[i], i))
    blocks: list[tuple[float, list[int]]] = []
    for i in order:
        blocks.append((positions[i], [i]))
        while len(blocks) > 1 and _touch(blocks[-2], blocks[-1], gap):
            upper, lower = blocks.pop(), blocks.pop()
            members = lower[1] + upper[1]
            blocks.append((sum(positions[m] for m in members) / len(members), members))
    placed = [0.0] * len(positions)
    for centre, members in blocks:
        for rank, member in enumerate(members):
            placed[member] = round(centre + (rank - (len(members) - 1) / 2) * gap, 9)
    return placed


def name_lines(axes: Axes, ends: Sequence[tuple[float, str]]) -> None:
    """Write the names of lines at the right of axes with set limits, each near the height where it ends."""
    style = read_style()
    low, high = axes.get_ylim()
    gap = (high - low) / (axes.get_window_extent().height / axes.figure.dpi) * style["small_size"] / 72 * 1.2
    for (_, text), y in zip(ends, spread_apart([value for value, _ in ends], gap), strict=True):
        write_at_right(axes, y, text, size=style["small_size"], color=style["soft"])


def write_at_right(axes: Axes, y: float, text: str, points: float = 4, **font: Any) -> None:
    """Write a text beside axes, so many points from their right edge, at a height in data."""
    place: dict[str, Any] = {"xy": (1, y), "xycoords": ("axes fraction", "data"), "xytext": (points, 0)}
    axes.annotate(text, **place, textcoords="offset points", va="center", annotation_clip=False, **font)


def write_small(axes: Axes, x: float, y: float, text: str, transform: Any = None, **font: Any) -> None:
    """Write a small text: soft, at its left end and the middle of its height, unless said otherwise."""
    style = read_style()
    font = {"size": style["small_size"], "color": style["soft"], "va": "center"} | font
    axes.text(x, y, text, transform=transform or axes.transData, **font)


def draw_mark(axes: Axes, x: float, y: float, look: tuple[str, str], larger: float = 0, **more: Any) -> None:
    """Draw one mark of a colour and a marker."""
    size, (colour, marker) = read_style()["marker_size"] + larger, look
    axes.plot([x], [y], marker=marker, color=colour, markersize=size, linestyle="none", **more)


def list_marks_by_row(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of axes in which each row of marks stands for one thing, the first at the top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _touch(lower: tuple[float, list[int]], upper: tuple[float, list[int]], gap: float) -> bool:
    return upper[0] - lower[0] < gap * (len(lower[1]) + len(upper[1])) / 2


def wrap_label(text: str, characters: int, lines: int) -> str:
    """Break a label into lines of so many characters, cutting what does not fit.

    Examples
    --------
    >>> wrap_label("cognitive or pain-reprocessing therapy", 20, 2)
    'cognitive or pain-\\nreprocessing therapy'
    """
    return "\n".join(textwrap.wrap(text, characters, max_lines=lines, placeholder=" …")) or text


def cut_label(text: str, characters: int) -> str:
    """Cut a label to so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1].rstrip()}…"


def darken(colour: str, contrast: float) -> str:
    """Return a hexadecimal colour, darkened until its contrast with white (ratio by WCAG 2.2) is enough.

    Examples
    --------
    >>> darken("#0072B2", 4.5), darken("#F0E442", 4.5)
    ('#0072b2', '#7e7723')
    """
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    while 1.05 / (_luminance(channels) + 0.05) < contrast:
        channels = [channel * 0.98 for channel in channels]
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _luminance(channels: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def pick_look(group: str, labels: Labels) -> tuple[str, str, str]:
    """Return the colour of marks, the colour of text and the marker of a group."""
    facts = read_facts("appearance")
    therapy = labels.therapies.get(group)
    whole = facts["palette"]["whole_colour"], facts["palette"]["whole_marker"]
    colour, marker = (therapy.colour, therapy.marker) if therapy and group != ALL else whole
    return darken(colour, facts["contrast"]["graphics"]), darken(colour, facts["contrast"]["text"]), marker


#: Weights in which figures write.
_WEIGHTS = ("normal", "bold")


def find_undrawn(texts: Iterable[str]) -> str:
    """Return the characters of some texts that the fonts of figures lack, each once, in order.

    Examples
    --------
    >>> find_undrawn(["Übung β", "Боль в спине", "5 > 3 − 1"])
    ''
    """
    wanted = {character for text in texts for character in text if character != "\n"}
    drawn = frozenset.intersection(*map(_list_characters, _WEIGHTS))
    return "".join(sorted(character for character in wanted if ord(character) not in drawn))


def find_undrawn_of(figure: Figure) -> str:
    """Return the characters of a figure's visible texts that are drawn as boxes."""
    from matplotlib.text import Text

    drawn = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    return find_undrawn(text.get_text() for text in drawn)  # type: ignore[attr-defined]


def explain_undrawn(characters: str, words: Words) -> str:
    """Say of which scripts characters cannot be drawn and what to install; empty where there are none.

    The characters themselves are not named, since they may come from records.
    """
    if not characters:
        return ""
    known = read_facts("appearance")["scripts"]
    counts: Counter[str] = Counter()
    for name in (unicodedata.name(character, "") for character in characters):
        counts[next((id for id in known if any(map(name.startswith, known[id]["names"]))), "other")] += 1
    scripts = {id: script for id, script in known.items() if id in counts}
    labels = {id: words.name("scripts", id, script["label"]) for id, script in scripts.items()}
    what = [words.say("views.glyphs.count", n=counts[id], script=label) for id, label in labels.items()]
    fonts = dict.fromkeys(f'"{script["font"]}"' for script in scripts.values())
    return words.say("views.glyphs.said", what=words.join(what), fonts=words.join(list(fonts)))


@cache
def _list_characters(weight: str) -> frozenset[int]:
    """Return the characters that the fonts of figures hold together."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (findfont(FontProperties(family=name, weight=weight)) for name in find_fonts())
    return frozenset(character for font in fonts for character in get_font(font).get_charmap())
