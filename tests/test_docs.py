"""The pages of `docs/` that are made from facts are current, complete and safe to publish."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outcomes.facts import (
    ExcludeSpec,
    FileSpec,
    ScoreSpec,
    Source,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
)
from outcomes.facts.instrument_sheet import list_instrument_rows, write_instrument_sheet

DOCS = Path(__file__).parents[1] / "docs"
SOURCE = Path(__file__).parents[1] / "src" / "outcomes"


def test_generated_pages_are_current() -> None:
    checked = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_column_and_key_of_a_source_is_described() -> None:
    page = (DOCS / "records.md").read_text(encoding="utf-8")
    names = [column for columns in read_schema().values() for column in columns]
    for kind in (Source, FileSpec, ScoreSpec, ExcludeSpec):
        names += [entry.name for entry in dataclasses.fields(kind)]
    hidden = {"files", "folder", "scores", "exclude"}
    assert not [name for name in names if name not in hidden and f"| `{name}` |" not in page]
    rows = re.findall(r"^\| `\w+` \|.*\|$", page, flags=re.MULTILINE)
    assert all(row.count("|") >= 5 and "|  |  |" not in row for row in rows), "a key without a meaning"


@pytest.mark.parametrize("id", list_instruments())
def test_a_sheet_tells_all_that_a_user_must_know(id: str) -> None:
    instrument = read_instrument(id)
    sheet = write_instrument_sheet(id)
    assert sheet.startswith(f"# {instrument.name} ({instrument.short_name})\n")
    assert instrument.source in sheet
    assert instrument.licence in sheet
    assert all(caveat in sheet for caveat in instrument.caveats)
    for threshold in instrument.thresholds:
        row = next(line for line in sheet.splitlines() if line.startswith(f"| `{threshold.id}`"))
        assert threshold.source in row
        assert threshold.population in row
        assert row.endswith("| yes |" if threshold.verified else "| no |")
        assert ("(default)" in row) == threshold.default
    names = [*instrument.scales, *(name for names in instrument.variants.values() for name in names)]
    assert all(f"`{name}`" in sheet for name in names)


def test_the_list_shows_every_instrument_once_by_domain() -> None:
    rows = list_instrument_rows()
    assert sorted(row["id"] for row in rows) == list(list_instruments())
    domains = [row["domain"] for row in rows]
    assert len(set(domains)) == len(
        [one for one, next in zip(domains, [*domains[1:], ""], strict=True) if one != next]
    )


def test_links_of_the_index_lead_somewhere() -> None:
    index = (DOCS / "instruments" / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((\S+\.md)\)", index)
    assert len(links) == len(list_instruments())
    assert all((DOCS / "instruments" / link).is_file() for link in links)


def test_every_question_is_explained_and_every_doubt_that_may_be_confirmed_is_known() -> None:
    page = (DOCS / "questions.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE / "records").rglob("*.py"))
    explained = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page))
    assert explained and all(re.search(rf'"{rule}[".]', code) for rule in explained)
    asked = set(re.findall(r"\.ask\(\s*\"([A-Z_]+)[\".]", code))
    assert asked <= explained
    names = set(read_facts("checks")["doubts"]["names"])
    offered = set(re.findall(r"confirmed = \[\"(\w+)\"\]", code)) - {"_CONFIRMED"}
    assert offered <= names
    told = set(re.findall(r"confirmed = \[\"(\w+)\"\]", page))
    assert told <= names
