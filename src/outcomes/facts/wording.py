"""The words of pages: `Text`, a sentence as a value, and `Words`, the catalogue of one language.

A catalogue is a folder of TOML files below ``facts/words/``: jinja2 templates by dotted key, whose first part
is the file and the rest the place in it. Another language is one more folder with the same keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from outcomes.errors import FactsError, Finding
from outcomes.facts.toml import list_facts, read_facts

if TYPE_CHECKING:
    import jinja2

#: What fills a place of a sentence: a text, a name or a number; a tuple is several sentences in a row.
Value: TypeAlias = "str | int | float | Text | Count | Name | Listing | Lines | tuple[Value, ...] | None"


@dataclass(frozen=True)
class Text:
    """A sentence as a value: which one it is and what fills its places; a `Words` writes it in a language.

    Parameters
    ----------
    key : str
        Dotted key of the catalogue, such as ``methods.change.description``.
    values : mapping
        Place of the template to what fills it.
    """

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, key: str, /, **values: Value) -> Text:
        """Return the text of a key, its places filled by name.

        Examples
        --------
        >>> str(Text.of("cohort.rules.merged", therapies=Listing(("exercise", "advice"))))
        'Therapies that count as one: exercise and advice.'
        """
        return cls(key, values)

    def __str__(self) -> str:
        """Return it in English, for messages and logs; a page writes it in its own language."""
        return str(read_words().write(self))

    def __hash__(self) -> int:
        """Return the same for equal texts."""
        return hash(self.key)

    def counts(self) -> Iterator[Count]:
        """Yield the counts of patients in it, those of sentences within it too."""
        return (part for part in list_parts(self) if isinstance(part, Count))


@dataclass(frozen=True)
class Count:
    """A number of patients or of their records in a sentence, which `release` judges as it judges a row.

    Parameters
    ----------
    n : int
        The number.
    patients : array of int or None
        Private: codes of the patients that it counts; where absent the sentence never leaves.
    """

    n: int
    patients: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Name:
    """What something of the facts, or of a source, is called.

    Parameters
    ----------
    kind : str
        What it is a name of: ``therapies``, ``timepoints``, ``covariates`` or another section of ``names``.
    id : str
        Which one.
    label : str
        What it is called where the catalogue of a language has no name for it.
    """

    kind: str
    id: str
    label: str


@dataclass(frozen=True)
class Listing:
    """Several values in a row, such as "age, sex and region"; by ``comma`` or ``semicolon`` without "and"."""

    entries: tuple[Value, ...]
    by: str = "and"


@dataclass(frozen=True)
class Lines:
    """Several values, each on a line of its own, or with something else between."""

    entries: tuple[Value, ...]
    between: str = "\n"


def list_parts(value: object) -> Iterator[object]:
    """Yield a value and all that stands within it.

    Examples
    --------
    >>> list(list_parts(Listing((Count(3), "rows"))))[1:]
    [Count(n=3), 'rows']
    """
    yield value
    match value:
        case Text(values=values):
            within: Iterable[object] = values.values()
        case Listing(entries=entries) | Lines(entries=entries):
            within = entries
        case tuple():
            within = value
        case _:
            within = ()
    for part in within:
        yield from list_parts(part)


@dataclass(frozen=True)
class Words:
    """The catalogue of one language.

    Parameters
    ----------
    language : str
        Language code, also the ``lang`` of a page.
    """

    language: str

    def say(self, key: str, /, **values: object) -> str:
        """Return a text by its dotted key, with its places filled.

        Raises
        ------
        FactsError
            When the catalogue lacks the key or a value for one of its places.
        """
        from jinja2 import UndefinedError  # takes longer to load than most commands run

        try:
            return self._templates[key].render({name: self.write(value) for name, value in values.items()})
        except UndefinedError as error:
            raise FactsError(f"words/{self.language}: {key!r} needs a value: {error.message}.") from None

    def write(self, value: object) -> Any:
        """Return a value as it is written in this language; numbers stay numbers."""
        match value:
            case Text(key=key, values=values):
                return self.say(key, **values)
            case Name(kind=kind, id=id, label=label):
                named = self.list(f"names.{kind}").get(id)
                return named if isinstance(named, str) else label
            case Count(n=n):
                return n
            case Listing(entries=entries, by=by):
                said = [str(self.write(entry)) for entry in entries]
                if by != "and":
                    return self.say(f"methods.{by}").join(said)
                return f" {self.say('methods.and')} ".join(
                    [*([", ".join(said[:-1])] * (len(said) > 1)), *said[-1:]]
                )
            case Lines(entries=entries, between=between):
                return between.join(str(self.write(entry)) for entry in entries)
            case Finding():
                return value.write(lambda said: str(self.write(said)), self.list("findings.frame"))
            case tuple():
                return " ".join(str(self.write(entry)) for entry in value)
        return value

    def list(self, key: str) -> Mapping[str, Any]:
        """Return a section of the catalogue as it stands in the file; empty where there is none."""
        file, *path = key.split(".")
        held: Any = read_facts(f"words/{self.language}/{file}") if file in self._files else {}
        for part in path:
            held = held.get(part, {})
        return held if isinstance(held, Mapping) else {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it by its language: compiled templates stay behind."""
        return read_words, (self.language,)

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(list_facts(f"words/{self.language}"))

    @cached_property
    def _templates(self) -> _Templates:
        return _Templates(self)


class _Templates(dict[str, "jinja2.Template"]):
    """Templates of one language by key, compiled when first asked for."""

    def __init__(self, words: Words) -> None:
        from jinja2 import Environment, StrictUndefined

        super().__init__()
        self._words = words
        self._environment = Environment(undefined=StrictUndefined, autoescape=False)

    def __missing__(self, key: str) -> jinja2.Template:
        section, _, name = key.rpartition(".")
        text = self._words.list(section).get(name)
        if not isinstance(text, str):
            raise FactsError(f"words/{self._words.language} has no text {key!r}.")
        self[key] = self._environment.from_string(text)
        return self[key]


@cache
def read_words(language: str = "en") -> Words:
    """Return the catalogue of a language.

    Raises
    ------
    FactsError
        When there is none; the message lists those that there are.
    """
    place = resources.files("outcomes.facts").joinpath("words")
    known = sorted(
        entry.name for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith("_")
    )
    if language not in known:
        raise FactsError(f"There are no words in {language!r}; known are {', '.join(known)}.")
    return Words(language)
