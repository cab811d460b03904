"""`FileFindings`: what is noticed in one file, gathered so that all its problems are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from outcomes.errors import Finding, PrivacyError, RecordsError

_LINES_SHOWN = 10


class MarksTexts(Protocol):
    """Says which texts may identify a person."""

    def __call__(self, texts: Sequence[str], *, one_column: bool = False) -> Iterable[bool]:
        """Return one answer per text."""


class FileFindings:
    """The findings of one file, in the order in which they were made.

    Parameters
    ----------
    file : str
        Name of the file as messages may show it.
    marks : callable, optional
        Takes texts, and whether they are cells of one column, and says which may identify a person; such
        texts are withheld from messages.

    Examples
    --------
    >>> findings = FileFindings("clinic.csv")
    >>> findings.repair("ENC_BOM", "a byte order mark was skipped")
    >>> [str(finding) for finding in findings.all]
    ['clinic.csv: ENC_BOM: a byte order mark was skipped']
    """

    def __init__(self, file: str | None, marks: MarksTexts | None = None) -> None:
        self.file = file
        self._marks = marks
        self._findings: list[Finding] = []
        self._identifying = False

    @property
    def all(self) -> tuple[Finding, ...]:
        """All findings so far."""
        return tuple(self._findings)

    @property
    def refused(self) -> bool:
        """Whether the file is refused."""
        return any(finding.outcome == "refuse_file" for finding in self._findings)

    def add(
        self,
        outcome: str,
        rule: str,
        what: str,
        lines: Iterable[int] = (),
        column: str | None = None,
        count: int | None = None,
        remedy: str | None = None,
    ) -> None:
        """Add a finding; its first ten lines are shown, and all are counted unless a count is given."""
        places = [int(line) for line in lines]
        shown = tuple(sorted(set(places))[:_LINES_SHOWN])
        number = count if count is not None else max(1, len(places))
        self._findings.append(Finding(rule, outcome, what, self.file, shown, column, number, remedy))

    def refuse(self, rule: str, what: str, **where) -> None:
        """Add a reason to refuse the file; `stop` raises it together with all others."""
        self.add("refuse_file", rule, what, **where)

    def refuse_privately(self, rule: str, what: str, **where) -> None:
        """Add a reason to refuse the file because it may identify people."""
        self._identifying = True
        self.refuse(rule, what, **where)

    def repair(self, rule: str, what: str, **where) -> None:
        """Add a repair that changed no meaning."""
        self.add("repair_and_log", rule, what, **where)

    def warn(self, rule: str, what: str, **where) -> None:
        """Add something that was accepted but should be looked at."""
        self.add("accept_with_warning", rule, what, **where)

    def count_identifying(self, texts: Sequence[str]) -> int:
        """Return how many cells of one column may identify a person; 0 where nobody says so."""
        return int(sum(self._marks(texts, one_column=True))) if self._marks and texts else 0

    def veil(self, headers: Sequence[str], shown: Sequence[str] = ()) -> list[str]:
        """Return headers as messages may show them: those that may be a person's data are withheld.

        Parameters
        ----------
        headers : sequence of str
        shown : sequence of str
            Headers that the source TOML names, which are no secret.
        """
        if self._marks is None:
            return list(headers)
        marked = self._marks(headers)
        return [
            f"(header {place}, withheld)" if mark and header not in shown else header
            for place, (header, mark) in enumerate(zip(headers, marked, strict=True), start=1)
        ]

    def drop_identifying(self, texts: Sequence[str], *, one_column: bool = False) -> list[str | None]:
        """Return texts that the file says of itself, None for those that may identify a person."""
        marked = self._marks(texts, one_column=one_column) if self._marks and texts else [False] * len(texts)
        return [None if mark else text for text, mark in zip(texts, marked, strict=True)]

    def accept(self, rule: str, what: str, **where) -> None:
        """Add something unusual that is allowed."""
        self.add("accept", rule, what, **where)

    def stop(self) -> None:
        """Raise all findings when any of them refuses the file.

        Raises
        ------
        PrivacyError
            When one of the reasons is that the file may identify people.
        RecordsError
            When it is refused for other reasons.
        """
        if not self.refused:
            return
        kind = PrivacyError if self._identifying else RecordsError
        number = sum(finding.outcome == "refuse_file" for finding in self._findings)
        problems = "one problem" if number == 1 else f"{number} problems"
        name = self.file or "A file"
        raise kind(f"{name} was not read: {problems} to solve first.", self._findings)
