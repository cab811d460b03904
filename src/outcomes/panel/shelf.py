"""Keeping sets of choices by name, and opening them again."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as widgets

from outcomes.errors import OutcomesError
from outcomes.facts import Words
from outcomes.panel.question import Question
from outcomes.panel.saved import list_saved, read_question, save_question

_FULL = {"width": "auto"}


class Shelf:
    """A name and a button to keep the choices, and a list of those that were kept.

    Parameters
    ----------
    source : str
        Name of the source.
    words : Words
    ask : callable
        Returns the question as it stands.
    open_question : callable
        Takes a question that was kept.
    """

    def __init__(
        self,
        source: str,
        words: Words,
        ask: Callable[[], Question],
        open_question: Callable[[Question], None],
    ) -> None:
        self._source, self._words, self._ask, self._open = source, words, ask, open_question
        self.name = widgets.Text(description=words.say("panel.name"), layout=_FULL)
        self.button = widgets.Button(description=words.say("panel.save"), layout={"width": "auto"})
        self.said = widgets.HTML()
        self._place = widgets.Box(layout=_FULL)
        self.button.on_click(lambda _: self.save())
        self.box = widgets.VBox([self._place, self.name, self.button, self.said])
        self._list()

    def save(self) -> None:
        """Keep the choices under the name that was typed."""
        try:
            save_question(self.name.value, self._ask(), self._source, self._words)
        except OutcomesError as error:
            self._say(str(error), "alert")
            return
        self._say(self._words.say("panel.saved", name=self.name.value.strip()))
        self._list()

    def _list(self) -> None:
        """List what was kept; a new list, since one whose options change shows an empty choice."""
        first = (self._words.say("panel.saved_choose"), "")
        try:
            names = list_saved(self._source)
        except OutcomesError as error:
            self._say(str(error), "alert")
            names = ()
        self.saved = widgets.Dropdown(
            description=self._words.say("panel.saved_list"), layout=_FULL,
            options=[first, *((name, name) for name in names)],
        )  # fmt: skip
        self.saved.observe(lambda change: self._take(change["new"]), "value")
        self._place.children = [self.saved] if names else []

    def _take(self, name: str) -> None:
        if not name:
            return
        try:
            self._open(read_question(name))
        except (OutcomesError, TypeError) as error:
            reason = str(error) if isinstance(error, OutcomesError) else self._words.say("panel.not_a_view")
            self._say(reason, "alert")

    def _say(self, text: str, role: str = "status") -> None:
        self.said.value = f'<p role="{role}">{html.escape(text)}</p>'
