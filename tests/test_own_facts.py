"""What users bring of their own: an instrument in one file, and tables of scores that may not ship."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from outcomes.analyses import summarise_change
from outcomes.cohort import select_cohort
from outcomes.errors import FactsError, ReportError
from outcomes.facts import list_instruments, read_instrument
from outcomes.facts.instrument_sheet import list_instrument_rows, write_instrument_sheet
from outcomes.records import read_records
from outcomes.records.scoring import score_items
from outcomes.reports import run_report

ROOT = Path(__file__).parents[1]
#: The example of the page that tells users how to do it.
OWN = re.search(
    r"```toml\n(.*?)```", (ROOT / "data" / "instruments" / "README.md").read_text(encoding="utf-8"), re.DOTALL
)[1]
PROMIS = ("pf4a_v2_0", "pf4a_v1_0", "pi4a", "pi8a", "anx4a", "dep4a", "fat4a", "sd4a", "sr4a")

SOURCE = """
name = "our-clinic"
label = "Our clinic"
made_up = true
design = "routine"

[primary]
instrument = "our_scale"
timepoint = "month_3"
reference = "usual_care"

[[file]]
path = "visits.csv"
rows = "episode"

[file.columns]
episode_id = "case"
therapy = "therapy"

[[file.scores]]
instrument = "our_scale"
timepoint = "baseline"
items = ["a1", "a2", "a3", "a4"]

