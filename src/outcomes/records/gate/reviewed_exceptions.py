"""Reviewed exceptions to the gate: a person looked at the very values of a column and vouched for them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from outcomes.errors import Finding
from outcomes.facts import Source, read_facts
from outcomes.facts.toml import build_strictly, read_toml

_USUAL_FILE = "privacy-exceptions.toml"


@dataclass(frozen=True)
class ReviewedException:
    """An ``[[exception]]`` of a file of reviewed exceptions: a rule, a column, its values of a day.

    Parameters
    ----------
    column : str
        Header of the column.
    rule : str
        The gate's rule that it lifts.
    sha256 : str
        Fingerprint of the column's sorted distinct values; other values void the exception.
    reason : str
        Why the values identify nobody.
    reviewer : str
        Who looked at them.
    reviewed : str
        The day of the review (ISO).
    expires : str
        Last day on which it holds (ISO), at most a year after the review.
    """

    column: str
    rule: str
    sha256: str
    reason: str
    reviewer: str
    reviewed: str
    expires: str

    def find_fault(self, today: dt.date) -> str | None:
        """Return why it does not hold on a day, whatever the values; None where it does."""
        if not (self.reason.strip() and self.reviewer.strip()):
            return "it names no reason or no reviewer"
        try:
            first, last = (dt.date.fromisoformat(str(day)) for day in (self.reviewed, self.expires))
        except ValueError:
            return 'its days are not written like "2026-11-26"'
        longest = read_facts("gate")["exceptions"]["longest_days"]
        if first > today:
            return "its review lies in the future"
        if last > first + dt.timedelta(days=longest):
            return f"it would hold for more than {longest} days after its review"
        return f"it expired on {self.expires}" if last < today else None


class Verdict(NamedTuple):
    """Whether a rule is lifted, and what a message says of the exception, if there is one."""

    lifted: bool
    why: str = ""


class ReviewedExceptions:
    """The exceptions of a source on one day, and what each of them came to while files were inspected.

    Parameters
    ----------
    source : Source
    today : datetime.date, optional
    """

    def __init__(self, source: Source, today: dt.date | None = None) -> None:
        self.source = source
        self.today = today or dt.date.today()
        self.file = source.privacy_exceptions or _USUAL_FILE
        self.entries = _read_exceptions(source)
        self._states: dict[int, str] = {}
        #: Columns, rules and fingerprints of what was refused.
        self.refused: dict[tuple[str, str, str], None] = {}

    def judge(self, column: str, rule: str, fingerprint: str) -> Verdict:
        """Return whether an exception lifts a rule for a column with these values, and note it."""
        why = ""
        for number, entry in enumerate(self.entries):
            if (entry.column, entry.rule) != (column, rule):
                continue
            fault = entry.find_fault(self.today)
            if fault is None and entry.sha256 == fingerprint:
                self._states[number] = f"in force until {entry.expires}"
                return Verdict(True, f" ({entry.reviewer}, until {entry.expires})")
            state = fault or "it is void, because the values changed since the review"
            why = f"; the exception of {entry.reviewer or 'nobody'} does not hold: {state}"
            self._states.setdefault(number, state)
        self.refused[column, rule, fingerprint] = None
        return Verdict(False, why)

    def list_states(self) -> list[tuple[ReviewedException, str]]:
        """Return each exception with what it came to, in words."""
        return [
            (
                entry,
                self._states.get(number) or entry.find_fault(self.today) or "not needed: no column trips it",
            )
            for number, entry in enumerate(self.entries)
        ]

    def report(self) -> list[Finding]:
        """Return one finding per exception: who vouched for what, why, until when, and if it holds."""
        findings = []
        soon = self.today + dt.timedelta(days=read_facts("gate")["exceptions"]["soon_days"])
        for entry, state in self.list_states():
            holds = state.startswith("in force")
            ends = holds and dt.date.fromisoformat(entry.expires) <= soon
            what = (
                f"exception to {entry.rule}, reviewed by {entry.reviewer or 'nobody'} on {entry.reviewed} "
                f"({entry.reason or 'no reason given'}): {state}{', which is soon' if ends else ''}"
            )
            remedy = "have it reviewed again" if ends or not holds else None
            if state.startswith("not needed"):
                remedy = f"remove it from {self.file}"
            findings.append(
                Finding("GATE_EXCEPTION", "accept_with_warning", what, self.file, (), entry.column, 1, remedy)
            )
        return findings


def _read_exceptions(source: Source) -> list[ReviewedException]:
    """Return the exceptions of a source; none where its file is absent."""
    if source.privacy_exceptions is None:
        return []
    path = (source.folder or Path()) / source.privacy_exceptions
    if not path.is_file():
        return []
    blocks = read_toml(path).get("exception", [])
    return [
        build_strictly(ReviewedException, block, f"{path.name}, [[exception]] {number}")
        for number, block in enumerate(blocks, start=1)
    ]


def fingerprint_values(values: Iterable[str]) -> str:
    """Return the SHA-256 of sorted distinct texts, one a line."""
    return hashlib.sha256("\n".join(sorted(set(values))).encode("utf-8")).hexdigest()
