"""The panel on what clinics bring: real sources, and records that cannot answer much, without a traceback."""

from __future__ import annotations

import dataclasses
import re
import tomllib

import pytest

from outcomes import read_records, simulate_clinic
from outcomes.errors import AnalysisError, FactsError, ReportError
from outcomes.facts import read_words
from outcomes.panel import open_panel
from outcomes.panel.making import check_cuts, list_parameters
from outcomes.panel.offers import list_measures
from outcomes.panel.panes import list_in_front
from outcomes.panel.question import PanelMeasure, PanelQuestion
from outcomes.panel.saved import list_saved, read_question, save_question


def read(panel, place="sentence"):
    return re.sub(r"<[^>]+>", " ", getattr(panel._screen, place).value)


def look_around(panel):
    """Bring every view to the front for both audiences, choose every measure, and return what was said."""
    said = []
    for audience in ("team", "stakeholder"):
        panel.choose(audience=audience)
        panel.finish()
        said.append(read(panel))
        for pane in list_in_front(panel.question):
            panel._screen.tabs.value = [pane]
            assert read(panel, "front").strip(), pane
    panel.choose(adjusted=False)
    for measure in list_measures(panel.records):
        panel.choose(instrument=measure.instrument, variant=measure.variant, primary=None)
        assert read(panel).strip(), measure
    return " ".join(said)


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(240, seed=8)


def test_one_therapy_leaves_nothing_to_compare(records):
    one = records.episodes["therapy"].astype("str").where(lambda held: held.isna(), "manual_therapy")
    panel = open_panel(
        dataclasses.replace(records, episodes=records.episodes.assign(therapy=one.astype("category")))
    )
    assert "one therapy" in look_around(panel)


def test_one_site_is_one_box(records):
    one = records.episodes.assign(site="meadow").astype({"site": "category"})
    panel = open_panel(dataclasses.replace(records, episodes=one))
    panel.finish()
    assert [option["id"] for option in panel._controls.filters["site"].options] == ["meadow"]


def test_without_a_follow_up_it_says_so(records):
    start = records.assessments[records.assessments["day"] <= 7].reset_index(drop=True)
    panel = open_panel(dataclasses.replace(records, assessments=start))
    assert "no score after the start" in read(panel) and 'role="alert"' in panel._screen.sentence.value
    with pytest.raises(AnalysisError):
        panel.to_frame()


def test_without_any_measure_a_notebook_shows_words_and_no_traceback(records):
    bare = dataclasses.replace(records, assessments=records.assessments.iloc[:0])
    with pytest.raises(AnalysisError) as caught:
        open_panel(bare)
    assert caught.value._render_traceback_() == [
        "These records hold no measure, so there is nothing to explore."
    ]


def test_an_unknown_instrument_of_a_source_is_refused_in_words(tmp_path):
    (tmp_path / "clinic.csv").write_text("patient,therapy,score\n1,a,3\n", encoding="utf-8")
    (tmp_path / "clinic.toml").write_text(
        'name = "clinic"\nlabel = "Clinic"\n[[file]]\npath = "clinic.csv"\nrows = "episode"\n'
        'columns = { patient_id = "patient", therapy = "therapy" }\n'
        'scores = [{ instrument = "backscore", column = "score", timepoint = "baseline" }]\n',
        encoding="utf-8",
    )
    with pytest.raises(FactsError) as caught:
        read_records(tmp_path / "clinic.toml", tmp_path / "clinic.csv")
    words = " ".join(caught.value._render_traceback_())
    assert "backscore" in words and "Traceback" not in words


@pytest.mark.parametrize(
    ("source", "folder", "expected"),
    [
        ("ashar-2022", "ashar-2022-back-pain", "pain-reprocessing|cognitive|placebo|usual"),
        ("verwoerd-2024", "verwoerd-2024-neck-pain", "one therapy"),
    ],
)
def test_real_sources_are_explored_without_a_change_of_code(shared, source, folder, expected):
    panel = open_panel(read_records(source, shared / "data" / folder))
    assert re.search(expected, look_around(panel), flags=re.IGNORECASE)


def test_a_view_is_kept_as_choices_without_records(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    question = PanelQuestion(
        PanelMeasure("nprs", "average"),
        ("usual_care",),
        {"sex": ("female",), "region": ("low_back", "neck")},
        ("month_3",),
        "month_6",
        False,
        None,
        "stakeholder",
    )
    path = save_question("Women, low back", question, "made-up-clinic", read_words())
    assert path.parent == tmp_path / "data" / "views"
    assert tomllib.loads(path.read_text(encoding="utf-8"))["source"] == "made-up-clinic"
    assert list_saved("made-up-clinic") == ("Women, low back",) and not list_saved("another")
    assert read_question("Women, low back") == question
    for name in ("", "../x", "a/b", "x" * 61, "con:1", "."):
        with pytest.raises(ReportError, match="Name the view"):
            save_question(name, question, "made-up-clinic", read_words())


def test_a_question_becomes_the_parameters_of_its_report():
    question = PanelQuestion(
        PanelMeasure("nprs", "average"), ("usual_care", "strengthening"),
        {"site": ("meadow",), "region": ("low_back", "neck"), "sex": ("female",)}, (), "month_6", True, None,
        "team",
    )  # fmt: skip
    assert list_parameters(question) == {
        "instrument": "nprs", "variant": "average", "timepoint": "month_6",
        "therapies": ["usual_care", "strengthening"], "site": "meadow",
        "only": ["region=low_back|neck", "sex=female"], "audience": "team",
    }  # fmt: skip


DECLARED = """
[report.by-site]
notebook = "therapy_comparison"
source = "made-up-clinic"
audience = "stakeholder"
for_each = "site"
parameters = { only = ["region=low_back"] }
"""


def test_a_stakeholders_report_is_cut_only_as_the_declaration_is(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    whole = PanelQuestion(PanelMeasure("odi"), audience="stakeholder")
    by_site = dataclasses.replace(whole, filters={"site": ("meadow",)})
    by_sex = dataclasses.replace(whole, filters={"site": ("meadow",), "sex": ("female",)})
    check_cuts(records, whole, read_words())
    with pytest.raises(ReportError, match="may not be cut by site"):
        check_cuts(records, by_site, read_words())
    (tmp_path / "reports" / "reports.toml").write_text(DECLARED, encoding="utf-8")
    check_cuts(records, by_site, read_words())
    with pytest.raises(ReportError, match=r"may not be cut by sex:"):
        check_cuts(records, by_sex, read_words())
    check_cuts(records, dataclasses.replace(by_sex, audience="team"), read_words())
