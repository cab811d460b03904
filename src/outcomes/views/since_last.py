"""What changed since the last release: each headline number, and for the team its parts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.disclosure import Release, write_number
from outcomes.facts import read_facts, read_words
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.outcome_tables import name_rule
from outcomes.views.released_rows import list_rows
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise, join_words, write_html, write_plain
from outcomes.views.view import View, build_empty_view, build_view

_STEPS = ("before", "definitions", "new_episodes", "revised_records", "after")
_ENDS = (_STEPS[0], _STEPS[-1])
_PLACE = ["term", "level", "group", "versus"]


def tabulate_since_last(since_last: Release) -> View:
    """Tabulate each headline number at the last release and now; for the team with the parts between.

    Parameters
    ----------
    since_last : Release
        Of the analysis ``since_last``; for stakeholders as `outcomes.reports.set_beside_last` gives it.
    """
    words, reason = read_words(), _explain_nothing(since_last)
    if reason:
        return build_empty_view("since-last", "table", (since_last,), reason)
    labels = read_labels(since_last)
    held = since_last.where(statistic=list(_STEPS)).table
    if held["group"].nunique() == 2 and WHOLE in set(held["group"]):
        held = held[held["group"] != WHOLE]
    team, rows, blocks = since_last.audience == "team", [], []
    keys = held[_PLACE].fillna("")
    for _, part in held.groupby([keys[name] for name in _PLACE], sort=False):
        cells = {str(row.statistic): row for row in list_rows(part)}
        any_row = next(iter(cells.values()))
        blocks.append(_name_number(any_row, labels))
        rows.append(
            {
                "row": _name_group(any_row, labels),
                **{step: _write_cell(step, cells.get(step), team) for step in (_STEPS if team else _ENDS)},
            }
        )
    headings = {step: words.say(f"views.since_last.{step}") for step in (_STEPS if team else _ENDS)}
    caption = "views.since_last.caption" if team else "views.since_last.caption_released"
    return build_table_view(
        "since-last", (since_last,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        groups=blocks, stub=words.say("views.table.therapy"), released=since_last.table,
        caption=words.say(caption, label=since_last.origin.earlier or ""),
    )  # fmt: skip


def _explain_nothing(since_last: Release) -> str:
    held = since_last.where(statistic=list(_STEPS)).table
    told = len(held) if since_last.audience == "team" else held["shown"].any()
    return "" if told else read_words().say("methods.since_last.none")


def _name_number(row: Any, labels: Labels) -> str:
    words = read_words()
    time = labels.time(str(row.timepoint))
    rule = name_rule(str(row.level), labels, source=False) if isinstance(row.level, str) else ""
    text = words.say(
        f"views.since_last.{row.term}", measure=labels.measure, unit=row.unit, rule=rule, time=time
    )
    return capitalise(text)


def _name_group(row: Any, labels: Labels) -> str:
    if isinstance(row.versus, str):
        pair = {"group": labels.title(str(row.group)), "versus": labels.short(row.versus)}
        return read_words().say("views.pair", **pair)
    return labels.title(str(row.group))


def _write_cell(step: str, row: Any, team: bool = True) -> str:
    """Write a number with its patients, or a part with its sign; for stakeholders as it was released."""
    words = read_words()
    if row is None:
        return words.say("views.since_last.absent")
    if not team:
        return str(row.display)
    if pd.isna(row.estimate):
        return words.say("views.since_last.not_told")
    text = _write(row)
    if step in ("before", "after"):
        return words.say("views.since_last.number", number=text, n=f"{row.x:g}") if pd.notna(row.x) else text
    return text if row.estimate <= 0 else f"+{text}"


def _write(row: Any) -> str:
    decimals = read_facts("monitoring")["since_last"]["decimals"]
    if row.unit == "proportion":
        return f"{write_number(100 * row.estimate, decimals['proportion'] - 2)} %"
    return write_number(row.estimate, decimals.get(row.unit, decimals["other"]))


def say_since_last(since_last: Release) -> View:
    """Say how many episodes came, changed or went, what else changed, and whether the numbers moved.

    Parameters
    ----------
    since_last : Release
        Of the analysis ``since_last``; for stakeholders as `outcomes.reports.set_beside_last` gives it.
    """
    say = _say_changes if since_last.audience == "team" else _say_numbers
    text = _explain_nothing(since_last) or " ".join(say(since_last))
    fragment = f'<p id="{{id}}">{write_html(text)}</p>'
    return build_view("since-last-sentence", "sentence", (since_last,), fragment, alt=write_plain(text))


def _say_numbers(since_last: Release) -> list[str]:
    """Say how many of the headline numbers are others than stakeholders were given before."""
    steps = {
        step: {tuple(row[name] for name in _PLACE): row["display"] for row in held.to_dict("records")}
        for step in _ENDS
        for held in (since_last.where(statistic=step).table.fillna(""),)
    }
    before, after = (steps[step] for step in _ENDS)
    moved = sum(after[place] != before[place] for place in before.keys() & after.keys())
    label = since_last.origin.earlier or ""
    return [
        read_words().say(
            "views.since_last.released", label=label, moved=moved, all=len(before.keys() & after.keys())
        )
    ]


def _say_changes(since_last: Release) -> list[str]:
    words = read_words()
    counts = {
        row.term: int(row.estimate)
        for row in list_rows(since_last.where(statistic="n_episodes_changed").table)
    }
    label = since_last.origin.earlier or ""
    texts = [words.say("views.since_last.lead", label=label, **counts)]
    parts = since_last.where(statistic=list(_STEPS[1:4]), term="mean_improvement", group=WHOLE).table
    moved = [
        words.say(f"views.since_last.by_{row.statistic}", amount=_write_cell(str(row.statistic), row))
        for row in list_rows(parts)
        if pd.notna(row.estimate) and row.estimate != 0
    ]
    whole = {
        row.statistic: row for row in list_rows(since_last.where(term="mean_improvement", group=WHOLE).table)
    }
    if {"before", "after"} <= set(whole) and pd.notna(whole["before"].estimate):
        labels = read_labels(since_last)
        place = {
            "measure": labels.measure, "unit": whole["after"].unit, "before": _write(whole["before"]),
            "after": _write(whole["after"]),
        }  # fmt: skip
        key = "moved" if moved else "same"
        texts.append(words.say(f"views.since_last.{key}", parts=join_words(moved), **place))
    return [*texts, *map(words.write, since_last.warnings)]
