"""`outcomes run`, `status` and `schedule` as a scheduler and a person use them."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socketserver
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import series_project
from outcomes.cli import main
from outcomes.machine.lock import hold_lock
from outcomes.reports.archive.store import list_manifests
from series_project import build_project, declare, list_pages, write_notebook

OUTCOMES = [sys.executable, "-c", "from outcomes.cli import main; main()"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=60)
    for name in list(os.environ):
        if name.startswith(("OUTCOMES_SMTP", "OUTCOMES_MAIL", "OUTCOMES_PING")):
            monkeypatch.delenv(name)
    return tmp_path


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


def test_the_whole_way_of_a_report_that_is_due(project, capsys):
    assert call("check", "--reports") == 0
    assert "All of it can be made" in capsys.readouterr().out
    assert call("status") == 0
    assert "never run" in capsys.readouterr().out
    assert call("run", "--due", "--json", "--workers", "1") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["state"] == "released" and told["pages"][0]["page"].endswith("mine-made-up-clinic-team.html")
    assert call("run", "--due", "--quiet") == 0
    said = capsys.readouterr()
    assert said.out == said.err == ""
    assert call("status", "--json", "--max-age", "26h") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["well"] and told["series"][0]["last"].startswith("20")
    index = (project / "reports" / "html" / "index.html").read_text(encoding="utf-8")
    assert 'href="whole/' in index and "current" in index


def test_what_is_typed_wrong_is_refused(project, capsys):
    for wrong in (["run"], ["run", "--due", "--all"], ["schedule", "at"], ["status", "--max-age", "soon"]):
        assert call(*wrong) == 2
    assert call("run", "whoel") == 2
    assert "did you mean 'whole'" in capsys.readouterr().err
    declare(project, series_project.DECLARED + "retention_day = 3")
    assert call("run", "--due") == 2
    assert "did you mean 'retention_days'" in capsys.readouterr().err


def test_a_failure_is_loud_everywhere_and_holds_no_value(project, capsys):
    declare(project, series_project.DECLARED + 'for_each = "site"\n')
    write_notebook(project, "if site == 'harbour':\n    raise ValueError('P00017')", "## Answer\n\nYes.")
    assert call("run", "--due", "--workers", "1") == 6
    said = capsys.readouterr().err
    assert "3 of 4 pages stand" in said and "(harbour)" in said
    assert call("status") == 1
    assert "FAILED" in capsys.readouterr().out
    index = (project / "reports" / "html" / "index.html").read_text(encoding="utf-8")
    assert "Could not be made" in index and "the notebook failed" in index
    (log,) = (project / ".outcomes" / "log").glob("*.log")
    text = log.read_text(encoding="utf-8")
    assert "state=failed pages=3 failed=1 code=6" in text
    for shown in (said, index, text):
        assert "P00017" not in shown


class _Monitor(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, bytes]]

    def do_POST(self):
        self.seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class _Post(socketserver.StreamRequestHandler):
    """A mail server that takes everything, spoken to over a real connection."""

    letters: list[str]

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                letter = []
                while (part := self.rfile.readline()) != b".\r\n":
                    letter.append(part)
                self.letters.append(b"".join(letter).decode())
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def listeners(monkeypatch):
    """A monitor and a mail server on this machine, and what they were told."""
    pings, letters = [], []
    monitor = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("M", (_Monitor,), {"seen": pings}))
    post = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("P", (_Post,), {"letters": letters}))
    for server in (monitor, post):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for kind in ("start", "success", "fail"):
        address = f"http://127.0.0.1:{monitor.server_address[1]}/{kind}"
        monkeypatch.setenv(f"OUTCOMES_PING_{kind.upper()}", address)
    monkeypatch.setenv("OUTCOMES_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("OUTCOMES_SMTP_PORT", str(post.server_address[1]))
    monkeypatch.setenv("OUTCOMES_SMTP_SECURITY", "none")
    monkeypatch.setenv("OUTCOMES_MAIL_TO", "lead@example.org")
    yield pings, letters
    for server in (monitor, post):
        server.shutdown()
        server.server_close()


def test_people_and_monitors_are_told_once_of_each_failure(project, listeners):
    pings, letters = listeners
    write_notebook(project, "raise ValueError('P00017')")
    assert call("run", "--due", "--workers", "1") == 6
    assert call("run", "--due") == 6, "the exit code stays until it is mended"
    assert [path for path, _ in pings] == ["/start", "/fail", "/fail"]
    assert {body for path, body in pings if path == "/fail"} == {b"6"}
    assert len(letters) == 1 and "notebook (exit code 6)" in letters[0] and "P00017" not in letters[0]
    write_notebook(project, "## Answer\n\nYes.")
    pings.clear()
    assert call("run", "whole", "--workers", "1") == 0
    assert call("run", "--due") == 0
    assert [path for path, _ in pings] == ["/start", "/success", "/success"] and len(letters) == 1


@pytest.mark.slow
def test_whoever_cannot_be_told_keeps_no_page_from_being_made(project, monkeypatch, capsys):
    monkeypatch.setenv("OUTCOMES_PING_SUCCESS", "http://127.0.0.1:9/")
    (project / ".outcomes").mkdir()
    (project / ".outcomes" / "log").write_text("in the way", encoding="utf-8")
    assert call("run", "--due", "--workers", "1") == 0
    said = capsys.readouterr().err
    assert "The ping (success) could not be sent" in said and "The log could not be written" in said


def test_a_second_run_ends_at_once(project, capsys):
    with hold_lock(project / ".outcomes", "whole"):
        assert call("run", "--due") == 8
    assert "another run holds the lock" in capsys.readouterr().err


def has_ended(process):
    """Return whether a process ends within ten seconds; one that nobody has collected yet has ended too."""
    try:
        found = psutil.Process(process)
        ends = time.monotonic() + 10
        while time.monotonic() < ends and found.is_running() and found.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
        return not found.is_running() or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_run_that_is_stopped_says_so_and_frees_all(project, number, code):
    write_notebook(
        project, "import os\nopen('pids', 'w').write(f'{os.getpid()}\\n')\n__import__('time').sleep(99)"
    )
    running = subprocess.Popen([*OUTCOMES, "run", "--due", "--workers", "1"], stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 60
    while not Path("pids").exists() and time.monotonic() < ends:
        time.sleep(0.05)
    running.send_signal(number)
    began = time.monotonic()
    assert running.wait(20) == code and time.monotonic() - began < 5
    (manifest,) = list_manifests(Path(".outcomes/archive"), "whole")
    assert (manifest.state, manifest.reason) == ("interrupted", "interrupted")
    assert has_ended(int(Path("pids").read_text(encoding="utf-8")))
    write_notebook(project, "## Answer\n\nYes.")
    assert call("run", "--due", "--workers", "1") == 0 and list_pages()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
@pytest.mark.slow
def test_private_files_are_their_owners_whatever_the_umask(project):
    subprocess.run([*OUTCOMES, "run", "--due", "--workers", "1"], check=True, umask=0)
    open_ = [
        path
        for path in (Path(".outcomes"), *Path(".outcomes").rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert not open_


@pytest.mark.parametrize("scheduler", ["cron", "systemd", "windows", "airflow"])
def test_schedulers_get_a_snippet_that_calls_this_project(project, scheduler, capsys):
    assert call("schedule", scheduler) == 0
    text = capsys.readouterr().out
    assert "run --due" in text and project.name in text
    if scheduler == "airflow":
        compile(text, "outcomes.py", "exec")


@pytest.mark.skipif(os.name != "posix", reason="cron is")
@pytest.mark.slow
def test_the_command_of_the_cron_snippet_runs_as_it_stands(project, capsys):
    assert call("schedule", "cron") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("17 ")]
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    assert subprocess.run(["/bin/sh", "-c", command], cwd="/", check=False).returncode == 0
    assert list_pages()
