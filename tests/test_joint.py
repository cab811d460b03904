"""What follows from numbers taken together: tables that add up, all tables of a page, and its audit."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes import choose_detail, read_records, select_cohort
from outcomes.analyses import (
    check_comparability,
    compare_over_time,
    compare_respondents,
    count_at_ends,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    standardise_responders,
    summarise_change,
    trace_cumulative,
)
from outcomes.disclosure import PageContext, audit_page, open_page, policy, read_rules, release
from outcomes.disclosure.decisions import Decisions, Reason
from outcomes.disclosure.joint import ShownNumbers
from outcomes.disclosure.joint import audit as audits
from outcomes.disclosure.joint.page import _fall_back
from outcomes.errors import DisclosureError
from outcomes.facts import read_statistics
from outcomes.reports.released import audit_run
from outcomes.result import Origin, Patients, build_result
from outcomes.views.view import build_view, write_view
from small_clinics import write_small_clinic

K = 11
RUN = "OUTCOMES_RUN_DIR"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page of a run, which all results of a test are released to."""
    monkeypatch.setenv(RUN, str(tmp_path))
    return open_page()


def people(n, start=0):
    return np.arange(start, start + n)


def clinic(n=1000):
    return Patients(np.array([f"p{i}" for i in range(n)], dtype=object), np.zeros(n, dtype="uint64"))


def counts(name, sets, statistic="n", **columns):
    """Return a result with one count for each named group of patients."""
    rows = [
        {"outcome": "odi", "statistic": statistic, "group": group, "estimate": len(codes), "n": len(codes)}
        | {"timepoint": "month_6", "unit": "patients"} | columns
        for group, codes in sets.items()
    ]  # fmt: skip
    return build_result(
        name, rows, method="How.", support=[{"all": codes} for codes in sets.values()], patients=clinic()
    )


def means(sets, timepoint="month_6", statistic="mean_score"):
    rows = [
        {"outcome": "odi", "statistic": statistic, "group": group, "estimate": 31.2, "n": len(codes)}
        | {"timepoint": timepoint, "unit": "points", "std_error": 1.0}
        for group, codes in sets.items()
    ]  # fmt: skip
    return build_result(
        "change", rows, method="How.", support=[{"all": codes} for codes in sets.values()], patients=clinic()
    )


def shown(released):
    return dict(zip(released.table["group"], released.table["shown"], strict=True))


# tables of counts


def show_table(cells, order=None):
    """Return by name which cells of a table a page shows: innermost ones (a0, b0, ...), margins, and all."""
    cells = np.atleast_2d(cells)
    ends = np.cumsum([0, *cells.ravel()])
    members = {at: people(cells[at], ends[i]) for i, at in enumerate(np.ndindex(cells.shape))}
    choices = [[(f"{letter}{i}", [i]) for i in range(n)] + [("", list(range(n)))]
               for letter, n in zip("ab", cells.shape, strict=True)]  # fmt: skip
    choices[0] = choices[0] if len(cells) > 1 else [("", [0])]
    sets = {
        f"{row}{column}" or "all": np.concatenate([members[i, j] for i in rows for j in columns])
        for row, rows in choices[0]
        for column, columns in choices[1]
    }
    named = order(list(sets)) if order else list(sets)
    released = shown(release(counts("baseline", {name: sets[name] for name in named})))
    return {name: released.get(name, False) for name in sets}


def test_seventy_three_less_seventy():
    assert show_table([70, 3]) == {"b0": False, "b1": False, "all": True}


def test_a_table_without_small_cells_is_shown_whole():
    assert all(show_table([[20, 30], [40, 50]]).values())


def test_two_small_cells_hide_each_other_only_where_they_are_k_together():
    assert list(show_table([6, 7, 60]).values()) == [False, False, True, True]
    assert list(show_table([3, 4, 60]).values()) == [False, False, False, True]


def test_a_square_loses_three_further_cells_and_no_margin():
    """By hand: a withheld corner needs one more in its row, one in its column, and the one beside both."""
    square = show_table([[5, 40, 41], [42, 43, 44], [45, 46, 47]])
    hidden = np.array([[not square[f"a{i}b{j}"] for j in range(3)] for i in range(3)])
    assert hidden[0, 0] and hidden.sum() == 4 == sum(not seen for seen in square.values())
    assert set(hidden.sum(axis=0)) == set(hidden.sum(axis=1)) == {0, 2}


