"""The one error family of the package, and the `Finding` that every message is made of.

A message says what, where (file, line, column, rule), how many, and what to do; never a patient's value.
Only `outcomes.cli` catches these errors.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from textwrap import indent
from traceback import walk_tb
from typing import Any

#: The words around what a finding says, in English; a catalogue has them as ``findings.frame``.
FRAME = {"question": "Question", "about": "about", "line": "line", "column": "column", "times": "times"}


@dataclass(frozen=True)
class Finding:
    """Something noticed in a source, a file of facts or a report's parameters.

    What it says is a text of the catalogue, or a string, and holds no patient's value.
    """

    #: Name of the rule, such as ``SCORE_RANGE``.
    rule: str
    #: ``refuse_file``, ``ask`` (nothing is read until the source answers), ``quarantine_row``,
    #: ``quarantine_cell``, ``quarantine_patient_pair``, ``answered`` (the source answered against the
    #: evidence), ``repair_and_log``, ``accept_with_warning`` or ``accept``.
    outcome: str
    #: What was found, in one sentence.
    what: Any
    #: Name of the file, never its folder.
    file: str | None = None
    #: First physical lines of the records concerned, at most ten.
    lines: tuple[int, ...] = ()
    #: Header of the column concerned.
    column: str | None = None
    #: How many records or cells are concerned.
    count: int = 1
    #: What to do, as a rule the line to add or change in the source.
    remedy: Any = None
    #: What pages print of it under Methods: a sentence without any count of patients; empty for nothing.
    said: Any = ""
    #: Instrument whose pages print it; those of all instruments where absent.
    measure: str | None = None

    def __str__(self) -> str:
        """Return the finding as a line, and what to do about it as lines beneath; a question stands alone."""
        return self.write(str, FRAME)

    def write(self, write: Callable[[object], str], frame: Mapping[str, str]) -> str:
        """Return the finding in a language, by what writes its texts and by the words around them."""
        asks = self.outcome == "ask"
        where = [self.file] if self.file else []
        if self.lines and not (asks and self.count > len(self.lines)):  # a question is of all of a column
            more = " ..." if self.count > len(self.lines) else ""
            where.append(f"{frame['line']} {', '.join(map(str, self.lines))}{more}")
        if self.column:
            where.append(f"{frame['column']} {self.column!r}")
        what, remedy = write(self.what), "\n" + indent(write(self.remedy), "  ") if self.remedy else ""
        if asks:
            about = f" {frame['about']} {', '.join(where)}" if where else ""
            return f"{frame['question']}{about} ({self.rule}):\n{indent(what, '  ')}{remedy}"
        place = f"{', '.join(where)}: " if where else ""
        number = f" ({self.count} {frame['times']})" if self.count > 1 else ""
        return f"{place}{self.rule}: {what}{number}{remedy}"

    def describe(self) -> dict[str, object]:
        """Return the finding for machines, its texts in English."""
        remedy = None if self.remedy is None else str(self.remedy)
        return asdict(replace(self, what=str(self.what), remedy=remedy, said=str(self.said)))


class OutcomesError(Exception):
    """A mistake that its reader can mend: what went wrong, what to do, and all problems found."""

    exit_code = 1

    def __init__(self, message: object, findings: Iterable[Finding] = ()) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join([str(message), *self._write_findings()]))

    def _write_findings(self) -> Iterator[str]:
        """Yield the findings as lines; beside questions only what blocks, as answers change the rest."""
        others = [finding for finding in self.findings if finding.outcome != "ask"]
        shown = [one for one in others if one.outcome == "refuse_file"] if self.questions else others
        yield from (indent(str(finding), "  ") for finding in shown)
        yield from ("\n" + indent(str(finding), "  ") for finding in self.questions)
        if left := len(others) - len(shown):
            yield f"\n  {left} more finding{'s' * (left > 1)} once that is answered."

    @property
    def questions(self) -> tuple[Finding, ...]:
        """The questions among what was found: nothing is wrong, and nobody but the source can answer."""
        return tuple(finding for finding in self.findings if finding.outcome == "ask")

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows instead of a traceback: the words, alone where they are the package's.

        What a cell raises by itself may say anything, and begins with the error's name.
        """
        own = False
        for frame, _ in walk_tb(self.__traceback__):
            own = str(frame.f_globals.get("__name__")).partition(".")[0] == "outcomes"
        return (str(self) if own else f"{type(self).__name__}: {self}").split("\n")


class FactsError(OutcomesError):
    """A file of facts, a source TOML or a configuration is wrong, or a name in it is unknown."""

    exit_code = 2


class RecordsError(OutcomesError):
    """A source could not be read or its structure is wrong."""

    exit_code = 3


class PrivacyError(OutcomesError):
    """The de-identification gate refused a mapped column or a file."""

    exit_code = 4


class RefusedShareError(RecordsError):
    """More records were refused than the source tolerates."""

    exit_code = 5


class AnalysisError(OutcomesError):
    """A question cannot be asked of these records as it stands."""

    exit_code = 6


class DisclosureError(OutcomesError):
    """A result may not leave in this form."""

    exit_code = 7


class ReportError(OutcomesError):
    """A report could not be made or its parameters are wrong; nothing was published.

    Its code is 2 for parameters, 6 for a notebook, 8 where another run holds the lock, 9 where output cannot
    be written and 10 for the time limit.
    """

    exit_code = 6

    def __init__(self, message: object, findings: Iterable[Finding] = (), exit_code: int = 6) -> None:
        super().__init__(message, findings)
        self.exit_code = exit_code
