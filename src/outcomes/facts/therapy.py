"""`Therapy`: what patients are given, with its label, order, colour and marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.facts.toml import build_strictly, read_facts


@dataclass(frozen=True)
class Therapy:
    """A kind of therapy."""

    #: Such as ``manual_therapy``.
    id: str
    #: Such as "manual therapy (mobilisation, manipulation, soft tissue)".
    label: str
    #: What fits a figure, such as "manual therapy".
    short_label: str
    #: ``exercise``, ``education``, ``manual``, ``control``, ...: where patients are few, therapies of one
    #: group count as one on a page for stakeholders. ``other`` groups nothing.
    group: str
    #: Hexadecimal, from the palette of Okabe and Ito.
    colour: str
    #: A matplotlib marker, so that colour is never the only difference.
    marker: str
    #: Order on a page.
    order: int
    #: Other spellings that sources may use, compared without case, spaces, hyphens and underscores.
    aliases: tuple[str, ...] = ()
    #: Labels in other languages, by language code.
    labels: Mapping[str, str] | None = None


@cache
def read_therapies() -> Mapping[str, Therapy]:
    """Return all therapies by id, in their order."""
    entries = [
        build_strictly(Therapy, {"id": id, "order": order, **content}, f"therapies.toml, [{id}]")
        for order, (id, content) in enumerate(read_facts("therapies").items())
    ]
    return {entry.id: entry for entry in entries}
