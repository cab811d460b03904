"""What a page says of its measure: every instrument can be shown, with its sources, limits and value set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import assemble_cohort
from instrument_views import VIEWS
from outcomes.analyses import (
    compare_at_timepoints,
    count_at_ends,
    count_responders,
    summarise_change,
    trace_cumulative,
)
from outcomes.cohort import Cohort
from outcomes.disclosure import Release, release
from outcomes.facts import list_instruments, read_instrument
from outcomes.views import say_ends, say_limits, say_methods, tabulate_responders
from outcomes.views.labels import cite, name_rule, pick_marked, read_labels, say_marked

#: How the beginning of a source reads that names nobody.
NO_AUTHOR = ("pmc", "pmid", "doi", "http", "thesis", "public", "quoted")


def make_cohort(name: str, n: int = 60) -> Cohort:
    """Sixty patients of two therapies whose scores spread over the range and get better."""
    _, variant, instrument = VIEWS[name]
    random = np.random.default_rng(5)
    span = instrument.maximum - instrument.minimum
    start = instrument.minimum + span * random.uniform(0.2, 0.8, n)
    sign = 0 if instrument.direction == "none" else instrument.sign
    after = np.clip(
        start + sign * span * random.uniform(-0.1, 0.3, n), instrument.minimum, instrument.maximum
    )
    wide = pd.DataFrame({"patient": [f"p{number}" for number in range(n)]})
    wide = wide.assign(therapy=["stretching", "manual_therapy"] * (n // 2), baseline=start, month_3=after)
    directed = replace(instrument, direction="higher_better") if sign == 0 else instrument
    cohort = assemble_cohort(wide, instrument=directed)
    return replace(cohort, instrument=instrument, variant=variant)


def release_all(cohort: Cohort, audience: str = "team") -> tuple[Release, Release, Release]:
    change, responders, ends = (
        release(analyse(cohort), audience) for analyse in (summarise_change, count_responders, count_at_ends)
    )
    return change, responders, ends


@pytest.mark.parametrize("name", VIEWS)
def test_every_score_can_be_told(name: str) -> None:
    cohort = make_cohort(name)
    instrument = cohort.instrument
    change, responders, ends = release_all(cohort)
    methods = say_methods(change, responders, ends).alt
    limits = say_limits(change).alt
    assert instrument.version in methods
    assert instrument.source in methods
    assert ("not checked against a public source" in limits) == (not instrument.verified)
    assert tabulate_responders(responders).alt
    assert ("stops at" in say_ends(ends).alt) == (instrument.censored_at is not None)
    value_set = instrument.find_value_set(cohort.variant)
    if value_set is not None:
        for text in (methods, limits):
            assert value_set.label in text
            assert value_set.source in text
        assert f"value set: {value_set.label}" in read_labels(change).measure


@pytest.mark.parametrize("name", ["odi", "nprs", "qbpds", "joa_cervical", "pgic7", "koos:pain"])
def test_stakeholders_read_the_same_of_the_measure(name: str) -> None:
    change, responders, ends = release_all(make_cohort(name), "stakeholder")
    assert read_instrument(name).source in say_methods(change, responders, ends).alt
    assert tabulate_responders(responders).alt
    assert say_ends(ends).alt


def test_every_threshold_is_from_somebody_whom_a_reader_can_find() -> None:
    for name in VIEWS:
        for threshold in VIEWS[name][2].thresholds:
            short = threshold.short_source
            told = f"{name}, {threshold.id}: {threshold.source}"
            assert len(short) <= 60, told
            assert not short.lower().startswith(NO_AUTHOR), told
            if threshold.verified:
                assert "," in threshold.source, f"{told}: names neither journal nor identifier"


def test_a_source_that_was_not_read_is_said_where_the_rule_stands() -> None:
    labels = read_labels(release(summarise_change(make_cohort("odi")), "team"))
    assert name_rule("ostelo-2008-absolute", labels) == "Better by 10 points or more (Ostelo 2008)"
    assert name_rule("copay-2008-absolute", labels) == (
        "Better by 12.8 points or more, estimated in other patients (Copay 2008, not read at the source)"
    )
    assert name_rule("absolute:8", labels) == (
        "Better by 8 points or more (a rule of this page, without a source)"
    )
    assert "more than measurement error" in name_rule("davidson-2002-mdc", labels)
    joa = read_labels(release(summarise_change(make_cohort("joa_cervical")), "team"))
    assert name_rule("laminoplasty-recovery-rate", joa) == (
        "Better by 42 % or more of what lay between the score at start and the best one, "
        "estimated in other patients (Kato 2019)"
    )


def test_a_detectable_change_is_never_called_what_patients_notice() -> None:
    sorensen = read_labels(release(summarise_change(make_cohort("sorensen_s")), "team"))
    assert pick_marked(sorensen) is None
    chosen = pick_marked(sorensen, "latimer-1999-current-mdc")
    assert "minimal detectable change; Latimer 1999" in say_marked(chosen, sorensen)
    assert "usually notices" not in say_marked(chosen, sorensen)
    for id in list_instruments():
        default = read_instrument(id).default_threshold
        assert default is None or default.kind != "MDC"


def test_an_own_rule_marks_the_curve_and_says_that_it_is_one() -> None:
    labels = read_labels(release(trace_cumulative(make_cohort("odi")), "team"))
    marked = pick_marked(labels, "absolute:8")
    assert (marked.value, cite(marked, labels.words)) == (8.0, "a rule of this page, without a source")
    assert say_marked(marked, labels).startswith("Dashed: 8 points (a rule of this page")


def test_the_table_says_where_a_percentage_is_undefined_and_what_lies_within_error() -> None:
    cohort = make_cohort("qbpds")
    chosen = ["demoulin-2010-absolute", "ostelo-2008-percent"]
    caption = tabulate_responders(release(count_responders(cohort, thresholds=chosen), "team")).caption
    assert "not defined for patients whose score leaves nothing" in caption
    assert "smaller than a detectable change of 15.8 points" in caption
    plain = tabulate_responders(release(count_responders(cohort, thresholds="ostelo-2008-absolute"), "team"))
    assert "not defined" not in plain.caption
    assert "detectable" not in plain.caption


def test_the_ceiling_of_a_test_that_is_stopped_is_shown() -> None:
    wide = pd.DataFrame({"patient": [f"p{number}" for number in range(20)], "therapy": "stretching"})
    wide = wide.assign(baseline=[60.0] * 20, month_3=[240.0] * 5 + [90.0] * 15)
    ends = release(count_at_ends(assemble_cohort(wide, instrument=read_instrument("sorensen_s"))), "team")
    told = say_ends(ends).alt
    assert "stops at 240 s" in told
    assert "The highest score there is (240 s) was reached by: 25.0 % of the patients seen at month 3" in told
    assert "cannot show how these patients differ" in told
    few = wide.assign(month_3=[240.0] + [90.0] * 19)
    told = say_ends(
        release(count_at_ends(assemble_cohort(few, instrument=read_instrument("sorensen_s"))), "team")
    ).alt
    assert "5.0 %" in told, "where the test is stopped, every share that was stopped is told"


def test_differences_of_an_index_keep_two_decimals() -> None:
    means = release(compare_at_timepoints(make_cohort("eq5d_5l:england", 400)), "stakeholder")
    shown = means.where(statistic=["contrast", "marginal_mean"], shown=True).table
    assert len(shown) >= 3
    assert all(len(text.split(".")[1]) == 2 for text in shown["display"])
