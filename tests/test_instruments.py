"""What all files of instruments have in common, and what their scores promise."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from handmade import build_cohort
from instrument_views import VIEWS as SCORES
from instrument_views import find_band, write_tables
from outcomes.analyses.responders import count_responders
from outcomes.errors import FactsError
from outcomes.facts import Instrument, list_instruments, list_scales, read_instrument
from outcomes.records.conversion import rescale
from outcomes.records.scoring import score_items

INSTRUMENTS = [read_instrument(id) for id in list_instruments()]
VIEWS = [pytest.param(view, id=name) for name, (_, _, view) in SCORES.items()]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return write_tables(tmp_path)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda entry: entry.id)
class TestEveryInstrument:
    def test_file_is_named_by_its_id(self, instrument: Instrument) -> None:
        assert read_instrument(instrument.id) is instrument

    def test_says_where_its_facts_come_from(self, instrument: Instrument) -> None:
        assert instrument.source.strip()
        assert instrument.licence.strip()
        assert instrument.caveats
        assert instrument.kind in ("prom", "clinical")

    def test_holds_no_wording_of_its_items(self, instrument: Instrument) -> None:
        for view in (instrument, *(entry for id, _, entry in SCORES.values() if id == instrument.id)):
            rule = view.scoring_rule
            assert all(re.fullmatch(r"[a-z0-9_]{2,24}", label) for label in rule.label_items(rule.n_items))
        assert all(len(entry.name) <= 90 for entry in instrument.subscales.values())

    def test_has_examples_of_a_score_a_missing_one_and_a_refused_one(self, instrument: Instrument) -> None:
        outcomes = [example.get("expected", "refused") for example in instrument.examples]
        missing = [isinstance(entry, float) and math.isnan(entry) for entry in outcomes]
        refused = [entry == "refused" for entry in outcomes]
        assert any(missing)
        assert any(refused)
        assert sum(missing) + sum(refused) < len(outcomes)

    def test_scales_bring_recorded_values_into_the_range(self, instrument: Instrument) -> None:
        for name, scale in list_scales(instrument).items():
            assert scale.meaning
            if scale.by_table:
                continue
            back = rescale(instrument, [scale.low, scale.high], name, reference=1.0)
            assert sorted(back) == pytest.approx([instrument.minimum, instrument.maximum])

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
            assert find_band(instrument, instrument.minimum) is None
            return
        assert bands[0]["low"] == instrument.minimum
        assert bands[-1]["high"] == instrument.maximum
        for lower, upper in itertools.pairwise(bands):
            assert upper["low"] - lower["high"] in (0, instrument.step)
        grid = np.linspace(instrument.minimum, instrument.maximum, 401)
        labels = [find_band(instrument, value) for value in grid]
        assert None not in labels
        beyond = [instrument.minimum - 1, instrument.maximum + 1, math.nan]
        assert [find_band(instrument, value) for value in beyond] == [None] * 3

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
    assert find_band(read_instrument("pcs"), 30) == "clinically relevant"
    assert read_instrument("pcs:rumination").thresholds == ()
    with pytest.raises(FactsError, match="no variant 'anger'"):
        read_instrument("promis29:anger")


def test_a_change_that_matters_within_the_error_carries_a_caution() -> None:
    quebec = read_instrument("qbpds")
    assert quebec.find_larger_error(quebec.threshold("demoulin-2010-absolute")) == 15.8
    assert quebec.find_larger_error(quebec.threshold("ostelo-2008-absolute")) is None
    cohort = build_cohort("patient therapy baseline month_3\np1 a 40 30", instrument=quebec)
    warnings = count_responders(cohort, thresholds="demoulin-2010-absolute").warnings
    assert any("smaller than a detectable change of 15.8 points" in str(text) for text in warnings)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(FactsError, match="did you mean 'odi'"):
        read_instrument("odii")
    with pytest.raises(FactsError, match="it has: ostelo-2008-absolute"):
        read_instrument("odi").threshold("ostelo")
    with pytest.raises(FactsError, match="did you mean 'legacy_12_60'"):
        rescale("oks", [30], "legacy_12-60")
    with pytest.raises(FactsError, match="needs the length of the printed line"):
        rescale("vas100", [30], "printed_line")
