"""What is private is kept as long as declared, and no longer; manifests and released numbers stay."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from outcomes.reports.archive.store import find_last_release, prune_runs
from series_project import NOW, build_project, declare, run, write_notebook


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path, n_episodes=40)
    declare(tmp_path, '[report.whole]\nsource = "made-up-clinic"\nnotebook = "mine"\ncadence = "monthly"\n')
    return tmp_path


def test_run_folders_go_and_what_was_released_stays(project):
    run(now=NOW)
    write_notebook(project, "## Answer\n\nNo.")
    run(now=NOW + dt.timedelta(days=30))
    private = project / ".outcomes"
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    draft = private / "finished" / ".note.json.0000.draft"
    draft.touch()
    assert prune_runs(private, later, {"whole": 60}) == 0
    assert prune_runs(private, later, {"whole": 30}) == 1, "the last run of a series is kept"
    assert len(list((private / "runs").iterdir())) == 1 and not draft.exists()
    last = find_last_release(private / "archive", "whole")
    assert last is not None and len(last.results()) == 0
    assert len(list((private / "archive" / "whole").glob("*/manifest.json"))) == 2


def test_a_file_that_is_being_written_is_left_alone(project):
    run(now=NOW)
    draft = Path(".outcomes/finished/.note.json.0000.draft")
    draft.touch()
    now = dt.datetime.now(dt.UTC)
    prune_runs(Path(".outcomes"), now, {})
    assert draft.exists()
    before = (now - dt.timedelta(days=2)).timestamp()
    os.utime(draft, (before, before))
    prune_runs(Path(".outcomes"), now, {})
    assert not draft.exists()
