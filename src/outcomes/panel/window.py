"""`open_panel`: choose, and see what follows in words, a figure and numbers."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import ipywidgets as widgets
import pandas as pd

from outcomes.errors import AnalysisError, OutcomesError
from outcomes.facts import Words, read_words
from outcomes.panel.controls import Controls
from outcomes.panel.making import ReportButton
from outcomes.panel.offers import list_measures, select_widest
from outcomes.panel.panes import ANSWER, DESCRIPTION, NUMBERS, PanelAnswer, list_in_front, write_code
from outcomes.panel.question import PanelMeasure, PanelQuestion
from outcomes.panel.saved import SavedChoices
from outcomes.panel.screen import Screen
from outcomes.records import Records

#: Between two parts that are worked out in the background, so that a choice made meanwhile is heard at once.
_PAUSE_SECONDS = 0.03
#: Two-sided level of the intervals that are shown.
_LEVEL = 0.95


class ComparisonCount:
    """The comparisons between therapies that were looked at since the panel was opened.

    One is a pair of therapies, with a measure, a time point and a choice of patients.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, question: PanelQuestion, therapies: tuple[str, ...], timepoint: str) -> None:
        """Count what a question shows; what was shown before is not counted again."""
        chosen = tuple(sorted((column, values) for column, values in question.filters.items() if values))
        for pair in combinations(sorted(therapies), 2):
            self._seen.add((question.measure, timepoint, chosen, pair))

    def warn(self, words: Words) -> str:
        """Say what so many comparisons mean, once one of them is expected to stand out by chance."""
        count = len(self)
        expected = count * (1 - _LEVEL)
        if expected < 1:
            return ""
        level = f"{_LEVEL:.0%}".replace("%", " %")
        return words.say("panel.chance", count=count, level=level, expected=round(expected))


