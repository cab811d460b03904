"""What a source must answer is met everywhere: on the terminal, in a series, in mail, status and on pages."""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from email import message_from_string, policy
from pathlib import Path

import pytest

from outcomes import read_records, release, select_cohort, summarise_change
from outcomes.cli import main
from outcomes.facts import read_words
from outcomes.panel import open_panel
from outcomes.reports import Job, WorkerPool, run_batch, run_report
from panel_texts import read_texts
from series_project import declare, write_notebook
from test_check import EVERY, make_rows, write_source
from test_run_command import _Post

FORKS = pytest.mark.skipif(sys.platform != "linux", reason="forking is for Linux")
BOTH = pytest.mark.parametrize("engine", ["stock", pytest.param("fork", marks=FORKS)])
DECLARED = """\
[defaults]
notebook = "mine"
audience = "team"
[report.calm]
source = "data/sources/calm.toml"
path = "data/calm"
[report.doubt]
source = "data/sources/doubt.toml"
path = "data/doubt"
"""
ANSWERED = '\nholds = "score"\n'
READING = "from outcomes import read_records\nrecords = read_records(source, path or None)"


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


def write_clinic(name: str, turned: bool, answer: str = "") -> None:
    """Write a clinic of 40 patients; ``turned`` has changes where scores after the start should stand."""
    rows = make_rows(40)
    if turned:
        rows = [row | {"odi_3": str(int(row["odi_3"]) - int(row["odi_0"]))} for row in rows]
    folder = Path("data", name)
    folder.mkdir(parents=True, exist_ok=True)
    Path("data", "sources").mkdir(exist_ok=True)
    write_source(folder, rows, EVERY)
    text = (folder / "clinic.toml").read_text(encoding="utf-8").replace('"clinic"', f'"{name}"')
    text = text.replace('column = "odi_3"', f'column = "odi_3"{answer}')
    (folder / "clinic.toml").unlink()
    Path("data", "sources", f"{name}.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two series of two clinics, whose records both say what they mean."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("OUTCOMES_SMTP", "OUTCOMES_MAIL", "OUTCOMES_PING")):
            monkeypatch.delenv(name)
    for folder in ("notebooks", "reports"):
        (tmp_path / folder).mkdir()
    write_notebook(tmp_path, READING, "## Answer\n\nYes.")
    declare(tmp_path, DECLARED)
    for name in ("calm", "doubt"):
        write_clinic(name, turned=False)
    return tmp_path


