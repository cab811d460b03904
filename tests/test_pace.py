"""How many updates are held back at a clinic's pace, with months that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from outcomes.cli.checking import describe_pace, print_pace
from outcomes.cohort import select_cohort
from outcomes.disclosure.ledger.pace import follow_pace
from outcomes.synthetic import simulate_clinic


def join(*counts: int, first: str = "2025-01") -> np.ndarray:
    """So many patients join on the tenth of each month."""
    months = np.datetime64(first, "M") + np.arange(len(counts))
    return np.repeat(months.astype("datetime64[D]") + 9, counts)


@pytest.mark.parametrize(
    ("counts", "n_updates", "n_held"),
    [
        ([11] * 6, 5, 0),  # the first release is no update
        ([11, 10, 10, 10, 10, 10], 5, 3),  # 10 wait, 20 are shown, 10 wait, ...
        ([4] * 6, 3, 2),  # 12 in March are the first; 4 and 8 wait
        ([20, 0, 0, 1, 0, 0], 3, 3),  # nobody new is no update; one waits ever after
        ([5, 5], 0, 0),  # never k patients
    ],
)
def test_updates_wait_until_k_have_joined(counts, n_updates, n_held):
    months = np.datetime64("2025-01", "M") + len(counts)
    pace = follow_pace(join(*counts), months.astype("datetime64[D]"), 11, "monthly")
    assert (pace.n_updates, pace.n_held) == (n_updates, n_held)


def test_quarters_hold_back_less():
    days, until = join(*[4] * 24, first="2024-01"), np.datetime64("2026-01-15")
    monthly, quarterly = (follow_pace(days, until, 11, cadence) for cadence in ("monthly", "quarterly"))
    # 12 are shown after each third month
    assert (monthly.n_updates, monthly.n_held, monthly.n_new) == (21, 14, 4)
    assert (quarterly.n_updates, quarterly.n_held, quarterly.n_new) == (7, 0, 12)


def test_an_unfinished_month_is_no_release():
    pace = follow_pace(join(11, 11, 11), np.datetime64("2025-03-20"), 11, "monthly")
    assert pace.n_updates == 1


@pytest.mark.parametrize("n_new", [3, 5, 8, 12])
def test_where_patients_join_at_random_no_more_is_held_back_than_chance_brings(n_new):
    """At most the chance that 1 to 10 join, of months in which somebody does; those who wait add up."""
    joined = np.random.default_rng(1).poisson(n_new, size=1_200)
    until = (np.datetime64("2025-01", "M") + joined.size).astype("datetime64[D]")
    pace = follow_pace(join(*joined), until, 11, "monthly", months=joined.size)
    chance = (stats.poisson.cdf(10, n_new) - stats.poisson.cdf(0, n_new)) / stats.poisson.sf(0, n_new)
    assert pace.n_updates > 1_000 and 0.2 < pace.n_held / pace.n_updates <= chance


def test_a_clinic_learns_its_pace_and_one_without_dates_why_not(capsys):
    records = simulate_clinic(300, seed=7)
    cohort = select_cohort(records)
    pace = describe_pace(cohort)
    assert len(pace["numbers"]) == (len(cohort.therapies) + 1) * (len(cohort.timepoints) - 1)
    assert 0 <= pace["held"]["quarterly"] <= pace["held"]["monthly"] <= 1
    print_pace(pace, "odi")
    assert "Held back, because fewer than 11 patients had joined: monthly" in capsys.readouterr().out
    undated = replace(records, episodes=records.episodes.assign(start_date=np.datetime64("NaT", "s")))
    pace = describe_pace(select_cohort(undated))
    print_pace(pace, "odi")
    assert not pace["numbers"] and "the records hold no dates" in capsys.readouterr().out
