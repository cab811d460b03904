"""`Timepoint`: when an outcome is measured, with the window of days that counts as it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.facts.toml import build_strictly, read_facts


@dataclass(frozen=True)
class Timepoint:
    """A time point.

    Parameters
    ----------
    id : str
        Such as ``month_3``.
    label : str
        Such as "3 months".
    day : int
        Target day after time zero.
    first_day, last_day : int or None
        Window, both days included; absent where a source has labels only.
    comparable : bool
        False where reaching it depends on the outcome (end of therapy): described, never compared.
    """

    id: str
    label: str
    day: int
    first_day: int | None = None
    last_day: int | None = None
    comparable: bool = True


@cache
def read_timepoints() -> Mapping[str, Timepoint]:
    """Return the standard time points by id, in order of their days."""
    return {
        id: build_strictly(Timepoint, {"id": id, **content}, f"timepoints.toml, [{id}]")
        for id, content in read_facts("timepoints").items()
    }
