"""Editions for stakeholders: made, compared, approved by a person, and put where they may leave from."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from outcomes.cli import main
from outcomes.errors import DisclosureError, ReportError
from outcomes.reports.editions.approval import approve_editions, find_waiting, list_waiting, refuse_editions
from outcomes.reports.editions.released_pages import RECORD_NAME, hash_file, read_record
from series_project import NOW, build_project, declare, list_pages, run, write_notebook

DECLARED = """\
[defaults]
source = "made-up-clinic"
notebook = "mine"
audience = "stakeholder"

[report.whole]
"""
CHANGE = """\
from outcomes import open_page, read_records, release, select_cohort, summarise_change, tabulate_change
cohort = select_cohort(read_records(source, path or None), where={"site": site})
page = open_page(audience, k=k)
change = release(summarise_change(cohort), page)
"""
LATER = NOW + dt.timedelta(days=92)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=240)
    declare(tmp_path, DECLARED)
    write_notebook(tmp_path, CHANGE, "## Answer", "tabulate_change(change)")
    return tmp_path


def approve(what: str = "whole", now: dt.datetime = NOW) -> list[Path]:
    private = Path.cwd() / ".outcomes"
    placed = approve_editions(find_waiting(private, [what]), by="A. Reviewer", private=private, now=now)
    return list(placed.values())


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


def add_patients(project: Path, n: int) -> None:
    """Let so many patients more have come, as if they had been recorded since."""
    from outcomes.synthetic import write_clinic

    more = project / "more"
    write_clinic(more, n_episodes=n, seed=11)
    for path in (project / "data" / "raw" / "made-up-clinic").glob("*.csv"):
        held, new = path.read_text(encoding="utf-8"), (more / path.name).read_text(encoding="utf-8")
        lines = new.splitlines(keepends=True)[1:]
        path.write_text(held + "".join(_rename(line) for line in lines), encoding="utf-8")


def _rename(line: str) -> str:
    return line.replace("E0", "F0").replace("P0", "Q0")


def test_a_page_waits_until_somebody_approves_it(project, capsys):
    ending = run()
    assert ending.state == "released" and ending.waits
    (page,) = [path for path in list_pages() if path.endswith(".html") and "whole/" in path]
    assert not Path("reports/released").exists()
    assert call("status") == 0
    assert "wait for approval: 1" in capsys.readouterr().out
    assert call("approve") == 0
    told = capsys.readouterr().out
    assert "whole" in told and "2026-Q3" in told
    assert call("approve", "whole", "--by", "A. Reviewer") == 0
    assert "released: reports/released/whole/2026-Q3/" in capsys.readouterr().out
    released = list_pages("reports/released")
    name = page.removeprefix("whole/2026-Q3/")
    assert released[f"whole/2026-Q3/{name}"] == list_pages()[page]
    record = read_record(Path("reports/released/whole/2026-Q3") / name)
    assert (record.state, record.approved_by, record.audit) == ("released", "A. Reviewer", "passed")
    assert record.k == 11 and record.n_numbers > record.n_withheld >= 0
    index = released["index.html"].decode("utf-8")
    assert f'href="whole/2026-Q3/{name}"' in index and "waits" not in index
    assert call("approve") == 0
    assert "Nothing waits" in capsys.readouterr().out


@pytest.mark.parametrize("which", [["whole"], ["--all"], ["--due"]], ids=" ".join)
def test_a_run_beside_a_damaged_ledger_makes_nothing_and_says_so(project, capsys, which):
    """The page of the slot stands already; that it was released is not to be said."""
    run()
    path = Path(".outcomes/ledger/ledger.sqlite")
    path.write_bytes(path.read_bytes()[:5000])
    assert call("run", *which, "--workers", "1") == 7
    said = " ".join(capsys.readouterr().err.split())
    assert "outcomes ledger restore" in said and "released 1 page" not in said and "Traceback" not in said


@pytest.mark.parametrize("forgotten", [["approve", "whole", "--refuse"], ["ledger", "begin", "lost"]])
def test_a_page_that_the_ledger_no_longer_knows_is_made_anew(project, forgotten):
    assert run(asked=True).outcomes[0].state == "published"
    assert run(asked=True).outcomes[0].state == "unchanged"
    assert call(*forgotten) == 0 and call("approve", "whole", "--by", "A. Reviewer") == 2
    assert run(asked=True).outcomes[0].state == "published"
    assert call("approve", "whole", "--by", "A. Reviewer") == 0


def test_what_is_typed_wrong_is_refused(project, capsys):
    run()
    assert call("approve", "whole") == 2
    assert "--by NAME" in capsys.readouterr().err
    assert call("approve", "nothing", "--by", "A. Reviewer") == 2
    assert "Nothing waits for approval under 'nothing'" in capsys.readouterr().err


def test_a_record_holds_counts_and_no_run(project):
    run()
    (path,) = Path("reports/html").rglob(RECORD_NAME)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["state"] == "made" and content["approved_by"] == ""
    (edition,) = list_waiting(Path.cwd() / ".outcomes")
    assert edition.id not in path.read_text(encoding="utf-8")
    assert str(project) not in path.read_text(encoding="utf-8")


def test_a_page_that_was_changed_since_it_was_made_is_not_released(project):
    run()
    (page,) = Path("reports/html/whole").rglob("*.html")
    page.write_bytes(page.read_bytes().replace(b"withheld", b"3"))
    page.write_bytes(page.read_bytes() + b" ")
    with pytest.raises(DisclosureError, match="no longer what was made"):
        approve()
    assert not list(Path("reports").glob("released/**/*.html"))


def test_a_file_beside_a_page_that_was_changed_together_with_the_record_is_not_released(project):
    run()
    (page,) = Path("reports/html/whole").rglob("*.html")
    rows, path = page.with_suffix("") / "results.csv", page.with_suffix("") / RECORD_NAME
    before = hash_file(rows)
    rows.write_bytes(rows.read_bytes() + b"x")
    assert before in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(before, hash_file(rows)), encoding="utf-8")
    with pytest.raises(DisclosureError, match="no longer what was made"):
        approve()


def test_an_older_edition_is_not_released_after_a_newer_one(project):
    run()
    (first,) = list_waiting(Path.cwd() / ".outcomes")
    add_patients(project, 80)
    assert run(now=LATER).state == "released"
    approve()
    private = Path.cwd() / ".outcomes"
    with pytest.raises(DisclosureError, match="fell due before"):
        approve_editions([first], by="A. Reviewer", private=private, now=LATER)


def test_a_page_that_is_taken_back_no_longer_waits(project):
    run()
    private = Path.cwd() / ".outcomes"
    refuse_editions(list_waiting(private), private=private)
    assert not list_waiting(private)
    with pytest.raises(ReportError, match="Nothing waits"):
        approve()


def test_a_released_page_is_never_written_over(project):
    run()
    (before,) = approve()
    bytes_before = before.read_bytes()
    write_notebook(project, CHANGE, "## Answer\n\nIn other words.", "tabulate_change(change)")
    assert run(asked=True).state == "released"
    (after,) = approve()
    assert after.parent.name == "2026-Q3-r2" and before.read_bytes() == bytes_before
    assert "other words" in after.read_text(encoding="utf-8")


def test_a_page_made_by_hand_is_approved_by_its_place(project):
    assert call("report", "mine", "-p", "audience=stakeholder") == 0
    (page,) = Path("reports/html").glob("*.html")
    (released,) = approve(str(page))
    assert released.parent.parent.name == "by-hand" and released.read_bytes() == page.read_bytes()


def test_a_lost_ledger_lets_no_page_be_made(project):
    run()
    approve()
    pages = list_pages("reports/released")
    Path(".outcomes/ledger/ledger.sqlite").unlink()
    add_patients(project, 40)
    ending = run(now=LATER)
    assert (ending.state, ending.exit_code, ending.reason) == ("failed", 7, "disclosure")
    assert "outcomes ledger restore" in ending.outcomes[0].message
    assert list_pages("reports/released") == pages


def test_the_same_series_gives_the_same_bytes(tmp_path, monkeypatch):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        build_project(folder, n_episodes=240)
        declare(folder, DECLARED + 'for_each = "site"\n')
        write_notebook(folder, CHANGE, "## Answer", "tabulate_change(change)")
        for now, n in ((NOW, 0), (LATER, 8)):
            if n:
                add_patients(folder, n)
            assert run(now=now).state == "released"
            approve(now=now)
        made.append(list_pages("reports/released"))
    assert made[0] == made[1] and len(made[0]) > 16
