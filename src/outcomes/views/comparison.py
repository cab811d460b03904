"""The comparison as tables, in words and as a forest: checks, differences, standardised shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Fate, Release, read_rules, write_value
from outcomes.facts import Words, read_facts
from outcomes.result import WITHOUT_ESTIMATE
from outcomes.views.claims import read_span
from outcomes.views.comparing import (
    allows_for_several,
    list_compared,
    pick_contrasts,
    pick_time,
    say_adjusted,
)
from outcomes.views.figure import (
    apply_style,
    cut_label,
    draw_mark,
    list_marks_by_row,
    measure_text,
    open_figure,
    pick_look,
    place_axes,
    read_style,
    write_small,
)
from outcomes.views.labels import Labels, capitalise, find_rule, name_rule, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    explain_state,
    list_rows,
    sort_groups,
    write_interval,
    write_size,
)
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, build_figure_view, build_view, made_from, write_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "draw_forest",
    "say_comparison",
    "tabulate_comparability",
    "tabulate_contrasts",
    "tabulate_marginal_means",
    "tabulate_standardised",
]


@made_from("comparability")
def tabulate_comparability(comparability: Release) -> View:
    """Tabulate the checks that decide whether therapies are compared: found, needed, passes."""
    labels, words = read_labels(comparability), comparability.words
    checks = comparability.where(statistic="check").table
    if checks.empty or (comparability.table["level"] == "one_therapy").any():
        return build_empty_view("comparability", "table", comparability)
    randomised = (comparability.table["level"] == "randomised").any()
    lines = [_describe_check(row, comparability, labels) for row in list_rows(checks)]
    columns = {name: TableColumn(words.say(f"views.table.{name}")) for name in ("found", "needed", "verdict")}
    caption = words.say(f"views.caption.comparability{'_randomised' if randomised else ''}")
    stub = words.say("views.table.check")
    return build_table_view("comparability", comparability, lines, columns, caption, stub, checks)


def _describe_check(row: Any, release: Release, labels: Labels) -> TableLine:
    words, rules = labels.words, read_rules(release.k)
    check = words.say(f"views.table.check_{row.term}", time=labels.time(row.timepoint))
    if isinstance(row.level, str):
        worst = labels.covariate(row.level)[0] if row.term == "smd" else labels.short(row.level)
        check = words.say("views.table.check_worst", check=check, worst=worst)
    at_least = row.term in rules.roles["smallest_needed"]
    needed = write_value(row, "x", release.audience, rules)
    found = read_span(row, release, marked=True)
    fails = found.is_below(row.x) if at_least else found.is_above(row.x)
    fails = True if row.fate == Fate.STATE else fails  # what could not be estimated does not pass
    texts = {
        "needed": words.say(f"views.table.{'at_least' if at_least else 'at_most'}", value=needed),
        "verdict": "" if fails is None else words.say(f"views.table.{'fails' if fails else 'passes'}"),
    }
    return TableLine(check, {"found": row, **texts})


@made_from("over_time", "ancova")
def tabulate_contrasts(contrasts: Release) -> View:
    """Tabulate the adjusted differences between all pairs of therapies.

    The primary time point comes first. Only the team sees the others, marked as secondary: a page that leaves
    answers one question.
    """
    labels, words = read_labels(contrasts), contrasts.words
    if contrasts.where(statistic="contrast").table.empty:
        return build_empty_view("contrasts", "table", contrasts)
    lines, shown = [], []
    for time, block in list_compared(contrasts, "contrast", labels):
        pairs = pick_contrasts(contrasts, labels, time, all_pairs=True)
        shown.append(pairs)
        for row in list_rows(pairs):
            lines.append(TableLine(labels.pair(row.group, row.versus), {"row": row}, block))
    columns = {
        "patients_pair": TableColumn(words.say("views.table.patients_pair"), "row", _write_sizes),
        "difference": show_interval(words.say("views.table.difference"), "row"),
    }
    if contrasts.audience == "team":
        how = contrasts.origin.adjustment.p_adjustment if contrasts.origin.adjustment else "holm"
        columns["p_value"] = TableColumn(words.say(f"views.table.p_{how}"), "row", _write_p)
    adjusted = say_adjusted(contrasts, labels)
    caption = [words.say("views.caption.contrasts", measure=labels.measure, covariates=adjusted)]
    if allows_for_several(contrasts):
        caption.append(words.say("views.intervals_together"))
    shown_rows = pd.concat(shown, ignore_index=True)
    stub = words.say("views.table.compared")
    return build_table_view("contrasts", contrasts, lines, columns, caption, stub, shown_rows)


def _write_sizes(row: Any, release: Release) -> str:
    sizes = [write_size(row, release, column) for column in ("n", "n_versus")]
    return " / ".join(sizes) if all(sizes) else ""


def _write_p(row: Any, release: Release) -> str:
    return write_value(row, "p_value", release.audience, read_rules(release.k))


@made_from("over_time", "ancova")
def tabulate_marginal_means(contrasts: Release) -> View:
    """Tabulate the adjusted mean score of each therapy: marginal means, also called LS means.

    The primary time point comes first; only the team sees the others here, as in `tabulate_contrasts`.
    """
    labels, words = read_labels(contrasts), contrasts.words
    if contrasts.where(statistic="contrast").table.empty:
        return build_empty_view("marginal-means-table", "table", contrasts)
    lines, shown = [], []
    for time, block in list_compared(contrasts, "marginal_mean", labels):
        means = sort_groups(contrasts.where(statistic="marginal_mean", timepoint=time).table, labels)
        shown.append(means)
        lines += [TableLine(labels.title(row.group), {"row": row}, block) for row in list_rows(means)]
    adjusted = say_adjusted(contrasts, labels)
    columns = {
        "n": show_size(words.say("views.table.patients"), "row"),
        "mean": show_interval(words.say(f"views.table.adjusted_mean_{contrasts.audience}"), "row"),
    }
    shown_rows = pd.concat(shown, ignore_index=True)
    caption = words.say("views.caption.marginal_means", measure=labels.measure, covariates=adjusted)
    stub = words.say("views.table.therapy")
    return build_table_view("marginal-means-table", contrasts, lines, columns, caption, stub, shown_rows)


@made_from("standardised")
def tabulate_standardised(standardised: Release) -> View:
    """Tabulate the share who improved, or have a score, with each therapy, standardised to all patients."""
    labels, words = read_labels(standardised), standardised.words
    held = standardised.where(statistic=["share_improved_standardised", "share_in_state_standardised"]).table
    if held.empty:
        return build_empty_view("standardised", "table", standardised)
    held = sort_groups(held, labels)
    state = "_state" if "share_in_state_standardised" in set(held["statistic"]) else ""
    lines = [
        TableLine(labels.title(row.group), {"row": row}, name_rule(str(row.level), labels))
        for row in list_rows(held)
    ]
    columns = {
        "n": show_size(words.say("views.table.patients"), "row"),
        "share": show_interval(words.say(f"views.table.standardised{state}"), "row"),
    }
    caption = words.say(
        f"views.caption.standardised{state}", time=labels.time(str(held["timepoint"].iloc[0]))
    )
    rule = find_rule(str(held["level"].iloc[0]), labels)
    said = [caption, labels.explain_foreign(rule) if rule else ""]
    stub = words.say("views.table.therapy")
    return build_table_view("standardised", standardised, lines, columns, said, stub, held)


@made_from("over_time", "ancova")
def say_comparison(contrasts: Release) -> View:
    """Say how therapies are compared, and what could not be estimated.

    In plain words, what the differences allow for and why one is missing; `say_methods` says how.
    """
    labels = read_labels(contrasts)
    held = contrasts.where(statistic="contrast").table
    if held.empty:
        return build_empty_view("comparison", "sentence", contrasts)
    said = [_say_model(contrasts, labels), *_say_states(contrasts, held, labels)]
    said += _say_left_out(contrasts, labels)
    body = "".join(f"<p>{write_html(text)}</p>" for text in said if text)
    fragment = f'<div id="{{id}}">{body}</div>'
    return build_view("comparison", "sentence", contrasts, fragment, alt=" ".join(said), sentences=said)


def _say_model(contrasts: Release, labels: Labels) -> str:
    times = labels.order_times(contrasts.where(statistic="contrast").table["timepoint"])
    together = contrasts.name == "over_time" and len(times) > 1
    said = {
        "times": labels.words.join(map(labels.time, times)),
        "covariates": say_adjusted(contrasts, labels),
    }
    return labels.words.say(f"sentences.compared_{'together' if together else 'each'}", **said)


def _say_left_out(contrasts: Release, labels: Labels) -> list[str]:
    """Say how many patients had no follow-up, and how many of those compared lack a covariate."""
    words = labels.words
    said = [
        words.say("sentences.no_follow_up", n=row.display)
        for row in list_rows(contrasts.where(statistic="n_excluded_patients", shown=True).table)
        if row.estimate > 0
    ]
    counts = [
        words.say("sentences.lack_of", covariate=labels.covariate(str(row.term))[0], n=row.display)
        for row in list_rows(contrasts.where(statistic="n_missing", shown=True).table)
    ]
    return [*said, words.say("sentences.lack", counts=words.join(counts))] if counts else said


def _say_states(contrasts: Release, held: pd.DataFrame, labels: Labels) -> list[str]:
    """Say for each reason at which time points differences are missing for it; withheld ones are too few."""
    words = labels.words
    missing = held[~held["shown"]]
    reasons = missing["state"].where(missing["state"].isin(list(WITHOUT_ESTIMATE)), "too_few")
    made = contrasts.origin.adjustment
    said = [words.say("sentences.simplified")] if made and made.simplified else []
    if (held.loc[held["shown"], "state"] == "boundary").any():
        said.append(words.say("sentences.boundary"))
    for reason in sorted(set(reasons)):
        times = labels.order_times(missing.loc[reasons == reason, "timepoint"])
        some = "some" if any(held.loc[held["timepoint"].isin(times), "shown"]) else "all"
        named, why = words.join(map(labels.time, times)), explain_state(reason, words)
        said.append(capitalise(words.say(f"sentences.left_out_{some}", times=named, why=why)))
    return said


_ROW_INCHES = 0.3


@made_from("over_time", "ancova")
def draw_forest(contrasts: Release) -> View:
    """Draw the adjusted differences between therapies at the primary time point.

    A figure, each therapy against the reference; for the team all pairs. Where therapies are not compared, a
    sentence that says so. No threshold is drawn: those of single patients say nothing about a difference
    between groups.
    """
    labels = read_labels(contrasts)
    time = pick_time(contrasts, "contrast", labels)
    points = pick_contrasts(contrasts, labels, time, all_pairs=contrasts.audience == "team")
    points = points[points["shown"]].reset_index(drop=True)
    if points.empty:
        reason = explain_absence(contrasts.where(statistic="contrast"))
        return build_empty_view("forest", "figure", contrasts, reason)
    figure = plot_forest(points, labels, contrasts)
    alt, caption = _describe_forest(points, labels, contrasts), _caption_forest(labels, contrasts, time)
    return build_figure_view("forest", contrasts, figure, alt, caption, points)


@apply_style()
def plot_forest(points: pd.DataFrame, labels: Labels, contrasts: Release) -> Figure:
    """Return the figure of some shown contrasts, one mark a row."""
    names = [_name_row(row, points, labels) for row in list_rows(points)]
    numbers = [write_interval(row, contrasts) for row in list_rows(points)]
    sizes = [
        f"{write_size(row, contrasts)} / {write_size(row, contrasts, 'n_versus')}"
        for row in list_rows(points)
    ]
    figure = open_figure(0.95 + _ROW_INCHES * (len(points) + 0.6))
    axes = _open_axes(figure, names, numbers, sizes, labels.words)
    for place, row in enumerate(list_rows(points)):
        colour, _, marker = pick_look(str(row.group), labels)
        width = read_style()["line_width"] + 0.4
        axes.hlines(place, row.conf_low, row.conf_high, color=colour, linewidth=width)
        draw_mark(axes, row.estimate, place, (colour, marker), 2, zorder=3)
    _finish_axes(axes, points, names, labels)
    _write_columns(axes, numbers, sizes, labels.words)
    return figure


def _name_row(row: Any, points: pd.DataFrame, labels: Labels) -> str:
    characters = read_facts("appearance")["labels"]["row_characters"]
    if points["versus"].nunique() == 1:
        return cut_label(labels.title(str(row.group)), characters)
    return cut_label(labels.pair(str(row.group), str(row.versus)), characters + 12)


def _open_axes(figure: Figure, names: list[str], numbers: list[str], sizes: list[str], words: Words) -> Axes:
    style = read_style()
    small = style["small_size"]
    left = measure_text(figure, names, style["text_size"]) + 0.25
    first = measure_text(figure, [*numbers, words.say("views.difference_head")], small)
    second = measure_text(figure, [*sizes, words.say("views.patients")], small)
    return place_axes(figure, left, 0.72, first + second + 0.4, 0.32)


def _finish_axes(axes: Axes, points: pd.DataFrame, names: list[str], labels: Labels) -> None:
    words, style = labels.words, read_style()
    ends = [*points["conf_low"], *points["conf_high"], *points["estimate"], 0.0]
    low, high = min(ends), max(ends)
    edge = 0.08 * (high - low or 1)
    # Zero stays away from the edge, so that both directions have a side of their own.
    reach = 0.3 * (high - low or 1)
    axes.set_xlim(min(low - edge, -reach), max(high + edge, reach))
    axes.axvline(0, color=style["soft"], linewidth=1)
    list_marks_by_row(axes, names)
    axes.set_xlabel(words.say("views.forest_axis", measure=labels.measure, unit=labels.unit), labelpad=18)
    _write_directions(axes, points, labels)


def _write_directions(axes: Axes, points: pd.DataFrame, labels: Labels) -> None:
    """Say on each side of zero whom it favours, which depends on the direction of the measure."""
    words = labels.words
    one = points["versus"].nunique() == 1
    versus = labels.short(points["versus"].iloc[0]) if one else words.say("views.second_therapy")
    group = words.say("views.the_therapy" if one else "views.first_therapy")
    left, right = (group, versus) if labels.instrument.sign < 0 else (versus, group)
    characters = read_facts("appearance")["labels"]["direct_characters"]
    y = -0.29 / (axes.get_window_extent().height / axes.figure.dpi)
    zero = axes.transAxes.inverted().transform(axes.transData.transform((0, 0)))[0]
    for x, side, key in ((zero - 0.02, left, "favours_left"), (zero + 0.02, right, "favours_right")):
        text = words.say(f"views.{key}", who=cut_label(side, characters))
        write_small(axes, x, y, text, axes.transAxes, va="top", ha="right" if x < zero else "left")


def _write_columns(axes: Axes, numbers: list[str], sizes: list[str], words: Words) -> None:
    style = read_style()
    figure = axes.figure
    edge = 1 - 0.06 / style["width_inches"]
    width = measure_text(figure, [*sizes, words.say("views.patients")], style["small_size"])  # type: ignore[arg-type]
    inner = edge - (width + 0.2) / style["width_inches"]
    transform = axes.get_yaxis_transform()
    for column, head, cells in (
        (inner, words.say("views.difference_head"), numbers),
        (edge, words.say("views.patients"), sizes),
    ):
        box = axes.get_position()
        x = (column - box.x0) / box.width
        write_small(axes, x, -0.72, head, transform, ha="right", va="bottom")
        for place, text in enumerate(cells):
            write_small(axes, x, place, text, transform, ha="right", color=style["ink"])


def _describe_forest(points: pd.DataFrame, labels: Labels, contrasts: Release) -> str:
    words = labels.words
    rows = []
    for row in list_rows(points):
        pair = {"group": labels.title(row.group), "versus": labels.short(row.versus)}
        rows.append(words.say("views.forest_row", **pair, number=write_interval(row, contrasts)))
    place = {"measure": labels.measure, "time": labels.time(points["timepoint"].iloc[0])}
    favours = words.say(f"views.favours_{labels.instrument.direction}")
    return words.say("views.forest_alt", **place, rows=" ".join(rows), favours=favours)


def _caption_forest(labels: Labels, contrasts: Release, time: str | None) -> list[str]:
    words = labels.words
    parts = [words.say("views.forest_caption", measure=labels.measure, time=labels.time(str(time)))]
    parts.append(words.say("views.forest_adjusted", covariates=say_adjusted(contrasts, labels)))
    if allows_for_several(contrasts):
        parts.append(words.say("views.intervals_together"))
    return [*parts, capitalise(words.say("views.forest_patients"))]
