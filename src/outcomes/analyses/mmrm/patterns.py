"""Sums of cross-products by pattern of visits: all that the likelihood needs of the patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.layout import Wide

#: Patients whose parts are held at the same time, to bound memory.
_CHUNK = 16_384


@dataclass
class PatternSums:
    """Sums over patients, one block per pattern: which visits a patient has, and of which group.

    Sums of parts of the table, of processes or of machines add up to the sums of the whole. Where no two
    patients have the same visits (many visits) this is one block a patient, and never more than that.
    """

    #: Shape (L, L): by group of the covariance and mask of visits (bit t for visit t): sum of products of
    #: the patients' parts and scores.
    grams: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    #: Patients of each.
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    #: Sum of the logarithms of the weights of all rows.
    log_weight: float = 0.0
    #: As in `Wide`.
    n_dropped: int = 0
    n_empty: int = 0
    #: Factors found to vary within patients; the sums are then of no use.
    differing: set[str] = field(default_factory=set)
    #: Means of parts that were asked for, kept for the next time.
    averages: dict[Any, float] = field(default_factory=dict, repr=False)

    def __add__(self, other: PatternSums) -> PatternSums:
        """Return the sums of both."""
        total = PatternSums(
            dict(self.grams),
            dict(self.counts),
            self.log_weight + other.log_weight,
            self.n_dropped + other.n_dropped,
            self.n_empty + other.n_empty,
            self.differing | other.differing,
        )
        for key, gram in other.grams.items():
            total.grams[key] = total.grams[key] + gram if key in total.grams else gram
            total.counts[key] = total.counts.get(key, 0) + other.counts[key]
        return total

    @property
    def n_patients(self) -> int:
        """Patients with at least one complete row."""
        return sum(self.counts.values())

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return sum(count * mask.bit_count() for (_, mask), count in self.counts.items())


def add_all(sums: Iterable[Any], start: Any = None) -> Any:
    """Return the sum of several, none of which is changed."""
    total = PatternSums() if start is None else start
    for part in sums:
        total = total + part
    return total


def sum_patterns(wide: Wide, design: Design) -> PatternSums:
    """Sum products of parts and scores by pattern."""
    sums = PatternSums(
        n_dropped=wide.n_dropped,
        n_empty=wide.n_empty,
        differing=set(wide.differing),
        log_weight=_log_weights(wide),
    )
    if sums.differing or not len(wide.score):
        return sums
    seen = ~np.isnan(wide.score)
    mask = seen @ (np.int64(1) << np.arange(seen.shape[1], dtype=np.int64))
    group = np.zeros(len(mask), dtype=np.int64) if wide.group is None else wide.group.astype(np.int64)
    # Patterns are few beside patients: number them before sorting.
    keys, code = _number_patterns(group, mask)
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(keys) + 1))
    for number, key in enumerate(keys):
        members = order[bounds[number] : bounds[number + 1]]
        gram = np.zeros((design.size, design.size))
        for start in range(0, len(members), _CHUNK):
            parts = design.evaluate_parts(wide.take(members[start : start + _CHUNK]))
            gram += parts.T @ parts
        sums.grams[key], sums.counts[key] = gram, len(members)
    return sums


def _number_patterns(group: np.ndarray, mask: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    masks, place = np.unique(mask, return_inverse=True)
    joint = group * len(masks) + place
    found, code = np.unique(joint, return_inverse=True)
    keys = [(int(number) // len(masks), int(masks[int(number) % len(masks)])) for number in found]
    narrow = np.int16 if len(keys) < 2**15 else np.int64
    return keys, code.astype(narrow)


def _log_weights(wide: Wide) -> float:
    if wide.weights is None:
        return 0.0
    seen = ~np.isnan(wide.score)
    weights = wide.weights if wide.weights.ndim == 2 else wide.weights[:, None] * np.ones(seen.shape[1])
    return float(np.log(weights, where=seen, out=np.zeros(seen.shape)).sum())
