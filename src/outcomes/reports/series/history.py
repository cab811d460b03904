"""Which slots of a series are settled, kept as one small private file beside its runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.reports.publication import replace_file

_NAME = "slots.json"
#: How a slot may stand.
STATES = ("released", "nothing_new", "missed", "failed")
#: States after which ``run --due`` leaves a slot alone.
SETTLED = frozenset({"released", "nothing_new", "missed"})


@dataclass(frozen=True)
class SlotRecord:
    """How a slot of a series ended.

    Parameters
    ----------
    slot : str
        Its id.
    due : str
        When it fell due, in UTC, ISO.
    state : str
        One of `STATES`; ``missed`` is a slot for which a later one stands.
    ended : str
        When that was found out, in UTC, ISO.
    records_sha256, definition_sha256 : str
        Of the records, and of what the pages are made by: notebook, package, and parameters but for the
        period. Where both are as before, there is nothing new.
    n_read : int
        Source records read.
    newest : str
        The newest day in the records.
    n_pages, n_failed : int
        Pages that stand, and those that do not.
    exit_code : int
        The worst of all pages.
    reason : str
        Class of reasons of a failure.
    accepted : str
        The reason given for records that shrank.
    question : str
        What the source must answer before the records can be read, with the lines to write; holds no value
        of the records.
    """

    slot: str
    due: str
    state: str
    ended: str
    records_sha256: str = ""
    definition_sha256: str = ""
    n_read: int = 0
    newest: str = ""
    n_pages: int = 0
    n_failed: int = 0
    exit_code: int = 0
    reason: str = ""
    accepted: str = ""
    question: str = ""


def read_history(archive: Path, series: str) -> list[SlotRecord]:
    """Return the slots of a series that were looked at, the oldest first; none where there is no file.

    Raises
    ------
    ReportError
        When the file cannot be read (exit code 9): to guess could make a release twice.
    """
    path = archive / series / _NAME
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [SlotRecord(**entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        raise ReportError(
            f"{series}: the list of releases ({path.name} in the private folder) cannot be read, so that "
            "nobody knows what was released. Restore it from a backup, or remove it to begin a new list.",
            exit_code=9,
        ) from None


def note_slots(archive: Path, series: str, records: Sequence[SlotRecord]) -> None:
    """Add slots to the list of a series, each in the place of an older entry of the same slot."""
    kept = {record.slot: record for record in read_history(archive, series)}
    kept |= {record.slot: record for record in records}
    entries = [dataclasses.asdict(one) for one in sorted(kept.values(), key=lambda one: (one.due, one.slot))]
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    replace_file(archive / series / _NAME, text.encode("utf-8"), mode=0o600)


def find_last(history: Sequence[SlotRecord], *states: str) -> SlotRecord | None:
    """Return the latest slot in one of the given states."""
    found = [record for record in history if record.state in states]
    return max(found, key=lambda record: record.due) if found else None
