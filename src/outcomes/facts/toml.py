"""The one small reader of the package's fact files, and the strict building of types from them."""

import csv
import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from outcomes.errors import FactsError, Finding

T = TypeVar("T")

#: The folder of notebooks, where Jupyter starts the kernel of one that lies there.
_NOTEBOOKS = "notebooks"


@cache
def read_facts(name: str) -> dict[str, Any]:
    """Return a TOML file of the package by its path below ``facts/`` without the suffix; never change it."""
    place = resources.files("outcomes.facts").joinpath(f"{name}.toml")
    if not place.is_file():
        raise FactsError(f"There is no file of facts called {name!r}.")
    return tomllib.loads(place.read_text(encoding="utf-8"))


@cache
def read_table(name: str) -> dict[str, tuple[str, ...]]:
    """Return a CSV file of the package, header to texts; lines with ``#`` say where the numbers come from."""
    place = resources.files("outcomes.facts").joinpath(f"{name}.csv")
    if not place.is_file():
        raise FactsError(f"There is no table of facts called {name!r}.")
    lines = [line for line in place.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    header, *rows = csv.reader(lines)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def has_table(name: str) -> bool:
    """Return whether the package has a CSV file of that path below ``facts/``."""
    return resources.files("outcomes.facts").joinpath(f"{name}.csv").is_file()


def list_facts(folder: str) -> list[str]:
    """Return the names of the fact files of a folder, sorted, without their suffix."""
    place = resources.files("outcomes.facts").joinpath(folder)
    return sorted(entry.name[:-5] for entry in place.iterdir() if entry.name.endswith(".toml"))


def find_project() -> Path:
    """Return the user's project: the current folder, or the one above it when that is ``notebooks/``.

    The command line works in the project's folder, Jupyter in the notebook's; both mean the same records.
    """
    here = Path.cwd()
    return here.parent if here.name == _NOTEBOOKS else here


def read_toml(path: Path) -> dict[str, Any]:
    """Read a user's TOML file; errors name file and line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FactsError(f"There is no file {path.name!r} at {path.parent.name or '.'}.") from None
    except UnicodeDecodeError:
        raise FactsError(f"{path.name} is not UTF-8 text; save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"{path.name} is not valid TOML: {error}.") from None


def read_numbers(content: Mapping[str, Any], keys: Iterable[str] = ("minimum", "maximum")) -> dict[str, Any]:
    """Return content in which numbers that stand as text, in the place of a question, are numbers."""
    found = dict(content)
    for key in keys:
        text = found.get(key)
        if isinstance(text, str) and re.fullmatch(r"\s*-?\d+(?:[.,]\d+)?\s*", text):
            number = float(text.replace(",", "."))
            found[key] = int(number) if number.is_integer() else number
    return found


def suggest_name(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, else all of them."""
    from difflib import get_close_matches

    known = list(known)
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}."


def build_strictly(kind: type[T], content: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from a mapping; unknown keys are refused with the nearest one, lists are tuples."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise FactsError(f"{where}: unknown key {key!r}; {suggest_name(key, fields)}")
    required = [
        name
        for name, entry in fields.items()
        if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
    ]
    absent = [name for name in required if name not in content]
    if absent:
        raise FactsError(f"{where}: add {', '.join(f'{name} = ...' for name in absent)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})


def refuse_questions(content: Mapping[str, Any], where: str) -> None:
    """Refuse a draft in which a value still begins with "?", with every question that it asks."""
    findings = [
        Finding("QUESTION_OPEN", "refuse_file", f"{place} = {question}", where)
        for place, question in _find_questions(content, "")
    ]
    if findings:
        raise FactsError(
            f"{where} still asks {len(findings)} questions; "
            "replace each text that begins with a question mark by its answer.",
            findings,
        )


def _find_questions(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _find_questions(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find_questions(inner, place)
    elif isinstance(value, str) and (value.startswith("? ") or (value == "?" and "missing" not in place)):
        yield place, value.removeprefix("? ")
