"""The panel answers each choice at once, and hands over what it shows."""

from __future__ import annotations

import pytest

from outcomes import simulate_clinic
from outcomes.errors import AnalysisError
from outcomes.panel import open_panel


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(400, seed=3)


@pytest.fixture
def panel(records):
    return open_panel(records)


def list_shown(panel):
    return panel._box.children[-1].value


def test_it_opens_on_the_primary_measure_with_all_therapies(panel, records):
    answer = panel.answer
    assert answer.cohort.outcome == "odi" and answer.cohort.primary == "month_6"
    assert set(answer.cohort.therapies) == set(records.episodes["therapy"].dropna().unique())
    assert "<img" in list_shown(panel) and 'alt="' in list_shown(panel)


def test_every_choice_changes_what_is_shown(panel):
    seen = [list_shown(panel)]
    for choice in (
        {"therapies": ["strengthening", "usual_care"]},
        {"instrument": "nprs", "variant": "average"},
    ):
        panel.choose(**choice)
        seen.append(list_shown(panel))
    assert len(set(seen)) == 3
    assert panel.answer.cohort.outcome == "nprs:average"


def test_chosen_therapies_are_those_shown(panel):
    panel.choose(therapies=["strengthening", "usual_care"], timepoint="month_3")
    assert list(panel.answer.cohort.therapies) == ["strengthening", "usual_care"]
    assert panel.answer.cohort.primary == "month_3"
    assert set(panel.to_frame()["group"]) == {"strengthening", "usual_care", "all"}


def test_a_choice_without_an_answer_is_explained(panel):
    panel.choose(therapies=[])
    assert "Tick at least one therapy." in list_shown(panel)
    with pytest.raises(AnalysisError, match="the panel says why"):
        panel.to_frame()


def test_a_measure_without_the_time_point_opens_on_another(panel):
    panel.choose(timepoint="month_12")
    panel.choose(instrument="sorensen_s")
    assert panel.answer.cohort.primary == "month_6"


def test_it_shows_itself_in_a_notebook(panel):
    shown = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in (shown[0] if isinstance(shown, tuple) else shown)
