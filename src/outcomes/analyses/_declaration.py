"""What every result says of itself: its sentences, its estimand and where it comes from."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from outcomes.analyses._grid import BASELINE, Rows
from outcomes.analyses._populations import describe_all_others
from outcomes.cohort import Cohort, list_patients
from outcomes.cohort.rules import name_covariate, name_time
from outcomes.errors import AnalysisError
from outcomes.facts import Listing, Name, Text, Value, read_statistics
from outcomes.result import Detail, Origin, Result, Said, build_result

#: What a caveat of a source is about, and the analyses whose numbers it is printed with.
_AFFECTED = {
    "start": ("baseline", "change", "domains"),
    "follow_up": ("change", "domains", "completeness", "responders", "nonresponse"),
}


def say(key: str, **values: Value) -> Text:
    """Return a sentence of the catalogue's section ``methods``, its places filled."""
    return Text(f"methods.{key}", values)


def percent(proportion: float) -> str:
    """Return a proportion as a percentage in words, such as ``95 %``."""
    return f"{100 * proportion:g} %"


def label_group(cohort: Cohort, group: str) -> Name | str:
    """Return how a group is called in a sentence."""
    therapy = cohort.therapies.get(group)
    return Name("therapies", group, therapy.short_label) if therapy else group


def label_covariate(name: str) -> Name | Text:
    """Return how a covariate is called in a sentence; ``score`` is the baseline score."""
    return say("baseline_score") if name == "score" else name_covariate(name)


def label_timepoint(cohort: Cohort, timepoint: str) -> Name:
    """Return how a time point is called in a sentence."""
    return name_time(timepoint, cohort.timepoints[timepoint])


def label_timepoints(cohort: Cohort, timepoints: Iterable[str]) -> Listing:
    """Return how several time points are called in a sentence."""
    return Listing(tuple(label_timepoint(cohort, id) for id in timepoints))


def conclude(
    name: str,
    cohort: Cohort,
    rows: Rows,
    *,
    method: Said,
    warnings: Iterable[Said] = (),
    origin: Origin | None = None,
    **rest: Any,
) -> Result:
    """Return the result of an analysis of a cohort; `rest` are other arguments of `build_result`.

    Analyses work out all time points of a cohort; the rows of those that are not shown are left out here.
    """
    rows = _leave_out_times(rows, cohort)
    rest |= {"support": rows.support, "patients": list_patients(cohort.records)}
    told = cohort.source.caveats_about
    cautions = tuple(text for text in cohort.source.caveats if name in _AFFECTED.get(told.get(text, ""), ()))
    origin = replace(origin or trace_origin(cohort), cautions=cautions)
    return build_result(name, rows.table, method=method, warnings=warnings, origin=origin, **rest)


def _leave_out_times(rows: Rows, cohort: Cohort) -> Rows:
    """Return the rows of the time points that are shown; a model row keeps all patients of its fit."""
    hidden = cohort.hidden
    if not any(row.get("timepoint") in hidden for row in rows.table):
        return rows
    kept, everybody = Rows(), {"fitted": _join_patients(rows)}
    for row, sets in zip(rows.table, rows.support, strict=True):
        modelled = read_statistics()[row["statistic"]].rests_on == "analysis"
        if row.get("timepoint") not in hidden:
            kept.add({**sets, **everybody} if modelled and sets else sets, **row)
    return kept


def _join_patients(rows: Rows) -> np.ndarray:
    return np.unique(np.concatenate([codes for sets in rows.support for codes in sets.values()]))


def conclude_nothing(name: str, cohort: Cohort, reason: Text) -> Result:
    """Return the result without rows of an analysis that this cohort does not allow, and why."""
    return conclude(name, cohort, Rows(), method=reason, warnings=[reason])


