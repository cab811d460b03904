"""What changed for stakeholders: the numbers of a page beside those that they were given before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from outcomes.disclosure import RELEASE_COLUMNS, Release
from outcomes.disclosure.backing import Backing
from outcomes.reports.archive.store import read_previous

#: Numbers worth comparing, by analysis: the statistic, and what else its rows must be.
_HEADLINE: dict[str, dict[str, str]] = {
    "change": {"statistic": "mean_improvement"},
    "responders": {"statistic": "share_improved", "term": "seen"},
    "over_time": {"statistic": "contrast"},
}
_KEY = ("outcome", "statistic", "term", "level", "group", "versus", "timepoint")


def set_beside_last(since_last: Release, *shown: Release) -> Release:
    """Set the headline numbers of a page for stakeholders beside those of the edition that they had last.

    Both were released, so that neither tells more beside the other; what a difference comes from - new
    patients, corrections, definitions - would, and is for the team.

    Parameters
    ----------
    since_last : Release
        Of `split_changes`.
    *shown : Release
        What the page shows: of `summarise_change`, `count_responders`, `compare_over_time`.

    Returns
    -------
    Release
        For the team `since_last` as it is. For stakeholders one row per number and edition: ``statistic`` is
        ``before`` or ``after``, ``term`` what the number is, ``display`` as the edition wrote it; empty where
        no edition was released before.
    """
    if since_last.audience == "team":
        return since_last
    previous = read_previous()
    rows, label = list[dict[str, Any]](), ""
    if previous is not None:
        earlier = _index_rows(previous.results())
        rows = [row for release in shown for row in _list_rows(release, earlier)]
        label = previous.manifest.slot or previous.manifest.due[:10]
    table = pd.DataFrame(rows, columns=list(RELEASE_COLUMNS))
    table = table.astype({name: since_last.table[name].dtype for name in RELEASE_COLUMNS})
    origin = replace(since_last.origin, earlier=label)
    # the page shows these rows elsewhere, with the patients behind them
    backing = Backing(("shown",) * len(rows), tuple({} for _ in rows), None)
    return replace(
        since_last, table=table, warnings=(), origin=origin, n_withheld=0, notes=(), backing=backing
    )


def _index_rows(results: pd.DataFrame) -> dict[tuple[str, ...], dict[str, Any]]:
    return {
        (str(row["analysis"]), *_name(row)): {str(name): value for name, value in row.items()}
        for row in results.to_dict("records")
    }


def _name(row: dict[Any, Any]) -> tuple[str, ...]:
    return tuple("" if pd.isna(row[name]) else str(row[name]) for name in _KEY)


def _list_rows(release: Release, earlier: dict[tuple[str, ...], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the headline numbers of a release at its primary time point, before and after."""
    wanted = {**_HEADLINE[release.name], "timepoint": release.origin.primary}
    if wanted["statistic"] == "contrast":
        wanted["versus"] = release.origin.reference
    for row in release.where(**wanted).table.to_dict("records"):
        named = {str(name): value for name, value in row.items()}
        before = earlier.get((release.name, *_name(named)))
        for step, held in (("before", before), ("after", named)):
            if held is not None:
                kept = {name: held.get(name) for name in RELEASE_COLUMNS}
                yield {**kept, "statistic": step, "term": named["statistic"], "x": math.nan}
