"""Tables of who the patients were: baseline by therapy, and those followed up beside those who were not."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd

from outcomes.disclosure import Fate, Release
from outcomes.result import ALL
from outcomes.views.comparing import pick_time
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import is_withheld, list_rows
from outcomes.views.table import TableColumn, TableLine, build_table_view
from outcomes.views.view import View, build_empty_view, made_from

__all__ = ["tabulate_baseline", "tabulate_nonresponse"]


def tabulate_baseline(baseline: Release, completeness: Release | None = None) -> View:
    """Tabulate the patients at the start, therapies as columns, the largest difference last.

    One row per covariate or level; a category of two levels takes one row. Withheld cells say so; rows of
    nothing else are named beneath, and rows of which only all therapies together are shown stand in a block
    of their own.

    Parameters
    ----------
    baseline : Release
        Of the analysis ``baseline``.
    completeness : Release, optional
        Of the analysis ``completeness``: adds who was seen at the primary time point, or else at the last
        that is shown.
    """
    labels, words = read_labels(baseline), baseline.words
    groups = _choose_columns(baseline, labels)
    releases = (baseline,) if completeness is None else (baseline, completeness)
    if not baseline.table["shown"].any():
        return build_empty_view("baseline", "table", releases)
    lines = _count_line(baseline, groups, labels) + _describe_terms(baseline, groups, labels, "max_smd")
    time = None if completeness is None else pick_time(completeness, "share_seen", labels)
    if completeness is not None and time not in (None, "baseline"):
        shares = completeness.where(statistic="share_seen", timepoint=time).table
        head = words.say("views.table.seen_at", time=labels.time(str(time)))
        lines.append(TableLine(head, _take(shares, groups)))
    columns = {group: TableColumn(labels.title(group)) for group in groups}
    several = len(set(groups) - {ALL}) > 1
    if several:
        columns["largest"] = TableColumn(words.say("views.table.largest"))
    lines, hidden = _drop_withheld(lines, columns, labels)
    listed = _part_whole(lines, groups, labels) if several else lines
    caption = " ".join([words.say(f"views.caption.baseline{'' if several else '_one'}"), *hidden])
    # of the pairs, stakeholders see the largest difference only
    pairs = (baseline.table["statistic"] == "smd") & (baseline.audience != "team")
    shown = baseline.table[~pairs]
    return build_table_view("baseline", releases, listed, columns, caption, released=shown)


def _choose_columns(baseline: Release, labels: Labels) -> list[str]:
    """Return the therapies in order, and all together where some therapy's numbers are withheld."""
    groups = [group for group in labels.order(baseline.table["group"].dropna()) if group != ALL]
    described = baseline.where(statistic=["mean", "share"]).table
    whole = described["shown"][described["group"] == ALL].any()
    hidden = (~described["shown"] & (described["group"] != ALL)).any()
    return [*groups, ALL] if len(groups) > 1 and whole and hidden else groups


@made_from("nonresponse")
def tabulate_nonresponse(nonresponse: Release) -> View:
    """Tabulate the baseline of the patients followed up beside that of those who were due and were not."""
    labels, words = read_labels(nonresponse), nonresponse.words
    if not nonresponse.table["shown"].any():
        return build_empty_view("nonresponse", "table", nonresponse)
    groups = ["seen", "not_seen"]
    columns = {
        "seen": TableColumn(words.say("views.table.followed")),
        "not_seen": TableColumn(words.say("views.table.not_followed")),
        "largest": TableColumn(capitalise(words.say("views.difference"))),
    }
    lines = _count_line(nonresponse, groups, labels) + _describe_terms(nonresponse, groups, labels, "smd")
    lines, hidden = _drop_withheld(lines, columns, labels)
    time = labels.time(str(nonresponse.table["timepoint"].dropna().iloc[0]))
    caption = " ".join([words.say("views.caption.nonresponse", time=time), *hidden])
    return build_table_view("nonresponse", nonresponse, lines, columns, caption=caption)


def _drop_withheld(
    lines: Sequence[TableLine], columns: Iterable[str], labels: Labels
) -> tuple[list[TableLine], list[str]]:
    """Return the lines that show something, and a sentence that names those that are withheld as a whole."""
    hidden = [line for line in lines if _is_withheld(line, columns)]
    rows = "; ".join(line.head for line in hidden)
    said = [labels.words.say("views.caption.not_shown", rows=rows)] if hidden else []
    return [line for line in lines if line not in hidden], said


