"""How much detail a page bears: therapies merged, times left out, in a declared order, by counts alone."""

from __future__ import annotations

import csv
import random
import re

import pytest

from outcomes import choose_detail, read_records, select_cohort
from outcomes.analyses import list_analyses, run_analysis
from outcomes.cohort import list_groups, reselect_cohort
from outcomes.disclosure import release
from outcomes.errors import AnalysisError, DisclosureError
from outcomes.facts import read_therapies, read_words
from outcomes.panel.panes import PanelAnswer, write_code
from outcomes.panel.question import PanelMeasure, PanelQuestion
from outcomes.views import draw_trajectory, say_answer, say_methods, say_title, tabulate_change

write = read_words().write

TIMES = ("baseline", "month_3", "month_6", "month_12")
SOURCE = """
name = "small"
label = "A small clinic"
{profile}
[primary]
instrument = "odi"
timepoint = "month_6"
reference = "usual_care"
covariates = ["sex"]
[[file]]
path = "clinic.csv"
rows = "episode"
columns = {{ patient_id = "id", therapy = "therapy", sex = "sex" }}
{scores}
"""
SCORE = '[[file.scores]]\ninstrument = "odi"\ncolumn = "{time}"\ntimepoint = "{time}"\n'


def read_clinic(
    folder, seen, *, profile="", score=lambda place, time: 40.0 - 4 * time + 2 * (place * (time + 1) % 7)
):
    """Read a clinic of which so many patients of each therapy were seen at the start, 3, 6 and 12 months."""
    rows = [
        {"id": f"P{therapy}{place}", "therapy": therapy, "sex": "female" if place % 2 else "male"}
        | {name: score(place, i) if place < counts[i] else "" for i, name in enumerate(TIMES)}
        for therapy, counts in seen.items()
        for place in range(counts[0])
    ]
    random.Random(1).shuffle(rows)
    folder.mkdir(exist_ok=True)
    with (folder / "clinic.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    source = folder / "small.toml"
    scores = "".join(SCORE.format(time=time) for time in TIMES)
    source.write_text(SOURCE.format(profile=profile, scores=scores), encoding="utf-8")
    return read_records(source)


def choose(folder, seen, **options):
    k = options.pop("k", None)
    return choose_detail(select_cohort(read_clinic(folder, seen, **options)), k=k)


def test_where_all_can_be_shown_nothing_changes(tmp_path):
    cohort = select_cohort(
        read_clinic(tmp_path, {"manual_therapy": (14, 12, 11, 11), "usual_care": (11,) * 4})
    )
    assert choose_detail(cohort) is cohort


def test_for_the_team_nothing_ever_changes(tmp_path):
    cohort = select_cohort(
        read_clinic(tmp_path, {"manual_therapy": (5, 4, 3, 2), "usual_care": (5, 4, 3, 2)})
    )
    assert choose_detail(cohort, "team") is cohort


@pytest.mark.parametrize("few", [(10, 10, 10, 10), (12, 12, 10, 10)], ids=["at the start", "at 6 months"])
def test_a_declared_group_counts_as_one_where_one_of_it_is_too_small(tmp_path, few):
    seen = {"strengthening": (20,) * 4, "stretching": few, "usual_care": (15,) * 4}
    chosen = choose(tmp_path, seen)
    assert list(chosen.therapies) == ["exercise_together", "usual_care"]
    assert chosen.therapies["exercise_together"].label == "exercise (strengthening, stretching)"
    assert (chosen.episodes["therapy"] == "exercise_together").sum() == 20 + few[0]
    assert chosen.reference == "usual_care" and list(chosen.shown) == list(TIMES)
    assert len(chosen.detail) == 1 and "strengthening and stretching together" in str(chosen.detail[0])
    assert "exercise (strengthening, stretching)" in write(chosen.rules["therapy"])


def test_a_group_of_which_all_can_be_shown_stays_apart(tmp_path):
    seen = {
        "strengthening": (20,) * 4, "stretching": (15,) * 4, "modalities": (15,) * 4, "traction": (4,) * 4,
    }  # fmt: skip
    assert list(choose(tmp_path, seen).therapies) == ["strengthening", "stretching", "modalities_together"]


def test_one_small_therapy_beside_two_others_takes_nothing_from_them(tmp_path):
    seen = {"strengthening": (20,) * 4, "manual_therapy": (15,) * 4, "usual_care": (4,) * 4}
    chosen = choose(tmp_path, seen)
    assert list(chosen.therapies) == list(seen) and not chosen.detail


def test_all_are_taken_together_where_fewer_than_two_can_be_shown(tmp_path):
    chosen = choose(tmp_path, {"manual_therapy": (15, 15, 11, 9), "usual_care": (14, 12, 10, 9)})
    assert list(chosen.therapies) == ["all_together"] and chosen.reference is None
    assert list(chosen.shown) == list(TIMES), "all together have enough at 12 months"
    assert len(chosen.detail) == 1 and "(manual therapy, usual care)" in str(chosen.detail[0])


def test_times_at_which_most_therapies_cannot_be_shown_are_left_out(tmp_path):
    seen = {"manual_therapy": (20, 9, 15, 4), "usual_care": (20, 10, 15, 12)}
    chosen = choose(tmp_path, seen)
    assert list(chosen.shown) == ["baseline", "month_6", "month_12"], "at 12 months one of two is shown"
    assert list(chosen.therapies) == list(seen) and "3 months" in str(chosen.detail[0])


def test_the_nearest_time_with_enough_patients_takes_the_place_of_the_primary_one(tmp_path):
    chosen = choose(tmp_path, {"manual_therapy": (15, 8, 5, 12), "usual_care": (10, 8, 5, 2)})
    assert (chosen.primary, list(chosen.therapies)) == ("month_3", ["all_together"])
    assert "3 months in place of 6 months" in str(chosen.detail[1])
    later = choose(tmp_path, {"manual_therapy": (15, 4, 5, 12), "usual_care": (10, 4, 5, 2)})
    assert later.primary == "month_12"


def test_nobody_to_show_leaves_a_page_that_says_so(tmp_path):
    chosen = choose(tmp_path, {"manual_therapy": (4, 4, 3, 2), "usual_care": (4, 3, 3, 1)})
    assert list(chosen.therapies) == ["all_together"] and list(chosen.shown) == list(TIMES)
    answer = say_answer(release(run_analysis("change", chosen)))
    assert "the rules that protect patients leave no number of it" in answer.alt


def test_k_decides_and_comes_from_the_profile(tmp_path):
    seen = {"manual_therapy": (20, 15, 15, 15), "usual_care": (9, 9, 8, 8)}
    assert list(choose(tmp_path, seen).therapies) == ["all_together"]
    assert list(choose(tmp_path, seen, k=8).therapies) == list(seen)
    assert list(choose(tmp_path, seen, profile='disclosure_profile = "nhs"').therapies) == list(seen)
    with pytest.raises(DisclosureError, match="8 or more"):
        choose(tmp_path, seen, profile='disclosure_profile = "nhs"', k=7)
    with pytest.raises(DisclosureError, match="no audience"):
        choose_detail(select_cohort(read_clinic(tmp_path, seen)), "public")


@pytest.mark.parametrize(
    "score", [lambda place, time: 50.0 + place % 2 * 20, lambda place, time: float((place * 37 + time) % 90)]
)
def test_what_is_done_depends_on_counts_and_not_on_scores(tmp_path, score):
    seen = {"strengthening": (20,) * 4, "stretching": (9,) * 4, "usual_care": (15, 12, 11, 3)}
    plain, other = choose(tmp_path / "a", seen), choose(tmp_path / "b", seen, score=score)
    assert (plain.detail, list(plain.therapies), list(plain.shown)) == (
        other.detail, list(other.therapies), list(other.shown),
    )  # fmt: skip


def test_a_question_about_one_therapy_stays_one(tmp_path):
    records = read_clinic(tmp_path, {"manual_therapy": (9, 9, 9, 9), "usual_care": (20,) * 4})
    chosen = choose_detail(select_cohort(records, therapies=["manual_therapy"]))
    assert list(chosen.therapies) == ["manual_therapy"] and not chosen.detail


def test_a_cohort_is_asked_for_again_in_the_same_detail(tmp_path):
    seen = {"strengthening": (20,) * 4, "stretching": (9,) * 4, "usual_care": (15,) * 4}
    chosen = choose(tmp_path, seen)
    again = reselect_cohort(chosen, chosen.records)
    assert list(again.therapies) == list(chosen.therapies) and again.table.equals(chosen.table)


def test_therapies_are_merged_when_asked_and_only_by_declared_groups(tmp_path):
    records = read_clinic(tmp_path, {"strengthening": (12,) * 4, "stretching": (12,) * 4})
    merged = select_cohort(records, merge=["exercise"], reference="stretching")
    assert list(merged.therapies) == ["exercise_together"] and merged.reference is None
    with pytest.raises(AnalysisError, match=r"did you mean 'exercise'"):
        select_cohort(records, merge=["exercises"])
    groups = list_groups(read_therapies())
    assert "other" not in groups and groups["surgery"] == ("endoscopic_surgery", "open_surgery")


@pytest.fixture(scope="module", params=["merged", "together"])
def coarse(request, tmp_path_factory):
    few = {"merged": 9, "together": 5}[request.param]
    seen = {"strengthening": (40, 38, 36, 34) if few == 9 else (10,) * 4, "stretching": (few,) * 4}
    seen["usual_care"] = (40, 38, 36, 34) if few == 9 else (10,) * 4
    return choose(tmp_path_factory.mktemp("coarse"), seen)


@pytest.mark.parametrize("name", sorted(set(list_analyses()) - {"data_quality"}))
def test_every_analysis_takes_a_cohort_in_less_detail(coarse, name):
    """Each runs, and names the profile and what was merged."""
    try:
        result = run_analysis(name, coarse)
    except AnalysisError as error:  # such as a reference mean that nobody declared
        assert str(error)
        return
    assert result.origin.detail.merge and result.origin.disclosure_profile == "standard"
    groups = set(result.table["group"].dropna()) | set(result.table["versus"].dropna())
    assert not groups & {"strengthening", "stretching"}
    assert set(release(result).table["group"].dropna()) <= groups


def test_a_merged_group_is_compared_with_the_reference_at_two_time_points(tmp_path):
    """Of 3, 6 and 12 months only the primary one is left; the answer names the group."""
    seen = {"strengthening": (40, 9, 38, 9), "stretching": (10, 1, 9, 0), "usual_care": (45, 8, 42, 9)}
    profile = 'design = "randomised"'
    chosen = choose(tmp_path, seen, profile=profile, score=lambda place, i: 40.0 - 2 * (place * (i + 3) % 17))
    assert list(chosen.shown) == ["baseline", "month_6"] and len(chosen.detail) == 2
    names = ("change", "over_time", "standardised", "comparability")
    released = [release(run_analysis(name, chosen)) for name in names]
    contrast = released[1].where(statistic="contrast", shown=True).table
    assert contrast[["group", "versus"]].to_numpy().tolist() == [["exercise_together", "usual_care"]]
    answer = say_answer(*released).alt
    assert answer.startswith("At 6 months, none of the therapies can be told from another on the ODI.")
    assert re.search(r"This pair stays open, .*: exercise against usual care \(from ", answer)
    assert "Exercise stands for strengthening and stretching together" in answer
    assert "Left out: 3 months, 12 months, when fewer than 11 patients of most therapies were seen." in answer
    assert "The difference cannot be told from none." in answer
    assert draw_trajectory(released[0]).png


def test_a_page_says_what_was_merged_in_title_answer_and_methods(coarse):
    change = release(run_analysis("change", coarse))
    checks = release(run_analysis("comparability", coarse))
    merged = "exercise_together" in coarse.therapies
    title = "Which kind of therapy goes with less disability?"
    assert say_title(change).alt == (title if merged else "How did patients do, all therapies together?")
    answer = say_answer(change, None, None, checks).alt
    assert write(coarse.detail[0]) in answer and "In how much detail?" in answer
    assert "only one therapy" not in answer.lower()
    methods = say_methods(change).alt
    assert "profile standard, with k = 11" in methods and "Therapies that count as one" in methods


def test_a_merged_therapy_is_drawn_and_tabulated_by_its_name(coarse):
    change = release(run_analysis("change", coarse))
    name = "Exercise" if "exercise_together" in coarse.therapies else "All therapies together"
    for view in (draw_trajectory(change), tabulate_change(change)):
        assert name in view.alt + view.html and "_together" not in view.html + view.alt
    blocks = tabulate_change(change).html.count('class="group"')
    assert blocks == (3 if name == "Exercise" else 1), "all together stand there once"


def test_the_panel_shows_stakeholders_the_same_detail_and_its_code_makes_it(tmp_path):
    records = read_clinic(tmp_path, {"manual_therapy": (15, 15, 11, 9), "usual_care": (14, 12, 10, 9)})
    question = PanelQuestion(PanelMeasure("odi"), audience="stakeholder")
    assert list(PanelAnswer(records, question).cohort.therapies) == ["all_together"]
    assert list(PanelAnswer(records, PanelQuestion(PanelMeasure("odi"))).cohort.therapies) == [
        "manual_therapy",
        "usual_care",
    ]
    code = write_code(records, question, "numbers")
    assert "cohort = choose_detail(cohort, 'stakeholder')" in code
    held: dict[str, object] = {}
    exec(compile(code, "panel", "exec"), held)
    assert held["change"].table["group"].unique().tolist() == ["all_together", "all"]
