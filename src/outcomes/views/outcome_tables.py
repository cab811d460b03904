"""Tables of what happened: scores and improvement, who improved or got worse, who was seen, effect sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Therapy, Timepoint, read_words
from outcomes.views.comparing import pick_time
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, write_interval, write_size
from outcomes.views.rules import find_rule, name_rule
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise
from outcomes.views.view import View, build_empty_view

_Rows = list[dict[str, str]]


def tabulate_change(
    change: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate scores and improvement per therapy and time point.

    Parameters
    ----------
    change : Release
        Of the analysis ``change``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(change, therapies=therapies, timepoints=timepoints)
    if not change.table["shown"].any():
        return build_empty_view("change", "table", (change,), explain_absence(change))
    words = read_words()
    rows, blocks = [], []
    for group in _own_groups(change, labels):
        held = _index(change, group)
        times = labels.order_times(change.table["timepoint"])
        shown = [time for time in times if _has_number(held, time)]
        for time in shown:
            blocks.append(labels.title(group))
            rows.append({"row": capitalise(labels.time(time)), **_score_cells(held, time, change)})
        if len(shown) < len(times):
            blocks.append(labels.title(group))
            name = "other_times" if shown else "all_times"
            rows.append({"row": words.say(f"views.table.{name}"), "score": words.say("release.withheld")})
    headings = {
        "n": words.say("views.table.patients"),
        "score": words.say(f"views.table.{_name_score(change)}", measure=labels.measure),
        "improvement": words.say("views.table.improvement"),
    }
    return build_table_view(
        "change", (change,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings, groups=blocks,
        stub=words.say("views.table.time"), caption=words.say("views.caption.change"), released=change.table,
    )  # fmt: skip


def _has_number(held: Mapping[tuple[str, str], Any], time: str) -> bool:
    """Say whether a time point has a row of its own: a number, or a reason other than too few patients."""
    row = held.get(("mean_score", time))
    return row is not None and (bool(row.shown) or row.display != read_words().say("release.withheld"))


def _name_score(change: Release) -> str:
    return "score" if (change.table["statistic"] == "sd_score").any() else "score_mean"


def _own_groups(release: Release, labels: Labels) -> list[str]:
    """Return the groups of a release; everybody only where there are several others, shown or not."""
    groups = labels.order(release.table["group"].dropna())
    alone = len(groups) == 2 and groups[-1] == WHOLE and len(release.origin.therapies or ()) < 2
    return groups[:-1] if alone else groups


def _index(release: Release, group: str) -> dict[tuple[str, str], Any]:
    return {(row.statistic, row.timepoint): row for row in list_rows(release.where(group=group).table)}


def _score_cells(held: Mapping[tuple[str, str], Any], time: str, change: Release) -> dict[str, str]:
    mean, sd = held.get(("mean_score", time)), held.get(("sd_score", time))
    improvement = held.get(("mean_improvement", time))
    score = str(mean.display) if mean else ""
    if mean and mean.shown and sd and sd.shown:
        score = f"{score} ({sd.display})"
    return {
        "n": write_size(mean, change) if mean else "",
        "score": score,
        "improvement": write_interval(improvement, change) if improvement else "",
    }


def tabulate_responders(
    responders: Release,
    *,
    timepoint: str | None = None,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate who improved and who got worse by each rule at one time point.

    Parameters
    ----------
    responders : Release
        Of the analysis ``responders``.
    timepoint : str, optional
        Id; the primary one where absent.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(responders, therapies=therapies, timepoints=timepoints)
    time = pick_time(responders, "share_improved", labels, timepoint)
    held = responders.where(timepoint=time, statistic=["share_improved", "share_worse"])
    if not len(held.table) or not held.table["display"].ne("").any():
        return build_empty_view("responders", "table", (responders,), explain_absence(responders))
    words = read_words()
    rows, blocks = [], []
    for level in held.table["level"].drop_duplicates():
        cells = {
            (row.group, row.statistic, row.term): row for row in list_rows(held.where(level=level).table)
        }
        written = {
            labels.title(group): _responder_cells(cells, group, responders)
            for group in _own_groups(held, labels)
        }
        for title, texts in _merge_withheld(written, labels.title(WHOLE), responders.k).items():
            blocks.append(name_rule(str(level), labels))
            rows.append({"row": title, **texts})
    seen, due = words.say("views.table.of_seen"), words.say("views.table.of_due")
    headings = {
        "n": words.say("views.table.patients"),
        "seen": f"{words.say('views.table.improved')}, {seen}",
        "due": f"{words.say('views.table.improved')}, {due}",
        "worse": f"{words.say('views.table.worse')}, {seen}",
    }
    return build_table_view(
        "responders", (responders,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        groups=blocks, stub=words.say("views.table.therapy"), released=held.table,
        caption=" ".join(_caption_responders(held, labels, str(time))),
    )  # fmt: skip


def _caption_responders(held: Release, labels: Labels, time: str) -> Iterator[str]:
    """Say how to read the shares, where a percentage is not defined, and which rules lie within error."""
    words = read_words()
    yield words.say("views.caption.responders", time=labels.time(time))
    rules = [rule for level in held.table["level"].unique() if (rule := find_rule(str(level), labels))]
    if any(rule.rule.startswith("percent") for rule in rules):
        yield words.say("views.caption.responders_undefined")
    for rule in rules:
        error = labels.instrument.find_larger_error(rule)
        if error is not None:
            values = {"threshold": name_rule(rule.id, labels), "unit": labels.instrument.unit}
            yield words.say("views.caption.responders_error", error=f"{error:g}", **values)


def _merge_withheld(written: Mapping[str, dict[str, str]], whole: str, k: int) -> dict[str, dict[str, str]]:
    """Return the rows of a rule by their titles: the therapies in one where nothing of any is shown.

    A bound on who got worse, such as "fewer than 11", is then given without its percentage; it holds for
    therapies of fewer patients as well.
    """
    words = read_words()
    nothing = {"", words.say("release.withheld")}
    therapies = [title for title in written if title != whole]
    few = words.say("release.few", k=k)
    worse = [written[title]["worse"] for title in therapies]
    improved = {written[title][name] for title in therapies for name in ("n", "seen", "due")}
    bounds = [text for text in worse if text not in nothing]
    if len(therapies) < 2 or not improved <= nothing or not all(text.startswith(few) for text in bounds):
        return dict(written)
    merged = {**written[therapies[0]], "worse": few if bounds else worse[0]}
    rest = {whole: written[whole]} if whole in written else {}
    return {words.say("views.table.each_therapy"): merged, **rest}


def _responder_cells(cells: Mapping[Any, Any], group: str, release: Release) -> dict[str, str]:
    seen, due = (cells.get((group, "share_improved", term)) for term in ("seen", "due"))
    worse = cells.get((group, "share_worse", "seen"))
    return {
        "n": write_size(seen, release) if seen else "",
        "seen": write_interval(seen, release) if seen else "",
        "due": write_interval(due, release) if due else "",
        "worse": str(worse.display) if worse else "",
    }


def tabulate_completeness(
    completeness: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate who was due and seen per therapy and time point; for the team also who was missed and lost.

    Parameters
    ----------
    completeness : Release
        Of the analysis ``completeness``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(completeness, therapies=therapies, timepoints=timepoints)
    if not completeness.table["shown"].any():
        return build_empty_view("completeness-table", "table", (completeness,), explain_absence(completeness))
    words = read_words()
    columns = {"due": "n_due", "seen": "n_seen", "share": "share_seen"}
    if completeness.audience == "team":
        columns |= {"missed": "n_missing", "lost": "n_lost", "not_yet_due": "n_not_yet_due"}
    rows, blocks = [], []
    for group in _own_groups(completeness, labels):
        held = _index(completeness, group)
        for time in labels.order_times(completeness.table["timepoint"]):
            cells = {name: held.get((statistic, time)) for name, statistic in columns.items()}
            blocks.append(labels.title(group))
            shown = {name: str(row.display) if row else "" for name, row in cells.items()}
            rows.append({"row": capitalise(labels.time(time)), **shown})
    return build_table_view(
        "completeness-table", (completeness,), pd.DataFrame(rows, columns=["row", *columns]), groups=blocks,
        headings={name: words.say(f"views.table.{name}") for name in columns},
        stub=words.say("views.table.time"), caption=words.say("views.caption.completeness"),
        released=completeness.where(statistic=list(columns.values())).table,
    )  # fmt: skip


def tabulate_effect_sizes(
    effect_sizes: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate effect sizes of improvement, for the team; a stakeholder reads that they are not shown.

    Parameters
    ----------
    effect_sizes : Release
        Of the analysis ``effect_sizes``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    words = read_words()
    if effect_sizes.audience != "team":
        reason = words.say("views.caption.effect_sizes_team")
        return build_empty_view("effect-sizes", "table", (effect_sizes,), reason)
    labels = read_labels(effect_sizes, therapies=therapies, timepoints=timepoints)
    rows: _Rows = []
    blocks = []
    for group in _own_groups(effect_sizes, labels):
        held = _index(effect_sizes, group)
        for time in labels.order_times(effect_sizes.table["timepoint"]):
            cells = {name: held.get((name, time)) for name in ("srm", "ses", "hedges_g")}
            written = {name: write_interval(row, effect_sizes) if row else "" for name, row in cells.items()}
            size = next((write_size(row, effect_sizes) for row in cells.values() if row), "")
            blocks.append(labels.title(group))
            rows.append({"row": capitalise(labels.time(time)), "n": size, **written})
    named = effect_sizes.table["versus"].dropna()
    versus = labels.short(str(named.iloc[0])) if len(named) else ""
    headings = {"n": words.say("views.table.patients")}
    headings |= {name: words.say(f"views.table.{name}", versus=versus) for name in ("srm", "ses", "hedges_g")}
    return build_table_view(
        "effect-sizes", (effect_sizes,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        groups=blocks, stub=words.say("views.table.time"), released=effect_sizes.table,
        caption=words.say("views.caption.effect_sizes", versus=versus),
    )  # fmt: skip
