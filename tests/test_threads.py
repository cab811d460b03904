"""Linear algebra uses one thread wherever a fit may run, unless the user has decided otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outcomes.machine.threads import THREADS
from outcomes.reports import run_report
from series_project import build_project, write_notebook

#: Notes how many threads each library of linear algebra would use whenever numpy's is called.
WATCH = """
import json, sys
from threadpoolctl import threadpool_info, threadpool_limits

def count():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

seen = []
def watch(frame, event, argument):
    if event == "call" and frame.f_globals.get("__name__", "").startswith("numpy.linalg"):
        seen.append(max(count()))
"""
COMMAND = """
from outcomes.cli import main
sys.setprofile(watch)
try:
    main(["analyse", "over_time", "--source", "made-up-clinic", "--path", sys.argv[1], "--format", "json"])
except SystemExit as end:
    sys.setprofile(None)
    sys.stdout = sys.stderr
    assert end.code == 0
"""
SESSION = """
import numpy, scipy.linalg
before = threadpool_limits(2)  # a session that works with two, whatever this machine has
from outcomes import compare_over_time, select_cohort, simulate_clinic
cohort = select_cohort(simulate_clinic(200, seed=1))
sys.setprofile(watch)
compare_over_time(cohort)
sys.setprofile(None)
assert max(count()) == 2, "a session gets its threads back"
"""
WORKERS = """
def read_threads():
    import numpy
    return max(count())

if __name__ == "__main__":
    from outcomes import WorkerPool
    with WorkerPool(2) as pool:
        seen += [pool.submit(read_threads).result() for _ in range(3)]
"""
CELL = """\
import json, pathlib, numpy
from threadpoolctl import threadpool_info
found = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
pathlib.Path("seen").write_text(json.dumps(found))
"""


def run_script(folder: Path, text: str, *arguments: str, **decided: str) -> set[int]:
    """Run a script in a process in which nobody has decided about threads; return the numbers it saw."""
    script = folder / "script.py"
    script.write_text(
        f"{WATCH}{text}\nif __name__ == '__main__':\n    print('\\n' + json.dumps(seen), file=sys.stderr)\n",
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder, env=environment | decided, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stderr.splitlines()[-1])
    assert seen, "no linear algebra was called"
    return set(seen)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    from outcomes.synthetic import write_clinic

    folder = tmp_path_factory.mktemp("clinic")
    write_clinic(folder, n_episodes=200, seed=1)
    return folder


def test_the_command_line_fits_in_one_thread(tmp_path, clinic):
    assert run_script(tmp_path, COMMAND, str(clinic)) == {1}


def test_a_session_that_loaded_numpy_first_fits_in_one_thread_and_gets_its_own_back(tmp_path):
    assert run_script(tmp_path, SESSION) == {1}


def test_a_user_who_decided_keeps_the_threads(tmp_path):
    assert run_script(tmp_path, SESSION, OPENBLAS_NUM_THREADS="2") == {2}


@pytest.mark.parametrize(
    "name",
    [
        "VECLIB_MAXIMUM_THREADS",
        pytest.param("NUMEXPR_NUM_THREADS", marks=pytest.mark.slow),
        pytest.param("BLIS_NUM_THREADS", marks=pytest.mark.slow),
    ],
)
def test_a_child_that_inherits_a_variable_of_another_library_fits_in_one_thread(tmp_path, clinic, name):
    """A process whose parent had part of the variables taken away has decided nothing for numpy."""
    assert run_script(tmp_path, COMMAND, str(clinic), **{name: "1"}) == {1}


def test_what_a_user_set_for_another_library_stays_as_it_is(tmp_path):
    kept = "import os, outcomes\nseen.append(int(os.environ['VECLIB_MAXIMUM_THREADS']))"
    assert run_script(tmp_path, kept, VECLIB_MAXIMUM_THREADS="3") == {3}


def test_workers_of_a_pool_have_one_thread(tmp_path):
    assert run_script(tmp_path, WORKERS) == {1}


@pytest.mark.parametrize("engine", ["auto", "stock"])
def test_a_report_runs_in_one_thread_whatever_the_user_decided(tmp_path, monkeypatch, engine):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    build_project(tmp_path, n_episodes=40)
    write_notebook(tmp_path, CELL)
    run_report("mine", {"site": "a"}, engine=engine)
    assert set(json.loads((tmp_path / "seen").read_text(encoding="utf-8"))) == {1}
