"""What changed since the last release: each headline number, and for the team its parts."""

from typing import Any

import pandas as pd

from outcomes.disclosure import Release, split_mark, write_number
from outcomes.facts import read_facts
from outcomes.result import ALL
from outcomes.views.labels import Labels, capitalise, name_rule, name_unit, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, show, write_texts
from outcomes.views.table import TableColumn, TableLine, build_table_view
from outcomes.views.view import View, build_empty_view, build_sentence, made_from

__all__ = ["say_since_last", "tabulate_since_last"]

_STEPS = ("before", "definitions", "new_episodes", "revised_records", "after")
_ENDS = (_STEPS[0], _STEPS[-1])
_PLACE = ["term", "level", "group", "versus"]


@made_from("since_last")
def tabulate_since_last(since_last: Release) -> View:
    """Tabulate each headline number at the last release and now; for the team with the parts between.

    Of a release for stakeholders, as `outcomes.reports.set_beside_last` gives it, the two ends alone.
    """
    words, reason = since_last.words, _explain_nothing(since_last)
    if reason:
        return build_empty_view("since-last", "table", since_last, reason)
    labels, team = read_labels(since_last), since_last.audience == "team"
    held = since_last.where(statistic=list(_STEPS)).table
    if held["group"].nunique() == 2 and ALL in set(held["group"]):
        held = held[held["group"] != ALL]
    keys = held[_PLACE].fillna("")
    absent = dict.fromkeys(_STEPS, words.say("views.since_last.absent"))
    lines = []
    for _, part in held.groupby([keys[name] for name in _PLACE], sort=False):
        rows = list_rows(part)
        cells = absent | {str(row.statistic): row for row in rows}
        lines.append(TableLine(_name_group(rows[0], labels), cells, _name_number(rows[0], labels)))
    write = _write_step if team else show
    columns = {
        step: TableColumn(words.say(f"views.since_last.{step}"), write=write)
        for step in (_STEPS if team else _ENDS)
    }
    caption = words.say(
        f"views.since_last.caption{'' if team else '_released'}", label=since_last.origin.earlier or ""
    )
    stub = words.say("views.table.therapy")
    return build_table_view("since-last", since_last, lines, columns, caption, stub)


def _explain_nothing(since_last: Release) -> str:
    held = since_last.where(statistic=list(_STEPS)).table
    if not since_last.origin.earlier:
        return since_last.words.say("methods.since_last.none")
    told = len(held) if since_last.audience == "team" else held["shown"].any()
    return "" if told else explain_absence(since_last)


def _name_number(row: Any, labels: Labels) -> str:
    rule = name_rule(str(row.level), labels, source=False) if isinstance(row.level, str) else ""
    place = {"measure": labels.measure, "time": labels.time(str(row.timepoint)), "rule": rule}
    unit = name_unit(row.unit, labels.words)
    return capitalise(labels.words.say(f"views.since_last.{row.term}", **place, unit=unit))


def _name_group(row: Any, labels: Labels) -> str:
    pair = isinstance(row.versus, str)
    return labels.pair(str(row.group), row.versus) if pair else labels.title(str(row.group))


def _write_step(row: Any, since_last: Release) -> str:
    """Write a number with its patients, or a part with its sign."""
    words = since_last.words
    if pd.isna(row.estimate):
        return words.say("views.since_last.not_told")
    text = _write(row)
    if row.statistic in _ENDS:
        return words.say("views.since_last.number", number=text, n=f"{row.x:g}") if pd.notna(row.x) else text
    return text if row.estimate <= 0 else f"+{text}"


def _write(row: Any) -> str:
    decimals = read_facts("monitoring")["since_last"]["decimals"]
    if row.unit == "proportion":
        return f"{write_number(100 * row.estimate, decimals['proportion'] - 2)} %"
    return write_number(row.estimate, decimals.get(row.unit, decimals["other"]))


@made_from("since_last")
def say_since_last(since_last: Release) -> View:
    """Say how many episodes came, changed or went, what else changed, and whether the numbers moved."""
    say = _say_changes if since_last.audience == "team" else _say_numbers
    text = _explain_nothing(since_last) or " ".join(say(since_last))
    return build_sentence("since-last-sentence", since_last, text)


def _say_numbers(since_last: Release) -> list[str]:
    """Say how many of the headline numbers are others than stakeholders were given before."""
    before, after = (
        {
            tuple(row[name] for name in _PLACE): split_mark(row["display"])[0]
            for row in held.to_dict("records")
        }
        for held in (since_last.where(statistic=step, shown=True).table.fillna("") for step in _ENDS)
    )
    both = before.keys() & after.keys()
    moved = sum(after[place] != before[place] for place in both)
    label = since_last.origin.earlier or ""
    return [since_last.words.say("views.since_last.released", label=label, moved=moved, all=len(both))]


def _say_changes(since_last: Release) -> list[str]:
    words, label = since_last.words, since_last.origin.earlier or ""
    counted = since_last.where(statistic="n_episodes_changed").table
    counts = {row.term: int(row.estimate) for row in list_rows(counted)}
    texts = [words.say("views.since_last.lead", label=label, **counts)]
    held = since_last.where(term="mean_improvement", group=ALL).table
    whole = {row.statistic: row for row in list_rows(held)}
    moved = [
        words.say(f"views.since_last.by_{step}", amount=_write_step(whole[step], since_last))
        for step in _STEPS[1:4]
        if step in whole and pd.notna(whole[step].estimate) and whole[step].estimate != 0
    ]
    if set(_ENDS) <= set(whole) and pd.notna(whole["before"].estimate):
        told = {"measure": read_labels(since_last).measure, "unit": name_unit(whole["after"].unit, words)}
        told |= {"before": _write(whole["before"]), "after": _write(whole["after"])}
        key = "moved" if moved else "same" if told["before"] == told["after"] else "moved_alone"
        texts.append(words.say(f"views.since_last.{key}", parts=words.join(moved), **told))
    return [*texts, *write_texts(since_last.warnings, words)]
