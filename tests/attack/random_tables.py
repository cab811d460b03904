"""Additive tables drawn at random: one to four dimensions, all margins, hierarchies, and every kind of
trouble."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: What tells a margin over everything from one level.
ALL = "all"


@dataclass(frozen=True)
class Table:
    """A table of counts.

    Parameters
    ----------
    dimensions : mapping
        Name of each dimension to its levels.
    parents : mapping
        By dimension, its levels to the subtotal that they belong to; empty for one without hierarchy.
    counts : array of int
        Innermost cells, one axis a dimension.
    """

    dimensions: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, Mapping[str, str]]
    counts: np.ndarray

    def list_choices(self, dimension: str) -> dict[str, tuple[int, ...]]:
        """Return what a cell may be along one dimension: a level, a subtotal, or all; with its positions."""
        levels = self.dimensions[dimension]
        choices: dict[str, tuple[int, ...]] = {level: (i,) for i, level in enumerate(levels)}
        for parent in dict.fromkeys(self.parents.get(dimension, {}).values()):
            inside = self.parents[dimension]
            choices[parent] = tuple(i for i, level in enumerate(levels) if inside.get(level) == parent)
        choices[ALL] = tuple(range(len(levels)))
        return choices

    def list_cells(self) -> dict[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """Return every cell, margins included, with the positions of the innermost cells that it sums."""
        choices = [self.list_choices(name) for name in self.dimensions]
        return {
            tuple(name for name, _ in picked): tuple(places for _, places in picked)
            for picked in itertools.product(*(choice.items() for choice in choices))
        }

    def count(self, places: tuple[tuple[int, ...], ...]) -> int:
        """Return the true number of patients of a cell."""
        return int(self.counts[np.ix_(*places)].sum())

    def list_lines(self) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        """Return each sum of the table: a total and its parts, along one dimension."""
        found = []
        cells = self.list_cells()
        for axis, (name, levels) in enumerate(self.dimensions.items()):
            parent_of = self.parents.get(name, {})
            sums = {ALL: list(dict.fromkeys(parent_of.get(level, level) for level in levels))}
            for parent in dict.fromkeys(parent_of.values()):
                sums[parent] = [level for level in levels if parent_of.get(level) == parent]
            for cell in cells:
                if cell[axis] in sums:
                    parts = [(*cell[:axis], part, *cell[axis + 1 :]) for part in sums[cell[axis]]]
                    found.append((cell, parts))
        return found


#: Dimensions by seed: the more, the rarer, since those take the package longest.
_DIMENSIONS = (1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 4)
#: How the innermost cells are drawn.
KINDS = ("spread", "skewed", "zeros", "singletons", "all_small", "one_large")


def draw_table(seed: int, *, most_cells: int = 30) -> Table:
    """Draw a table; the seed alone decides its dimensions, hierarchies and counts."""
    draw = np.random.default_rng(seed)
    n_dimensions = _DIMENSIONS[seed % len(_DIMENSIONS)]
    while True:
        shape = tuple(int(n) for n in draw.integers(2, 6, n_dimensions))
        if np.prod([n + 1 for n in shape]) <= max(most_cells, 3**n_dimensions):
            break
    dimensions = {f"d{axis}": tuple(f"{'abcd'[axis]}{i}" for i in range(n)) for axis, n in enumerate(shape)}
    parents: dict[str, dict[str, str]] = {}
    for axis, (name, levels) in enumerate(dimensions.items()):
        if len(levels) >= 4 and draw.random() < 0.4:
            cut = int(draw.integers(2, len(levels) - 1))
            halves = (f"{'abcd'[axis]}_low", f"{'abcd'[axis]}_high")
            parents[name] = {level: halves[i >= cut] for i, level in enumerate(levels)}
    return Table(dimensions, parents, _draw_counts(draw, shape, KINDS[(seed // 5) % len(KINDS)]))


def _draw_counts(draw: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    if kind == "skewed":
        return np.floor(draw.lognormal(2.3, 1.3, shape)).astype(int)
    if kind == "zeros":
        return draw.poisson(14, shape) * (draw.random(shape) < 0.6)
    if kind == "singletons":
        return np.where(draw.random(shape) < 0.3, draw.integers(0, 3, shape), draw.integers(12, 60, shape))
    if kind == "all_small":
        return draw.integers(0, 9, shape)
    if kind == "one_large":
        counts = draw.integers(0, 16, shape)
        counts.flat[int(draw.integers(counts.size))] = 400
        return counts
    return draw.integers(0, 40, shape)
