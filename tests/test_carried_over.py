"""A project of an earlier version goes on: its ledger still guards, its archive and its series are read.

`carried_over/project.zip` was made by the code of commit 9d75957, of made-up records: a source and two
series of the project's own, of two releases each. `whole` is for stakeholders and was approved twice, of
80 and of 100 patients; `looking` is for the team and keeps snapshots. Four more patients have come since.
Its key was made for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from outcomes.cli import main
from outcomes.disclosure.ledger import Edition, open_ledger, restore_ledger
from outcomes.errors import DisclosureError
from outcomes.reports.archive.snapshots import read_snapshot
from outcomes.reports.archive.store import find_last_release
from outcomes.reports.editions.approval import approve_editions, find_waiting
from outcomes.reports.editions.released_pages import find_newest_known, list_released
from outcomes.reports.series.declaration import read_series
from outcomes.reports.series.slots import read_history
from series_project import run

PROJECT = Path(__file__).parent / "carried_over" / "project.zip"
NEXT = dt.datetime(2027, 4, 2, 12, tzinfo=dt.UTC)
PRIVATE = Path(".outcomes")
#: How a notebook for stakeholders was written, and how it is now.
THEN = "change = release(summarise_change(cohort), audience, k=k)"
NOW = "page = open_page(audience, k=k)\\nchange = release(summarise_change(cohort), page)"


@pytest.fixture
def project(tmp_path, monkeypatch):
    with zipfile.ZipFile(PROJECT) as archive:
        archive.extractall(tmp_path)
    for path in (tmp_path / ".outcomes").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (tmp_path / ".outcomes").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def open_todays_page():
    """Write the notebook as it is written today."""
    path = Path("notebooks/mine.ipynb")
    text = path.read_text(encoding="utf-8").replace("import read_records", "import open_page, read_records")
    assert THEN in text
    path.write_text(text.replace(THEN, NOW), encoding="utf-8")


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


def approve():
    private = Path.cwd() / PRIVATE
    waiting = find_waiting(private, ["whole"])
    (page,) = approve_editions(waiting, by="A. Reviewer", private=private, now=NEXT).values()
    return page


def read_rows(slot):
    (path,) = Path("reports/released/whole").glob(f"{slot}/mine-hillside-stakeholder/results.csv")
    rows = pd.read_csv(path).drop(columns="view")
    return rows.set_index(["statistic", "group", "timepoint"]).reindex(
        columns=["estimate", "display", "as_of"]
    )


def test_the_ledger_is_whole_and_opening_changes_nothing(project, capsys):
    def digest():
        files = [path for path in sorted((PRIVATE / "ledger").rglob("*")) if path.is_file()]
        return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]

    before = digest()
    with open_ledger(PRIVATE, newest_known=find_newest_known()) as ledger:
        editions, counts = ledger.list_editions(), ledger.count_cells()
        cells = ledger.read_cells()
    assert [(one.slot, one.state, one.approved_by) for one in editions] == [
        ("2026-Q3", "released", "A. Reviewer"),
        ("2026-Q4", "released", "A. Reviewer"),
    ]
    assert [counts[one.id] for one in editions] == [(15, 0), (15, 8)]
    assert max(cell.whole.size for cell in cells) == 76
    assert call("ledger", "verify") == 0 and "2 editions, 2 of them released" in capsys.readouterr().out
    assert digest() == before and len(list_released()) == 2


def test_the_first_change_writes_the_digest_and_keeps_a_copy(project):
    path = PRIVATE / "ledger" / "ledger.sqlite"
    before = path.read_bytes()
    with open_ledger(PRIVATE, newest_known=find_newest_known()) as ledger:
        known, last = ledger.list_editions(), ledger.head.sequence
        ledger.enter(Edition("new", "mine", "page"), [])
        ledger.rehash()
    assert path.read_bytes()[: len(before)] != before
    for file in (path, PRIVATE / "ledger" / "backups" / f"ledger-{last:08d}.sqlite"):
        with closing(sqlite3.connect(file)) as held:
            assert held.execute("SELECT value FROM about WHERE name = 'form'").fetchone() == ("2",)
        content = bytearray(file.read_bytes())
        key = bytes.fromhex((PRIVATE / "keys" / "ledger.key").read_text())
        assert hmac.digest(key, content[:-32], "sha256") == content[-32:]
    path.write_bytes(b"damaged")
    with restore_ledger(PRIVATE) as ledger:
        assert ledger.list_editions() == known
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(DisclosureError, match="digest"):
        open_ledger(PRIVATE)


@pytest.mark.parametrize("statement", ["UPDATE marks SET marks = zeroblob(9)", "DROP INDEX cells_of_edition"])
def test_what_was_changed_before_there_was_a_digest_is_told(project, statement):
    with closing(sqlite3.connect(PRIVATE / "ledger" / "ledger.sqlite")) as held, held:
        if not statement.startswith("DROP"):
            held.execute(statement)
        else:  # an index that lacks a row
            held.execute("PRAGMA writable_schema = ON")
            held.execute(
                "UPDATE sqlite_master SET sql = sql || ' WHERE id > 9' WHERE name = 'cells_of_edition'"
            )
    with pytest.raises(DisclosureError, match="damaged"):
        open_ledger(PRIVATE)


def test_what_an_earlier_version_left_half_written_is_undone(project):
    path = PRIVATE / "ledger" / "ledger.sqlite"
    journal = path.with_name("ledger.sqlite-journal")
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("PRAGMA cache_size = 1")
        held.execute("PRAGMA cache_spill = 1")
        held.execute("BEGIN IMMEDIATE")
        held.execute("UPDATE patients SET token = randomblob(32)")
        held.execute("UPDATE cells SET row = row || ' '")
        torn = path.read_bytes(), journal.read_bytes()
        held.execute("ROLLBACK")
    assert torn[0] != path.read_bytes()
    path.write_bytes(torn[0])
    journal.write_bytes(torn[1])
    journal.chmod(0o600)
    with open_ledger(PRIVATE, newest_known=find_newest_known()) as ledger:
        assert len(ledger.list_editions()) == 2


def test_archive_slots_and_snapshots_are_read(project):
    assert set(read_series()) == {"whole", "looking"}
    archive = PRIVATE / "archive"
    for id in ("whole", "looking"):
        slots = read_history(archive, id)
        assert [(one.slot, one.state) for one in slots] == [("2026-Q3", "released"), ("2026-Q4", "released")]
    last = find_last_release(archive, "looking")
    assert last.manifest.slot == "2026-Q4" and set(last.results()["analysis"]) == {"since_last"}
    snapshot = read_snapshot(last.folder / "snapshot.zip")
    assert snapshot.tables["episodes"]["patient_id"].nunique() == 100
    assert set(snapshot.headline["statistic"]) >= {"mean_improvement"}


def test_status_names_the_last_releases(project, capsys):
    call("status", "--json")
    told = json.loads(capsys.readouterr().out)["series"]
    assert {one["series"]: one["last"] for one in told} == {"looking": "2026-Q4", "whole": "2026-Q4"}


def test_a_page_with_four_newcomers_shows_what_was_shown_before(project):
    open_todays_page()
    assert run("whole", now=NEXT).state == "released"
    approve()
    before, after = read_rows("2026-Q4"), read_rows("2027-Q1")
    # a later score was of those seen then, and is the same quantity of all who began
    before.index = before.index.map(
        lambda name: (
            ("mean_expected", *name[1:]) if name[0] == "mean_score" and name[2] != "baseline" else name
        )
    )
    # of 76 seen at the start some more; beside the old mean the new one would tell of them
    everybody = ("mean_score", "all", "baseline")
    assert pd.isna(before.at[everybody, "as_of"]) and after.at[everybody, "as_of"] == "2027-01-02"
    shown = after[after["estimate"].notna()]
    assert len(shown) == len(before[before["estimate"].notna()]) == 11
    assert shown["as_of"].isin(["2026-10-02", "2027-01-02"]).all()
    assert (shown["estimate"] == before.loc[shown.index, "estimate"]).all()
    with open_ledger(PRIVATE, newest_known=find_newest_known()) as ledger:
        assert [one.state for one in ledger.list_editions()] == ["released"] * 3


def test_a_notebook_of_then_is_told_what_to_write(project):
    ended = run("whole", now=NEXT)
    assert ended.state == "failed" and "open_page" in ended.outcomes[0].message
    assert not list(Path("reports/html/whole/2027-Q1").rglob("*.html"))


def test_the_teams_page_says_what_changed_since_the_release_of_then(project):
    assert run("looking", now=NEXT).state == "released"
    (page,) = Path("reports/html/looking/2027-Q1").glob("*.html")
    assert "Since the release 2026-Q4 the records gained" in page.read_text(encoding="utf-8")


def test_a_copy_of_then_can_be_put_back(project, capsys):
    (PRIVATE / "ledger" / "ledger.sqlite").write_bytes(b"damaged")
    assert call("ledger", "verify") == 7
    capsys.readouterr()
    assert call("ledger", "restore") == 0 and "Restored: 2 editions" in capsys.readouterr().out
    assert call("ledger", "verify") == 0
