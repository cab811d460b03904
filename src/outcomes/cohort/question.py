"""What a cohort is asked for: names checked against the records, the source's own choice as the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import pandas as pd

from outcomes.cohort.covariates import settle_covariates
from outcomes.cohort.merging import EVERY, list_groups
from outcomes.cohort.positions import gather_rows, match_rows
from outcomes.cohort.remembering import remember
from outcomes.cohort.therapies import build_therapies, check_therapy_rule, list_late_labels
from outcomes.errors import AnalysisError
from outcomes.facts import (
    Instrument,
    Therapy,
    Timepoint,
    read_facts,
    read_instrument,
    read_timepoints,
    read_words,
)
from outcomes.facts.instrument_file import match_instruments
from outcomes.facts.toml import build_strictly
from outcomes.records.tables import Records


@dataclass(frozen=True)
class Question:
    """A settled question; see `outcomes.cohort.select_cohort` for what its parts mean.

    Parameters
    ----------
    instrument : Instrument
    variant : str or None
    timepoints : mapping of Timepoint
        Baseline first.
    labels : mapping of Timepoint
        All time points of the source, whose order gives labels their codes.
    primary : str
    reference : str or None
    therapies : mapping of Therapy
        Those asked for.
    covariates : tuple of str
    episodes : str
    strategies : mapping
        Intercurrent event to strategy.
    needs_baseline : bool
        Whether episodes without a score at the start are excluded.
    merge : tuple of str
        Groups of therapies that count as one each.
    unrecorded : tuple of str
        Covariates that the source declares and nobody recorded.
    """

    instrument: Instrument
    variant: str | None
    timepoints: Mapping[str, Timepoint]
    labels: Mapping[str, Timepoint]
    primary: str
    reference: str | None
    therapies: Mapping[str, Therapy]
    covariates: tuple[str, ...]
    episodes: str
    strategies: Mapping[str, str]
    needs_baseline: bool
    merge: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()

    @property
    def has_baseline(self) -> bool:
        """Whether the instrument is asked at the start at all."""
        return self.instrument.domain not in read_facts("cohort")["domains_without_baseline"]

    def leave_out(self, covariate: str) -> Question:
        """Return the question without a declared covariate that nobody has."""
        left = tuple(name for name in self.covariates if name != covariate)
        return replace(self, covariates=left, unrecorded=(*self.unrecorded, covariate))


def settle_question(records: Records, given: Mapping[str, Any]) -> Question:
    """Settle a question: fill in what the source declares, refuse what the records do not have.

    Parameters
    ----------
    records : Records
    given : mapping
        The arguments of `outcomes.cohort.select_cohort` that name something.

    Raises
    ------
    AnalysisError
        Naming what is unknown and what is known.
    """
    check_therapy_rule(records.source)
    asked = records.source.primary
    measure = _settle_instrument(records, given["instrument"] or asked.get("instrument"))
    variant = _settle_variant(records, measure, given["variant"] or _own_variant(asked, measure))
    measure = read_instrument(f"{measure.id}:{variant or ''}")  # a subscale's own range and direction
    known = list_timepoints(records)
    found = _find_timepoints(records, measure.id, variant)
    chosen = _settle_timepoints(found, known, given["timepoints"])
    therapies = _settle_therapies(records, given["therapies"])
    check_name("episodes", given["episodes"], ["first", "all"])
    covariates = tuple(dict.fromkeys(settle_covariates(records, given["covariates"])))
    declared = asked.get("covariates", ()) if given["covariates"] is None else ()
    return Question(
        instrument=measure,
        variant=variant,
        timepoints=chosen,
        labels=known,
        primary=_settle_primary(chosen, given["primary"] or asked.get("timepoint")),
        reference=_settle_reference(therapies, given["reference"], asked.get("reference")),
        therapies=therapies,
        covariates=covariates,
        episodes=given["episodes"],
        strategies=_settle_strategies(given["intercurrent_events"] or asked.get("intercurrent_events")),
        needs_baseline=given["needs_baseline"],
        merge=_settle_merge(records, given["merge"]),
        unrecorded=tuple(name for name in declared if name not in covariates),
    )


def check_name(what: str, name: object, known: Iterable[object]) -> None:
    """Refuse a name that is not among those known.

    Raises
    ------
    AnalysisError
        With the nearest name, or all of them.
    """
    names = [str(entry) for entry in known]
    if name not in names:
        near = get_close_matches(str(name), names, n=1)
        if what == "instrument" and not near:
            near = [id for id in match_instruments(str(name)) if id in names]
        key = "cohort.errors.unknown_near" if near else "cohort.errors.unknown"
        raise AnalysisError(
            read_words().say(
                key,
                what=what,
                name=repr(name),
                near=repr(near[0]) if near else "",
                known=", ".join(names) or "-",
            )
        )


def _settle_instrument(records: Records, id: object) -> Instrument:
    recorded = sorted({instrument for instrument, _ in list_recorded(records)})
    if id is None:
        raise AnalysisError(read_words().say("cohort.errors.no_instrument", known=", ".join(recorded)))
    check_name("instrument", id, recorded)
    return read_instrument(str(id))


@remember
def list_recorded(records: Records) -> tuple[tuple[str, str | None], ...]:
    """Return each instrument with each of its variants that was recorded, as pairs of ids."""
    held = records.assessments[["instrument", "variant"]].drop_duplicates().astype("object")
    return tuple(
        (str(instrument), None if pd.isna(variant) else str(variant))
        for instrument, variant in held.itertuples(index=False)
        if not pd.isna(instrument)
    )


def _own_variant(asked: Mapping[str, Any], measure: Instrument) -> str | None:
    return asked.get("variant") if asked.get("instrument") == measure.id else None


def _settle_variant(records: Records, measure: Instrument, variant: str | None) -> str | None:
    own = [held for instrument, held in list_recorded(records) if instrument == measure.id]
    recorded = sorted(name for name in own if name is not None)
    plain = None in own
    if variant is None:
        if plain and not recorded:
            return None
        if len(recorded) == 1 and not plain:
            return recorded[0]
        raise AnalysisError(
            read_words().say(
                "cohort.errors.which_variant", instrument=measure.name, known=", ".join(recorded)
            )
        )
    check_name(f"variant of {measure.name}", variant, recorded)
    return variant


@remember
def list_timepoints(records: Records) -> dict[str, Timepoint]:
    """Return the standard time points and the source's own by id, in order of their days."""
    known = dict(read_timepoints())
    for id, content in records.source.timepoints.items():
        base = {**vars(known[id])} if id in known else {"id": id}
        known[id] = build_strictly(
            Timepoint, {**base, **content}, f"{records.source.name}, [timepoints.{id}]"
        )
    return dict(sorted(known.items(), key=lambda entry: (entry[0] != "baseline", entry[1].day)))


