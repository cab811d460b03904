"""The panel answers each choice at once, says why where it cannot, and hands over what it shows."""

from __future__ import annotations

import re

import pytest

from outcomes import simulate_clinic
from outcomes.errors import AnalysisError
from outcomes.panel import open_panel
from outcomes.panel.offers import list_measures
from outcomes.panel.panes import list_in_front, list_panes, write_code
from outcomes.panel.question import PanelMeasure, PanelQuestion
from panel_texts import read_texts

FILTERS = ("region", "cause", "duration", "sex", "site", "risk_group")


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(400, seed=3)


@pytest.fixture
def panel(records):
    return open_panel(records)


def read(panel, place="sentence"):
    """Return what stands in a place of the panel, without tags."""
    return re.sub(r"<[^>]+>", " ", getattr(panel._screen, place).value)


def count(choice):
    return {option["id"]: int(option["note"].replace(" ", "")) for option in choice.options}


def test_it_opens_on_the_main_measure_with_all_therapies(panel, records):
    cohort = panel.answer.cohort
    assert cohort.outcome == "odi" and cohort.primary == "month_6"
    assert set(cohort.therapies) == set(records.episodes["therapy"].dropna().unique())
    assert 'alt="Line chart' in panel._screen.front.value


@pytest.mark.parametrize(
    "choice",
    [
        {"instrument": "nprs", "variant": "average"},
        {"therapies": ("strengthening", "usual_care")},
        {"primary": "month_3"},
        {"adjusted": False},
        {"audience": "stakeholder"},
        *({"filters": {column: None}} for column in FILTERS),
    ],
    ids=lambda choice: str(next(iter(choice))) + str(next(iter(choice.get("filters", "")), "")),
)
def test_every_choice_changes_the_sentence_the_table_and_the_view_in_front(panel, records, choice):
    before = read_texts(panel)
    if "filters" in choice:
        column = next(iter(choice["filters"]))
        level = str(records.episodes[column].value_counts().index[0])
        choice = {"filters": {column: (level,)}}
    panel.choose(**choice)
    after = read_texts(panel)
    assert after["sentence"] != before["sentence"]
    # the description is the same whatever the main time point, and whether or not therapies are compared
    if not {"adjusted", "primary"} & set(choice):
        assert after["front"] != before["front"] and after["numbers"] != before["numbers"]


def test_time_points_that_are_not_chosen_are_not_shown(panel):
    panel.choose(timepoints=("month_3",))
    assert set(panel.to_frame()["timepoint"]) == {"baseline", "month_3", "month_6"}  # the main one stays


def test_a_threshold_is_chosen_by_name(panel):
    named = next(id for _, id in panel._controls.threshold.options if id)
    panel.choose(threshold=named, view="responders")
    assert set(panel.answer.release("responders").table["level"]) == {named}
    assert panel._screen.front.value


def test_each_choice_says_how_many_patients_are_behind_it(panel, records):
    """The number beside a choice is the number that the flow ends with once it is made."""
    panel._count()
    for column in FILTERS:
        offered = count(panel._controls.filters[column])
        level = min(offered, key=offered.get)
        panel.choose(filters={column: (level,)})
        assert panel.answer.cohort.episodes["patient"].nunique() == offered[level], column
        panel._count()
        others = {name: count(choice) for name, choice in panel._controls.filters.items() if choice.options}
        assert others[column] == offered  # its own choice does not change what else it could be
        assert (
            max(max(counts.values()) for name, counts in others.items() if name != column) <= offered[level]
        )
        panel.choose(filters={})
        panel._count()


def test_a_choice_without_patients_is_marked_and_explained(panel):
    few = {"region": ("thoracic",), "risk_group": ("high",), "duration": ("subacute",), "sex": ("male",)}
    panel.choose(filters=few)
    panel._count()
    empty = [option["id"] for option in panel._controls.filters["cause"].options if option["empty"]]
    panel.choose(filters={**few, "cause": (empty[0],)})
    assert 'role="alert"' in panel._screen.sentence.value and "excluded" in read(panel)
    with pytest.raises(AnalysisError, match="the panel says why"):
        panel.to_frame()
    panel.choose(filters={})
    assert "improvement" in read(panel)


