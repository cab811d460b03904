"""Paths that lead elsewhere (A8), and secrets of the environment (A9).

Whatever names a clinic, a site, a report or a folder, all writing stays below the project; and what the
environment and the configuration hold in confidence stands in nothing that is published, logged or kept.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from made_pages import work_in
from searching import find_any, list_forms, read_everything

from outcomes.cli import main
from outcomes.errors import OutcomesError
from outcomes.reports import run_report
from series_project import build_project, declare, run_all, write_notebook

LEADING = (
    "../../escaped",
    "..\\..\\escaped",
    "/tmp/escaped-outcomes",
    "a/../../../escaped",
    "..",
    ".",
    "~/escaped",
    "con",
    "NUL",
    "aux.txt",
    "a" * 300,
    "\u202e/../escaped",
    "%2e%2e%2fescaped",
    "..%00",
    "....//escaped",
    "file:///escaped",
    "$HOME/escaped",
    "`touch escaped`",
    "; touch escaped",
    "| touch escaped",
    "\u2025/escaped",
    "a\u2044..\u2044escaped",
)

_writes: list[str] = []
_watching = False


def _watch(event: str, arguments: tuple) -> None:
    """Note every file that is opened for writing, made, renamed or removed by this process."""
    if not _watching:
        return
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _writes.append(str(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link"):
        _writes.extend(str(part) for part in arguments[:2] if isinstance(part, (str, bytes)))


sys.addaudithook(_watch)


@pytest.fixture
def watched(tmp_path):
    """A project two folders deep; afterwards everything that was written lies within it."""
    global _watching
    project = tmp_path / "a" / "b" / "project"
    project.mkdir(parents=True)
    _writes.clear()
    _watching = True
    try:
        with work_in(project):
            yield project
    finally:
        _watching = False
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and project not in path.parents]
    assert not outside
    assert not Path("/tmp/escaped-outcomes").exists() and not Path("~/escaped").expanduser().exists()
    for text in _writes:
        if text.isdigit() or text.startswith(("/dev/", "/proc/")):
            continue  # a number is a handle
        path = Path(text) if Path(text).is_absolute() else project / text
        inside = project.resolve() in (path.resolve(), *path.resolve().parents)
        assert inside or _is_of_python(path), text


def _is_of_python(path: Path) -> bool:
    """Byte code, caches of fonts, and folders for temporary files that others chose."""
    text, temporary = str(path), Path(tempfile.gettempdir())
    return (
        "__pycache__" in text
        or ".cache" in text
        or "matplotlib" in text
        or (temporary in path.parents and "pytest" not in str(path.relative_to(temporary)))
    )


def test_no_word_of_a_page_leads_elsewhere(watched):
    build_project(watched, 40)
    name = "clinic"
    write_notebook(watched, "## Answer\n\nYes.")
    text = (watched / "notebooks" / "mine.ipynb").read_text(encoding="utf-8")
    added = text.replace('audience = \\"team\\"', f'{name} = \\"\\"  # words\\naudience = \\"team\\"')
    (watched / "notebooks" / "mine.ipynb").write_text(added, encoding="utf-8")
    for leading in LEADING[:4]:
        with contextlib.suppress(OutcomesError):
            run_report("mine", {name: leading})


def test_no_name_of_a_report_source_or_site_leads_elsewhere(watched):
    build_project(watched, 40)
    for leading in LEADING:
        name_everything(leading)


def name_everything(leading: str) -> None:
    for name, parameters, options in (
        (leading, {}, {}), ("mine", {}, {"source": leading}), ("mine", {"site": leading}, {}),
        ("mine", {"therapist": leading}, {}), ("mine", {}, {"path": f"data/raw/made-up-clinic/{leading}"}),
    ):  # fmt: skip
        try:
            run_report(name, parameters, **options)
        except (OutcomesError, ValueError) as error:
            assert isinstance(error, OutcomesError), (name, type(error))


def test_no_id_in_the_declaration_leads_elsewhere(watched):
    build_project(watched, 40)
    for leading in LEADING:
        declare_as(watched, leading)


def declare_as(watched: Path, leading: str) -> None:
    quoted = leading.replace("\\", "\\\\")
    declare(watched, f'[defaults]\nsource = "made-up-clinic"\nnotebook = "mine"\n\n[report."{quoted}"]\n')
    try:
        run_all(leading)
    except (OutcomesError, KeyError) as error:
        assert isinstance(error, KeyError) or error.exit_code == 2


def test_a_site_that_leads_elsewhere_names_no_folder(watched):
    """A page for each site is put into a folder named after it."""
    import pandas as pd

    build_project(watched, 120)
    path = watched / "data" / "raw" / "made-up-clinic" / "episodes.csv"
    episodes = pd.read_csv(path, dtype="str")
    names = [text for text in LEADING if "/tmp" not in text and len(text) < 100]
    episodes["site"] = [names[i % len(names)] for i in range(len(episodes))]
    episodes.to_csv(path, index=False)
    declare(
        watched,
        '[defaults]\nsource = "made-up-clinic"\nnotebook = "mine"\nfor_each = "site"\n\n[report.sites]\n',
    )
    try:
        run_all("sites")
    except OutcomesError as error:
        assert error.exit_code in (2, 3)
    for page in (watched / "reports").rglob("*.html"):
        assert watched in page.resolve().parents


def test_a_link_among_the_pages_is_not_followed_out(tmp_path, monkeypatch):
    """Who may write among the pages could otherwise have files of other folders replaced."""
    elsewhere, project = tmp_path / "elsewhere", tmp_path / "project"
    elsewhere.mkdir()
    project.mkdir()
    monkeypatch.chdir(project)
    build_project(project, 40)
    folder = run_report("mine", {}).folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(elsewhere, target_is_directory=True)
    (elsewhere / "kept.png").write_bytes(b"someone's own")
    with contextlib.suppress(OutcomesError):
        run_report("mine", {})
    assert [path.name for path in elsewhere.iterdir()] == ["kept.png"]


SECRETS = {
    "OUTCOMES_SMTP_PASSWORD": "hunter2-smtp-canary",
    "OUTCOMES_SMTP_USER": "canary-user-7741",
    "OUTCOMES_PING_START": "http://127.0.0.1:9/ping/canary-token-a81c",
    "OUTCOMES_PING_FAIL": "http://127.0.0.1:9/ping/canary-token-f3d2",
    "OUTCOMES_PING_SUCCESS": "http://user:canary-pw-55e1@127.0.0.1:9/ping",
    "OUTCOMES_SMTP_HOST": "127.0.0.1",
    "OUTCOMES_SMTP_PORT": "9",
    "OUTCOMES_MAIL_TO": "canary-mail@example.org",
    "REDCAP_TOKEN": "CANARY0TOKEN0REDCAP0123456789ABC",
    "DATABASE_URL": "postgresql://canary:canary-db-pw@db.example/clinic",
    "AWS_SECRET_ACCESS_KEY": "canary/aws/secret/42",
}
PLANTED = (
    "hunter2-smtp-canary",
    "canary-user-7741",
    "canary-token-a81c",
    "canary-token-f3d2",
    "canary-pw-55e1",
    "canary-mail@example.org",
    "CANARY0TOKEN0REDCAP0123456789ABC",
    "canary-db-pw",
    "canary/aws/secret/42",
    "netrc-canary-pw",
)


PRINTING = "import os, sys; print(dict(os.environ)); print(dict(os.environ), file=sys.stderr)"
RAISING = "import os; raise ValueError(dict(os.environ))"
DECLARED = """\
[defaults]
source = "made-up-clinic"
[report.printing]
notebook = "printing"
[report.raising]
notebook = "raising"
"""


def test_no_secret_stands_in_anything_but_what_a_cell_itself_said(tmp_path, monkeypatch, capfd):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text("machine 127.0.0.1 login x password netrc-canary-pw\n")
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    build_project(project, 40)
    declare(project, DECLARED)
    write_notebook(project, "## Answer\n\nYes.", PRINTING, name="printing")
    write_notebook(project, "## Answer\n\nYes.", RAISING, name="raising")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--all", "--workers", "1"])
    assert ended.value.code == 6
    said = "".join(capfd.readouterr())
    forms = {form for text in PLANTED for form in list_forms(text)}
    assert not find_any(said.encode(), forms)
    kept = []
    for folder in (project / "reports", project / ".outcomes"):
        for place, content in read_everything(folder):
            if find_any(content, forms):
                kept.append(place.split(":")[0])
    # what a cell prints or raises is kept where only its owner reads it
    assert {Path(place).name for place in kept} == {"executed.ipynb", "error.txt"}
    assert all(place.startswith("runs/") for place in kept)
