"""What reading would ask: a draft is read once with its questions answered, and what stays open is asked."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outcomes.drafting.question import Asked
from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError
from outcomes.facts.source import build_source
from outcomes.records import read_records

_GONE = object()
_LINE = re.compile(r"^\s*(?:\[(\w+)\] )?(\w+) = (\[?)\"([^\"<>]*)\"\]?\s*(?:#\s*(.*))?$")


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
    """

    section: str | None
    in_scores: bool
    columns: tuple[str, ...]
    key: str
    asked: Asked
    listed: bool


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
    content = _answer(tomllib.loads(text), {str(asked): asked for asked in questions})
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
    """Return a finding as a key with a question; None where no single word can answer it."""
    lines = [match for line in (finding.remedy or "").splitlines() if (match := _LINE.match(line))]
    keys = {match[2] for match in lines}
    if not lines:
        return None
    key = keys.pop() if len(keys) == 1 else "confirmed" if "confirmed" in keys else lines[0][2]
    own = [match for match in lines if match[2] == key]
    told = "; ".join(f"{match[4]}: {(match[5] or '').strip()}" for match in own)
    others = [line.strip() for line in (finding.remedy or "").splitlines()[1:] if not _is_own(line, key)]
    more = f"; else, in place of this line, {' or '.join(others)}" if others else ""
    asked = Asked(f"{finding.what} {told}{more}".replace("\n", " "), [match[4] for match in own])
    meaning = own[0][5] or ""
    headers = tuple(re.findall(r"'([^']+)'", meaning)) or (finding.column or "",)
    return Doubt(own[0][1], "[[file.scores]]" in meaning, headers, key, asked, bool(own[0][3]))


def _is_own(line: str, key: str) -> bool:
    match = _LINE.match(line)
    return match is not None and match[2] == key