def test_a_column_that_nobody_recorded_says_so(panel):
    assert not panel._controls.filters["age_band"].options
    assert panel._controls.filters["age_band"].none == "not recorded"


def test_a_measure_without_the_time_point_opens_on_another(panel):
    panel.choose(primary="month_12")
    panel.choose(instrument="sorensen_s", primary=None)
    assert panel.answer.cohort.primary == "month_6"


def test_what_comes_first_comes_before_the_rest(panel):
    panel.finish()
    panel.choose(filters={"sex": ("female",)})
    texts = read_texts(panel)
    assert texts["numbers"] and "<img" in texts["front"] and "Comparing the therapies" in texts["sentence"]
    waiting = [option["id"] for option in panel._screen.tabs.options if option["note"]]
    assert waiting == [id for id in list_in_front(panel.question) if id != "course"]
    panel.finish()
    assert not [option for option in panel._screen.tabs.options if option["note"]]
    assert "Comparing the therapies" not in panel._screen.sentence.value


def test_a_later_choice_replaces_what_an_earlier_one_left_to_do(panel):
    panel.choose(filters={"sex": ("female",)})
    left = list(panel._jobs)
    panel.choose(filters={"sex": ("male",)})
    assert not set(map(id, left)) & set(map(id, panel._jobs))


@pytest.mark.parametrize(
    ("audience", "adjusted"),
    [
        ("team", True),
        ("stakeholder", False),
        pytest.param("team", False, marks=pytest.mark.slow),
        pytest.param("stakeholder", True, marks=pytest.mark.slow),
    ],
)
def test_the_code_of_each_view_makes_the_same_view(tmp_path, audience, adjusted, monkeypatch):
    from outcomes import read_records, write_clinic

    monkeypatch.chdir(tmp_path)
    write_clinic(tmp_path / "clinic", n_episodes=300, seed=5)
    records = read_records("made-up-clinic", tmp_path / "clinic")
    question = PanelQuestion(
        PanelMeasure("odi"), ("strengthening", "usual_care"), {"sex": ("female",)}, (), "month_6", adjusted,
        "copay-2008-absolute", audience,
    )  # fmt: skip
    panel = open_panel(records)
    panel.set(question)
    assert panel.question == question
    for pane in list_panes(question):
        shown = []
        code = write_code(records, question, pane)
        *lines, last = code.split("\n")
        last = last.removeprefix("display") if last.startswith("display(") else f"({last},)"
        space = {"shown": shown}
        exec("\n".join([*lines, f"shown.extend({last})"]), space)
        assert [view.html for view in shown] == [view.html for view in panel.answer.show(pane)], pane


def test_single_patients_are_for_the_team_alone(panel):
    panel.choose(view="individuals")
    assert "Single courses show how much people differ" in read(panel, "front")
    panel.choose(audience="stakeholder")
    assert "individuals" not in list_in_front(panel.question)
    assert "Single courses" not in read(panel, "front")


def test_a_stakeholder_reads_why_something_is_withheld(panel):
    panel.choose(filters={"region": ("neck",), "sex": ("male",)}, audience="stakeholder", view="responders")
    shown = read(panel, "front") + read(panel, "numbers")
    assert "withheld" in shown or "fewer than 11" in shown


def test_many_looks_are_warned_of_with_what_chance_does(panel):
    assert not panel._screen.warning.value
    for column in FILTERS[:3]:
        for level in count(panel._controls.filters[column]):
            panel.choose(filters={column: (level,)})
    looked = len(panel._comparisons)
    assert looked >= 20
    assert f"looked at {looked} comparisons" in read(panel, "warning")
    panel.choose(filters={column: (level,)})
    assert len(panel._comparisons) == looked, "what was seen before is not counted again"


def test_an_unknown_choice_is_explained_in_words(panel):
    panel.choose(filters={"region": ("low_back",)}, primary="month_6")
    before = panel.question
    panel.choose(instrument="no_such_measure")
    assert panel.question.measure == before.measure  # what these records do not hold is left out


def test_every_recorded_measure_is_answered_in_words(panel, records):
    for measure in list_measures(records):
        panel.choose(instrument=measure.instrument, variant=measure.variant, primary=None)
        assert read(panel).strip(), measure


def test_it_shows_itself_in_a_notebook(panel):
    shown = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in (shown[0] if isinstance(shown, tuple) else shown)
