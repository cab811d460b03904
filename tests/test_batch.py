"""Batches: many pages at once; whatever happens to one, the others are made, and each of them once."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from outcomes.reports import Job, TimeLimits, WorkerPool, run_batch
from outcomes.reports.batch import open_cluster
from series_project import build_project, write_notebook

KILLING = """\
import os
if site == "killer" and not os.path.exists("killed"):
    open("killed", "w").close()
    open("pids", "w").write(f"{os.getppid()}\\n")
    __import__("time").sleep(60)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=40)
    return tmp_path


def build_jobs(*sites: str, **further) -> list[Job]:
    fixed = {"project": str(Path.cwd()), "records_sha256": "0" * 64}
    return [Job("mine", {"site": site}, **{**fixed, **further}) for site in sites]


def states(outcomes):
    return [outcome.state for outcome in outcomes]


def find_worker_of(warm_parent: int) -> int:
    return psutil.Process(warm_parent).ppid()


def kill_worker_once(project) -> threading.Thread:
    """Kill the worker whose notebook sleeps, as soon as it sleeps."""

    def kill():
        while not (project / "pids").exists() or not (project / "pids").read_text(encoding="utf-8"):
            time.sleep(0.05)
        os.kill(find_worker_of(int((project / "pids").read_text(encoding="utf-8"))), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "kind", [ThreadPoolExecutor, WorkerPool, pytest.param(ProcessPoolExecutor, marks=pytest.mark.slow)]
)
def test_any_executor_makes_the_pages_and_makes_them_once(project, kind):
    write_notebook(project, "open('made', 'a').write(site)", "if site == 'b':\n    raise ValueError")
    seen = []
    with kind(2) as executor:
        first = run_batch(executor, build_jobs("a", "b", "c"), on_ended=seen.append)
        again = run_batch(executor, build_jobs("a", "b", "c"))
    assert states(first) == ["published", "failed", "published"]
    assert states(again) == ["unchanged", "failed", "unchanged"]
    assert [outcome.exit_code for outcome in first] == [0, 6, 0] and first[1].reason == "notebook"
    assert sorted(Path("made").read_text(encoding="utf-8")) == ["a", "b", "b", "c"]
    assert {id(outcome) for outcome in seen} == {id(outcome) for outcome in first}


def test_wrong_parameters_and_unknown_reports_fail_alone(project):
    jobs = [*build_jobs("a"), *build_jobs("b", source="nowhere"), Job("none"), Job("mine", {"k": "7"})]
    with ThreadPoolExecutor(2) as executor:
        outcomes = run_batch(executor, jobs)
    assert [outcome.exit_code for outcome in outcomes] == [0, 2, 2, 2]


@pytest.mark.slow
def test_a_batch_ends_when_its_time_is_over(project):
    write_notebook(project, "__import__('time').sleep(60 if site == 'slow' else 0)")
    jobs = build_jobs("slow", "late", limits=TimeLimits(cell=100, report=100))
    with WorkerPool(1) as pool:
        run_batch(pool, build_jobs("first"))  # what follows has a warm worker
        began = time.monotonic()
        outcomes = run_batch(pool, jobs, limit_seconds=5)
    assert states(outcomes) == ["failed", "failed"] and {one.exit_code for one in outcomes} == {10}
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_a_killed_worker_costs_no_page(project):
    write_notebook(project, KILLING)
    killer = kill_worker_once(project)
    with WorkerPool(2) as pool:
        outcomes = run_batch(pool, build_jobs("a", "killer", "b", "c"))
    killer.join(10)
    assert states(outcomes) == ["published"] * 4
    assert len(list(Path("reports/html").glob("*.html"))) == 4


@pytest.mark.slow
def test_a_page_that_kills_its_worker_again_and_again_fails_alone(project):
    write_notebook(
        project,
        "import os, psutil\n"
        "if site == 'killer':\n"
        "    psutil.Process(psutil.Process(os.getppid()).ppid()).kill()\n"
        "    __import__('time').sleep(60)",
    )
    with WorkerPool(2) as pool:
        outcomes = run_batch(pool, build_jobs("a", "killer", "b", "c"))
    assert states(outcomes) == ["published", "failed", "published", "published"]
    assert (outcomes[1].reason, outcomes[1].exit_code) == ("killed", 6)


def test_an_interrupted_batch_leaves_no_process(project):
    write_notebook(project, "__import__('time').sleep(60)")
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(KeyboardInterrupt), WorkerPool(2) as pool:
        threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        run_batch(pool, build_jobs("a", "b"))
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        left = [
            p
            for p in psutil.Process().children(recursive=True)
            if p.pid not in before
            and p.status() != psutil.STATUS_ZOMBIE
            and "resource_tracker" not in " ".join(p.cmdline())
        ]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(left)


@pytest.mark.slow
def test_a_dask_cluster_of_processes_makes_the_pages_though_a_worker_is_killed(project):
    distributed = pytest.importorskip("distributed")
    write_notebook(project, KILLING)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        open_cluster(cluster.scheduler_address) as executor,
    ):
        killer = kill_worker_once(project)
        outcomes = run_batch(executor, build_jobs("a", "killer", "b", "c"))
        killer.join(10)
    assert states(outcomes) == ["published"] * 4
    assert len(list(Path("reports/html").glob("*.html"))) == 4
