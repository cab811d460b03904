"""The ledger of releases: what stands in it, how it refuses to be wrong, and how it comes through a crash."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from outcomes.cli import main
from outcomes.disclosure import release
from outcomes.disclosure.ledger import Edition, open_ledger, restore_ledger
from outcomes.disclosure.ledger.key import KEY_FILE
from outcomes.errors import DisclosureError
from outcomes.result import Patients, build_result

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")


def make_release(people: int = 40, mean: float = 30.0):
    """A release of one mean of so many patients, P0, P1, ..."""
    rows = [{"statistic": "mean_score", "outcome": "odi", "group": "all", "estimate": mean, "n": people}]
    patients = Patients(
        np.array([f"P{number}" for number in range(people)], dtype=object),
        np.arange(people, dtype="uint64"),
    )
    support = [{"all": np.arange(people)}]
    return release(build_result("change", rows, method="Mean.", support=support, patients=patients))


def make_edition(number: int = 1, **further) -> Edition:
    given = {"series": "whole", "slot": f"2026-Q{number}", "made": f"2026-0{number}-01", **further}
    return Edition(f"run{number}", "therapy_comparison", "page-odi", **given)


def put_out(ledger, edition: Edition, *releases) -> Edition:
    """Enter an edition and release it."""
    ledger.enter(edition, releases or [make_release()])
    ledger.prepare(edition.id, "A. Nurse", edition.made)
    return ledger.settle(edition.id)


@pytest.fixture
def private(tmp_path) -> Path:
    return tmp_path / ".outcomes"


@pytest.fixture
def released(private) -> Path:
    """A private folder whose ledger knows two releases."""
    with open_ledger(private) as ledger:
        put_out(ledger, make_edition(1))
        put_out(ledger, make_edition(2), make_release(60, 31.0))
    return private


def test_an_edition_is_made_prepared_and_released(private):
    with open_ledger(private) as ledger:
        assert ledger.enter(make_edition(), [make_release()]).state == "made"
        assert ledger.prepare("run1", "A. Nurse", "2026-01-05").state == "prepared"
        last = ledger.settle("run1")
        assert (last.state, last.approved_by, last.approved_on) == ("released", "A. Nurse", "2026-01-05")
        assert ledger.find_last_released("whole", {}) == last
        assert ledger.find_last_released("whole", {"site": "meadow"}) is None
        (cell,) = ledger.read_cells()
        assert cell.whole.size == 40 and cell.row["estimate"] == 30.0 and cell.as_of == "2026-01-01"
        assert [event.change for event in ledger.list_events()] == ["begun", "made", "prepared", "released"]
    with open_ledger(private, newest_known=last.sequence) as ledger:
        assert ledger.list_editions() == [last]
        assert ledger.head.released == last.sequence and ledger.head.page == "page-odi"


def test_an_edition_made_again_replaces_the_one_that_nobody_saw(private):
    with open_ledger(private) as ledger:
        ledger.enter(make_edition(), [make_release(40)])
        again = Edition("run9", "therapy_comparison", "page-odi", series="whole", slot="2026-Q1")
        ledger.enter(again, [make_release(50)])
        assert [edition.id for edition in ledger.list_editions()] == ["run9"]
        assert [cell.whole.size for cell in ledger.read_cells()] == [50]
        ledger.prepare("run9", "A. Nurse", "2026-01-05")
        ledger.settle("run9")
        ledger.enter(make_edition(), [make_release(40)])
        assert [edition.state for edition in ledger.list_editions()] == ["released", "made"]


def test_states_follow_one_another_only(private):
    with open_ledger(private) as ledger:
        ledger.enter(make_edition(), [make_release()])
        for forbidden in (ledger.settle, lambda id: ledger.prepare("other", "A", "2026-01-01")):
            with pytest.raises(DisclosureError):
                forbidden("run1")
        ledger.prepare("run1", "A. Nurse", "2026-01-05")
        with pytest.raises(DisclosureError, match="is prepared"):
            ledger.enter(make_edition(), [make_release()])
        ledger.settle("run1")
        assert ledger.withdraw("run1").state == "withdrawn"
        assert ledger.find_last_released("whole", {}) is None
        ledger.enter(make_edition(2), [make_release()])
        assert ledger.withdraw("run2") is None
        assert [edition.id for edition in ledger.list_editions()] == ["run1"]


def test_no_id_stands_in_the_private_files(released):
    for path in released.rglob("*"):
        if path.is_file():
            assert b"P17" not in path.read_bytes(), path.name


@posix
def test_private_files_are_for_their_owner_whatever_the_umask(private):
    code = f"""
        import os; os.umask(0)
        from pathlib import Path
        from tests.test_ledger import *
        with open_ledger(Path({str(private)!r})) as ledger:
            put_out(ledger, make_edition())
    """
    run_python(code, check=True)
    for path in [private, *private.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name


def run_python(code: str, check: bool = False, **further) -> subprocess.CompletedProcess:
    """Run code in another process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=check,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}, **further,
    )  # fmt: skip


