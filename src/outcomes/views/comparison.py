"""The comparison as tables and in words: the checks before it, the differences, the standardised shares."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.disclosure import Release, read_rules, write_value
from outcomes.result import WITHOUT_ESTIMATE
from outcomes.views.comparing import allows_for_several, list_adjusted, list_compared, pick_contrasts
from outcomes.views.labels import Labels, capitalise, name_rule, read_labels
from outcomes.views.released_rows import explain_state, list_rows, sort_groups, write_size, write_texts
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, build_view, made_from, write_html


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
    # a released number never crosses the limit when it is rounded
    passes = row.shown and bool(row.estimate >= row.x if at_least else row.estimate <= row.x)
    texts = {
        "needed": words.say(f"views.table.{'at_least' if at_least else 'at_most'}", value=needed),
        "verdict": words.say(f"views.table.{'passes' if passes else 'fails'}"),
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
            pair = words.say("views.pair", group=labels.title(row.group), versus=labels.short(row.versus))
            lines.append(TableLine(pair, {"row": row}, block))
    columns = {
        "patients_pair": TableColumn(words.say("views.table.patients_pair"), "row", _write_sizes),
        "difference": show_interval(words.say("views.table.difference"), "row"),
    }
    if contrasts.audience == "team":
        how = contrasts.origin.adjustment.p_adjustment if contrasts.origin.adjustment else "holm"
        columns["p_value"] = TableColumn(words.say(f"views.table.p_{how}"), "row", _write_p)
    adjusted = words.join(list_adjusted(contrasts, labels))
    caption = words.say("views.caption.contrasts", measure=labels.measure, covariates=adjusted)
    if allows_for_several(contrasts):
        caption = f"{caption} {words.say('views.intervals_together')}"
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
    adjusted = words.join(list_adjusted(contrasts, labels))
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
    """Tabulate the share of patients who improved with each therapy, standardised to all patients."""
    labels, words = read_labels(standardised), standardised.words
    held = standardised.where(statistic="share_improved_standardised").table
    if held.empty:
        return build_empty_view("standardised", "table", standardised)
    held = sort_groups(held, labels)
    lines = [
        TableLine(labels.title(row.group), {"row": row}, name_rule(str(row.level), labels))
        for row in list_rows(held)
    ]
    columns = {
        "n": show_size(words.say("views.table.patients"), "row"),
        "share": show_interval(words.say("views.table.standardised"), "row"),
    }
    caption = words.say("views.caption.standardised", time=labels.time(str(held["timepoint"].iloc[0])))
    stub = words.say("views.table.therapy")
    return build_table_view("standardised", standardised, lines, columns, caption, stub, held)


@made_from("over_time", "ancova")
def say_comparison(contrasts: Release) -> View:
    """Say how therapies are compared, and what could not be estimated.

    Sentences. The team reads the method and every warning; a stakeholder reads in plain words what the
    differences allow for and why one is missing, the method stands under Methods.
    """
    labels, words = read_labels(contrasts), contrasts.words
    held = contrasts.where(statistic="contrast").table
    if held.empty:
        return build_empty_view("comparison", "sentence", contrasts)
    if contrasts.audience == "team":
        said = write_texts([contrasts.method, *contrasts.warnings], words)
    else:
        said = [_say_model(contrasts, labels), *_say_states(contrasts, held, labels)]
    said += _say_left_out(contrasts, labels)
    body = "".join(f"<p>{write_html(text)}</p>" for text in said if text)
    return build_view(
        "comparison", "sentence", contrasts, f'<div id="{{id}}">{body}</div>', alt=" ".join(said)
    )


def _say_model(contrasts: Release, labels: Labels) -> str:
    times = labels.order_times(contrasts.where(statistic="contrast").table["timepoint"])
    together = contrasts.name == "over_time" and len(times) > 1
    return labels.words.say(
        f"sentences.compared_{'together' if together else 'each'}",
        times=labels.words.join(map(labels.time, times)),
        covariates=labels.words.join(list_adjusted(contrasts, labels)),
    )


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
