"""The command line: what it prints, what it keeps to itself, and which code it ends with."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from outcomes.analyses import list_analyses, summarise_change
from outcomes.cli import main
from outcomes.cli.screen import keep_traceback
from outcomes.cohort import select_cohort
from outcomes.facts import list_instruments
from outcomes.records import read_records
from outcomes.synthetic import write_clinic

PACKAGED = Path(__file__).parents[1] / "data" / "raw" / "made-up-clinic"
COMMANDS = ("check", "draft", "template", "report", "analyse", "instruments", "simulate", "explore")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("records") / "clinic"
    write_clinic(folder, n_episodes=160, seed=7)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives its exit code, what it printed, and what it said beside."""
    monkeypatch.chdir(tmp_path)

    def go(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return go


def test_help_comes_without_heavy_imports():
    heavy = "{'pandas', 'numpy', 'pyarrow', 'matplotlib', 'statsmodels', 'papermill', 'openpyxl', 'IPython'}"
    code = (
        "import sys\nfrom outcomes.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as ended:\n    assert not ended.code\n"
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0 and f"outcomes {command}" in out


def test_installed_program_prints_its_version():
    program = Path(sys.executable).with_name("outcomes.exe" if os.name == "nt" else "outcomes")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("outcomes 0.")


def test_check_says_what_was_read_and_what_each_audience_will_see(run, clinic):
    code, out, _ = run("check", "--path", clinic)
    assert code == 0
    for text in ("records read", "Completeness", "stakeholder", "team", "comparable on what was recorded"):
        assert text in out
    records = read_records("made-up-clinic", clinic, private_folder="private")
    assert f"{records.n_read} records read, {records.n_accepted} accepted" in out


def test_ids_of_overdue_follow_ups_go_to_a_private_file_only(run, clinic, tmp_path):
    code, out, _ = run("check", "--path", clinic, "--json")
    overdue = json.loads(out)["overdue"]
    listed = list(csv.DictReader((tmp_path / overdue["file"]).open(encoding="utf-8")))
    assert code == 0 and len(listed) == overdue["n"] > 0
    assert not any(row["episode_id"] in out for row in listed)
    grid = select_cohort(read_records("made-up-clinic", clinic, private_folder="private")).table
    latest = grid.loc[grid["status"] != "not_yet_due"].groupby("episode_id", observed=True).tail(1)
    expected = latest.loc[latest["status"].isin(["missing", "lost"]), "episode_id"]
    assert sorted(row["episode_id"] for row in listed) == sorted(expected)
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / overdue["file"]).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / ".outcomes").stat().st_mode) == 0o700


def test_check_as_json_counts_what_is_withheld(run, clinic):
    _, out, _ = run("check", "--path", clinic, "--json")
    rows = json.loads(out)["audiences"]["rows"]
    assert all(row["shown"] + row["withheld"] == row["rows"] for row in rows)
    assert all(row["withheld"] == 0 for row in rows if row["audience"] == "team")


