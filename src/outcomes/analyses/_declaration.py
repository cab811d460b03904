"""What every result says of itself: its sentences, its estimand and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from outcomes.analyses._grid import BASELINE
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import read_instrument, read_schema, read_words
from outcomes.records.tables import Records


def say(key: str, **values: object) -> str:
    """Return a sentence of the catalogue's section ``methods``, its places filled."""
    return read_words().say(f"methods.{key}", **values)


def join_names(names: Iterable[str]) -> str:
    """Join names for a sentence.

    Examples
    --------
    >>> join_names(["age", "sex", "region"])
    'age, sex and region'
    """
    names = list(names)
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {say('and')} {names[-1]}"


def percent(proportion: float) -> str:
    """Return a proportion as a percentage in words, such as ``95 %``."""
    return f"{100 * proportion:g} %"


def label_group(cohort: Cohort, group: str) -> str:
    """Return how a group is called in a sentence."""
    return cohort.therapies[group].short_label if group in cohort.therapies else group


def label_covariate(name: str) -> str:
    """Return how a covariate is called in a sentence; ``score`` is the baseline score."""
    column = read_schema()["episodes"].get(name)
    if name == "score":
        return say("baseline_score")
    if name.endswith("@baseline"):
        instrument = read_instrument(name.removesuffix("@baseline").split(":")[0])
        return say("score_at_start", instrument=instrument.short_name)
    return (column.label if column else "") or name


def label_timepoint(cohort: Cohort, timepoint: str) -> str:
    """Return how a time point is called in a sentence."""
    return cohort.timepoints[timepoint].label


def trace_provenance(cohort: Cohort) -> dict[str, Any]:
    """Return what a result of this cohort was made from."""
    return {
        "source": cohort.source.name,
        "fingerprint": cohort.fingerprint,
        "instrument": cohort.instrument.id,
        "instrument_version": cohort.instrument.version,
        "variant": cohort.variant,
        "design": cohort.source.design,
        "made_up": cohort.source.made_up,
        "primary": cohort.primary,
        "reference": cohort.reference,
        "covariates": list(cohort.covariates),
        "timepoints": {id: asdict(entry) for id, entry in cohort.timepoints.items()},
        "therapies": {id: asdict(entry) for id, entry in cohort.therapies.items()},
        "caveats": [*cohort.source.caveats, *say_of_measure(cohort)],
        "rules": dict(cohort.rules),
        "answered": [str(told) for told in cohort.records.list_answered(cohort.instrument.id)],
        "detail": {"merge": list(cohort.asked.get("merge") or ()), "said": list(cohort.detail)},
        "disclosure_profile": cohort.source.disclosure_profile,
        "n_patients": int(cohort.episodes["patient"].nunique()),
    }


def trace_reading(
    records: Records, instruments: Iterable[str] = (), rules: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return how the records of several instruments, or of all, were read: for Methods, and for the team."""
    said = " ".join(map(str, records.list_said(*instruments)))
    return {
        "rules": {**rules, **({"reading": said} if said else {})},
        "answered": [str(told) for told in records.list_answered(*instruments)],
    }


def say_of_measure(cohort: Cohort) -> list[str]:
    """Return what to say of the measure: facts nobody checked, where it stops, which value set made it."""
    instrument = cohort.instrument
    value_set = instrument.find_value_set(cohort.variant)
    said = [] if instrument.verified else [say("unverified_instrument", instrument=instrument.name)]
    if instrument.censored_at is not None:
        limit = f"{instrument.censored_at:g}"
        said.append(say("censored", instrument=instrument.short_name, limit=limit, unit=instrument.unit))
    if value_set is not None:
        names = {"label": value_set.label, "source": value_set.source}
        said.append(say("value_set", instrument=instrument.short_name, **names))
    return said


def state_estimand(cohort: Cohort, summary: str, timepoints: Iterable[str]) -> str:
    """State the estimand in the words of ICH E9(R1), 2019.

    Parameters
    ----------
    cohort : Cohort
    summary : str
        Key of the sentence that names variable and summary measure.
    timepoints : iterable of str
        Ids of the time points concerned.
    """
    times = join_names(label_timepoint(cohort, id) for id in timepoints)
    return say(
        "estimand",
        population=cohort.rules.get("episodes", ""),
        therapies=join_names(label_group(cohort, id) for id in cohort.therapies),
        assignment=cohort.rules.get("therapy", ""),
        events=cohort.rules.get("intercurrent_events", ""),
        summary=say(summary, instrument=cohort.instrument.short_name, times=times),
    )


def choose_timepoint(cohort: Cohort, timepoint: str | None) -> str:
    """Return the named follow-up, or the primary one.

    Raises
    ------
    AnalysisError
        When the cohort has no such follow-up; the message lists those it has.
    """
    chosen = cohort.primary if timepoint is None else timepoint
    follow_ups = list_follow_ups(cohort)
    if chosen not in follow_ups:
        raise AnalysisError(
            f"There is no follow-up {chosen!r} in this cohort; choose one of: {', '.join(follow_ups)}."
        )
    return chosen


def list_follow_ups(cohort: Cohort, comparable: bool = False) -> list[str]:
    """Return the ids of all time points after the start, or of those that may be compared."""
    return [
        id
        for id, entry in cohort.timepoints.items()
        if id != BASELINE and (entry.comparable or not comparable)
    ]


def has_baseline(cohort: Cohort) -> bool:
    """Return whether anyone has a score at the start."""
    return bool(cohort.table["baseline"].notna().any())


def explain_no_improvement(cohort: Cohort) -> str | None:
    """Say why nobody can improve on this measure; None where improvement is defined.

    An analysis of improvement then has no rows and this sentence, so that a page is still made and says why.
    """
    if cohort.instrument.direction == "none":
        return say("change.no_direction")
    return None if has_baseline(cohort) else say("change.no_baseline")


def require_baseline(cohort: Cohort) -> None:
    """Refuse an instrument that has no score at the start, so that nothing improves from anything."""
    require_direction(cohort)
    if not has_baseline(cohort):
        raise AnalysisError(
            f"{cohort.instrument.name} has no score at the start, so improvement is not defined for it; "
            "count a state with the analysis 'responders', or compare scores with 'ancova'."
        )


def require_direction(cohort: Cohort) -> None:
    """Refuse an instrument on which better and worse are not defined."""
    if cohort.instrument.direction == "none":
        raise AnalysisError(
            f"{cohort.instrument.name} has no direction, so improvement is not defined for it; "
            "describe its scores with the analysis 'change'."
        )
