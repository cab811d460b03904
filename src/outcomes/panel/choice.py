"""`Choice`: boxes to tick, or radio buttons, each with a count; they work by keyboard alone."""

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

_HERE = Path(__file__).parent
#: Layout of a widget that is as wide as its column.
FULL = {"width": "auto"}


@dataclass(frozen=True)
class Option:
    """One of several things to choose from."""

    id: str
    label: str
    #: What stands behind it, such as how many patients there are.
    note: str = ""
    #: Whether there is nothing behind it.
    empty: bool = False


class Choice(anywidget.AnyWidget):
    """A group of boxes to tick, or of which one is taken.

    JupyterLab's own list of boxes shows no counts, and its folding part is deaf to the keyboard; this one is
    a form's plain ``fieldset``, within ``details`` where it is folded.
    """

    _esm = _HERE / "choice.js"
    _css = _HERE / "choice.css"
    #: What is chosen.
    label = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Dict()).tag(sync=True)
    #: Ids that are chosen.
    value = traitlets.List(traitlets.Unicode()).tag(sync=True)
    #: Whether several may be chosen; none then means all.
    many = traitlets.Bool(True).tag(sync=True)
    #: Whether the boxes are hidden behind the label until they are asked for.
    folded = traitlets.Bool(True).tag(sync=True)
    #: What the label says while nothing is ticked.
    none = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        label: str,
        options: Sequence[Option] = (),
        value: Sequence[str] = (),
        *,
        many: bool = True,
        folded: bool = True,
        none: str = "",
    ) -> None:
        held = [asdict(option) for option in options]
        super().__init__(label=label, options=held, value=list(value), many=many, folded=folded, none=none)

    @property
    def taken(self) -> tuple[str, ...]:
        """Ids of what is chosen, in the order of the options."""
        return tuple(option["id"] for option in self.options if option["id"] in self.value)

    def offer(self, options: Sequence[Option]) -> None:
        """Offer other options, or the same with other notes; what is not among them is no longer chosen."""
        held = [asdict(option) for option in options]
        if held != self.options:
            self.options = held
        known = [option.id for option in options]
        self.value = [id for id in self.value if id in known]


def say_notice(place: widgets.HTML, text: str, role: str = "status") -> None:
    """Show what became of an action, to screen readers as a ``status`` or an ``alert``."""
    place.value = f'<p role="{role}">{html.escape(text)}</p>'
