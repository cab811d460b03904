"""What is noticed in one file, worded by the catalogue and gathered so that all problems are told at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partialmethod
from typing import Any, NamedTuple, NoReturn, TypeAlias

from outcomes.errors import Finding, PrivacyError, RecordsError
from outcomes.facts import Text, Value, describe_finding

_LINES_SHOWN = 10
#: Says which texts may identify a person, with ``one_column`` among the cells of one column.
MarksTexts: TypeAlias = Callable[..., Iterable[bool]]


def describe(key: str, **values: Value) -> dict[str, Any]:
    """Return ``rule, what, remedy`` and ``said`` of a finding, as far as the catalogue has them.

    A key is a room, a rule and, where a rule has several cases, the case.

    Examples
    --------
    >>> {part: str(text) for part, text in describe("files.FILE_EMPTY").items()}
    {'rule': 'FILE_EMPTY', 'what': 'the file is empty', 'remedy': 'export it again'}
    """
    return describe_finding(f"findings_files.{key}", **values)


class Refusal(NamedTuple):
    """A record or a cell that cannot be read, by its first line and its header; holds no value."""

    line: int
    column: str | None
    rule: str
    what: Text


class FileFindings:
    """The findings of one file in their order; texts that ``marks`` marks are withheld.

    A finding is added by its key in the catalogue; ``lines``, ``column`` and ``count`` say where it is, and
    further values fill the places of its sentences.

    Examples
    --------
    >>> findings = FileFindings("clinic.csv")
    >>> findings.repair("ENC_BOM")
    >>> [str(finding) for finding in findings.all]
    ['clinic.csv: ENC_BOM: a byte order mark before the header was skipped']
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

    def _add(
        self,
        outcome: str,
        worded: Mapping[str, Any],
        lines: Iterable[int] = (),
        column: str | None = None,
        count: int | None = None,
    ) -> None:
        places = [int(line) for line in lines]
        shown = tuple(sorted(set(places))[:_LINES_SHOWN])
        number = count if count is not None else max(1, len(places))
        self._findings.append(
            Finding(outcome=outcome, file=self.file, lines=shown, column=column, count=number, **worded)
        )

    def _note(self, outcome: str, key: str, **values: Any) -> None:
        place = {name: values.pop(name) for name in ("lines", "column", "count") if name in values}
        self._add(outcome, describe(f"files.{key}", **values), **place)

    #: Add a reason to refuse the file; `stop` raises it together with all others.
    refuse = partialmethod(_note, "refuse_file")
    #: Add a repair that changed no meaning.
    repair = partialmethod(_note, "repair_and_log")
    #: Add something that was accepted but should be looked at.
    warn = partialmethod(_note, "accept_with_warning")
    #: Add something unusual that is allowed.
    accept = partialmethod(_note, "accept")

    def refuse_privately(self, key: str, **where: Any) -> None:
        """Add a reason to refuse the file because it may identify people."""
        self._identifying = True
        self.refuse(key, **where)

    def refuse_now(self, key: str, **where: Any) -> NoReturn:
        """Refuse the file without looking any further."""
        self.refuse(key, **where)
        self.stop()
        raise AssertionError("a refused file stops")

    def report_refused(self, refused: Sequence[Refusal]) -> None:
        """Add one finding per rule and column for records that are refused."""
        alike: dict[tuple[str, str | None], list[Refusal]] = {}
        for refusal in refused:
            alike.setdefault((refusal.rule, refusal.column), []).append(refusal)
        for (rule, column), same in alike.items():
            lines = [refusal.line for refusal in same]
            self._add("quarantine_row", {"rule": rule, "what": same[0].what}, lines, column)

    def count_identifying(self, texts: Sequence[str]) -> int:
        """Return how many cells of one column may identify a person; 0 where nobody says so."""
        return int(sum(self._marks(texts, one_column=True))) if self._marks and texts else 0

    def veil(self, headers: Sequence[str], shown: Sequence[str] = ()) -> list[str]:
        """Return headers as messages may show them; those that the source names are no secret (``shown``)."""
        kept = self.drop_identifying(headers)
        return [
            header
            if header in (*shown, kept[place])
            else str(Text.of("findings_files.errors.header_withheld", place=place + 1))
            for place, header in enumerate(headers)
        ]

    def drop_identifying(self, texts: Sequence[str], *, one_column: bool = False) -> list[str | None]:
        """Return texts that the file says of itself, None for those that may identify a person."""
        marked = self._marks(texts, one_column=one_column) if self._marks and texts else [False] * len(texts)
        return [None if mark else text for text, mark in zip(texts, marked, strict=True)]

    def stop(self) -> None:
        """Raise all findings where one refuses the file: a `PrivacyError` if it may identify people."""
        number = sum(finding.outcome == "refuse_file" for finding in self._findings)
        if number:
            kind = PrivacyError if self._identifying else RecordsError
            message = Text.of("findings_files.errors.not_read", file=self.file, number=number)
            raise kind(message, self._findings)
