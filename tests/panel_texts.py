"""What a panel shows."""

from __future__ import annotations


def read_texts(panel):
    """Return what stands in each place, as HTML."""
    places = ("sentence", "warning", "front", "numbers")
    return {place: getattr(panel._screen, place).value for place in places}
