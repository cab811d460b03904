"""Tables of the checks of the repeated-measures model, for the team."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.disclosure import Release, read_rules, write_number, write_value
from outcomes.facts import read_facts, read_words
from outcomes.views.comparing import pick_reference, turn_round
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import explain_absence, list_rows, write_interval, write_size
from outcomes.views.table import build_table_view, render_list
from outcomes.views.text import capitalise, join_words
from outcomes.views.view import View, build_empty_view, build_view

_CRITERIA = ("n_parameters", "deviance", "aic", "bic")
_SHAPES = ("standardised_sd", "standardised_skewness", "standardised_beyond")


def refuse_outside(name: str, checks: Release) -> View:
    """Return the sentence that stands where checks of a model would be shown outside the team."""
    return build_empty_view(name, "table", (checks,), read_words().say("model_checks.team_only"))


def say_model(checks: Release) -> View:
    """Say which model was fitted, how its errors and degrees of freedom were found, and its state.

    Parameters
    ----------
    checks : Release
        Of the analysis ``model_checks``, for the team.
    """
    if checks.audience != "team":
        return refuse_outside("model", checks)
    held = checks.where(statistic="model")
    if held.table.empty:
        return build_empty_view("model", "sentence", (checks,), explain_absence(checks))
    words = read_words()
    entries = []
    for row in list_rows(held.table):
        counted = pd.isna(row.level)
        value = write_number(row.estimate) if counted else _name_choice(str(row.term), str(row.level))
        entries.append((words.say(f"model_checks.model_term.{row.term}"), value))
    entries += [(words.say("model_checks.model_term.notes"), words.write(text)) for text in checks.warnings]
    alt = " ".join(f"{term}: {text}." for term, text in entries)
    return build_view("model", "sentence", (checks,), render_list(entries), alt=alt)


def _name_choice(term: str, level: str) -> str:
    words = read_words()
    names = [words.say(f"model_checks.model_{term}.{name}") for name in level.split("+")]
    return capitalise(join_words(names))


def tabulate_criteria(checks: Release) -> View:
    """Tabulate parameters, deviance, AIC and BIC of each covariance, and the state of those not reached."""
    held = checks.where(statistic=list(_CRITERIA))
    if checks.audience != "team" or held.table.empty:
        return _explain("criteria", checks)
    words = read_words()
    rows = []
    for level, part in held.table.groupby("level", sort=False):
        cells = {row.statistic: row for row in list_rows(part)}
        texts = {
            name: write_number(row.estimate, 0 if name == "n_parameters" else 1) if row.shown else row.display
            for name, row in cells.items()
        }
        rows.append({"row": _name_choice("covariance", str(level)), **texts})
    headings = {name: words.say(f"model_checks.{name}") for name in _CRITERIA}
    return build_table_view(
        "criteria", (checks,), pd.DataFrame(rows), headings=headings, released=held.table,
        stub=words.say("model_checks.covariance"), caption=words.say("model_checks.criteria_caption"),
    )  # fmt: skip


def tabulate_patterns(checks: Release) -> View:
    """Tabulate how many patients were seen at which follow-ups, those seen at none included."""
    held = checks.where(statistic="visit_pattern")
    if checks.audience != "team" or held.table.empty:
        return _explain("patterns", checks)
    words, labels = read_words(), read_labels(checks)
    total = held.table["estimate"].sum()
    ordered = held.table.sort_values("estimate", ascending=False, kind="stable")
    rows = [
        {"row": capitalise(_name_pattern(str(row.level), labels)), "n": write_number(row.estimate),
         "share": f"{write_number(100 * row.estimate / total, 1)} %"}
        for row in list_rows(ordered)
    ]  # fmt: skip
    return build_table_view(
        "patterns", (checks,), pd.DataFrame(rows), released=ordered,
        headings={"n": words.say("views.table.patients"), "share": words.say("model_checks.share")},
        stub=words.say("model_checks.seen_at"), caption=words.say("model_checks.patterns_caption"),
    )  # fmt: skip


def _name_pattern(level: str, labels: Labels) -> str:
    if level == "none":
        return read_words().say("model_checks.no_follow_up")
    return join_words([labels.time(id) for id in level.split("+")])


def tabulate_shapes(checks: Release) -> View:
    """Tabulate per time point the spread, skewness and share of large standardised residuals."""
    held = checks.where(statistic=list(_SHAPES))
    if checks.audience != "team" or held.table.empty:
        return _explain("shapes", checks)
    words, labels = read_words(), read_labels(checks)
    rows = []
    for time in labels.order_times(held.table["timepoint"]):
        cells = {row.statistic: row for row in list_rows(held.where(timepoint=time).table)}
        texts = {name: write_number(row.estimate, 2) for name, row in cells.items()}
        texts["standardised_beyond"] = f"{write_number(100 * cells['standardised_beyond'].estimate, 1)} %"
        rows.append(
            {"row": capitalise(labels.time(time)), "n": write_size(cells[_SHAPES[0]], checks), **texts}
        )
    headings = {"n": words.say("views.table.patients")}
    headings |= {name: words.say(f"model_checks.{name}") for name in _SHAPES}
    return build_table_view(
        "shapes", (checks,), pd.DataFrame(rows), headings=headings, released=held.table,
        stub=words.say("views.table.time"), caption=words.say("model_checks.shapes_caption"),
    )  # fmt: skip


def tabulate_visit_covariance(checks: Release) -> View:
    """Tabulate spreads and correlations between time points: of the model and as observed."""
    names = ["residual_sd", "observed_residual_sd", "residual_correlation", "observed_residual_correlation"]
    held = checks.where(statistic=names)
    if checks.audience != "team" or held.table.empty:
        return _explain("visit-covariance", checks)
    words, labels = read_words(), read_labels(checks)
    spreads, correlations = [], []
    for row in list_rows(held.where(statistic="residual_sd").table):
        observed = held.where(statistic="observed_residual_sd", timepoint=row.timepoint).table
        own = {entry.group: entry for entry in list_rows(observed)}
        spreads.append(
            {"row": capitalise(labels.time(row.timepoint)), "n": write_size(row, checks),
             "model": row.display, "observed": own["all"].display, "groups": _say_range(observed, labels)}
        )  # fmt: skip
    for row in list_rows(held.where(statistic="residual_correlation").table):
        pair = held.where(
            statistic="observed_residual_correlation", timepoint=row.timepoint, level=row.level
        ).table
        name = words.say("model_checks.pair", first=labels.time(row.level), second=labels.time(row.timepoint))
        correlations.append(
            {"row": capitalise(name), "n": write_size(row, checks), "model": row.display,
             "observed": pair["display"].iloc[0], "groups": ""}
        )  # fmt: skip
    blocks = [words.say("model_checks.spreads", unit=labels.instrument.unit)] * len(spreads)
    blocks += [words.say("model_checks.correlations")] * len(correlations)
    headings = {"n": words.say("views.table.patients")}
    headings |= {name: words.say(f"model_checks.{name}") for name in ("model", "observed", "groups")}
    return build_table_view(
        "visit-covariance", (checks,), pd.DataFrame([*spreads, *correlations]), headings=headings,
        groups=blocks, stub=words.say("views.table.time"), released=held.table,
        caption=words.say("model_checks.visit_covariance_caption"),
    )  # fmt: skip


def _say_range(observed: pd.DataFrame, labels: Labels) -> str:
    """Say the smallest and the largest spread of a therapy."""
    rows = sorted(
        (row for row in list_rows(observed) if row.group != "all" and row.shown), key=lambda row: row.estimate
    )
    if len(rows) < 2:
        return ""
    return read_words().say(
        "model_checks.range", low=rows[0].display, high=rows[-1].display, lowest=labels.short(rows[0].group),
        highest=labels.short(rows[-1].group),
    )  # fmt: skip


def tabulate_joint_tests(checks: Release) -> View:
    """Tabulate whether therapies differ at all at each time point, and whether that changes over time."""
    held = checks.where(statistic="f_test")
    if checks.audience != "team" or held.table.empty:
        return _explain("joint-tests", checks)
    words, labels, rules = read_words(), read_labels(checks), read_rules(checks.k)
    rows = []
    for row in list_rows(held.table):
        changing = row.level == "interaction"
        name = words.say("model_checks.interaction") if changing else capitalise(labels.time(row.timepoint))
        known = {"f": write_number(row.estimate, 2), "df": f"{row.x:g}, {write_number(row.df, 1)}",
                 "p": write_value(row, "p_value", checks.audience, rules)}  # fmt: skip
        rows.append({"row": name, **(known if row.shown else {"f": row.display})})
    headings = {name: words.say(f"model_checks.test_{name}") for name in ("f", "df", "p")}
    return build_table_view(
        "joint-tests", (checks,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        stub=words.say("views.table.time"), released=held.table,
        caption=words.say("model_checks.tests_caption"),
    )  # fmt: skip


def tabulate_sensitivity(checks: Release) -> View:
    """Tabulate the differences from the reference at the primary time point under each choice."""
    held = checks.where(statistic="alternative_contrast")
    if checks.audience != "team" or held.table.empty:
        return _explain("sensitivity", checks)
    words, labels = read_words(), read_labels(checks)
    reference = pick_reference(held.table, labels)
    turned = [turn_round(row) if row["group"] == reference else row for _, row in held.table.iterrows()]
    table = pd.DataFrame(turned, columns=held.table.columns).astype(held.table.dtypes.to_dict())
    table = table[table["versus"] == reference].reset_index(drop=True)
    rows, blocks = [], []
    for group in labels.order(table["group"]):
        for row in list_rows(table[table["group"] == group]):
            blocks.append(
                words.say("views.pair", group=labels.title(group), versus=labels.short(str(reference)))
            )
            rows.append(
                {"row": words.say(f"model_checks.choice.{row.level}"),
                 "difference": write_interval(row, checks), "error": _write(row.std_error, 2),
                 "df": _write(row.df, 1)}
            )  # fmt: skip
    headings = {"difference": words.say("views.table.difference")}
    headings |= {name: words.say(f"model_checks.{name}") for name in ("error", "df")}
    return build_table_view(
        "sensitivity", (checks,), pd.DataFrame(rows), headings=headings, groups=blocks, released=table,
        stub=words.say("model_checks.choice_head"),
        caption=words.say("model_checks.sensitivity_caption", time=_name_time(table, labels)),
    )  # fmt: skip


def _name_time(table: pd.DataFrame, labels: Labels) -> str:
    return labels.time(str(table["timepoint"].iloc[0]))


def _write(value: float, decimals: int) -> str:
    return "" if np.isnan(value) else write_number(value, decimals)


def _explain(name: str, checks: Release) -> View:
    if checks.audience != "team":
        return refuse_outside(name, checks)
    return build_empty_view(name, "table", (checks,), explain_no_checks(checks))


def explain_no_checks(checks: Release) -> str:
    """Say why there is nothing to check: nothing was fitted, or patients are too few for means of several."""
    contrasts = checks.where(statistic="alternative_contrast")
    if contrasts.table["shown"].any():
        needed = read_facts("model_checks")["bins"]["patients_at_least"]
        return read_words().say("model_checks.too_few", needed=needed)
    return explain_absence(contrasts)
