"""What was read and how complete it is: tables of the analysis ``data_quality``."""

from collections.abc import Iterable, Sequence
from typing import Any

from outcomes.disclosure import Release, write_number
from outcomes.facts import Words
from outcomes.result import ALL
from outcomes.views.labels import capitalise, name_column, name_measure, write_id
from outcomes.views.released_rows import list_rows, write_texts
from outcomes.views.statements import describe_origin
from outcomes.views.table import TableColumn, TableLine, build_list_view, build_table_view
from outcomes.views.view import View, build_empty_view, made_from

__all__ = ["say_counting", "tabulate_assessed", "tabulate_reading", "tabulate_recorded"]

_COUNTS = ("n_read", "n_accepted", "n_repeated", "n_refused", "n_patients", "n_episodes", "n_assessments")
_LEVELS = ("baseline", "follow_up", "ever", "without")


@made_from("data_quality")
def tabulate_reading(quality: Release) -> View:
    """Tabulate what was read, accepted and refused, by which rule, and how much it is."""
    say = quality.words.say
    held = quality.where(statistic=[*_COUNTS, "n_refused_by_rule"])
    lines = [
        TableLine(say(f"quality.{row.statistic}"), {"number": row}, say("quality.counted"))
        for row in list_rows(held.where(statistic=list(_COUNTS)).table)
    ]
    lines += [
        TableLine(say(f"quality.refused_{row.term}", rule=row.level), {"number": row}, say("quality.refused"))
        for row in list_rows(held.where(statistic="n_refused_by_rule").table)
    ]
    columns = {"number": TableColumn(say("quality.number"), write=_write_count)}
    caption = say("quality.reading_caption")
    return build_table_view("reading", quality, lines, columns, caption, released=held.table)


def _write_count(row: Any, quality: Release) -> str:
    # numbers of records have no patients behind them and so no rule of writing of their own
    return write_number(row.estimate) if row.shown else str(row.display)


@made_from("data_quality")
def tabulate_recorded(quality: Release) -> View:
    """Tabulate for each column of the episodes the share in which it is recorded, per group."""
    words, held = quality.words, quality.where(statistic="share_recorded")
    if held.table.empty:
        return build_empty_view("recorded", "table", quality, words.say("views.empty_nothing"))
    rows = list_rows(held.table)
    lines = []
    for term in held.table["term"].drop_duplicates():
        cells = {row.group: row for row in rows if row.term == term}
        lines.append(TableLine(capitalise(name_column(str(term), words)), cells))
    columns = {group: TableColumn(_name_group(group, words)) for group in _order(held.table["group"])}
    stub = words.say("quality.column")
    caption = " ".join([words.say("quality.recorded_caption"), *write_texts(quality.warnings, words)])
    return build_table_view("recorded", quality, lines, columns, caption, stub, held.table)


@made_from("data_quality")
def tabulate_assessed(quality: Release) -> View:
    """Tabulate for each measure the share of episodes scored at the start, later and ever, per group."""
    words, held = quality.words, quality.where(statistic=["share_assessed", "n_without_score"])
    if held.table.empty:
        return build_empty_view("assessed", "table", quality, words.say("views.empty_nothing"))
    lines = []
    for outcome in held.table["outcome"].dropna().drop_duplicates():
        id, _, variant = str(outcome).partition(":")
        for group in _order(held.table["group"]):
            rows = list_rows(held.where(outcome=outcome, group=group).table)
            if not rows:  # no patient there has a complaint that the measure is made for
                continue
            cells = {row.level if row.statistic == "share_assessed" else "without": row for row in rows}
            lines.append(TableLine(_name_group(group, words), cells, name_measure(id, variant, words)))
    columns = {name: TableColumn(words.say(f"quality.{name}")) for name in _LEVELS}
    stub, caption = words.say("quality.group"), words.say("quality.assessed_caption")
    return build_table_view("assessed", quality, lines, columns, caption, stub, held.table)


@made_from("data_quality")
def say_counting(quality: Release) -> View:
    """Say how the records were counted, how numbers are shown, and where they come from."""
    words = quality.words
    reading = (quality.origin.rules or {}).get("reading")
    texts: dict[str, Iterable[object]] = {
        "methods.data_quality.name": [quality.method],
        "sentences.rule.reading": [reading],
        "sentences.numbers": quality.notes,
    }
    said = {key: " ".join(write_texts(own, words)) for key, own in texts.items()}
    said["sentences.made_from"] = describe_origin(quality)
    entries = [(words.say(key), text) for key, text in said.items() if text]
    return build_list_view("counting", "sentence", quality, entries)


def _order(groups: Any) -> Sequence[str]:
    return sorted({str(group) for group in groups.dropna()}, key=lambda group: (group == ALL, group))


def _name_group(group: str, words: Words) -> str:
    return words.say("quality.whole") if group == ALL else capitalise(write_id(group))