def test_a_hierarchy_gives_nothing_away():
    """Towns in counties: of two towns in a county both are withheld, or the county is."""
    towns, sizes = ("a1", "a2", "b1", "b2", "b3"), (4, 60, 50, 52, 54)
    ends = np.cumsum([0, *sizes])
    sets = {town: people(n, ends[i]) for i, (town, n) in enumerate(zip(towns, sizes, strict=True))}
    sets |= {"A": people(64), "B": people(156, 64), "all": people(220)}
    cells = shown(release(counts("baseline", sets)))
    assert not cells["a1"] and cells["B"] and cells["all"]
    assert not (cells["a2"] and cells["A"])


def test_out_of_time_shows_no_more_than_the_total(monkeypatch):
    rules = dataclasses.replace(read_rules(K), joint={"seconds": 0.0})
    monkeypatch.setattr(policy, "read_rules", lambda k, profile: rules)
    assert [name for name, seen in show_table([[5, 40], [41, 42]]).items() if seen] == ["all"]


TABLES = st.integers(2, 3).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=n, max_size=n)
)


@settings(max_examples=25)
@given(TABLES, st.randoms(use_true_random=False))
def test_the_pattern_is_always_the_same_whatever_the_order_of_rows(table, random):
    first, again = show_table(table), show_table(table)
    moved = show_table(table, lambda names: random.sample(names, len(names)))
    assert first == again == moved
    for (i, j), n in np.ndenumerate(table):
        assert not (0 < n < K and first[f"a{i}b{j}"])


# a page


def test_three_tables_each_safe_alone_are_made_safe_together(page):
    """Each table hides its small cell by itself; what one shows gives that of another."""
    a, b, small = people(40), people(40, 40), people(6, 80)
    first = release(counts("baseline", {"a": a, "rest": np.r_[b, small]}), page)
    second = release(counts("nonresponse", {"a and b": np.r_[a, b]}), page)
    third = release(counts("flow", {"all": people(86), "few": small}), page)
    assert shown(first) == {"a": True, "rest": True} and shown(second) == {"a and b": True}
    # 86 less 80 would be the six: the total goes, or the row of the six is not printed
    assert "few" not in shown(third) or not shown(third)["all"]
    assert audit_page([first, second, third]).passed


def test_a_cell_withheld_before_is_not_given_away_later(page):
    small, rest = people(6), people(50, 6)
    first = release(counts("baseline", {"small": small, "whole": people(56)}), page)
    assert not shown(first)["small"]
    later = release(counts("flow", {"rest": rest}), page)
    assert not shown(later)["rest"] or not shown(first)["whole"]
    assert audit_page([first, later]).passed


@pytest.mark.parametrize(("primary", "lost"), [("month_6", "month_3"), ("month_3", "month_6")])
def test_the_primary_time_point_is_the_last_to_be_withheld(page, primary, lost):
    """Five patients were seen at month 3 and not at month 6: one of the two numbers must go, whichever."""
    rows = [
        {"outcome": "odi", "statistic": "n", "group": group, "timepoint": time, "estimate": n, "n": n}
        for group, time, n in (("a", "month_3", 65), ("a", "month_6", 60), ("b", "month_12", 5))
    ]
    support = [{"all": people(65)}, {"all": people(60)}, {"all": people(5, 60)}]
    result = build_result(
        "n", rows, method="How.", support=support, patients=clinic(), origin=Origin(primary=primary)
    )
    table = release(result, page).table
    assert set(table.loc[~table["shown"], "timepoint"]) == {lost, "month_12"}


def test_where_time_runs_out_the_start_and_the_primary_time_point_stay():
    times = ["baseline", "week_6", "month_6", "month_12"]
    table = pd.DataFrame({"timepoint": times * 2, "group": ["a"] * 4 + ["all"] * 4})
    every, fewer, whole = _fall_back(table, "month_6")
    assert every.all() and list(table["timepoint"][fewer]) == ["baseline", "month_6"] * 2
    assert set(table["group"][whole]) == {"all"} and whole.sum() == 2


def share(name, part, whole, **columns):
    """Return a result with one share of patients."""
    row = {"outcome": "odi", "group": "all", "timepoint": "month_6", "estimate": len(part) / len(whole)}
    sets = {"all": whole, "with": part, "without": np.setdiff1d(whole, part)}
    row |= {"n": len(whole), "unit": "proportion", "x": 10.0} | columns
    return build_result(name, [row], method="How.", support=[sets], patients=clinic())