@remember
def _find_timepoints(records: Records, instrument: str, variant: str | None) -> list[str]:
    """Return the time points at which the instrument was recorded, baseline always."""
    known = list_timepoints(records)
    rows = gather_rows(pick_assessments(records, instrument, variant), records.episodes["episode_id"], known)
    return [
        id for code, id in enumerate(known) if id == "baseline" or match_rows(rows, known[id], code).any()
    ]


def pick_assessments(records: Records, instrument: str, variant: str | None) -> pd.DataFrame:
    """Return the assessments of one instrument and variant that have a score."""
    table = records.assessments
    own = (table["instrument"] == instrument) & table["score"].notna()
    own &= table["variant"].isna() if variant is None else (table["variant"] == variant)
    return table.loc[own]


def _settle_timepoints(
    found: list[str], known: Mapping[str, Timepoint], asked: Sequence[str] | None
) -> dict[str, Timepoint]:
    if asked is None:
        return {id: known[id] for id in found}
    asked = [asked] if isinstance(asked, str) else list(asked)
    for id in asked:
        check_name("timepoint", id, known)
    return {id: timepoint for id, timepoint in known.items() if id == "baseline" or id in asked}


def _settle_primary(chosen: Mapping[str, Timepoint], primary: str | None) -> str:
    followed = [id for id in chosen if id != "baseline"]
    if not followed:
        raise AnalysisError(read_words().say("cohort.errors.no_follow_up"))
    if primary is None:
        raise AnalysisError(read_words().say("cohort.errors.no_primary", known=", ".join(followed)))
    check_name("primary", primary, followed)
    return primary


def _settle_therapies(records: Records, asked: Sequence[str] | None) -> dict[str, Therapy]:
    known = build_therapies(records.source)
    recorded = [id for id in known if (records.episodes["therapy"] == id).any()]
    late = list_late_labels(records.source)
    if not recorded:
        in_sessions = records.sessions["therapy"].notna().any()
        raise AnalysisError(
            read_words().say(f"cohort.errors.{'therapy_of_sessions' if in_sessions else 'no_therapy'}")
        )
    if asked is None:
        return {id: known[id] for id in recorded if id not in late}
    for id in [asked] if isinstance(asked, str) else asked:
        check_name("therapy", id, recorded)
        if id in late:
            raise AnalysisError(read_words().say("cohort.errors.late_label", therapy=known[id].label))
    return {id: known[id] for id in recorded if id in asked}


def _settle_merge(records: Records, asked: Sequence[str] | None) -> tuple[str, ...]:
    groups = list_groups(build_therapies(records.source))
    named = [asked] if isinstance(asked, str) else list(asked or ())
    for name in named:
        check_name("group of therapies", name, [*groups, EVERY])
    return tuple(dict.fromkeys(named))


def _settle_reference(
    given: Mapping[str, Therapy], reference: str | None, declared: str | None
) -> str | None:
    if reference is not None:
        check_name("reference", reference, given)
        return reference
    return declared if declared in given and len(given) > 1 else None


def _settle_strategies(asked: str | Mapping[str, str] | None) -> dict[str, str]:
    facts = read_facts("cohort")
    events, strategies = facts["intercurrent_events"], facts["strategies"]
    if asked is None or isinstance(asked, str):
        asked = dict.fromkeys(events, asked or facts["default_strategy"])
    for event, strategy in asked.items():
        check_name("intercurrent event", event, events)
        check_name("strategy", strategy, strategies)
    return {event: asked.get(event, facts["default_strategy"]) for event in events}
