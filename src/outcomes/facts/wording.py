"""The words of pages: `Text`, a sentence as a value, and `Words`, the catalogue of one language.

A catalogue is a folder of TOML files below ``facts/words/``: jinja2 templates by dotted key, whose first part
is the file and the rest the place in it. Another language is one more folder with the same keys, there or in
the project's ``data/words/``. Its ``language.toml`` says how it counts (``plural``), its ``names.toml`` what
it calls therapies, time points and other facts, and its ``notebooks.toml`` holds the prose of the reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from outcomes.errors import FactsError, Finding
from outcomes.facts.toml import find_project, read_toml

if TYPE_CHECKING:
    from pathlib import Path

    import jinja2

#: Catalogues of one's own, below the project's folder.
OWN_WORDS = "data/words"

#: What fills a place of a sentence: a text, a name or a number; a tuple is several sentences in a row.
Value: TypeAlias = "str | int | float | Text | Count | Name | Listing | Lines | tuple[Value, ...] | None"


@dataclass(frozen=True)
class Text:
    """A sentence as a value: which one it is and what fills its places; a `Words` writes it in a language."""

    #: Dotted key of the catalogue, such as ``methods.change.description``.
    key: str
    #: Place of the template to what fills it.
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
    """A number of patients or of their records in a sentence, which `release` judges as it judges a row."""

    n: int
    #: Private: codes of the patients that it counts; where absent the sentence never leaves.
    patients: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Name:
    """What something of the facts, or of a source, is called."""

    #: What it is a name of: ``therapies``, ``timepoints``, ``covariates`` or another section of ``names``.
    kind: str
    id: str
    #: What it is called where the catalogue of a language has no name for it.
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
    """The catalogue of one language."""

    #: Language code, also the ``lang`` of a page.
    language: str
    folder: Path = field(repr=False)

    def __deepcopy__(self, memo: object) -> Words:
        """Return itself: a catalogue never changes, and its templates cannot be copied."""
        return self

    def say(self, key: str, /, **values: object) -> str:
        """Return a text by its dotted key, its places filled; a lacking key or value is an error."""
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
                return self.join(said) if by == "and" else self.say(f"methods.{by}").join(said)
            case Lines(entries=entries, between=between):
                return between.join(str(self.write(entry)) for entry in entries)
            case Finding():
                return value.write(lambda said: str(self.write(said)), self.list("findings.frame"))
            case tuple():
                return " ".join(str(self.write(entry)) for entry in value)
        return value

    def name(self, kind: str, id: str, label: str) -> str:
        """Return what something of the facts is called; its label where this language has no name for it."""
        return str(self.write(Name(kind, id, label)))

    def join(self, items: Iterable[str], last: str = "and") -> str:
        """Join texts for a sentence; `last` (``and`` or ``or``) is the word before the last of them.

        Examples
        --------
        >>> read_words().join(["age", "sex", "region"]), read_words().join(["pain"])
        ('age, sex and region', 'pain')
        """
        items = list(items)
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self.say(f'views.{last}')} {items[-1]}"

    def list(self, key: str) -> Mapping[str, Any]:
        """Return a section of the catalogue as it stands in the file; empty where there is none."""
        file, *path = key.split(".")
        held: Any = self._files[file]
        for part in path:
            held = held.get(part, {})
        return held if isinstance(held, Mapping) else {}

    @cached_property
    def _files(self) -> _Files:
        return _Files(self.folder)

    @cached_property
    def _templates(self) -> _Templates:
        return _Templates(self)


class _Files(dict[str, Mapping[str, Any]]):
    """Files of one language by name, read when first asked for; empty where there is none."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> Mapping[str, Any]:
        path = self._folder / f"{name}.toml"
        self[name] = read_toml(path) if path.is_file() else {}
        return self[name]


class _Templates(dict[str, "jinja2.Template"]):
    """Templates of one language by key, compiled when first asked for."""

    def __init__(self, words: Words) -> None:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        super().__init__()
        self._words = words
        self._environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        rule = str(words.list("language").get("plural", "0"))
        self._find_form = self._environment.compile_expression(rule)
        self._environment.filters["plural"] = self._pick_form

    def __missing__(self, key: str) -> jinja2.Template:
        section, _, name = key.rpartition(".")
        text = self._words.list(section).get(name)
        if not isinstance(text, str):
            raise FactsError(f"words/{self._words.language} has no text {key!r}.")
        self[key] = self._environment.from_string(text)
        return self[key]

    def _pick_form(self, n: object, *forms: str) -> str:
        """Return the form that a number takes; a bound such as "fewer than 11" takes the last one."""
        try:
            number = float(str(n))
        except ValueError:
            return forms[-1]
        return forms[min(int(self._find_form(n=number) or 0), len(forms) - 1)]


def read_words(language: str = "en") -> Words:
    """Return the catalogue of a language: of the package, or of the project's ``data/words/``."""
    shipped = _list_shipped()
    if language in shipped:
        return _open_words(language, shipped[language])
    own = _list_folders(find_project() / OWN_WORDS)
    if language in own:
        return _open_words(language, own[language])
    known = ", ".join(sorted({*shipped, *own}))
    raise FactsError(f"There are no words in {language!r}; known are {known}.")


def describe_finding(key: str, /, **values: Value) -> dict[str, Any]:
    """Return ``rule, what, remedy`` and ``said`` of a finding, as far as the catalogue words them by a key.

    A key ends with a rule or, where a rule has several cases, with one of these; what a case does not word
    itself, its rule does.

    Examples
    --------
    >>> {name: str(text) for name, text in describe_finding("findings.SESSIONS_ORDER").items()}
    {'rule': 'SESSIONS_ORDER', 'what': 'fewer sessions so far than at an earlier time'}
    """
    rule = re.sub(r"([A-Z]{2})\..*", r"\1", key)
    found: dict[str, Any] = {"rule": rule.rpartition(".")[2]}
    for section in dict.fromkeys((rule, key)):
        for part, template in read_words().list(section).items():
            if part in ("what", "remedy", "said"):
                places = set(re.findall(r"\w+", template)) & set(values)
                found[part] = Text(f"{section}.{part}", {name: values[name] for name in sorted(places)})
    return found


@cache
def _open_words(language: str, folder: Path) -> Words:
    return Words(language, folder)


@cache
def _list_shipped() -> dict[str, Path]:
    return _list_folders(resources.files("outcomes.facts").joinpath("words"))  # type: ignore[arg-type]


def _list_folders(place: Path) -> dict[str, Path]:
    entries = place.iterdir() if place.is_dir() else ()
    return {
        entry.name: entry for entry in entries if entry.is_dir() and not entry.name.startswith(("_", "."))
    }
