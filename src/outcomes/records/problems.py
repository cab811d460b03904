"""`Problems`: what was found while reading, and which records and cells were refused for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.errors import Finding
from outcomes.facts import Instrument, Lines, Text, read_facts

_SHOWN_LINES = 10
#: Questions about whose records are.
_WHOSE = ("KEY_SHARED_BY_SITES", "KEY_LEADING_ZEROS", "EPISODE_ORDER")
#: Answers that are longer stand out over the column of their meanings.
_LONGEST_ANSWER = 50
#: Line to write in the source to what it then means, one per reading.
Answers = Mapping[str, Text | str]


@dataclass(frozen=True)
class Place:
    """One file of a source: its records are numbered from ``start`` on among all records."""

    file: str
    #: First line of each record.
    lines: np.ndarray
    start: int

    @property
    def stop(self) -> int:
        """Return the number after its last record."""
        return self.start + len(self.lines)


@dataclass(frozen=True)
class _Refusal:
    """Records or cells refused for one reason: numbers of records, and the header of the cell."""

    rule: str
    reason: Text | str
    column: str | None
    scope: str
    records: np.ndarray


class Problems:
    """A ledger of findings and refusals over all files of a source.

    Records are numbered over all files; each record is refused once, for the first reason met.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.places: list[Place] = []
        self._refusals: list[_Refusal] = []
        self._refused = np.zeros(0, dtype=bool)
        self._repeated = np.zeros(0, dtype=bool)

    def add_file(self, file: str, lines: np.ndarray) -> Place:
        """Register a file by the first line of each of its records, and return its place."""
        place = Place(file, lines, len(self._refused))
        self.places.append(place)
        self._refused = np.append(self._refused, np.zeros(len(lines), dtype=bool))
        self._repeated = np.append(self._repeated, np.zeros(len(lines), dtype=bool))
        return place

    def find_place(self, record: int) -> Place:
        """Return the file of a record."""
        return next(place for place in self.places if place.start <= record < place.stop)

    def keep_first_file(self, records: np.ndarray) -> np.ndarray:
        """Return those of some records that stand in the file of the first of them."""
        first = self.find_place(int(records.min()))
        return records[records < first.stop]

    def is_refused(self, records: np.ndarray | slice) -> np.ndarray:
        """Return which of the records are refused so far."""
        return self._refused[records]

    def is_repeated(self, records: np.ndarray | slice) -> np.ndarray:
        """Return which of the records were told before."""
        return self._repeated[records]

    def repeat(self, records: np.ndarray, what: Text | str) -> None:
        """Count records as told before: what they add is read, they themselves are not accepted once more."""
        records = np.asarray(records, dtype=np.int64)
        records = np.unique(records[~self._repeated[records]])
        self._repeated[records] = True
        self.note("ROW_REPEATED", "accept", what, records)

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings for which the whole source is not read: refusals and open questions."""
        return [finding for finding in self.findings if finding.outcome in ("refuse_file", "ask")]

    @property
    def asks_whose(self) -> bool:
        """Return whether it is asked already whose records are; conflicts between them then say no more."""
        return any(finding.outcome == "ask" and finding.rule in _WHOSE for finding in self.findings)

    def note(
        self,
        rule: str,
        outcome: str,
        what: Text | str,
        records: np.ndarray | Sequence[int] = (),
        *,
        column: str | None = None,
        remedy: Text | str | None = None,
        place: Place | None = None,
        said: Text | str = "",
        measure: str | None = None,
    ) -> None:
        """Add a finding per file concerned; nothing where ``records`` is empty and no file is named."""
        records = np.asarray(records, dtype=np.int64)
        if not len(records):
            if place is not None:
                self.findings.append(
                    Finding(rule, outcome, what, place.file, (), column, 1, remedy, said, measure)
                )
            return
        for here in self.places:
            inside = records[(records >= here.start) & (records < here.stop)]
            if len(inside):
                shown = np.unique(inside)[:_SHOWN_LINES]
                lines = tuple(int(line) for line in here.lines[shown - here.start])
                found = Finding(
                    rule, outcome, what, here.file, lines, column, len(inside), remedy, said, measure
                )
                if found not in self.findings:  # a column may be read twice
                    self.findings.append(found)

    def ask(
        self,
        rule: str,
        what: Text | str,
        answers: Answers,
        records: np.ndarray | Sequence[int] = (),
        *,
        column: str | None = None,
    ) -> None:
        """Ask what the records mean; nothing of the source is read until it answers.

        ``what`` is the evidence in counts and the readings, ending with a question mark.
        """
        width = min(max(map(len, answers)), _LONGEST_ANSWER)
        lines = tuple(
            Text.of("findings.question.line", line=f"{line:{width}}", meaning=meaning)
            for line, meaning in answers.items()
        )
        remedy = Text.of("findings.question.answer_with", lines=Lines(lines))
        self.note(rule, "ask", what, records, column=column, remedy=remedy)

    def refuse(
        self,
        records: np.ndarray,
        rule: str,
        what: Text | str,
        *,
        column: str | None = None,
        remedy: Text | str | None = None,
        outcome: str = "quarantine_row",
    ) -> None:
        """Refuse records for a rule; those refused before keep their first reason."""
        records = np.unique(np.asarray(records, dtype=np.int64))
        if not len(records):
            return
        self.note(rule, outcome, what, records, column=column, remedy=remedy)
        new = records[~self._refused[records]]
        self._refused[new] = True
        if len(new):
            self._refusals.append(_Refusal(rule, what, column, "record", new))

    def refuse_silently(
        self, record: int, rule: str, reason: Text | str, column: str | None, scope: str = "record"
    ) -> None:
        """Record the refusal of a record or a cell that already has a finding."""
        if scope == "record":
            if self._refused[record]:
                return
            self._refused[record] = True
        self._refusals.append(_Refusal(rule, reason, column, scope, np.array([record])))

    def refuse_cells(
        self,
        records: np.ndarray,
        rule: str,
        what: Text | str,
        *,
        column: str,
        remedy: Text | str | None = None,
    ) -> None:
        """Refuse one cell of each record: it becomes missing, the record stays."""
        records = np.unique(np.asarray(records, dtype=np.int64))
        if len(records):
            self.note(rule, "quarantine_cell", what, records, column=column, remedy=remedy)
            self._refusals.append(_Refusal(rule, what, column, "cell", records))

    def tabulate_refusals(self) -> pd.DataFrame:
        """Return one row per refused record or cell: ``record, file, line, column, rule, reason, scope``."""
        frames = [
            pd.DataFrame(
                {
                    "record": refusal.records,
                    "column": refusal.column or "",
                    "rule": refusal.rule,
                    "reason": str(refusal.reason),
                    "scope": refusal.scope,
                }
            )
            for refusal in self._refusals
        ]
        columns = ["record", "file", "line", "column", "rule", "reason", "scope"]
        if not frames:
            return pd.DataFrame(columns=columns)
        table = pd.concat(frames, ignore_index=True)
        starts = np.array([place.start for place in self.places])
        # An empty file shares its start with the next; the last of them holds the records.
        which = np.searchsorted(starts, table["record"].to_numpy(), side="right") - 1
        table["file"] = [self.places[i].file for i in which]
        table["line"] = [
            int(self.places[i].lines[record - self.places[i].start])
            for i, record in zip(which, table["record"], strict=True)
        ]
        return table.sort_values(["record", "scope", "column"], kind="stable")[columns].reset_index(drop=True)


@dataclass(frozen=True)
class ScoreDoubt:
    """What may be wrong with scores of a measure that are kept as recorded."""

    rule: str
    instrument: Instrument
    what: Text
    #: For pages: how the scores were read, without a count of patients.
    said: Text
    #: The readings, ending with a question mark; None where the doubt is about single records alone.
    question: Text | None = None
    answers: Answers = field(default_factory=dict)

    def tell(
        self,
        problems: Problems,
        records: np.ndarray,
        shift: float,
        *,
        column: str | None = None,
        confirmed: bool = False,
        remedy: Text | None = None,
    ) -> None:
        """Ask, say on the page or only name the doubt, by how far it may move a mean.

        ``shift`` is a share of the measure's range: the share of the scores that are concerned times the
        largest error of one; ``confirmed`` that the source says they are right as they stand.
        """
        moves = shift > read_facts("checks")["doubt"]["shift"]
        if moves and self.question and not confirmed:
            what = Text.of("findings.question.doubt", what=self.what, question=self.question)
            records = np.unique(problems.keep_first_file(records))
            problems.ask(self.rule, what, self.answers, records, column=column)
            return
        problems.note(
            self.rule,
            "answered" if moves and self.question else "accept_with_warning",
            Text.of("findings.question.confirmed", what=self.what) if confirmed else self.what,
            records,
            column=column,
            remedy=remedy,
            said=self.said if moves else "",
            measure=self.instrument.id,
        )
