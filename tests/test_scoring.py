"""What the scorer promises of any instrument: policies, problems, ranges, order and speed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from instrument_views import VIEWS, write_tables
from outcomes.errors import FactsError
from outcomes.facts import read_instrument
from outcomes.facts.toml import has_table
from outcomes.records.conversion import rescale
from outcomes.records.scoring import STATES, score_items

NAN = float("nan")


SUM_LIKE = [
    name
    for name, (_, _, view) in VIEWS.items()
    if view.scoring_rule.rule in ("sum", "count_endorsed", "mean", "percent_of_maximum")
    and view.scoring_rule.n_items > 1
]
#: Those whose items are alike, so that their order cannot matter.
ALIKE = [
    name
    for name in SUM_LIKE
    if not VIEWS[name][2].scoring_rule.recodes
    and VIEWS[name][2].scoring_rule.reverse in ((), "all")
    and len(set(VIEWS[name][2].scoring_rule.list_bounds(VIEWS[name][2].scoring_rule.n_items)[1])) == 1
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tables(tmp_path_factory.mktemp("tables"))


@st.composite
def answered_forms(draw: st.DrawFn, names: list[str] | None = None) -> tuple[str, np.ndarray]:
    """Draw an instrument with its variant and up to eight forms with some blanks, every answer possible."""
    name = draw(st.sampled_from(names or sorted(VIEWS)))
    rule = VIEWS[name][2].scoring_rule
    n_items = draw(st.integers(rule.n_items, rule.n_items_maximum or rule.n_items))
    low, high = (np.array(ends) for ends in rule.list_bounds(n_items))
    steps = ((high - low) / (rule.item_step or 1)).astype(int)
    shape = (draw(st.integers(1, 8)), n_items)
    places = draw(arrays(np.float64, shape, elements=st.floats(0, 1))) * steps
    blank = draw(arrays(bool, shape))
    return name, np.where(blank, NAN, low + np.rint(places) * (rule.item_step or 1))


@settings(max_examples=300)
@given(form=answered_forms())
def test_a_score_lies_within_the_range_and_exists_exactly_where_the_state_says(
    form: tuple, tables: Path
) -> None:
    name, items = form
    id, variant, view = VIEWS[name]
    before = items.copy()
    scores = score_items(id, items, variant=variant, tables=tables)
    has_score = ~np.isnan(scores.score)
    assert (has_score <= scores.state.isin(["complete", "filled"])).all()
    if view.scoring_rule.rule != "symmetry":
        assert (has_score >= scores.state.isin(["complete", "filled"])).all()
    assert (scores.score[has_score] >= view.minimum - 1e-9).all()
    assert (scores.score[has_score] <= view.maximum + 1e-9).all()
    assert (scores.n_missing == np.isnan(items).sum(axis=1)).all()
    assert set(scores.problems["rule"]) <= {"SCORE_RANGE"}, "only what items make together can be wrong"
    assert np.array_equal(items, before, equal_nan=True), "the items that were given stay as they were"


@settings(max_examples=300)
@given(form=answered_forms(ALIKE), random=st.randoms(use_true_random=False))
def test_scores_of_like_items_do_not_depend_on_their_order(form: tuple, random: object) -> None:
    name, items = form
    id, variant, _ = VIEWS[name]
    order = list(range(items.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    expected = score_items(id, items, variant=variant).score
    shuffled = score_items(id, items[:, order], variant=variant).score
    assert shuffled == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=300)
@given(form=answered_forms(), random=st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_rows(form: tuple, random: object, tables: Path) -> None:
    name, items = form
    id, variant, _ = VIEWS[name]
    rows = list(range(items.shape[0]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    expected = score_items(id, items, variant=variant, tables=tables).score
    shuffled = score_items(id, items[rows], variant=variant, tables=tables).score
    assert np.array_equal(shuffled, expected[rows], equal_nan=True)


def find_better_way(name: str, column: int) -> int:
    """Return +1 where a higher answer to an item is meant to be better, -1 where it is worse."""
    _, _, view = VIEWS[name]
    rule = view.scoring_rule
    way = view.sign
    if rule.rule == "value_set" or (rule.rule == "lookup" and has_table(f"conversions/{rule.table}")):
        return -1  # levels from no problem upwards; the joint replacement tables fall
    if rule.rule in ("quotient", "difference"):
        return way if column == {"quotient": 0, "difference": 1}[rule.rule] else -way
    if column + 1 in rule.list_reversed(rule.n_items):
        way = -way
    for entry in rule.recodes:
        if column + 1 in entry["items"] and entry["values"][0] > entry["values"][-1]:
            way = -way
    return way


DIRECTED = [name for name, (_, _, view) in VIEWS.items() if view.direction != "none"]


def improve(name: str, items: np.ndarray, column: int) -> np.ndarray:
    """Return the forms with one answer a step better, where there is a better one."""
    rule = VIEWS[name][2].scoring_rule
    better, step = items.copy(), rule.item_step or 1
    low, high = (ends[column] for ends in rule.list_bounds(items.shape[1]))
    if rule.rule == "symmetry":  # the weaker side gains, up to the stronger one
        high = np.fmax.reduce(items, axis=1)
        better[:, column] = np.minimum(items[:, column] + step, high)
    else:
        better[:, column] = np.clip(items[:, column] + find_better_way(name, column) * step, low, high)
    return better


@pytest.mark.parametrize("name", DIRECTED)
def test_a_better_answer_never_gives_a_worse_score(name: str, tables: Path) -> None:
    id, variant, view = VIEWS[name]

    @settings(max_examples=12)
    @given(form=answered_forms([name]), data=st.data())
    def check(form: tuple, data: st.DataObject) -> None:
        items = form[1]
        better = improve(name, items, data.draw(st.integers(0, items.shape[1] - 1)))
        before, after = (
            score_items(id, forms, variant=variant, tables=tables).score for forms in (items, better)
        )
        known = ~np.isnan(before) & ~np.isnan(after)
        assert (view.sign * (after - before)[known] >= -1e-9).all()

    check()


@settings(max_examples=300)
@given(form=answered_forms(), data=st.data())
def test_one_impossible_item_refuses_its_row_and_no_other(
    form: tuple, data: st.DataObject, tables: Path
) -> None:
    name, items = form
    id, variant, view = VIEWS[name]
    row = data.draw(st.integers(0, items.shape[0] - 1))
    column = data.draw(st.integers(0, items.shape[1] - 1))
    low, high = (ends[column] for ends in view.scoring_rule.list_bounds(items.shape[1]))
    impossible = data.draw(st.sampled_from([high + 1, low - 1, np.inf]))
    spoilt = items.copy()
    spoilt[row, column] = impossible
    expected = score_items(id, items, variant=variant, tables=tables).score
    expected[row] = NAN
    scores = score_items(id, spoilt, variant=variant, tables=tables)
    assert np.array_equal(scores.score, expected, equal_nan=True), "refused, never clipped"
    assert scores.state[row] == "refused"
    found = scores.problems[scores.problems["rule"] == "ITEM_RANGE"]
    assert (len(found), found["row"].iloc[0], found["item"].iloc[0]) == (1, row, column + 1)


def test_every_impossible_item_is_located_without_its_value() -> None:
    scores = score_items("odi", [[2] * 10, [9, 2, 2, 2, 2.5, 2, 2, 2, 2, -3]])
    assert scores.problems.assign(reason=scores.problems["reason"].map(str)).to_dict("records") == [
        {"row": 1, "item": 1, "label": "item1", "rule": "ITEM_RANGE", "reason": "item 1: outside 0 to 5"},
        {"row": 1, "item": 5, "label": "item5", "rule": "ITEM_GRID", "reason": "item 5: not in steps of 1"},
        {"row": 1, "item": 10, "label": "item10", "rule": "ITEM_RANGE", "reason": "item 10: outside 0 to 5"},
    ]
    assert list(scores.state) == ["complete", "refused"]
    assert "9" not in repr(scores)


@pytest.mark.parametrize(
    ("policy", "n_blank", "state"),
    [
        ("none_missing", 0, "complete"),
        ("none_missing", 1, "too_few_items"),
        ("at_most_one_missing", 1, "filled"),
        ("at_most_one_missing", 2, "too_few_items"),
        ("prorate_any", 9, "filled"),
        ("prorate_any", 10, "blank"),
        (None, 1, "filled"),
        (None, 2, "too_few_items"),
    ],
)
def test_policies_tolerate_what_their_names_say(policy: str | None, n_blank: int, state: str) -> None:
    scores = score_items("odi", [[3.0] * (10 - n_blank) + [NAN] * n_blank], policy=policy)
    assert list(scores.state) == [state]
    assert scores.n_missing.tolist() == [n_blank]
    if state in ("complete", "filled"):
        assert scores.score.tolist() == [60.0]
    else:
        assert np.isnan(scores.score).all()


def test_a_wholly_blank_form_is_no_form_without_complaints() -> None:
    scores = score_items("rmdq24", [[NAN] * 24, [NAN] * 23 + [0]])
    assert list(scores.state) == ["blank", "filled"]
    assert np.isnan(scores.score[0])
    assert scores.score[1] == 0


def test_five_activities_may_be_named_three_must_be_rated() -> None:
    scores = score_items("psfs", [[3, 5, 4, NAN, NAN], [3, 5, 4, 8, 10], [3, 5, NAN, NAN, NAN]])
    assert scores.score[:2].tolist() == [4.0, 6.0]
    assert list(scores.state) == ["filled", "complete", "too_few_items"]


@pytest.mark.parametrize(
    ("instrument", "items", "message"),
    [
        ("odi", [[1] * 9], "expected 10 items in each row, got 9"),
        ("psfs", [[1, 2]], "expected 3 to 5 items in each row, got 2"),
        ("rmdq24", [[0] * 18], "Roland-Morris Disability Questionnaire: expected 24 items"),
    ],
)
def test_another_number_of_items_is_another_instrument(instrument: str, items: list, message: str) -> None:
    with pytest.raises(FactsError, match=message):
        score_items(instrument, items)


def test_a_policy_that_nobody_published_for_the_instrument_is_refused() -> None:
    with pytest.raises(FactsError, match="not one of at_most_one_missing, none_missing, prorate_any"):
        score_items("odi", [[1] * 10], policy="blank_is_zero")


def test_a_rule_that_there_is_not_is_refused() -> None:
    odi = read_instrument("odi")
    with pytest.raises(FactsError, match="did you mean 'percent_of_maximum'"):
        score_items(replace(odi, scoring={**odi.scoring, "rule": "percent_of_max"}), [[1] * 10])
    with pytest.raises(FactsError, match="did you mean 'none_missing'"):
        score_items(replace(odi, scoring={**odi.scoring, "missing": "nonemissing"}), [[1] * 10])


def test_no_rows_give_no_scores() -> None:
    scores = score_items("odi", np.empty((0, 10)))
    assert len(scores.score) == len(scores.state) == len(scores.problems) == 0
    assert list(scores.state.categories) == list(STATES)


def test_single_items_may_be_one_column_or_one_value_each() -> None:
    assert score_items("nprs", [7, NAN, 0]).score[[0, 2]].tolist() == [7, 0]
    assert score_items("nprs", [[7], [0]]).score.tolist() == [7, 0]


def test_rescaling_leaves_missing_values_missing_and_no_scale_alone() -> None:
    assert np.isnan(rescale("vas100", [NAN, 4.5], "cm")[0])
    assert rescale("vas100", [NAN, 4.5], "cm")[1] == 45
    assert rescale("vas100", [45.0], None).tolist() == [45.0]
