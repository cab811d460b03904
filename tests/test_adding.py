"""To add an analysis with a table and a sentence takes at most eight places, and nothing can be forgotten.

The list in "To add something" of docs/architecture.md is followed in a copy of the project: whether patients
who were better early on are still better later. Places are files that a person edits; what `make docs` writes
anew are none.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outcomes.facts import Statistic

ROOT = Path(__file__).parents[1]
MOST_PLACES = 8
COPIED = (
    "src",
    "notebooks",
    "docs",
    "tests",
    "pyproject.toml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
)
FACTS = "src/outcomes/facts"
#: What `make docs` writes after it: no places.
GENERATED = {
    "docs/api.md",
    "docs/architecture.md",
    "src/outcomes/__init__.pyi",
    f"{FACTS}/words/en/notebooks.toml",
}
#: Keys that a statistic must have, for privacy rests on them.
MANDATORY = [
    field.name
    for field in dataclasses.fields(Statistic)
    if field.name != "id" and field.default is dataclasses.MISSING
]
#: Tests of test_architecture.py that hold what a folder offers, and what the description of the house lists.
REGISTRIES = (
    "test_a_folder_is_the_registry",
    "test_an_analysis_offers_one_function_and_has_a_name_and_a_method",
    "test_every_view_is_offered",
    "test_every_analysis_stands_in_the_description_of_the_house",
    "test_notebooks_begin_with_a_question_and_their_parameters",
    "test_report_notebooks_hold_a_few_plain_lines",
)

ANALYSIS = '''\
"""Whether patients who were better early on are still better later."""

from __future__ import annotations

import numpy as np

from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    explain_no_improvement,
    label_timepoint,
    list_follow_ups,
    percent,
    say,
)
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["count_lasting"]


def count_lasting(
    cohort: Cohort, *, by: str = "therapy", early: str | None = None, conf_level: float = 0.95
) -> Result:
    """Count who was better early on and still is at the primary time point.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    early : str, optional
        Id of the early follow-up; the first one where absent.
    conf_level : float
        Level of the Wilson intervals, a proportion.

    Returns
    -------
    Result
        Per group, then for ``all``: ``share_lasting``, of the patients who were better then than at the
        start and were seen at the primary time point, the share who were still better.
    """
    absent = explain_no_improvement(cohort)
    early = choose_timepoint(cohort, early or list_follow_ups(cohort)[0])
    grid = arrange_grid(cohort, by)
    first, later = (grid.improvement[:, grid.column(time)] for time in (early, cohort.primary))
    rows = Rows(outcome=cohort.outcome, statistic="share_lasting", timepoint=cohort.primary)
    for group, members in () if absent else grid.members():
        counted = members[(first[members] > 0) & ~np.isnan(later[members])]
        rows.add_share(grid, counted, later[counted] > 0, conf_level, group=group)
    method = say(
        "lasting.method",
        early=label_timepoint(cohort, early),
        later=label_timepoint(cohort, cohort.primary),
        level=percent(conf_level),
    )
    return conclude("lasting", cohort, rows, method=method, warnings=[absent or say("change.description")])
'''

STATISTIC = """\

[share_lasting]
kind = "share"
sums = false
spread_of = ""
difference_of = []
of_covariate = false
of_episodes = false
adds_over = []
part_of = ""
when_few = "withheld"
compares = "nothing"
in_chart = "nothing"
team_only = []
rests_on = "row"
same_for_any = []
score_is = ""
"""

METHOD = """\

[lasting]
name = "Whether improvement lasts"
method = "Of the patients better at {{ early }} than at the start and seen at {{ later }}, the share still \
better than at the start, with {{ level }} Wilson intervals. Nothing is imputed."
"""

VIEW_WORDS = """\

