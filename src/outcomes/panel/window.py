"""`open_panel`: choose a measure, therapies and a time point; see the course, the numbers and a sentence."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from typing import Any

import ipywidgets as widgets
import pandas as pd

from outcomes.errors import AnalysisError, OutcomesError
from outcomes.facts import read_words
from outcomes.panel.answers import Answer, answer_question
from outcomes.panel.choices import Measure, list_follow_ups, list_measures, select_widest
from outcomes.panel.controls import Controls
from outcomes.records import Records


class Panel:
    """Controls and what they show; the team sees unrounded numbers here, for the clinic only.

    Parameters
    ----------
    records : Records
    controls : Controls
    """

    def __init__(self, records: Records, controls: Controls) -> None:
        self.records = records
        self.controls = controls
        self._answer: Answer | None = None
        self._screen = widgets.HTML()
        self._box = widgets.VBox([controls.box, self._screen])
        controls.observe(self._change_measure, self._refresh)
        self._change_measure()

    @property
    def answer(self) -> Answer:
        """What is shown: cohort, results and views.

        Raises
        ------
        AnalysisError
            When the question as it stands has no answer; the panel says why.
        """
        if self._answer is None:
            raise AnalysisError(read_words().say("panel.no_answer"))
        return self._answer

    def choose(
        self,
        *,
        instrument: str | None = None,
        variant: str | None = None,
        therapies: Sequence[str] | None = None,
        timepoint: str | None = None,
    ) -> None:
        """Choose by code what the controls choose by hand.

        Parameters
        ----------
        instrument, variant : str, optional
            A recorded measure.
        therapies : sequence of str, optional
            Ids.
        timepoint : str, optional
            Id.
        """
        measure = Measure(instrument, variant) if instrument else None
        self.controls.choose(measure=measure, therapies=therapies, timepoint=timepoint)

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers that are shown as a pandas frame, one row per estimate."""
        return self.answer.change.to_frame()

    def _change_measure(self) -> None:
        try:
            cohort = select_widest(self.records, self.controls.measure)
        except OutcomesError as error:
            self._show_reason(error)
            return
        self.controls.offer(cohort.therapies, list_follow_ups(cohort), cohort.primary)
        self._refresh()

    def _refresh(self) -> None:
        try:
            self._answer = answer_question(self.records, self.controls.question)
        except OutcomesError as error:
            self._show_reason(error)
            return
        style = resources.files("outcomes.views").joinpath("view.css").read_text(encoding="utf-8")
        shown = "".join(view.html for view in self._answer.views)
        self._screen.value = f'<style>{style}</style><div class="outcomes-view" role="status">{shown}</div>'

    def _show_reason(self, error: OutcomesError) -> None:
        self._answer = None
        self._screen.value = f'<p role="alert">{html.escape(str(error))}</p>'

    def _repr_mimebundle_(self, **kw: Any) -> Any:
        return self._box._repr_mimebundle_(**kw)


def open_panel(records: Records) -> Panel:
    """Open the panel on records.

    Parameters
    ----------
    records : Records

    Returns
    -------
    Panel
        Shows itself as the last expression of a notebook's cell. `Panel.to_frame` hands over its numbers.

    Raises
    ------
    AnalysisError
        When no measure with a better and a worse end was recorded.
    """
    measures = list_measures(records)
    if not measures:
        raise AnalysisError(read_words().say("panel.no_measure"))
    return Panel(records, Controls(measures, read_words()))
