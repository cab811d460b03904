"""What there is to choose from, and how many patients stand behind each choice."""

from collections.abc import Iterable, Mapping

import numpy as np

from outcomes.cohort import Cohort, select_cohort
from outcomes.cohort.question import list_recorded, list_timepoints
from outcomes.cohort.remembering import remember
from outcomes.cohort.types import STATUSES
from outcomes.errors import AnalysisError
from outcomes.facts import Words, read_facts, read_instrument, read_schema, read_words
from outcomes.panel.choice import Option
from outcomes.panel.question import PanelMeasure, PanelQuestion
from outcomes.records import Records
from outcomes.views.individual import label_cohort
from outcomes.views.labels import capitalise, name_column, name_level, name_rule, name_therapy, name_timepoint


@remember
def list_measures(records: Records) -> tuple[PanelMeasure, ...]:
    """Return the recorded measures, the source's main one first, then by name."""
    found = {PanelMeasure(instrument, variant) for instrument, variant in list_recorded(records)}
    primary, english = records.source.primary.get("instrument"), read_words()
    return tuple(
        sorted(found, key=lambda measure: (measure.instrument != primary, label_measure(measure, english)))
    )


@remember
def count_measured(records: Records, measure: PanelMeasure) -> int:
    """Return how many patients of the cohort of a measure have a score; none where there is no cohort."""
    try:
        table = select_widest(records, measure).table
    except AnalysisError:
        return 0
    return int(table.loc[table["score"].notna(), "patient"].nunique())


@remember
def select_widest(records: Records, measure: PanelMeasure) -> Cohort:
    """Select the cohort of a measure before any choice, at the source's main time point or else the first."""
    chosen = PanelQuestion(measure).describe_cohort()
    for timepoint in (None, *list_timepoints(records)):
        try:
            return select_cohort(records, **chosen, primary=timepoint)
        except AnalysisError as error:
            reason = error
    raise reason


def label_measure(measure: PanelMeasure, words: Words) -> str:
    """Return how a list calls a measure."""
    instrument = read_instrument(measure.instrument)
    name = words.name("instruments", instrument.id, instrument.name)
    variant = (measure.variant or "").replace("-", ", ").replace("_", " ")
    own = words.name(f"variants.{instrument.id}", measure.variant or "", variant)
    return f"{name}, {own}" if measure.variant else name


def offer_measures(records: Records, words: Words) -> tuple[Option, ...]:
    """Offer the recorded measures with the patients of their cohorts who have a score."""
    return tuple(
        _offer(str(place), label_measure(measure, words), count_measured(records, measure))
        for place, measure in enumerate(list_measures(records))
    )


def offer_therapies(widest: Cohort, question: PanelQuestion, words: Words) -> tuple[Option, ...]:
    """Offer the therapies with the patients who fit the other choices."""
    counts = _count_levels(widest, question, "therapy")
    return tuple(
        _offer(id, name_therapy(therapy, words), counts.get(id, 0))
        for id, therapy in widest.therapies.items()
    )


def offer_levels(widest: Cohort, question: PanelQuestion, column: str, words: Words) -> tuple[Option, ...]:
    """Offer the recorded values of a column with the patients who fit the other choices."""
    schema = read_schema()["episodes"][column]
    held = sorted(str(value) for value in widest.episodes[column].dropna().unique())
    known = [value for value in schema.allowed if value in held] or held
    counts = _count_levels(widest, question, column)
    return tuple(
        _offer(value, name_level(column, value, words).replace("_", " "), counts.get(value, 0))
        for value in known
    )


def offer_follow_ups(widest: Cohort, question: PanelQuestion, words: Words) -> tuple[Option, ...]:
    """Offer the time points after the start with the patients seen then who fit the choices."""
    width = len(widest.timepoints)
    status = widest.table["status"].cat.codes.to_numpy().reshape(-1, width)
    patient = widest.episodes["patient"].to_numpy()
    fits = _fit(widest, question)
    seen = status == STATUSES.index("seen")
    return tuple(
        _offer(id, name_timepoint(timepoint, words), len(np.unique(patient[fits & seen[:, place]])))
        for place, (id, timepoint) in enumerate(widest.timepoints.items())
        if place
    )


def offer_thresholds(widest: Cohort, words: Words) -> tuple[Option, ...]:
    """Offer the cited thresholds by which a single patient may count as improved."""
    labels = label_cohort(widest, words)
    return tuple(
        Option(entry.id, name_rule(entry.id, labels))
        for entry in widest.instrument.thresholds
        if entry.level == "individual"
    )


def _offer(id: str, label: str, count: int) -> Option:
    return Option(id, label, f"{count:,}".replace(",", " "), count == 0)


def list_filters() -> tuple[str, ...]:
    """Return the columns of the episodes by which patients may be chosen."""
    return tuple(read_facts("panel")["filters"])


def label_filter(column: str, words: Words) -> str:
    """Return how a column is called above its values."""
    return capitalise(name_column(column, words))


def _fit(widest: Cohort, question: PanelQuestion, *, but: str = "") -> np.ndarray:
    """Return which episodes fit the choices, but for those of one column."""
    chosen: Mapping[str, Iterable[str]] = {**question.filters, "therapy": question.therapies}
    fits = np.ones(len(widest.episodes), dtype=bool)
    for column, values in chosen.items():
        if values and column != but:
            fits &= widest.episodes[column].isin(list(values)).to_numpy(dtype=bool)
    return fits


def _count_levels(widest: Cohort, question: PanelQuestion, column: str) -> dict[str, int]:
    """Return the distinct patients of each value among those who fit the other choices."""
    fits = _fit(widest, question, but=column)
    held = widest.episodes.loc[fits, ["patient", column]].dropna().drop_duplicates()
    return {str(value): int(count) for value, count in held[column].value_counts().items()}


def describe_count(option: Option, words: Words) -> str:
    """Return an option with its count in one text, for a list that shows nothing else."""
    if not option.note:
        return option.label
    return words.say("panel.counted", label=option.label, count=option.note)
