"""Two engines, one page: what a notebook shows is the same, and nothing that it started outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from outcomes.errors import ReportError
from outcomes.reports import TimeLimits, run_report
from outcomes.reports.engine import choose_engine

FORKS = pytest.mark.skipif(sys.platform != "linux", reason="forking is for Linux")
BOTH = pytest.mark.parametrize("engine", ["stock", pytest.param("fork", marks=FORKS)])
PARAMETERS = """\
audience = "team"    # one of: team, stakeholder
k = 11               # from 5 to 100
code = "007"         # a code
since = ""           # a date
sites = ["a", "b"]   # names of sites
share: float | None = None  # proportion, from 0 to 1
ages: list[int] = []
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, the current folder; returns what writes a report notebook into it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()

    def write(*cells: str, parameters: str = PARAMETERS, name: str = "mine") -> None:
        made = [new_markdown_cell("# Which?"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        made += [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text) for text in cells]
        nbformat.write(new_notebook(cells=made), tmp_path / "notebooks" / f"{name}.ipynb")

    return write


def executed(private: str = ".outcomes"):
    (path,) = Path(private).glob("runs/*/executed.ipynb")
    return nbformat.read(path, as_version=4)


def wait_until_gone(pids: list[int], seconds: float = 15) -> list[int]:
    """Return the processes that still run after some time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and (left := [pid for pid in pids if is_running(pid)]):
        time.sleep(0.05)
    return left if (left := [pid for pid in pids if is_running(pid)]) else []


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def read_pids(path: str = "pids", seconds: float = 60) -> list[int]:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if Path(path).exists() and (text := Path(path).read_text(encoding="utf-8")).endswith("\n"):
            return [int(part) for part in text.split()]
        time.sleep(0.05)
    raise AssertionError("the notebook did not begin")


def test_forking_is_chosen_where_it_can_be_and_refused_by_name_elsewhere(monkeypatch):
    assert choose_engine("stock") == "stock"
    with pytest.raises(ReportError, match="auto, fork, stock"):
        choose_engine("fast")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert choose_engine("auto") == "stock"
    with pytest.raises(ReportError, match="Linux only"):
        choose_engine("fork")


@BOTH
def test_values_arrive_as_what_they_are(project, engine):
    project(
        "import json, pathlib",
        "pathlib.Path('seen').write_text(json.dumps([code, since, sites, share, ages, k]))",
    )
    given = {
        "code": "0'0\"7\n".strip() + "é",
        "since": "2026-02-28",
        "sites": ["x y"],
        "share": None,
        "ages": [7],
    }
    run_report("mine", given, engine=engine)
    assert json.loads(Path("seen").read_text(encoding="utf-8")) == [
        "0'0\"7é", "2026-02-28", ["x y"], None, [7], 11,
    ]  # fmt: skip


SHOWING = (
    "import sys, matplotlib.pyplot as plt, random, numpy as np",
    "from IPython.display import HTML, display, clear_output",
    "print('a'); print('b'); print('c', file=sys.stderr); 5",
    "display(HTML('<b>x</b>'))\n'end'",
    "plt.plot([1, 2]); plt.show()",
    "fig, ax = plt.subplots()\nax.plot([1, 2]);",
    "shown = display('first', display_id='one')\nshown.update('second')",
    "print('gone'); clear_output(wait=True); print('stays')",
    "1;",
    "_ if False else (random.random(), np.random.rand())",
    "await __import__('asyncio').sleep(0)\n'awaited'",
    "%%capture kept\nprint('kept')",
    "kept.stdout",
    "def f():\n    return __name__\nf()",
)


@FORKS
def test_forking_is_what_happens_where_it_can(project):
    project("1")
    report = run_report("mine")
    assert json.loads(report.manifest.read_text(encoding="utf-8"))["engine"] == "fork"


@FORKS
def test_both_engines_show_the_same(project):
    project(*SHOWING)
    for engine in ("stock", "fork"):
        run_report("mine", engine=engine, private_folder=engine, out=f"out-{engine}")
    outputs = []
    for engine in ("stock", "fork"):
        cells = [cell for cell in executed(engine).cells if cell.cell_type == "code"]
        outputs.append([(cell.source, cell.execution_count, cell.outputs) for cell in cells])
    for (source, number, stock), (_, number_forked, fork) in zip(*outputs, strict=True):
        assert (number_forked, fork) == (number, stock), source
    pages = [Path(f"out-{engine}", "mine-team.html").read_bytes() for engine in ("stock", "fork")]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "engine",
    [pytest.param("stock", marks=pytest.mark.slow), pytest.param("fork", marks=FORKS)],
)
def test_a_hanging_cell_is_ended_also_within_compiled_code(project, engine):
    hang = "import os, numpy as np\nopen('pids', 'w').write(f'{os.getpid()}\\n')\n"
    project(hang + "np.linalg.svd(np.random.rand(6000, 6000))")
    began = time.monotonic()
    with pytest.raises(ReportError, match="time ran out") as caught:
        run_report("mine", engine=engine, limits=TimeLimits(cell=2, report=60))
    assert caught.value.exit_code == 10 and time.monotonic() - began < 45
    assert not wait_until_gone(read_pids())


@pytest.mark.slow
@BOTH
def test_a_cell_that_swallows_every_error_is_ended(project, engine):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    stubborn += (
        "while True:\n    try:\n        __import__('time').sleep(1)\n    except BaseException:\n        pass"
    )
    project(stubborn)
    with pytest.raises(ReportError, match="time ran out"):
        run_report("mine", engine=engine, limits=TimeLimits(cell=2, report=60))


@BOTH
@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(0)",
        pytest.param("os.kill(os.getpid(), 9)", marks=pytest.mark.slow),
        pytest.param("os.kill(os.getpid(), 11)", marks=pytest.mark.slow),
    ],
)
def test_a_process_that_dies_fails_the_report(project, engine, ending):
    project("import os", ending, "2")
    with pytest.raises(ReportError, match="ended unexpectedly") as caught:
        run_report("mine", engine=engine)
    assert caught.value.exit_code == 6 and not Path("reports/html/mine-team.html").exists()


@FORKS
@pytest.mark.slow
def test_too_little_memory_fails_the_report(project):
    project("import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))", "x = bytearray(2**33)")
    with pytest.raises(ReportError, match="ended with MemoryError"):
        run_report("mine", engine="fork")


BEGET = (
    "import os, subprocess, sys, pathlib\n"
    "nap = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
    "born = [subprocess.Popen(nap), subprocess.Popen(nap, start_new_session=True)]\n"
    "pathlib.Path('pids').write_text(' '.join(map(str, [os.getpid(), *(one.pid for one in born)])) + '\\n')\n"
)


@FORKS
@pytest.mark.parametrize(
    "ending",
    [
        "",
        pytest.param("raise ValueError", marks=pytest.mark.slow),
        pytest.param("os._exit(3)", marks=pytest.mark.slow),
        pytest.param("__import__('time').sleep(600)", marks=pytest.mark.slow),
    ],
)
def test_what_a_notebook_started_ends_with_it(project, ending):
    project(BEGET + ending)
    try:
        run_report("mine", engine="fork", limits=TimeLimits(cell=4, report=60))
    except ReportError:
        assert ending
    assert not wait_until_gone(read_pids(), seconds=1)


CALLER = "from outcomes.reports import run_report\nrun_report('mine', engine={engine!r})"


@pytest.mark.parametrize(
    "engine",
    [pytest.param("stock", marks=pytest.mark.slow), pytest.param("fork", marks=FORKS)],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_nothing_outlives_its_caller(project, engine, number):
    if number == signal.SIGINT and engine == "stock":
        pytest.skip("jupyter_client ends its kernel itself; the fork has its own way")
    project(
        "import os\nopen('pids', 'w').write(f'{os.getpid()} {os.getppid()}\\n')\n" + "while True:\n    pass"
    )
    caller = subprocess.Popen([sys.executable, "-c", CALLER.format(engine=engine)], stderr=subprocess.DEVNULL)
    pids = [pid for pid in read_pids() if pid != caller.pid]
    caller.send_signal(number)
    caller.wait()
    assert not wait_until_gone(pids)
    assert not Path("reports/html/mine-team.html").exists()


@FORKS
@pytest.mark.slow
def test_a_warm_parent_that_is_killed_costs_one_report_at_most(project):
    project("import os\nopen('pids', 'w').write(f'{os.getppid()}\\n')", "## Answer\n\nYes.")
    project("import os\nos.kill(os.getppid(), 9)\nwhile True:\n    pass", name="killer")
    run_report("mine", engine="fork")
    (parent,) = read_pids()
    os.kill(parent, signal.SIGKILL)  # while nobody uses it
    assert not wait_until_gone([parent])
    run_report("mine", engine="fork")
    with pytest.raises(ReportError, match="ended unexpectedly"):
        run_report("killer", engine="fork")
    assert run_report("mine", engine="fork").page.is_file()


@FORKS
def test_a_warm_parent_serves_many_reports_and_forgets_each(project):
    project(
        "import os\nleft = 'left' in globals()",
        "open('seen', 'a').write(f'{os.getppid()} {left}\\n')\nleft = 1",
    )
    for _ in range(3):
        run_report("mine", engine="fork")
    parents = [line.split() for line in Path("seen").read_text(encoding="utf-8").splitlines()]
    assert len({parent for parent, _ in parents}) == 1
    assert {left for _, left in parents} == {"False"}
