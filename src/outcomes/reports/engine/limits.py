"""How long a report may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimeLimits:
    """How long a report may take, in seconds.

    Parameters
    ----------
    cell, report : float
        For one cell and for all of them.
    """

    cell: float = 600.0
    report: float = 1800.0
