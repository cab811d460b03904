"""What leaves the clinic: k patients behind every number, lines that give nothing away, rounding, words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.disclosure import RELEASE_COLUMNS, read_rules, release
from outcomes.disclosure.writing import pick_band, round_count, round_share, round_to
from outcomes.errors import DisclosureError
from outcomes.facts import Count, Text, read_words
from outcomes.result import Detail, Origin, build_result

write = read_words().write

K = 11
EXACT = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")


def people(n, start=0):
    return np.arange(start, start + n)


def make(rows, support, **kwargs):
    shared = {"outcome": "odi", "timepoint": "month_6", "unit": "points"}
    return build_result(
        kwargs.pop("name", "change"),
        [{**shared, **row} for row in rows],
        method="How.",
        support=support,
        **kwargs,
    )


def mean(n, statistic="mean_score", **columns):
    return {
        "statistic": statistic,
        "group": "usual_care",
        "estimate": 31.27,
        "std_error": 1.4,
        "df": n - 1,
        "conf_low": 28.46,
        "conf_high": 34.08,
        "n": n,
        **columns,
    }


def share(n_with, n_without, start=0, statistic="share", **columns):
    n = n_with + n_without
    row = {"statistic": statistic, "group": "usual_care", "estimate": n_with / n, "n": n, **columns}
    members = people(n, start)
    return row, {"all": members, "with": members[:n_with], "without": members[n_with:]}


def one(row, support, **kwargs):
    return release(make([row], [support], **kwargs), k=K).table.iloc[0]


def assert_silent(row):
    assert not row["shown"]
    assert row[list(EXACT)].isna().all()


@pytest.mark.parametrize("n", [K - 1, K, K + 1, 1])
@pytest.mark.parametrize(
    "statistic",
    ["mean", "sd", "mean_score", "mean_improvement", "srm", "ses", "regression_to_mean_low"],
)
def test_a_statistic_needs_k_patients(statistic, n):
    row = one(mean(n, statistic), {"all": people(n)})
    assert row["shown"] == (n >= K)
    if n < K:
        assert_silent(row)
        assert row["display"] == "withheld"


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("small", ["group", "versus"])
@pytest.mark.parametrize("statistic", ["contrast", "smd", "hedges_g"])
def test_a_difference_needs_k_patients_on_both_sides(statistic, small, n):
    sets = {"group": people(50), "versus": people(60, 100), small: people(n, 500)}
    row = one(mean(50, statistic, versus="stretching", n_versus=60), sets, comparable=True)
    assert row["shown"] == (n >= K)


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("statistic", ["n", "n_due", "n_patients", "n_excluded_patients", "n_missing"])
def test_a_count_needs_k_patients(statistic, n):
    row = one({"statistic": statistic, "group": "x", "estimate": n, "n": n}, {"all": people(n)})
    assert row["shown"] == (n >= K)


@pytest.mark.parametrize("part", [K - 1, K, K + 1])
@pytest.mark.parametrize("statistic", ["share", "share_improved", "share_worse"])
def test_a_share_needs_k_patients_with_and_k_without(statistic, part):
    for n_with, n_without in ((part, 80), (80, part)):
        row, sets = share(n_with, n_without, statistic=statistic)
        assert one(row, sets)["shown"] == (part >= K)


def test_patients_count_once_however_many_rows_they_have():
    assert not one(mean(40), {"all": np.repeat(people(K - 1), 4)})["shown"]


@pytest.mark.parametrize(("n", "shown"), [(3 * K - 1, False), (3 * K, True)])
@pytest.mark.parametrize("full", [True, False])
def test_nobody_and_everybody_need_a_larger_group(n, shown, full):
    row, sets = share(n if full else 0, 0 if full else n)
    released = one(row, sets)
    assert released["shown"] == shown
    if shown:
        assert released["display"] == ("100 %" if full else "0 %")


def test_few_who_got_worse_are_bounded_and_zero_says_the_same():
    texts = set()
    for n_with in (0, 1, K - 1):
        row, sets = share(n_with, 330 - n_with, statistic="share_worse")
        released = one(row, sets)
        assert pd.isna(released["estimate"])
        assert not released["shown"]
        texts.add(released["display"])
    assert texts == {"fewer than 11 (under 4 %)"}


def test_equal_answers_of_all_are_withheld_with_their_mean():
    rows = [
        mean(40, std_error=None, conf_low=None, conf_high=None, state="boundary"),
        mean(40, "sd_score", estimate=0),
    ]
    released = release(make(rows, [{"all": people(40)}] * 2)).table
    assert not released["shown"].any()


def test_what_is_for_the_team_is_withheld_and_so_is_what_names_no_patients():
    assert not one(mean(500, "mean_residual"), {"all": people(500)})["shown"]
    assert_silent(one(mean(500), {}))
    with pytest.raises(ValueError, match=r"facts/statistics\.toml .*: median_score"):
        make([mean(500, "median_score")], [{"all": people(500)}])


def test_lines_across_groups_lose_a_second_count_and_keep_the_total():
    sizes = {"a": 8, "b": 60, "c": 90}
    rows = [
        {"statistic": "n", "group": name, "estimate": n, "n": n} for name, n in [*sizes.items(), ("all", 158)]
    ]
    sets = [{"all": people(n, 1000 * i)} for i, n in enumerate([*sizes.values(), 158])]
    shown = release(make(rows, sets)).table.set_index("group")["shown"]
    assert shown.to_dict() == {"a": False, "b": False, "c": True, "all": True}


def test_two_withheld_counts_that_hold_too_few_together_take_a_third():
    sizes = {"a": 3, "b": 4, "c": 40, "d": 90}
    rows = [{"statistic": "n", "group": name, "estimate": n, "n": n} for name, n in sizes.items()]
    shown = release(make(rows, [{"all": people(n)} for n in sizes.values()])).table.set_index("group")[
        "shown"
    ]
    assert shown.to_dict() == {"a": False, "b": False, "c": False, "d": True}


def test_the_mean_over_all_groups_goes_where_it_would_give_the_withheld_one():
    sizes = {"a": 8, "b": 60, "all": 68}
    rows = [mean(n, group=name) for name, n in sizes.items()]
    shown = release(make(rows, [{"all": people(n)} for n in sizes.values()])).table.set_index("group")[
        "shown"
    ]
    assert shown.to_dict() == {"a": False, "b": True, "all": False}


def test_levels_of_a_category_lose_a_second_cell():
    rows, sets = [], []
    members = people(200)
    for level, cut in {"low": slice(0, 120), "medium": slice(120, 196), "high": slice(196, 200)}.items():
        held = members[cut]
        rows.append(
            {
                "statistic": "share",
                "term": "risk_group",
                "level": level,
                "group": "a",
                "estimate": len(held) / 200,
                "n": 200,
            }
        )
        sets.append({"all": members, "with": held, "without": np.setdiff1d(members, held)})
    shown = release(make(rows, sets, name="baseline")).table.set_index("level")["shown"]
    assert shown.to_dict() == {"low": True, "medium": False, "high": False}


def completeness_rows(due, seen, missing, lost, not_yet_due=0):
    parts = {"n_due": due, "n_seen": seen, "n_missing": missing, "n_lost": lost, "n_not_yet_due": not_yet_due}
    rows = [{"statistic": name, "group": "a", "estimate": n, "n": n} for name, n in parts.items()]
    return make(rows, [{"all": people(n)} for n in parts.values()], name="completeness")


def test_who_was_missing_stands_on_no_page_and_does_not_follow_where_they_are_few():
    table = release(completeness_rows(400, 300, 60, 40)).table.set_index("statistic")["shown"]
    assert table.to_dict() == {"n_due": True, "n_seen": True}
    table = release(completeness_rows(400, 392, 5, 3)).table.set_index("statistic")["shown"]
    assert table.to_dict() == {"n_due": True, "n_seen": False}


def flow_result(excluded, total=600):
    rows, sets, left = [], [], people(total)
    for step, n in enumerate([0, *excluded]):
        gone, left = left[:n], left[n:]
        for name, held in (("n_patients", left), ("n_excluded_patients", gone)):
            rows.append(
                {
                    "statistic": name,
                    "term": f"step{step}",
                    "group": "all",
                    "estimate": len(held),
                    "n": len(held),
                }
            )
            sets.append({"all": held})
    return make(rows, sets, name="flow")


@settings(max_examples=25)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_a_flow_tells_no_small_exclusion(excluded):
    table = release(flow_result(excluded)).table
    remaining = table[table["statistic"] == "n_patients"].set_index("term")
    gone = table[table["statistic"] == "n_excluded_patients"].set_index("term")
    waiting, hidden = [], []
    for step, n in enumerate(excluded, start=1):
        waiting.append(n)
        hidden += [] if gone.at[f"step{step}", "shown"] else [n]
        assert gone.at[f"step{step}", "shown"] is not True or n == 0 or n >= K
        if remaining.at[f"step{step}", "shown"]:
            # Between two counts that are shown, withheld exclusions are none, or several and k together.
            start_shown = len(waiting) < step or remaining.at["step0", "shown"]
            assert not hidden or not start_shown or (len(hidden) > 1 and sum(hidden) >= K)
            waiting, hidden = [], []


def test_a_harmless_flow_is_shown_whole():
    assert release(flow_result([54, 110, 0, 40])).table["shown"].all()


@pytest.mark.parametrize(
    ("value", "expected"), [(12, 10), (12.5, 15), (13, 15), (17, 15), (18, 20), (997.5, 1000), (0, 0)]
)
def test_counts_go_to_the_nearest_five_half_up(value, expected):
    assert round_count(value, read_rules(K).cells) == expected


@pytest.mark.parametrize(
    ("part", "n", "expected"),
    [
        (17, 49, 0.30),
        (18, 49, 0.40),
        (22, 50, 0.45),
        (43, 99, 0.45),
        (42, 99, 0.40),
        (123, 200, 0.62),
        (43, 100, 0.43),
    ],
)
def test_percentages_come_from_true_counts_in_steps_that_fit_the_group(part, n, expected):
    assert round_share(part / n, n, read_rules(K).cells) == expected


@pytest.mark.parametrize(("value", "expected"), [(2.25, 2.2), (2.35, 2.4), (-0.05, 0.0), (31.27, 31.3)])
def test_scores_keep_one_decimal_half_to_even(value, expected):
    assert round_to(value, "0.1", "ROUND_HALF_EVEN") == expected


def test_what_gives_counts_away_is_never_shown_and_n_is_rounded():
    row = one(mean(47), {"all": people(47)})
    assert row[["estimate", "conf_low", "conf_high", "n"]].tolist() == [31.3, 28.5, 34.1, 45]
    assert row[["std_error", "df"]].isna().all()
    assert row["display"] == "31.3"


def test_a_narrow_scale_keeps_a_decimal_more():
    row = one(
        mean(47, outcome="eq5d_5l", estimate=0.6132, conf_low=0.55, conf_high=0.67), {"all": people(47)}
    )
    assert row["display"] == "0.61"


@pytest.mark.parametrize(("p", "expected"), [(0.00002, 0.001), (0.0436, 0.044), (0.5, 0.5)])
def test_p_values_keep_three_decimals(p, expected):
    sets = {"group": people(40), "versus": people(40, 100)}
    row = one(mean(40, "contrast", versus="b", n_versus=40, p_value=p), sets, comparable=True)
    assert row["p_value"] == expected


@pytest.mark.parametrize(
    ("seen", "due", "display"),
    [
        (95, 300, "under 50 %"),
        (206, 300, "60 to 69 %"),
        (300, 300, "90 % or more"),
        (55, 60, "80 % or more"),
        (25, 40, "60 % or more"),
        (10, 40, "under 60 %"),
        (20, 27, "50 % or more"),
        (9, 23, "under 50 %"),
        (9, 22, "withheld"),
        (14, 22, "withheld"),
        (15, 21, "withheld"),
    ],
)
def test_completeness_is_given_in_bands_at_least_k_patients_wide(seen, due, display):
    row, sets = share(seen, due - seen, statistic="share_seen")
    assert one(row, sets)["display"] == display


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_band_holds_its_share_and_k_patients(seen, due):
    seen = min(seen, due)
    band = pick_band(seen / due, due, K, read_rules(K).cells)
    if band:
        assert band[0] - 1e-9 <= 100 * seen / due <= band[1] + 1e-9
        assert (band[1] - band[0]) / 100 * due >= K
        assert any(
            band[0] <= 100 * n / due and (100 * n / due < band[1] or band[1] == 100)
            for n in range(K, due + 1)
        )


def check_row(term, found, needed, n=100, **columns):
    sets = {"group": people(n), "versus": people(n, 500)} if term == "smd" else {"all": people(n)}
    return {
        "statistic": "check",
        "term": term,
        "level": "usual_care",
        "estimate": found,
        "x": needed,
        "n": n,
        **columns,
    }, sets


@pytest.mark.parametrize(
    ("term", "found", "needed", "display"),
    [
        ("n_seen", 29, 30, "25"),
        ("n_seen", 31, 30, "30"),
        ("n_seen", 4, 30, "fewer than 11"),
        ("n_seen", 0, 30, "fewer than 11"),
        ("smd", 0.2549, 0.25, "0.26"),
        ("smd", 0.2499, 0.25, "0.25"),
        ("share_seen", 0.597, 0.6, "50 to 59 %"),
        ("share_seen", 0.6, 0.6, "60 to 69 %"),
    ],
)
def test_rounding_carries_no_check_across_its_limit(term, found, needed, display):
    n = int(found) if term == "n_seen" else 300
    row, sets = check_row(term, found, needed, n=max(n, 0))
    released = one(row, sets, name="comparability", comparable=True)
    assert released["display"] == display
    if released["shown"]:
        passes = released["estimate"] <= needed if term == "smd" else released["estimate"] >= needed
        assert passes == (found <= needed if term == "smd" else found >= needed)


def comparison(comparable):
    sets = {"group": people(100), "versus": people(100, 500)}
    rows = [
        mean(100, "contrast", versus="b", n_versus=100, estimate=-7.77),
        mean(100, "marginal_mean", estimate=29.99),
        mean(100, "share_improved_standardised", estimate=0.512, conf_low=0.42, conf_high=0.61),
        mean(100, "mean_score"),
    ]
    support = [sets, {"all": people(100)}, {"all": people(100)}, {"all": people(100)}]
    return make(rows, support, comparable=comparable, warnings=["Not comparable, because of age."])


@pytest.mark.parametrize("audience", ["stakeholder", "team"])
@pytest.mark.parametrize("comparable", [False, None])
def test_therapies_that_are_not_comparable_leave_no_comparison(comparable, audience):
    released = release(comparison(comparable), audience)
    assert released.table["statistic"].tolist() == ["mean_score"]
    assert "7.8" not in released.table.to_csv() + "".join(map(write, released.notes))
    assert list(released.why()["reason"][:3]) == ["not_comparable"] * 3
    assert any("not compared" in write(note) for note in released.notes)
    assert len(release(comparison(True)).table) == 4


def test_the_team_sees_everything_unrounded():
    result = comparison(True)
    released = release(result, "team")
    pd.testing.assert_frame_equal(
        released.to_frame().drop(columns=["shown", "display", "as_of"]), result.table
    )
    assert released.table["display"].tolist() == ["−7.77", "29.99", "51.2 %", "31.27"]
    assert not released.notes


def curve(sizes=(5, 15, 100, 180, 285, 295), n=300):
    rows, sets = [], []
    members = people(n)
    for x, n_with in enumerate(sizes):
        rows.append(
            {"statistic": "share_improved_by", "group": "a", "x": 30 - 10 * x, "estimate": n_with / n, "n": n}
        )
        sets.append({"all": members, "with": members[:n_with], "without": members[n_with:]})
    return make(rows, sets, name="cumulative")


def test_a_distribution_stops_where_fewer_than_k_lie_beyond_and_leaves_no_trace_of_its_ends():
    released = release(curve())
    assert released.table["x"].tolist() == [20, 10, 0, -10]
    assert released.table["estimate"].tolist() == [0.05, 0.33, 0.6, 0.95]
    assert released.n_withheld == 2


def test_a_state_without_an_estimate_says_why_unless_too_few_stand_behind_it():
    row = {"statistic": "contrast", "group": "a", "versus": "b", "state": "rank_deficient", "n": 40}
    sets = {"group": people(40), "versus": people(40, 100)}
    assert one(row, sets, comparable=True)["display"] == "could not be estimated"
    assert one(row, {**sets, "versus": people(3)}, comparable=True)["display"] == "withheld"


def test_small_k_and_unknown_audiences_are_refused():
    for k in (4, 0, -1, 10.5, True):
        with pytest.raises(DisclosureError, match="k ="):
            release(curve(), k=k)
    with pytest.raises(DisclosureError, match="audience"):
        release(curve(), "public")


def test_k_is_what_the_caller_says():
    row, sets = mean(8), {"all": people(8)}
    assert release(make([row], [sets]), k=8).table["shown"].all()
    assert not release(make([row], [sets]), k=9).table["shown"].any()


def test_a_sentence_in_somebodys_own_words_leaves_only_without_numbers():
    texts = ["2 patients were refused.", "Read this.", "At least 30 are needed."]
    result = make([mean(50)], [{"all": people(50)}], warnings=texts)
    assert release(result).warnings == ("Read this.",)
    assert release(result, "team").warnings == tuple(texts)


def test_an_origin_is_allow_listed():
    lacking = Text.of("methods.clusters.nested", nested=Count(4), found=9)
    kept = Text("cohort.rules.no_covariates")
    origin = Origin(
        source="s",
        fingerprint="0123456789abcdef",
        n_patients=317,
        answered=("40 scores were turned.",),
        rules={"missing": (lacking, kept), "therapy": lacking},
        caveats=("Between 25 and 37 in 100 did not answer.", lacking),
        detail=Detail(("all",), (kept, lacking)),
    )
    released = release(make([mean(50)], [{"all": people(50)}], origin=origin))
    assert released.origin == Origin(
        source="s",
        rules={"missing": (kept,), "therapy": ""},
        caveats=("Between 25 and 37 in 100 did not answer.",),
        detail=Detail(("all",), (kept,)),
    )


def test_a_release_is_no_result_and_has_its_columns():
    released = release(curve())
    assert tuple(released.table.columns) == (*RELEASE_COLUMNS, "fate")
    assert tuple(released.to_frame().columns) == RELEASE_COLUMNS
    assert not hasattr(released, "support")
    assert "1 of 2 rows" in repr(release(completeness_rows(400, 392, 5, 3)))
    assert "rounded" in write(released.notes[0])


@settings(max_examples=25)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=6), st.randoms())
def test_what_is_withheld_depends_on_counts_alone_not_on_order_or_values(sizes, random):
    names = [f"g{i}" for i in range(len(sizes))]
    rows = [
        {"statistic": "n", "group": name, "estimate": n, "n": n} for name, n in zip(names, sizes, strict=True)
    ]
    rows += [mean(n, group=name) for name, n in zip(names, sizes, strict=True)]
    sets = [{"all": people(n)} for n in sizes] * 2
    first = release(make(rows, sets)).table.set_index(["statistic", "group"])["shown"]
    order = list(range(len(rows)))
    random.shuffle(order)
    changed = [
        {**rows[i], "estimate": rows[i]["estimate"] + (0 if rows[i]["statistic"] == "n" else 7)}
        for i in order
    ]
    second = release(make(changed, [sets[i] for i in order])).table.set_index(["statistic", "group"])["shown"]
    assert first.to_dict() == second.to_dict()
    counts = first["n"]
    hidden = [n for name, n in zip(names, sizes, strict=True) if not counts[name]]
    assert not hidden or sum(hidden) >= K or not counts.any() or sum(sizes) - sum(hidden) == 0
