"""What a report promises: checked parameters, one clean page, and nothing half done."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from outcomes.errors import FactsError, ReportError
from outcomes.reports import TimeLimits, find_notebook, list_reports, parse_texts, read_parameters, run_report
from outcomes.reports.parameters import check_parameters
from outcomes.reports.prose import render_fragment, render_prose, split_sections
from outcomes.reports.publication import prepare_folder, publish

PARAMETERS = """\
audience = "stakeholder"  # one of: team, stakeholder
k = 11                    # smallest number of patients, from 5 to 100
share = 0.5               # proportion, from 0 to 1
period = ""               # words for the header
adjusted = True           # whether to adjust
"""


def build_notebook(*cells: str, parameters: str = PARAMETERS):
    """Return a notebook of code cells; a text beginning with # is Markdown."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    made = [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text) for text in cells]
    return new_notebook(cells=[new_markdown_cell("# Which is larger?\n\nFor everyone."), first, *made])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, the current folder; returns what writes a report notebook into it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()

    def write(name, *cells, parameters=PARAMETERS):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        nbformat.write(build_notebook(*cells, parameters=parameters), path)
        return path

    return write


def schema():
    return read_parameters(build_notebook())


# Parameters


def test_the_parameters_cell_is_the_schema():
    read = schema()
    assert list(read) == ["audience", "k", "share", "period", "adjusted"]
    assert [parameter.kind for parameter in read.values()] == [str, int, float, str, bool]
    assert read["audience"].allowed == ("team", "stakeholder")
    assert (read["k"].minimum, read["k"].maximum) == (5, 100)
    assert read["period"].meaning == "words for the header"


def test_defaults_stand_where_nothing_is_given():
    values = check_parameters(schema(), {"k": 8})
    assert values == {"audience": "stakeholder", "k": 8, "share": 0.5, "period": "", "adjusted": True}


def test_values_keep_the_declared_types():
    given = {"k": np.int64(20), "share": 1, "period": Path("2018")}
    values = check_parameters(schema(), given)
    assert [type(values[name]) for name in given] == [int, float, str]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"kk": 8}, "PARAMETER_UNKNOWN"),
        ({"k": "8"}, "PARAMETER_TYPE"),
        ({"k": True}, "PARAMETER_TYPE"),
        ({"k": 8.5}, "PARAMETER_TYPE"),
        ({"k": 4}, "PARAMETER_RANGE"),
        ({"k": 101}, "PARAMETER_RANGE"),
        ({"share": float("nan")}, "PARAMETER_TYPE"),
        ({"adjusted": 1}, "PARAMETER_TYPE"),
        ({"audience": "press"}, "PARAMETER_VALUE"),
        ({"period": "2018\x00"}, "PARAMETER_VALUE"),
        ({"period": "abc\u202egpj"}, "PARAMETER_VALUE"),
        ({"period": "x" * 401}, "PARAMETER_RANGE"),
        ({"period": None}, "PARAMETER_TYPE"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(given, rule):
    with pytest.raises(ReportError, match=rule) as caught:
        check_parameters(schema(), given)
    assert caught.value.exit_code == 2


def test_all_wrong_parameters_are_named_at_once():
    with pytest.raises(ReportError) as caught:
        check_parameters(schema(), {"audince": "team", "k": 3, "adjusted": "yes"})
    assert [finding.rule for finding in caught.value.findings] == [
        "PARAMETER_UNKNOWN", "PARAMETER_RANGE", "PARAMETER_TYPE",
    ]  # fmt: skip
    assert "did you mean 'audience'?" in str(caught.value)


def test_typed_text_is_read_by_the_declared_type():
    texts = {"k": "8", "share": "0.25", "period": "007", "adjusted": "False"}
    assert parse_texts(schema(), texts) == {"k": 8, "share": 0.25, "period": "007", "adjusted": False}
    with pytest.raises(ReportError, match="k must be a whole number"):
        check_parameters(schema(), parse_texts(schema(), {"k": "eight"}))


@pytest.mark.parametrize(
    "line", ["import os", "a = b = 1", "k: int = 3.5", "x = None", "x = f()", "x = [1, 'a']", "x: date = ''"]
)
def test_a_parameters_cell_holds_plain_values_only(line):
    with pytest.raises(ReportError, match="name = value"):
        read_parameters(build_notebook(parameters=PARAMETERS + line))


def test_a_report_says_for_whom_and_from_how_many_patients():
    with pytest.raises(ReportError, match="Add k"):
        read_parameters(build_notebook(parameters='audience = "team"'))


# Catalogue


def test_reports_are_found_by_name_only(project):
    project("mine", "1")
    assert find_notebook("mine").name == "mine.ipynb"
    assert "mine" in list_reports() and "explore" not in list_reports()
    for name in ("../mine", "mine.ipynb", "/etc/passwd", "", "CON:", "a" * 300, "no\x00tebook"):
        with pytest.raises(ReportError) as caught:
            find_notebook(name)
        assert caught.value.exit_code == 2


def test_an_unknown_report_names_the_nearest(project):
    project("mine", "1")
    with pytest.raises(ReportError, match="did you mean 'mine'"):
        find_notebook("mien")


# Prose


def test_prose_keeps_what_a_reader_needs():
    html = render_prose(
        "A **strong** word, a [source](https://doi.org/10.1000/1) and `code`.\n\n- one\n- two"
    )
    for piece in ("<strong>strong</strong>", 'href="https://doi.org/10.1000/1"', "<li>one</li>"):
        assert piece in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
        "![a](https://example.org/a.png)", "<iframe src='https://example.org'></iframe>",
        "<svg onload=alert(1)>", "<a href='data:text/html,alert(1)'>x</a>", "<style>@import 'x'</style>",
        "<form action='https://example.org'><input></form>", "<p onclick=alert(1)>x</p>",
        "<link rel=stylesheet href=//example.org>", "<base href=//example.org>", "<!-- hidden -->",
        "[a](../../secret.csv)", "<math><mi xlink:href='javascript:alert(1)'>", "<meta http-equiv=refresh>",
    ],
)  # fmt: skip
def test_prose_loses_whatever_acts_or_fetches(text):
    html = render_prose(text) + (render_fragment(text) if text.startswith("<") else "")
    for piece in (
        "alert(",
        "script",
        "onerror",
        "onload",
        "onclick",
        "example.org",
        "secret",
        "hidden",
        "<meta",
    ):
        assert piece not in html


