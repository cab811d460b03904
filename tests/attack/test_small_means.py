"""The mean of a few patients: it follows neither from the means of wholes and of the other groups nor from
those of other visits."""

from __future__ import annotations

from functools import partial

import pytest
from linked_tables import BY_TWO, attack_page_means, two_sites
from made_editions import publish_page
from truth import name_numbers

from outcomes.analyses import compare_respondents, describe_baseline, summarise_change
from outcomes.cohort import select_cohort
from outcomes.synthetic import simulate_clinic

ANALYSES = (
    describe_baseline, compare_respondents, summarise_change, partial(summarise_change, by="site"),
)  # fmt: skip


@pytest.mark.parametrize("clinic", [(90, 7), (150, 4)], ids=lambda clinic: f"{clinic[0]} episodes")
def test_no_mean_of_few_follows_from_those_of_others(clinic, tmp_path):
    """By therapy and by site, at every visit, with covariates, and those seen or not."""
    n_episodes, seed = clinic
    cohort = select_cohort(simulate_clinic(n_episodes, seed=seed), instrument="odi")
    results = publish_page(tmp_path, lambda: [analyse(cohort) for analyse in ANALYSES])
    found, tried = attack_page_means(tmp_path, name_numbers(results))
    assert tried >= 5
    assert not found, f"{len(found)} of {tried}: {found[:3]}"


def test_no_mean_of_few_follows_from_two_tables_of_the_same_patients(tmp_path):
    results = publish_page(tmp_path, lambda: [analyse(two_sites()) for analyse in BY_TWO])
    found, tried = attack_page_means(tmp_path, name_numbers(results))
    assert tried == 3 and not found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_no_mean_of_few_follows_in_many_clinics(seed, tmp_path):
    """By therapist too."""
    analyses = (*ANALYSES, partial(summarise_change, by="therapist"))
    cohort = select_cohort(simulate_clinic((60, 90, 120, 150, 200)[seed % 5], seed=seed), instrument="odi")
    results = publish_page(tmp_path, lambda: [analyse(cohort) for analyse in analyses])
    found, tried = attack_page_means(tmp_path, name_numbers(results))
    assert tried and not found, f"{len(found)} of {tried}: {found[:3]}"
