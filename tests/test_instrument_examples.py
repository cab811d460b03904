"""Every worked example of every instrument, as its own facts list them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from handmade import build_cohort, pick
from instrument_views import find_band, find_class, write_tables
from outcomes.analyses.responders import count_responders
from outcomes.errors import FactsError
from outcomes.facts import Instrument, list_instruments, read_instrument
from outcomes.facts.toml import has_table
from outcomes.records.conversion import rescale
from outcomes.records.scoring import Scores, round_scores, score_items

EXAMPLES = [
    pytest.param(instrument, example, id=f"{instrument.id}: {example['case']}")
    for instrument in map(read_instrument, list_instruments())
    for example in instrument.examples
]
#: Where the list of examples garbles the name of a case.
RENAMED = {"implausible total public as excursion": "whole distance recorded as lengthening"}
KEYS = {"case", "input", "expected", "refused", "variant", "policy", "scale", "reference", "note"}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return write_tables(tmp_path)


@pytest.mark.parametrize(("instrument", "example"), EXAMPLES)
def test_worked_example(instrument: Instrument, example: dict, tables: Path) -> None:
    assert set(example) <= KEYS, "an unknown key would be a promise that nobody checks"
    assert ("expected" in example) != ("refused" in example)
    if "refused" in example:
        check_refusal(instrument, example, tables)
    elif isinstance(example["input"], dict):
        check_pair(instrument, example)
    else:
        check_score(instrument, example, tables)


def test_every_published_example_is_among_them(shared: Path) -> None:
    yaml = pytest.importorskip("yaml")
    listed = yaml.safe_load((shared / "facts" / "instruments.yaml").read_text(encoding="utf-8"))[
        "instruments"
    ]
    n_examples = 0
    for entry in listed:
        ids = [entry["id"], "eq_vas"] if entry["id"] == "eq5d_5l" else [entry["id"]]
        cases = {example["case"] for id in ids for example in read_instrument(id).examples}
        for example in entry["examples"]:
            n_examples += 1
            name = RENAMED.get(example["case"], example["case"])
            known = any(case == name or case.startswith(f"{name}:") for case in cases)
            assert known, f"{entry['id']}: {name}"
    assert (len(listed), n_examples) == (60, 276)


def shape_input(example: dict) -> np.ndarray:
    return np.atleast_2d(np.asarray(example["input"], dtype=float))


def check_refusal(instrument: Instrument, example: dict, tables: Path) -> None:
    refused = example["refused"]
    if refused["rule"] == "ITEM_COUNT":
        with pytest.raises(FactsError, match=refused["message"]):
            score_items(instrument, shape_input(example))
        return
    scores = score_items(instrument, shape_input(example), variant=example.get("variant"), tables=tables)
    assert np.isnan(scores.score).all()
    assert list(scores.state) == ["refused"]
    first = scores.problems.iloc[0]
    assert (first["rule"], first["item"]) == (refused["rule"], refused["item"])
    assert f"item {refused['item']}" in str(first["reason"]) or "together" in str(first["reason"])


def check_pair(instrument: Instrument, example: dict) -> None:
    instrument = instrument.narrow(example.get("variant"))
    baseline, follow_up = (example["input"][key] for key in ("baseline", "follow_up"))
    expected = dict(example["expected"])
    if isinstance(baseline, list):
        rule = instrument.scoring_rule
        visits = np.array([baseline, follow_up], dtype=float)
        both = ~np.isnan(visits).any(axis=0)
        assert rule.rule == "mean" and both.sum() == expected.pop("n_pairs")
        assert (both.sum() >= rule.n_items) == expected.pop("enough")
        first, last = round_scores(visits[:, both].mean(axis=1), rule.decimals)
        assert (first, last) == (expected.pop("baseline"), expected.pop("follow_up"))
        assert last - first == pytest.approx(expected.pop("change"))
    else:
        improvement = instrument.sign * (follow_up - baseline)
        percent = 100 * improvement / baseline if baseline else math.nan
        assert follow_up - baseline == expected.pop("change")
        assert improvement == expected.pop("improvement", improvement)
        found = expected.pop("improvement_percent", percent)
        assert percent == pytest.approx(found, abs=0.05, nan_ok=True)
        if "percent_of_possible" in expected:
            check_percent_of_possible(instrument, baseline, follow_up, expected.pop("percent_of_possible"))
        check_thresholds(instrument, baseline, follow_up, expected)
    assert not expected, f"not checked: {expected}"


def check_percent_of_possible(
    instrument: Instrument, baseline: float, follow_up: float, expected: float
) -> None:
    """Ask the analysis: a rule at the expected rate is met, one just above it is not."""
    table = f"patient therapy baseline month_3\np1 a {baseline} {follow_up}"
    cohort = build_cohort(table, instrument=instrument)
    if math.isnan(expected):
        result = count_responders(cohort, thresholds="percent_of_possible:10")
        assert pick(result, statistic="n_undefined", group="all").estimate == 1
        return
    statistic = "share_improved" if expected > 0 else "share_worse"
    for rate, share in ((abs(expected) - 0.05, 1.0), (abs(expected) + 0.05, 0.0)):
        result = count_responders(cohort, thresholds=f"percent_of_possible:{rate:.4f}")
        assert pick(result, statistic=statistic, term="due", group="all").estimate == share


def check_score(instrument: Instrument, example: dict, tables: Path) -> None:
    values, variant = shape_input(example), example.get("variant")
    expected = example["expected"]
    expected = dict(expected) if isinstance(expected, dict) else {"score": expected}
    if "scale" in example:
        values = rescale(instrument, values, example["scale"], reference=example.get("reference"))
        if "rescaled" in expected:
            assert values.item() == pytest.approx(expected["rescaled"])
            return
    check_scores(instrument, values, expected, tables)
    if expected.keys() & {"score", "raw", "state"}:
        scores = score_with_table(instrument, values, variant, expected, tables, example.get("policy"))
        check_details(instrument.narrow(variant), scores, expected)
    assert not expected, f"not checked: {expected}"


def check_scores(instrument: Instrument, values: np.ndarray, expected: dict, tables: Path) -> None:
    """Check several scores of one form, and the class they make."""
    found = {}
    for variant, raw in expected.pop("raws", {}).items():
        assert score_items(instrument, values, variant=variant, tables=tables).raw[0] == raw
    for variant, wanted in expected.pop("scores", {}).items():
        one = {"score": wanted}
        scores = score_with_table(instrument, values, variant, one, tables)
        found[variant] = scores.score[0]
        check_details(instrument.narrow(variant), scores, one)
    if "class" in expected:
        found["total"] = score_items(instrument, values).score[0]
        assert find_class(instrument, found) == expected.pop("class")


def score_with_table(
    instrument: Instrument, values: np.ndarray, variant: str | None, expected: dict, tables: Path,
    policy: str | None = None,
) -> Scores:  # fmt: skip
    """Score; where the table may not ship, by the made-up one, and by the user's own where it is present."""
    rule = instrument.narrow(variant).scoring_rule
    by_made_up = score_items(instrument, values, variant=variant, policy=policy, tables=tables)
    if rule.rule != "lookup" or has_table(f"conversions/{rule.table}"):
        return by_made_up
    assert math.isnan(by_made_up.raw[0]) == math.isnan(expected.get("score", 0.0))
    assert by_made_up.score[0] == pytest.approx(by_made_up.raw[0] + 20, nan_ok=True)
    own = Path(os.environ.get("OUTCOMES_SHARED", ".")) / "facts" / "tables"
    if expected.pop("needs_table", False) or not own.is_dir() or math.isnan(expected.get("score", 0.0)):
        for key in ("score", "std_error"):  # what only the owner's table tells
            expected.pop(key, None)
        return by_made_up
    return score_items(instrument, values, variant=variant, policy=policy, tables=own)


