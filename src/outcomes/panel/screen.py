"""What the panel shows: the sentence, the view in front, the table, and the code of each."""

import html
from collections.abc import Sequence
from importlib import resources
from typing import Protocol

import ipywidgets as widgets

from outcomes.facts import Words
from outcomes.panel.choice import FULL, Choice, Option


class Shown(Protocol):
    """Whatever has a fragment of HTML: a view of a page, or a drawing for the team."""

    @property
    def html(self) -> str:
        """Fragment, every text in it escaped."""


class Screen:
    """Widgets that show an answer."""

    def __init__(self, words: Words) -> None:
        self._words = words
        style = "".join(
            resources.files(room).joinpath(name).read_text(encoding="utf-8")
            for room, name in (("outcomes.views", "view.css"), ("outcomes.panel", "panel.css"))
        )
        self.style = widgets.HTML(f"<style>{style}</style>", layout={"display": "none"})
        self.sentence, self.warning, self.front, self.numbers = (widgets.HTML(layout=FULL) for _ in range(4))
        self.front_code, self.numbers_code, self.sentence_code = (widgets.HTML(layout=FULL) for _ in range(3))
        self.progress = widgets.HTML(layout={"display": "none"})
        self.tabs = Choice(words.say("panel.view"), many=False, folded=False)
        self.tabs.add_class("outcomes-tabs")
        answer = [self.sentence, self.sentence_code, self.warning]
        panes = [self.tabs, self.front, self.front_code, self.numbers, self.numbers_code]
        layout = {"flex": "1 1 0%", "min_width": "0", "padding": "0 0 0 1rem"}
        self.box = widgets.VBox([self.style, self.progress, *answer, *panes], layout=layout)

    @property
    def pane(self) -> str:
        """Id of the pane in front."""
        return self.tabs.taken[0] if self.tabs.taken else ""

    def tell_progress(self, choices: int, *, is_busy: bool) -> None:
        """Tell the page how many choices were taken up, and whether parts of the last are worked out."""
        self.progress.value = (
            f'<i class="outcomes-progress" data-choices="{choices}" data-busy="{is_busy:d}"></i>'
        )

    def offer(self, panes: Sequence[str], waiting: Sequence[str]) -> None:
        """Offer panes to bring to the front, and mark those that are being updated."""
        note = self._words.say("panel.updating")
        self.tabs.offer(
            [Option(id, self._words.say(f"panel.panes.{id}"), note if id in waiting else "") for id in panes]
        )
        if not self.tabs.taken and panes:
            self.tabs.value = [panes[0]]

    def say(self, views: Sequence[Shown], *, code: str, waiting: str = "") -> None:
        """Show the sentence, and beneath it what is still being worked out."""
        note = f'<p class="waiting">{html.escape(waiting)}</p>' if waiting else ""
        self.sentence.value = f'<div class="outcomes-view" role="status">{_join(views)}{note}</div>'
        self.sentence_code.value = self._write_code(code)

    def show_front(self, views: Sequence[Shown], *, code: str) -> None:
        """Show the view in front."""
        self.front.value = _wrap(_join(views))
        self.front_code.value = self._write_code(code)

    def show_numbers(self, views: Sequence[Shown], *, code: str) -> None:
        """Show the table."""
        self.numbers.value = _wrap(_join(views))
        self.numbers_code.value = self._write_code(code)

    def explain_front(self, reason: str) -> None:
        """Say why the view in front shows nothing."""
        self.front.value = _wrap(f'<p class="empty">{html.escape(reason)}</p>')
        self.front_code.value = ""

    def explain(self, reason: str) -> None:
        """Say why there is no answer at all."""
        self.sentence.value = (
            f'<div class="outcomes-view" role="alert"><p class="explained">{html.escape(reason)}</p></div>'
        )
        for widget in (self.front, self.numbers, self.sentence_code, self.front_code, self.numbers_code):
            widget.value = ""

    def warn(self, *texts: str) -> None:
        """Show warnings; nothing where there is none."""
        said = "".join(f'<p class="chance" role="note">{html.escape(text)}</p>' for text in texts if text)
        self.warning.value = _wrap(said) if said else ""

    def _write_code(self, code: str) -> str:
        title = html.escape(self._words.say("panel.code"))
        return (
            f'<details class="outcomes-code"><summary>{title}</summary>'
            f'<pre tabindex="0" aria-label="{title}">{html.escape(code)}</pre></details>'
        )


def _wrap(fragment: str) -> str:
    return f'<div class="outcomes-view">{fragment}</div>'


def _join(views: Sequence[Shown]) -> str:
    return "".join(view.html for view in views)
