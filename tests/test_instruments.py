"""Every worked example of every instrument, and what all files of instruments have in common."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from handmade import build_cohort, pick
from outcomes.analyses.responders import count_responders
from outcomes.errors import FactsError
from outcomes.facts import Instrument, list_instruments, read_instrument
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.toml import read_table
from outcomes.records.scoring import rescale, score_items, score_paired_items

INSTRUMENTS = [read_instrument(id) for id in list_instruments()]
EXAMPLES = [
    pytest.param(instrument, example, id=f"{instrument.id}: {example['case']}")
    for instrument in INSTRUMENTS
    for example in instrument.examples
]
KEYS = {"case", "input", "expected", "refused", "variant", "policy", "scale", "reference", "note"}


@pytest.mark.parametrize(("instrument", "example"), EXAMPLES)
def test_worked_example(instrument: Instrument, example: dict) -> None:
    assert set(example) <= KEYS, "an unknown key would be a promise that nobody checks"
    assert ("expected" in example) != ("refused" in example)
    if "refused" in example:
        check_refusal(instrument, example)
    elif isinstance(example["input"], dict):
        check_pair(instrument, example)
    else:
        check_score(instrument, example)


def shape_input(example: dict) -> np.ndarray:
    return np.atleast_2d(np.asarray(example["input"], dtype=float))


def check_refusal(instrument: Instrument, example: dict) -> None:
    refused = example["refused"]
    if refused["rule"] == "ITEM_COUNT":
        with pytest.raises(FactsError, match=refused["message"]):
            score_items(instrument, shape_input(example))
        return
    scores = score_items(instrument, shape_input(example), variant=example.get("variant"))
    assert np.isnan(scores.score).all()
    assert list(scores.state) == ["refused"]
    first = scores.problems.iloc[0]
    assert (first["rule"], first["item"]) == (refused["rule"], refused["item"])


def check_pair(instrument: Instrument, example: dict) -> None:
    baseline, follow_up = (example["input"][key] for key in ("baseline", "follow_up"))
    expected = dict(example["expected"])
    if isinstance(baseline, list):
        pair = score_paired_items(instrument, [baseline], [follow_up])
        for key in ("n_pairs", "baseline", "follow_up", "enough"):
            assert getattr(pair, key)[0] == expected.pop(key)
        assert pair.follow_up[0] - pair.baseline[0] == pytest.approx(expected.pop("change"))
    else:
        improvement = instrument.sign * (follow_up - baseline)
        percent = 100 * improvement / baseline if baseline else math.nan
        assert follow_up - baseline == expected.pop("change")
        assert improvement == expected.pop("improvement")
        assert percent == pytest.approx(expected.pop("improvement_percent"), abs=0.05, nan_ok=True)
        check_thresholds(instrument, baseline, follow_up, expected)
    assert not expected, f"not checked: {expected}"


def check_score(instrument: Instrument, example: dict) -> None:
    values = shape_input(example)
    expected = example["expected"]
    expected = dict(expected) if isinstance(expected, dict) else {"score": expected}
    if "scale" in example:
        values = rescale(instrument, values, example["scale"], reference=example.get("reference"))
        if "rescaled" in expected:
            assert values.item() == pytest.approx(expected["rescaled"])
            return
    scores = score_items(instrument, values, variant=example.get("variant"), policy=example.get("policy"))
    score = scores.score[0]
    assert score == pytest.approx(expected.pop("score"), abs=1e-9, nan_ok=True)
    for scale, recorded in expected.pop("recorded", {}).items():
        assert rescale(instrument, recorded, scale) == pytest.approx(score)
    if "censored" in expected:
        assert instrument.is_censored(score) == expected.pop("censored")
    if "band" in expected:
        assert instrument.find_band(score) == expected.pop("band")
    if "n_missing" in expected:
        assert scores.n_missing[0] == expected.pop("n_missing")
    check_thresholds(instrument, math.nan, score, expected)
    assert not expected, f"not checked: {expected}"


def check_thresholds(instrument: Instrument, baseline: float, score: float, expected: dict) -> None:
    """Ask the analysis itself, of a cohort of one, whether the pair meets the thresholds."""
    start = "." if math.isnan(baseline) else baseline
    table = f"patient therapy baseline month_3\np1 a {start} {score}"
    for key, share in (("met", 1.0), ("not_met", 0.0)):
        for id in expected.pop(key, ()):
            result = count_responders(build_cohort(table, instrument=instrument), thresholds=id)
            assert pick(result, statistic="share_improved", term="due", group="all").estimate == share


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda entry: entry.id)
class TestEveryInstrument:
    def test_file_is_named_by_its_id(self, instrument: Instrument) -> None:
        assert read_instrument(instrument.id) is instrument

    def test_range_direction_and_kind(self, instrument: Instrument) -> None:
        assert instrument.minimum < instrument.maximum
        assert instrument.direction in ("higher_worse", "higher_better", "none")
        assert instrument.kind in ("prom", "clinical")
        if instrument.direction != "none":
            assert instrument.sign == (1 if instrument.direction == "higher_better" else -1)

    def test_says_where_its_facts_come_from(self, instrument: Instrument) -> None:
        assert instrument.source.strip()
        assert instrument.licence.strip()
        assert instrument.caveats
        assert all(entry.source.strip() and entry.population.strip() for entry in instrument.thresholds)

    def test_has_examples_of_a_score_a_missing_one_and_a_refused_one(self, instrument: Instrument) -> None:
        outcomes = [example.get("expected", "refused") for example in instrument.examples]
        missing = [isinstance(entry, float) and math.isnan(entry) for entry in outcomes]
        refused = [entry == "refused" for entry in outcomes]
        assert any(missing)
        assert any(refused)
        assert sum(missing) + sum(refused) < len(outcomes)

    def test_thresholds_have_distinct_ids_and_sizes_within_the_range(self, instrument: Instrument) -> None:
        ids = [entry.id for entry in instrument.thresholds]
        assert len(set(ids)) == len(ids)
        for entry in instrument.thresholds:
            if entry.rule == "absolute":
                assert 0 < entry.value <= instrument.maximum - instrument.minimum
            elif entry.rule == "percent":
                assert 0 < entry.value <= 100
            else:
                assert instrument.minimum <= entry.value <= instrument.maximum
                better_is_low = instrument.direction == "higher_worse"
                assert entry.comparison in (("<=", "<") if better_is_low else (">=", ">"))

    def test_one_verified_individual_threshold_is_the_default(self, instrument: Instrument) -> None:
        fit = [entry for entry in instrument.thresholds if entry.verified and entry.level == "individual"]
        defaults = [entry for entry in instrument.thresholds if entry.default]
        assert len(defaults) == (1 if fit else 0)
        assert all(entry in fit for entry in defaults)
        assert instrument.default_threshold == (defaults[0] if defaults else None)

    def test_bands_cover_the_range_without_gaps(self, instrument: Instrument) -> None:
        bands = instrument.bands
        if not bands:
            assert instrument.find_band(instrument.minimum) is None
            return
        assert bands[0]["low"] == instrument.minimum
        assert bands[-1]["high"] == instrument.maximum
        for lower, upper in itertools.pairwise(bands):
            assert upper["low"] - lower["high"] in (0, instrument.step)
        grid = np.linspace(instrument.minimum, instrument.maximum, 401)
        assert all(instrument.find_band(value) is not None for value in grid)
        assert instrument.find_band(instrument.maximum + 1) is None
        assert instrument.find_band(instrument.minimum - 1) is None

    def test_scales_bring_recorded_values_into_the_range(self, instrument: Instrument) -> None:
        for name, scale in instrument.scales.items():
            assert scale["factor"] != 0
            assert scale["meaning"]
            ends = [
                (end - scale["offset"]) / scale["factor"] for end in (instrument.minimum, instrument.maximum)
            ]
            back = rescale(instrument, ends, name, reference=1.0)
            assert back == pytest.approx([instrument.minimum, instrument.maximum])

    def test_items_at_their_ends_give_scores_at_the_ends(self, instrument: Instrument) -> None:
        rule = instrument.scoring_rule
        if rule.rule == "value_set":
            return
        ends = [[value] * rule.n_items for value in (rule.item_minimum, rule.item_maximum)]
        assert score_items(instrument, ends).score.tolist() == [instrument.minimum, instrument.maximum]


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


def test_index_without_value_set_is_refused() -> None:
    with pytest.raises(FactsError, match="needs a variant, one of: england, uk"):
        score_items("eq5d_5l", [[1, 1, 1, 1, 1]])
    with pytest.raises(FactsError, match="has no variant 'atlantis'"):
        score_items("eq5d_5l", [[1, 1, 1, 1, 1]], variant="atlantis")


def test_variants_are_joined_in_the_order_of_their_groups() -> None:
    nprs = read_instrument("nprs")
    nprs.check_variant("leg-average")
    nprs.check_variant(None)
    with pytest.raises(FactsError, match="has no variant 'average-leg'"):
        nprs.check_variant("average-leg")


def test_an_instrument_without_direction_has_no_sign() -> None:
    fields = {**vars(read_instrument("nprs")), "direction": "none"}
    with pytest.raises(FactsError, match="no direction"):
        _ = Instrument(**fields).sign


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(FactsError, match="did you mean 'odi'"):
        read_instrument("odii")
    with pytest.raises(FactsError, match="it has: ostelo-2008-absolute"):
        read_instrument("odi").threshold("ostelo")
    with pytest.raises(FactsError, match="did you mean 'legacy_12_60'"):
        rescale("oks", [30], "legacy_12-60")
    with pytest.raises(FactsError, match="needs the length of the printed line"):
        rescale("vas100", [30], "printed_line")