[lasting]
share = "Still better (95 % interval)"
caption = "Of the patients who were better early on, those who were still better."
answer = "Of the patients who were better early on, {{ share }} were still better at {{ time }}."
"""

VIEW = '''\
"""Whether improvement lasts: the table, and the answer in a sentence."""

from __future__ import annotations

from outcomes.disclosure import Release
from outcomes.result import ALL
from outcomes.views.labels import read_labels
from outcomes.views.released_rows import explain_absence, list_rows, sort_groups
from outcomes.views.table import TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, build_sentence

__all__ = ["say_lasting", "tabulate_lasting"]


def tabulate_lasting(lasting: Release) -> View:
    """Tabulate who was still better, per therapy.

    Parameters
    ----------
    lasting : Release
        Of the analysis ``lasting``.
    """
    labels, words = read_labels(lasting), lasting.words
    if not lasting.table["shown"].any():
        return build_empty_view("lasting", "table", (lasting,), explain_absence(lasting))
    lines = [
        TableLine(labels.title(row.group), {"n": row, "share": row})
        for row in list_rows(sort_groups(lasting.table, labels))
    ]
    columns = {
        "n": show_size(words.say("views.table.patients")),
        "share": show_interval(words.say("views.lasting.share")),
    }
    caption = words.say("views.lasting.caption")
    return build_table_view("lasting", (lasting,), lines, columns, caption=caption)


def say_lasting(lasting: Release) -> View:
    """Say which share of all patients who were better early on was still better.

    Parameters
    ----------
    lasting : Release
        Of the analysis ``lasting``.
    """
    whole = list_rows(lasting.where(group=ALL).table)
    if not whole or not whole[0].shown:
        return build_empty_view("lasting", "sentence", (lasting,), explain_absence(lasting))
    time = read_labels(lasting).time(whole[0].timepoint)
    text = lasting.words.say("views.lasting.answer", share=whole[0].display, time=time)
    return build_sentence("lasting", (lasting,), text)
'''

#: Of x 20 were better early on and seen later, 12 of them still better; of y 30, of whom 25: 5 are few.
ITS_TEST = '''\
"""Who was better early on and still is, counted by hand."""

from __future__ import annotations

from handmade import build_cohort, pick
from outcomes.analyses import count_lasting
from outcomes.disclosure import release
from outcomes.views import say_lasting, tabulate_lasting

COURSES = {
    "x": [("6 4 3", 12), ("6 4 7", 6), ("6 4 6", 2), ("6 7 3", 4), ("6 4 lost", 3)],
    "y": [("7 5 2", 25), ("7 5 8", 5)],
}


def build():
    rows = [
        f"p{therapy}{scores.replace(' ', '')}{number} {therapy} {scores}"
        for therapy, courses in COURSES.items()
        for scores, times in courses
        for number in range(times)
    ]
    return build_cohort("\\n".join(["patient therapy baseline week_6 month_6", *rows]))


def test_shares_are_of_those_who_were_better_early_on_and_seen_later():
    result = count_lasting(build())
    found = {group: pick(result, statistic="share_lasting", group=group) for group in ("x", "y", "all")}
    assert {group: (row.estimate, row.n) for group, row in found.items()} == {
        "x": (12 / 20, 20),
        "y": (25 / 30, 30),
        "all": (37 / 50, 50),
    }


def test_few_who_were_no_longer_better_are_not_told_of():
    released = release(count_lasting(build()))
    shown = dict(zip(released.table["group"], released.table["shown"], strict=True))
    assert not shown["x"] and not shown["y"]
    assert shown["all"] and "75&nbsp;% were still better" in say_lasting(released).html
    assert tabulate_lasting(released).html.count("withheld") == 2
'''

CHANGE = "- **Whether improvement lasts** (`lasting`): of those who were better early on, who still is.\n"

#: Scores at the start, after 6 weeks and after 3 months, with how many patients have them (x: one to three).
SMALL_CLINIC = {
    "strengthening": [("7", "4", "3", 30), ("8", "5", "9", 11), ("7", "6", "8", 9), ("6", "7", "5", 12)],
    "usual_care": [("7", "5", "4", 15), ("5", "3", "6", 15), ("8", "4", "", 5)],
}
SOURCE = """\
name = "small-clinic"
label = "A small clinic"
made_up = true
design = "routine"

[primary]
instrument = "nprs"
timepoint = "month_3"
reference = "usual_care"
covariates = []

