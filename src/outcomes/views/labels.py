"""`Labels`: how the therapies, time points, thresholds and the measure of a release are called."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from outcomes.disclosure.released import Release
from outcomes.disclosure.writing import write_number
from outcomes.facts import (
    Instrument,
    Therapy,
    Threshold,
    Timepoint,
    Words,
    parse_rule,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.facts.instrument import MATTERING
from outcomes.facts.scoring_rule import ValueSet
from outcomes.result import ALL, Origin, Said

#: How comparisons are written.
SIGNS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">"}
#: Groups of patients that are no therapies.
_GROUPS = (ALL, "seen", "not_seen")


def capitalise(text: str) -> str:
    """Return a text with its first letter a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def write_id(text: str) -> str:
    """Return an id as words; a name that is none of this package's ids, such as a site's, stays as it is.

    Examples
    --------
    >>> write_id("low_back"), write_id("Ward_7 (A)")
    ('low back', 'Ward_7 (A)')
    """
    return text.replace("_", " ") if re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", text) else text


@dataclass(frozen=True)
class Labels:
    """What the ids in a release stand for, in the language of its page.

    What the facts call something is said in that language; what a source calls it stays as it was typed.
    """

    instrument: Instrument
    variant: str | None
    #: By id, in the order of a page.
    therapies: Mapping[str, Therapy]
    #: By id, in order of time.
    timepoints: Mapping[str, Timepoint]
    #: Ids of the declared primary time point and reference therapy.
    primary: str | None
    reference: str | None
    #: ``routine`` or ``randomised``.
    design: str
    words: Words
    #: By id of the threshold: the patients it was estimated in, if those here differ.
    foreign: Mapping[str, Said] = field(default_factory=dict)

    def explain_foreign(self, threshold: Threshold) -> str:
        """Name the patients a threshold was estimated in, if those here differ; else nothing."""
        said = self.foreign.get(threshold.id)
        if not said:
            return ""
        told = {"source": cite(threshold, self.words), "others": str(self.words.write(said))}
        return self.words.say("views.table.estimated_in", **told)

    @property
    def measure(self) -> str:
        """Short name of the measure with its variant: ``NPRS (average)``, an index with its value set."""
        return name_measure(self.instrument.id, self.variant, self.words, short=True)

    @property
    def unit(self) -> str:
        """Unit of the measure's scores."""
        return name_unit(self.instrument.unit, self.words)

    @property
    def value_set(self) -> ValueSet | None:
        """Value set that made an index of the answers; None for other measures."""
        return self.instrument.find_value_set(self.variant)

    @property
    def span(self) -> str:
        """Range of the measure in words: ``0–100``; its unit where scores are not points."""
        ends = (self.instrument.minimum, self.instrument.maximum)
        low, high = (f"{end:g}".replace("-", "−") for end in ends)
        return f"{low}–{high}" if self.instrument.unit == "points" else self.unit

    @property
    def scale(self) -> str:
        """The measure with its range where scores are points: ``ODI, 0–100``."""
        return f"{self.measure}, {self.span}" if self.instrument.unit == "points" else self.measure

    @property
    def axis(self) -> str:
        """Label of an axis of scores: ``ODI (0–100, lower is better)``."""
        key = f"views.axis_{self.instrument.direction}"
        return self.words.say(key, measure=self.measure, span=self.span)

    def short(self, group: str) -> str:
        """Return how a group is called in a figure or table."""
        if group in _GROUPS:
            return self.words.say(f"views.{'whole' if group == ALL else group}")
        therapy, known = self.therapies.get(group), read_therapies().get(group)
        if therapy is None:
            return write_id(group)
        if known is None or therapy.short_label != known.short_label:
            return therapy.short_label
        return self.words.name("therapies_short", group, therapy.short_label)

    def title(self, group: str) -> str:
        """Return the same with a capital, for a label that stands by itself."""
        return capitalise(self.short(group))

    def name(self, group: str) -> str:
        """Return how a therapy is called in a sentence: its label without explanations."""
        if group not in self.therapies:
            return self.short(group)
        return name_therapy(self.therapies[group], self.words).split(" (")[0].split(",")[0]

    def pair(self, group: str, versus: str) -> str:
        """Return how two therapies that are compared are called."""
        return self.words.say("views.pair", group=self.title(group), versus=self.short(versus))

    def time(self, timepoint: str) -> str:
        """Return how a time point is called."""
        entry = self.timepoints.get(timepoint)
        return name_timepoint(entry, self.words) if entry else str(timepoint).replace("_", " ")

    def order(self, groups: Iterable[str]) -> list[str]:
        """Return the given groups in the order of a page, everybody last."""
        known = list(self.therapies)
        return sorted(
            dict.fromkeys(groups),
            key=lambda group: (group == ALL, known.index(group) if group in known else len(known), group),
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
            return self.words.say("views.baseline_score", measure=self.measure), ""
        column = read_schema()["episodes"].get(term)
        unit = name_unit(column.unit, self.words) if column and column.unit else ""
        return name_column(term, self.words), unit

    def level(self, term: str, level: str) -> str:
        """Return how a level of a covariate is called."""
        return write_id(name_level(term, level, self.words))


def name_unit(unit: str, words: Words) -> str:
    """Return how a unit is written."""
    return words.name("units", unit, unit)


def name_therapy(therapy: Therapy, words: Words) -> str:
    """Return the label of a therapy: in the page's language where it is that of the facts."""
    known = read_therapies().get(therapy.id)
    if known is None or known.label != therapy.label:
        return therapy.label
    own = (known.labels or {}).get(words.language)
    return own or words.name("therapies", therapy.id, therapy.label)


def name_timepoint(timepoint: Timepoint, words: Words) -> str:
    """Return the label of a time point: in the page's language where it is that of the facts."""
    known = read_timepoints().get(timepoint.id)
    if known is None or known.label != timepoint.label:
        return timepoint.label
    return words.name("timepoints", timepoint.id, timepoint.label)


def name_column(term: str, words: Words) -> str:
    """Return how a column of the episodes is called."""
    column = read_schema()["episodes"].get(term)
    label = column.label if column else ""
    return words.name("covariates", term, label or term.removeprefix("n_").replace("_", " "))


def name_level(term: str, level: str, words: Words) -> str:
    """Return how a level of a column is called; what is none of the schema's stays as it was typed."""
    column = read_schema()["episodes"].get(term)
    labels = (column.labels if column else None) or {}
    return words.name(f"levels.{term}", level, labels[level]) if level in labels else level


def name_measure(id: str, variant: str | None, words: Words, *, short: bool = False) -> str:
    """Return how a measure with its variant is called; an index with its value set.

    Examples
    --------
    >>> from outcomes.facts import read_words
    >>> name_measure("nprs", "average", read_words(), short=True), name_measure("eq5d_5l", "uk", read_words())
    ('NPRS (average)', 'EQ-5D-5L index (value set: United Kingdom)')
    """
    instrument = read_instrument(id)
    name = instrument.short_name if short else instrument.name
    name = words.name("instruments_short" if short else "instruments", instrument.id, name)
    if not variant:
        return name
    key = "measure_index" if instrument.find_value_set(variant) else "measure"
    return words.say(f"views.{key}", measure=name, variant=name_variant(instrument, variant, words))


def name_variant(instrument: Instrument, variant: str, words: Words) -> str:
    """Return how a variant of an instrument is called."""
    return words.name(f"variants.{instrument.id}", variant, instrument.name_variant(variant))


def read_labels(*releases: Release) -> Labels:
    """Read what the ids of some releases stand for; the first that names its therapies and times decides."""
    origins = [release.origin for release in releases]
    told = next((origin for origin in origins if origin.instrument is not None), Origin())
    named = next((origin.therapies for origin in origins if origin.therapies), None) or {}
    timepoints = next((origin.timepoints for origin in origins if origin.timepoints), None)
    outcome = _find_outcome(releases, told)
    groups = [group for release in releases for group in _find_groups(release)]
    return Labels(
        instrument=read_instrument(outcome),
        variant=outcome.partition(":")[2] or None,
        therapies=complete_therapies(named or read_therapies(), [*named, *groups]),
        timepoints=timepoints or read_timepoints(),
        primary=told.primary,
        reference=told.reference,
        design=told.design or "routine",
        words=releases[0].words,
        foreign=told.foreign or {},
    )


def _find_outcome(releases: Iterable[Release], origin: Origin) -> str:
    for release in releases:
        named = release.table["outcome"].dropna()
        if len(named):
            return str(named.iloc[0])
    return f"{origin.instrument or ''}{f':{origin.variant}' if origin.variant else ''}"


def _find_groups(release: Release) -> list[str]:
    columns = pd.concat([release.table["group"], release.table["versus"]]).dropna()
    return [str(group) for group in columns if group not in _GROUPS]


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


def find_rule(level: str, labels: Labels) -> Threshold | None:
    """Return the threshold of that id, or the rule that is written out."""
    known = (entry for entry in labels.instrument.thresholds if entry.id == level)
    return next(known, None) or parse_rule(level)


def name_rule(level: str, labels: Labels, *, source: bool = True) -> str:
    """Return in words the rule of a responder analysis, by its threshold's id or as ``percent:30``.

    With its source, author and year follow; where that was not read, it is said.
    """
    words, threshold = labels.words, find_rule(level, labels)
    if threshold is None:
        return level
    value = write_number(threshold.value, len(f"{threshold.value:g}".partition(".")[2]))
    told = {"value": value, "unit": labels.unit, "comparison": SIGNS[threshold.comparison]}
    rule = words.say(f"views.table.rule_{threshold.rule}", **told)
    if threshold.kind == "MDC":
        rule = words.say("views.table.rule_detectable", rule=rule)
    if labels.foreign.get(threshold.id):
        rule = words.say("views.table.rule_foreign", rule=rule)
    return words.say("views.table.rule_source", rule=rule, source=cite(threshold, words)) if source else rule


def cite(threshold: Threshold, words: Words) -> str:
    """Return who a threshold is from, in few words, and whether that source was not read.

    Examples
    --------
    >>> from outcomes.facts import read_instrument, read_words
    >>> cite(read_instrument("odi").threshold("ostelo-2008-absolute"), read_words())
    'Ostelo 2008'
    >>> cite(read_instrument("odi").threshold("copay-2008-absolute"), read_words())
    'Copay 2008, not read at the source'
    """
    if not threshold.source:
        return words.say("views.table.source_own")
    if not threshold.verified:
        return words.say("views.table.source_unread", source=threshold.short_source)
    return threshold.short_source


def pick_marked(labels: Labels, chosen: str | None = None) -> Threshold | None:
    """Return the threshold in points for single patients that a curve of improvement marks, if there is one.

    Where none is chosen by its id or as a rule: the default one, else the first that was read and says that a
    change matters.
    """
    if chosen is not None:
        named = find_rule(chosen, labels)
        return named if named and (named.rule, named.level) == ("absolute", "individual") else None
    read = [entry for entry in labels.instrument.thresholds if entry.verified and entry.kind in MATTERING]
    fitting = [entry for entry in read if (entry.rule, entry.level) == ("absolute", "individual")]
    return next((entry for entry in fitting if entry.default), fitting[0] if fitting else None)


def say_marked(threshold: Threshold, labels: Labels) -> str:
    """Say what the marked threshold is: what a patient notices, or of what other kind."""
    words = labels.words
    values = {"value": f"{threshold.value:g}", "unit": labels.unit, "source": cite(threshold, words)}
    key = "" if threshold.kind == "MIC" else "_other" if threshold.kind else "_own"
    if key == "_other":
        values["kind"] = words.say(f"instrument_sheet.thresholds.kind.{threshold.kind}")
    return words.say(f"views.cumulative_threshold{key}", **values)
