"""Reviewed exceptions to the gate: a person looked at the very values of a column and vouched for them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from outcomes.facts import Source
from outcomes.facts.toml import build_strictly, read_toml

_LONGEST_DAYS = 366


@dataclass(frozen=True)
class ReviewedException:
    """An ``[[exception]]`` of a file of reviewed exceptions.

    Parameters
    ----------
    column : str
        Header of the column.
    rule : str
        The gate's rule that it lifts.
    sha256 : str
        Fingerprint of the column's sorted distinct values; other values void the exception.
    reason, reviewer : str
        Why the values identify nobody, and who looked at them.
    expires : str
        Last day (ISO), at most a year ahead.
    """

    column: str
    rule: str
    sha256: str
    reason: str
    reviewer: str
    expires: str

    def holds(self, today: dt.date) -> bool:
        """Return whether it is complete and still valid."""
        try:
            last = dt.date.fromisoformat(str(self.expires))
        except ValueError:
            return False
        return bool(self.reason and self.reviewer) and today <= last <= today + dt.timedelta(
            days=_LONGEST_DAYS
        )


def read_exceptions(source: Source) -> list[ReviewedException]:
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


def is_lifted(
    exceptions: Iterable[ReviewedException], column: str, rule: str, fingerprint: str, today: dt.date
) -> bool:
    """Return whether an exception lifts a rule for a column with these values."""
    return any(
        entry.column == column and entry.rule == rule and entry.sha256 == fingerprint and entry.holds(today)
        for entry in exceptions
    )