[[file]]
path = "visits.csv"
rows = "episode"
columns = { episode_id = "case", therapy = "therapy" }
"""


def edit(project: Path, name: str, before: str, added: str) -> None:
    """Insert a text into a file of the project in front of another, or at its end."""
    path = project / name
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    place = text.index(before) if before else len(text)
    path.write_text(text[:place] + added + text[place:], encoding="utf-8")


def edit_notebook(project: Path) -> None:
    """Add to the profile of a therapy: import, analysis, a section with table and sentence, and Methods."""
    path = project / "notebooks" / "therapy_profile.ipynb"
    held = json.loads(path.read_text(encoding="utf-8"))
    cells = {cell["id"]: cell for cell in held["cells"]}
    for id, before, added in (
        ("therapy-profile-02", "choose_detail,", "count_lasting, say_lasting, tabulate_lasting,\n    "),
        ("therapy-profile-04", "domains =", "lasting = release(count_lasting(cohort), page)\n"),
        ("therapy-profile-22", "change,", "lasting, "),
    ):
        source = "".join(cells[id]["source"])
        place = source.index(before)
        cells[id]["source"] = (source[:place] + added + source[place:]).splitlines(keepends=True)
    heading = ["## Whether it lasts\n", "\n", "Who was better early on, and still was at the main time."]
    new = [{"cell_type": "markdown", "id": "whether-it-lasts", "metadata": {}, "source": heading}]
    for verb in ("say", "tabulate"):
        code = {"execution_count": None, "outputs": [], "source": [f"{verb}_lasting(lasting)"]}
        new.append({"cell_type": "code", "id": f"{verb}-lasting", "metadata": {}, **code})
    place = held["cells"].index(cells["who-was-counted"])
    held["cells"][place:place] = new
    path.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_small_clinic(project: Path) -> None:
    times = ("baseline", "week_6", "month_3")
    measure = '\n[[file.scores]]\ninstrument = "nprs"\nvariant = "average"\n'
    scores = "".join(f'{measure}timepoint = "{time}"\ncolumn = "{time}"\n' for time in times)
    place = project / "data"
    for folder in ("sources", "raw"):
        (place / folder).mkdir(parents=True)
    (place / "sources" / "small-clinic.toml").write_text(SOURCE + scores, encoding="utf-8")
    with (place / "raw" / "visits.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "therapy", *times))
        for therapy, courses in SMALL_CLINIC.items():
            for *course, patients in courses:
                for number in range(patients):
                    writer.writerow((f"{therapy[0]}{''.join(course)}-{number}", therapy, *course))


def list_changed(project: Path) -> set[str]:
    """Return the files of the copy that are new, or other than in the project itself."""
    found = (path for name in COPIED for path in [project / name, *(project / name).rglob("*")])
    names = {path.relative_to(project).as_posix() for path in found if path.is_file()}
    kept = {name for name in names if "__pycache__" not in name}
    return {
        name
        for name in kept
        if not (ROOT / name).is_file() or (ROOT / name).read_bytes() != (project / name).read_bytes()
    }


def call(project: Path, *arguments: str, code: int = 0) -> str:
    """Run Python in the copy with the copy's package; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def call_outcomes(project: Path, *arguments: str, code: int = 0) -> str:
    """Run the command `outcomes` of the copy."""
    return call(project, "-c", "from outcomes.cli import main; main()", *arguments, code=code)


@pytest.fixture(scope="module")
def added(tmp_path_factory) -> tuple[Path, set[str]]:
    """A copy of the project in which the list was followed, and the places that it took."""
    project = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", ".outcomes")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, project / name)
    edit(project, "src/outcomes/analyses/lasting.py", "", ANALYSIS)
    edit(project, f"{FACTS}/statistics.toml", "", STATISTIC)
    edit(project, f"{FACTS}/words/en/methods.toml", "", METHOD)
    edit(project, f"{FACTS}/words/en/views.toml", "", VIEW_WORDS)
    edit(project, "src/outcomes/views/lasting_table.py", "", VIEW)
    edit_notebook(project)
    edit(project, "tests/test_lasting.py", "", ITS_TEST)
    edit(project, "CHANGELOG.md", "- **Comparison**", CHANGE)
    places = list_changed(project)
    call(project, "docs/generate.py")
    return project, places


@pytest.fixture(scope="module")
def project(added) -> Path:
    """The copy, in which `make docs` has run."""
    return added[0]