def test_a_share_that_the_page_withheld_is_not_told_by_a_curve():
    """The amount by which a patient counts as improved is one point of the distribution of amounts."""
    curve = share("cumulative", people(30), people(60), statistic="share_improved_by")
    assert release(curve, PageContext(shown=ShownNumbers())).table["shown"].all()
    other = PageContext(shown=ShownNumbers())
    improved = share("responders", people(30), people(60), statistic="share_improved", term="seen")
    decisions = Decisions(1)
    decisions.withhold([0], Reason.NEIGHBOUR)
    other.shown.remember(improved, decisions, read_rules(K))
    assert release(curve, other).table.empty
    apart = share("cumulative", people(31), people(60), statistic="share_improved_by")
    assert release(apart, other).table["shown"].all()


def test_alone_a_result_knows_nothing_of_others(monkeypatch):
    monkeypatch.delenv(RUN, raising=False)
    release(counts("baseline", {"small": people(6), "whole": people(56)}))
    assert shown(release(counts("flow", {"rest": people(50, 6)})))["rest"]


def test_a_mean_stays_where_only_its_number_of_patients_would_tell(page):
    """The number of those with a mean is withheld, not the mean: sixty less fifty-four would be the six."""
    release(counts("baseline", {"few": people(6), "whole": people(60)}), page)
    table = release(means({"rest": people(54, 6), "other": people(30, 100)}), page).table.set_index("group")
    assert table["shown"].all()
    assert (
        pd.isna(table.at["rest", "n"])
        or not shown(release(counts("baseline", {"few": people(6), "whole": people(60)}), page))["whole"]
    )


def test_means_of_a_whole_and_of_all_but_few_are_not_both_shown(page):
    table = release(means({"all": people(60), "some": people(55)}), page).table
    assert table["shown"].sum() == 1
    assert release(means({"all": people(60), "some": people(49)}), page).table["shown"].sum() == 2


@settings(max_examples=15)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_nothing_is_shown_that_its_own_patients_do_not_allow_and_the_audit_agrees(sizes):
    starts = np.cumsum([0, *sizes])
    sets = {f"g{i}": people(n, starts[i]) for i, n in enumerate(sizes)} | {"all": people(sum(sizes))}
    released = release(counts("baseline", sets))
    for group, is_shown in shown(released).items():
        assert not is_shown or len(sets[group]) >= K
    assert audit_page([released]).passed


def test_the_default_comparison_loses_few_cells_beyond_the_small_ones_and_no_answer(page):
    cohort = select_cohort(read_records("made-up-clinic"), instrument="odi")
    analyses = (
        count_flow, describe_baseline, count_completeness, compare_respondents, summarise_change,
        count_responders, check_comparability, compare_over_time,
    )  # fmt: skip
    releases = {result.name: release(result, page) for result in (analyse(cohort) for analyse in analyses)}
    audit = audit_page(list(releases.values()))
    n_cells = sum(len(entry.table) for entry in releases.values())
    assert audit.passed and audit.n_primary > 0
    assert audit.n_extra <= 0.15 * (n_cells - audit.n_primary)
    answer = releases["change"].where(timepoint=cohort.primary, statistic="mean_improvement").table
    assert len(answer) == len(cohort.therapies) + 1 and answer["shown"].all()
    contrasts = releases["over_time"].where(timepoint=cohort.primary, statistic="contrast").table
    assert len(contrasts) > 0 and contrasts["shown"].all()


ON_A_PAGE = (
    describe_baseline, count_completeness, compare_respondents, summarise_change, count_responders,
    count_at_ends, trace_cumulative, check_comparability, compare_over_time, standardise_responders,
)  # fmt: skip


def name_number(row, sets, ids):
    """Return what a row is a number of, whatever table it stands in; None where it is no such number."""
    declared, who = read_statistics()[row.statistic], {name: frozenset(ids[sets[name]]) for name in sets}
    if declared.compares == "therapies":
        return row.statistic, row.outcome, row.level, row.group, row.versus, row.timepoint
    if not who.get("all"):
        return None
    if declared.kind in ("share", "curve") and "with" in who:
        return "share", who["with"], who["all"]
    if declared.kind == "count":
        return "patients", row.timepoint, who["all"]
    if declared.sums:
        scores = declared.of_covariate and row.term == "score"
        quantity = "mean_score" if scores else f"{row.statistic} {row.term}"
        return quantity, row.outcome, "baseline" if scores else row.timepoint, who["all"]
    return None


