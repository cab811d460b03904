"""Questions of a draft: its own, and what reading by it would ask."""

import json
import re
import tempfile
import tomllib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError
from outcomes.facts import FileSpec, ScoreSpec, Text, Value
from outcomes.facts.source import build_source
from outcomes.records import read_records

_GONE = object()
#: The key under which every answer may stand: names of doubts, and lines of other keys.
_MIXED = "confirmed"
_OF_SCORES = {entry.name for entry in fields(ScoreSpec)} - {entry.name for entry in fields(FileSpec)}


class OpenQuestion(str):
    """A text that begins with "?", the answers that it allows, and whether its line may be deleted instead.

    Where there are no answers, a text of the user's own may stand in its place.
    """

    __slots__ = ("answers", "may_go")
    answers: tuple[str, ...]
    may_go: bool

    def __new__(cls, text: str, answers: Iterable[str] = (), may_go: bool = False) -> "OpenQuestion":
        """Make the text a question."""
        asked = super().__new__(cls, f"? {text}")
        asked.answers, asked.may_go = tuple(answers), may_go
        return asked


def say(key: str, **values: Value) -> str:
    """Return a text of the catalogue's ``draft`` part."""
    return str(Text.of(f"draft.{key}", **values))


def quote_value(value: Any) -> str:
    """Return a text, number, list or table as TOML; a JSON string is a TOML string too."""
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(quote_value, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{quote_key(key)} = {quote_value(entry)}" for key, entry in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return str(value)


def quote_key(key: str) -> str:
    """Return a key as TOML."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quote_value(key)


def ask(key: str, answers: Iterable[str] = (), *, may_go: bool = False, **values: Value) -> OpenQuestion:
    """Return a question of the catalogue; ``allowed`` in it stands for the answers."""
    answers = tuple(answers)
    return OpenQuestion(say(f"questions.{key}", allowed=", ".join(answers), **values), answers, may_go)


@dataclass(frozen=True)
class ReaderQuestion:
    """A question of the reader, as a key of a source."""

    #: Table of the source that the key belongs to; None for a key of the file's block or of a score's.
    section: str | None
    #: Whether it belongs to the block of the column.
    in_scores: bool
    #: Headers that it is about.
    columns: tuple[str, ...]
    key: str
    asked: OpenQuestion
    #: Columns of the schema that would answer it too, where the file has one that holds them.
    to_fill: tuple[str, ...] = ()

    @property
    def listed(self) -> bool:
        """Return whether the key takes a list."""
        return self.key == _MIXED


def find_reader_questions(
    text: str, questions: Iterable[OpenQuestion], path: Path, own: Container[str]
) -> list[ReaderQuestion]:
    """Read a file by a draft whose questions have their first answer, and return what is still asked.

    Scores of one's own measures, whose instrument files are not there yet, are left out. Nothing is kept.
    """
    by_text = {str(asked): asked for asked in questions}
    content = tomllib.loads(text)
    for block in content.get("file", ()):
        _tell_times_apart(block, by_text)
    content = _answer(content, by_text)
    for block in content.get("file", ()):
        block["scores"] = [score for score in block.get("scores", ()) if score.get("instrument") not in own]
    with tempfile.TemporaryDirectory() as folder:
        try:
            read_records(build_source(content, "draft", path.parent), path, private_folder=folder)
        except (FactsError, PrivacyError, RecordsError) as error:
            found = [_turn(finding) for finding in error.findings if finding.outcome == "ask"]
            return list({(asked.key, asked.columns): asked for asked in found if asked}.values())
    return []


def _tell_times_apart(block: dict[str, Any], questions: Mapping[str, OpenQuestion]) -> None:
    """Answer questions about time points so that no two of a measure, or of a column, are the same one."""
    codes = block.get("codes", {}).get("timepoint", {})
    places: dict[str, list[tuple[dict[str, Any], str]]] = {"codes": [(codes, code) for code in codes]}
    for score in block.get("scores", ()):
        if "timepoint" in score:
            measure = f"{score['instrument']} {score.get('variant')}"
            places.setdefault(measure, []).append((score, "timepoint"))
    for entries in places.values():
        used = {table[key] for table, key in entries}
        for table, key in entries:
            asked = questions.get(table[key])
            free = [answer for answer in asked.answers if answer not in used] if asked else []
            if free:
                table[key] = free[0]
                used.add(free[0])


def _answer(value: Any, questions: Mapping[str, OpenQuestion]) -> Any:
    """Return content with each question answered, and without what may go."""
    if isinstance(value, Mapping):
        answered = {key: _answer(entry, questions) for key, entry in value.items()}
        return {key: entry for key, entry in answered.items() if entry is not _GONE}
    if isinstance(value, list):
        return [entry for entry in (_answer(entry, questions) for entry in value) if entry is not _GONE]
    asked = questions.get(value) if isinstance(value, str) else None
    if asked is None:
        return value
    return asked.answers[0] if asked.answers else _GONE if asked.may_go else "A clinic"


def _turn(finding: Finding) -> ReaderQuestion | None:
    """Return a finding as a key with a question; None where nothing that may be written answers it."""
    entries = [entry for line in str(finding.remedy or "").splitlines()[1:] if (entry := _split_line(line))]
    whole = [entry for entry in entries if entry.content and not entry.is_open]
    if not whole:
        return None
    open_columns = [entry for entry in entries if entry.is_open and "[file.columns]" in entry.meaning]
    to_fill = [name for entry in open_columns for name in entry.content]
    keys = {key for entry in whole for key in entry.content}
    alike = len({(entry.section, *entry.content) for entry in whole}) == 1 and len(keys) == 1
    section, key = (whole[0].section, next(iter(keys))) if alike else (None, _MIXED)
    answers = {text: entry.meaning for entry in whole for text in entry.list_answers(key)}
    told = f"{finding.what} {'; '.join(f'{answer}: {meaning}' for answer, meaning in answers.items())}"
    rest = [f"{entry.line} ({entry.meaning})" for entry in entries if entry not in whole]
    if rest:
        told += say("answers.elsewhere", lines="; ".join(rest))
    in_scores = bool(keys & _OF_SCORES) or all("[[file.scores]]" in entry.meaning for entry in whole)
    headers = tuple(re.findall(r"'([^']+)'", whole[0].meaning)) or (finding.column or "",)
    asked = OpenQuestion(told.replace("\n", " "), answers)
    return ReaderQuestion(section, in_scores, headers, key, asked, tuple(to_fill))


@dataclass(frozen=True)
class _AnswerLine:
    """A line that answers a question of the reader, and what it means."""

    line: str
    meaning: str
    section: str | None
    content: Mapping[str, Any]

    @property
    def is_open(self) -> bool:
        """Return whether something has to be filled in."""
        return "<" in self.line or "..." in self.line

    def list_answers(self, key: str) -> list[str]:
        """Return what stands for this line in place of a question of a key: its values, or the line."""
        if key not in self.content:
            return [self.line.replace('"', "'")]
        value = self.content[key]
        return list(value) if isinstance(value, list) else [str(value)]


def _split_line(line: str) -> _AnswerLine | None:
    text, _, meaning = line.strip().partition("  #")
    text, section = text.strip(), None
    if match := re.match(r"\[([\w.]+)\]\s+(?=\S)", text):
        section, text = match[1], text[match.end() :]
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        content = {}
    return _AnswerLine(text, meaning.strip(), section, content) if text else None
