"""`Labels`: how the therapies, time points and the measure of a release are called and drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import (
    Instrument,
    Therapy,
    Timepoint,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
    read_words,
)
from outcomes.facts.scoring_rule import ValueSet
from outcomes.result import Origin
from outcomes.views.text import capitalise, write_id

#: The group of a result that holds everybody.
WHOLE = "all"


@dataclass(frozen=True)
class Labels:
    """What the ids in a release stand for.

    Parameters
    ----------
    instrument : Instrument
    variant : str or None
    therapies : mapping of Therapy
        By id, in the order of a page.
    timepoints : mapping of Timepoint
        By id, in order of time.
    primary, reference : str or None
        Ids of the declared primary time point and reference therapy.
    design : str
        ``routine`` or ``randomised``.
    """

    instrument: Instrument
    variant: str | None
    therapies: Mapping[str, Therapy]
    timepoints: Mapping[str, Timepoint]
    primary: str | None
    reference: str | None
    design: str

    @property
    def measure(self) -> str:
        """Short name of the measure with its variant: ``NPRS (average)``, an index with its value set."""
        return name_measure(self.instrument.id, self.variant, short=True)

    @property
    def value_set(self) -> ValueSet | None:
        """Value set that made an index of the answers; None for other measures."""
        return self.instrument.find_value_set(self.variant)

    @property
    def span(self) -> str:
        """Range of the measure in words: ``0–100``; its unit where scores are not points."""
        low, high = (
            f"{end:g}".replace("-", "−") for end in (self.instrument.minimum, self.instrument.maximum)
        )
        return f"{low}–{high}" if self.instrument.unit == "points" else self.instrument.unit

    @property
    def scale(self) -> str:
        """The measure with its range where scores are points: ``ODI, 0–100``."""
        return f"{self.measure}, {self.span}" if self.instrument.unit == "points" else self.measure

    @property
    def axis(self) -> str:
        """Label of an axis of scores: ``ODI (0–100, lower is better)``."""
        return read_words().say(
            f"views.axis_{self.instrument.direction}", measure=self.measure, span=self.span
        )

    def short(self, group: str) -> str:
        """Return how a group is called in a figure or table."""
        if group == WHOLE:
            return read_words().say("views.whole")
        if group in ("seen", "not_seen"):
            return read_words().say(f"views.{group}")
        return self.therapies[group].short_label if group in self.therapies else write_id(group)

    def title(self, group: str) -> str:
        """Return the same with a capital, for a label that stands by itself."""
        return capitalise(self.short(group))

    def name(self, group: str) -> str:
        """Return how a therapy is called in a sentence: its label without explanations."""
        if group in self.therapies:
            return self.therapies[group].label.split(" (")[0].split(",")[0]
        return self.short(group)

    def time(self, timepoint: str) -> str:
        """Return how a time point is called."""
        entry = self.timepoints.get(timepoint)
        return entry.label if entry else str(timepoint).replace("_", " ")

    def order(self, groups: Iterable[str]) -> list[str]:
        """Return the given groups in the order of a page, everybody last."""
        known = list(self.therapies)
        return sorted(
            dict.fromkeys(groups),
            key=lambda group: (group == WHOLE, known.index(group) if group in known else len(known), group),
        )

    def order_times(self, timepoints: Iterable[str]) -> list[str]:
        """Return the given time points in order of time."""
        known = list(self.timepoints)
        return sorted(
            dict.fromkeys(timepoints), key=lambda id: known.index(id) if id in known else len(known)
        )

    def covariate(self, term: str) -> tuple[str, str]:
        """Return label and unit of a baseline covariate; ``score`` is the measure itself."""
        if term == "score":
            return read_words().say("views.baseline_score", measure=self.measure), ""
        column = read_schema()["episodes"].get(term)
        return ((column.label if column else "") or term.replace("_", " "), column.unit if column else "")

    def level(self, term: str, level: str) -> str:
        """Return how a level of a covariate is called."""
        column = read_schema()["episodes"].get(term)
        labels = (column.labels if column else None) or {}
        return write_id(str(labels.get(level, level)))


def name_measure(id: str, variant: str | None, *, short: bool = False) -> str:
    """Return how a measure with its variant is called; an index with its value set.

    Examples
    --------
    >>> name_measure("nprs", "average", short=True), name_measure("eq5d_5l", "uk")
    ('NPRS (average)', 'EQ-5D-5L index (value set: United Kingdom)')
    """
    instrument = read_instrument(id)
    name = instrument.short_name if short else instrument.name
    if not variant:
        return name
    key = "measure_index" if instrument.find_value_set(variant) else "measure"
    return read_words().say(f"views.{key}", measure=name, variant=instrument.name_variant(variant))


def read_labels(
    *releases: Release,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> Labels:
    """Read what the ids of some releases stand for.

    Parameters
    ----------
    *releases : Release
        The first that names its therapies and time points decides; else the package's facts.
    therapies, timepoints : mapping, optional
        Used instead.
    """
    origins = [release.origin for release in releases]
    told = next((origin for origin in origins if origin.instrument is not None), Origin())
    own_therapies = next((origin.therapies for origin in origins if origin.therapies), None)
    own_timepoints = next((origin.timepoints for origin in origins if origin.timepoints), None)
    named_therapies = therapies or own_therapies or read_therapies()
    named_timepoints = timepoints or own_timepoints or read_timepoints()
    outcome = _find_outcome(releases, told)
    groups = (group for release in releases for group in _find_groups(release))
    return Labels(
        read_instrument(outcome),
        outcome.partition(":")[2] or None,
        complete_therapies(
            named_therapies,
            groups if therapies or not own_therapies else [*named_therapies, *groups],
        ),
        named_timepoints,
        told.primary,
        told.reference,
        told.design or "routine",
    )


def _find_outcome(releases: Iterable[Release], origin: Origin) -> str:
    for release in releases:
        named = release.table["outcome"].dropna()
        if len(named):
            return str(named.iloc[0])
    return f"{origin.instrument or ''}{f':{origin.variant}' if origin.variant else ''}"


def _find_groups(release: Release) -> list[str]:
    columns = pd.concat([release.table["group"], release.table["versus"]]).dropna()
    return [str(group) for group in columns if group not in (WHOLE, "seen", "not_seen")]


def complete_therapies(therapies: Mapping[str, Therapy], groups: Iterable[str]) -> dict[str, Therapy]:
    """Return the therapies with a plain one for every group that they do not name, no two alike."""
    complete = dict(therapies)
    groups = list(dict.fromkeys(groups))
    for group in groups:
        label = write_id(group)
        complete.setdefault(group, Therapy(group, label, label, "other", "", "", len(complete)))
    palette = read_facts("appearance")["palette"]
    present = [id for id in complete if id in groups]
    for key, choices in (("colour", palette["colours"]), ("marker", palette["markers"])):
        taken = [getattr(complete[id], key) for id in present]
        free = [choice for choice in choices if choice not in taken]
        for place, id in enumerate(present):
            if not taken[place] or taken[place] in taken[:place]:
                taken[place] = free.pop(0) if free else choices[place % len(choices)]
                complete[id] = replace(complete[id], **{key: taken[place]})
    return complete
