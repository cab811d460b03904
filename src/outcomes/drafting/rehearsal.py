"""What reading would ask: a draft is read once with its questions answered, and what stays open is asked."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from outcomes.drafting.question import Asked
from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError
from outcomes.facts import FileSpec, ScoreSpec
from outcomes.facts.source import build_source
from outcomes.records import read_records

_GONE = object()
#: The key under which every answer may stand: names of doubts, and lines of other keys.
_MIXED = "confirmed"
_OF_SCORES = {entry.name for entry in fields(ScoreSpec)} - {entry.name for entry in fields(FileSpec)}


@dataclass(frozen=True)
class Doubt:
    """A question of the reader, as a key of a source.

    Parameters
    ----------
    section : str or None
        Table of the source that the key belongs to; None for a key of the file's block or of a score's.
    in_scores : bool
        Whether it belongs to the block of the column.
    columns : tuple of str
        Headers that it is about.
    key : str
    asked : Asked
    listed : bool
        Whether the key takes a list.
    to_fill : tuple of str
        Columns of the schema that would answer it too, where the file has one that holds them.
    """

    section: str | None
    in_scores: bool
    columns: tuple[str, ...]
    key: str
    asked: Asked
    listed: bool
    to_fill: tuple[str, ...] = ()


def find_doubts(text: str, questions: Iterable[Asked], path: Path, own: Iterable[str]) -> list[Doubt]:
    """Read a file by a draft whose questions are answered, and return what the reader still asks.

    Nothing of what is read is kept.

    Parameters
    ----------
    text : str
        The draft.
    questions : iterable of Asked
        Its questions; each is answered by the first answer that it allows.
    path : Path
    own : iterable of str
        Measures whose instrument file is not there yet; their blocks are left out.
    """
    content = tomllib.loads(text)
    for block in content.get("file", ()):
        _tell_times_apart(block, {str(asked): asked for asked in questions})
    content = _answer(content, {str(asked): asked for asked in questions})
    for block in content.get("file", ()):
        block["scores"] = [
            score for score in block.get("scores", ()) if score.get("instrument") not in set(own)
        ]
    with tempfile.TemporaryDirectory() as folder:
        try:
            read_records(build_source(content, "draft", path.parent), path, private_folder=folder)
        except (FactsError, PrivacyError, RecordsError) as error:
            found = [_turn(finding) for finding in error.findings if finding.outcome == "ask"]
            return list({(doubt.key, doubt.columns): doubt for doubt in found if doubt}.values())
    return []


def _tell_times_apart(block: dict[str, Any], questions: Mapping[str, Asked]) -> None:
    """Answer questions about time points so that no two of a measure, or of a column, are the same one."""
    places: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for score in block.get("scores", ()):
        if "timepoint" in score:
            places.setdefault(f"{score['instrument']} {score.get('variant')}", []).append(
                (score, "timepoint")
            )
    codes = block.get("codes", {}).get("timepoint", {})
    places["codes"] = [(codes, code) for code in codes]
    for entries in places.values():
        used = {table[key] for table, key in entries}
        for table, key in entries:
            asked = questions.get(table[key])
            free = [answer for answer in asked.answers if answer not in used] if asked else []
            if free:
                table[key] = free[0]
                used.add(free[0])


def _answer(value: Any, questions: Mapping[str, Asked]) -> Any:
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


def _turn(finding: Finding) -> Doubt | None:
    """Return a finding as a key with a question; None where nothing that may be written answers it."""
    entries = [entry for line in str(finding.remedy or "").splitlines()[1:] if (entry := _split_line(line))]
    whole = [entry for entry in entries if entry.keys and not entry.is_open]
    to_fill = tuple(
        key for entry in entries if entry.is_open and "[file.columns]" in entry.meaning for key in entry.keys
    )
    if not whole:
        return None
    places = {(entry.section, entry.keys) for entry in whole}
    alike = len(places) == 1 and len(whole[0].keys) == 1
    section, key = (whole[0].section, whole[0].keys[0]) if alike else (None, _MIXED)
    answers = {text: entry.meaning for entry in whole for text in entry.list_answers(key)}
    rest = [f"{entry.line} ({entry.meaning})" for entry in entries if entry not in whole]
    told = "; ".join(f"{answer}: {meaning}" for answer, meaning in answers.items())
    more = f"; else, in place of this line: {'; '.join(rest)}" if rest else ""
    keys = {key for entry in whole for key in entry.keys}
    in_scores = bool(keys & _OF_SCORES) or all("[[file.scores]]" in entry.meaning for entry in whole)
    headers = tuple(re.findall(r"'([^']+)'", whole[0].meaning)) or (finding.column or "",)
    return Doubt(
        section, in_scores, headers, key, Asked(f"{finding.what} {told}{more}".replace("\n", " "), answers),
        key == _MIXED, to_fill,
    )  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """A line that answers a question of the reader, and what it means."""

    line: str
    meaning: str
    section: str | None
    content: Mapping[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.content)

    @property
    def is_open(self) -> bool:
        """Whether something has to be filled in."""
        return "<" in self.line or "..." in self.line

    def list_answers(self, key: str) -> list[str]:
        """Return what stands for this line in place of a question of a key: its values, or the line."""
        value = next(iter(self.content.values()))
        if key in self.content:
            return list(value) if isinstance(value, list) else [str(value)]
        return [self.line.replace('"', "'")]


def _split_line(line: str) -> _Line | None:
    text, _, meaning = line.strip().partition("  #")
    text, section = text.strip(), None
    if match := re.match(r"\[([\w.]+)\]\s+(?=\S)", text):
        section, text = match[1], text[match.end() :]
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        content = {}
    return _Line(text, meaning.strip(), section, content) if text else None
