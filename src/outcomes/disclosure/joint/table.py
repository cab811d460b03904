"""`suppress_table`: which cells of a table of counts may be shown, so that no small one follows."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, kron, vstack

from outcomes.disclosure.joint.bounds import Classes, Constraints, Feasibility, OutOfTime, Protection
from outcomes.disclosure.joint.secondary import Suppressible, choose_secondary
from outcomes.errors import DisclosureError

#: Label of the margin of an axis.
TOTAL = "total"
#: How much more the loss of a margin, or of a cell that the caller wants to keep, costs than that of another.
_MARGIN, _KEPT = 3.0, 1000.0

#: Label of a margin or subtotal to those of the categories that it sums.
Groups = Mapping[Hashable, Sequence[Hashable]]


@dataclass(frozen=True)
class Pattern:
    """Which cells of a table may be shown."""

    #: One entry per cell: along each axis the categories, then the subtotals, then the total.
    shown: np.ndarray
    #: The same cells with all their counts. Private.
    counts: np.ndarray
    #: Of the entries along each axis.
    labels: tuple[tuple[Hashable, ...], ...]
    #: Cells withheld because they are sensitive.
    n_primary: int
    #: Cells withheld because a sensitive one would have followed.
    n_extra: int
    #: Whether the table is withheld as a whole, because no choice of cells was enough or time ran out.
    whole: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell: its label along each axis, ``shown``, and ``n``, missing where withheld.

        Which cells are withheld for which reason is not told.
        """
        axes = [f"axis_{number}" for number in range(self.shown.ndim)]
        table = pd.DataFrame(list(product(*self.labels)), columns=axes)
        table["shown"] = self.shown.ravel()
        table["n"] = np.where(self.shown, self.counts, np.nan).ravel()
        return table


def suppress_table(
    counts: Any,
    *,
    k: int = 11,
    keep: Sequence[tuple[Hashable, ...]] = (),
    hierarchies: Mapping[int, Groups] | None = None,
    answers: int | None = None,
    collapse: Sequence[Mapping[int, Groups]] = (),
    time_limit: float = 20.0,
) -> Pattern:
    """Choose the cells of an additive table that must be withheld.

    Every margin is made. Cells of 1 to ``k - 1`` are withheld, and further ones - few, small, no totals
    where that can be helped - until a reader who knows every shown number exactly, and which cells are
    empty, must still hold every size from 1 to `k` possible for each small cell, and for the rest of a line
    beside a large one where that is small.

    Parameters
    ----------
    counts : array, Series or DataFrame of int
        Distinct patients in each combination of 1 to 4 classifications, without margins. Labels along an
        axis are 0, 1, ... for an array; the index of a Series, each level one axis; index and columns of a
        DataFrame.
    k : int
        Smallest count that may be shown.
    keep : sequence of tuples
        Cells that matter to the reader, as one label per axis (``"total"`` for a margin).
    hierarchies : mapping, optional
        Axis to its subtotals, each with the labels that it sums.
    answers : int, optional
        Axis whose categories are what patients answered. Where fewer than 3 `k` patients all gave the same,
        that is withheld too, and must not follow.
    collapse : sequence of mappings
        What may be merged, one after the other, where no choice of cells is enough: axis to merged
        categories.
    time_limit : float
        Seconds, for each form of the table; beyond it the table is treated as one without a solution.

    Returns
    -------
    Pattern
        It depends on the counts only: neither on labels nor on the order of categories, except where two
        have the same counts. The grand total is always shown, unless it is small or the whole table is
        withheld.

    Raises
    ------
    DisclosureError
        When counts are negative, or no whole numbers, or have more than four axes.

    Examples
    --------
    A table of 73 patients of whom 3 had an adverse event: 70 is withheld with 3, since 73 - 70 would give it.

    >>> suppress_table([70, 3]).to_frame().values.tolist()
    [[0, False, nan], [1, False, nan], ['total', True, 73.0]]
    """
    table, labels = _read(counts)
    try:
        return _suppress(table, labels, k, keep, hierarchies or {}, answers, time_limit)
    except OutOfTime:
        pass
    if not collapse:
        return _withhold_whole(table, labels, k, hierarchies or {})
    table, labels = _merge(table, labels, collapse[0])
    return suppress_table(
        _frame(table, labels), k=k, keep=keep, answers=answers, collapse=collapse[1:], time_limit=time_limit
    )