@pytest.fixture
def letters(monkeypatch):
    """What a mail server on this machine was sent."""
    taken: list[str] = []
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("P", (_Post,), {"letters": taken}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OUTCOMES_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("OUTCOMES_SMTP_PORT", str(server.server_address[1]))
    monkeypatch.setenv("OUTCOMES_SMTP_SECURITY", "none")
    monkeypatch.setenv("OUTCOMES_MAIL_TO", "lead@example.org")
    yield taken
    server.shutdown()
    server.server_close()


def test_an_open_question_fails_its_series_alone_and_is_shown_until_it_is_answered(project, letters, capsys):
    assert call("run", "--due", "--workers", "1") == 0
    pages = {path: path.read_bytes() for path in project.glob("reports/html/doubt/*/*.html")}
    assert len(pages) == 1 and not letters
    capsys.readouterr()

    write_clinic("doubt", turned=True)
    assert call("run", "--all", "--workers", "1") == 3
    said = capsys.readouterr().err
    assert "doubt was not read: answer 1 question first." in said
    assert "doubt 20" in said and "failed (open_question, exit code 3)" in said
    assert "stays as it is. Its records were read without asking" in said
    assert any(line.startswith("calm") and "released" in line for line in said.splitlines())
    assert {path: path.read_bytes() for path in pages} == pages

    letter = message_from_string(letters[0], policy=policy.default).get_content()
    assert "open_question (exit code 3)" in letter and 'holds = "change"' in letter
    assert call("status") == 1
    shown = capsys.readouterr().out
    assert "doubt waits for an answer in its source:" in shown
    assert "Question about clinic.csv, column 'odi_3'" in shown and 'holds = "change"' in shown
    assert "calm waits" not in shown
    call("status", "--json")
    by_name = {one["series"]: one for one in json.loads(capsys.readouterr().out)["series"]}
    assert by_name["calm"]["question"] == "" and by_name["calm"]["well"]
    assert "SCORE_OR_CHANGE" in by_name["doubt"]["question"] and by_name["doubt"]["reason"] == "open_question"
    index = (project / "reports" / "html" / "index.html").read_text(encoding="utf-8")
    assert "is an open question, which outcomes status shows" in index

    assert call("run", "--all", "--workers", "1") == 3
    assert len(letters) == 1, "the same question is no news"
    write_clinic("doubt", turned=True, answer='\nholds = "change"\n')
    assert call("run", "doubt", "--workers", "1") == 0
    assert call("status") == 0
    assert "waits for an answer" not in capsys.readouterr().out


@BOTH
def test_a_report_says_on_the_terminal_what_check_would_say(project, capsys, engine):
    write_clinic("doubt", turned=True)
    place = ("--source", "data/sources/doubt.toml", "--path", "data/doubt")
    assert call("check", *place) == 3
    told = capsys.readouterr().err.strip()
    assert call("report", "mine", *place, "--engine", engine, "-p", "audience=team") == 3
    said = capsys.readouterr().err
    assert told in said and "code cell 2 ended with RecordsError; nothing was published" in said


@BOTH
def test_what_a_cell_says_by_itself_stays_private(project, engine, capsys):
    raising = "from outcomes.errors import AnalysisError\nraise AnalysisError('P00017 is worse')"
    write_notebook(project, raising)
    assert call("report", "mine", "--engine", engine, "-p", "audience=team") == 6
    assert "P00017" not in "".join(capsys.readouterr())


def test_a_batch_hands_on_what_the_package_says(project):
    write_notebook(
        project,
        f"{READING}\nfrom outcomes import select_cohort\nselect_cohort(records, instrument='oswestry')",
    )
    job = Job("mine", {"audience": "team"}, "data/sources/calm.toml", "data/calm", project=str(Path.cwd()))
    with WorkerPool(1) as pool:
        (outcome,) = run_batch(pool, [job])
    assert outcome.state == "failed" and outcome.exit_code == 6
    assert "instrument 'oswestry' is not known; did you mean 'odi'" in outcome.message


@pytest.mark.parametrize(
    "name",
    ["therapy_comparison", "therapy_profile", "trend", "site_benchmark", "data_quality", "model_checks"],
)
def test_pages_say_how_records_were_read_and_warn_the_team_alone(project, name):
    write_clinic("doubt", turned=True, answer=ANSWERED)
    records = read_records("data/sources/doubt.toml", "data/doubt")
    said, warned = str(*records.list_said("odi")), str(*records.list_answered("odi"))
    assert "40" in warned and not any(letter.isdigit() for letter in said)
    place = {"source": "data/sources/doubt.toml", "path": "data/doubt"}
    shipped = Path(__file__).parents[1] / "notebooks" / f"{name}.ipynb"
    (project / "notebooks" / shipped.name).write_bytes(shipped.read_bytes())
    for audience in ("team", *(["stakeholder"] if name != "model_checks" else [])):
        page = run_report(name, {"audience": audience}, **place).page.read_text(encoding="utf-8")
        assert "How the records were read" in page and said in page
        assert (warned in page) == ('class="banner caveats"' in page) == (audience == "team")


def test_a_release_for_stakeholders_keeps_what_is_said_and_drops_what_counts(project):
    write_clinic("doubt", turned=True, answer=ANSWERED)
    change = summarise_change(select_cohort(read_records("data/sources/doubt.toml", "data/doubt")))
    (said,) = select_cohort(read_records("data/sources/doubt.toml", "data/doubt")).records.list_said("odi")
    outside, team = release(change, "stakeholder").origin, release(change, "team").origin
    assert outside.rules["reading"] == team.rules["reading"]
    assert read_words().write(outside.rules["reading"]) == str(said)
    assert outside.answered is None and len(team.answered) == 1


def test_a_page_of_another_measure_says_nothing_of_it(project):
    write_clinic("doubt", turned=True, answer=ANSWERED)
    records = read_records("data/sources/doubt.toml", "data/doubt")
    assert records.list_said("odi") and not records.list_said("nprs") and not records.list_answered("nprs")
    assert "reading" not in select_cohort(read_records("data/sources/calm.toml", "data/calm")).rules


def test_the_panel_warns_the_team_and_not_where_it_shows_what_others_see(project):
    write_clinic("doubt", turned=True, answer=ANSWERED)
    records = read_records("data/sources/doubt.toml", "data/doubt")
    panel = open_panel(records)
    warned = str(*records.list_answered("odi"))
    assert warned.replace("'", "&#x27;") in read_texts(panel)["warning"]
    panel.choose(audience="stakeholder")
    assert "40" not in read_texts(panel)["warning"]


def test_a_notebook_shows_a_question_as_words(project):
    write_clinic("doubt", turned=True)
    from outcomes.errors import RecordsError

    with pytest.raises(RecordsError) as caught:
        read_records("data/sources/doubt.toml", "data/doubt")
    shown = caught.value._render_traceback_()
    assert shown[0] == "doubt was not read: answer 1 question first."
    assert any(line.startswith("  Question about clinic.csv") for line in shown)
