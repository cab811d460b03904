"""Time and memory to score a million ODI questionnaires, against a bare sum with a mask.

Ten items a form, 5 % of them blank. Scoring includes the checks of range and grid and the missing-item
policy; the bare sum includes nothing else. Both are timed in turn, the best of several runs each.

Run from anywhere: `python benchmarks/score_items.py [forms]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from outcomes.records.scoring import score_items

#: Most times that scoring may take as long as the bare sum.
LIMIT = 6.0
RUNS = 7


def make_forms(n_forms: int, share_blank: float = 0.05, seed: int = 20261123) -> np.ndarray:
    """Return made-up answers, one row per form, NaN where blank."""
    random = np.random.default_rng(seed)
    items = random.integers(0, 6, size=(n_forms, 10)).astype(float)
    items[random.random(items.shape) < share_blank] = np.nan
    return items


def add_answered(items: np.ndarray) -> np.ndarray:
    """Return the bare sum of what was answered."""
    return np.sum(items, axis=1, where=~np.isnan(items))


def score_forms(items: np.ndarray) -> float:
    """Score the forms, and return the share that has a score."""
    return float((~np.isnan(score_items("odi", items).score)).mean())


def time_best(work: Callable[[], object]) -> float:
    """Return the seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print the times and their ratio; return 1 where the limit is missed."""
    n_forms = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    items = make_forms(n_forms)
    bare, scored = [], []
    for _ in range(RUNS):
        bare.append(time_best(lambda: add_answered(items)))
        scored.append(time_best(lambda: score_forms(items)))
    ratio = min(scored) / min(bare)
    print(
        f"score_items: {n_forms:,} ODI forms, 5 % blank: bare masked sum {1000 * min(bare):.0f} ms, "
        f"scores with checks {1000 * min(scored):.0f} ms, {ratio:.1f} times as long "
        f"(limit {LIMIT:g})"
    )
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
