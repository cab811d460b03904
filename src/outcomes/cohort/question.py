"""What a cohort is asked for: names checked against the records, the source's own choice as the default."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from outcomes.cohort.grid import gather_rows, match_rows
from outcomes.cohort.refusals import check_name, refuse
from outcomes.cohort.remembering import remember
from outcomes.cohort.therapies import (
    EVERY,
    build_therapies,
    check_therapy_rule,
    list_groups,
    list_late_labels,
)
from outcomes.facts import (
    Instrument,
    Therapy,
    Timepoint,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
    read_timepoints,
)
from outcomes.facts.toml import build_strictly
from outcomes.records.tables import Records


@dataclass(frozen=True)
class Question:
    """A settled question; see `outcomes.cohort.select_cohort` for what its parts mean."""

    instrument: Instrument
    variant: str | None
    #: Those at which the instrument was recorded and those asked for, baseline first.
    timepoints: Mapping[str, Timepoint]
    #: Ids of those that results have rows for, baseline first.
    shown: tuple[str, ...]
    #: All time points of the source, whose order gives labels their codes.
    labels: Mapping[str, Timepoint]
    primary: str
    reference: str | None
    #: Those asked for.
    therapies: Mapping[str, Therapy]
    covariates: tuple[str, ...]
    episodes: str
    #: Intercurrent event to strategy.
    strategies: Mapping[str, str]
    #: Whether episodes without a score at the start are excluded.
    needs_baseline: bool
    #: Groups of therapies that count as one each.
    merge: tuple[str, ...] = ()
    #: Covariates that the source declares and nobody recorded.
    unrecorded: tuple[str, ...] = ()

    @property
    def has_baseline(self) -> bool:
        """Whether the instrument is asked at the start at all."""
        return self.instrument.domain not in read_facts("cohort")["domains_without_baseline"]

    def leave_out(self, covariate: str) -> "Question":
        """Return the question without a declared covariate that nobody has."""
        left = tuple(name for name in self.covariates if name != covariate)
        return replace(self, covariates=left, unrecorded=(*self.unrecorded, covariate))


def settle_question(records: Records, given: Mapping[str, Any]) -> Question:
    """Settle the arguments of `select_cohort`: fill in what the source declares, refuse what is unknown."""
    check_therapy_rule(records.source)
    asked = records.source.primary
    measure = _settle_instrument(records, given["instrument"] or asked.get("instrument"))
    own_variant = asked.get("variant") if asked.get("instrument") == measure.id else None
    variant = _settle_variant(records, measure, given["variant"] or own_variant)
    measure = read_instrument(f"{measure.id}:{variant or ''}")  # a subscale's own range and direction
    known = list_timepoints(records)
    found = _find_timepoints(records, measure.id, variant)
    shown = _settle_shown(found, known, given["timepoints"])
    therapies = _settle_therapies(records, given["therapies"])
    check_name("episodes", given["episodes"], ["first", "all"])
    covariates = tuple(dict.fromkeys(_settle_covariates(records, given["covariates"])))
    declared = asked.get("covariates", ()) if given["covariates"] is None else ()
    return Question(
        instrument=measure,
        variant=variant,
        timepoints={id: entry for id, entry in known.items() if id in {*found, *shown}},
        shown=shown,
        labels=known,
        primary=_settle_primary(shown, given["primary"] or asked.get("timepoint")),
        reference=_settle_reference(therapies, given["reference"], asked.get("reference")),
        therapies=therapies,
        covariates=covariates,
        episodes=given["episodes"],
        strategies=_settle_strategies(given["intercurrent_events"] or asked.get("intercurrent_events")),
        needs_baseline=given["needs_baseline"],
        merge=_settle_merge(records, given["merge"]),
        unrecorded=tuple(name for name in declared if name not in covariates),
    )


def _settle_instrument(records: Records, id: object) -> Instrument:
    recorded = sorted({instrument for instrument, _ in list_recorded(records)})
    if id is None:
        raise refuse("no_instrument", known=", ".join(recorded))
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


def _settle_variant(records: Records, measure: Instrument, variant: str | None) -> str | None:
    own = [held for instrument, held in list_recorded(records) if instrument == measure.id]
    recorded = sorted(name for name in own if name is not None)
    plain = None in own
    if variant is None:
        if plain and not recorded:
            return None
        if len(recorded) == 1 and not plain:
            return recorded[0]
        raise refuse("which_variant", instrument=measure.name, known=", ".join(recorded))
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


def _settle_shown(
    found: list[str], known: Mapping[str, Timepoint], asked: Sequence[str] | None
) -> tuple[str, ...]:
    if asked is None:
        return tuple(found)
    asked = [asked] if isinstance(asked, str) else list(asked)
    for id in asked:
        check_name("timepoint", id, known)
    return tuple(id for id in known if id == "baseline" or id in asked)


def _settle_primary(shown: Sequence[str], primary: str | None) -> str:
    followed = [id for id in shown if id != "baseline"]
    if not followed:
        raise refuse("no_follow_up")
    if primary is None:
        raise refuse("no_primary", known=", ".join(followed))
    check_name("primary", primary, followed)
    return primary


def _settle_therapies(records: Records, asked: Sequence[str] | None) -> dict[str, Therapy]:
    known = build_therapies(records.source)
    recorded = [id for id in known if (records.episodes["therapy"] == id).any()]
    late = list_late_labels(records.source)
    if not recorded:
        in_sessions = records.sessions["therapy"].notna().any()
        raise refuse("therapy_of_sessions" if in_sessions else "no_therapy")
    if asked is None:
        return {id: known[id] for id in recorded if id not in late}
    for id in [asked] if isinstance(asked, str) else asked:
        check_name("therapy", id, recorded)
        if id in late:
            raise refuse("late_label", therapy=known[id].label)
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


def _settle_covariates(records: Records, asked: Sequence[str] | None) -> Iterator[str]:
    """Yield the covariates asked for, or those that the source declares and somebody recorded.

    A covariate is a column of the episodes that is known at time zero, or the baseline score of another
    instrument, written ``instrument@baseline`` or ``instrument:variant@baseline``.
    """
    declared = records.source.primary.get("covariates", ()) if asked is None else ()
    chosen = declared if asked is None else asked
    for name in [chosen] if isinstance(chosen, str) else chosen:
        if declared and _is_blank(records, name):
            continue
        if "@" in name:
            _check_score(records, name)
        else:
            _check_column(records, name)
        yield name


def _is_blank(records: Records, name: str) -> bool:
    """Return whether a covariate is one that might have been recorded, and nobody did."""
    if "@" in name:
        instrument, _, timepoint = split_score(name)
        scored = records.assessments.loc[records.assessments["score"].notna(), "instrument"]
        return timepoint == "baseline" and instrument in list_instruments() and instrument not in set(scored)
    column = read_schema()["episodes"].get(name)
    return column is not None and column.covariate and bool(records.episodes[name].isna().all())


def split_score(name: str) -> tuple[str, str | None, str]:
    """Split ``nprs:average@baseline`` into instrument, variant and time point."""
    outcome, _, timepoint = name.partition("@")
    instrument, _, variant = outcome.partition(":")
    return instrument, variant or None, timepoint


def _check_score(records: Records, name: str) -> None:
    instrument, variant, timepoint = split_score(name)
    if timepoint != "baseline":
        raise refuse("covariate_later", name=name)
    recorded = list_recorded(records)
    if (instrument, variant) not in recorded:
        known = sorted(f"{id}:{own}" if own is not None else id for id, own in recorded)
        raise refuse("covariate_score", name=name, known=", ".join(known))


def _check_column(records: Records, name: str) -> None:
    schema = read_schema()
    columns = schema["episodes"]
    recorded = [
        id for id, column in columns.items() if column.covariate and records.episodes[id].notna().any()
    ]
    if name in recorded:
        return
    known = ", ".join(recorded)
    if name in columns and columns[name].covariate:
        raise refuse("covariate_empty", name=name, known=known)
    if name.partition(":")[0] in records.assessments["instrument"].dropna().unique():
        raise refuse("covariate_when", name=name)
    if name in columns or name in schema["assessments"] or name in schema["sessions"]:
        raise refuse("covariate_not_at_start", name=name, known=known)
    raise refuse("covariate_unknown", name=name, known=known)