def test_what_is_to_be_done_stands_in_the_list(added):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| analysis\b.*$", page, flags=re.MULTILINE)
    for name in added[1]:
        place = "tests/" if name.startswith("tests") else re.sub(r"lasting(_table)?\.py$", "", name)
        place = place.removeprefix("src/outcomes/").replace("/en/", "/<language>/")
        place = "notebooks/" if name.startswith("notebooks") else place
        assert f"`{place}`" in row, f"the list lacks {place}"


def test_an_analysis_with_a_table_and_a_sentence_takes_at_most_eight_places(added):
    project, places = added
    assert 0 < len(places) <= MOST_PLACES, sorted(places)
    assert list_changed(project) - places == GENERATED


def test_the_analysis_is_offered_runs_and_is_released(project):
    write_small_clinic(project)
    names = (
        "import outcomes; print({'count_lasting', 'say_lasting', 'tabulate_lasting'} <= {*outcomes.__all__})"
    )
    assert call(project, "-c", names) == "True\n"
    assert "\nlasting\n" in call_outcomes(project, "analyse", "--list")
    asked = ("analyse", "lasting", "--source", "small-clinic", "--format", "csv")
    exact = read_rows(call_outcomes(project, *asked))
    assert {row["group"]: (float(row["estimate"]), float(row["n"])) for row in exact} == {
        "strengthening": (30 / 50, 50),
        "usual_care": (15 / 30, 30),
        "all": (45 / 80, 80),
    }
    released = read_rows(call_outcomes(project, *asked, "--audience", "stakeholder"))
    assert {row["group"]: row["display"] for row in released} == {
        "strengthening": "60 %",
        "usual_care": "50 %",
        "all": "55 %",
    }


def read_rows(printed: str) -> list[dict[str, str]]:
    lines = printed.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("outcome,"))
    return list(csv.DictReader(lines[start : start + 4]))


def test_a_page_for_stakeholders_holds_the_table_and_the_sentence(project):
    call_outcomes(
        project, "report", "therapy_profile", "--source", "small-clinic", "--audience", "stakeholder"
    )
    (page,) = (path for path in (project / "reports" / "html").rglob("*.html") if path.name != "index.html")
    text = re.sub(r"&nbsp;|\s+", " ", page.read_text(encoding="utf-8"))
    assert "Of the patients who were better early on, 55 % were still better at 3 months." in text
    table = text[text.index("those who were still better.") :]
    assert re.search(r'>Strengthening.*?<td class="n">50</td>.*?>60 % \(', table)
    assert "<dt>Whether improvement lasts</dt><dd>Of the patients better at 6 weeks" in text


def test_tests_that_hold_lists_of_the_project_pass_in_the_copy(project):
    held = [
        *(f"tests/test_architecture.py::{name}" for name in REGISTRIES),
        "tests/test_docs.py::test_generated_pages_are_current",
        "tests/test_language.py::test_all_catalogues_have_the_same_keys",
        "tests/test_lasting.py",
        "tests/test_notebooks.py::test_a_notebook_imports_what_it_uses_and_nothing_else",
        "tests/test_notebooks.py::test_prose_holds_no_number_that_code_computes",
        "tests/test_statistics.py::test_what_was_decided_of_each_statistic_stays_so",
    ]
    call(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *held)


WITHOUT_KEYS = """
import json, re, sys
from pathlib import Path
from outcomes.errors import FactsError
from outcomes.facts import read_facts, read_statistics
path = Path(sys.argv[1])
whole, said = path.read_text(encoding="utf-8"), {}
before, block = whole.split("[share_lasting]")
for key in sys.argv[2:]:
    cut = re.sub(rf"(?m)^{key} = .*\\n", "", block)
    path.write_text(f"{before}[share_lasting]{cut}", encoding="utf-8")
    read_facts.cache_clear(), read_statistics.cache_clear()
    try:
        said[key] = "accepted" if read_statistics() and cut != block else "not there"
    except FactsError as error:
        said[key] = str(error)
path.write_text(whole, encoding="utf-8")
print(json.dumps(said))
"""


def test_whoever_forgets_a_key_that_privacy_rests_on_is_told_its_name(project):
    place = f"{FACTS}/statistics.toml"
    said = json.loads(call(project, "-c", WITHOUT_KEYS, place, *MANDATORY))
    assert len(MANDATORY) == 15
    assert said == {key: f"facts/statistics.toml, [share_lasting]: add {key} = ..." for key in MANDATORY}
