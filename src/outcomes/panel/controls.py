"""The controls: what a question is made of, each reached and worked by a keyboard alone."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from outcomes.cohort import Cohort
from outcomes.facts import Words
from outcomes.panel.choice import FULL, Choice, Option
from outcomes.panel.offers import (
    describe_count,
    label_filter,
    list_filters,
    list_measures,
    offer_follow_ups,
    offer_levels,
    offer_measures,
    offer_therapies,
    offer_thresholds,
)
from outcomes.panel.question import PanelQuestion
from outcomes.records import Records
from outcomes.records.absence import explain_column


class Controls:
    """Widgets for one question."""

    def __init__(self, records: Records, words: Words) -> None:
        self._measures = list_measures(records)
        self._words = words
        self._heard: Callable[[], None] | None = None
        self._measured: Callable[[], None] | None = None
        self._silent = False
        self.measure = self._list("measure", self._name(offer_measures(records, words)), self._tell_measure)
        self.primary, self.threshold = (self._list(name, [], self._tell) for name in ("primary", "threshold"))
        self._places = {name: widgets.Box(layout=FULL) for name in ("primary", "threshold")}
        all_of_them = words.say("panel.all")
        self.therapies = Choice(words.say("panel.therapies"), none=all_of_them)
        self.timepoints = Choice(words.say("panel.timepoints"), none=all_of_them)
        self.filters = {
            column: Choice(label_filter(column, words), none=all_of_them) for column in list_filters()
        }
        self.compared = self._row("compared", ("adjusted", "raw"))
        self.audience = self._row("audience", ("team", "stakeholder"))
        choices = [self.audience, self.compared, self.therapies, *self.filters.values(), self.timepoints]
        for choice in choices:
            choice.observe(lambda _: self._tell(), "value")
        self.box = widgets.VBox([self.measure, self._places["primary"], *choices, self._places["threshold"]])

    @property
    def question(self) -> PanelQuestion:
        """The question as it stands."""
        return PanelQuestion(
            measure=self._measures[int(self.measure.value)],
            therapies=self.therapies.taken,
            filters={column: choice.taken for column, choice in self.filters.items() if choice.taken},
            timepoints=self.timepoints.taken,
            primary=self.primary.value,
            adjusted=self.compared.taken == ("adjusted",),
            threshold=self.threshold.value or None,
            audience=self.audience.taken[0],
        )

    def set(self, question: PanelQuestion) -> None:
        """Set the controls that do not depend on the measure's records as a question has them."""
        if question.measure in self._measures:
            self.measure.value = str(self._measures.index(question.measure))
        self.therapies.value = list(question.therapies)
        self.timepoints.value = list(question.timepoints)
        for column, choice in self.filters.items():
            choice.value = list(question.filters.get(column, ()))
        self.compared.value = ["adjusted" if question.adjusted else "raw"]
        self.audience.value = [question.audience]
        for control, value in ((self.primary, question.primary), (self.threshold, question.threshold or "")):
            if value in [id for _, id in control.options]:
                control.value = value

    def offer(self, widest: Cohort) -> None:
        """Offer what a measure's records hold; what is chosen and still there stays chosen."""
        held = self.primary.value if self.primary.value in widest.timepoints else widest.primary
        self._replace("primary", self._name(offer_follow_ups(widest, self.question, self._words)), held)
        usual = (self._words.say("panel.usual_threshold"), "")
        cited = [(option.label, option.id) for option in offer_thresholds(widest, self._words)]
        self._replace("threshold", [usual, *cited], self.threshold.value)
        self.count(widest)

    def count(self, widest: Cohort) -> None:
        """Write beside each choice how many patients fit it and all other choices."""
        question = self.question
        self.therapies.offer(offer_therapies(widest, question, self._words))
        follow_ups = offer_follow_ups(widest, question, self._words)
        self._replace("primary", self._name(follow_ups), self.primary.value)
        self.timepoints.offer(follow_ups)
        for column, choice in self.filters.items():
            options = offer_levels(widest, question, column, self._words)
            absent = explain_column(widest.records, column)
            choice.none = self._words.say("panel.all" if options else f"panel.{absent}")
            choice.offer(options)

    def observe(self, measure: Callable[[], None], others: Callable[[], None]) -> None:
        """Call when another measure is chosen, and when anything else is."""
        self._measured, self._heard = measure, others

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Set several controls, and tell nobody until that is done."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def _list(self, name: str, options: list[tuple[str, str]], told: Callable[[], None]) -> widgets.Dropdown:
        description = self._words.say(f"panel.{name}")
        control = widgets.Dropdown(description=description, options=options, layout=FULL)
        control.observe(lambda _: told(), "value")
        return control

    def _replace(self, name: str, options: list[tuple[str, str]], value: Any) -> None:
        """Offer other options in a list; a new list, since one whose options change shows an empty choice."""
        control = getattr(self, name)
        if tuple(options) != tuple(control.options) or not self._places[name].children:
            known = [id for _, id in options]
            control = self._list(name, options, self._tell)
            with self.silence():
                control.value = value if value in known else (known[0] if known else None)
            setattr(self, name, control)
            self._places[name].children = [control]

    def _name(self, options: Iterable[Option]) -> list[tuple[str, str]]:
        """Return options as a list shows them, with their counts in one text."""
        return [(describe_count(option, self._words), option.id) for option in options]

    def _row(self, name: str, ids: tuple[str, ...]) -> Choice:
        options = [Option(id, self._words.say(f"panel.{name}_{id}")) for id in ids]
        return Choice(self._words.say(f"panel.{name}"), options, ids[:1], many=False, folded=False)

    def _tell(self) -> None:
        if self._heard and not self._silent:
            self._heard()

    def _tell_measure(self) -> None:
        if self._measured and not self._silent:
            self._measured()