def test_headings_in_code_are_not_headings():
    assert list(split_sections("```\n## no\n```\n## Yes ##\ntext"))[1:] == [(2, "Yes", "text")]


# Putting files in place


def test_a_page_replaces_the_last_one_and_its_old_files(tmp_path):
    publish(tmp_path, "page", b"old", {"a.csv": b"1", "b.csv": b"2"})
    path = publish(tmp_path, "page", b"new", {"a.csv": b"3"})
    assert path.read_bytes() == b"new"
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "page").iterdir()} == {"a.csv": b"3"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["page", "page.html"]


def test_a_page_that_cannot_be_written_leaves_the_last_one(tmp_path):
    path = publish(tmp_path, "page", b"old", {})
    (tmp_path / "page" / "results.csv").mkdir()
    with pytest.raises(ReportError) as caught:
        publish(tmp_path, "page", b"new", {"results.csv": b"1"})
    assert caught.value.exit_code == 9
    assert path.read_bytes() == b"old"
    assert not list(tmp_path.rglob(".*"))


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReportError, match="cannot be written") as caught:
        prepare_folder(tmp_path / "file")
    assert caught.value.exit_code == 9


# Runs


def list_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_report_of_prose_only_becomes_a_page(project):
    project("mine", "1 + 1", "## Answer\n\nYes.")
    report = run_report("mine")
    page = report.page.read_text(encoding="utf-8")
    assert report.page.name == "mine-stakeholder.html" and report.state == "published"
    assert "<h1>Which is larger?</h1>" in page and "<p>Yes.</p>" in page
    assert json.loads(report.manifest.read_text(encoding="utf-8"))["state"] == "published"


