"""Sums of one quantity: no combination of shown sets leaves 1 to k - 1 patients unnoticed."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.disclosure.exposure import find_exposed, group_patients

K = 11


def people(n, start=0):
    return np.arange(start, start + n)


def total(sets, exposure, n):
    """Add the sets up with the factors of an exposure: one number per patient."""
    held = [Fraction(0)] * n
    for number, factor in exposure.coefficients.items():
        for code in sets[number]:
            held[code] += factor
    return held


@pytest.mark.parametrize(
    ("sets", "left"),
    [
        ([people(50), people(51)], 1),
        ([people(50), people(60)], 10),
        ([people(50), people(61)], 0),
        # a total beside its parts, one of which is not shown
        ([people(100), people(60), people(33, 60)], 7),
        ([people(100), people(60), people(29, 60)], 0),
        # two joiners and a leaver
        ([people(50), people(51, 1)], 3),
        # each difference holds eleven, but two of them together leave four
        ([people(100), np.r_[people(89), people(4, 200)], np.r_[people(89), people(4, 300)]], 8),
        ([people(30), people(20, 30), people(45)], 5),
        ([people(10)], 10),
        ([people(11)], 0),
        ([people(40), people(40), people(40)], 0),
        ([], 0),
        ([people(0), people(0)], 0),
    ],
)
def test_by_hand(sets, left):
    found = find_exposed(sets, K)
    assert bool(found) == bool(left)
    if left:
        assert len(found[0].patients) == left and found[0].proved


def test_three_sets_that_no_pair_gives_away():
    """Two halves and the whole with one more: only all three together leave the one."""
    sets = [people(40), people(40, 40), people(81)]
    (found,) = find_exposed(sets, K)
    assert found.patients.tolist() == [80]
    assert found.coefficients == {0: -1, 1: -1, 2: 1}
    assert not find_exposed(sets[:2], K) and not find_exposed(sets[1:], K)


def isolates(sets, k):
    """Say by trying every set of few patients whether a combination leaves a part of it: an own reckoning."""
    incidence, classes = group_patients([np.unique(codes) for codes in sets])
    weights = [len(codes) for codes in classes]
    rows = [[Fraction(int(value)) for value in row] for row in incidence]
    rank = rank_of(rows)
    small = [place for place, weight in enumerate(weights) if weight < k]
    for size in range(1, len(small) + 1):
        for chosen in combinations(small, size):
            if sum(weights[place] for place in chosen) < k:
                rest = [[value for place, value in enumerate(row) if place not in chosen] for row in rows]
                if rank_of(rest) < rank:
                    return True
    return False


def rank_of(rows):
    rows = [list(row) for row in rows]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


SETS = st.lists(st.lists(st.integers(0, 24), min_size=1, unique=True), min_size=1, max_size=6)


@settings(max_examples=60)
@given(SETS, st.integers(2, 6))
def test_what_is_found_is_there_and_nothing_else_is(sets, k):
    sets = [np.array(sorted(codes)) for codes in sets]
    found = find_exposed(sets, k)
    assert bool(found) == isolates(sets, k)
    for entry in found:
        left = np.flatnonzero([value != 0 for value in total(sets, entry, 25)])
        assert 0 < len(left) < k and left.tolist() == entry.patients.tolist()


@settings(max_examples=50)
@given(SETS, st.integers(2, 6), st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_names_of_patients_matter(sets, k, random):
    names = list(range(25))
    random.shuffle(names)
    renamed = [np.array([names[code] for code in codes]) for codes in sets]
    before = find_exposed([np.array(codes) for codes in sets], k)
    after = find_exposed(renamed, k)
    assert sorted(len(entry.patients) for entry in before) == sorted(len(entry.patients) for entry in after)


def test_many_editions_of_many_groups_are_searched_in_reasonable_time():
    """Four therapies and all of them, 24 editions with 15 joiners each: nothing, until one comes with 3."""
    sets, held = [], [[] for _ in range(4)]
    for edition in range(24):
        for group in range(4):
            start = 1000 * group + 15 * edition
            held[group] = [*held[group], *range(start, start + 15)]
            sets.append(np.array(held[group]))
        sets.append(np.concatenate([np.array(codes) for codes in held]))
    assert not find_exposed(sets, K)
    few = [*sets, np.append(sets[-1], [9001, 9002, 9003])]
    assert find_exposed(few, K)[0].patients.tolist() == [9001, 9002, 9003]
