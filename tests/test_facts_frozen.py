"""Every number of the facts equals a frozen copy: of an outside list, else of the package as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import frozen_facts
from frozen_facts import (
    CROSSWALK,
    find_differences,
    list_entries,
    list_files,
    read_frozen,
    read_frozen_crosswalk,
)
from outcomes.facts import read_facts, read_instrument, read_therapies
from outcomes.facts.scoring_rule import read_value_sets

OUTSIDE, PACKAGE = read_frozen("outside"), read_frozen("package")


def find_changes(file: str) -> list[str]:
    return find_differences(list_entries(file), OUTSIDE.get(file, {}) | PACKAGE.get(file, {}))


@pytest.mark.parametrize("file", list_files())
def test_every_entry_equals_the_frozen_copies(file: str) -> None:
    assert find_changes(file) == []


def test_every_mapped_state_equals_the_frozen_table() -> None:
    assert list_entries(CROSSWALK) == read_frozen_crosswalk()


def test_the_copies_share_no_entry_and_know_no_other_file() -> None:
    assert not [file for file in PACKAGE if PACKAGE[file].keys() & OUTSIDE.get(file, {}).keys()]
    assert OUTSIDE.keys() | PACKAGE.keys() == set(list_files())


def test_the_outside_copy_holds_what_matters_most() -> None:
    """All value sets, thresholds, ranges, directions, tables and therapies, not a part of them."""
    for name in ("eq5d_3l", "eq5d_5l"):
        held = OUTSIDE[f"value_sets/{name}"]
        for id, value_set in read_value_sets(f"value_sets/{name}").items():
            wanted = (
                {f"{id}.levels.{item}" for item in value_set.levels} if value_set.table is None else set()
            )
            assert wanted | {f"{id}.source"} <= held.keys()
    assert {file for file in OUTSIDE if file.startswith("conversions/")} == set(frozen_facts.TABLES)
    assert {f"{id}.group" for id in read_therapies()} <= OUTSIDE["therapies"].keys()
    values = [fact for held in OUTSIDE.values() for fact in held if fact.endswith(".value")]
    assert len(values) == 116
    ours = [f"{file}: {fact}" for file, held in PACKAGE.items() for fact in held if fact.endswith(".value")]
    assert ours == [
        "instruments/nprs: thresholds.ashar-2022-pain-free.value",
        "instruments/promis29: subscales.pain_intensity.thresholds.chulalongkorn-absolute.value",
    ]


def test_the_usual_thresholds_of_low_back_pain_are_the_default() -> None:
    for id in ("nprs", "vas100", "odi", "rmdq24", "qbpds"):
        assert OUTSIDE[f"instruments/{id}"]["thresholds.ostelo-2008-absolute.default"] == "true"
        assert read_instrument(id).default_threshold.id == "ostelo-2008-absolute"


def _change(content: dict[str, Any], *keys: str | int, to: Any) -> None:
    for key in keys[:-1]:
        content = content[key]
    content[keys[-1]] = to


@pytest.mark.parametrize(
    ("file", "keys", "to", "address"),
    [
        ("value_sets/eq5d_5l", ("hong_kong", "levels", "pd", 3), -0.308, "hong_kong.levels.pd"),
        ("value_sets/eq5d_3l", ("usa", "terms", 3, "coefficient"), 0.0147964, "usa.terms.4.coefficient"),
        (
            "instruments/promis29",
            ("subscales", "impact", "scoring", "reverse"),
            [1, 2, 3],
            "subscales.impact.scoring.reverse",
        ),
        (
            "instruments/nprs",
            ("thresholds", 1, "default"),
            True,
            "thresholds.ostelo-2008-percent.default",
        ),
        ("instruments/odi", ("scoring", "missing"), "prorate_any", "scoring.missing"),
        ("instruments/odi", ("scales", "raw_0_50", "factor"), 1, "scales.raw_0_50.factor"),
        (
            "item_policies",
            ("at_least_half_answered", "least_share"),
            0.4,
            "at_least_half_answered.least_share",
        ),
    ],
)
def test_a_change_is_named(monkeypatch, file: str, keys: tuple, to: Any, address: str) -> None:
    content = copy.deepcopy(read_facts(file))
    _change(content, *keys, to=to)
    monkeypatch.setattr(frozen_facts, "read_facts", lambda name: content)
    assert find_changes(file) == [address]


def test_what_is_new_is_no_change_but_a_new_entry_of_what_is_frozen_is(monkeypatch) -> None:
    content = copy.deepcopy(read_facts("instruments/odi"))
    monkeypatch.setattr(frozen_facts, "read_facts", lambda name: content)
    content["scales"]["percent_of_50"] = {"factor": 2, "offset": 0}
    content["regions"] = ["low_back"]
    assert find_changes("instruments/odi") == []
    content["scoring"]["reverse"] = [1]
    content["thresholds"].append({**content["thresholds"][0], "id": "new"})
    added = find_changes("instruments/odi")
    assert added[0] == "scoring.reverse" and "thresholds.new.value" in added
