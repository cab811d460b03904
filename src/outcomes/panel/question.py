"""`PanelQuestion`: what is chosen in the panel, and what it means for a cohort."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True)
class PanelMeasure:
    """An instrument with its variant, as recorded."""

    instrument: str
    variant: str | None = None


@dataclass(frozen=True)
class PanelQuestion:
    """What is looked at. None and nothing chosen mean all, or what the source declares."""

    measure: PanelMeasure
    therapies: tuple[str, ...] = ()
    #: Column of the episodes to the values that are looked at.
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Ids of the follow-ups that are shown.
    timepoints: tuple[str, ...] = ()
    primary: str | None = None
    #: Whether therapies are compared, adjusted for what was recorded at the start.
    adjusted: bool = True
    #: Id of the threshold by which patients count as improved.
    threshold: str | None = None
    audience: str = "team"

    def describe_cohort(self) -> dict[str, Any]:
        """Return the options of `outcomes.select_cohort` that are chosen; the others are absent."""
        filters = {column: list(values) for column, values in self.filters.items() if values}
        where = {column: values[0] if len(values) == 1 else values for column, values in filters.items()}
        timepoints = (*self.timepoints, self.primary) if self.timepoints else ()
        chosen = {
            "instrument": self.measure.instrument,
            "variant": self.measure.variant,
            "primary": self.primary,
            "timepoints": [id for id in dict.fromkeys(timepoints) if id],
            "therapies": list(self.therapies),
            "where": where,
        }
        return {name: value for name, value in chosen.items() if value}
