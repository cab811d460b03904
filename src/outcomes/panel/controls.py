"""The controls: a measure, therapies and a time point, each a labelled widget that a keyboard reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets

from outcomes.facts import Therapy, Words
from outcomes.panel.choices import Measure, Question

_WIDE = {"description_width": "7rem"}


class Controls:
    """Widgets for one question.

    Parameters
    ----------
    measures : sequence of Measure
        To choose from; the first is chosen.
    words : Words
    """

    def __init__(self, measures: Sequence[Measure], words: Words) -> None:
        self._measure = widgets.Dropdown(
            description=words.say("panel.measure"),
            options=[(measure.label, measure) for measure in measures],
            style=_WIDE,
            layout={"width": "32rem"},
        )
        self._timepoint = widgets.Dropdown()
        self._time_label = words.say("panel.timepoint")
        self._time_place = widgets.Box()
        self._therapies = widgets.VBox()
        heading = widgets.Label(words.say("panel.therapies"))
        self.box = widgets.VBox([self._measure, self._time_place, heading, self._therapies])
        self._told: Callable[[], None] | None = None

    @property
    def measure(self) -> Measure:
        """The chosen measure."""
        return self._measure.value

    @property
    def question(self) -> Question:
        """The question as it stands."""
        ticked = [box.therapy for box in self._therapies.children if box.value]
        return Question(self.measure, tuple(ticked), self._timepoint.value)

    def offer(self, therapies: Mapping[str, Therapy], follow_ups: Mapping[str, str], timepoint: str) -> None:
        """Offer therapies, all ticked, and time points; where these are the same, the chosen one stays."""
        boxes = []
        for id, therapy in therapies.items():
            box = widgets.Checkbox(
                value=True, description=therapy.label, indent=False, layout={"width": "auto"}
            )
            box.therapy = id
            box.observe(self._tell, "value")
            boxes.append(box)
        self._therapies.children = boxes
        options = tuple((label, id) for id, label in follow_ups.items())
        if options != self._timepoint.options:
            # a new list: one whose options are replaced shows an empty choice in JupyterLab
            self._timepoint = widgets.Dropdown(
                description=self._time_label, options=options, value=timepoint, style=_WIDE
            )
            self._timepoint.observe(self._tell, "value")
            self._time_place.children = [self._timepoint]

    def choose(
        self,
        *,
        measure: Measure | None = None,
        therapies: Sequence[str] | None = None,
        timepoint: str | None = None,
    ) -> None:
        """Choose as a hand at the controls would."""
        if measure is not None:
            self._measure.value = measure
        if timepoint is not None:
            self._timepoint.value = timepoint
        for box in self._therapies.children if therapies is not None else ():
            box.value = box.therapy in (therapies or ())

    def observe(self, measure: Callable[[], None], others: Callable[[], None]) -> None:
        """Call when another measure is chosen, and when anything else is."""
        self._measure.observe(lambda _: measure(), "value")
        self._told = others

    def _tell(self, change: object) -> None:
        if self._told:
            self._told()