# -- G11: damaged, cut off, deleted, older than the newest release, another key, open to others


def _overwrite(private):
    path = private / "ledger" / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\x5a" * 8192
    path.write_bytes(bytes(content))


def _cut(private):
    path = private / "ledger" / "ledger.sqlite"
    path.write_bytes(path.read_bytes()[:5000])


def _empty(private):
    (private / "ledger" / "ledger.sqlite").write_bytes(b"")


def _run_sql(*statements):
    def damage(private):
        with sqlite3.connect(private / "ledger" / "ledger.sqlite") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return damage


def _forget_last(private):
    """Put the copy after the first release in place of the database."""
    folder = private / "ledger"
    shutil.copyfile(sorted((folder / "backups").iterdir())[0], folder / "ledger.sqlite")


def _forget_last_with_head(private):
    """The same with a head to match, as from an older copy of the whole machine."""
    _forget_last(private)
    with sqlite3.connect(private / "ledger" / "ledger.sqlite") as connection:
        sequence, hash = connection.execute(
            "SELECT sequence, hash FROM events ORDER BY sequence DESC"
        ).fetchone()
    connection.close()
    head = {"sequence": sequence, "hash": hash, "released": sequence, "page": "page-odi"}
    (private / "ledger" / "head.json").write_text(json.dumps(head), encoding="utf-8")


