"""Faults, really made to happen: the last good page stays byte for byte, the next run mends, nothing is left.

The numbers G01 to G28 are those of the catalogue of faults in docs/faults.md.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from outcomes.disclosure.ledger import open_ledger
from outcomes.machine.lock import hold_lock
from outcomes.machine.private_files import replace_file
from outcomes.reports.archive.store import list_manifests
from outcomes.reports.editions.approval import approve_editions
from outcomes.reports.editions.released_pages import (
    RECORD_NAME,
    find_newest_known,
    find_place,
    list_released,
    recover_editions,
)
from outcomes.reports.publication import publish
from outcomes.reports.series.slots import read_history
from series_project import NOW, build_project, declare, list_pages, run, run_all, write_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="faults are made to happen by means of Linux"),
]
MONTHLY = """\
[defaults]
source = "made-up-clinic"
notebook = "mine"
engine = "{engine}"
cadence = "monthly"
[report.whole]
"""
BEFORE, NEXT = dt.datetime(2026, 10, 2, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, tzinfo=dt.UTC)

#: Runs the series in a process in which something goes wrong at the n-th write to the project.
DRIVER = """
import datetime as dt, os, sys
sys.path.insert(0, {tests!r})
import series_project
now = dt.datetime.fromisoformat({now!r})
root, left = os.getcwd(), [int(sys.argv[1])]
def count(event, arguments):
    if event not in ("open", "os.rename", "os.mkdir", "os.remove"):
        return
    place = str(arguments[0])
    if not place.startswith(root) or "/data/" in place:
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
sys.addaudithook(count)
ending = series_project.run(now=now)
print(ending.state, 10**6 - left[0] if int(sys.argv[1]) == 10**6 else "")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=40)
    declare(tmp_path, MONTHLY.format(engine="fork"))
    return tmp_path


def change_records(project):
    path = project / "data" / "raw" / "made-up-clinic" / "events.csv"
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )


def drive(at: int, now: dt.datetime = NEXT, **further) -> subprocess.CompletedProcess:
    text = DRIVER.format(tests=str(Path(__file__).parents[1]), now=now.isoformat())
    return subprocess.run(
        [sys.executable, "-c", text, str(at)], capture_output=True, text=True, check=False, **further
    )


def release_twice(project) -> dict[str, bytes]:
    """Make one release, and change the records so that the next slot has news; return the pages."""
    assert run(now=BEFORE).state == "released"
    change_records(project)
    return list_pages()


def check_whole(project, pages: dict[str, bytes]) -> None:
    """Hold that what stood still stands, and that nothing half done is to be seen."""
    now = list_pages()
    assert {name: now.get(name) for name in pages} == pages
    for name, content in now.items():
        if not Path(name).name.startswith("."):
            assert not name.endswith(".html") or content.rstrip().endswith(b"</html>"), name


def check_mended(project, pages: dict[str, bytes]) -> None:
    """Hold that the next run makes what is due, once, and clears away what was left."""
    assert run(now=NEXT).state in ("released", "not_due")
    check_whole(project, pages)
    assert "whole/2026-10/mine-made-up-clinic-team.html" in list_pages()
    places = ("reports", ".outcomes/archive", ".outcomes/runs")  # those elsewhere go after a day
    assert not [path for place in places for path in (project / place).rglob(".*.draft")]
    manifests = list_manifests(Path(".outcomes/archive"), "whole")
    assert {manifest.state for manifest in manifests} <= {"published", "interrupted", "failed"}
    settled = [one for one in read_history(Path(".outcomes/archive"), "whole") if one.state == "released"]
    assert [one.slot for one in settled] == ["2026-09", "2026-10"]
    assert run(now=NEXT).state == "not_due"


def find_strays(project, patience_seconds: float = 5.0) -> list[str]:
    """Return the processes that work in the project and are not ours; those that are ending may end."""
    ends = time.monotonic() + patience_seconds
    while (found := list_strays(project)) and time.monotonic() < ends:
        time.sleep(0.1)
    return found


def list_strays(project) -> list[str]:
    mine = {process.pid for process in (psutil.Process(), *psutil.Process().children(recursive=True))}
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()) == project
        except (psutil.Error, OSError):
            continue
        if inside and process.pid not in mine and process.status() != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.cmdline()))
    return found


