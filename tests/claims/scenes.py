"""The clinics and pages of the property test: small ones, unfair ones, floors, sites, periods, editions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from clinics import Clinic, draw_clinic
from pages import Page, make_page

TWO = {"manual_therapy": 1.0, "usual_care": 1.0}
FOUR = {"strengthening": 0.4, "stretching": 0.2, "manual_therapy": 0.3, "usual_care": 0.3}
SITES = ("north", "south", "east", "west")
BOTH = ("team", "stakeholder")


def draw_clinics(seed: int) -> dict[str, Clinic]:
    """Draw the clinics of a seed by name; sizes, ends and differences vary with it."""
    rng = np.random.default_rng(seed)

    def size(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    def draw(name: str, *args: object, **options: object) -> Clinic:
        return draw_clinic(name, int(rng.integers(10**6)), *args, **options)

    return {
        "two": draw("two", size(90, 150), TWO, sites=SITES[:2], exclude=("declined",)),
        "four": draw(
            "four", size(220, 300), FOUR, outcomes=("nprs:average", "odi", "pgic7"), lost=0.1,
            floor={"manual_therapy": float(rng.uniform(0.1, 0.35))}, therapists=8,
            gain={"strengthening": 25, "usual_care": 8}, region="low_back",
        ),
        "one": draw("one", size(40, 70), {"aerobic": 1.0}, outcomes=("oks", "pgic7"), region="knee",
                    reference=""),
        "tiny": draw("tiny", size(13, 24), TWO, lost=0.3),
        "trial": draw("trial", size(110, 160), {"strengthening": 1.0, **TWO}, design="randomised",
                      shift={"strengthening": 12}, outcomes=("odi", "nprs:average"), unrecorded=0.0,
                      gain={"strengthening": 25, "manual_therapy": 24, "usual_care": 5}, lost=0.1),
        "unfair": draw("unfair", size(90, 130), TWO, shift={"manual_therapy": 14}, lost=0.15,
                       times=("week_6", "month_3")),
        "sites": draw("sites", size(380, 460), {"strengthening": 1.0, "usual_care": 1.0}, sites=SITES,
                      years=4.0, times=("month_3",), lost=0.1, spread=14.0),
        "timed": draw("timed", size(70, 120), TWO, outcomes=("sorensen_s",), covariates=(),
                      floor={"manual_therapy": 0.3}, times=("month_3",)),
        "few": draw("few", size(40, 60), FOUR, profile="nhs", times=("week_6", "month_3")),
    }  # fmt: skip


#: Pages: clinic, notebook, audiences, and what is asked beside it.
ASKED: tuple[tuple[str, str, tuple[str, ...], dict[str, object]], ...] = (
    ("two", "therapy_comparison", BOTH, {}),
    ("four", "therapy_comparison", BOTH, {}),
    ("four", "therapy_profile", BOTH, {}),
    ("one", "therapy_comparison", BOTH, {}),
    ("one", "therapy_profile", BOTH, {}),
    ("tiny", "therapy_comparison", BOTH, {}),
    ("trial", "therapy_comparison", BOTH, {}),
    ("trial", "therapy_profile", ("stakeholder",), {"therapy": "strengthening"}),
    ("unfair", "therapy_comparison", BOTH, {}),
    ("timed", "therapy_comparison", BOTH, {}),
    ("few", "therapy_comparison", ("stakeholder",), {}),
    ("sites", "trend", BOTH, {}),
    ("sites", "trend", ("stakeholder",), {"measured": "responders", "every": "year"}),
    ("two", "trend", BOTH, {"measured": "responders"}),
    ("tiny", "trend", BOTH, {"every": "year"}),
    ("sites", "site_benchmark", BOTH, {}),
    ("sites", "site_benchmark", BOTH, {"measured": "responders"}),
    ("two", "site_benchmark", ("team",), {}),
    ("four", "site_benchmark", ("stakeholder",), {}),
    ("two", "data_quality", BOTH, {}),
    ("two", "model_checks", ("team",), {}),
    ("trial", "model_checks", ("team",), {}),
    ("tiny", "model_checks", ("team",), {}),
)


def make_pages(folder: Path, seed: int, wanted: Callable[[str], bool] = lambda name: True) -> list[Page]:
    """Make all pages of a seed."""
    clinics, pages = draw_clinics(seed), []
    sources = {name: clinic.write(folder / name) for name, clinic in clinics.items()}
    for name, notebook, audiences, asked in ASKED:
        for audience in audiences:
            if wanted(name):
                pages.append(make_page(clinics[name], sources[name], notebook, audience, **asked))
    return pages
