"""Tables of who the patients were: baseline by therapy, and those followed up beside those who were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Therapy, Timepoint, read_words
from outcomes.views.comparing import pick_time
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.released_rows import explain_absence
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise
from outcomes.views.view import View, build_empty_view


def tabulate_baseline(
    baseline: Release,
    completeness: Release | None = None,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate the patients at the start, therapies as columns, the largest difference last.

    Parameters
    ----------
    baseline : Release
        Of the analysis ``baseline``.
    completeness : Release, optional
        Of the analysis ``completeness``: adds who was seen at the primary time point.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the releases name.

    Returns
    -------
    View
        A table, one row per covariate or level. A category of two levels takes one row. Withheld cells
        say so; rows of nothing else are named beneath, and rows of which only all therapies together are
        shown stand in a block of their own.
    """
    labels = read_labels(baseline, therapies=therapies, timepoints=timepoints)
    groups = _choose_columns(baseline, labels)
    releases = (baseline,) if completeness is None else (baseline, completeness)
    if not baseline.table["shown"].any():
        return build_empty_view("baseline", "table", releases, explain_absence(baseline))
    rows = _count_row(baseline, groups) + _describe_terms(baseline, groups, labels, "max_smd")
    if completeness is not None:
        rows += _seen_row(completeness, groups, labels)
    headings = {group: labels.title(group) for group in groups}
    words = read_words()
    several = len(set(groups) - {WHOLE}) > 1
    if several:
        headings["largest"] = words.say("views.table.largest")
    caption = words.say("views.caption.baseline" if several else "views.caption.baseline_one")
    rows, hidden = _drop_withheld(rows, list(headings))
    own, together = _part_whole(rows, groups) if several else (rows, [])
    names = [words.say("views.table.by_therapy")] * len(own) + [words.say("views.table.together")] * len(
        together
    )
    return build_table_view(
        "baseline", releases, pd.DataFrame([*own, *together], columns=["row", *headings]), stub="",
        headings=headings, groups=names if together else None,
        caption=_add_hidden(caption, hidden), released=_drop_pairs(baseline),
    )  # fmt: skip