def test_g01_kill_at_each_write_and_rename(project):
    pages = release_twice(project)
    counted = drive(10**6, now=dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC))
    state, points = counted.stdout.split()
    assert state == "released" and int(points) >= 12, counted.stderr
    killed = 0
    for at in range(1, int(points) + 1):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            subprocess.run(["cp", "-r", str(project), str(copy)], check=True)
            os.chdir(copy)
            for path in ("reports/html/whole/2026-10", ".outcomes/finished"):
                subprocess.run(["rm", "-rf", path], check=True)
            forget(copy, "2026-10")
            ended = drive(at)
            killed += ended.returncode == -signal.SIGKILL
            check_whole(copy, pages)
            check_mended(copy, pages)
            os.chdir(project)
    assert killed >= int(points) - 3
    assert not find_strays(project)


def forget(project, slot: str) -> None:
    """Take a slot out of the archive, as if it had not been looked at yet."""
    archive = project / ".outcomes" / "archive" / "whole"
    kept = [
        one for one in json.loads((archive / "slots.json").read_text(encoding="utf-8")) if one["slot"] != slot
    ]
    (archive / "slots.json").write_text(json.dumps(kept), encoding="utf-8")
    for folder in archive.iterdir():
        path = folder / "manifest.json"
        if path.is_file() and json.loads(path.read_text(encoding="utf-8"))["slot"] == slot:
            subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.parametrize("limit", [0, 30, 300, 800, 1200, 2500, 5000])
def test_g03_a_full_disk_at_each_size_of_file(project, limit):
    pages = release_twice(project)

    def fill() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ended = drive(10**6, preexec_fn=fill)
    # what cannot even be noted ends the run with the system's own error, which the command line names
    assert "failed" in ended.stdout or "File too large" in ended.stderr or "released" in ended.stdout
    check_whole(project, pages)
    for record in read_history(Path(".outcomes/archive"), "whole"):
        assert record.state == "released" or record.exit_code == 9
    assert run(now=NEXT, asked=True).state == "released"
    check_mended(project, pages)


def test_g03_a_full_file_system(tmp_path, monkeypatch):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2600k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        monkeypatch.chdir(place)
        build_project(place, n_episodes=40)
        declare(place, MONTHLY.format(engine="fork"))
        pages = release_twice(place)
        ballast = place / "ballast"
        room = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        ballast.write_bytes(b"0" * max(0, room - 12_288))
        ended = drive(10**6)
        assert "failed" in ended.stdout or "No space left" in ended.stderr, ended
        check_whole(place, pages)
        ballast.unlink()
        assert run(now=NEXT, asked=True).state == "released"
        check_mended(place, pages)
    finally:
        monkeypatch.chdir(tmp_path)
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.parametrize("obstacle", ["file", "vanishes", "foreign"])
def test_g04_a_folder_that_cannot_be_written(project, obstacle):
    if obstacle == "file":
        Path("reports/html").write_bytes(b"in the way")
    elif obstacle == "vanishes":  # and a file takes its place while the page is made
        write_notebook(
            project,
            "import os\nplace = 'reports/html/whole/2026-10'\nos.rmdir(place)\nopen(place, 'w').close()",
        )
    else:
        declare(project, MONTHLY.format(engine="fork") + 'out = "/proc/nowhere"\n')
    ending = run(now=NEXT)
    assert (ending.state, ending.exit_code, ending.reason) == ("failed", 9, "output")
    said = ending.message + "".join(outcome.message for outcome in ending.outcomes)
    assert "bytes are free" in said and str(project) not in said


@pytest.mark.parametrize("engine", ["fork", "stock"])
@pytest.mark.parametrize(
    ("cell", "code", "reason"),
    [
        ("raise ValueError('P00017')", 6, "notebook"),
        ("while True:\n    pass", 10, "time"),
        ("import numpy as np\nnp.linalg.svd(np.random.rand(6000, 6000))", 10, "time"),
        ("import os\nos._exit(0)", 6, "notebook"),
        ("import os\nos.kill(os.getpid(), 9)", 6, "notebook"),
    ],
)
def test_g05_g06_g07_notebooks_that_fail_hang_or_die(project, engine, cell, code, reason):
    declare(project, MONTHLY.format(engine=engine) + "cell_seconds = 5\n")
    pages = release_twice(project)
    write_notebook(project, cell)
    ending = run(now=NEXT)
    assert (ending.state, ending.exit_code, ending.reason) == ("failed", code, reason)
    assert "P00017" not in ending.outcomes[0].message and list_pages() == pages
    write_notebook(project, "## Answer\n\nNo.")
    assert run(now=NEXT, asked=True).state == "released"
    check_mended(project, pages)


