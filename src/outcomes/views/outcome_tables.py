"""Tables of what happened: scores and improvement, who improved or got worse, who was seen, effect sizes."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Words
from outcomes.result import ALL
from outcomes.views.comparing import pick_time
from outcomes.views.labels import Labels, capitalise, find_rule, name_rule, read_labels
from outcomes.views.released_rows import (
    is_bound,
    is_withheld,
    list_rows,
    own_groups,
    write_interval,
    write_size,
)
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, made_from

__all__ = ["tabulate_change", "tabulate_completeness", "tabulate_effect_sizes", "tabulate_responders"]

_EFFECT_SIZES = ("srm", "ses", "hedges_g")
_IN_STATE = ("share_in_state", "share_in_state_start_seen")


def _list_visits(release: Release, labels: Labels) -> Iterator[TableLine]:
    """Yield a line for each group and time point, its rows by their statistics."""
    for group in own_groups(release, labels):
        rows = list_rows(release.where(group=group).table)
        for time in labels.order_times(release.table["timepoint"]):
            cells = {row.statistic: row for row in rows if row.timepoint == time}
            yield TableLine(capitalise(labels.time(time)), cells, labels.title(group))


@made_from("change")
def tabulate_change(change: Release) -> View:
    """Tabulate scores and improvement per therapy and time point; for the team also of those seen."""
    labels, words = read_labels(change), change.words
    if not change.table["shown"].any():
        return build_empty_view("change", "table", change)
    held = set(change.table["statistic"])
    lines = _gather_withheld(list(_list_visits(change, labels)), change)
    spread, mean = (words.say(f"views.table.score{end}", measure=labels.measure) for end in ("", "_mean"))
    columns = {
        "n": show_size(words.say("views.table.patients"), "mean"),
        "score": TableColumn(spread if "sd_score" in held else mean),
        "improvement": show_interval(words.say("views.table.improvement"), "mean_improvement"),
    }
    key = "change" if "mean_improvement" in held else "change_undirected"
    caption = [words.say(f"views.caption.{key if 'mean_expected' in held else 'change_seen'}")]
    if "mean_score_seen" in held:
        columns |= {
            "start_seen": TableColumn(words.say("views.table.start_seen"), "mean_start_seen"),
            "score_seen": TableColumn(words.say("views.table.score_seen", measure=labels.measure)),
            "improvement_seen": show_interval(
                words.say("views.table.improvement_seen"), "mean_improvement_seen"
            ),
        }
        caption.append(words.say("views.caption.change_observed"))
    return build_table_view(
        "change", change, lines, columns, " ".join(caption), words.say("views.table.time")
    )


def _gather_withheld(lines: list[TableLine], change: Release) -> Iterator[TableLine]:
    """Yield the lines of a group that have a number, or a reason of their own for none; the others as one."""
    words = change.words
    for block in dict.fromkeys(line.block for line in lines):
        own = [line for line in lines if line.block == block]
        shown = [line for line in own if (row := _pick_mean(line)) is not None and not is_withheld(row)]
        for line in shown:
            score = _write_spread(_pick_mean(line), line.cells.get("sd_score"))
            seen = _write_spread(line.cells.get("mean_score_seen"), line.cells.get("sd_score_seen"))
            cells = {**line.cells, "mean": _pick_mean(line), "score": score, "score_seen": seen}
            yield TableLine(line.head, cells, block)
        if len(shown) < len(own):
            name = "other_times" if shown else "all_times"
            withheld = words.say("release.withheld")
            yield TableLine(words.say(f"views.table.{name}"), {"score": withheld}, block)


def _pick_mean(line: TableLine) -> Any:
    """Return the row of all who began; of a measure that is not asked at the start, that of those seen."""
    return line.cells.get("mean_expected", line.cells.get("mean_score"))


def _write_spread(mean: Any, sd: Any) -> str:
    """Write a mean with the standard deviation behind it, where there is one."""
    if mean is None:
        return ""
    return f"{mean.display} ({sd.display})" if mean.shown and sd is not None and sd.shown else mean.display


@made_from("responders")
def tabulate_responders(responders: Release) -> View:
    """Tabulate who improved and who got worse by each rule at the primary time point."""
    labels, words = read_labels(responders), responders.words
    time = pick_time(responders, "share_improved", labels) or pick_time(responders, "share_in_state", labels)
    held = responders.where(timepoint=time, statistic=["share_improved", "share_worse", *_IN_STATE])
    if not len(held.table) or not held.table["display"].ne("").any():
        return build_empty_view("responders", "table", responders)
    start = responders.where(statistic="share_in_state", term="start")
    lines = [
        line
        for level in held.table["level"].drop_duplicates()
        for line in _list_responders(held.where(level=level), start.where(level=level), str(level), labels)
    ]
    improved, worse = words.say("views.table.improved"), words.say("views.table.worse")
    seen, due = words.say("views.table.of_seen"), words.say("views.table.of_due")
    statistics, columns = set(held.table["statistic"]), {"n": show_size(words.say("views.table.patients"))}
    if "share_improved" in statistics:
        columns |= {
            "seen": show_interval(f"{improved}, {seen}", ("share_improved", "seen")),
            "due": show_interval(f"{improved}, {due}", ("share_improved", "due")),
            "worse": TableColumn(f"{worse}, {seen}", ("share_worse", "seen")),
        }
    if "share_in_state" in statistics:
        columns |= _show_states(statistics, words, labels.time(str(time)), not start.table.empty)
    caption = list(dict.fromkeys(_caption_responders(held, labels, str(time), not start.table.empty)))
    stub, shown = words.say("views.table.therapy"), pd.concat([start.table, held.table])
    return build_table_view("responders", responders, lines, columns, caption, stub, shown)


def _show_states(statistics: set[str], words: Words, time: str, starts: bool) -> dict[str, TableColumn]:
    """Return the columns of a score that is reached: at the start, and later of those seen and due."""
    keys = {"in_state_start": ("share_in_state", "start")} if starts else {}
    if "share_in_state_start_seen" in statistics:
        keys["in_state_start_seen"] = ("share_in_state_start_seen", "seen")
    columns = {name: show_interval(words.say(f"views.table.{name}"), key) for name, key in keys.items()}
    for term in ("seen", "due"):
        head = f"{words.say('views.table.in_state', time=time)}, {words.say(f'views.table.of_{term}')}"
        columns[f"in_state_{term}"] = show_interval(head, ("share_in_state", term))
    return columns


def _caption_responders(held: Release, labels: Labels, time: str, starts: bool) -> Iterator[str]:
    """Say how to read the shares, where a percentage is not defined, and which rules lie within error."""
    words = labels.words
    key = "responders" if "share_improved" in set(held.table["statistic"]) else "states"
    yield words.say(f"views.caption.{key}", time=labels.time(time))
    rules = [rule for level in held.table["level"].unique() if (rule := find_rule(str(level), labels))]
    if any(rule.rule == "state" for rule in rules) and starts:
        yield words.say("views.caption.responders_state")
    if any(rule.rule.startswith("percent") for rule in rules):
        yield words.say("views.caption.responders_undefined")
    for rule in rules:
        if said := labels.explain_foreign(rule):
            yield said
        error = labels.instrument.find_larger_error(rule)
        if error is not None:
            values = {"threshold": name_rule(rule.id, labels), "unit": labels.unit}
            yield words.say("views.caption.responders_error", error=f"{error:g}", **values)


def _list_responders(held: Release, start: Release, level: str, labels: Labels) -> list[TableLine]:
    """Return the lines of a rule: the therapies in one where nothing of any is shown.

    A bound on who got worse, such as "fewer than 11", is then given without its percentage, where it is told
    of each therapy.
    """
    words, block = labels.words, name_rule(level, labels)
    lines = {}
    for group in own_groups(held, labels):
        rows = [*list_rows(start.where(group=group).table), *list_rows(held.where(group=group).table)]
        own: dict[Any, Any] = {(row.statistic, row.term): row for row in rows}
        own["n"] = own.get(("share_improved", "seen"), own.get(("share_in_state", "seen")))
        lines[group] = TableLine(labels.title(group), own, block)
    therapies = [line.cells for group, line in lines.items() if group != ALL]
    worse = [cells[key] for cells in therapies if (key := ("share_worse", "seen")) in cells]
    bounds = [row for row in worse if row.display and not is_withheld(row)]
    if (
        len(therapies) < 2
        or any(_shows_improved(cells, held) for cells in therapies)
        or not all(is_bound(row) for row in bounds)
    ):
        return list(lines.values())
    bound = "few" if len(bounds) == len(therapies) else "withheld"
    few = {("share_worse", "seen"): words.say(f"release.{bound}", k=held.k)} if bounds else {}
    rest = [lines[ALL]] if ALL in lines else []
    return [TableLine(words.say("views.table.each_therapy"), {**therapies[0], **few}, block), *rest]


def _shows_improved(cells: Any, held: Release) -> bool:
    """Return whether anything but "withheld" stands for the patients of a therapy who improved."""
    shares = ("share_improved", "share_in_state")
    rows = [row for name, row in cells.items() if name != "n" and row is not None and name[0] in shares]
    told = [row for row in rows if write_interval(row, held) and not is_withheld(row)]
    sized = cells["n"]
    return bool(told) or (sized is not None and bool(write_size(sized, held)))


@made_from("completeness")
def tabulate_completeness(completeness: Release) -> View:
    """Tabulate who was due and seen per therapy and time point; for the team also who was missed and lost."""
    labels, words = read_labels(completeness), completeness.words
    if not completeness.table["shown"].any():
        return build_empty_view("completeness-table", "table", completeness)
    names = {"due": "n_due", "seen": "n_seen", "share": "share_seen"}
    if completeness.audience == "team":
        names |= {"missed": "n_missing", "lost": "n_lost", "not_yet_due": "n_not_yet_due"}
        if (completeness.table["statistic"] == "n_not_asked").any():
            names |= {"not_asked": "n_not_asked"}
    lines = _list_visits(completeness, labels)
    columns = {name: TableColumn(words.say(f"views.table.{name}"), key) for name, key in names.items()}
    stub, caption = words.say("views.table.time"), words.say("views.caption.completeness")
    shown = completeness.where(statistic=list(names.values())).table
    return build_table_view("completeness-table", completeness, lines, columns, caption, stub, shown)


@made_from("effect_sizes")
def tabulate_effect_sizes(effect_sizes: Release) -> View:
    """Tabulate effect sizes of improvement, for the team; a stakeholder reads that they are not shown."""
    words = effect_sizes.words
    if effect_sizes.audience != "team":
        reason = words.say("views.caption.effect_sizes_team")
        return build_empty_view("effect-sizes", "table", effect_sizes, reason)
    labels = read_labels(effect_sizes)
    named = effect_sizes.table["versus"].dropna()
    versus = labels.short(str(named.iloc[0])) if len(named) else ""
    lines = []
    for line in _list_visits(effect_sizes, labels):
        sized = next((line.cells[name] for name in _EFFECT_SIZES if name in line.cells), None)
        lines.append(TableLine(line.head, {**line.cells, "n": sized}, line.block))
    columns = {"n": show_size(words.say("views.table.patients"))}
    for name in _EFFECT_SIZES:
        columns[name] = show_interval(words.say(f"views.table.{name}", versus=versus))
    stub, key = words.say("views.table.time"), "effect_sizes" if versus else "effect_sizes_one"
    caption = words.say(f"views.caption.{key}", versus=versus)
    return build_table_view("effect-sizes", effect_sizes, lines, columns, caption, stub)
