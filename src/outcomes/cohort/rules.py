"""The rules that decided about a cohort, each as a sentence that a page can print."""

from __future__ import annotations

from collections.abc import Mapping

from outcomes.cohort.covariates import split_score
from outcomes.cohort.question import Question
from outcomes.facts import Therapy, Timepoint, read_facts, read_instrument, read_schema, read_words
from outcomes.records.tables import Records


def state_rules(records: Records, question: Question, therapies: Mapping[str, Therapy]) -> dict[str, str]:
    """Return the rules by name, for the therapies that are left; none of them holds a number of patients."""
    say = read_words().say
    rules = {
        "time_zero": say("cohort.rules.time_zero"),
        "baseline": _state_baseline(records, question),
        "windows": _state_windows(records, question),
        "therapy": _state_therapies(question, therapies),
        "episodes": say(f"cohort.rules.episodes_{question.episodes}"),
        "intercurrent_events": _state_strategies(question),
        "missing": _state_missing(records, question),
    }
    others = [split_score(name)[0] for name in question.covariates if "@" in name]
    said = " ".join(map(str, records.list_said(question.instrument.id, *others)))
    return rules | ({"reading": said} if said else {})


def _state_therapies(question: Question, therapies: Mapping[str, Therapy]) -> str:
    say = read_words().say
    merged = [therapy.label for id, therapy in therapies.items() if id not in question.therapies]
    sentences = [say("cohort.rules.therapy")]
    if merged:
        sentences.append(say("cohort.rules.merged", therapies="; ".join(merged)))
    return " ".join(sentences)


def _state_baseline(records: Records, question: Question) -> str:
    say = read_words().say
    if not question.has_baseline:
        return say("cohort.rules.no_baseline", instrument=question.instrument.name)
    start = question.labels["baseline"]
    key = "baseline_sessions" if len(records.sessions) else "baseline_no_sessions"
    if records.assessments["day"].isna().all():
        key = "baseline_label"
    sentence = say(f"cohort.rules.{key}", first=start.first_day, last=start.last_day)
    return sentence if question.needs_baseline else f"{sentence} {say('cohort.rules.baseline_not_needed')}"


def _state_windows(records: Records, question: Question) -> str:
    say = read_words().say
    if records.assessments["day"].isna().all():
        names = [timepoint.label for id, timepoint in question.timepoints.items() if id != "baseline"]
        return say("cohort.rules.labels", names=", ".join(names))
    windows = [
        _state_window(id, timepoint) for id, timepoint in question.timepoints.items() if id != "baseline"
    ]
    sentence = say("cohort.rules.windows", windows="; ".join(windows))
    dayless = records.assessments["day"].isna().any()
    return f"{sentence} {say('cohort.rules.labels_without_day')}" if dayless else sentence


def _state_window(id: str, timepoint: Timepoint) -> str:
    say, end = read_words().say, read_facts("cohort")["end_of_therapy"]
    if id == end["timepoint"]:
        return say("cohort.rules.end_of_therapy", label=timepoint.label, days=end["days_after_discharge"])
    if timepoint.first_day is None:
        return say("cohort.rules.label", label=timepoint.label)
    return say(
        "cohort.rules.window", label=timepoint.label, first=timepoint.first_day, last=timepoint.last_day
    )


def _state_strategies(question: Question) -> str:
    say = read_words().say
    sentences = []
    for strategy in read_facts("cohort")["strategies"]:
        events = [event for event, chosen in question.strategies.items() if chosen == strategy]
        if events:
            names = [say(f"cohort.events.{event}") for event in events]
            sentences.append(say(f"cohort.rules.{strategy}", events=", ".join(names)))
    return " ".join(sentences)


def _state_missing(records: Records, question: Question) -> str:
    say = read_words().say
    columns = read_schema()["episodes"]
    lacking = [
        columns[name].label
        for name in question.covariates
        if name in columns and records.episodes[name].isna().any()
    ]
    said = []
    if question.unrecorded:
        names = ", ".join(map(_name_covariate, question.unrecorded))
        said.append(say("cohort.rules.covariates_unrecorded", names=names))
    if lacking:
        said.append(say("cohort.rules.covariates_missing", names=", ".join(lacking)))
    if said:
        return " ".join(said)
    return say(f"cohort.rules.{'covariates_complete' if question.covariates else 'no_covariates'}")


def _name_covariate(name: str) -> str:
    """Return how a covariate that was declared is called in a sentence."""
    column = read_schema()["episodes"].get(name)
    if column is not None:
        return column.label or name
    return read_words().say(
        "methods.score_at_start", instrument=read_instrument(split_score(name)[0]).short_name
    )
