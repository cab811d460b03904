"""A sentence is said only if it holds for every result that is compatible with what was released."""

from __future__ import annotations

import numpy as np
import pytest

from outcomes.disclosure import Fate, find_range, read_rules, release
from outcomes.result import Origin, build_result
from outcomes.views.claims import Span, all_of, any_of, deny

#: Statistics of each kind of rounding, with a unit.
ROUNDED = {
    "share_at_floor": "proportion", "share_improved": "proportion", "share_seen": "proportion",
    "share_improved_standardised": "proportion", "mean_score": "points", "n_seen": "patients", "smd": "SD",
    "share_worse": "proportion",
}  # fmt: skip


def draw_row(rng, statistic):
    n = int(rng.integers(11, 140))
    part = int(rng.integers(0, n + 1))
    value = {"points": rng.normal(30, 12), "patients": n, "SD": rng.normal(0, 0.3)}.get(
        ROUNDED[statistic], part / n
    )
    row = {"statistic": statistic, "outcome": "odi", "estimate": value, "n": n, "unit": ROUNDED[statistic]}
    codes = np.arange(n)
    sets = {"all": codes}
    if ROUNDED[statistic] == "proportion" and statistic != "share_improved_standardised":
        sets |= {"with": codes[:part], "without": codes[part:]}
    low, high = (0, 1) if ROUNDED[statistic] == "proportion" else (-np.inf, np.inf)
    ends = {"conf_low": max(value - 0.02, low), "conf_high": min(value + 0.02, high)}
    return {**row, **ends, "p_value": rng.uniform()}, sets


@pytest.mark.parametrize("profile", ["standard", "nhs"])
def test_a_released_number_leaves_room_for_the_true_one(profile):
    rng, rules = np.random.default_rng(3), read_rules(None, profile)
    told = dict.fromkeys(Fate, 0)
    for statistic in list(ROUNDED) * 15:
        row, sets = draw_row(rng, statistic)
        result = build_result(
            "change", [row], method="", support=[sets], origin=Origin(disclosure_profile=profile)
        )
        for shown in release(result, k=rules.k).table.itertuples(index=False):
            told[shown.fate] += 1
            for column in ("estimate", "conf_low", "conf_high", "p_value", "n"):
                low, high = find_range(shown, column, "stakeholder", rules)
                assert low - 1e-9 <= row[column] <= high + 1e-9, (statistic, column, shown)
        for whole in release(result, "team").table.itertuples(index=False):
            assert find_range(whole, "estimate", "team", rules) == (row["estimate"], row["estimate"])
    assert min(told[fate] for fate in (Fate.SHOWN, Fate.WITHHELD, Fate.FEW)) > 2


def test_statements_are_joined_in_three_valued_logic():
    table = [
        (True, None, None, True, False),
        (True, False, False, True, False),
        (None, None, None, None, None),
        (None, False, False, None, None),
        (False, False, False, False, True),
    ]
    for first, second, both, either, denied in table:
        assert all_of([first, second]) is both and any_of([second, first]) is either
        assert deny(first) is denied
    assert Span().is_above(0) is None and Span(1, 1).is_below(1) is False and Span(1, 2).is_below(3) is True