[[file.scores]]
instrument = "our_scale"
timepoint = "month_3"
items = ["b1", "b2", "b3", "b4"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's project with an instrument of its own and a source whose records hold its items."""
    for folder in ("instruments", "sources", "raw"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "data" / "instruments" / "our_scale.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "data" / "sources" / "our-clinic.toml").write_text(SOURCE, encoding="utf-8")
    random = np.random.default_rng(5)
    lines = ["case,therapy,a1,a2,a3,a4,b1,b2,b3,b4"]
    for number in range(60):
        items = [*random.integers(1, 4, 4), *random.integers(0, 3, 4)]
        therapy = "strengthening" if number % 2 else "usual_care"
        lines.append(",".join([f"c{number}", therapy, *map(str, items)]))
    (tmp_path / "data" / "raw" / "visits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_file_makes_an_instrument_that_is_listed_and_scored(project: Path) -> None:
    assert "our_scale" in list_instruments()
    assert score_items("our_scale", [[1, 2, 3, 0]]).score.tolist() == [6.0]
    assert write_instrument_sheet("our_scale").startswith("# Our own scale (Our scale)")
    assert "our_scale" in {row["id"] for row in list_instrument_rows()}


def test_its_records_are_read_and_scored(project: Path) -> None:
    cohort = select_cohort(read_records("our-clinic"))
    assert (cohort.outcome, len(cohort.episodes)) == ("our_scale", 60)
    changes = summarise_change(cohort).where(statistic="mean_improvement", group="all").table
    assert changes["estimate"].item() > 2


def test_its_report_compares_therapies_and_cites_its_own_threshold(project: Path) -> None:
    report = run_report("therapy_comparison", {"audience": "team"}, source="our-clinic", out=project / "html")
    page = report.page.read_text(encoding="utf-8")
    assert "Our own scale" in page
    assert "written in this clinic" in page, "its source"
    assert "Better by 3 points or more (agreed in this clinic)" in page
    exported = (report.page.with_suffix("") / "results.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(exported.splitlines()))
    assert {row["outcome"] for row in rows if row["outcome"]} == {"our_scale"}
    contrast = [row for row in rows if row["statistic"] == "contrast"]
    assert {row["state"] for row in contrast} == {"ok"}
    assert {contrast[0]["group"], contrast[0]["versus"]} == {"strengthening", "usual_care"}


def test_a_page_may_ask_for_another_threshold_and_is_named_by_it(project: Path) -> None:
    asked = {"audience": "team", "threshold": "absolute:5"}
    report = run_report("therapy_comparison", asked, source="our-clinic", out=project / "html")
    assert report.page.name.startswith("therapy_comparison-our-clinic-our_scale-absolute-5-team")
    page = report.page.read_text(encoding="utf-8")
    assert "Better by 5 points or more (a rule of this page, without a source)" in page
    assert "Better by 3 points" not in page
    for wrong, said in (("our-choise", "it has: our-choice"), ("absolute:x", "is no rule")):
        with pytest.raises(ReportError, match=said) as caught:
            run_report("therapy_comparison", {**asked, "threshold": wrong}, source="our-clinic")
        assert caught.value.exit_code == 2


def test_a_subscale_and_a_flag_come_through_the_records(project: Path) -> None:
    spec = [(f"k{i}", f"l{i}") for i in range(4)]
    before, after = ([pair[side] for pair in spec] for side in (0, 1))
    mood = [f"m{i}" for i in range(9)]
    blocks = [
        ("koos", "qol", "baseline", before),
        ("koos", "qol", "month_3", after),
        ("phq9", "", "baseline", mood),
    ]
    scores = ""
    for instrument, variant, time, items in blocks:
        named = f'variant = "{variant}"\n' if variant else ""
        scores += (
            f'[[file.scores]]\ninstrument = "{instrument}"\n{named}timepoint = "{time}"\nitems = {items}\n'
        )
    head = SOURCE.replace("our-clinic", "knees").replace("our_scale", "koos").replace("visits", "knees")
    text = head[: head.index("[[file.scores]]")] + scores.replace("'", '"')
    (project / "data" / "sources" / "knees.toml").write_text(text, encoding="utf-8")
    lines = [",".join(["case", "therapy", *before, *after, *mood])]
    for number in range(20):
        items = [4, 3, 4, 3, 1, "" if number else 1, 1, 1, *[1] * 8, int(number == 0)]
        lines.append(",".join([f"c{number}", "usual_care", *map(str, items)]))
    (project / "data" / "raw" / "knees.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = read_records("knees")
    cohort = select_cohort(records)
    assert (cohort.outcome, cohort.instrument.sign) == ("koos:qol", 1)
    grid = cohort.table.set_index(["episode_id", "timepoint"])["score"]
    assert grid["c1"].to_dict() == {"baseline": 12.5, "month_3": 75.0}
    flags = [finding for finding in records.findings if finding.rule == "SCORE_FLAG"]
    assert [finding.count for finding in flags] == [1], (
        "an answer that must be seen is told, whatever the total"
    )


def test_a_changed_file_is_read_again(project: Path) -> None:
    assert read_instrument("our_scale").maximum == 12
    path = project / "data" / "instruments" / "our_scale.toml"
    path.write_text(OWN.replace("n_items = 4", "n_items = 3").replace("12", "9"), encoding="utf-8")
    assert read_instrument("our_scale").maximum == 9


def test_a_wrong_file_is_refused_with_what_to_change(project: Path) -> None:
    folder = project / "data" / "instruments"
    (folder / "odi.toml").write_text(OWN.replace("our_scale", "odi"), encoding="utf-8")
    with pytest.raises(FactsError, match="the package has an instrument 'odi'; give yours another id"):
        read_instrument("odi")
    (folder / "odi.toml").unlink()
    (folder / "other.toml").write_text(OWN, encoding="utf-8")
    with pytest.raises(FactsError, match="id = 'our_scale' is not the name of the file"):
        read_instrument("other")
    spelt = OWN.replace("our_scale", "other").replace("item_step", "item_setp")
    (folder / "other.toml").write_text(spelt, encoding="utf-8")
    with pytest.raises(FactsError, match="unknown key 'item_setp'; did you mean 'item_step'"):
        read_instrument("other")


def write_table(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "promis_pi4a.csv").write_text(text, encoding="utf-8")
    return folder


def make_table(low: int = 4, high: int = 20) -> str:
    return "# made up\nraw_sum,t_score,se\n" + "".join(
        f"{sum},{40 + sum},2\n" for sum in range(low, high + 1)
    )


def test_without_its_table_the_message_says_where_to_put_it(project: Path) -> None:
    with pytest.raises(FactsError) as caught:
        score_items("promis_pi_4a", [[3, 3, 3, 3]])
    assert "data/tables/promis_pi4a.csv" in str(caught.value)
    assert "raw_sum,t_score,se, one line for each sum from 4 to 20" in str(caught.value)


def test_a_table_in_the_project_or_in_a_folder_is_used(project: Path) -> None:
    write_table(project / "data" / "tables", make_table())
    assert score_items("promis_pi_4a", [[3, 3, 3, 3]]).score.tolist() == [52.0]
    other = write_table(project / "elsewhere", make_table().replace(",2\n", ",3\n"))
    scores = score_items("promis_pi_4a", [[3, 3, 3, 3], [3, 3, 3, np.nan]], tables=other)
    assert scores.std_error.tolist()[0] == 3.0
    assert np.isnan(scores.score[1]), "partial answers give no T score"
    assert list(scores.state) == ["complete", "too_few_items"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (make_table(high=19), "one line is needed for each sum from 4 to 20"),
        (make_table().replace("12,52", "12,62"), "rise or fall throughout; see the lines of sums 12 and 13"),
        (make_table().replace("20,60", "20,95"), "outside 10 to 90"),
        (make_table().replace("raw_sum", "sum"), "the columns must be raw_sum,t_score,se"),
        (make_table().replace("4,44", "4,44;0"), "must hold numbers with a decimal point"),
        (make_table().replace("4,44", "4,nan"), "not a finite number"),
        (make_table() + "21\n", "as many columns as the header"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FactsError, match=message):
        score_items("promis_pi_4a", [[3, 3, 3, 3]], tables=write_table(tmp_path, text))


@pytest.mark.parametrize("name", PROMIS)
def test_the_real_tables_pass_the_checks(name: str, shared: Path) -> None:
    variants = {
        "pf4a_v2_0": "promis_pf_4a:v2_0", "pf4a_v1_0": "promis_pf_4a:v1_0", "pi4a": "promis_pi_4a",
        "pi8a": "promis_pi_8a", "anx4a": "promis29:anxiety", "dep4a": "promis29:depression",
        "fat4a": "promis29:fatigue", "sd4a": "promis29:sleep_disturbance", "sr4a": "promis29:social",
    }  # fmt: skip
    instrument = read_instrument(variants[name])
    n_items = instrument.scoring_rule.n_items
    forms = np.array([[1.0] * n_items, [3.0] * n_items, [5.0] * n_items])
    scores = score_items(instrument, forms, tables=shared / "facts" / "tables").score
    table = (shared / "facts" / "tables" / f"promis_{name}.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in table.splitlines() if line[0].isdigit()]
    by_sum = {int(row[0]): float(row[1]) for row in rows}
    assert scores.tolist() == [by_sum[n_items * answer] for answer in (1, 3, 5)]


def test_no_table_of_others_ships() -> None:
    folder = ROOT / "src" / "outcomes" / "facts" / "conversions"
    assert sorted(path.stem for path in folder.glob("*.csv")) == ["hoos_jr", "hoos_ps", "koos_jr", "koos_ps"]
