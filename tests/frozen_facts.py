"""Facts of the package as single entries, and the frozen copies that they are held against.

An entry has an address: its file below ``facts/``, and the keys that lead to it, joined by points.
``outside.csv`` holds what an outside list says, ``package.csv`` what only the package says; no entry stands
in both. ``python tests/frozen_facts.py`` writes ``package.csv`` anew, after a change of the package's own
that was reviewed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outcomes.facts.toml import list_facts, read_facts, read_table

FOLDER = Path(__file__).parent / "reference" / "facts"
#: The table of mapped EQ-5D-5L states, too long for one line of a file.
CROSSWALK = "value_sets/eq5d_5l_crosswalk"
#: Rules of the program's own, of which the numbers, patterns and sources are frozen.
RULES = (
    "appearance", "checks", "code_readings", "cohort", "comparability", "disclosure", "domains", "drafting",
    "drafting/de", "encodings", "gate", "limits", "made_up_clinic", "model_checks", "monitoring", "panel",
    "psychometrics", "schema", "sources/ashar-2022", "sources/made-up-clinic", "sources/template",
    "statistics", "timepoints",
)  # fmt: skip
TABLES = ("conversions/hoos_jr", "conversions/hoos_ps", "conversions/koos_jr", "conversions/koos_ps")
#: Words for readers; worked examples are tests of their own.
WORDS = {
    "aliases", "anchor", "caveats", "examples", "licence", "meaning", "name", "note", "reason", "recall",
    "sentences", "short_label", "short_name", "version",
}  # fmt: skip

Entries = dict[str, str]


def list_files() -> list[str]:
    """Return the files of facts whose entries are frozen, but the table of mapped states."""
    folders = ("instruments", "value_sets")
    return [
        *RULES,
        *TABLES,
        "item_policies",
        "therapies",
        *(f"{folder}/{name}" for folder in folders for name in list_facts(folder)),
    ]


def list_entries(file: str) -> Entries:
    """Return the entries of one file of the package by their addresses."""
    content = read_table(file) if file in (*TABLES, CROSSWALK) else read_facts(file)
    return {fact: write_value(value) for fact, value in _walk(content, ()) if _is_frozen(file, fact, value)}


def _is_frozen(file: str, fact: str, value: Any) -> bool:
    return file not in RULES or _has_number(value) or fact.endswith((".source", ".pattern"))


def _has_number(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_number, value))
    return isinstance(value, (int, float))


def _walk(content: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == "loinc":
                yield ".".join((*keys, key)), list(value)
            elif key not in WORDS or isinstance(value, Mapping):
                yield from _walk(value, (*keys, key))
    elif isinstance(content, list) and content and isinstance(content[0], Mapping):
        for number, value in enumerate(content, start=1):
            yield from _walk(value, (*keys, str(value.get("id", number))))
    else:
        yield ".".join(keys), content


def write_value(value: Any) -> str:
    """Return a value as the frozen copies hold it: a number the same however it is spelled."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return " ".join(map(write_value, value))
    try:
        return repr(float(value)).removesuffix(".0")
    except ValueError:
        return str(value)


def read_frozen(name: str) -> dict[str, Entries]:
    """Return the entries of one frozen copy, ``outside`` or ``package``, by file."""
    frozen: dict[str, Entries] = {}
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            frozen.setdefault(row["file"], {})[row["fact"]] = row["value"]
    return frozen


def read_frozen_crosswalk() -> Entries:
    """Return the frozen table of mapped states, a column an entry."""
    with (FOLDER / "eq5d_5l_crosswalk.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {name: write_value([row[name] for row in rows]) for name in rows[0]}


def find_differences(entries: Entries, frozen: Entries) -> list[str]:
    """Return the addresses at which the package and the frozen copies differ.

    What the copies do not know yet is none: a key that no instrument had (such as a new kind of fact), and a
    further way in which clinics record a score.
    """
    known = {address.split(".")[0] for address in frozen}
    further = {
        address
        for address in entries.keys() - frozen.keys()
        if address.split(".")[0] not in known or address.startswith("scales.")
    }
    addresses = (entries.keys() | frozen.keys()) - further
    return sorted(address for address in addresses if entries.get(address) != frozen.get(address))


def freeze() -> None:
    """Write what the outside list does not say as the package says it now."""
    outside = read_frozen("outside")
    path = FOLDER / "package.csv"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("".join(f"{line}\n" for line in kept))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "fact", "value"))
        for name in list_files():
            own = list_entries(name)
            writer.writerows((name, fact, own[fact]) for fact in own if fact not in outside.get(name, {}))


if __name__ == "__main__":
    freeze()
