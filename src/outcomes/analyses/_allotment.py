"""How far groups differ at the start by chance alone, where therapies were allotted at random."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from outcomes.analyses._covariates import Covariate
from outcomes.analyses._grid import Grid
from outcomes.facts import read_facts

#: Re-allotments that are worked out at once.
_CHUNK = 100


def find_differences_by_chance(grid: Grid, covariates: list[Covariate]) -> dict[str, float]:
    """Return per covariate how far therapies usually differ at the start by chance alone.

    Therapies are allotted anew among the patients of each site many times, each therapy as often as it was
    there, and the largest standardised mean difference of any two therapies is taken each time. What a share
    of the re-allotments (``facts/comparability.toml``) stays below is a covariate's own limit; all limits
    are then widened by one factor so that this share stays below every one of them. So, where therapies were
    allotted at random, some covariate exceeds its limit in the rest of trials only: a permutation test of all
    covariates together (Westfall and Young 1993, Resampling-Based Multiple Testing, Wiley, section 2.3).

    Where each site has one therapy only, sites are what was allotted. Limits are rounded up to two decimals,
    and the same whatever the order of the records. A covariate that never differs, or that chance alone often
    leaves without overlap, has none.

    Parameters
    ----------
    grid : Grid
        Each patient has episodes in one group only.
    covariates : list of Covariate
        Missing values are left out.
    """
    if not covariates:
        return {}
    facts = read_facts("comparability")["chance"]
    blocks = [_list_sums(covariate) for covariate in covariates]
    unit, place = _find_units(grid)
    sums = _add_up(np.column_stack([np.ones(len(unit)), *blocks]), unit)
    first = np.unique(unit, return_index=True)[1]
    group, stratum = np.argsort(np.argsort(grid.groups))[grid.group[first]], place[first]
    order = np.lexsort([*sums.T, group, stratum])  # independent of the order of the records
    sums, group, stratum = sums[order, 1:], group[order], stratum[order]
    random, drawn = np.random.default_rng(facts["seed"]), list[np.ndarray]()
    for start in range(0, facts["reallotments"], _CHUNK):
        n = min(_CHUNK, facts["reallotments"] - start)
        allotted = _allot(group, stratum, n, random)
        totals = np.stack([(allotted == number) @ sums for number in range(len(grid.groups))])
        drawn.append(_find_largest(totals, covariates, [block.shape[1] for block in blocks]))
    differences = np.vstack(drawn)
    place_of_limit = int(np.ceil(facts["share"] * (len(differences) + 1))) - 1
    own = np.sort(differences, axis=0)[place_of_limit]
    judged = np.flatnonzero(np.isfinite(own) & (own > 0))
    if not len(judged):
        return {}
    widening = np.sort((differences[:, judged] / own[judged]).max(axis=1))[place_of_limit]
    limits = np.ceil(100 * widening * own[judged] + 1e-9) / 100
    names = [covariates[number].name for number in judged]
    return dict(zip(names, limits.tolist(), strict=True)) if np.isfinite(widening) else {}


def _list_sums(covariate: Covariate) -> np.ndarray:
    """Return the columns whose sums over a group give its mean and spread, or the counts of its levels."""
    if covariate.levels:
        return np.eye(len(covariate.levels) + 1)[covariate.values][:, :-1]
    known = covariate.recorded
    values = np.where(known, covariate.values - np.nanmin(covariate.values, initial=np.inf), 0.0)
    return np.column_stack([known, values, values**2])


def _find_units(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return per episode what was allotted - its patient, or its site - and within which site."""
    names = grid.episodes.get("site", pd.Series("", grid.episodes.index)).astype("str")
    site = pd.factorize(names, sort=True)[0].astype("int64")
    pairs = np.unique(np.column_stack([site, grid.group]), axis=0)
    n_sites = len(np.unique(site))
    if 1 < n_sites == len(pairs):
        return site, np.zeros_like(site)
    return np.unique(grid.patient, return_inverse=True)[1], site


def _add_up(columns: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(unit, weights=column) for column in columns.T])


def _allot(group: np.ndarray, stratum: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Return groups allotted anew within each stratum, shape (n, units)."""
    allotted = np.tile(group.astype("int16"), (n, 1))
    for number in np.unique(stratum):
        inside = np.flatnonzero(stratum == number)
        allotted[:, inside] = random.permuted(allotted[:, inside], axis=1)
    return allotted


def _find_largest(totals: np.ndarray, covariates: list[Covariate], widths: list[int]) -> np.ndarray:
    """Return the largest difference of any two groups by re-allotment and covariate, shape (n, C).

    `totals` are the sums of each group, shape (K, n, m), with as many columns as each covariate needs.
    """
    found = []
    for covariate, end, width in zip(covariates, np.cumsum(widths), widths, strict=True):
        measure = _compare_shares if covariate.levels else _compare_means
        found.append(np.max(list(measure(totals[:, :, end - width : end])), axis=0))
    return np.column_stack(found)


def _compare_means(sums: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the differences of each pair of groups, from numbers, sums and sums of squares."""
    n, total, squares = np.moveaxis(sums, 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, variance = total / n, np.maximum(squares - total**2 / n, 0) / (n - 1)
        for i, j in combinations(range(len(n)), 2):
            spread = np.sqrt((variance[i] + variance[j]) / 2)
            gap = np.abs(mean[i] - mean[j])
            difference = np.where(gap > 1e-9 * np.maximum(spread, 1e-9), gap / spread, 0.0)
            yield np.where(np.minimum(n[i], n[j]) < 2, 0.0, difference)


def _compare_shares(counts: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the Mahalanobis distances of each pair of groups, from the counts of levels."""
    n = counts.sum(axis=2)
    shares = counts / np.maximum(n, 1)[:, :, None]
    spreads = shares[..., None] * (np.eye(counts.shape[2]) - shares[..., None, :])
    for i, j in combinations(range(len(n)), 2):
        difference, spread = shares[i] - shares[j], (spreads[i] + spreads[j]) / 2
        inverse = np.linalg.pinv(spread, rcond=1e-10, hermitian=True)
        reached = np.einsum("nij,nj->ni", inverse, difference)
        apart = np.abs(np.einsum("nij,nj->ni", spread, reached) - difference).max(axis=1) > 1e-8
        distance = np.sqrt(np.maximum(np.einsum("ni,ni->n", reached, difference), 0))
        yield np.where(np.minimum(n[i], n[j]) < 2, 0.0, np.where(apart, np.inf, distance))
