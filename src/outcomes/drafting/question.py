"""`Asked`: a question as it stands in a draft, with the answers that it allows."""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.facts import read_facts


class Asked(str):
    """A text that begins with "?", and the answers that it allows."""

    __slots__ = ("answers", "may_go")
    answers: tuple[str, ...]
    may_go: bool

    def __new__(cls, text: str, answers: Iterable[str] = (), may_go: bool = False) -> Asked:
        """Make the text a question."""
        asked = super().__new__(cls, f"? {text}")
        asked.answers, asked.may_go = tuple(answers), may_go
        return asked


def ask(question: str, answers: Iterable[str] = (), *, may_go: bool = False, **values: object) -> Asked:
    """Return a question of ``drafting.toml``; ``{allowed}`` in it stands for the answers."""
    answers = tuple(answers)
    text = read_facts("drafting")["questions"][question].format(allowed=", ".join(answers), **values)
    return Asked(text, answers, may_go)
