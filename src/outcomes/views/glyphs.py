"""Characters that no installed font can draw, so that nobody finds boxes in place of a label."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from outcomes.facts import read_facts, read_words
from outcomes.views.figure import find_fonts
from outcomes.views.text import join_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    return "".join(sorted(character for character in wanted if not _is_drawn(character)))


def find_undrawn_of(figure: Figure) -> str:
    """Return the characters of a figure's visible texts that are drawn as boxes."""
    from matplotlib.text import Text

    drawn = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    return find_undrawn(text.get_text() for text in drawn)  # type: ignore[attr-defined]


def explain_undrawn(characters: str) -> str:
    """Say of which scripts characters cannot be drawn and what to install; empty where there are none.

    The characters themselves are not named, since they may come from records.
    """
    if not characters:
        return ""
    counts = Counter(map(_find_script, characters))
    scripts = {id: script for id, script in read_facts("appearance")["scripts"].items() if id in counts}
    words = read_words()
    labels = {id: script["label"] for id, script in scripts.items()}
    what = [words.say("views.glyphs.count", n=counts[id], script=label) for id, label in labels.items()]
    fonts = dict.fromkeys(f'"{script["font"]}"' for script in scripts.values())
    return words.say("views.glyphs.said", what=join_words(what), fonts=join_words(list(fonts)))


def _find_script(character: str) -> str:
    """Return the script of a character, as ``appearance.toml`` lists them."""
    name = unicodedata.name(character, "")
    scripts = read_facts("appearance")["scripts"]
    return next((id for id in scripts if any(map(name.startswith, scripts[id]["names"]))), "other")


def _is_drawn(character: str) -> bool:
    return all(ord(character) in _list_characters(weight) for weight in _WEIGHTS)


@cache
def _list_characters(weight: str) -> frozenset[int]:
    """Return the characters that the fonts of figures hold together."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (findfont(FontProperties(family=name, weight=weight)) for name in find_fonts())
    return frozenset(character for font in fonts for character in get_font(font).get_charmap())