def test_refused_records_are_named_by_line_and_rule_never_by_value(run, clinic, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in clinic.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    lines = (broken / "assessments.csv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    cells = lines[4].split(",")
    cells[header.index("nprs_average")] = "8765"
    lines[4] = ",".join(cells)
    (broken / "assessments.csv").write_text("\n".join(lines), encoding="utf-8")
    code, out, err = run("check", "--path", broken)
    assert code == 0
    assert "SCORE_RANGE" in out and "line 5" in out
    assert "8765" not in out + err


def test_analyse_prints_the_same_numbers_as_the_function(run, clinic):
    code, out, err = run(
        "analyse", "change", "--path", clinic, "--instrument", "nprs:average", "--format", "csv"
    )
    assert code == 0 and "Method: " in err
    rows = list(csv.DictReader(StringIO(out)))
    cohort = select_cohort(
        read_records("made-up-clinic", clinic, private_folder="private"), instrument="nprs", variant="average"
    )
    expected = summarise_change(cohort).table
    assert [row["statistic"] for row in rows] == expected["statistic"].tolist()
    found = [float(row["estimate"]) for row in rows if row["estimate"]]
    assert found == pytest.approx(expected["estimate"].dropna().tolist(), rel=1e-12)


def test_analyse_as_json_carries_method_states_and_flow(run, clinic):
    code, out, _ = run("analyse", "responders", "--path", clinic, "--format", "json")
    content = json.loads(out)
    assert code == 0
    assert content["name"] == "responders" and content["method"] and content["states"]
    assert {"n_episodes", "n_excluded_patients"} <= {row["statistic"] for row in content["flow"]}
    assert {"estimate", "state", "n"} <= set(content["rows"][0])


def test_analyse_for_stakeholders_prints_the_release(run, clinic):
    _, out, _ = run("analyse", "change", "--path", clinic, "--audience", "stakeholder", "--format", "json")
    rows = json.loads(out)["rows"]
    assert all(row["std_error"] is None and row["df"] is None for row in rows)
    assert all(row["n"] is None or row["n"] % 5 == 0 for row in rows)


def test_analyse_takes_options_of_cohort_and_analysis(run, clinic):
    times = ("-p", "timepoints=month_3", "-p", "primary=month_3")
    options = (*times, "-p", "conf_level=0.9", "--where", "age_years=18..60")
    code, out, _ = run("analyse", "change", "--path", clinic, "--format", "json", *options)
    content = json.loads(out)
    assert code == 0
    assert {row["timepoint"] for row in content["rows"]} == {"baseline", "month_3"}
    assert "90" in content["method"]


def test_analyse_prints_a_readable_table_and_flow(run, clinic):
    code, out, _ = run("analyse", "flow", "--path", clinic)
    assert code == 0
    assert "Method: " in out and "episodes in the records" in out and "nan" not in out


def test_own_threshold_is_estimated_with_the_coding_and_the_doubts(run):
    options = ("--instrument", "nprs:average", "-p", "improved=state:<=2", "-p", "resamples=50")
    code, out, _ = run("analyse", "important_change", "--path", PACKAGED, *options)
    assert code == 0
    for word in (
        "mic_predictive",
        "mic_adjusted",
        "mic_improved",
        "mic_roc",
        "conf_low",
        "correlation_change",
    ):
        assert word in out
    assert "1 = very much improved (improved: <= 2)" in out
    assert "Patient Global Impression of Change was not checked against a public source" in out


def test_what_holds_of_the_measure_is_noted(run, clinic):
    sorensen = run("analyse", "change", "--path", clinic, "--instrument", "sorensen_s")[1]
    assert "The measurement of Sørensen stops at 240 s" in sorensen
    index = run("analyse", "change", "--path", clinic, "--instrument", "eq5d_5l:taiwan")[1]
    assert "made with the value set Taiwan (doi 10.1371/journal.pone.0209344" in index
    assert "eq5d_5l:taiwan" in index


def test_analyse_lists_every_analysis(run):
    assert run("analyse", "--list") == (0, "\n".join(list_analyses()) + "\n", "")


def test_instruments_are_listed_and_shown_with_their_sources(run):
    code, out, _ = run("instruments")
    assert code == 0 and all(id in out for id in list_instruments())
    code, out, _ = run("instruments", "odi")
    assert code == 0 and out.startswith("# Oswestry Disability Index") and "Ostelo 2008" in out
    assert json.loads(run("instruments", "odi", "--json")[1])["maximum"] == 100


def test_simulate_is_the_same_for_the_same_seed(run, tmp_path):
    for folder in ("a", "b"):
        assert run("simulate", "--episodes", 20, "--seed", 3, "--out", folder)[0] == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files and all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )


def test_draft_is_written_once_and_checked_by_its_name(run, tmp_path):
    (tmp_path / "my export.csv").write_text(
        "patient id,therapy,baseline ODI\n" + "".join(f"P{i},manual,{30 + i}\n" for i in range(9)),
        encoding="utf-8",
    )
    code, out, _ = run("draft", "my export.csv")
    assert code == 0 and (tmp_path / "data" / "sources" / "my-export.toml").is_file()
    assert "outcomes check --source my-export" in out
    code, _, err = run("draft", "my export.csv")
    assert code == 2 and "--replace" in err
    code, _, err = run("check", "--source", "my-export", "--path", "my export.csv")
    assert code == 2 and "QUESTION_OPEN" in err and "label = " in err
    code, out, _ = run("draft", "my export.csv", "--out", "-")
    assert code == 0 and out.startswith("# Drafted from my export.csv")


def test_template_is_written_and_not_written_over(run, tmp_path):
    code, out, _ = run("template", "--out", "form.xlsx")
    assert code == 0 and "--source template --path form.xlsx" in out
    assert run("template", "--out", "form.xlsx")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["check", "--source", "made-up-clinik"], 2, "There is no source"),
        (["check", "--path", "nowhere"], 2, "does not exist"),
        (["analyse", "chang"], 6, "did you mean 'change'"),
        (["analyse", "change", "-p", "level=0.9"], 6, "by, conf_level"),
        (["analyse", "change", "-p", "conf_level=high"], 6, "a value such as 0.95"),
        (["analyse", "change", "-p", "conf_level"], 2, "key=value"),
        (["analyse", "change", "--format", "xml"], 2, "table, csv or json"),
        (["analyse", "change", "--audience", "press"], 7, "stakeholder, team"),
        (["instruments", "odj"], 2, "did you mean 'odi'"),
        (["draft", "absent.xlsx"], 3, "there is no such file"),
        (["draft"], 2, "Missing argument"),
        (["simulate", "--episodes", "0"], 2, "--episodes"),
        (["report", "therapy_comparision"], 2, "There is no report"),
        (["explore"], 2, "explore.ipynb"),
        (["tabulate"], 2, "No such command"),
    ],
)
def test_mistakes_end_with_a_sentence_and_a_code(run, arguments, code, words):
    found, out, err = run(*arguments)
    assert found == code
    assert words in err
    assert "Traceback" not in out + err


def test_place_that_cannot_be_written_ends_with_code_9(run, tmp_path):
    (tmp_path / "data").write_text("in the way", encoding="utf-8")
    (tmp_path / "a.csv").write_text("patient id,baseline ODI\n1,20\n2,30\n", encoding="utf-8")
    code, _, err = run("draft", "a.csv")
    assert code == 9 and "cannot be read or written" in err


def test_bug_keeps_its_traceback_privately(tmp_path):
    folder = tmp_path / ".outcomes"
    try:
        {"R1000": 1}["Tina Wood"]
    except KeyError as error:
        line = keep_traceback(error, folder)
    (kept,) = folder.iterdir()
    assert "Tina Wood" not in line and kept.name in line and "\n" not in line
    assert "Tina Wood" in kept.read_text(encoding="utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
