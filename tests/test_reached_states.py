"""A score that is reached is not improvement: it has its own words, and the start stands beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import assemble_cohort, build_cohort, ends, pick, supported, wilson
from outcomes import (
    compare_sites,
    count_responders,
    list_headline,
    monitor_periods,
    open_page,
    release,
    standardise_responders,
    tabulate_responders,
    tabulate_sites,
    tabulate_standardised,
    trace_cumulative,
)

COURSE = """
patient therapy baseline month_6
a       x       2        2
b       x       7        2
c       x       6        5
d       x       1        lost
"""


def find(result, **place):
    return pick(result, group="x", **place)


def test_a_state_has_a_share_of_its_own_beside_the_start():
    result = count_responders(build_cohort(COURSE), thresholds="state:<=2")
    start = find(result, statistic="share_in_state", term="start", timepoint="baseline")
    seen, due = (
        find(result, statistic="share_in_state", term=term, timepoint="month_6") for term in ("seen", "due")
    )
    before = find(result, statistic="share_in_state_start_seen", timepoint="month_6")
    rows = {1 / 2: (start, 4), 2 / 3: (seen, 3), 0.5: (due, 4), 1 / 3: (before, 3)}
    for share, (row, n) in rows.items():
        assert (row["estimate"], row["n"]) == (pytest.approx(share), n)
        assert ends(row) == pytest.approx(wilson(share, n))
    assert {"share_improved", "share_worse", "n_out_of_reach"}.isdisjoint(result.table["statistic"])
    assert supported(result)


@pytest.mark.parametrize(("baseline", "share"), [(7, 0), (2, 1)])
def test_nobody_or_everybody_may_be_in_the_state_at_the_start(baseline, share):
    rows = "\n".join(f"p{number} x {baseline} 2" for number in range(30))
    cohort = build_cohort(f"patient therapy baseline month_6\n{rows}")
    result = count_responders(cohort, thresholds="state:<=2")
    assert find(result, term="start")["estimate"] == share
    text = tabulate_responders(release(result, open_page("team"))).alt
    assert f"Such a score at the start (95 % interval) {100.0 * share:.1f} %" in text
    assert "Improved" not in text and "no improvement" in text


def test_a_measure_that_looks_back_has_no_start_beside_it():
    cohort = build_cohort("patient therapy baseline month_6\na x . 2\nb x . 6")
    statistics = set(count_responders(cohort, thresholds="state:<=2").table["statistic"])
    assert statistics == {"share_in_state"}
    assert set(count_responders(cohort, thresholds="state:<=2").table["term"]) == {"seen", "due"}


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_a_page_shows_one_start_to_people_outside_and_both_to_the_team(audience):
    cohort = assemble_cohort(_make(120))
    rules = ["state:<=2", "absolute:2"]
    view = tabulate_responders(release(count_responders(cohort, thresholds=rules), open_page(audience)))
    assert "Such a score at the start (95 % interval)" in view.alt
    assert ("Such a score at the start, of those followed up" in view.alt) == (audience == "team")
    assert "Improved (95 % interval), of those followed up" in view.alt
    shown = view.table[view.table["statistic"] == "share_in_state"]
    assert set(shown["term"]) == {"start", "seen", "due"}


def test_a_curve_of_improvement_has_no_state():
    assert set(trace_cumulative(build_cohort(COURSE)).table["statistic"]) == {"share_improved_by"}


def _make(n: int, start: int | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    later = rng.integers(0, 9, n)
    baseline = rng.integers(1, 10, n) if start is None else np.full(n, start)
    return pd.DataFrame(
        {"patient": [f"p{i}" for i in range(n)], "therapy": np.where(np.arange(n) % 2, "x", "y"),
         "baseline": baseline, "month_6": later}
    )  # fmt: skip


def test_where_all_start_alike_a_state_and_an_amount_are_the_same_patients():
    cohort = assemble_cohort(_make(120, start=9), reference="y")
    state = standardise_responders(cohort, threshold="state:<=4")
    amount = standardise_responders(cohort, threshold="absolute:5")
    for group in ("x", "y"):
        found = pick(state, statistic="share_in_state_standardised", group=group)
        held = cohort.table[(cohort.table["therapy"] == group) & (cohort.table["timepoint"] == "month_6")]
        assert found["estimate"] == pytest.approx((held["score"] <= 4).mean(), abs=1e-6)
        assert ends(found) == pytest.approx(
            ends(pick(amount, statistic="share_improved_standardised", group=group)), abs=1e-9
        )
    said = tabulate_standardised(release(state, "team"))
    assert "no share of patients who improved" in said.caption and "Improved, " not in said.alt


def test_sites_and_periods_name_a_state_as_one():
    wide, starts = _make(900, start=9), pd.date_range("2023-01-02", periods=900, freq="1D")
    wide.insert(2, "site", [f"s{number % 12}" for number in range(900)])
    wide.insert(3, "start_date", starts)
    cohort = assemble_cohort(wide)
    for analyse, names in (
        (compare_sites, ("share_in_state", "adjusted_share_in_state")),
        (monitor_periods, ("share_in_state",)),
    ):
        state = analyse(cohort, measured="responders", threshold="state:<=4")
        amount = analyse(cohort, measured="responders", threshold="absolute:5")
        for name in names:
            found = state.where(statistic=name).table["estimate"].to_numpy()
            same = amount.where(statistic=name.replace("in_state", "improved")).table["estimate"].to_numpy()
            assert len(found) and found == pytest.approx(same)
    sites = release(compare_sites(cohort, measured="responders", threshold="state:<=4"), "team")
    assert "improved" not in tabulate_sites(sites).caption


def test_a_state_among_the_headline_numbers():
    cohort = assemble_cohort(_make(120))
    source = replace(cohort.source, primary={"instrument": "nprs", "threshold": "state:<=2"})
    cohort = replace(cohort, records=replace(cohort.records, source=source))
    row = pick(list_headline(cohort), statistic="share_in_state", group="x")
    own = pick(
        count_responders(cohort), statistic="share_in_state", term="seen", group="x", level="state:<=2"
    )
    assert row["estimate"] == own["estimate"] and row["timepoint"] == "month_6"
