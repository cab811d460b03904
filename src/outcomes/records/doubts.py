"""`Doubt`: what may be wrong with scores of a measure, told by how far it may move a mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Instrument, read_facts
from outcomes.records.problems import Problems


@dataclass(frozen=True)
class Doubt:
    """A doubt about scores that are kept as recorded.

    Parameters
    ----------
    rule : str
    instrument : Instrument
    what : str
        The finding.
    said : str
        The sentence for pages: how the scores were read, no count of patients.
    question : str
        The readings, ending with a question mark; ``""`` where the doubt is about single records alone.
    answers : mapping
        As in `Problems.ask`.
    """

    rule: str
    instrument: Instrument
    what: str
    said: str
    question: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)

    def tell(
        self,
        problems: Problems,
        records: np.ndarray,
        shift: float,
        *,
        column: str | None = None,
        confirmed: bool = False,
        remedy: str | None = None,
    ) -> None:
        """Ask, say on the page or only name a doubt, by what it may do to a mean.

        Parameters
        ----------
        problems : Problems
        records : numpy.ndarray
            Those concerned.
        shift : float
            By how far it may move a mean, as a share of the measure's range: the share of the scores that
            are concerned times the largest error of one.
        column : str, optional
            Their header, where it is one.
        confirmed : bool
            Whether the source says that they are right as they stand.
        remedy : str, optional
        """
        moves = shift > read_facts("checks")["doubt"]["shift"]
        if moves and self.question and not confirmed:
            first = problems.find_place(int(records.min()))
            inside = records[records < first.stop]
            problems.ask(
                self.rule, f"{self.what}: {self.question}", self.answers, np.unique(inside), column=column
            )
            return
        problems.note(
            self.rule,
            "answered" if moves and self.question else "accept_with_warning",
            f"{self.what}, as the source says" if confirmed else self.what,
            records,
            column=column,
            remedy=remedy,
            said=self.said if moves else "",
            measure=self.instrument.id,
        )