def check_details(instrument: Instrument, scores: Scores, expected: dict) -> None:
    score = scores.score[0]
    assert score == pytest.approx(expected.pop("score", score), abs=1e-9, nan_ok=True)
    for scale, recorded in expected.pop("recorded", {}).items():
        assert rescale(instrument, recorded, scale) == pytest.approx(score)
    if "censored" in expected:
        assert (score == instrument.censored_at) == expected.pop("censored")
    if "band" in expected:
        assert find_band(instrument, score) == expected.pop("band")
    if "flagged" in expected:
        assert scores.flags["item"].tolist() == expected.pop("flagged")
    for key in ("n_missing", "raw", "std_error"):
        if key in expected:
            assert getattr(scores, key)[0] == expected.pop(key)
    check_thresholds(instrument, math.nan, score, expected)


def check_thresholds(instrument: Instrument, baseline: float, score: float, expected: dict) -> None:
    """Ask the analysis itself, of a cohort of one, whether the pair meets the thresholds."""
    start = "." if math.isnan(baseline) else baseline
    table = f"patient therapy baseline month_3\np1 a {start} {score}"
    for key, share in (("met", 1.0), ("not_met", 0.0)):
        for id in expected.pop(key, ()):
            result = count_responders(build_cohort(table, instrument=instrument), thresholds=id)
            result = result.where(statistic=["share_improved", "share_in_state"], term="due", group="all")
            assert result.table["estimate"].tolist() == [share]
