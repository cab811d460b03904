"""The comparison in words: how it was made, and which differences could not be estimated, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Therapy, Timepoint, read_words
from outcomes.result import WITHOUT_ESTIMATE
from outcomes.views.comparing import list_adjusted
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import explain_absence, explain_state, list_rows
from outcomes.views.text import capitalise, join_words, write_html
from outcomes.views.view import View, build_empty_view, build_view


def say_comparison(
    contrasts: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Say how therapies are compared, and what could not be estimated.

    Parameters
    ----------
    contrasts : Release
        Of the analysis ``over_time`` or ``ancova``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.

    Returns
    -------
    View
        Sentences. The team reads the method and every warning; a stakeholder reads in plain words what the
        differences allow for and why one is missing, the method stands under Methods.
    """
    labels = read_labels(contrasts, therapies=therapies, timepoints=timepoints)
    held = contrasts.where(statistic="contrast").table
    if held.empty:
        return build_empty_view("comparison", "sentence", (contrasts,), explain_absence(contrasts))
    if contrasts.audience == "team":
        said = list(map(read_words().write, (contrasts.method, *contrasts.warnings)))
    else:
        said = [_say_model(contrasts, labels), *_say_states(contrasts, held, labels)]
    said += _say_left_out(contrasts, labels)
    body = "".join(f"<p>{write_html(text)}</p>" for text in said if text)
    return build_view(
        "comparison", "sentence", (contrasts,), f'<div id="{{id}}">{body}</div>', alt=" ".join(said)
    )


def _say_model(contrasts: Release, labels: Labels) -> str:
    times = labels.order_times(contrasts.where(statistic="contrast").table["timepoint"])
    together = contrasts.name == "over_time" and len(times) > 1
    return read_words().say(
        f"sentences.compared_{'together' if together else 'each'}",
        times=join_words([labels.time(time) for time in times]),
        covariates=join_words(list_adjusted(contrasts, labels)),
    )


def _say_left_out(contrasts: Release, labels: Labels) -> list[str]:
    """Say how many patients had no follow-up, and how many of those compared lack a covariate."""
    words = read_words()
    said = [
        words.say("sentences.no_follow_up", n=row.display)
        for row in list_rows(contrasts.where(statistic="n_excluded_patients", shown=True).table)
        if row.estimate > 0
    ]
    missing = contrasts.where(statistic="n_missing", shown=True).table
    counts = [
        words.say("sentences.lack_of", covariate=labels.covariate(str(row.term))[0], n=row.display)
        for row in list_rows(missing)
    ]
    return [*said, words.say("sentences.lack", counts=join_words(counts))] if counts else said


def _say_states(contrasts: Release, held: pd.DataFrame, labels: Labels) -> list[str]:
    """Say for each reason at which time points differences are missing for it; withheld ones are too few."""
    words = read_words()
    missing = held[~held["shown"]]
    reasons = missing["state"].where(missing["state"].isin(list(WITHOUT_ESTIMATE)), "too_few")
    made = contrasts.origin.adjustment
    said = [words.say("sentences.simplified")] if made and made.simplified else []
    if (held.loc[held["shown"], "state"] == "boundary").any():
        said.append(words.say("sentences.boundary"))
    for reason in sorted(set(reasons)):
        times = labels.order_times(missing.loc[reasons == reason, "timepoint"])
        some = "some" if any(held.loc[held["timepoint"].isin(times), "shown"]) else "all"
        text = words.say(
            f"sentences.left_out_{some}", times=join_words([labels.time(time) for time in times]),
            why=explain_state(reason),
        )  # fmt: skip
        said.append(capitalise(text))
    return said
