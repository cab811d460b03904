"""Every worked example of every instrument, and what all files of instruments have in common."""

from __future__ import annotations

import csv
import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest

from handmade import build_cohort, pick
from outcomes.analyses.responders import count_responders
from outcomes.errors import FactsError
from outcomes.facts import Instrument, list_instruments, read_instrument
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.toml import has_table, read_table
from outcomes.records.bands import sort_into_bands
from outcomes.records.columns.names import list_instrument_spellings
from outcomes.records.scoring import Scores, rescale, score_items, score_paired_items

INSTRUMENTS = [read_instrument(id) for id in list_instruments()]
EXAMPLES = [
    pytest.param(instrument, example, id=f"{instrument.id}: {example['case']}")
    for instrument in INSTRUMENTS
    for example in instrument.examples
]
#: Where the list of examples garbles the name of a case.
RENAMED = {"implausible total public as excursion": "whole distance recorded as lengthening"}
KEYS = {"case", "input", "expected", "refused", "variant", "policy", "scale", "reference", "note"}


def list_views(instrument: Instrument) -> list[Instrument]:
    """Return the instrument as each of its scores sees it: the whole form, and every subscale."""
    rest = [names[0] for group, names in instrument.variants.items() if group != "score"]
    required = rest if instrument.variant_required else []
    views = [instrument.narrow("-".join([id, *required])) for id in instrument.subscales]
    return views if instrument.variant_required and instrument.subscales else [instrument, *views]


