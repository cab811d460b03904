"""Random numbers that are the same on every platform and with every version of numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


class Draws:
    """One stream of random numbers for one purpose, so that a new purpose changes no other stream.

    Only uniform numbers are taken from the generator (their stream is fixed by PCG64); normal numbers are
    made from them here, because numpy does not promise that its own stay the same in another version.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        key = [int(seed), *purpose.encode("ascii")]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def uniform(self, *shape: int) -> np.ndarray:
        """Return numbers in [0, 1)."""
        return self._generator.random(shape)

    def normal(self, *shape: int) -> np.ndarray:
        """Return standard normal numbers, by Box and Muller (1958, doi 10.1214/aoms/1177706645)."""
        size = int(np.prod(shape, dtype=np.int64))
        half = (size + 1) // 2
        radius = np.sqrt(-2.0 * np.log1p(-self._generator.random(half)))
        angle = 2.0 * np.pi * self._generator.random(half)
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size].reshape(shape)

    def category(self, shares: Mapping[str, float], size: int) -> np.ndarray:
        """Return codes into the names of ``shares``, drawn with those shares."""
        edges = np.cumsum(list(shares.values()))
        codes = np.searchsorted(edges, self.uniform(size) * edges[-1], side="right")
        return np.minimum(codes, len(edges) - 1).astype(np.int8)

    def whole_days(self, bounds: Sequence[int], size: int) -> np.ndarray:
        """Return whole days from the first to the last of ``bounds``, both included, each as likely."""
        first, last = bounds
        return first + np.floor(self.uniform(size) * (last - first + 1)).astype(np.int64)