DAMAGES = {
    "overwritten": _overwrite,
    "cut off": _cut,
    "emptied": _empty,
    "deleted": lambda private: (private / "ledger" / "ledger.sqlite").unlink(),
    "folder deleted": lambda private: shutil.rmtree(private / "ledger"),
    "head deleted": lambda private: (private / "ledger" / "head.json").unlink(),
    "head spoiled": lambda private: (private / "ledger" / "head.json").write_bytes(b"{"),
    "older": _forget_last,
    "older with its head": _forget_last_with_head,
    "key deleted": lambda private: (private / "keys" / "ledger.key").unlink(),
    "another key": lambda private: (private / "keys" / "ledger.key").write_text("ab" * 32, encoding="ascii"),
    "no key": lambda private: (private / "keys" / "ledger.key").write_text("?", encoding="ascii"),
    "number changed": _run_sql("UPDATE cells SET row = replace(row, '30.0', '29.0')"),
    "state changed": _run_sql("UPDATE editions SET state = 'made' WHERE id = 'run1'"),
    "edition removed": _run_sql(
        "DELETE FROM cells WHERE edition = 'run1'", "DELETE FROM editions WHERE id = 'run1'"
    ),
    "event removed": _run_sql("DELETE FROM events WHERE sequence = 3"),
    "event changed": _run_sql("UPDATE events SET day = '2020-01-01' WHERE sequence = 3"),
    "patients exchanged": _run_sql("UPDATE patients SET token = randomblob(32) WHERE number = 1"),
    "set changed": _run_sql(
        "UPDATE patient_sets SET members = (SELECT members FROM patient_sets WHERE id = 1) WHERE id = 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_ledger_is_refused(released, damage):
    damage(released)
    with pytest.raises(DisclosureError) as caught:
        open_ledger(released, newest_known=7)
    assert caught.value.exit_code == 7
    assert "outcomes ledger begin" in str(caught.value) or "key" in str(caught.value)
    with open_ledger(released, newest_known=7, new_series="the disk was lost") as ledger:
        (begun,) = ledger.list_events()
        assert begun.edition == "the disk was lost" and begun.sequence == 8 and not ledger.list_editions()


@posix
@pytest.mark.parametrize("file", ["ledger/ledger.sqlite", "ledger/head.json", "keys/ledger.key"])
def test_a_file_that_others_may_read_is_refused(released, file):
    (released / file).chmod(0o644)
    with pytest.raises(DisclosureError, match="chmod 600"):
        open_ledger(released)


def test_released_pages_alone_tell_that_a_ledger_is_missing(private):
    with pytest.raises(DisclosureError, match="missing"):
        open_ledger(private, newest_known=3)
    assert not (private / "ledger" / "ledger.sqlite").exists()


def test_the_key_may_lie_elsewhere(tmp_path, private, monkeypatch):
    place = tmp_path / "stick" / "my.key"
    monkeypatch.setenv(KEY_FILE, str(place))
    with open_ledger(private) as ledger:
        put_out(ledger, make_edition())
    assert place.is_file() and not (private / "keys").exists()
    monkeypatch.delenv(KEY_FILE)
    with pytest.raises(DisclosureError, match="missing"):
        open_ledger(private)


def test_damage_is_told_by_the_command_line(released, capsys, monkeypatch):
    monkeypatch.chdir(released.parent)
    assert run_command("ledger", "verify") == 0 and "2 of them released" in capsys.readouterr().out
    assert run_command("ledger", "show") == 0
    shown = capsys.readouterr().out
    assert "page-odi" in shown and "A. Nurse" in shown and "P17" not in shown
    _cut(released)
    assert run_command("ledger", "verify") == 7
    assert "outcomes ledger restore" in " ".join(capsys.readouterr().err.split())
    assert run_command("ledger", "restore") == 0
    assert run_command("ledger", "verify") == 0
    shutil.rmtree(released / "ledger")
    assert run_command("ledger", "restore") == 7 and run_command("ledger", "verify") == 7
    assert run_command("ledger", "begin", "the disk was lost") == 0
    assert run_command("ledger", "verify") == 0


def run_command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


# -- copies


def test_a_copy_is_put_back_where_it_knows_all_releases(released):
    _cut(released)
    with restore_ledger(released, {"page-odi": 7}) as ledger:
        assert [edition.state for edition in ledger.list_editions()] == ["released", "released"]
        assert ledger.list_events()[-1].change == "restored"
        put_out(ledger, make_edition(3), make_release(90))
    with open_ledger(released) as ledger:
        assert len(ledger.list_editions()) == 3
    assert list((released / "ledger").glob("aside-*/ledger.sqlite"))


def test_a_copy_that_would_forget_a_release_is_put_back_for_withdrawn_pages_only(released):
    _cut(released)
    sorted((released / "ledger" / "backups").iterdir())[-1].unlink()
    with pytest.raises(DisclosureError, match="page-odi"):
        restore_ledger(released)
    with restore_ledger(released, withdrawn=["page-odi"]) as ledger:
        assert [edition.id for edition in ledger.list_editions()] == ["run1"]
        assert ledger.head.sequence > 7
        assert "page-odi" in ledger.list_events()[-1].edition


def test_ten_copies_are_kept(private):
    with open_ledger(private) as ledger:
        for number in range(13):
            slot = {"slot": f"{2010 + number}", "made": f"{2010 + number}-01-01"}
            put_out(ledger, Edition(f"run{number}", "r", "page", series="s", **slot))
    kept = sorted(path.name for path in (private / "ledger" / "backups").iterdir())
    assert len(kept) == 10 and kept[-1] == "ledger-00000040.sqlite"


# -- G25: a crash between the steps; a full disk


def test_what_was_prepared_is_ended_forward_or_back(private):
    with open_ledger(private) as ledger:
        ledger.enter(make_edition(1), [make_release()])
        ledger.prepare("run1", "A. Nurse", "2026-01-05")
        (ended,) = ledger.recover(lambda edition: False)
        assert (ended.state, ended.approved_by) == ("made", "")
        ledger.prepare("run1", "A. Nurse", "2026-01-05")
        (ended,) = ledger.recover(lambda edition: True)
        assert ended.state == "released" and ledger.recover(lambda edition: True) == []


#: Functions of the ledger's room before whose call the process is killed, each at each call.
STEPS = [
    "ledger.append_event", "ledger.write_head", "ledger.keep_backup", "ledger.build_cells",
    "stored_cells.keep_set", "ledger.hash_edition", "ledger.write_database", "database.write_private_file",
]  # fmt: skip


def _kill_at(module: str, name: str, call: int, private: Path, work) -> None:
    """Run some work, and be killed before the given call of a function."""
    import importlib

    module = importlib.import_module(f"outcomes.disclosure.ledger.{module}")
    whole, calls = getattr(module, name), 0

    def killing(*args, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args, **named)

    setattr(module, name, killing)
    work(private)


def _release_one(private: Path) -> None:
    with open_ledger(private) as ledger:
        put_out(ledger, make_edition())


def _begin(private: Path) -> None:
    open_ledger(private)


@pytest.fixture(scope="module")
def kill_at():
    """Run work in another process that is killed on its way; whether it was."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "outcomes.cli", "outcomes.disclosure.ledger"])

    def run(step: str, call: int, private: Path, work) -> bool:
        process = context.Process(target=_kill_at, args=(*step.split("."), call, private, work))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0

    return run


@posix
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_a_ledger_that_opens_and_goes_on(tmp_path, kill_at, step):
    for call in range(1, 9):
        private = tmp_path / f"{call}"
        open_ledger(private)
        was_killed = kill_at(step, call, private, _release_one)
        with open_ledger(private) as ledger:
            ledger.recover(lambda edition: False)
            states = [edition.state for edition in ledger.list_editions()]
            assert states in ([], ["made"], ["released"])
            if states != ["released"]:
                put_out(ledger, make_edition())
        with open_ledger(private) as ledger:
            assert [edition.state for edition in ledger.list_editions()] == ["released"]
        if not was_killed:
            assert call > 1, "the step was never reached"
            return
    pytest.fail("the step was called more often than the test allows for")


@posix
@pytest.mark.parametrize(
    "step",
    ["database.open_private_folder", "opening.append_event", "opening.keep_key", "opening.write_head"],
)
def test_a_kill_while_the_ledger_is_begun_leaves_one_that_can_be_begun(private, kill_at, step):
    assert kill_at(step, 1, private, _begin)
    _release_one(private)


@posix
def test_a_full_disk_leaves_the_ledger_as_it_was(released):
    code = f"""
        import resource, signal
        from pathlib import Path
        from outcomes.errors import ReportError
        from tests.test_ledger import *
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        path = Path({str(released)!r})
        with open_ledger(path) as ledger:
            size = (path / "ledger" / "ledger.sqlite").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            try:
                ledger.enter(make_edition(3), [make_release(people) for people in range(400, 1400, 100)])
            except ReportError as error:
                print(error.exit_code, error)
    """
    told = run_python(code, check=True).stdout
    assert told.startswith("9 ") and "ledger.sqlite" in told and "bytes are free" in told
    with open_ledger(released) as ledger:
        assert len(ledger.list_editions()) == 2
        put_out(ledger, make_edition(3), make_release(90))


def test_two_processes_write_one_after_the_other(private):
    code = """
        from pathlib import Path
        from tests.test_ledger import *
        with open_ledger(Path({private!r})) as ledger:
            for number in range(5):
                slot = dict(series="s", slot=str(number), made="2026-01-01")
                put_out(ledger, Edition(f"{name}{{number}}", "r", "{name}", **slot))
    """
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code.format(private=str(private), name=name))],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        )
        for name in ("one", "other")
    ]  # fmt: skip
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    with open_ledger(private) as ledger:
        assert len(ledger.list_editions()) == 10 and len(ledger.list_events()) == 31
