"""What happens at a border itself, counted by hand: a number, a pair of equals, a share."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from outcomes.analyses.mmrm.fitted import _mark, _write_p
from outcomes.disclosure.joint.cells import constrain_row
from outcomes.disclosure.ranges import find_range
from outcomes.disclosure.rules import read_rules
from outcomes.drafting.grid import _belongs_below
from outcomes.facts import read_facts, read_instrument
from outcomes.records.columns.dates import DateForm, find_date_doubts, parse_dates
from outcomes.records.files.encoding import find_encoding
from outcomes.records.gate.patterns import _stand_out
from outcomes.records.scale_evidence import judge_scale
from outcomes.views.comparing import tells_apart, turn_to, turn_to_better
from outcomes.views.comparison import _name_row


@pytest.mark.parametrize(
    ("p_value", "written", "mark"),
    [
        (np.nan, "NA", ""),
        (1.9e-16, "< 2e-16", "***"), (2e-16, "2.00e-16", "***"), (9.99e-5, "9.99e-05", "***"),
        (1e-4, "0.00010", "***"), (0.001, "0.00100", "***"), (0.0011, "0.00110", "**"),
        (0.01, "0.01000", "**"), (0.0101, "0.01010", "*"), (0.05, "0.05000", "*"),
        (0.0501, "0.05010", "."), (0.1, "0.10000", "."), (0.101, "0.10100", ""), (1.0, "1.00000", ""),
    ],
)  # fmt: skip
def test_p_values_are_written_and_marked_as_r_does(p_value, written, mark):
    assert (_write_p(p_value), _mark(p_value)) == (written, mark)


def test_a_difference_is_turned_to_the_better_group_and_one_of_nothing_stays():
    """Less pain is better: of -2, 0 and 2 points only the last is told the other way round."""
    numbers = {"estimate": [-2.0, 0.0, 2.0], "conf_low": [-3.0, -1.0, 0.5], "conf_high": [-1.0, 4.0, 3.0]}
    table = pd.DataFrame(
        {"group": "a", "versus": "b", "n": 11, "n_versus": 12, **numbers, "shown": True, "display": "1.0"}
    )
    turned = turn_to_better(table, SimpleNamespace(instrument=read_instrument("nprs")))
    assert list(turned["group"]) == ["a", "a", "b"] and list(turned["versus"]) == ["b", "b", "a"]
    assert list(turned["estimate"]) == [-2.0, 0.0, -2.0] and list(turned["n"]) == [11, 11, 12]
    assert (turned["conf_low"].iloc[2], turned["conf_high"].iloc[2]) == (-3.0, -0.5)
    assert list(turn_to(table, "a")["group"]) == ["b", "b", "b"]


@pytest.mark.parametrize(("n_alike", "stands_out"), [(18, False), (19, False), (20, True)])
def test_a_sign_is_usual_where_one_id_of_twenty_has_its_kind_there(n_alike, stands_out):
    """One id has a digit where the others have a letter: one of 19 or of 20 is usual, one of 21 is not."""
    assert read_facts("gate")["usual_share"] == 1 / 20
    ids = pa.array(["A1"] * n_alike + ["11"])
    assert _stand_out(["11"], ids) == stands_out


@pytest.mark.parametrize(
    ("instrument", "scores", "suspected", "clause"),
    [
        # On whole numbers all lie on steps of 1 and of 2 alike: none lies between the own steps.
        ("ndi", range(10, 50, 2), "percent", "60 lie on steps of 2, where about 31 would by chance"),
        ("ndi", [*range(10, 50, 2), 11], "percent", "60 lie on steps of 2, where about 32 would by chance"),
        ("vas100", [score / 10 for score in range(10, 50, 2)], "cm", "48 lie between the steps of 1"),
    ],
)
def test_evidence_for_a_scale_counts_the_steps_that_tell(instrument, scores, suspected, clause):
    evidence = judge_scale(read_instrument(instrument), list(scores), [3] * len(scores))
    assert evidence.suspected == suspected and str(evidence.why[-1]) == clause


@pytest.mark.parametrize(("n_versus", "most"), [(1, 26), (2, 38)])
def test_a_row_of_a_forest_is_cut_where_its_place_ends(n_versus, most):
    """A pair has twelve characters more than a therapy, and one that just fits is whole."""
    points = pd.DataFrame({"versus": ["b", "c"][:n_versus]})
    row = SimpleNamespace(group="a", versus="b")
    for length, written in ((most, "x" * most), (most + 1, "x" * (most - 1) + "…")):
        said = "x" * length
        labels = SimpleNamespace(title=lambda _, said=said: said, pair=lambda *_, said=said: said)
        assert _name_row(row, points, labels) == written


@pytest.mark.parametrize("fate", ["shown", "held"])
@pytest.mark.parametrize(
    ("conf_low", "conf_high", "p_value", "apart"),
    [
        # What the interval tells needs no p-value, which 0.050 would leave open.
        (2.0, 4.0, 0.05, True), (-4.0, -2.0, 0.05, True), (-3.0, 4.0, 0.05, False),
        # Where it ends at 0 as written, the p-value tells: 0.050 may be a little less or more.
        (0.0, 4.0, 0.04, True), (0.0, 4.0, 0.05, None), (0.0, 4.0, 0.06, False),
        (-4.0, 0.0, 0.04, True), (-4.0, 0.0, 0.05, None), (-4.0, 0.0, 0.06, False),
    ],
)  # fmt: skip
def test_a_pair_is_told_apart_by_its_interval_then_by_its_p_value(fate, conf_low, conf_high, p_value, apart):
    """A number of an earlier edition is printed with its mark, so that it tells what it told then."""
    row = SimpleNamespace(
        statistic="contrast", outcome="nprs", term=None, fate=fate, shown=True, n=40.0, n_versus=40.0,
        estimate=(conf_low + conf_high) / 2, conf_low=conf_low, conf_high=conf_high, p_value=p_value,
    )  # fmt: skip
    origin = SimpleNamespace(disclosure_profile="standard")
    assert tells_apart(row, SimpleNamespace(k=11, origin=origin, audience="stakeholder")) is apart


@pytest.mark.parametrize(
    ("rows", "belongs"),
    [
        ([["Pain", None, None], [None, "start", "later"], [3, 4, 5]], True),
        ([["Pain", None, None]], False),  # no line follows
        ([["Pain", None, None], [3, 4, 5]], False),  # values follow
        ([["Pain", "Age", None], ["start", "years", "later"], [3, 4, 5]], False),  # most have a name already
        ([["Pain", None, None], [None, "yes", "no"], [3, "yes", "no"]], False),  # stands again below
        ([["Pain", None, None], [None, "start", None], [3, 4, 5]], False),  # one stays without a name
    ],
)  # fmt: skip
def test_a_line_belongs_to_a_merged_header_where_it_names_what_has_no_name(rows, belongs):
    assert _belongs_below(rows, 0, 0, [0, 1, 2]) == belongs


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (["03/12/2026", "04/12/2026"], None), (["03/13/2026", "04/13/2026"], "DATE_ORDER_DECLARED"),
        (["2026-12-03", "2026-12-04"], None), (["2026-13-03", "2026-13-04"], "DATE_YEAR_DAY"),
    ],
)  # fmt: skip
def test_there_are_twelve_months_and_a_thirteenth_is_a_day(texts, rule):
    doubts = find_date_doubts(np.array(texts, object), np.array([3, 4]), DateForm("day-first"))
    assert [doubt.rule for doubt in doubts] == ([rule] if rule else [])
    assert all(doubt.values["against"] == 7 for doubt in doubts)


def test_a_spreadsheet_swaps_days_up_to_the_twelfth():
    texts = np.array(["2026-03-12", "2026-03-13"], object)
    days, _ = parse_dates(texts, np.ones(2, bool), DateForm(swapped=True))
    assert days.astype("datetime64[D]").astype(str).tolist() == ["2026-12-03", "2026-03-13"]


_TEXT = "patient;Übung\nMüller;gut\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"patient;score\n", (None, True)), (_TEXT.encode(), (None, True)),
        (_TEXT.encode("utf-8-sig"), (None, True)), (_TEXT.encode("utf-16"), (None, True)),
        (_TEXT.encode("utf-16-le"), (None, True)), (_TEXT.encode("cp1252"), ("cp1252", True)),
        # One line is UTF-8, the others are not: no single encoding is right.
        (_TEXT.encode("cp1252") + "é\n".encode(), (None, False)),
    ],
)  # fmt: skip
def test_a_text_that_says_its_encoding_needs_no_guess(content, found):
    assert find_encoding(content) == found


@pytest.mark.parametrize(
    ("n", "n_with", "sizes"),
    [
        # Written to one percent: 25 % is 24.5 to 25.5 %. Of fewer than 100 to five, of fewer than 50 to ten.
        (1000, 250, range(245, 256)), (200, 50, range(49, 52)),
        (60, 24, range(23, 26)), (40, 20, range(18, 23)),
    ],
)  # fmt: skip
def test_a_share_bounds_those_with_the_answer_by_its_rounding(n, n_with, sizes):
    everyone = np.arange(n)
    sets = {"all": everyone, "with": everyone[:n_with], "without": everyone[n_with:]}
    row = SimpleNamespace(statistic="share_at_floor", estimate=n_with / n, unit="patients", n=n)
    bounds = list(constrain_row(row, "shown", sets, read_rules()))

    def fits(size):
        told = [(sum((size if len(codes) == n_with else n) * factor for codes, factor in terms), low, high)
                for terms, low, high in bounds]  # fmt: skip
        return all(low <= total <= high for total, low, high in told)

    assert len(bounds) == 2 and [size for size in range(n + 1) if fits(size)] == list(sizes)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.6), (0.5, 1.0), (0.6, 1.0), (0.7, 0.8), (0.8, 1.0), (0.9, 1.0), (1.0, 1.0)]
)
def test_a_band_reaches_as_far_as_the_widest_that_begins_there(low, high):
    """Bands end at 50, 60, 70, 80, 90, 100; at 60, 80, 100; at 60, 100; or at 50, 100."""
    row = SimpleNamespace(statistic="share_seen", estimate=low, n=60.0, fate="shown", term=None)
    assert find_range(row, "estimate", "stakeholder", read_rules()) == (low, high)