@pytest.mark.parametrize(("n", "n_therapies", "seed"), [(60, 2, 7), (150, 4, 3), (400, 4, 5)])
def test_nothing_is_withheld_that_the_same_page_says_elsewhere(n, n_therapies, seed, tmp_path):
    therapies = ["manual_therapy", "usual_care", "strengthening", "combined_pt"][:n_therapies]
    records = read_records("made-up-clinic", str(write_small_clinic(tmp_path / "clinic", n, therapies, seed)))
    cohort = choose_detail(select_cohort(records, instrument="nprs", variant="average"))
    page, fates = PageContext(shown=ShownNumbers()), defaultdict(set)
    for analyse in ON_A_PAGE:
        held = release(analyse(cohort), page)
        for row, sets in zip(held.table.itertuples(), held.backing.support, strict=True):
            fates[name_number(row, sets, held.backing.patients.ids)].add(str(row.fate))
    del fates[None]
    twice = {name: found for name, found in fates.items() if {"withheld", "shown"} <= found}
    assert not twice and sum("shown" in found for found in fates.values()) > 30


def test_the_solver_writes_nothing_to_the_terminal(capfd):
    """Its own lines would stand in the middle of `outcomes check --json`."""
    assert not all(show_table([[3, 40, 60], [50, 4, 70], [60, 70, 80]]).values())
    assert capfd.readouterr() == ("", "")


# the audit


def show_without_the_page(monkeypatch, *results):
    """Release results as if each stood alone, which is what the audit must notice."""
    monkeypatch.delenv(RUN, raising=False)
    return [release(result) for result in results]


def leaking(monkeypatch):
    return show_without_the_page(
        monkeypatch,
        counts("baseline", {"small": people(6), "rest": people(50, 100), "whole": people(56)}),
        counts("flow", {"other": people(50, 6)}),
    )


def test_the_audit_names_the_tables_that_give_a_cell_away_and_no_number(monkeypatch):
    audit = audit_page(leaking(monkeypatch))
    assert not audit.passed and audit.tables == ("baseline", "flow")
    assert "6" not in str(audit.tables)


def test_the_audit_finds_sums_of_few(monkeypatch):
    audit = audit_page(
        show_without_the_page(monkeypatch, means({"all": people(60)}), means({"some": people(55)}))
    )
    assert not audit.passed and audit.tables == ("change",)


def test_the_audit_counts_what_was_withheld(monkeypatch):
    (released,) = show_without_the_page(
        monkeypatch, counts("baseline", {"a": people(8), "b": people(60, 8), "all": people(68)})
    )
    audit = audit_page([released])
    assert (audit.passed, audit.n_shown, audit.n_primary, audit.n_extra) == (True, 1, 1, 1)


def keep(folder, released):
    write_view(build_view("said", "sentence", (released,), "<p>said</p>"), folder / "views")


def test_a_page_that_gives_a_cell_away_is_not_made(monkeypatch, tmp_path):
    for released in leaking(monkeypatch):
        keep(tmp_path, released)
    with pytest.raises(DisclosureError, match="'baseline' and 'flow'") as caught:
        audit_run(tmp_path, "stakeholder")
    assert caught.value.exit_code == 7
    assert audit_run(tmp_path, "team") is None


@pytest.mark.parametrize("fault", ["crash", "time", "no backing"])
def test_an_audit_that_cannot_be_finished_lets_nothing_leave(fault, monkeypatch, tmp_path):
    (released,) = show_without_the_page(monkeypatch, counts("baseline", {"a": people(8), "b": people(60, 8)}))
    keep(tmp_path, released)
    if fault == "crash":
        monkeypatch.setattr(audits.Feasibility, "find_unsafe", lambda *args, **kwargs: 1 / 0)
    elif fault == "time":
        rules = dataclasses.replace(audits.read_rules(K), joint={"audit_seconds": 0.0, "seconds": 60})
        monkeypatch.setattr(audits, "read_rules", lambda k: rules)
    else:
        for path in (tmp_path / "backing").iterdir():
            path.unlink()
    with pytest.raises(DisclosureError) as caught:
        audit_run(tmp_path, "stakeholder")
    assert caught.value.exit_code == 7
