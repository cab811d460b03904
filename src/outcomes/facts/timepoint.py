"""`Timepoint`: when an outcome is measured, with the window of days that counts as it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.facts.toml import build_strictly, read_facts


@dataclass(frozen=True)
class Timepoint:
    """A time point."""

    #: Such as ``month_3``.
    id: str
    #: Such as "3 months".
    label: str
    #: Target day after time zero.
    day: int
    #: Window, both days included; absent where a source has labels only.
    first_day: int | None = None
    last_day: int | None = None
    #: False where reaching it depends on the outcome (end of therapy): described, never compared.
    comparable: bool = True


@cache
def read_timepoints() -> Mapping[str, Timepoint]:
    """Return the standard time points by id, in order of their days."""
    return {
        id: build_strictly(Timepoint, {"id": id, **content}, f"timepoints.toml, [{id}]")
        for id, content in read_facts("timepoints").items()
    }