def _read(counts: Any) -> tuple[np.ndarray, list[list[Hashable]]]:
    if isinstance(counts, pd.DataFrame):
        table, labels = counts.to_numpy(), [list(counts.index), list(counts.columns)]
    elif isinstance(counts, pd.Series):
        index = counts.index
        levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
        labels = [list(level) for level in levels]
        whole = pd.MultiIndex.from_product(labels) if len(labels) > 1 else pd.Index(labels[0])
        table = counts.reindex(whole, fill_value=0).to_numpy().reshape([len(level) for level in labels])
    else:
        table = np.asarray(counts)
        labels = [list(range(size)) for size in table.shape]
    exact = np.asarray(table, dtype="float64")
    if not 1 <= exact.ndim <= 4 or (exact < 0).any() or (exact != np.round(exact)).any():
        raise DisclosureError("A table of counts needs one to four axes and whole numbers of 0 or more.")
    return exact.astype("int64"), labels


def _frame(table: np.ndarray, labels: Sequence[Sequence[Hashable]]) -> pd.Series:
    whole = pd.MultiIndex.from_product(labels) if len(labels) > 1 else pd.Index(list(labels[0]))
    return pd.Series(table.ravel(), index=whole)


def _suppress(
    table: np.ndarray,
    labels: Sequence[Sequence[Hashable]],
    k: int,
    keep: Sequence[tuple[Hashable, ...]],
    hierarchies: Mapping[int, Groups],
    answers: int | None,
    time_limit: float,
) -> Pattern:
    entries, sums = _make_margins(table, labels, hierarchies)
    cells = csr_array(reduce(lambda left, right: kron(left, right, format="csr"), sums))
    flat = table.ravel()
    counts = (cells @ flat).astype("int64")
    shape = tuple(len(along) for along in entries)
    alike = _find_alike(table, answers, k)
    inside = cells[:, (flat > 0) | alike.ravel()]
    sizes = flat[(flat > 0) | alike.ravel()]
    small = (counts > 0) & (counts < k)
    # a zero beside an answer that all gave is withheld with it
    uniform = np.zeros(counts.shape, dtype=bool)
    uniform[np.flatnonzero(np.asarray(cells.sum(axis=1)).ravel() == 1)] = alike.ravel()[
        cells[np.asarray(cells.sum(axis=1)).ravel() == 1, :].indices
    ]
    primary = small | uniform
    order = _order(table, entries, shape)
    rank = np.argsort(order)
    rests = _find_rests(counts.reshape(shape), table.shape, cells, k)
    rests = rests[:, (flat > 0) | alike.ravel()]
    ordered = vstack([inside[order, :], rests], format="csr")
    protections = [Protection(int(rank[cell]), 1, k) for cell in np.flatnonzero(small)]
    protections += [
        Protection(int(rank[cell]), max(0, int(counts[cell]) - k), int(counts[cell]))
        for cell in np.flatnonzero(uniform & (counts >= k))
    ]
    protections += [Protection(len(order) + number, 1, k) for number in range(rests.shape[0])]
    kept = {tuple(cell) for cell in keep}
    classes = Classes(ordered, sizes)
    units, numbers = [], []
    for place in range(len(order)):
        cell = int(order[place])
        if primary[cell] or counts[cell] == 0:
            continue
        at = np.unravel_index(cell, shape)
        names = tuple(entries[axis][i] for axis, i in enumerate(at))
        units.append(Suppressible((place,), _weigh(int(counts[cell]), at, table.shape, shape, names in kept)))
        numbers.append(cell)
    exact = Constraints.of(
        classes, [(((place, 1.0),), size, size) for place, size in enumerate(classes.held)]
    )
    problem = Feasibility(classes, exact, time.monotonic() + time_limit)
    lost = choose_secondary(problem, units, sorted(protections, key=lambda entry: entry.set))
    if lost is None:
        raise OutOfTime("No choice of further cells is enough.")
    shown = ~primary
    shown[[numbers[i] for i in lost]] = False
    return Pattern(
        shown.reshape(shape), counts.reshape(shape), tuple(map(tuple, entries)), int(primary.sum()), len(lost)
    )


def _make_margins(
    table: np.ndarray, labels: Sequence[Sequence[Hashable]], hierarchies: Mapping[int, Groups]
) -> tuple[list[list[Hashable]], list[csr_array]]:
    """Return the entries along each axis, and which categories each of them sums."""
    entries, sums = [], []
    for axis, size in enumerate(table.shape):
        groups = dict(hierarchies.get(axis, {}))
        rows = [
            np.isin(np.arange(size), [labels[axis].index(name) for name in held]) for held in groups.values()
        ]
        sums.append(csr_array(np.vstack([np.eye(size), *rows, np.ones(size)])))
        entries.append([*labels[axis], *groups, TOTAL])
    return entries, sums


