"""A2: pseudonyms made anew between two editions, so that everybody counts as new, and nothing is held.

The attacker subtracts the published sums of two editions of a page. With ids as they were, the newcomer is
held back; with ids that nobody knows, the second page must not be made.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pandas as pd
import pytest
from made_editions import Course, open_series

from outcomes import summarise_change
from outcomes.disclosure.ledger.earlier_cells import EarlierCells
from outcomes.errors import DisclosureError
from outcomes.records import Records

WAYS = {
    "new pseudonyms": lambda id: hashlib.sha256(f"salt {id}".encode()).hexdigest()[:10],
    "another case": str.swapcase,
    "leading zeros": lambda id: id[0] + "00" + id[1:],
    "a space behind": lambda id: f"{id} ",
    "a prefix": lambda id: f"clinic-{id}",
    "two of three anew": lambda id: id if sum(map(ord, id)) % 3 == 0 else f"{id}x",
}


def rename(records: Records, way) -> Records:
    """Let the same patients and episodes go by other ids."""
    changed = {}
    for name in ("episodes", "assessments", "sessions", "events"):
        table = getattr(records, name).copy()
        for column in ("patient_id", "episode_id"):
            if column in table:
                held = table[column].astype("category")
                table[column] = held.cat.rename_categories(way).astype(
                    "category" if table[column].dtype == "category" else table[column].dtype
                )
        changed[name] = table
    return replace(records, **changed)


def read_start(rows: pd.DataFrame) -> pd.Series:
    start = rows[(rows["statistic"] == "mean_score") & (rows["timepoint"] == "baseline")]
    return start[start["group"] == "all"].iloc[0]


@pytest.fixture(scope="module")
def editions() -> list[Records]:
    """A clinic's records at two editions, between which three patients joined."""
    return list(Course(2, n_start=90, joiners=3, seed=7, exactly=True).follow())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("page", ["page", "another"])
def test_records_under_other_ids_are_refused(tmp_path, editions, way, page):
    with open_series(tmp_path) as series:
        series.publish(editions[0], [summarise_change])
        with pytest.raises(DisclosureError, match="ids as they were"):
            series.publish(rename(editions[1], way), [summarise_change], page=page)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_the_guard_the_newcomers_show(tmp_path, monkeypatch, editions, way):
    monkeypatch.setattr(EarlierCells, "refuse_renamed", lambda self, patients, source, k: None)
    with open_series(tmp_path) as series:
        before = read_start(series.publish(editions[0], [summarise_change]).rows)
        after = read_start(series.publish(rename(editions[1], way), [summarise_change]).rows)
    assert pd.notna(before["estimate"]) and pd.notna(after["estimate"])
    assert pd.isna(after["as_of"]), "the new number would be held back if the patients were known"


def test_patients_who_came_or_went_are_no_ground(tmp_path, editions):
    with open_series(tmp_path) as series:
        series.publish(editions[0], [summarise_change])
        assert series.publish(editions[1], [summarise_change]).rows["as_of"].notna().any()
    episodes = editions[0].episodes
    few = replace(editions[0], episodes=episodes[episodes.index % 3 == 0].reset_index(drop=True))
    kept = set(few.episodes["episode_id"].astype("str"))
    for name in ("assessments", "sessions", "events"):
        table = getattr(few, name)
        here = table["episode_id"].astype("str").isin(kept)
        few = replace(few, **{name: table[here].reset_index(drop=True)})
    with open_series(tmp_path / "gone") as series:
        series.publish(editions[0], [summarise_change])
        assert len(series.publish(few, [summarise_change]).rows)
