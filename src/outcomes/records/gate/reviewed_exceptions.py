"""Reviewed exceptions to the gate: a person looked at the values of a column and vouched for them."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from outcomes.errors import Finding
from outcomes.facts import Source, Text, read_facts
from outcomes.facts.toml import build_strictly, read_toml
from outcomes.machine.private_files import open_private_folder, spell_safely, write_private_file
from outcomes.records.findings import describe

_USUAL_FILE = "privacy-exceptions.toml"
_LEAD = """\
# Columns of {source} that the gate refused on {day}. Whoever has looked at the values themselves, and can
# vouch that they identify nobody, completes an entry and moves it to {file}. It is void as soon as the values
# change.
"""
_ENTRY = """\
[[exception]]
column = {}
rule = {}
sha256 = "{}"
reason = ""    # why these values identify nobody
reviewer = ""  # who looked at them
reviewed = "{}"
expires = ""   # a day within a year of the review
"""


@dataclass(frozen=True)
class ReviewedException:
    """An ``[[exception]]`` of a file of reviewed exceptions: a rule, a column, its values of a day."""

    column: str
    #: The gate's rule that it lifts.
    rule: str
    #: Fingerprint of the column's sorted distinct values; other values void the exception.
    sha256: str
    #: Why the values identify nobody.
    reason: str
    reviewer: str
    reviewed: str
    #: Last day on which it holds (ISO), at most a year after the review.
    expires: str

    def find_fault(self, today: dt.date) -> str | None:
        """Return the state in which it does not hold on a day, whatever the values; None where it does."""
        if not (self.reason.strip() and self.reviewer.strip()):
            return "unsigned"
        try:
            first, last = (dt.date.fromisoformat(str(day)) for day in (self.reviewed, self.expires))
        except ValueError:
            return "misdated"
        if first > today:
            return "future"
        if last > first + dt.timedelta(days=read_facts("gate")["exceptions"]["longest_days"]):
            return "too_long"
        return "expired" if last < today else None


class Verdict(NamedTuple):
    """An exception, and what it came to: ``in_force``, ``void``, ``not_needed`` or a fault of its own."""

    entry: ReviewedException
    state: str

    def word(self) -> Text:
        """Return its state as a sentence."""
        longest = read_facts("gate")["exceptions"]["longest_days"]
        expires = str(self.entry.expires)
        return Text.of(f"findings_files.gate.exceptions.{self.state}", expires=expires, longest=longest)


class ReviewedExceptions:
    """The exceptions of a source on one day, and what each of them came to while files were inspected."""

    def __init__(self, source: Source, today: dt.date | None = None) -> None:
        self.source = source
        self.today = today or dt.date.today()
        self.file = source.privacy_exceptions or _USUAL_FILE
        self.entries = _read_exceptions(source)
        self._states: dict[int, str] = {}
        #: Columns, rules and fingerprints of what was refused.
        self.refused: dict[tuple[str, str, str], None] = {}

    def judge(self, column: str, rule: str, fingerprint: str) -> Verdict | None:
        """Return what the exception to a rule for a column with these values came to, and note it."""
        verdict = None
        for number, entry in enumerate(self.entries):
            if (entry.column, entry.rule) != (column, rule):
                continue
            fault = entry.find_fault(self.today)
            if fault is None and entry.sha256 == fingerprint:
                self._states[number] = "in_force"
                return Verdict(entry, "in_force")
            verdict = Verdict(entry, fault or "void")
            self._states.setdefault(number, verdict.state)
        self.refused[column, rule, fingerprint] = None
        return verdict

    def list_verdicts(self) -> list[Verdict]:
        """Return each exception with what it came to."""
        return [
            Verdict(entry, self._states.get(number) or entry.find_fault(self.today) or "not_needed")
            for number, entry in enumerate(self.entries)
        ]

    def report(self) -> list[Finding]:
        """Return one finding per exception: who vouched for what, why, until when, and if it holds."""
        findings = []
        soon = self.today + dt.timedelta(days=read_facts("gate")["exceptions"]["soon_days"])
        for verdict in self.list_verdicts():
            entry = verdict.entry
            case = "not_needed" if verdict.state == "not_needed" else "faulty"
            if verdict.state == "in_force":
                case = "ends" if dt.date.fromisoformat(entry.expires) <= soon else "holds"
            told = {"reviewer": entry.reviewer, "reviewed": str(entry.reviewed), "reason": entry.reason}
            told |= {"lifted": entry.rule, "file": self.file}
            worded = describe(f"gate.GATE_EXCEPTION.{case}", state=verdict.word(), **told)
            worded |= {"outcome": "accept_with_warning", "column": entry.column}
            findings.append(Finding(file=self.file, **worded))
        return findings


def _read_exceptions(source: Source) -> list[ReviewedException]:
    """Return the exceptions of a source; none where its file is absent."""
    path = (source.folder or Path()) / (source.privacy_exceptions or "")
    if source.privacy_exceptions is None or not path.is_file():
        return []
    blocks = read_toml(path).get("exception", [])
    return [
        build_strictly(ReviewedException, block, f"{path.name}, [[exception]] {number}")
        for number, block in enumerate(blocks, start=1)
    ]


def fingerprint_values(values: Iterable[str]) -> str:
    """Return the SHA-256 of sorted distinct texts, one a line."""
    return hashlib.sha256("\n".join(sorted(set(values))).encode("utf-8")).hexdigest()


def keep_gate_record(exceptions: ReviewedExceptions, sha256: Mapping[str, str], private_folder: Path) -> None:
    """Write ``gate/<source>.json``, what became of exceptions, and ``gate/<source>.toml`` of new ones.

    Fingerprints stand here and in no message: those of a few short values can be guessed. ``sha256`` are
    those of the files' bytes.
    """
    folder = open_private_folder(open_private_folder(private_folder) / "gate")
    name = spell_safely(exceptions.source.name)
    record = {
        "source": exceptions.source.name,
        "day": exceptions.today.isoformat(),
        "files": dict(sha256),
        "exceptions": [
            asdict(verdict.entry) | {"state": str(verdict.word())} for verdict in exceptions.list_verdicts()
        ],
        "refused": [{"column": column, "rule": rule} for column, rule, _ in exceptions.refused],
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    write_private_file(folder / f"{name}.json", text.encode("utf-8"))
    entries = folder / f"{name}.toml"
    if not exceptions.refused:
        entries.unlink(missing_ok=True)
        return
    lead = _LEAD.format(source=exceptions.source.name, day=exceptions.today, file=exceptions.file)
    blocks = [
        _ENTRY.format(json.dumps(column, ensure_ascii=False), json.dumps(rule), fingerprint, exceptions.today)
        for column, rule, fingerprint in exceptions.refused
    ]
    write_private_file(entries, "\n".join([lead, *blocks, ""]).encode("utf-8"))
