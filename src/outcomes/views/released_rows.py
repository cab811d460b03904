"""Rows of a release as views read them: with their intervals in words, and why there are none."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release, read_rules, split_mark, write_value
from outcomes.facts import Text, read_words
from outcomes.result import WITHOUT_ESTIMATE


def list_rows(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table as named tuples."""
    return list(table.itertuples(index=False))


def write_size(row: Any, release: Release, column: str = "n") -> str:
    """Write the number of patients behind a row."""
    return write_value(row, column, release.audience, read_rules(release.k))


def write_interval(row: Any, release: Release) -> str:
    """Write an estimate with its interval: ``−9.3 (−12.0 to −6.6)``; without one, the estimate alone."""
    low, high = write_ends(row, release)
    if not low or not high:
        return str(row.display)
    return read_words().say("views.interval", estimate=row.display, low=low, high=high)


def write_ends(row: Any, release: Release) -> tuple[str, str]:
    """Write the two ends of a row's interval, the unit of a percentage only at the second."""
    rules = read_rules(release.k)
    low, high = (write_value(row, end, release.audience, rules) for end in ("conf_low", "conf_high"))
    return low.removesuffix(" %"), high


def list_days(table: pd.DataFrame) -> str:
    """Return the days of the earlier editions of which numbers stand in a release's rows; empty for none."""
    return ", ".join(sorted(set(table["as_of"].dropna()))) if "as_of" in table else ""


def explain_mark(table: pd.DataFrame, text: str | None = None) -> str:
    """Say what the mark behind some numbers means; empty where none, or none in the text, has it."""
    words, days = read_words(), list_days(table)
    mark = words.say("release.as_of_mark")
    if not days or (text is not None and mark not in text):
        return ""
    return words.say("release.held.marked", mark=mark, days=days)


def explain_absence(release: Release) -> str:
    """Say in words why a view of a release holds nothing."""
    words = read_words()
    for key in (
        "comparability.one_therapy",
        "change.no_direction",
        "comparison.no_direction",
        "change.no_baseline",
    ):
        told = Text(f"methods.{key}")
        if told in release.warnings:
            merged = EVERY in list_merged(release)
            return str(words.write(Text("detail.nothing_compared") if merged else told))
    if release.comparable is False and release.audience != "team" and release.name != "comparability":
        return words.say("release.not_compared")
    states = {row.state for row in list_rows(release.table) if _tells_state(row)}
    if len(states) == 1 and not release.table["shown"].any():
        return words.say("views.empty_state", why=explain_state(states.pop()))
    reason = "withheld" if release.n_withheld else "nothing"
    return words.say(f"views.empty_{reason}", k=release.k)


def list_merged(release: Release) -> list[str]:
    """Return the groups of therapies that count as one each; ``all`` where all of them do."""
    return list(release.origin.detail.merge) if release.origin.detail else []


def say_detail(release: Release) -> str:
    """Return in words what was made coarser for this audience, and why; empty where nothing was."""
    detail = release.origin.detail
    return str(read_words().write(detail.said)) if detail else ""


def _tells_state(row: Any) -> bool:
    known = row.state in WITHOUT_ESTIMATE
    return known and split_mark(row.display)[0] == read_words().say(f"release.state.{row.state}")


def explain_state(state: str) -> str:
    """Return in plain words why a number was not estimated."""
    return read_words().say(f"sentences.not_estimated.{state}")
