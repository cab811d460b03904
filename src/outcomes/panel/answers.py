"""`Answer`: what a question is answered with, each part worked out when it is first looked at."""

from __future__ import annotations

from functools import cached_property

import outcomes
from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import Release, choose_detail, release
from outcomes.panel.panes import INDIVIDUALS, list_panes, list_steps
from outcomes.panel.question import Question
from outcomes.records import Records
from outcomes.views import View
from outcomes.views.individual import Drawing, draw_individuals


class Answer:
    """The answer to a question; whatever was worked out once is kept.

    Parameters
    ----------
    records : Records
    question : Question
    language : str
        In which it is written.
    """

    def __init__(self, records: Records, question: Question, language: str = "en") -> None:
        self.records = records
        self.language = language
        self.question = question
        self._releases: dict[str, Release] = {}
        self._panes: dict[str, tuple[View | Drawing, ...]] = {}

    @cached_property
    def cohort(self) -> Cohort:
        """The patients that the question is about.

        Raises
        ------
        AnalysisError
            When the records cannot answer it; the message says why.
        """
        cohort = select_cohort(self.records, **self.question.describe_cohort())
        return choose_detail(cohort, self.question.audience)

    def release(self, name: str) -> Release:
        """Return an analysis of the cohort as the question's audience may see it.

        Parameters
        ----------
        name : str
            A key of `outcomes.panel.panes.list_steps`.
        """
        if name not in self._releases:
            step = list_steps(self.question)[name]
            analyse = getattr(outcomes, step.analysis)
            self._releases[name] = release(
                analyse(self.cohort, **step.options), self.question.audience, language=self.language
            )
        return self._releases[name]

    def show(self, pane: str) -> tuple[View | Drawing, ...]:
        """Return the views of a pane.

        Raises
        ------
        OutcomesError
            When the records cannot answer; the message says why.
        """
        if pane not in self._panes:
            if pane == INDIVIDUALS:
                self._panes[pane] = (draw_individuals(self.cohort, self.language),)
            else:
                self._panes[pane] = tuple(
                    getattr(outcomes, part.view)(*(self.release(name) for name in part.steps), **part.options)
                    for part in list_panes(self.question)[pane]
                )
        return self._panes[pane]

    def is_ready(self, pane: str) -> bool:
        """Return whether a pane was worked out already."""
        return pane in self._panes
