"""`Problems`: what was found while reading, and which records and cells were refused for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from outcomes.errors import Finding
from outcomes.facts import Lines, Text, Value, describe_finding, read_facts

_SHOWN_LINES = 10
#: Questions about whose records are.
_WHOSE = ("KEY_SHARED_BY_SITES", "KEY_LEADING_ZEROS", "EPISODE_ORDER")
#: Answers that are longer stand out over the column of their meanings.
_LONGEST_ANSWER = 50
#: Line to write in the source to what it then means, one per reading.
Answers: TypeAlias = Mapping[str, Text | str]
#: What fills the sentences of a finding, and says what it is about.
Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One file of a source: its records are numbered from ``start`` on among all records."""

    file: str
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

    def repeat(self, case: str, records: np.ndarray) -> None:
        """Count records as told before: what they add is read, they themselves are not accepted once more."""
        records = np.unique(records[~self._repeated[records]])
        self._repeated[records] = True
        self.note(f"ROW_REPEATED.{case}", records, "accept")

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
        records: np.ndarray | Sequence[int] = (),
        outcome: str = "accept_with_warning",
        *,
        column: str | None = None,
        place: Place | None = None,
        measure: str | None = None,
        **words: Any,
    ) -> None:
        """Add a finding per file concerned; nothing where ``records`` is empty and no file is named.

        ``rule`` is a key of the catalogue's findings and ``words`` are what fills its sentences; or it is the
        rule alone, and ``words`` have what was found (``what``), with ``remedy`` and ``said`` as needed.
        """
        worded = {"outcome": outcome, "column": column, "measure": measure, **_word(rule, words)}
        records = np.asarray(records, dtype=np.int64)
        if not len(records) and place is not None:
            self.findings.append(Finding(file=place.file, **worded))
        for here in self.places if len(records) else ():
            inside = records[(records >= here.start) & (records < here.stop)]
            if len(inside):
                shown = np.unique(inside)[:_SHOWN_LINES]
                lines = tuple(int(line) for line in here.lines[shown - here.start])
                found = Finding(file=here.file, lines=lines, count=len(inside), **worded)
                if found not in self.findings:  # a column may be read twice
                    self.findings.append(found)

    def ask(
        self,
        rule: str,
        answers: Answers,
        records: np.ndarray | Sequence[int] = (),
        *,
        column: str | None = None,
        **words: Any,
    ) -> None:
        """Ask what the records mean; nothing of the source is read until it answers."""
        width = min(max(map(len, answers)), _LONGEST_ANSWER)
        lines = tuple(
            Text.of("findings.question.line", line=f"{line:{width}}", meaning=meaning)
            for line, meaning in answers.items()
        )
        remedy = Text.of("findings.question.answer_with", lines=Lines(lines))
        worded = _word(rule, words)
        self.note(worded["rule"], records, "ask", column=column, what=worded["what"], remedy=remedy)

    def doubt(
        self,
        rule: str,
        records: np.ndarray,
        shift: float,
        *,
        measure: str,
        answers: Answers | None = None,
        column: str | None = None,
        confirmed: bool = False,
        **values: Value,
    ) -> None:
        """Ask about scores that are kept as recorded, say so on the page or only name them.

        It depends on ``shift``, how far they may move a mean as a share of the measure's range: the share of
        the scores that are concerned times the largest error of one. ``confirmed`` says that the source calls
        them right as they stand. Without ``answers`` the doubt is about single records alone.
        """
        moves = shift > read_facts("checks")["doubt"]["shift"]
        worded = describe_finding(f"findings.{rule}", **values)
        what, asked = worded["what"], moves and bool(answers)
        if answers and asked and not confirmed:
            question = Text.of(f"findings.{rule}.question")
            what = Text.of("findings.question.doubt", what=what, question=question)
            records = np.unique(self.keep_first_file(records))
            self.ask(worded["rule"], answers, records, column=column, what=what)
            return
        what = Text.of("findings.question.confirmed", what=what) if confirmed else what
        outcome, said = "answered" if asked else "accept_with_warning", worded["said"] if moves else ""
        self.note(worded["rule"], records, outcome, column=column, measure=measure, what=what, said=said)

    def refuse(
        self,
        rule: str,
        records: np.ndarray,
        *,
        column: str | None = None,
        contradict: bool = False,
        **words: Any,
    ) -> None:
        """Refuse records for a rule, such as those that ``contradict`` each other."""
        records = np.unique(np.asarray(records, dtype=np.int64))
        if not len(records):
            return
        worded, outcome = _word(rule, words), "quarantine_patient_pair" if contradict else "quarantine_row"
        self.note(records=records, outcome=outcome, column=column, **worded)
        new = records[~self._refused[records]]
        self._refused[new] = True
        if len(new):
            self._refusals.append(_Refusal(worded["rule"], worded["what"], column, "record", new))

    def refuse_silently(self, record: int, rule: str, reason: Text | str, column: str | None) -> None:
        """Record the refusal of a record that already has a finding."""
        if not self._refused[record]:
            self._refused[record] = True
            self._refusals.append(_Refusal(rule, reason, column, "record", np.array([record])))

    def refuse_cells(self, rule: str, records: np.ndarray, *, column: str, **words: Any) -> None:
        """Refuse one cell of each record: it becomes missing, the record stays."""
        records = np.unique(np.asarray(records, dtype=np.int64))
        if len(records):
            worded = _word(rule, words)
            self.note(records=records, outcome="quarantine_cell", column=column, **worded)
            self._refusals.append(_Refusal(worded["rule"], worded["what"], column, "cell", records))

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


def _word(rule: str, words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of a finding: those that are given, else the catalogue's by their key."""
    return {"rule": rule, **words} if "what" in words else describe_finding(f"findings.{rule}", **words)
