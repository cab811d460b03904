"""A language made of the English one by giving every letter a mark, so that a text left in English shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from outcomes.facts import (
    Instrument,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.toml import read_toml

LANGUAGE = "xx"
_MARKED = dict(zip("abcdefghijklmnopqrstuvwxyz", "åƀçđéƒğħîĵķļḿñøþǫŕšţüṽŵẋýž", strict=True))
_LETTERS = str.maketrans(_MARKED | {letter.upper(): marked.upper() for letter, marked in _MARKED.items()})
#: What a template fills or computes, addresses of links, and code stay as they are.
_KEPT = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\]\([^)]*\)|`[^`]*`)", re.DOTALL)
_FORM = re.compile(r"'([^']*)'")
#: Sections that are no texts of a page: how sentences count, and how the language does.
_NO_TEXTS = {("release", key) for key in ("counted", "units", "bounds", "as_of_mark")} | {
    ("language", "plural")
}


def mark(text: str) -> str:
    """Return a text with a mark on each letter; the forms of ``plural`` are marked too.

    >>> mark("{{ n }} {{ n | plural('day', 'days') }}")
    "{{ n }} {{ n | plural('đåý', 'đåýš') }}"
    """
    parts = _KEPT.split(text)
    return "".join(
        _mark_forms(part) if place % 2 else part.translate(_LETTERS) for place, part in enumerate(parts)
    )


def _mark_forms(part: str) -> str:
    if "plural(" not in part:
        return part
    return _FORM.sub(lambda match: f"'{match[1].translate(_LETTERS)}'", part)


def write_pseudo_language(project: Path) -> None:
    """Write the language into a project's ``data/words/``, with names for whatever the facts name."""
    folder = project / "data" / "words" / LANGUAGE
    folder.mkdir(parents=True)
    english = Path(str(resources.files("outcomes.facts"))) / "words" / "en"
    for path in english.glob("*.toml"):
        content = _mark_all(read_toml(path), (path.stem,))
        (folder / path.name).write_text("\n".join(_write_toml(content)), encoding="utf-8")
    (folder / "names.toml").write_text("\n".join(_write_toml(_mark_all(_name_facts(), ()))), encoding="utf-8")


def _mark_all(content: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    return {
        key: _mark_all(value, (*place, key))
        if isinstance(value, Mapping)
        else (value if (*place, key) in _NO_TEXTS else mark(value))
        for key, value in content.items()
    }


def _write_toml(content: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for key, value in content.items():
        if not isinstance(value, Mapping):
            yield f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in content.items():
        if isinstance(value, Mapping):
            own = f"{place}.{json.dumps(key)}" if place else json.dumps(key)
            yield from ("", f"[{own}]", *_write_toml(value, own))


def _list_variants(instrument: Instrument) -> Iterator[tuple[str, str]]:
    value_sets = instrument.scoring.get("value_sets")
    variants = ["average", *instrument.subscales, *(read_value_sets(value_sets) if value_sets else ())]
    yield from ((variant, instrument.name_variant(variant)) for variant in variants)


def _name_facts() -> dict[str, dict[str, Any]]:
    instruments = [read_instrument(id) for id in list_instruments()]
    columns = read_schema()["episodes"]
    units = {entry.unit for entry in instruments} | {column.unit for column in columns.values()} - {""}
    thresholds = {f"{one.id}:{entry.id}": entry for one in instruments for entry in one.thresholds}
    return {
        "therapies": {id: entry.label for id, entry in read_therapies().items()},
        "therapies_short": {id: entry.short_label for id, entry in read_therapies().items()},
        "timepoints": {id: entry.label for id, entry in read_timepoints().items()},
        "covariates": {name: column.label or name.replace("_", " ") for name, column in columns.items()},
        "levels": {name: dict(column.labels) for name, column in columns.items() if column.labels},
        "units": {unit: unit for unit in units},
        "instruments": {entry.id: entry.name for entry in instruments},
        "instruments_short": {entry.id: entry.short_name for entry in instruments},
        "versions": {entry.id: entry.version for entry in instruments},
        "variants": {entry.id: dict(_list_variants(entry)) for entry in instruments},
        "populations": {place: entry.population for place, entry in thresholds.items()},
        "threshold_notes": {place: entry.note for place, entry in thresholds.items()},
        "profiles": {id: entry["label"] for id, entry in read_facts("disclosure")["profiles"].items()},
        "scripts": {id: entry["label"] for id, entry in read_facts("appearance")["scripts"].items()},
    }
