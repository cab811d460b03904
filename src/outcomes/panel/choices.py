"""What a clinician may choose from: the measures, therapies and time points that the records hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outcomes.cohort import Cohort, select_cohort
from outcomes.cohort.question import list_timepoints
from outcomes.errors import AnalysisError
from outcomes.facts import read_instrument
from outcomes.records import Records


@dataclass(frozen=True)
class Measure:
    """An instrument with its variant, as recorded.

    Parameters
    ----------
    instrument : str
        Id.
    variant : str or None
    """

    instrument: str
    variant: str | None

    @property
    def direction(self) -> str:
        """Direction of the score; a subscale has its own."""
        return read_instrument(f"{self.instrument}:{self.variant or ''}").direction

    @property
    def label(self) -> str:
        """How a list calls it."""
        name = read_instrument(self.instrument).name
        return f"{name}, {self.variant.replace('-', ', ').replace('_', ' ')}" if self.variant else name


@dataclass(frozen=True)
class Question:
    """What is looked at.

    Parameters
    ----------
    measure : Measure
    therapies : tuple of str
        Ids; none means all.
    timepoint : str or None
        Id; None is the source's primary time point.
    """

    measure: Measure
    therapies: tuple[str, ...] = ()
    timepoint: str | None = None


def list_measures(records: Records) -> tuple[Measure, ...]:
    """Return the recorded measures that have a direction, the source's primary one first."""
    held = records.assessments[["instrument", "variant"]].drop_duplicates()
    found = {
        Measure(str(instrument), None if variant != variant else str(variant))
        for instrument, variant in held.astype("object").itertuples(index=False)
    }
    primary = records.source.primary.get("instrument")
    directed = (measure for measure in found if measure.direction != "none")
    return tuple(sorted(directed, key=lambda measure: (measure.instrument != primary, measure.label)))


def select_asked(records: Records, question: Question) -> Cohort:
    """Select the cohort of a question.

    Raises
    ------
    AnalysisError
        When the records cannot answer it; the message says why.
    """
    return select_cohort(
        records,
        instrument=question.measure.instrument,
        variant=question.measure.variant,
        therapies=question.therapies or None,
        primary=question.timepoint,
    )


def select_widest(records: Records, measure: Measure) -> Cohort:
    """Select the cohort of a measure with all therapies, at the source's time point or else the first held.

    Raises
    ------
    AnalysisError
        When the measure was followed up at no time point.
    """
    for timepoint in (None, *list_timepoints(records)):
        try:
            return select_asked(records, Question(measure, timepoint=timepoint))
        except AnalysisError as error:
            reason = error
    raise reason


def list_follow_ups(cohort: Cohort) -> Mapping[str, str]:
    """Return the labels of a cohort's time points after the start by their ids."""
    return {id: timepoint.label for id, timepoint in cohort.timepoints.items() if id != "baseline"}
