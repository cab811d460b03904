"""Each number of each file of facts is changed in turn, and the frozen copies must notice every one."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources

import pytest

import frozen_facts
from frozen_facts import CROSSWALK, TABLES, find_differences, list_entries, list_files, read_frozen
from outcomes.facts.toml import read_table

pytestmark = pytest.mark.slow

_KEY = re.compile(r"\s*([\w-]+) = ")
_TOKEN = re.compile(
    r""""(?:[^"\\]|\\.)*"|'[^']*'|#|\b(?:true|false)\b"""
    r"|(?<![\w.-])-?\d[\d_]*(?:\.\d+)?(?:e-?\d+)?(?![\w.-]| = )"
)
_NUMBER = re.compile(r"\d+")
#: Texts of facts whose numbers are facts too: years, identifiers of papers, patients, lengths.
_TOLD = ("source", "population", "pattern")


def find_numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield kind, begin and end of each number and each yes or no; worked examples are left out."""
    place, within_examples = 0, False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            within_examples = line.startswith("[[examples]]")
        elif not within_examples:
            key = _KEY.match(line)
            for token in _TOKEN.finditer(line, key.end() if key else 0):
                if token[0].startswith("#"):
                    break
                if not token[0].startswith(('"', "'")):
                    yield "number", place + token.start(), place + token.end()
                elif key and key[1] in _TOLD:
                    for number in _NUMBER.finditer(token[0]):
                        begin = place + token.start() + number.start()
                        yield "number in a text", begin, begin + len(number[0])
        place += len(line)


def change(number: str) -> str:
    """Return a number with one more in its last place, the tenth decimal at most; yes for no."""
    if number in ("true", "false"):
        return "false" if number == "true" else "true"
    value = Decimal(number.replace("_", ""))
    return str(value + Decimal(1).scaleb(max(value.as_tuple().exponent, -10)))


def count_noticed(monkeypatch, file: str) -> Counter:
    """Count what was changed in a TOML file, and what of it the copies noticed."""
    text = resources.files("outcomes.facts").joinpath(f"{file}.toml").read_text(encoding="utf-8")
    frozen = read_frozen("outside").get(file, {}) | read_frozen("package").get(file, {})
    counts: Counter = Counter()
    for kind, begin, end in find_numbers(text):
        changed = tomllib.loads(text[:begin] + change(text[begin:end]) + text[end:])
        monkeypatch.setattr(frozen_facts, "read_facts", lambda name, changed=changed: changed)
        counts[kind] += 1
        if find_differences(list_entries(file), frozen):
            counts[f"{kind}, noticed"] += 1
        else:
            print("not noticed:", file, text[text.rfind("\n", 0, begin) + 1 : end])
    return counts


@pytest.mark.parametrize("file", [file for file in list_files() if file not in TABLES])
def test_every_changed_number_is_noticed(monkeypatch, file: str) -> None:
    counts = count_noticed(monkeypatch, file)
    print(file, dict(counts))
    for kind in ("number", "number in a text"):
        assert counts[f"{kind}, noticed"] == counts[kind]


@pytest.mark.parametrize("file", [*TABLES, CROSSWALK])
def test_every_changed_number_of_a_table_is_noticed(monkeypatch, file: str) -> None:
    frozen = frozen_facts.read_frozen_crosswalk() if file == CROSSWALK else read_frozen("outside")[file]
    n_changed = 0
    for name, column in read_table(file).items():
        for place, number in enumerate(column):
            changed = (*column[:place], change(number), *column[place + 1 :])
            monkeypatch.setattr(frozen_facts, "read_table", lambda _, own={name: changed}: own)
            assert list_entries(file)[name] != frozen[name], (name, place)
            n_changed += 1
    print(file, n_changed)
