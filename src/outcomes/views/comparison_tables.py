"""Tables of the comparison: the checks before it, the differences, the standardised shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from outcomes.disclosure import Release, read_rules, write_value
from outcomes.facts import Therapy, Timepoint, read_words
from outcomes.views.comparing import allows_for_several, list_adjusted, pick_contrasts
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, write_interval, write_size
from outcomes.views.rules import name_rule
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise, join_words
from outcomes.views.view import View, build_empty_view


def tabulate_comparability(
    comparability: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate the checks that decide whether therapies are compared: found, needed, passes.

    Parameters
    ----------
    comparability : Release
        Of the analysis ``comparability``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(comparability, therapies=therapies, timepoints=timepoints)
    checks = comparability.where(statistic="check").table
    if checks.empty or (comparability.table["level"] == "one_therapy").any():
        return build_empty_view("comparability", "table", (comparability,), explain_absence(comparability))
    words = read_words()
    rows = [_check_cells(row, comparability, labels) for row in list_rows(checks)]
    headings = {name: words.say(f"views.table.{name}") for name in ("found", "needed", "verdict")}
    randomised = (comparability.table["level"] == "randomised").any()
    return build_table_view(
        "comparability", (comparability,), pd.DataFrame(rows), headings=headings, released=checks,
        stub=words.say("views.table.check"),
        caption=words.say(f"views.caption.comparability{'_randomised' if randomised else ''}"),
    )  # fmt: skip


def _check_cells(row: Any, release: Release, labels: Labels) -> dict[str, str]:
    words, rules = read_words(), read_rules(release.k)
    at_least = row.term in rules.roles["smallest_needed"]
    needed = write_value(row, "x", release.audience, rules)
    check = words.say(f"views.table.check_{row.term}", time=labels.time(row.timepoint))
    if isinstance(row.level, str):
        worst = labels.covariate(row.level)[0] if row.term == "smd" else labels.short(row.level)
        check = words.say("views.table.check_worst", check=check, worst=worst)
    return {
        "row": check,
        "found": row.display,
        "needed": words.say(f"views.table.{'at_least' if at_least else 'at_most'}", value=needed),
        "verdict": words.say(f"views.table.{'passes' if passes_check(row, release) else 'fails'}"),
    }


def passes_check(row: Any, release: Release) -> bool:
    """Say whether a released check passes: its number never crosses the limit when it is rounded."""
    if not row.shown:
        return False
    if row.term in read_rules(release.k).roles["smallest_needed"]:
        return bool(row.estimate >= row.x)
    return bool(row.estimate <= row.x)


def tabulate_contrasts(
    contrasts: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate the adjusted differences between all pairs of therapies.

    The primary time point comes first. Only the team sees the others, marked as secondary: a page that leaves
    answers one question.

    Parameters
    ----------
    contrasts : Release
        Of the analysis ``over_time`` or ``ancova``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(contrasts, therapies=therapies, timepoints=timepoints)
    held = contrasts.where(statistic="contrast")
    if held.table.empty:
        return build_empty_view("contrasts", "table", (contrasts,), explain_absence(contrasts))
    words = read_words()
    rows, blocks, shown = [], [], []
    for time, block in _list_times(held, labels):
        pairs = pick_contrasts(contrasts, labels, time, all_pairs=True)
        shown.append(pairs)
        for row in list_rows(pairs):
            blocks.append(block)
            rows.append(_contrast_cells(row, contrasts, labels))
    headings = {name: words.say(f"views.table.{name}") for name in ("patients_pair", "difference")}
    if contrasts.audience == "team":
        how = contrasts.origin.adjustment.p_adjustment if contrasts.origin.adjustment else "holm"
        headings["p_value"] = words.say(f"views.table.p_{how}")
    adjusted = join_words(list_adjusted(contrasts, labels))
    caption = [words.say("views.caption.contrasts", measure=labels.measure, covariates=adjusted)]
    if allows_for_several(contrasts):
        caption.append(words.say("views.intervals_together"))
    return build_table_view(
        "contrasts", (contrasts,), pd.DataFrame(rows), headings=headings, groups=blocks,
        stub=words.say("views.table.compared"), released=pd.concat(shown, ignore_index=True),
        caption=" ".join(caption),
    )  # fmt: skip


def _list_times(held: Release, labels: Labels) -> list[tuple[str, str]]:
    """Return the time points that an audience reads, the primary one first, each with its heading."""
    words = read_words()
    times = labels.order_times(held.table["timepoint"])
    primary = labels.primary if labels.primary in times else times[-1]
    others = [time for time in times if time != primary]
    return [
        (time, words.say(f"views.table.{rank}", time=capitalise(labels.time(time))))
        for rank, ranked in (("primary", [primary]), ("secondary", others if held.audience == "team" else []))
        for time in ranked
    ]


def _contrast_cells(row: Any, release: Release, labels: Labels) -> dict[str, str]:
    pair = read_words().say("views.pair", group=labels.title(row.group), versus=labels.short(row.versus))
    sizes = [write_size(row, release, column) for column in ("n", "n_versus")]
    return {
        "row": pair,
        "patients_pair": " / ".join(sizes) if all(sizes) else "",
        "difference": write_interval(row, release),
        "p_value": write_value(row, "p_value", release.audience, read_rules(release.k)),
    }


def tabulate_marginal_means(
    contrasts: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate the adjusted mean score of each therapy: marginal means, also called LS means.

    The primary time point comes first; only the team sees the others here, as in `tabulate_contrasts`.

    Parameters
    ----------
    contrasts : Release
        Of the analysis ``over_time`` or ``ancova``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(contrasts, therapies=therapies, timepoints=timepoints)
    held = contrasts.where(statistic="marginal_mean")
    if contrasts.where(statistic="contrast").table.empty:
        return build_empty_view("marginal-means-table", "table", (contrasts,), explain_absence(contrasts))
    rows, blocks, shown = [], [], []
    for time, block in _list_times(held, labels):
        means = held.where(timepoint=time).table
        order = labels.order(means["group"])
        means = means.iloc[means["group"].map(order.index).argsort(kind="stable")]
        shown.append(means)
        for row in list_rows(means):
            blocks.append(block)
            rows.append(
                {"row": labels.title(row.group), "n": write_size(row, contrasts),
                 "mean": write_interval(row, contrasts)}
            )  # fmt: skip
    words = read_words()
    adjusted = join_words(list_adjusted(contrasts, labels))
    return build_table_view(
        "marginal-means-table", (contrasts,), pd.DataFrame(rows), groups=blocks,
        headings={
            "n": words.say("views.table.patients"),
            "mean": words.say(f"views.table.adjusted_mean_{contrasts.audience}"),
        },
        stub=words.say("views.table.therapy"), released=pd.concat(shown, ignore_index=True),
        caption=words.say("views.caption.marginal_means", measure=labels.measure, covariates=adjusted),
    )  # fmt: skip


def tabulate_standardised(
    standardised: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate the share of patients who improved with each therapy, standardised to all patients.

    Parameters
    ----------
    standardised : Release
        Of the analysis ``standardised``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.
    """
    labels = read_labels(standardised, therapies=therapies, timepoints=timepoints)
    held = standardised.where(statistic="share_improved_standardised").table
    if held.empty:
        return build_empty_view("standardised", "table", (standardised,), explain_absence(standardised))
    order = labels.order(held["group"])
    held = held.iloc[held["group"].map(order.index).argsort(kind="stable")]
    rows = [
        {"row": labels.title(row.group), "n": write_size(row, standardised),
         "share": write_interval(row, standardised)}
        for row in list_rows(held)
    ]  # fmt: skip
    words = read_words()
    headings = {"n": words.say("views.table.patients"), "share": words.say("views.table.standardised")}
    return build_table_view(
        "standardised", (standardised,), pd.DataFrame(rows), headings=headings, released=held,
        groups=[name_rule(str(level), labels) for level in held["level"]],
        stub=words.say("views.table.therapy"),
        caption=words.say("views.caption.standardised", time=labels.time(str(held["timepoint"].iloc[0]))),
    )  # fmt: skip
