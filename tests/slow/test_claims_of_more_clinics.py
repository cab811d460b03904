"""Sentences of more random clinics, and of later editions of every page, are true of the records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "claims"))
from judging import judge_pages, list_false
from scenes import make_editions, make_later_page, make_pages

pytestmark = pytest.mark.slow
SEEDS = range(2, 12)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sentence_that_is_said_is_true(seed, tmp_path):
    judged = judge_pages([*make_pages(tmp_path / "clinics", seed), make_later_page(tmp_path / "later", seed)])
    assert not judged.without_truth and not list_false(judged)
    assert len(judged.keys) >= 200


@pytest.mark.parametrize("notebook", ["therapy_comparison", "therapy_profile", "trend", "site_benchmark"])
@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_of_a_later_edition_are_true(notebook, seed, tmp_path):
    judged = judge_pages(make_editions(tmp_path / "editions", seed, notebook))
    assert not judged.without_truth and not list_false(judged)
