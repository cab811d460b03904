"""What was read and how complete it is: tables of the analysis ``data_quality``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import Release, write_number
from outcomes.facts import read_schema, read_words
from outcomes.views.labels import WHOLE, name_measure
from outcomes.views.released_rows import list_rows
from outcomes.views.statements import describe_origin
from outcomes.views.table import build_table_view, render_list
from outcomes.views.text import capitalise, write_id
from outcomes.views.view import View, build_empty_view, build_view

_COUNTS = ("n_read", "n_accepted", "n_repeated", "n_refused", "n_patients", "n_episodes", "n_assessments")
_LEVELS = ("baseline", "follow_up", "ever")


def tabulate_reading(quality: Release) -> View:
    """Tabulate what was read, accepted and refused, by which rule, and how much it is.

    Parameters
    ----------
    quality : Release
        Of the analysis ``data_quality``.
    """
    say = read_words().say
    rows, blocks = [], []
    for row in list_rows(quality.where(statistic=list(_COUNTS)).table):
        rows.append({"row": say(f"quality.{row.statistic}"), "number": _write_count(row)})
        blocks.append(say("quality.counted"))
    for row in list_rows(quality.where(statistic="n_refused_by_rule").table):
        rows.append({"row": say(f"quality.refused_{row.term}", rule=row.level), "number": _write_count(row)})
        blocks.append(say("quality.refused"))
    return build_table_view(
        "reading", (quality,), pd.DataFrame(rows, columns=["row", "number"]), groups=blocks, stub="",
        headings={"number": say("quality.number")}, caption=say("quality.reading_caption"),
        released=quality.where(statistic=[*_COUNTS, "n_refused_by_rule"]).table,
    )  # fmt: skip


def tabulate_recorded(quality: Release) -> View:
    """Tabulate for each column of the episodes the share in which it is recorded, per group.

    Parameters
    ----------
    quality : Release
        Of the analysis ``data_quality``.
    """
    say = read_words().say
    held = quality.where(statistic="share_recorded")
    if held.table.empty:
        return build_empty_view("recorded", "table", (quality,), say("views.empty_nothing"))
    groups = _order(held.table["group"])
    cells = held.table.pivot(index="term", columns="group", values="display")
    cells = cells.loc[held.table["term"].drop_duplicates(), groups]
    cells.insert(0, "row", [_name_column(str(term)) for term in cells.index])
    return build_table_view(
        "recorded", (quality,), cells.reset_index(drop=True), stub=say("quality.column"),
        headings={group: _name_group(group) for group in groups}, caption=say("quality.recorded_caption"),
        released=held.table,
    )  # fmt: skip


def tabulate_assessed(quality: Release) -> View:
    """Tabulate for each measure the share of episodes with a score at the start, later and ever, per group.

    Parameters
    ----------
    quality : Release
        Of the analysis ``data_quality``.
    """
    say = read_words().say
    held = quality.where(statistic=["share_assessed", "n_without_score"])
    if held.table.empty:
        return build_empty_view("assessed", "table", (quality,), say("views.empty_nothing"))
    rows, blocks = [], []
    for outcome in held.table["outcome"].dropna().drop_duplicates():
        for group in _order(held.table["group"]):
            cells = {row.level if row.statistic == "share_assessed" else "without": row.display
                     for row in list_rows(held.where(outcome=outcome, group=group).table)}  # fmt: skip
            rows.append({"row": _name_group(group), **cells})
            id, _, variant = str(outcome).partition(":")
            blocks.append(name_measure(id, variant))
    headings = {name: say(f"quality.{name}") for name in (*_LEVELS, "without")}
    return build_table_view(
        "assessed", (quality,), pd.DataFrame(rows, columns=["row", *headings]), groups=blocks,
        stub=say("quality.group"), headings=headings, caption=say("quality.assessed_caption"),
        released=held.table,
    )  # fmt: skip


def say_counting(quality: Release) -> View:
    """Say how the records were counted, how numbers are shown, and where they come from.

    Parameters
    ----------
    quality : Release
        Of the analysis ``data_quality``.
    """
    say, write = read_words().say, read_words().write
    entries = [(say("sentences.analysis.data_quality"), write((quality.method, *quality.warnings)))]
    reading = (quality.origin.rules or {}).get("reading")
    entries += [(say("sentences.rule.reading"), write(reading))] if reading else []
    entries += [(say("sentences.numbers"), write(quality.notes))] if quality.notes else []
    entries.append((say("sentences.made_from"), describe_origin(quality)))
    alt = " ".join(f"{term}: {text}" for term, text in entries)
    return build_view("counting", "sentence", (quality,), render_list(entries), alt=alt)


def _write_count(row: Any) -> str:
    # numbers of records have no patients behind them and so no rule of writing of their own
    return write_number(row.estimate) if row.shown else str(row.display)


def _order(groups: Any) -> Sequence[str]:
    return sorted({str(group) for group in groups.dropna()}, key=lambda group: (group == WHOLE, group))


def _name_group(group: str) -> str:
    return read_words().say("quality.whole") if group == WHOLE else capitalise(write_id(group))


def _name_column(term: str) -> str:
    column = read_schema()["episodes"].get(term)
    return capitalise((column.label if column else "") or term.removeprefix("n_").replace("_", " "))