class Panel:
    """Controls and what they show; for the team inside the clinic, unless its audience is changed.

    The sentence, the table and the view in front follow a choice at once; the comparison of therapies and the
    other views are worked out one by one while nothing else is asked for.
    """

    def __init__(self, records: Records, language: str = "en") -> None:
        self.records = records
        self._words = read_words(language)
        self._controls = Controls(records, self._words)
        self._screen = Screen(self._words)
        self._comparisons = ComparisonCount()
        self._answer: PanelAnswer | None = None
        self._jobs: deque[Callable[[], None]] = deque()
        self._n_choices = 0
        self.making = ReportButton(records, self._words, lambda: self.question)
        self.shelf = SavedChoices(records.source.name, self._words, lambda: self.question, self.set)
        beside = widgets.VBox(
            [self._controls.box, self.making.box, self.shelf.box],
            layout={"flex": "0 0 19rem", "width": "19rem", "overflow": "visible"},
        )
        self._box = widgets.HBox([beside, self._screen.box])
        self._box.add_class("outcomes-panel")
        self._controls.observe(self._change_measure, self._refresh)
        self._screen.tabs.observe(self._turn, "value")
        self._change_measure()

    @property
    def question(self) -> PanelQuestion:
        """What is chosen."""
        return self._controls.question

    @property
    def answer(self) -> PanelAnswer:
        """What is shown: cohort, released analyses and views; refused where the panel says why not."""
        if self._answer is None:
            raise AnalysisError(self._words.say("panel.no_answer"))
        return self._answer

    def choose(
        self, *, instrument: str = "", variant: str | None = None, view: str = "", **choices: Any
    ) -> None:
        """Choose by code what the controls choose by hand: a measure, the view in front, any other choice."""
        measure = PanelMeasure(instrument, variant) if instrument else self.question.measure
        self.set(replace(self.question, measure=measure, **choices))
        if view:
            self._screen.tabs.value = [view]

    def set(self, question: PanelQuestion) -> None:
        """Set all controls to a question; what these records do not hold is left out."""
        with self._controls.silence():
            before = self.question.measure
            self._controls.set(question)
            if self.question.measure != before:
                self._offer_measure()
                self._controls.set(question)
        self._refresh()

    def finish(self) -> None:
        """Work out whatever is waiting, and return when all is done."""
        while self._jobs:
            self._jobs.popleft()()
        self._tell_progress()

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers that are shown as a pandas frame, one row per estimate."""
        return self.answer.release("change").to_frame()

    def _change_measure(self) -> None:
        if self._offer_measure():
            self._refresh()

    def _offer_measure(self) -> bool:
        try:
            self._controls.offer(select_widest(self.records, self.question.measure))
        except OutcomesError as error:
            self._explain(error)
            return False
        return True

    def _turn(self, _: object) -> None:
        """Bring a pane to the front by hand."""
        self._bring_front()
        self._n_choices += 1
        self._tell_progress()

    def _refresh(self) -> None:
        self._n_choices += 1
        self._jobs = deque([self._bring_front])  # something is to follow, until `_start` says what
        question = self.question
        answer = PanelAnswer(self.records, question, self._words.language)
        try:
            cohort = answer.cohort
        except OutcomesError as error:
            self._explain(error)
            return
        self._answer = answer
        panes = list_in_front(question)
        self._screen.offer(panes, panes)
        waiting = question.adjusted
        comparing = self._words.say("panel.comparing") if waiting else ""
        self._show_answer(DESCRIPTION if waiting else ANSWER, comparing)
        self._show_numbers()
        self._comparisons.add(question, tuple(cohort.therapies), cohort.primary)
        chance = self._comparisons.warn(self._words)
        self._screen.warn(*self._list_answered(), self._explain_withheld(), chance)
        front = self._screen.pane
        slow = waiting and front == "comparison"
        if slow:
            self._screen.explain_front(comparing)
        else:
            self._bring_front()
        jobs: list[Callable[[], None]] = [self._bring_front] if slow else []
        jobs += [lambda: self._show_answer(ANSWER)] if waiting else []
        jobs += [self._count, *(partial(self._prepare, id) for id in panes if id != front)]
        self._start(jobs)

    def _list_answered(self) -> list[str]:
        """Return for the team what the source answered against the evidence."""
        if self.question.audience != "team":
            return []
        told = self.records.list_answered(self.question.measure.instrument)
        return [f"{self._words.say('page.answered')} {self._words.write(text)}." for text in told]

    def _explain_withheld(self) -> str:
        """Tell the team why numbers of the table are not shown to stakeholders; empty where all are."""
        if self.question.audience == "team":
            return ""
        try:
            why = self.answer.release("change").why()
        except OutcomesError:  # the table says why there is none
            return ""
        counted = why.loc[why["reason"].ne(""), "sentence"].value_counts()
        if not len(counted):
            return ""
        reasons = " ".join(f"{sentence} ({count})" for sentence, count in counted.items())
        return self._words.say("panel.why", count=counted.sum(), of=len(why), reasons=reasons)

    def _start(self, jobs: list[Callable[[], None]]) -> None:
        """Work on jobs one by one while the kernel has nothing else to do; later ones replace them."""
        self._jobs = deque(jobs)
        self._tell_progress()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # outside a kernel they wait for `finish`, or until they are looked at
        loop.call_later(_PAUSE_SECONDS, self._work, self._jobs)

    def _work(self, jobs: deque[Callable[[], None]]) -> None:
        if jobs is not self._jobs or not jobs:
            return
        jobs.popleft()()
        self._tell_progress()
        asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._work, jobs)

    def _tell_progress(self) -> None:
        self._screen.tell_progress(self._n_choices, is_busy=bool(self._jobs))

    def _show_answer(self, pane: str, waiting: str = "") -> None:
        try:
            self._screen.say(self.answer.show(pane), code=self._write_code(pane), waiting=waiting)
        except OutcomesError as error:
            self._explain(error)

    def _show_numbers(self) -> None:
        try:
            self._screen.show_numbers(self.answer.show(NUMBERS), code=self._write_code(NUMBERS))
        except OutcomesError as error:
            self._explain(error)

    def _bring_front(self) -> None:
        """Show the pane in front, worked out now where it was not yet."""
        pane = self._screen.pane
        if self._answer is None or not pane:
            return
        try:
            self._screen.show_front(self._answer.show(pane), code=self._write_code(pane))
        except OutcomesError as error:
            self._screen.explain_front(str(error))
        self._mark()

    def _prepare(self, pane: str) -> None:
        with suppress(OutcomesError):  # its reason is said when it is brought to the front
            self.answer.show(pane)
        self._mark(pane)

    def _mark(self, *done: str) -> None:
        """Mark the panes that are still being updated."""
        answer = self.answer
        panes = list_in_front(answer.question)
        done = (*done, self._screen.pane)
        self._screen.offer(panes, [id for id in panes if not answer.is_ready(id) and id not in done])

    def _count(self) -> None:
        with self._controls.silence():
            self._controls.count(select_widest(self.records, self.question.measure))

    def _explain(self, error: OutcomesError) -> None:
        self._answer = None
        self._jobs.clear()
        self._screen.explain(str(error))
        with suppress(OutcomesError):  # nothing of this measure may be there to count
            self._count()
        self._tell_progress()

    def _write_code(self, pane: str) -> str:
        return write_code(self.records, self.question, pane)

    def _repr_mimebundle_(self, **kw: Any) -> Any:
        return self._box._repr_mimebundle_(**kw)


def open_panel(records: Records, language: str = "en") -> Panel:
    """Open the panel on records.

    Parameters
    ----------
    records : Records
    language : str
        Of its words, of what it shows and of the report that it makes.

    Returns
    -------
    Panel
        Shows itself as the last expression of a notebook's cell. `Panel.to_frame` hands over its numbers.

    Raises
    ------
    AnalysisError
        When no measure was recorded.
    """
    if not list_measures(records):
        raise AnalysisError(read_words(language).say("panel.no_measure"))
    return Panel(records, language)
