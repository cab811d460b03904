"""A small project with series of reports, for tests of what is due and what goes wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from outcomes.records import read_records
from outcomes.reports.series.declaration import read_series
from outcomes.reports.series.running import RunRequest, SeriesResult, run_series
from outcomes.synthetic import write_clinic

PARAMETERS = """\
source = "made-up-clinic"  # name of a source
path = ""                  # place of the records
site = ""                  # name of a site
therapist = ""             # name of a therapist
since = ""                 # a date
until = ""                 # a date
period = ""                # in words
audience = "team"          # one of: team, stakeholder
k = 11                     # from 5 to 100
"""
DECLARED = """\
[defaults]
source = "made-up-clinic"
notebook = "mine"

[report.whole]
"""
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def build_project(folder: Path, n_episodes: int = 120) -> None:
    """Make a project: a clinic's records, one trivial notebook, and a declaration."""
    write_clinic(folder / "data" / "raw" / "made-up-clinic", n_episodes=n_episodes, seed=3)
    (folder / "notebooks").mkdir()
    (folder / "reports").mkdir()
    write_notebook(folder, "## Answer\n\nYes.")
    declare(folder, DECLARED)


def declare(folder: Path, text: str) -> None:
    (folder / "reports" / "reports.toml").write_text(text, encoding="utf-8")


def write_notebook(folder: Path, *cells: str, name: str = "mine") -> None:
    made = [new_markdown_cell("# Which?"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    made += [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text) for text in cells]
    nbformat.write(new_notebook(cells=made), folder / "notebooks" / f"{name}.ipynb")


@contextlib.contextmanager
def open_threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def run(id: str = "whole", now: dt.datetime = NOW, **further: object) -> SeriesResult:
    """Run one declared series in the current folder and return how it ended."""
    (ending,) = run_all(id, now, **further)
    return ending


def run_all(id: str = "whole", now: dt.datetime = NOW, **further: object) -> list[SeriesResult]:
    series = read_series()[id]
    with open_threads() as executor:
        return run_series(series, executor, RunRequest(now, Path.cwd() / ".outcomes", _read, **further))


def _read(series):
    return read_records(series.source, Path.cwd() / series.path if series.path else None)


def list_pages(folder: str = "reports/html") -> dict[str, bytes]:
    """Return every file below the folder of pages with its content."""
    root = Path(folder)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
