"""The mean of all who began is found from those seen, without bias and with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from outcomes.analyses._expected import estimate_course

N_RUNS = 4_000


def draw(rng, n_seen, n_all, spread):
    """Draw starts and later scores (correlation 0.5); who began higher is seen less often."""
    start = rng.normal(0, 1, n_all)
    later = 0.5 * start + rng.normal(0, np.sqrt(0.75), n_all) * np.exp(spread * start)
    order = np.argsort(0.8 * start + rng.gumbel(size=n_all))
    return start, np.where(np.isin(np.arange(n_all), order[:n_seen]), later, np.nan)


@pytest.mark.parametrize("spread", [0.0, 0.3], ids=["one spread", "a spread that grows with the start"])
@pytest.mark.parametrize(("n_seen", "n_all"), [(11, 14), (11, 18), (20, 25), (20, 33), (30, 38), (30, 50)])
def test_bias_and_coverage_in_small_groups(n_seen, n_all, spread):
    rng = np.random.default_rng([n_seen, n_all, int(10 * spread)])
    estimates, covered, observed = [], [], []
    for _ in range(N_RUNS):
        start, later = draw(rng, n_seen, n_all, spread)
        found = estimate_course(start, later, np.arange(n_all), 0.95)
        estimates.append([one["estimate"] for one in found])
        covered.append([one["conf_low"] <= 0 <= one["conf_high"] for one in found])
        observed.append(np.nanmean(start - later))
    bias, share = np.mean(estimates, axis=0), np.mean(covered, axis=0)
    error = np.std(estimates, axis=0) / np.sqrt(N_RUNS)
    print(f"{n_seen} of {n_all}: bias {bias.round(3)} ({np.mean(observed):.3f}), covered {share.round(3)}")
    assert (np.abs(bias) < 4 * error).all(), "both truths are 0"
    assert share.min() >= 0.93 and share.max() <= 0.97
    assert np.mean(observed) < -5 * error[1], "the improvement of those seen is biased"