def _drop_withheld(
    rows: Sequence[dict[str, str]], columns: Sequence[str]
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the rows that show something, and the names of those of which every cell is withheld."""
    shown = [row for row in rows if not _is_withheld(row, columns)]
    return shown, [row["row"] for row in rows if _is_withheld(row, columns)]


def _is_withheld(row: Mapping[str, str], columns: Sequence[str]) -> bool:
    held = {row.get(column, "") for column in columns} - {""}
    return held == {read_words().say("release.withheld")}


def _part_whole(
    rows: Sequence[dict[str, str]], groups: Sequence[str]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the rows that show some therapy, and those that show all together only."""
    others = [*(group for group in groups if group != WHOLE), "largest"]
    alone = [WHOLE in groups and _is_withheld(row, others) for row in rows]
    own = [row for row, only in zip(rows, alone, strict=True) if not only]
    together = [{"row": row["row"], WHOLE: row[WHOLE]} for row, only in zip(rows, alone, strict=True) if only]
    return own, together


def _add_hidden(caption: str, hidden: Sequence[str]) -> str:
    if not hidden:
        return caption
    return f"{caption} {read_words().say('views.caption.not_shown', rows='; '.join(hidden))}"


def _choose_columns(baseline: Release, labels: Labels) -> list[str]:
    """Return the therapies in order, and all together where some therapy's numbers are withheld."""
    groups = [group for group in labels.order(baseline.table["group"].dropna()) if group != WHOLE]
    described = baseline.where(statistic=["mean", "share"]).table
    whole = described["shown"][described["group"] == WHOLE].any()
    hidden = (~described["shown"] & (described["group"] != WHOLE)).any()
    return [*groups, WHOLE] if len(groups) > 1 and whole and hidden else groups


def _drop_pairs(baseline: Release) -> pd.DataFrame:
    """Return the rows of the table; for stakeholders without the pairs of which it shows the largest only."""
    if baseline.audience == "team":
        return baseline.table
    return baseline.table[baseline.table["statistic"] != "smd"]


def tabulate_nonresponse(nonresponse: Release, *, timepoints: Mapping[str, Timepoint] | None = None) -> View:
    """Tabulate the baseline of the patients followed up beside that of those who were due and were not.

    Parameters
    ----------
    nonresponse : Release
        Of the analysis ``nonresponse``.
    timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(nonresponse, timepoints=timepoints)
    if not nonresponse.table["shown"].any():
        return build_empty_view("nonresponse", "table", (nonresponse,), explain_absence(nonresponse))
    words = read_words()
    groups = ["seen", "not_seen"]
    rows = _count_row(nonresponse, groups) + _describe_terms(nonresponse, groups, labels, "smd")
    headings = {
        "seen": words.say("views.table.followed"),
        "not_seen": words.say("views.table.not_followed"),
        "largest": capitalise(words.say("views.difference")),
    }
    time = labels.time(str(nonresponse.table["timepoint"].dropna().iloc[0]))
    rows, hidden = _drop_withheld(rows, list(headings))
    caption = _add_hidden(words.say("views.caption.nonresponse", time=time), hidden)
    return build_table_view(
        "nonresponse", (nonresponse,), pd.DataFrame(rows, columns=["row", *headings]), stub="",
        headings=headings, caption=caption, released=nonresponse.table,
    )  # fmt: skip


def _count_row(release: Release, groups: Sequence[str]) -> list[dict[str, str]]:
    counts = release.where(statistic="n").table.drop_duplicates("group").set_index("group")["display"]
    return [{"row": read_words().say("views.table.patients"), **_take(counts, groups)}]


def _describe_terms(release: Release, groups: Sequence[str], labels: Labels, difference: str) -> list[Any]:
    table = release.table
    described = table[table["statistic"].isin(["mean", "share"])]
    rows: list[dict[str, str]] = []
    for term in described["term"].drop_duplicates():
        own = table[table["term"] == term]
        largest = own.loc[own["statistic"] == difference, "display"]
        block = _describe_term(own, str(term), groups, labels)
        if block and len(largest):
            block[0]["largest"] = largest.iloc[0]
        rows += block
        rows += _missing_row(own, str(term), groups, labels, release.audience)
    return rows


def _describe_term(
    own: pd.DataFrame, term: str, groups: Sequence[str], labels: Labels
) -> list[dict[str, str]]:
    words = read_words()
    label, unit = labels.covariate(term)
    label = label if term == "score" else capitalise(f"{label}, {unit}" if unit else label)
    if (own["statistic"] == "mean").any():
        means, sds = (
            own[own["statistic"] == statistic].set_index("group")[["display", "shown"]]
            for statistic in ("mean", "sd")
        )
        cells = {group: _pair(means, sds, group) for group in groups}
        name = "mean_only" if sds.empty else "mean_sd"
        return [{"row": words.say(f"views.table.{name}", label=label), **cells}]
    shares = own[own["statistic"] == "share"]
    if (shares.loc[shares["group"].isin(groups), "display"] == words.say("release.withheld")).all():
        return [{"row": label, **dict.fromkeys(groups, words.say("release.withheld"))}]
    levels = list(shares["level"].drop_duplicates())
    # One of two levels says all: the other is what remains.
    return [
        {
            "row": words.say("views.table.level", label=label, level=labels.level(term, str(level))),
            **_take(shares[shares["level"] == level].set_index("group")["display"], groups),
        }
        for level in (levels[:1] if len(levels) == 2 else levels)
    ]


def _missing_row(
    own: pd.DataFrame, term: str, groups: Sequence[str], labels: Labels, audience: str
) -> list[dict[str, str]]:
    """Return how many lack the covariate: for the team wherever somebody does, else where it may be shown."""
    missing = own[(own["statistic"] == "n_missing") & own["group"].isin(groups)]
    some = missing["estimate"].fillna(0).gt(0)
    if not some.any() or (audience != "team" and not missing["shown"].all()):
        return []
    label = capitalise(labels.covariate(term)[0])
    cells = _take(missing.set_index("group")["display"], groups)
    return [{"row": read_words().say("views.table.missing", label=label), **cells}]


def _seen_row(completeness: Release, groups: Sequence[str], labels: Labels) -> list[dict[str, str]]:
    time = pick_time(completeness, "share_seen", labels)
    shares = completeness.where(statistic="share_seen", timepoint=time).table
    label = read_words().say("views.table.seen_at", time=labels.time(str(time)))
    return [{"row": label, **_take(shares.set_index("group")["display"], groups)}]


def _pair(means: pd.DataFrame, sds: pd.DataFrame, group: str) -> str:
    if group not in means.index:
        return ""
    mean = str(means.at[group, "display"])
    if group in sds.index and sds.at[group, "shown"] and means.at[group, "shown"]:
        return f"{mean} ({sds.at[group, 'display']!s})"
    return mean


def _take(column: pd.Series, groups: Sequence[str]) -> dict[str, str]:
    written = dict(zip(column.index.astype(str), column.astype(str), strict=True))
    return {group: written.get(group, "") for group in groups}
