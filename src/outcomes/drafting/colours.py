"""Colours behind cells that seem to carry meaning, in words and counts."""

from __future__ import annotations

import colorsys
import itertools
from collections import Counter

from outcomes.drafting.column import FEWEST_PATIENTS
from outcomes.drafting.sketch import Sketch
from outcomes.facts import read_facts

_FEWEST_CHANGES = 0.9
_GREY = 0.12


def describe_colours(sketch: Sketch) -> str | None:
    """Return in words the colours of the column whose cells are filled in several ways, None where none is.

    Stripes carry no meaning: whole rows, or a colour and none, that change from each row to the next.
    """
    fills, say = sketch.grid.fills, read_facts("drafting")["sentences"]
    if not fills or not sketch.lines:
        return None
    for place, header in enumerate(sketch.layout.headers, start=1):
        colours = [fills.get((line, place)) for line in sketch.lines]
        counts = Counter(colours)
        ways = {colour: n for colour, n in counts.items() if n >= FEWEST_PATIENTS}
        changes = sum(first != second for first, second in itertools.pairwise(colours))
        names = {_name_colour(colour) for colour in ways}
        plain = bool(names & {"grey", say["no_colour"]}) or _are_whole_rows(sketch, place)
        striped = len(ways) == 2 and plain and changes >= _FEWEST_CHANGES * (len(colours) - 1)
        if header and len(ways) >= 2 and not striped:
            told = ", ".join(
                f"{n} {_name_colour(colour)}" for colour, n in counts.most_common() if colour in ways
            )
            return say["colour_counts"].format(header=header, n=len(ways), counts=told)
    return None


def _are_whole_rows(sketch: Sketch, place: int) -> bool:
    """Whether all columns have the colours of one."""
    fills, places = sketch.grid.fills, range(1, len(sketch.layout.headers) + 1)
    return all(
        fills.get((line, other)) == fills.get((line, place)) for line in sketch.lines for other in places
    )


def _name_colour(colour: str | None) -> str:
    """Return the name of a colour given as hexadecimal, such as ``FF92D050``."""
    facts = read_facts("drafting")
    if colour is None:
        return str(facts["sentences"]["no_colour"])
    digits = colour.removeprefix("#")[-6:]
    try:
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        return colour
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < _GREY or max(red, green, blue) - min(red, green, blue) < _GREY:
        return "grey"
    return next((name for name, most in facts["hues"].items() if 360 * hue < most), "red")
