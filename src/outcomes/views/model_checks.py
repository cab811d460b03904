"""Checks of the repeated-measures model, for the team: tables, and residuals as means of bins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.disclosure import Release, read_rules, write_number, write_value
from outcomes.facts import Words, read_facts
from outcomes.result import ALL
from outcomes.views.comparing import pick_reference, turn_to
from outcomes.views.figure import apply_style, open_figure, place_axes, read_style
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import explain_absence, list_rows
from outcomes.views.table import (
    TableColumn,
    TableLine,
    build_list_view,
    build_table_view,
    show_interval,
    show_size,
)
from outcomes.views.view import View, build_empty_view, build_figure_view, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "draw_residuals",
    "say_model",
    "tabulate_criteria",
    "tabulate_joint_tests",
    "tabulate_patterns",
    "tabulate_sensitivity",
    "tabulate_shapes",
    "tabulate_visit_covariance",
]

_CRITERIA = ("n_parameters", "deviance", "aic", "bic")
#: Views that compare therapies, which they do only where these are comparable.
_COMPARING = ("sensitivity", "joint-tests")
_SHAPES = ("standardised_sd", "standardised_skewness", "standardised_beyond")


def _explain(name: str, checks: Release, held: Release, kind: str = "table") -> View | None:
    """Return the sentence that stands where a view has nothing to show: for another audience, or no rows."""
    if checks.audience != "team":
        return build_empty_view(name, "table", checks, checks.words.say("model_checks.team_only"))
    if not held.table.empty:
        return None
    contrasts = checks.where(statistic="alternative_contrast")
    of_model = contrasts if name in _COMPARING else checks.where(statistic="residual_sd")
    if not of_model.table["shown"].any():
        return build_empty_view(name, kind, checks, explain_absence(contrasts))
    needed = read_facts("model_checks")["bins"]["patients_at_least"]  # to show a mean of several
    return build_empty_view(name, kind, checks, checks.words.say("model_checks.too_few", needed=needed))


def _show_number(head: str, decimals: int, key: Any = None, column: str = "estimate") -> TableColumn:
    """Return a column of numbers with fixed decimals; a missing one is empty."""
    return TableColumn(head, key, lambda row, release: write_number(getattr(row, column), decimals))


@made_from("model_checks")
def say_model(checks: Release) -> View:
    """Say which model was fitted, how its errors and degrees of freedom were found, and its state.

    For the team alone.
    """
    held = checks.where(statistic="model")
    if checks.audience == "team" and held.table.empty:
        return build_empty_view("model", "sentence", checks)
    if empty := _explain("model", checks, held):
        return empty
    words = checks.words
    entries = []
    for row in list_rows(held.table):
        counted = pd.isna(row.level)
        value = write_number(row.estimate) if counted else _name_choice(str(row.term), str(row.level), words)
        entries.append((words.say(f"model_checks.model_term.{row.term}"), value))
    return build_list_view("model", "sentence", checks, entries, end=".")


def _name_choice(term: str, level: str, words: Words) -> str:
    names = [words.say(f"model_checks.model_{term}.{name}") for name in level.split("+")]
    return capitalise(words.join(names))


@made_from("model_checks")
def tabulate_criteria(checks: Release) -> View:
    """Tabulate parameters, deviance, AIC and BIC of each covariance, and the state of those not reached."""
    held = checks.where(statistic=_CRITERIA)
    if empty := _explain("criteria", checks, held):
        return empty
    words = checks.words
    lines = []
    for level, part in held.table.groupby("level", sort=False):
        cells = {row.statistic: row for row in list_rows(part)}
        lines.append(TableLine(_name_choice("covariance", str(level), words), cells))
    columns = {
        name: TableColumn(words.say(f"model_checks.{name}"), write=_write_criterion) for name in _CRITERIA
    }
    stub, caption = words.say("model_checks.covariance"), words.say("model_checks.criteria_caption")
    return build_table_view("criteria", checks, lines, columns, caption, stub, held.table)


def _write_criterion(row: Any, checks: Release) -> str:
    if not row.shown:
        return str(row.display)
    return write_number(row.estimate, 0 if row.statistic == "n_parameters" else 1)


@made_from("model_checks")
def tabulate_patterns(checks: Release) -> View:
    """Tabulate how many patients were seen at which follow-ups, those seen at none included."""
    held = checks.where(statistic="visit_pattern")
    if empty := _explain("patterns", checks, held):
        return empty
    words, labels = checks.words, read_labels(checks)
    ordered = held.table.sort_values("estimate", ascending=False, kind="stable")
    total = ordered["estimate"].sum()
    lines = []
    for row in list_rows(ordered):
        none = row.level == "none"
        seen_at = "" if none else words.join(map(labels.time, str(row.level).split("+")))
        head = words.say("model_checks.no_follow_up") if none else seen_at
        share = f"{write_number(100 * row.estimate / total, 1)} %"
        lines.append(TableLine(capitalise(head), {"n": write_number(row.estimate), "share": share}))
    columns = {
        "n": TableColumn(words.say("views.table.patients")),
        "share": TableColumn(words.say("model_checks.share")),
    }
    stub, caption = words.say("model_checks.seen_at"), words.say("model_checks.patterns_caption")
    return build_table_view("patterns", checks, lines, columns, caption, stub, ordered)


@made_from("model_checks")
def tabulate_shapes(checks: Release) -> View:
    """Tabulate per time point the spread, skewness and share of large standardised residuals."""
    held = checks.where(statistic=_SHAPES)
    if empty := _explain("shapes", checks, held):
        return empty
    words, labels = checks.words, read_labels(checks)
    lines = []
    for time in labels.order_times(held.table["timepoint"]):
        cells = {row.statistic: row for row in list_rows(held.where(timepoint=time).table)}
        lines.append(TableLine(capitalise(labels.time(time)), cells))
    columns = {
        "n": show_size(words.say("views.table.patients"), _SHAPES[0]),
        **{name: _show_number(words.say(f"model_checks.{name}"), 2) for name in _SHAPES[:2]},
        "standardised_beyond": TableColumn(
            words.say("model_checks.standardised_beyond"),
            write=lambda row, release: f"{write_number(100 * row.estimate, 1)} %",
        ),
    }
    stub, caption = words.say("views.table.time"), words.say("model_checks.shapes_caption")
    return build_table_view("shapes", checks, lines, columns, caption, stub, held.table)


@made_from("model_checks")
def tabulate_visit_covariance(checks: Release) -> View:
    """Tabulate spreads and correlations between time points: of the model and as observed."""
    names = ["residual_sd", "observed_residual_sd", "residual_correlation", "observed_residual_correlation"]
    held = checks.where(statistic=names)
    if empty := _explain("visit-covariance", checks, held):
        return empty
    words, labels = checks.words, read_labels(checks)
    block = words.say("model_checks.spreads", unit=labels.unit)
    lines = []
    for row in list_rows(held.where(statistic="residual_sd").table):
        observed = held.where(statistic="observed_residual_sd", timepoint=row.timepoint).table
        own = {entry.group: entry for entry in list_rows(observed)}
        cells = {"row": row, "observed": own[ALL], "groups": _say_range(list(own.values()), labels)}
        lines.append(TableLine(capitalise(labels.time(row.timepoint)), cells, block))
    block = words.say("model_checks.correlations")
    for row in list_rows(held.where(statistic="residual_correlation").table):
        place = {"timepoint": row.timepoint, "level": row.level}
        observed = held.where(statistic="observed_residual_correlation", **place).table
        name = words.say("model_checks.pair", first=labels.time(row.level), second=labels.time(row.timepoint))
        lines.append(TableLine(capitalise(name), {"row": row, "observed": list_rows(observed)[0]}, block))
    columns = {
        "n": show_size(words.say("views.table.patients"), "row"),
        "model": TableColumn(words.say("model_checks.model"), "row"),
        "observed": TableColumn(words.say("model_checks.observed")),
        "groups": TableColumn(words.say("model_checks.groups")),
    }
    stub, caption = words.say("views.table.time"), words.say("model_checks.visit_covariance_caption")
    return build_table_view("visit-covariance", checks, lines, columns, caption, stub, held.table)


def _say_range(observed: Sequence[Any], labels: Labels) -> str:
    """Say the smallest and the largest spread of a therapy."""
    rows = sorted((row for row in observed if row.group != ALL and row.shown), key=lambda row: row.estimate)
    if len(rows) < 2:
        return ""
    ends = {"low": rows[0].display, "high": rows[-1].display}
    groups = {"lowest": labels.short(rows[0].group), "highest": labels.short(rows[-1].group)}
    return labels.words.say("model_checks.range", **ends, **groups)


@made_from("model_checks")
def tabulate_joint_tests(checks: Release) -> View:
    """Tabulate whether therapies differ at all at each time point, and whether that changes over time."""
    held = checks.where(statistic="f_test")
    if empty := _explain("joint-tests", checks, held):
        return empty
    words, labels, rules = checks.words, read_labels(checks), read_rules(checks.k)
    lines = []
    for row in list_rows(held.table):
        changing = row.level == "interaction"
        name = words.say("model_checks.interaction") if changing else capitalise(labels.time(row.timepoint))
        known = {
            "f": write_number(row.estimate, 2),
            "df": f"{row.x:g}, {write_number(row.df, 1)}",
            "p": write_value(row, "p_value", checks.audience, rules),
        }
        lines.append(TableLine(name, known if row.shown else {"f": str(row.display)}))
    columns = {name: TableColumn(words.say(f"model_checks.test_{name}")) for name in ("f", "df", "p")}
    stub, caption = words.say("views.table.time"), words.say("model_checks.tests_caption")
    return build_table_view("joint-tests", checks, lines, columns, caption, stub, held.table)


@made_from("model_checks")
def tabulate_sensitivity(checks: Release) -> View:
    """Tabulate the differences from the reference at the primary time point under each choice."""
    held = checks.where(statistic="alternative_contrast")
    if empty := _explain("sensitivity", checks, held):
        return empty
    words, labels = checks.words, read_labels(checks)
    reference = pick_reference(held.table, labels)
    table = turn_to(held.table, reference)
    table = table[table["versus"] == reference].reset_index(drop=True)
    lines = []
    for group in labels.order(table["group"]):
        for row in list_rows(table[table["group"] == group]):
            choice = words.say(f"model_checks.choice.{row.level}")
            lines.append(TableLine(choice, {"row": row}, labels.pair(group, str(reference))))
    columns = {
        "difference": show_interval(words.say("views.table.difference"), "row"),
        "error": _show_number(words.say("model_checks.error"), 2, "row", "std_error"),
        "df": _show_number(words.say("model_checks.df"), 1, "row", "df"),
    }
    caption = words.say("model_checks.sensitivity_caption", time=labels.time(str(table["timepoint"].iloc[0])))
    stub = words.say("model_checks.choice_head")
    return build_table_view("sensitivity", checks, lines, columns, caption, stub, table)


_HEIGHT_INCHES = 2.9
_PANELS = ("ranked", "fitted", "baseline")


@made_from("model_checks")
def draw_residuals(checks: Release) -> View:
    """Draw mean residuals beside the normal distribution, and along fitted mean and baseline score.

    For the team. A figure of up to three panels, a mark for each bin; without a fitted model, or for another
    audience, a sentence that says why not.
    """
    held = checks.where(statistic="mean_residual", shown=True)
    if empty := _explain("residuals", checks, held, "figure"):
        return empty
    labels, points = read_labels(checks), held.table
    alt, caption = _describe(points, labels), checks.words.say("model_checks.residuals_caption")
    return build_figure_view("residuals", checks, plot_residuals(points, labels), alt, caption, points)


@apply_style()
def plot_residuals(points: pd.DataFrame, labels: Labels) -> "Figure":
    """Return the figure of some mean residuals, one mark a row."""
    panels = [name for name in _PANELS if (points["level"] == name).any()]
    width = read_style()["width_inches"]
    left, gap = 0.55, 0.5
    each = (width - left - 0.1 - gap * (len(panels) - 1)) / len(panels)
    figure = open_figure(_HEIGHT_INCHES)
    for number, name in enumerate(panels):
        start = left + number * (each + gap)
        axes = place_axes(figure, start, 0.55, width - start - each, 0.3)
        _draw_panel(axes, points[points["level"] == name], name, labels)
        if number == 0:
            axes.set_ylabel(labels.words.say("model_checks.residual_axis"))
    # the panels beside the first have one scale, as far down as up
    reach = max((abs(end) for axes in figure.axes[1:] for end in axes.get_ylim()), default=0.0)
    for axes in figure.axes[1:]:
        axes.set_ylim(-reach, reach)
    return figure


def _draw_panel(axes: "Axes", rows: pd.DataFrame, name: str, labels: Labels) -> None:
    style, colour = read_style(), read_facts("appearance")["palette"]["colours"][0]
    rows = rows.sort_values("x")
    if name == "ranked":
        ends = [min(rows["x"].min(), rows["estimate"].min()), max(rows["x"].max(), rows["estimate"].max())]
        axes.plot(ends, ends, color=style["soft"], linewidth=1, zorder=1)
    else:
        axes.axhline(0, color=style["soft"], linewidth=1, zorder=1)
        width = style["line_width"]
        axes.vlines(rows["x"], rows["conf_low"], rows["conf_high"], color=colour, linewidth=width)
    marks = {"linestyle": "none", "marker": "o", "markersize": style["marker_size"] - 1}
    axes.plot(rows["x"], rows["estimate"], color=colour, label=name, zorder=3, **marks)
    axes.grid(axis="both")
    axes.set_xlabel(labels.words.say(f"model_checks.along_{name}", measure=labels.measure))


def _describe(points: pd.DataFrame, labels: Labels) -> str:
    """Say for each panel the largest distance from what the model expects."""
    words = labels.words
    said = []
    for name in _PANELS:
        rows = points[points["level"] == name]
        if rows.empty:
            continue
        away = (rows["estimate"] - (rows["x"] if name == "ranked" else 0)).abs().max()
        along = words.say(f"model_checks.along_{name}", measure=labels.measure).replace("\n", " ")
        said.append(words.say("model_checks.residual_alt_panel", along=along, away=f"{away:.2f}"))
    return words.say("model_checks.residual_alt", panels=" ".join(said))