@pytest.mark.parametrize(
    ("cells", "number", "kind"),
    [
        (["1", "raise ValueError('patient P00017')", "2"], 3, "ValueError"),
        (["import sys; sys.exit(0)"], 2, "SystemExit"),
        (["from outcomes.errors import PrivacyError\nraise PrivacyError('P00017')"], 2, "PrivacyError"),
    ],
)
def test_a_failed_run_names_cell_and_kind_and_publishes_nothing(project, cells, number, kind):
    project("mine", *cells)
    with pytest.raises(ReportError, match=f"code cell {number} ended with {kind}") as caught:
        run_report("mine")
    assert caught.value.exit_code == (4 if kind == "PrivacyError" else 6)
    assert "P00017" not in str(caught.value)
    assert ("outcomes check" in str(caught.value)) == (kind == "PrivacyError")
    assert not list_files(Path("reports"))
    (manifest,) = Path(".outcomes").rglob("manifest.json")
    assert json.loads(manifest.read_text(encoding="utf-8"))["state"] == "failed"


def test_what_a_failed_cell_said_is_kept_privately(project):
    project("mine", "raise ValueError('patient P00017')")
    with pytest.raises(ReportError, match=r"error\.txt"):
        run_report("mine")
    (text,) = Path(".outcomes").rglob("error.txt")
    assert "P00017" in text.read_text(encoding="utf-8")


def test_a_cell_that_is_allowed_to_fail_fails_the_report(project):
    path = project("mine", "raise KeyError('P00017')", "2")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    with pytest.raises(ReportError, match="code cell 2 ended with KeyError"):
        run_report("mine")


def test_a_skipped_cell_fails_the_report(project):
    path = project("mine", "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, path)
    with pytest.raises(ReportError, match="code cell 2 ended with NotRun"):
        run_report("mine")


def test_a_kernel_that_dies_fails_the_report(project):
    project("mine", "import os; os._exit(0)", "2")
    with pytest.raises(ReportError, match="ended unexpectedly") as caught:
        run_report("mine")
    assert caught.value.exit_code == 6 and not list_files(Path("reports"))


@pytest.mark.parametrize("limits", [TimeLimits(cell=1, report=60), TimeLimits(cell=60, report=4)])
def test_time_limits_hold_for_a_cell_and_for_the_report(project, limits):
    project("mine", "import time", "time.sleep(50)")
    with pytest.raises(ReportError, match="time ran out") as caught:
        run_report("mine", limits=limits)
    assert caught.value.exit_code == 10 and not list_files(Path("reports"))


def test_a_failure_leaves_the_last_good_page(project):
    project("mine", "fail = False", "if fail:\n    raise ValueError", "## Answer\n\nYes.")
    before = run_report("mine").page.read_bytes()
    project("mine", "raise ValueError", "## Answer\n\nNo.")
    with pytest.raises(ReportError):
        run_report("mine")
    assert Path("reports/html/mine-stakeholder.html").read_bytes() == before


def test_wrong_parameters_and_places_are_refused_before_anything_runs(project):
    project(
        "mine", "open('ran', 'w').close()", parameters=PARAMETERS + 'instrument = ""\nsource = ""\npath = ""'
    )
    Path("file").write_bytes(b"")
    with pytest.raises(ReportError, match="did you mean 'odi'"):
        run_report("mine", {"instrument": "odl"})
    with pytest.raises(FactsError, match="no source"):
        run_report("mine", source="nowhere")
    with pytest.raises(ReportError) as caught:
        run_report("mine", out="file")
    assert caught.value.exit_code == 9
    assert not Path("ran").exists() and not Path(".outcomes").exists()


def test_the_private_folder_is_closed_to_others(project):
    if os.name != "posix":
        pytest.skip("modes of files are those of POSIX")
    before = os.umask(0)
    try:
        project("mine", "1")
        report = run_report("mine")
    finally:
        os.umask(before)
    folder = report.manifest.parent
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, *folder.rglob("*"))}
    assert not {path: mode for path, mode in modes.items() if mode & 0o077}


def test_the_notebook_runs_in_the_interpreter_of_the_caller(project):
    project("mine", "import sys\nfrom pathlib import Path\nPath('which').write_text(sys.executable)")
    run_report("mine")
    assert Path("which").read_text(encoding="utf-8") == sys.executable


def test_a_run_says_nothing_on_the_terminal(project, capfd):
    project("mine", "import os\nos.write(1, b'P00017')\nos.write(2, b'P00017')\nprint('P00017')")
    run_report("mine")
    assert capfd.readouterr() == ("", "")