def test_g08_twenty_parallel_starts_make_one_release(project):
    command = [
        sys.executable,
        "-c",
        "from outcomes.cli import main; main()",
        "run",
        "--due",
        "--workers",
        "1",
    ]
    running = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(20)]
    codes = [one.wait() for one in running]
    assert set(codes) <= {0, 8} and 0 in codes
    published = [
        one for one in list_manifests(Path(".outcomes/archive"), "whole") if one.state == "published"
    ]
    assert len(published) == 1
    assert not find_strays(project)


def test_g09_a_lock_ends_with_its_holder(project):
    holder = (
        "import time\nfrom pathlib import Path\nfrom outcomes.machine.lock import hold_lock\n"
        "with hold_lock(Path('.outcomes').absolute(), 'whole'):\n"
        "    print('held', flush=True)\n    time.sleep(99)"
    )
    held = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    assert held.stdout.readline() == "held\n"
    held.kill()
    held.wait()
    with hold_lock(Path(".outcomes").absolute(), "whole"):
        pass


#: What some network drives do: every lock is granted, to everybody.
GENEROUS = """
#include <fcntl.h>
int flock(int file, int operation) { return 0; }
int lockf(int file, int command, off_t length) { return 0; }
int fcntl(int file, int command, ...) { return 0; }
int fcntl64(int file, int command, ...) { return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler to make a drive without locks")
def test_g10_a_drive_that_keeps_no_locks_is_refused(project):
    Path("generous.c").write_text(GENEROUS, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", "generous.so", "generous.c"], check=True)
    lock = "from pathlib import Path\nfrom outcomes.machine.lock import hold_lock\n"
    lock += "with hold_lock(Path('.outcomes').absolute(), 'whole'):\n    print('held')"
    told = subprocess.run(
        [sys.executable, "-c", lock],
        env={**os.environ, "LD_PRELOAD": str(project / "generous.so")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "keeps no locks" in told.stderr and told.stdout == ""


@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="needs setpriv to take from root what others lack"
)
def test_g04_a_folder_that_is_closed_to_us(project):
    powerless = ["setpriv", "--bounding-set=-all"] if os.getuid() == 0 else []
    command = [
        *powerless,
        sys.executable,
        "-c",
        "from outcomes.cli import main; main()",
        "run",
        "--workers",
        "1",
    ]
    Path("reports/html").mkdir()
    Path("reports/html").chmod(0o555)
    told = subprocess.run([*command, "--due"], capture_output=True, text=True, check=False)
    assert told.returncode == 9 and "cannot be written" in told.stderr and not list_pages()
    Path("reports/html").chmod(0o755)
    told = subprocess.run([*command, "whole"], capture_output=True, text=True, check=False)
    assert told.returncode == 0 and list_pages(), told.stderr


def test_g13_records_that_change_while_a_page_is_made(project):
    add = "import pathlib\npath = pathlib.Path('data/raw/made-up-clinic/events.csv')\n"
    add += "lines = path.read_text().splitlines(True)\n"
    add += "path.write_text(''.join(lines[:-1])) if len(lines) > {least} else None\n"
    show = (
        "from outcomes import open_page, read_records, release, summarise_data_quality, tabulate_reading\n"
        "page = open_page(audience, k=k)\n"
        "quality = release(summarise_data_quality(read_records(source, path_ or None)), page)"
    ).replace("path_", "None and path")
    n_lines = len((project / "data/raw/made-up-clinic/events.csv").read_text(encoding="utf-8").splitlines())
    write_notebook(project, add.format(least=n_lines - 1), show, "tabulate_reading(quality)")
    once = run(now=BEFORE)
    assert once.state == "released", "once more, from the new records"
    states = [one.reason for one in list_manifests(Path(".outcomes/archive"), "whole")]
    assert states == ["records", ""]
    pages = list_pages()
    write_notebook(project, add.format(least=1), show, "tabulate_reading(quality)")
    again = run(now=NEXT)
    assert (again.state, again.exit_code, again.reason) == ("failed", 3, "records") and list_pages() == pages


def test_g18_g20_a_batch_goes_on_with_what_is_missing(project):
    declare(project, MONTHLY.format(engine="fork") + 'for_each = "therapist"\n')
    write_notebook(
        project,
        "import os\nif int(therapist[1:]) % 3 == 0 and not os.path.exists('mended'):\n    raise ValueError",
    )
    ending = run(now=NEXT)
    failed = [outcome for outcome in ending.outcomes if outcome.state == "failed"]
    assert ending.exit_code == 6 and 2 < len(failed) < len(ending.outcomes) / 2
    pages = list_pages()
    Path("mended").touch()
    again = run(now=NEXT, asked=True)
    assert sum(outcome.state == "published" for outcome in again.outcomes) == len(failed)
    check_whole(project, pages)


def test_g23_two_hundred_runs_in_a_row_leave_nothing_behind(project, monkeypatch):
    temporary = project / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    declare(project, MONTHLY.format(engine="fork").replace("monthly", "daily"))
    run(now=NOW)
    process = psutil.Process()

    def measure() -> tuple[int, int, int, int]:
        memory = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
        return (
            memory,
            process.num_fds(),
            len(process.children(recursive=True)),
            len(list(temporary.iterdir())),
        )

    measured = []
    for number in range(200):
        if number % 10 == 0:
            write_notebook(project, f"## Answer\n\nNumber {number}.")
        run(now=NOW + dt.timedelta(days=number // 2))
        if number in (40, 199):
            measured.append(measure())
    (memory, fds, children, files), (memory_later, fds_later, children_later, files_later) = measured
    assert memory_later < memory * 1.1, (memory, memory_later)
    assert (fds_later, children_later) == (fds, children)
    assert files_later == files


def test_g28_a_reader_sees_the_old_or_the_new_page_whole(tmp_path):
    contents = [(f"<html>{number}" * 40_000).encode() + b"</html>" for number in range(2)]
    publish(tmp_path, "page", contents[0], {"a.csv": contents[0]})
    replace_file(tmp_path / "index.html", contents[0])
    seen, stop = set(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.update(
                hash((tmp_path / name).read_bytes()) for name in ("page.html", "page/a.csv", "index.html")
            )

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(200):
        publish(tmp_path, "page", contents[number % 2], {"a.csv": contents[number % 2]})
        replace_file(tmp_path / "index.html", contents[number % 2])
    stop.set()
    for reader in readers:
        reader.join()
    assert seen == {hash(content) for content in contents}


#: Approves what waits in a process that is killed at the n-th write to the project.
APPROVING = DRIVER.replace(
    "ending = series_project.run(now=now)\nprint(ending.state,",
    "from pathlib import Path\n"
    "from outcomes.reports.editions.approval import approve_editions, find_waiting\n"
    "private = Path('.outcomes').absolute()\n"
    "waiting = find_waiting(private, ['whole'])\n"
    "approve_editions(waiting, by='A. Reviewer', private=private, now=now)\nprint('approved',",
)


def test_g25_a_crash_between_the_ledger_and_the_folder_of_released_pages(project):
    declare(project, MONTHLY.format(engine="fork") + 'audience = "stakeholder"\n')
    show = (
        "from outcomes import open_page, read_records, release, select_cohort\n"
        "from outcomes import summarise_change, tabulate_change\n"
        "change = release(summarise_change(select_cohort(read_records(source))), open_page(audience, k=k))"
    )
    write_notebook(project, show, "tabulate_change(change)")
    assert run(now=BEFORE).state == "released"
    private = project / ".outcomes"
    text = APPROVING.format(tests=str(Path(__file__).parents[1]), now=BEFORE.isoformat())
    shutil.copytree(project, project.parent / "before")
    reached = set()
    for at in range(1, 200):
        told = subprocess.run(
            [sys.executable, "-c", text, str(at)], capture_output=True, text=True, check=False
        )
        with open_ledger(private, newest_known=find_newest_known()) as ledger:
            recover_editions(ledger)
            (edition,) = ledger.list_editions()
        reached.add(edition.state)
        standing = list(list_released())
        assert len(standing) == (edition.state == "released")
        if edition.state == "made":
            assert not [p for p in Path("reports/released").rglob("*") if p.is_file()], at
            approve_editions([edition], by="A. Reviewer", private=private, now=BEFORE)
        (page,) = list_released()
        beside = {path.name for path in page.with_suffix("").iterdir()}
        assert {"results.csv", "results.xlsx", RECORD_NAME} <= beside
        assert page.read_bytes() == find_place(edition).read_bytes()
        if told.returncode == 0:
            break
        for name in (".outcomes", "reports"):
            shutil.rmtree(project / name)
            shutil.copytree(project.parent / "before" / name, project / name)
    assert reached == {"made", "released"} and 10 < at < 199


def test_g26_both_engines_use_one_thread_for_linear_algebra(project):
    write_notebook(project, "import os\nopen('seen', 'a').write(os.environ['OMP_NUM_THREADS'])")
    for engine in ("fork", "stock"):
        declare(project, MONTHLY.format(engine=engine))
        run_all(now=NEXT, asked=True)
        (project / "notebooks" / "mine.ipynb").touch()
        subprocess.run(["rm", "-rf", "reports/html", ".outcomes"], check=True)
    assert Path("seen").read_text(encoding="utf-8") == "11"
