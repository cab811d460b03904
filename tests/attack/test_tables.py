"""Additive tables (A1): no small cell of a table, whatever its shape, follows from the cells that are shown.

The table stands on a page, released as results of analyses are. The attacker knows every shown number
exactly (what rounding adds is not counted on), which innermost cells are empty and which lines add up, and
asks for each small cell the smallest and the largest number of patients that agrees: 1 and k must both be
possible. His unknowns are the innermost cells, of which each cell and margin is a sum.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from bounding import Knowledge, hides
from made_editions import publish_page
from published import read_rows
from random_tables import ALL, KINDS, Table, draw_table

from outcomes.disclosure import PageContext, release
from outcomes.disclosure.joint import ShownNumbers
from outcomes.result import Patients, Result, build_result

K = 11
#: Tables of `make test`, and of `make slow`; seeds 0 and up.
N_QUICK, N_TABLES = 100, 500


@dataclass
class Attacked:
    """What came of attacking one table."""

    n_small: int
    n_withheld: int
    n_cells: int
    narrowed: list[tuple[tuple[str, ...], int, float, float]]

    @property
    def exact(self) -> int:
        """Small cells that are known exactly."""
        return sum(round(low) == round(high) for *_, low, high in self.narrowed)


def suppress(table: Table, k: int = K) -> set[tuple[str, ...]]:
    """Return the cells that a page shows on which the table stands with all its margins."""
    result = count_cells("baseline", table, number_members(table.counts))
    released = release(result, PageContext(k=k, shown=ShownNumbers())).table
    shown = set(released.loc[released["shown"], "group"])
    return {cell for cell in table.list_cells() if name_cell(cell) in shown}


def name_cell(cell: tuple[str, ...]) -> str:
    """Return the group by which a result names a cell; the grand total is that of all."""
    return ALL if set(cell) == {ALL} else " ".join(cell)


def number_members(counts: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """Return the patients of each innermost cell."""
    ends = np.concatenate([[0], np.cumsum(counts)])
    return {at: np.arange(ends[i], ends[i + 1]) for i, at in enumerate(np.ndindex(counts.shape))}


def count_cells(name: str, table: Table, members: dict[tuple[int, ...], np.ndarray]) -> Result:
    """Return a result with one row for every cell of a table, margins included."""
    rows, sets = [], []
    for cell, places in table.list_cells().items():
        codes = np.concatenate([members[at] for at in itertools.product(*places)])
        row = {"outcome": "odi", "statistic": "n", "group": name_cell(cell), "estimate": len(codes)}
        rows.append(row | {"n": len(codes), "unit": "patients"})
        sets.append({"all": codes})
    ids = np.array([f"P{i}" for i in range(1 + max(codes.max(initial=0) for codes in members.values()))])
    patients = Patients(ids.astype(object), np.zeros(len(ids), dtype="uint64"))
    return build_result(name, rows, method="How.", support=sets, patients=patients)


def attack_table(table: Table, shown: set[tuple[str, ...]], k: int = K, *, whole: bool = True) -> Attacked:
    """Attack every small cell, and the small rest of every line that a shown cell leaves of a shown total."""
    cells = table.list_cells()
    known = Knowledge()
    for at in np.ndindex(table.counts.shape):
        known.number(at)
        if table.counts[at] == 0:
            known.fact({at: 1.0}, 0, 0)
    for cell in shown:
        known.fact(_sum(cells[cell]), table.count(cells[cell]), table.count(cells[cell]))
    asked = {cell: _sum(cells[cell]) for cell in cells if 0 < table.count(cells[cell]) < k}
    assert not asked.keys() & shown, "a small cell is shown"
    for total, parts in table.list_lines():
        rest = table.count(cells[total])
        for part in parts:
            left = rest - table.count(cells[part])
            if part in shown and total in shown and 0 < left < k:
                others = _sum(cells[total])
                for at in _sum(cells[part]):
                    del others[at]
                asked[(*total, "but", *part)] = others
    narrowed = []
    for cell, terms in asked.items():
        low, high = known.bound(terms, whole=whole)
        if not hides(low, high, k):
            truth = int(sum(table.counts[at] for at in terms))
            narrowed.append((cell, truth, low, high))
    return Attacked(len(asked), len(cells) - len(shown), len(cells), narrowed)


def _sum(places: tuple[tuple[int, ...], ...]) -> dict[tuple[int, ...], float]:
    return dict.fromkeys(itertools.product(*places), 1.0)


@pytest.mark.parametrize("part", range(5))
def test_no_small_cell_of_a_random_table_follows(part):
    """A hundred tables of one to four dimensions, a fifth attacked with whole numbers too."""
    attack_seeds(range(part, N_QUICK, 5))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_no_small_cell_of_five_hundred_tables_follows(part):
    attack_seeds(range(part, N_TABLES, 10))


def attack_seeds(seeds: range) -> None:
    n_withheld = n_cells = 0
    for seed in seeds:
        table = draw_table(seed)
        attacked = attack_table(table, suppress(table), whole=seed % 5 == 0)
        assert not attacked.narrowed, f"seed {seed}: {attacked.narrowed[:3]}"
        n_withheld, n_cells = n_withheld + attacked.n_withheld, n_cells + attacked.n_cells
    assert n_withheld < 0.6 * n_cells, "tables of which little is shown hide everything"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_no_small_cell_of_two_thousand_tables_follows(part):
    for seed in range(10_000 + part, 12_000, 20):
        table = draw_table(seed, most_cells=80)
        for k in (5, 8, 11):
            attacked = attack_table(table, suppress(table, k), k)
            assert not attacked.narrowed, f"seed {seed}, k {k}: {attacked.narrowed[:3]}"


def test_the_tables_are_of_every_kind():
    tables = [draw_table(seed) for seed in range(N_TABLES)]
    assert {len(table.dimensions) for table in tables} == {1, 2, 3, 4}
    assert sum(bool(table.parents) for table in tables) > 50
    assert len(KINDS) == 6
    small = [sum(0 < table.count(places) < K for places in table.list_cells().values()) for table in tables]
    assert sum(n > 0 for n in small) > 400


def test_withholding_only_the_small_cells_gives_most_of_them():
    """The same attack on tables of which only the small cells are withheld: it succeeds."""
    beaten = exact = small = with_small = 0
    for seed in range(60):
        table = draw_table(seed)
        shown = {cell for cell, places in table.list_cells().items() if not 0 < table.count(places) < K}
        attacked = attack_table(table, shown, whole=False)
        with_small += attacked.n_small > 0
        beaten += bool(attacked.narrowed)
        exact += attacked.exact
        small += attacked.n_small
    assert beaten >= 0.8 * with_small and exact >= 0.5 * small


def test_a_withheld_three_does_not_follow_from_two_tables(tmp_path):
    """What was measured of another tool: 73 patients in one of its tables less 70 in the next.

    Both stand on one page: the whole table, and the same without the category that holds the three.
    """
    counts = np.array([[40, 30], [20, 3], [35, 25]])
    table = Table({"d0": ("a0", "a1", "a2"), "d1": ("b0", "b1")}, {}, counts)
    without = Table({"d0": ("a0", "a2"), "d1": ("b0", "b1")}, {}, counts[[0, 2]])
    places = {"baseline": (table, (0, 1, 2)), "nonresponse": (without, (0, 2))}
    members = number_members(counts)

    def count(name: str) -> Result:
        cells, rows = places[name]
        return count_cells(
            name, cells, {(i, j): members[rows[i], j] for i in range(len(rows)) for j in (0, 1)}
        )

    publish_page(tmp_path, lambda: [count(name) for name in places])
    shown = {(row.view, row.group) for row in read_rows(tmp_path) if row.estimate == row.estimate}
    assert len(shown) > 10 and ("view0", "a1 b1") not in shown
    known, alone = Knowledge(), []
    for at in np.ndindex(counts.shape):
        known.number(at)
    for number, (cells, rows) in enumerate(places.values()):
        for cell, (inside, columns) in cells.list_cells().items():
            if (f"view{number}", name_cell(cell)) in shown:
                terms = {(rows[i], j): 1.0 for i in inside for j in columns}
                known.fact(terms, cells.count((inside, columns)), cells.count((inside, columns)))
        alone.append(known.bound({(1, 1): 1.0}))
    assert all(hides(low, high, K) for low, high in alone), alone


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_the_pattern_depends_on_counts_alone(seed):
    """Categories in another order are withheld all the same (A14)."""
    table = draw_table(seed)
    draw = np.random.default_rng(seed)
    orders = [draw.permutation(n) for n in table.counts.shape]
    turned = Table(
        {
            name: tuple(levels[i] for i in order)
            for (name, levels), order in zip(table.dimensions.items(), orders, strict=True)
        },
        table.parents,
        table.counts[np.ix_(*orders)],
    )
    counts = np.sort([table.count(table.list_cells()[cell]) for cell in suppress(table)])
    again = np.sort([turned.count(turned.list_cells()[cell]) for cell in suppress(turned)])
    assert counts.tolist() == again.tolist()
