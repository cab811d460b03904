"""EQ-5D: published states of every value set, and what all value sets have in common."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from outcomes.errors import FactsError
from outcomes.facts import read_instrument
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.toml import read_table
from outcomes.records.scoring import score_items


@pytest.mark.parametrize("id", ["eq5d_3l", "eq5d_5l"])
def test_value_sets_are_the_variants_and_span_the_range(id: str) -> None:
    instrument = read_instrument(id)
    rule = instrument.scoring_rule
    sets = read_value_sets(str(rule.value_sets))
    assert sorted(sets) == sorted(instrument.variants["value_set"])
    levels = range(int(rule.item_minimum), int(rule.item_maximum) + 1)
    states = np.array(list(itertools.product(levels, repeat=rule.n_items)), dtype=float)
    lowest = []
    for name, value_set in sets.items():
        assert value_set.source.startswith("doi 10.")
        if value_set.table is None:
            assert [len(value_set.levels[item]) for item in rule.items] == [len(levels)] * rule.n_items
        else:
            table = read_table(value_set.table)["state"]
            assert list(table) == ["".join(map(str, state)) for state in states.astype(int)]
        scores = score_items(instrument, states, variant=name).score
        assert scores[0] == instrument.maximum
        lowest.append(scores.min())
    assert min(lowest) == instrument.minimum


#: Value sets of which fewer than three states were found outside their coefficients, with how many.
FEW_PUBLISHED = {("eq5d_3l", "netherlands_2026"): 2}


def read_states() -> list[dict[str, str]]:
    text = (Path(__file__).parent / "reference" / "eq5d_states.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@pytest.mark.parametrize("row", read_states(), ids=lambda row: f"{row['value_set']}-{row['state']}")
def test_published_states(row: dict[str, str]) -> None:
    items = [[float(level) for level in row["state"]]]
    found = score_items(row["instrument"], items, variant=row["value_set"]).score[0]
    assert found == pytest.approx(float(row["index"]), abs=float(row["tolerance"]) + 1e-9)
    assert row["kind"] in ("paper", "software", "added")


def test_three_states_of_every_value_set_come_from_elsewhere() -> None:
    elsewhere = Counter(
        (row["instrument"], row["value_set"]) for row in read_states() if row["kind"] != "added"
    )
    everything = Counter((row["instrument"], row["value_set"]) for row in read_states())
    for id in ("eq5d_3l", "eq5d_5l"):
        for name in read_instrument(id).variants["value_set"]:
            assert everything[id, name] >= 3
            assert elsewhere[id, name] >= FEW_PUBLISHED.get((id, name), 3), name
            assert score_items(id, [[1] * 5], variant=name).score[0] == 1, "no problems is full health"


def test_the_set_of_china_as_a_whole_is_as_others_describe_it() -> None:
    """Table 1 and abstract of doi 10.1186/s12955-022-01988-w: median, mean (SD), states worse than dead."""
    states = np.array(list(itertools.product((1, 2, 3), repeat=5)), dtype=float)
    index = score_items("eq5d_3l", states, variant="china").score
    assert np.median(index) == pytest.approx(0.427, abs=5e-4)
    assert (index.mean(), index.std(ddof=1)) == pytest.approx((0.427, 0.206), abs=5e-4)
    assert (index < 0).sum() == 6


@pytest.mark.parametrize("id", ["eq5d_3l", "eq5d_5l"])
def test_no_state_gains_by_a_worse_level(id: str) -> None:
    instrument = read_instrument(id)
    n_levels = int(instrument.scoring_rule.item_maximum)
    states = np.array(list(itertools.product(range(1, n_levels + 1), repeat=5)), dtype=float)
    for name in instrument.variants["value_set"]:
        index = score_items(id, states, variant=name).score.reshape((n_levels,) * 5)
        for dimension in range(5):
            assert (np.diff(index, axis=dimension) <= 1e-9).all(), name


def test_index_without_value_set_is_refused() -> None:
    with pytest.raises(FactsError, match="needs a variant, one of: england, uk"):
        score_items("eq5d_5l", [[1, 1, 1, 1, 1]])
    with pytest.raises(FactsError, match="has no variant 'atlantis'"):
        score_items("eq5d_5l", [[1, 1, 1, 1, 1]], variant="atlantis")
