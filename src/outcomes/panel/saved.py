"""Named sets of choices: kept in the project as small TOML files, and opened again."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from outcomes.errors import OutcomesError, ReportError
from outcomes.facts import Words, find_project
from outcomes.facts.toml import read_toml
from outcomes.panel.choice import FULL, say_notice
from outcomes.panel.question import PanelMeasure, PanelQuestion

_NAME = re.compile(r"[\w][\w .,-]{0,59}")


def save_question(name: str, question: PanelQuestion, source: str, words: Words) -> Path:
    """Keep the choices of a source's records under a name, as a TOML file in ``data/views/``."""
    name = name.strip()
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ReportError(words.say("panel.bad_name"), exit_code=2)
    path = _find_folder() / f"{name}.toml"
    held = asdict(question)
    filters = {f"only_{column}": values for column, values in held.pop("filters").items() if values}
    content = {"source": source, **held.pop("measure"), **held, **filters}
    lines = [f"# {words.say('panel.saved_comment')}"]
    kept = {key: value for key, value in content.items() if value is not None}
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in kept.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    except OSError as error:
        told = words.say("panel.not_saved", folder=path.parent.name, reason=error.strerror)
        raise ReportError(told, exit_code=9) from None
    return path


def list_saved(source: str) -> tuple[str, ...]:
    """Return the names of the sets of choices that were kept for a source, sorted."""
    paths = sorted(_find_folder().glob("*.toml"))
    return tuple(path.stem for path in paths if read_toml(path).get("source") == source)


def read_question(name: str) -> PanelQuestion:
    """Read a set of choices back."""
    content = read_toml(_find_folder() / f"{name}.toml")
    content.pop("source", None)
    measure = PanelMeasure(str(content.pop("instrument", "")), content.pop("variant", None))
    filters = {
        key.removeprefix("only_"): tuple(value) for key, value in content.items() if key.startswith("only_")
    }
    choices = {"primary", "adjusted", "threshold", "audience"}
    known: dict[str, Any] = {key: content[key] for key in choices & content.keys()}
    known |= {key: tuple(content.get(key, ())) for key in ("therapies", "timepoints")}
    return PanelQuestion(measure, filters=filters, **known)


def _find_folder() -> Path:
    return find_project() / "data" / "views"


class SavedChoices:
    """A name and a button to keep the choices, and a list of those that were kept."""

    def __init__(
        self,
        source: str,
        words: Words,
        ask: Callable[[], PanelQuestion],
        open_question: Callable[[PanelQuestion], None],
    ) -> None:
        self._source, self._words, self._ask, self._open = source, words, ask, open_question
        self.name = widgets.Text(description=words.say("panel.name"), layout=FULL)
        self.button = widgets.Button(description=words.say("panel.save"), layout=FULL)
        self.said = widgets.HTML()
        self._place = widgets.Box(layout=FULL)
        self.button.on_click(lambda _: self.save())
        self.box = widgets.VBox([self._place, self.name, self.button, self.said])
        self._list()

    def save(self) -> None:
        """Keep the choices under the name that was typed."""
        try:
            save_question(self.name.value, self._ask(), self._source, self._words)
        except OutcomesError as error:
            say_notice(self.said, str(error), "alert")
            return
        say_notice(self.said, self._words.say("panel.saved", name=self.name.value.strip()))
        self._list()

    def _list(self) -> None:
        """List what was kept; a new list, since one whose options change shows an empty choice."""
        first = (self._words.say("panel.saved_choose"), "")
        try:
            names = list_saved(self._source)
        except OutcomesError as error:
            say_notice(self.said, str(error), "alert")
            names = ()
        description, options = self._words.say("panel.saved_list"), [first, *((name, name) for name in names)]
        self.saved = widgets.Dropdown(description=description, layout=FULL, options=options)
        self.saved.observe(lambda change: self._take(change["new"]), "value")
        self._place.children = [self.saved] if names else []

    def _take(self, name: str) -> None:
        if not name:
            return
        try:
            self._open(read_question(name))
        except (OutcomesError, TypeError) as error:
            reason = str(error) if isinstance(error, OutcomesError) else self._words.say("panel.not_a_view")
            say_notice(self.said, reason, "alert")
