"""Simultaneous p-values and intervals by max-t: published tables, other software, properties."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from outcomes.analyses._simultaneous import LargestT, judge_together


def pair_covariance(variances):
    """Return the covariance of all differences of independent means with given variances."""
    pairs = list(combinations(range(len(variances)), 2))
    rows = np.zeros((len(pairs), len(variances)))
    for place, (first, second) in enumerate(pairs):
        rows[place, [first, second]] = 1.0, -1.0
    return rows @ np.diag(variances) @ rows.T


@pytest.mark.parametrize("n_groups", [3, 4, 6])
@pytest.mark.parametrize("df", [4, 20, 400])
def test_all_pairs_of_groups_of_one_size_are_tukeys_test(n_groups, df):
    """scipy 1.17 integrates the studentised range."""
    largest = LargestT.of(pair_covariance(np.ones(n_groups)))
    expected = stats.studentized_range.ppf(0.95, n_groups, df) / np.sqrt(2)
    assert largest.find_critical(0.95, df) == pytest.approx(expected, rel=3e-4)
    for size in (1.0, 2.5, 3.0):
        tail = stats.studentized_range.sf(size * np.sqrt(2), n_groups, df)
        assert largest.adjust(-size, df) == pytest.approx(tail, rel=1e-3)


@pytest.mark.parametrize(("n_against", "critical"), [(2, 2.38), (3, 2.54), (4, 2.65)])
def test_all_against_one_are_dunnetts_test(n_against, critical):
    """Dunnett 1964 (Biometrics 20:482, doi 10.2307/2528490), Table II: two-sided 5 %, 20 df."""
    covariance = 0.5 * (np.ones((n_against, n_against)) + np.eye(n_against))
    assert round(LargestT.of(covariance).find_critical(0.95, 20), 2) == critical


def test_any_correlations_as_by_the_algorithm_of_genz():
    """scipy's multivariate t is that of Genz and Bretz, as in R's mvtnorm and multcomp."""
    random = np.random.default_rng(4)
    for n_contrasts, df in ((2, 7), (3, 15), (4, 60)):
        root = random.normal(size=(n_contrasts, n_contrasts + 1))
        covariance = root @ root.T
        spread = np.sqrt(np.diag(covariance))
        other = stats.multivariate_t(shape=covariance / np.outer(spread, spread), df=df, seed=1)
        for size in (1.5, 2.4, 3.0):
            ends = np.full(n_contrasts, size)
            expected = 1 - other.cdf(ends, lower_limit=-ends, maxpts=200_000)
            assert LargestT.of(covariance).adjust(size, df) == pytest.approx(expected, rel=5e-3)


def test_one_contrast_and_copies_of_one_are_students_t():
    for covariance in (np.array([[4.0]]), np.full((3, 3), 2.0)):
        assert LargestT.of(covariance).find_critical(0.9, 9) == pytest.approx(stats.t.ppf(0.95, 9), rel=1e-8)
        assert LargestT.of(covariance).adjust(2.5, 9) == pytest.approx(2 * stats.t.sf(2.5, 9), rel=1e-8)


def test_independent_contrasts_by_hand():
    """Without a common chi-square to speak of the largest of three is Šidák's: 1 - (1 - p)^3."""
    alone = 2 * stats.norm.sf(2.2)
    assert LargestT.of(np.eye(3)).adjust(2.2, 1e7) == pytest.approx(1 - (1 - alone) ** 3, rel=1e-3)


@st.composite
def families(draw):
    """Draw a family: estimates, their covariance, degrees of freedom and a level."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_groups = draw(st.integers(2, 5))
    covariance = pair_covariance(random.uniform(0.05, 3.0, n_groups))
    df = random.uniform(2.5, 80.0, len(covariance)) if draw(st.booleans()) else np.full(len(covariance), 30.0)
    estimates = random.normal(0, 2.5, len(covariance)) * np.sqrt(np.diag(covariance))
    return estimates, covariance, df, draw(st.sampled_from([0.8, 0.95, 0.99]))


@settings(max_examples=150, deadline=None)
@given(families())
def test_an_interval_leaves_out_0_exactly_where_p_is_small_and_lies_between_single_and_bonferroni(family):
    estimates, covariance, df, level = family
    p_values, low, high = judge_together(*family)
    np.testing.assert_array_equal((low > 0) | (high < 0), p_values < 1 - level)
    np.testing.assert_allclose((low + high) / 2, estimates, atol=1e-9)
    std_error, n_contrasts = np.sqrt(np.diag(covariance)), len(estimates)
    alone = 2 * stats.t.sf(np.abs(estimates / std_error), df)
    assert (p_values >= alone * (1 - 1e-9)).all()
    assert (p_values <= np.minimum(n_contrasts * alone, 1) * (1 + 1e-9)).all()
    reach = (high - low) / 2 / std_error
    assert (reach >= stats.t.ppf((1 + level) / 2, df) * (1 - 1e-8)).all()
    assert (reach <= stats.t.ppf(1 - (1 - level) / 2 / n_contrasts, df) * (1 + 1e-8)).all()


@settings(max_examples=60, deadline=None)
@given(families(), st.integers(0, 1_000))
def test_neither_order_sign_nor_unit_of_contrasts_matters(family, seed):
    estimates, covariance, df, level = family
    random = np.random.default_rng(seed)
    order, factor = random.permutation(len(df)), random.choice([-1.0, 1.0], len(df)) * random.uniform(0.1, 9)
    turned = (factor * estimates)[order], (covariance * np.outer(factor, factor))[np.ix_(order, order)]
    p_values, low, high = judge_together(estimates, covariance, df, level)
    again, other_low, other_high = judge_together(*turned, df[order], level)
    np.testing.assert_allclose(again, p_values[order], rtol=5e-3)
    ends = np.sort([factor * low, factor * high], axis=0)[:, order]
    np.testing.assert_allclose([other_low, other_high], ends, rtol=2e-3, atol=2e-3 * np.abs(ends).max())


def test_each_contrast_is_judged_with_its_own_degrees_of_freedom():
    covariance, estimates = pair_covariance(np.array([1.0, 2.0, 0.5])), np.array([3.0, -2.0, 4.0])
    df = np.array([5.0, 12.0, 80.0])
    mixed = judge_together(estimates, covariance, df, 0.95)
    for place in range(3):
        same = judge_together(estimates, covariance, np.full(3, df[place]), 0.95)
        for column, expected in zip(mixed, same, strict=True):
            assert column[place] == expected[place]


def test_the_same_records_give_the_same_numbers():
    family = np.array([1.0, 2.0, 1.0]), pair_covariance(np.ones(3)), np.full(3, 20.0), 0.95
    for first, second in zip(judge_together(*family), judge_together(*family), strict=True):
        assert first.tobytes() == second.tobytes()
