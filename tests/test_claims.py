"""A sentence is said only if it holds for every result that is compatible with what was released."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "claims"))
from judging import judge_pages, list_false
from pages import Said, note_said
from scenes import make_editions, make_later_page, make_pages

from outcomes.disclosure import Fate, find_range, read_rules, release
from outcomes.result import Origin, build_result
from outcomes.views import statements
from outcomes.views.claims import Span, all_of, any_of, deny

#: Statistics of each kind of rounding, with a unit.
ROUNDED = {
    "share_at_floor": "proportion", "share_improved": "proportion", "share_seen": "proportion",
    "share_improved_standardised": "proportion", "mean_score": "points", "n_seen": "patients", "smd": "SD",
    "share_worse": "proportion", "mean_expected": "points",
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
    for statistic in list(ROUNDED) * 16:
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
    assert min(told[fate] for fate in (Fate.SHOWN, Fate.WITHHELD, Fate.FEW)) > 1


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


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages of random clinics, whole for the team and released for stakeholders."""
    folder = tmp_path_factory.mktemp("claims")
    editions = make_editions(folder / "editions", 1, "therapy_comparison")
    return [*make_pages(folder / "clinics", 1), *editions, make_later_page(folder / "later", 1)]


def test_every_sentence_that_is_said_is_true(pages):
    """Each text of each page is true of the records; a key whose truth nobody has written fails."""
    judged = judge_pages(pages)
    assert not judged.without_truth
    assert not list_false(judged)
    assert len(judged.keys) >= 200


def test_a_rule_that_looks_at_the_shown_whole_alone_is_noticed(pages, monkeypatch):
    """As it was: withheld counted as no, and only all patients together were looked at."""

    def look_at_whole(ends, labels, most, group):
        return not (ends.where(group="all", shown=True).table["estimate"] > most).any()

    monkeypatch.setattr(statements, "_has_few", look_at_whole)
    monkeypatch.setattr(statements, "_say_end", lambda *_: "")
    said: list[Said] = []
    page = next(page for page in pages if page.clinic.name == "four" and page.audience == "team")
    with note_said(said, ["say_ends"]):
        statements.say_ends(page.names["ends"])
    assert {one.key for one in list_false(judge_pages([replace(page, said=said)]))} == {"sentences.ends_few"}
