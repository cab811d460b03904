"""The rules that decided about a cohort, each as a sentence that a page can print."""

from collections.abc import Mapping

from outcomes.cohort.question import Question, split_score
from outcomes.facts import (
    Listing,
    Name,
    Text,
    Therapy,
    Timepoint,
    Value,
    read_facts,
    read_instrument,
    read_schema,
)
from outcomes.records.absence import explain_column, explain_measures
from outcomes.records.tables import Records
from outcomes.result import Said


def state_rules(records: Records, question: Question, therapies: Mapping[str, Therapy]) -> dict[str, Said]:
    """Return the rules by name, for the therapies that are left; none of them holds a number of patients."""
    rules: dict[str, Said] = {
        "time_zero": _say("time_zero"),
        "baseline": _state_baseline(records, question),
        "windows": _state_windows(records, question),
        "therapy": _state_therapies(question, therapies),
        "episodes": _say(f"episodes_{question.episodes}"),
        "intercurrent_events": _state_strategies(question),
        "missing": _state_missing(records, question),
    }
    others = [split_score(name)[0] for name in question.covariates if "@" in name]
    said = records.list_said(question.instrument.id, *others)
    return rules | ({"reading": say_reading(said)} if said else {})


def say_reading(said: tuple[Text | str, ...]) -> Said:
    """Return what pages say of how records were read: sentences that hold no count."""
    return tuple(Text.of("cohort.rules.reading", said=text) for text in said)


def name_time(id: str, timepoint: Timepoint) -> Name:
    """Return what a time point is called."""
    return Name("timepoints", id, timepoint.label)


def name_covariate(name: str) -> Name | Text:
    """Return how a covariate is called in a sentence; a score at the start by its instrument."""
    if "@" in name:
        return Text.of(
            "methods.score_at_start", instrument=read_instrument(split_score(name)[0]).called_short
        )
    column = read_schema()["episodes"].get(name)
    return Name("covariates", name, (column.label if column else "") or name)


def _say(key: str, **values: Value) -> Text:
    return Text(f"cohort.rules.{key}", values)


def _state_therapies(question: Question, therapies: Mapping[str, Therapy]) -> Said:
    merged = [Name("therapies", id, it.label) for id, it in therapies.items() if id not in question.therapies]
    if not merged:
        return _say("therapy")
    return _say("therapy"), _say("merged", therapies=Listing(tuple(merged), "semicolon"))


def _state_baseline(records: Records, question: Question) -> Said:
    if not question.has_baseline:
        return _say("no_baseline", instrument=question.instrument.called)
    start = question.labels["baseline"]
    key = "baseline_sessions" if len(records.sessions) else "baseline_no_sessions"
    if records.assessments["day"].isna().all():
        key = "baseline_label"
    sentence = _say(key, first=start.first_day, last=start.last_day)
    return sentence if question.needs_baseline else (sentence, _say("baseline_not_needed"))


def _state_windows(records: Records, question: Question) -> Said:
    followed = {id: timepoint for id, timepoint in question.timepoints.items() if id != "baseline"}
    dayless = records.assessments["day"].isna()
    if dayless.all():
        names = tuple(name_time(id, timepoint) for id, timepoint in followed.items())
        return _say("labels", names=Listing(names, "comma"))
    windows = tuple(_state_window(id, timepoint) for id, timepoint in followed.items())
    sentence = _say("windows", windows=Listing(windows, "semicolon"))
    return (sentence, _say("labels_without_day")) if dayless.any() else sentence


def _state_window(id: str, timepoint: Timepoint) -> Text:
    end, label = read_facts("cohort")["end_of_therapy"], name_time(id, timepoint)
    if id == end["timepoint"]:
        return _say("end_of_therapy", label=label, days=end["days_after_discharge"])
    if timepoint.first_day is None:
        return _say("label", label=label)
    return _say("window", label=label, first=timepoint.first_day, last=timepoint.last_day)


def _state_strategies(question: Question) -> Said:
    said = []
    for strategy in read_facts("cohort")["strategies"]:
        events = [event for event, chosen in question.strategies.items() if chosen == strategy]
        if events:
            names = tuple(Text(f"cohort.events.{event}") for event in events)
            said.append(_say(strategy, events=Listing(names, "comma")))
    return tuple(said)


def _state_missing(records: Records, question: Question) -> Said:
    columns = read_schema()["episodes"]
    lacking = [
        name for name in question.covariates if name in columns and records.episodes[name].isna().any()
    ]
    said = []
    names_by_key: dict[str, list[str]] = {"not_recorded": [], "not_read": [], "missing": lacking}
    for name in question.unrecorded:
        kind = (
            explain_measures(records, split_score(name)[:1]) if "@" in name else explain_column(records, name)
        )
        names_by_key[kind].append(name)
    for key, names in names_by_key.items():
        if names:
            listed = Listing(tuple(map(name_covariate, names)), "comma")
            said.append(_say(f"covariates_{key}", names=listed))
    if said:
        return tuple(said)
    return _say("covariates_complete" if question.covariates else "no_covariates")