def _find_alike(table: np.ndarray, answers: int | None, k: int) -> np.ndarray:
    """Return the cells of lines along the axis of answers in which fewer than 3 k patients all gave one."""
    if answers is None or table.shape[answers] < 2:
        return np.zeros(table.shape, dtype=bool)
    total = table.sum(axis=answers, keepdims=True)
    largest = table.max(axis=answers, keepdims=True)
    return np.broadcast_to((total > 0) & (largest == total) & (total < 3 * k), table.shape)


def _find_rests(counts: np.ndarray, base: tuple[int, ...], cells: csr_array, k: int) -> csr_array:
    """Return, as sums of base cells, what lines hold beside one large cell where that is small."""
    numbers = np.arange(counts.size).reshape(counts.shape)
    found = []
    for axis, size in enumerate(base):
        whole = np.take(counts, [-1], axis=axis)
        lines = np.take(numbers, [-1], axis=axis)
        own = np.take(counts, range(size), axis=axis)
        rest = whole - own
        places = np.argwhere((rest > 0) & (rest < k) & (own >= k))
        for place in map(tuple, places):
            line = tuple(0 if i == axis else at for i, at in enumerate(place))
            found.append((int(lines[line]), int(numbers[place])))
    if not found:
        return csr_array((0, cells.shape[1]))
    return cells[[line for line, _ in found], :] - cells[[cell for _, cell in found], :]


def _order(table: np.ndarray, entries: Sequence[Sequence[Hashable]], shape: tuple[int, ...]) -> np.ndarray:
    """Return the cells in an order that follows from counts, whatever the order of categories."""
    ranks = []
    for axis, size in enumerate(table.shape):
        slices = [np.take(table, i, axis=axis) for i in range(size)]
        keys = [(int(part.sum()), np.sort(part.ravel()).tolist()) for part in slices]
        places = sorted(range(size), key=lambda i: (keys[i], str(entries[axis][i])))
        rank = np.empty(shape[axis], dtype="int64")
        rank[places] = np.arange(size)
        rank[size:] = np.arange(size, shape[axis])
        ranks.append(rank)
    grids = np.meshgrid(*ranks, indexing="ij")
    return np.argsort(np.ravel_multi_index([grid.ravel() for grid in grids], shape), kind="stable")


def _weigh(count: int, at: Sequence[Any], base: tuple[int, ...], shape: tuple[int, ...], kept: bool) -> float:
    """Return what the loss of a cell costs; the grand total is never lost."""
    if all(i == size - 1 for i, size in zip(at, shape, strict=True)):
        return math.inf
    n_margins = sum(int(i) >= size for i, size in zip(at, base, strict=True))
    return (math.log1p(count) + 1) * _MARGIN**n_margins * (_KEPT if kept else 1)


def _withhold_whole(
    table: np.ndarray, labels: Sequence[Sequence[Hashable]], k: int, hierarchies: Mapping[int, Groups]
) -> Pattern:
    entries, sums = _make_margins(table, labels, hierarchies)
    cells = csr_array(reduce(lambda left, right: kron(left, right, format="csr"), sums))
    shape = tuple(len(along) for along in entries)
    counts = (cells @ table.ravel()).astype("int64").reshape(shape)
    small = int(((counts > 0) & (counts < k)).sum())
    return Pattern(
        np.zeros(shape, dtype=bool), counts, tuple(map(tuple, entries)), small, counts.size - small, True
    )


def _merge(
    table: np.ndarray, labels: Sequence[Sequence[Hashable]], merged: Mapping[int, Groups]
) -> tuple[np.ndarray, list[list[Hashable]]]:
    """Merge categories along axes."""
    names = [list(along) for along in labels]
    for axis, groups in merged.items():
        to = {member: group for group, members in groups.items() for member in members}
        now = list(dict.fromkeys(to.get(name, name) for name in names[axis]))
        adds = np.zeros((len(now), len(names[axis])), dtype="int64")
        for i, name in enumerate(names[axis]):
            adds[now.index(to.get(name, name)), i] = 1
        table = np.moveaxis(np.tensordot(adds, table, axes=(1, axis)), 0, axis)
        names[axis] = now
    return table, names
