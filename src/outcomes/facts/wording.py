"""The words of pages: one catalogue a language, so that another language is one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.toml import list_facts, read_facts


@dataclass(frozen=True)
class Words:
    """A catalogue of page texts.

    Parameters
    ----------
    language : str
        Language code, also the ``lang`` of a page.
    texts : mapping
        Nested tables of texts with ``{name}`` places.
    """

    language: str
    texts: Mapping[str, Any]

    def say(self, key: str, **values: object) -> str:
        """Return a text by its dotted key, with its places filled.

        Raises
        ------
        FactsError
            When the catalogue lacks the key or a value for one of its places.
        """
        text: Any = self.texts
        for part in key.split("."):
            if not isinstance(text, Mapping) or part not in text:
                raise FactsError(f"words/{self.language}.toml has no text {key!r}.")
            text = text[part]
        try:
            return str(text).format(**values)
        except KeyError as error:
            raise FactsError(f"words/{self.language}.toml: {key!r} needs a value for {error}.") from None


@cache
def read_words(language: str = "en") -> Words:
    """Return the catalogue of a language.

    Raises
    ------
    FactsError
        When there is none; the message lists those that there are.
    """
    known = list_facts("words")
    if language not in known:
        raise FactsError(f"There are no words in {language!r}; known are {', '.join(known)}.")
    return Words(language, read_facts(f"words/{language}"))