def trace_origin(cohort: Cohort) -> Origin:
    """Return what a result of this cohort was made from."""
    source, instrument = cohort.source, cohort.instrument
    return Origin(
        source=source.name,
        fingerprint=cohort.fingerprint,
        instrument=instrument.id,
        instrument_version=instrument.version,
        variant=cohort.variant,
        design=source.design,
        made_up=source.made_up,
        primary=cohort.primary,
        reference=cohort.reference,
        covariates=cohort.covariates,
        timepoints=cohort.timepoints,
        therapies=cohort.therapies,
        caveats=(*source.caveats, *say_of_measure(cohort)),
        rules=cohort.rules,
        answered=cohort.records.list_answered(instrument.id),
        detail=Detail(tuple(cohort.asked.get("merge") or ()), cohort.detail),
        foreign=describe_all_others(cohort),
        disclosure_profile=source.disclosure_profile,
        n_patients=int(cohort.episodes["patient"].nunique()),
    )


def say_of_measure(cohort: Cohort) -> list[Text]:
    """Return what to say of the measure: facts nobody checked, where it stops, which value set made it."""
    instrument = cohort.instrument
    name, value_set = instrument.called_short, instrument.find_value_set(cohort.variant)
    said = [] if instrument.verified else [say("unverified_instrument", instrument=instrument.called)]
    if instrument.censored_at is not None:
        limit = f"{instrument.censored_at:g}"
        said.append(say("censored", instrument=name, limit=limit, unit=instrument.called_unit))
    if value_set is not None:
        label = Name(f"variants.{instrument.id}", value_set.id, value_set.label)
        said.append(say("value_set", instrument=name, label=label, source=value_set.source))
    return said


def state_estimand(cohort: Cohort, summary: str, timepoints: Iterable[str]) -> Text:
    """State the estimand in the words of ICH E9(R1), 2019.

    `summary` is the key of the sentence that names variable and summary measure.
    """
    times = label_timepoints(cohort, timepoints)
    return say(
        "estimand",
        population=cohort.rules.get("episodes", ""),
        therapies=Listing(tuple(label_group(cohort, id) for id in cohort.therapies)),
        assignment=cohort.rules.get("therapy", ""),
        events=cohort.rules.get("intercurrent_events", ""),
        summary=say(summary, instrument=cohort.instrument.called_short, times=times),
    )


def choose_timepoint(cohort: Cohort, timepoint: str | None) -> str:
    """Return the named follow-up, or the primary one; refuse one that the cohort does not have."""
    chosen = cohort.primary if timepoint is None else timepoint
    follow_ups = list_follow_ups(cohort)
    if chosen not in follow_ups:
        raise AnalysisError(
            f"There is no follow-up {chosen!r} in this cohort; choose one of: {', '.join(follow_ups)}."
        )
    return chosen


def list_follow_ups(cohort: Cohort, comparable: bool = False) -> list[str]:
    """Return the ids of all time points after the start, or of those that may be compared."""
    later = {id: entry for id, entry in cohort.timepoints.items() if id != BASELINE}
    return [id for id, entry in later.items() if entry.comparable or not comparable]


def say_set_aside(cohort: Cohort) -> list[Text]:
    """Name the time points that are never compared, since reaching them depends on the outcome."""
    set_aside = [id for id, entry in cohort.timepoints.items() if not entry.comparable]
    return [say("comparison.not_compared", times=label_timepoints(cohort, set_aside))] if set_aside else []


def has_baseline(cohort: Cohort) -> bool:
    """Return whether anyone has a score at the start."""
    return bool(cohort.table["baseline"].notna().any())


def explain_no_improvement(cohort: Cohort) -> Text | None:
    """Say why nobody can improve on this measure; None where improvement is defined.

    An analysis of improvement then has no rows and this sentence, so that a page is still made and says why.
    """
    if cohort.instrument.direction == "none":
        return say("change.no_direction")
    return None if has_baseline(cohort) else say("change.no_baseline")


def require_baseline(cohort: Cohort) -> None:
    """Refuse an instrument on which nothing improves: no direction, or no score at the start."""
    if cohort.instrument.direction == "none":
        raise AnalysisError(
            f"{cohort.instrument.name} has no direction, so improvement is not defined for it; "
            "describe its scores with the analysis 'change'."
        )
    if not has_baseline(cohort):
        raise AnalysisError(
            f"{cohort.instrument.name} has no score at the start, so improvement is not defined for it; "
            "count a state with the analysis 'responders', or compare scores with 'ancova'."
        )
