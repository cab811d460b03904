"""The clinics and pages of the property test: small ones, unfair ones, floors, sites, periods, editions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from clinics import Clinic, draw_clinic
from pages import Page, make_page

from outcomes.analyses.headline import list_headline
from outcomes.cohort import take_snapshot
from outcomes.disclosure import Release
from outcomes.disclosure.ledger import Edition, open_ledger
from outcomes.disclosure.page_context import hand_ledger, name_run_folder

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
        "moved": draw(
            "moved", size(380, 460), TWO, sites=SITES, years=4.0, times=("month_3",), lost=0.05, drift=14.0,
            site_gain={"north": 14, "west": -10},
        ),
        "flat": draw(
            "flat", size(34, 44), {"aerobic": 1.0}, outcomes=("odi", "nprs:average", "sorensen_s"), lost=0.3,
            gain={"aerobic": float(rng.uniform(-3, 6))}, reference="",
        ),
        "timed": draw("timed", size(70, 120), TWO, outcomes=("sorensen_s",), covariates=(),
                      floor={"manual_therapy": 0.3}, times=("month_3",)),
        "few": draw("few", size(40, 60), FOUR, profile="nhs", times=("week_6", "month_3")),
    }  # fmt: skip


#: Pages: clinic, notebook, audiences, and what is asked beside it.
ASKED: tuple[tuple[str, str, tuple[str, ...], dict[str, object]], ...] = (
    ("four", "therapy_comparison", BOTH, {}),
    ("four", "therapy_profile", BOTH, {}),
    ("one", "therapy_comparison", ("team",), {}),
    ("one", "therapy_profile", BOTH, {}),
    ("tiny", "therapy_comparison", BOTH, {}),
    ("trial", "therapy_comparison", BOTH, {}),
    ("trial", "therapy_profile", ("stakeholder",), {"therapy": "strengthening"}),
    ("unfair", "therapy_comparison", ("stakeholder",), {}),
    ("timed", "therapy_comparison", BOTH, {}),
    ("few", "therapy_comparison", ("stakeholder",), {}),
    ("sites", "trend", BOTH, {}),
    ("sites", "trend", ("stakeholder",), {"measured": "responders", "every": "year"}),
    ("two", "trend", BOTH, {"measured": "responders"}),
    ("tiny", "trend", ("stakeholder",), {"every": "year"}),
    ("sites", "site_benchmark", BOTH, {}),
    ("sites", "site_benchmark", BOTH, {"measured": "responders"}),
    ("two", "site_benchmark", ("team",), {}),
    ("four", "site_benchmark", ("stakeholder",), {}),
    ("two", "therapy_comparison", ("stakeholder",), {"only": ["sex=female"], "k": 8}),
    ("flat", "therapy_profile", BOTH, {"k": 20}),
    ("flat", "therapy_profile", ("stakeholder",), {}),
    ("moved", "trend", BOTH, {}),
    ("moved", "trend", ("stakeholder",), {"every": "month", "measured": "responders"}),
    ("moved", "site_benchmark", BOTH, {}),
    ("two", "data_quality", BOTH, {}),
    ("two", "model_checks", ("team",), {}),
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


def make_later_page(folder: Path, seed: int, n_less: int = 15) -> Page:
    """Make the team's page of a clinic whose last release had fewer patients, and some other scores."""
    whole = draw_clinics(seed)["two"]
    then = whole.without(set(whole.episodes["patient"].unique()[:n_less]))
    scores = then.scores.copy()
    later = scores.index[scores["time"] == "month_3"][:8]
    scores.loc[later, "score"] = (scores.loc[later, "score"] + 10).clip(0, 100)
    then = replace(then, scores=scores)
    first = make_page(then, then.write(folder / "then"), "therapy_comparison", "team")
    snapshot = take_snapshot(first.cohort, list_headline(first.cohort).table, label="2026-01")
    return make_page(whole, whole.write(folder / "now"), "therapy_comparison", "team", last=(then, snapshot))


def make_editions(folder: Path, seed: int, notebook: str, n_less: int = 6, **asked: object) -> list[Page]:
    """Make two editions of a page for stakeholders; a few patients came between them.

    Each is protected as a whole, and the second one is compared with the first.
    """
    whole = draw_clinics(seed)["two"]
    patients = list(whole.episodes["patient"].unique())
    pages: list[Page] = []
    folder.mkdir(parents=True)
    for number, clinic in enumerate([whole.without(set(patients[:n_less])), whole]):
        source = clinic.write(folder / f"clinic{number}")
        edition = Edition(
            f"run{number}", "r", "page", series="s", slot=str(number), made=f"2026-0{number + 1}-28"
        )
        run = folder / edition.id
        run.mkdir()
        with open_ledger(folder / ".outcomes"):
            hand_ledger(folder / ".outcomes", edition, run)
        with mock.patch.dict(os.environ, name_run_folder(run)):
            page = make_page(clinic, source, notebook, "stakeholder", **asked)
        page.earlier, page.day = (pages[0] if pages else None), edition.made
        pages.append(page)
        with open_ledger(folder / ".outcomes") as ledger:
            ledger.enter(edition, [held for held in page.names.values() if isinstance(held, Release)])
            ledger.prepare(edition.id, "A. Nurse", edition.made)
            ledger.settle(edition.id)
    return pages
