"""Whole pages: everything that one shows, taken together, leaves every small number between 1 and k open.

What is read is ``results.csv`` beside the page; that the page says no number that is not in it is
`test_page_texts`. Counts, percentages times patients, means times patients, the two limits of an interval,
which percentages are rounded how, which bands are used, the flow, responders and completeness are all put
into one system.
"""

from __future__ import annotations

import pytest
from made_pages import K, attack_pages, make_pages, read_marked_rows
from published import read_rows
from small_means import attack_means, conclude_means
from truth import know_truth

CLINICS = [(60, 1), pytest.param((250, 3), marks=pytest.mark.slow)]
REPORTS = ("therapy_comparison", "therapy_profile")


@pytest.fixture(scope="module", params=CLINICS, ids=lambda clinic: f"{clinic[0]} episodes, seed {clinic[1]}")
def pages(request, tmp_path_factory):
    n_episodes, seed = request.param
    folder = tmp_path_factory.mktemp("clinic")
    return make_pages(folder, n_episodes, seed, REPORTS), know_truth(folder / "records")


@pytest.mark.parametrize("report", REPORTS)
def test_no_small_number_of_a_page_can_be_worked_out(pages, report):
    made, truth = pages
    found, tried = attack_pages([made[report]], truth)
    assert not found, f"{len(found)} of {tried} small numbers: {found[:5]}"


def test_the_attack_says_nothing_that_is_not_so(pages):
    """All that the attacker takes for granted holds: otherwise finding nothing would prove nothing."""
    made, truth = pages
    _, tried = attack_pages(made.values(), truth)
    assert tried >= 10 or not any(made.values())
    assert all(len(read_rows(folder)) > 50 for folder in made.values() if folder)


@pytest.mark.parametrize("report", REPORTS)
def test_the_pages_are_made(pages, report):
    """A page that is not made gives nothing away, and tells nobody anything."""
    assert pages[0][report] is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_no_small_number_of_many_clinics_can_be_worked_out(tmp_path, seed):
    n_episodes = (40, 60, 90, 120, 150, 300, 500, 800)[seed % 8]
    made = make_pages(tmp_path, n_episodes, 100 + seed, REPORTS)
    truth = know_truth(tmp_path / "records")
    for folder in made.values():
        found, tried = attack_pages([folder], truth, K)
        assert not found, f"{len(found)} of {tried} small numbers: {found[:5]}"
        known = conclude_means(read_marked_rows(folder), K)
        assert not known.contradict(truth)
        found, tried = attack_means(known, truth, K)
        assert not found, f"{len(found)} of {tried} means of few: {found[:5]}"
