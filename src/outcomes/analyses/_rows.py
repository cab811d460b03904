"""Rows of a result gathered together with the patients behind each."""

from __future__ import annotations

from typing import Any

import numpy as np

from outcomes.result import Support


class Rows:
    """A list of rows and of their supports, with columns that all rows share.

    Examples
    --------
    >>> rows = Rows(outcome="odi", unit="points")
    >>> rows.add({"all": np.array([1, 2])}, statistic="mean_score", estimate=30.0, n=2)
    >>> rows.table
    [{'outcome': 'odi', 'unit': 'points', 'statistic': 'mean_score', 'estimate': 30.0, 'n': 2}]
    """

    def __init__(self, **shared: Any) -> None:
        self.shared = shared
        self.table: list[dict[str, Any]] = []
        self.support: list[Support] = []

    def add(self, support: Support, **columns: Any) -> None:
        """Add one row with the distinct patients behind it."""
        self.table.append({**self.shared, **columns})
        self.support.append(support)

    def add_count(self, patients: np.ndarray, **columns: Any) -> None:
        """Add a count of distinct patients."""
        self.add(
            {"all": patients},
            **{"estimate": len(patients), "n": len(patients), "unit": "patients", **columns},
        )