def _is_withheld(line: TableLine, columns: Iterable[str]) -> bool:
    """Return whether a line has cells in some columns, and all of them are withheld."""
    cells = [line.cells[column] for column in columns if line.cells.get(column) is not None]
    held = [cell for cell in cells if isinstance(cell, str) or cell.display]
    return bool(held) and not any(isinstance(cell, str) or not is_withheld(cell) for cell in held)


def _part_whole(lines: Sequence[TableLine], groups: Sequence[str], labels: Labels) -> list[TableLine]:
    """Return the lines in two blocks where some of them show all therapies together only."""
    others = [*(group for group in groups if group != ALL), "largest"]
    alone = [ALL in groups and _is_withheld(line, others) for line in lines]
    if not any(alone):
        return list(lines)
    own, together = (labels.words.say(f"views.table.{name}") for name in ("by_therapy", "together"))
    parted = list(zip(lines, alone, strict=True))
    return [
        *(TableLine(line.head, line.cells, own) for line, only in parted if not only),
        *(TableLine(line.head, {ALL: line.cells[ALL]}, together) for line, only in parted if only),
    ]


def _count_line(release: Release, groups: Sequence[str], labels: Labels) -> list[TableLine]:
    counts = release.where(statistic="n").table.drop_duplicates("group")
    return [TableLine(labels.words.say("views.table.patients"), _take(counts, groups))]


def _describe_terms(
    release: Release, groups: Sequence[str], labels: Labels, difference: str
) -> list[TableLine]:
    table = release.table
    described = table[table["statistic"].isin(["mean", "share"])]
    lines: list[TableLine] = []
    for term in described["term"].drop_duplicates():
        own = table[table["term"] == term]
        largest = list_rows(own[own["statistic"] == difference])
        block = _describe_term(own, str(term), groups, labels)
        if block and largest:
            block[0] = TableLine(block[0].head, {**block[0].cells, "largest": largest[0]})
        lines += [*block, *_describe_missing(own, str(term), groups, labels, release.audience)]
    return lines


def _describe_term(own: pd.DataFrame, term: str, groups: Sequence[str], labels: Labels) -> list[TableLine]:
    words = labels.words
    label, unit = labels.covariate(term)
    label = label if term == "score" else capitalise(f"{label}, {unit}" if unit else label)
    if (own["statistic"] == "mean").any():
        means, sds = (_take(own[own["statistic"] == name], groups) for name in ("mean", "sd"))
        name = "mean_sd" if (own["statistic"] == "sd").any() else "mean_only"
        cells = means | {
            group: f"{mean.display} ({sds[group].display})"
            for group, mean in means.items()
            if mean.shown and group in sds and sds[group].shown
        }
        return [TableLine(words.say(f"views.table.{name}", label=label), cells)]
    shares = own[own["statistic"] == "share"]
    if all(is_withheld(row) for row in list_rows(shares[shares["group"].isin(groups)])):
        withheld = SimpleNamespace(fate=Fate.WITHHELD, display=words.say("release.withheld"))
        return [TableLine(label, dict.fromkeys(groups, withheld))]
    levels = list(shares["level"].drop_duplicates())
    # One of two levels says all: the other is what remains.
    return [
        TableLine(
            words.say("views.table.level", label=label, level=labels.level(term, str(level))),
            _take(shares[shares["level"] == level], groups),
        )
        for level in (levels[:1] if len(levels) == 2 else levels)
    ]


def _describe_missing(
    own: pd.DataFrame, term: str, groups: Sequence[str], labels: Labels, audience: str
) -> list[TableLine]:
    """Return how many lack the covariate: for the team wherever somebody does, else where it may be shown."""
    missing = own[(own["statistic"] == "n_missing") & own["group"].isin(groups)]
    some = missing["estimate"].fillna(0).gt(0)
    if not some.any() or (audience != "team" and not missing["shown"].all()):
        return []
    label = capitalise(labels.covariate(term)[0])
    return [TableLine(labels.words.say("views.table.missing", label=label), _take(missing, groups))]


def _take(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any]:
    """Return the row of each group that has one."""
    own = {row.group: row for row in list_rows(rows)}
    return {group: own[group] for group in groups if group in own}