VIEWS = [
    pytest.param(view, id=f"{instrument.id}/{number}")
    for instrument in INSTRUMENTS
    for number, view in enumerate(list_views(instrument))
]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Folder with a made-up table for every one that may not ship: the score of a sum is 20 more."""
    for instrument in INSTRUMENTS:
        for view in list_views(instrument):
            rule = view.scoring_rule
            if rule.rule == "lookup" and not has_table(f"conversions/{rule.table}"):
                sums = range(rule.n_items, 5 * rule.n_items + 1)
                lines = [
                    "# made up",
                    "raw_sum,t_score,se",
                    *(f"{entry},{entry + 20}.0,2.5" for entry in sums),
                ]
                (tmp_path / f"{rule.table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


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
    assert f"item {refused['item']}" in first["reason"] or "together" in first["reason"]


def check_pair(instrument: Instrument, example: dict) -> None:
    instrument = instrument.narrow(example.get("variant"))
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
        assert instrument.find_class(found) == expected.pop("class")


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
        assert instrument.is_censored(score) == expected.pop("censored")
    if "band" in expected:
        assert instrument.find_band(score) == expected["band"]
        assert list(sort_into_bands(instrument, [score])) == [expected.pop("band")]
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
            assert pick(result, statistic="share_improved", term="due", group="all").estimate == share


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda entry: entry.id)
class TestEveryInstrument:
    def test_file_is_named_by_its_id(self, instrument: Instrument) -> None:
        assert read_instrument(instrument.id) is instrument

    def test_says_where_its_facts_come_from(self, instrument: Instrument) -> None:
        assert instrument.source.strip()
        assert instrument.licence.strip()
        assert instrument.caveats
        assert instrument.kind in ("prom", "clinical")

    def test_has_examples_of_a_score_a_missing_one_and_a_refused_one(self, instrument: Instrument) -> None:
        outcomes = [example.get("expected", "refused") for example in instrument.examples]
        missing = [isinstance(entry, float) and math.isnan(entry) for entry in outcomes]
        refused = [entry == "refused" for entry in outcomes]
        assert any(missing)
        assert any(refused)
        assert sum(missing) + sum(refused) < len(outcomes)

    def test_scales_bring_recorded_values_into_the_range(self, instrument: Instrument) -> None:
        for name, scale in instrument.scales.items():
            assert scale["factor"] != 0
            assert scale["meaning"]
            ends = [
                (end - scale["offset"]) / scale["factor"] for end in (instrument.minimum, instrument.maximum)
            ]
            back = rescale(instrument, ends, name, reference=1.0)
            assert back == pytest.approx([instrument.minimum, instrument.maximum])

    def test_a_form_of_several_scores_is_never_scored_without_saying_which(
        self, instrument: Instrument
    ) -> None:
        if instrument.variant_required:
            with pytest.raises(FactsError, match="needs a variant, one of"):
                score_items(instrument, np.zeros((1, instrument.scoring_rule.n_items)))


@pytest.mark.parametrize("instrument", VIEWS)
class TestEveryScore:
    def test_range_and_direction(self, instrument: Instrument) -> None:
        assert instrument.minimum < instrument.maximum
        if instrument.direction == "none":
            with pytest.raises(FactsError, match="no direction"):
                _ = instrument.sign
        else:
            assert instrument.sign == (1 if instrument.direction == "higher_better" else -1)

    def test_thresholds_have_distinct_ids_and_sizes_within_the_range(self, instrument: Instrument) -> None:
        ids = [entry.id for entry in instrument.thresholds]
        assert len(set(ids)) == len(ids)
        for entry in instrument.thresholds:
            assert entry.source.strip()
            assert entry.population.strip()
            if entry.rule == "absolute":
                assert 0 < entry.value <= instrument.maximum - instrument.minimum
            elif entry.rule.startswith("percent"):
                assert 0 < entry.value <= 100
            else:
                assert instrument.minimum <= entry.value <= instrument.maximum
                better_is_low = instrument.direction == "higher_worse"
                assert entry.comparison in (("<=", "<") if better_is_low else (">=", ">"))

    def test_one_verified_individual_threshold_is_the_default(self, instrument: Instrument) -> None:
        fit = [
            entry
            for entry in instrument.thresholds
            if entry.verified and entry.level == "individual" and entry.kind != "MDC"
        ]
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
        labels = [instrument.find_band(value) for value in grid]
        assert None not in labels
        assert list(sort_into_bands(instrument, grid)) == labels
        beyond = [instrument.minimum - 1, instrument.maximum + 1, math.nan]
        assert [instrument.find_band(value) for value in beyond] == [None] * 3
        assert (sort_into_bands(instrument, beyond).codes == -1).all()

    def test_items_at_their_ends_give_scores_at_the_ends(self, instrument: Instrument, tables: Path) -> None:
        rule = instrument.scoring_rule
        if rule.rule in ("value_set", "quotient", "difference", "symmetry"):
            return
        ends = list(zip(*ends_of(instrument), strict=True))
        scores = score_items(instrument, ends, tables=tables)
        assert list(scores.state) == ["complete", "complete"]
        if rule.rule == "lookup":
            assert list(np.diff(scores.raw)) == [4 * rule.n_items], "each item counts over four steps"
        else:
            assert sorted(scores.score) == [instrument.minimum, instrument.maximum]


def ends_of(instrument: Instrument) -> list[tuple[float, float]]:
    """Return for each item the answers that count least and most."""
    rule = instrument.scoring_rule
    ends = []
    for number, (low, high) in enumerate(zip(*rule.list_bounds(rule.n_items), strict=True), start=1):
        values = next((list(entry["values"]) for entry in rule.recodes if number in entry["items"]), None)
        if values is not None:
            low, high = low + values.index(min(values)), low + values.index(max(values))
        ends.append((high, low) if number in rule.list_reversed(rule.n_items) else (low, high))
    return ends


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


def test_published_states_of_every_value_set() -> None:
    text = (Path(__file__).parent / "reference" / "eq5d_states.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        items = [[float(level) for level in row["state"]]]
        found = score_items(row["instrument"], items, variant=row["value_set"]).score[0]
        assert found == pytest.approx(float(row["index"]), abs=1e-9), row
        seen[row["instrument"], row["value_set"]] = seen.get((row["instrument"], row["value_set"]), 0) + 1
    for id in ("eq5d_3l", "eq5d_5l"):
        for name in read_instrument(id).variants["value_set"]:
            assert seen[id, name] >= 3
            assert score_items(id, [[1] * 5], variant=name).score[0] == 1, "no problems is full health"


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


def test_an_instrument_without_direction_has_no_improvement() -> None:
    kyphosis = read_instrument("thoracic_kyphosis_deg")
    assert kyphosis.direction == "none"
    with pytest.raises(FactsError, match="no direction, so improvement is not defined"):
        _ = kyphosis.sign


def test_codes_find_their_instrument() -> None:
    spellings = list_instrument_spellings()  # codes without their hyphens
    assert spellings["442616"] == "phq9"
    assert spellings["767004"] == "promis_pf_4a:v1_0"
    assert "615773" not in spellings, "the code of one item is not that of a score"


def test_versions_are_refused_not_converted() -> None:
    with pytest.raises(FactsError, match="PROMIS Physical Function 4a needs a variant, one of: v2_0, v1_0"):
        score_items("promis_pf_4a", [[3, 3, 3, 3]])
    with pytest.raises(FactsError, match=r"expected 9 \(or all 42 of the form\) items in each row, got 7"):
        score_items("koos", [[1] * 7], variant="pain")
    with pytest.raises(FactsError, match="has no variant 'v3_0'"):
        score_items("promis_pf_4a", [[3, 3, 3, 3]], variant="v3_0")


def test_a_subscale_is_a_variant_with_a_range_and_direction_of_its_own() -> None:
    whole, part = read_instrument("promis29"), read_instrument("promis29:physical_function")
    assert (whole.direction, part.direction) == ("none", "higher_better")
    assert read_instrument("srs22r:total").default_threshold.value == 0.4
    assert read_instrument("pcs").find_band(30) == "clinically relevant"
    assert read_instrument("pcs:rumination").thresholds == ()
    with pytest.raises(FactsError, match="no variant 'anger'"):
        read_instrument("promis29:anger")


def test_a_change_that_matters_within_the_error_carries_a_caution() -> None:
    quebec = read_instrument("qbpds")
    assert quebec.find_larger_error(quebec.threshold("demoulin-2010-absolute")) == 15.8
    assert quebec.find_larger_error(quebec.threshold("ostelo-2008-absolute")) is None
    cohort = build_cohort("patient therapy baseline month_3\np1 a 40 30", instrument=quebec)
    warnings = count_responders(cohort, thresholds="demoulin-2010-absolute").warnings
    assert any("smaller than a detectable change of 15.8 points" in text for text in warnings)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(FactsError, match="did you mean 'odi'"):
        read_instrument("odii")
    with pytest.raises(FactsError, match="it has: ostelo-2008-absolute"):
        read_instrument("odi").threshold("ostelo")
    with pytest.raises(FactsError, match="did you mean 'legacy_12_60'"):
        rescale("oks", [30], "legacy_12-60")
    with pytest.raises(FactsError, match="needs the length of the printed line"):
        rescale("vas100", [30], "printed_line")
