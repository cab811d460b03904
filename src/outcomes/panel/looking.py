"""How many comparisons were looked at, and what that does to chance findings."""

from __future__ import annotations

from itertools import combinations

from outcomes.facts import Words
from outcomes.panel.question import Question

#: Two-sided level of the intervals that are shown.
_LEVEL = 0.95


class Looking:
    """The comparisons between therapies that were looked at since the panel was opened.

    One is a pair of therapies, with a measure, a time point and a choice of patients.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    @property
    def count(self) -> int:
        """How many were looked at."""
        return len(self._seen)

    def add(self, question: Question, therapies: tuple[str, ...], timepoint: str) -> None:
        """Count what a question shows; what was shown before is not counted again."""
        chosen = tuple(sorted((column, values) for column, values in question.filters.items() if values))
        for pair in combinations(sorted(therapies), 2):
            self._seen.add((question.measure, timepoint, chosen, pair))

    def warn(self, words: Words) -> str:
        """Say what so many comparisons mean, once one of them is expected to stand out by chance.

        Returns
        -------
        str
            Empty before.
        """
        expected = self.count * (1 - _LEVEL)
        if expected < 1:
            return ""
        return words.say(
            "panel.chance",
            count=self.count,
            level=f"{_LEVEL:.0%}".replace("%", " %"),
            expected=round(expected),
        )
