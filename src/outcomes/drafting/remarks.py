"""What a draft says beside its keys: which columns are not read and why, and what colours may mean."""

from __future__ import annotations

import colorsys
import itertools
from collections import Counter
from typing import Any

from outcomes.drafting.column import FEWEST_PATIENTS
from outcomes.drafting.question import say
from outcomes.drafting.sketch import Sketch
from outcomes.facts import read_facts

#: Why columns are not read, in the order in which a draft lists them.
_LEFT_OUT = ("identifying", "free_text", "contradicted", "export_mark", "blank", "repeated", "unknown")
#: Proportion of neighbouring rows that must differ in colour for two colours to be stripes.
_FEWEST_CHANGES = 0.9
_GREY = 0.12


def describe_answered(sketch: Sketch) -> dict[str, Any]:
    """Return what says whether forms were filled in; a status column follows the columns of its form."""
    covered: dict[str, list[str]] = {}
    before: list[str] = []
    for column, role in sketch.pairs:
        if role.kind == "score":
            before.append(column.header)
        elif role.kind == "status":
            covered |= {column.header: before} if before else {}
            before = []
    if len(covered) == 1 and not before and sum(map(len, covered.values())) == len(sketch.scores):
        return {"answered": {"column": next(iter(covered)), "values": ["2"]}}
    blocks = [
        {"column": header, "values": ["0", "1", ""], "scores": scores} for header, scores in covered.items()
    ]
    return {"missing_where": blocks} if blocks else {}


def list_left_out(sketch: Sketch) -> dict[str, tuple[str, ...]]:
    """Return why columns are not read to their headers."""
    read = {column.header for column in sketch.mapped.values()}
    read |= {column.header for columns in sketch.rivals.values() for column in columns}
    answered = describe_answered(sketch)
    statuses = [answered["answered"]] if "answered" in answered else answered.get("missing_where", [])
    status_columns = {entry["column"] for entry in statuses}
    found: dict[str, list[str]] = {kind: [] for kind in _LEFT_OUT} | {"repeated": list(sketch.repeated)}
    for column, role in sketch.pairs:
        if not column.filled:
            found["blank"].append(column.header)
        elif role.kind in _LEFT_OUT:
            found[role.kind].append(column.header)
        elif role.kind == "status" and column.header not in status_columns:
            found["export_mark"].append(column.header)
        elif role.kind == "column" and column.header not in read:
            found["unknown"].append(column.header)
    return {kind: tuple(headers) for kind, headers in found.items() if headers}


def describe_colours(sketch: Sketch) -> str | None:
    """Return in words the colours of the column whose cells are filled in several ways, None where none is.

    Stripes carry no meaning: whole rows, or a colour and none, that change from each row to the next.
    """
    fills = sketch.grid.cells.fills
    if not fills or not sketch.lines:
        return None
    for place, header in enumerate(sketch.layout.headers, start=1):
        colours = [fills.get((line, place)) for line in sketch.lines]
        counts = Counter(colours)
        ways = [colour for colour, n in counts.most_common() if n >= FEWEST_PATIENTS]
        changes = sum(first != second for first, second in itertools.pairwise(colours))
        plain = bool({"grey", "none"} & set(map(_name_colour, ways))) or _are_whole_rows(sketch, place)
        striped = len(ways) == 2 and plain and changes >= _FEWEST_CHANGES * (len(colours) - 1)
        if header and len(ways) >= 2 and not striped:
            told = ", ".join(f"{counts[colour]} {_say_colour(colour)}" for colour in ways)
            return say("remarks.colour_counts", header=header, n=len(ways), counts=told)
    return None


def _are_whole_rows(sketch: Sketch, place: int) -> bool:
    """Return whether all columns have the colours of one."""
    fills, places = sketch.grid.cells.fills, range(1, len(sketch.layout.headers) + 1)
    return all(
        fills.get((line, other)) == fills.get((line, place)) for line in sketch.lines for other in places
    )


def _name_colour(colour: str | None) -> str | None:
    """Return the name of a colour given as hexadecimal, such as ``FF92D050``; None where it is not that."""
    if colour is None:
        return "none"
    digits = colour.removeprefix("#")[-6:]
    try:
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        return None
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < _GREY or max(red, green, blue) - min(red, green, blue) < _GREY:
        return "grey"
    return next((name for name, most in read_facts("drafting")["hues"].items() if 360 * hue < most), "red")


def _say_colour(colour: str | None) -> str:
    name = _name_colour(colour)
    return say(f"colours.{name}") if name else str(colour)
