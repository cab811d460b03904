"""From a severity that nobody sees to what is written down: items, levels, rounding, clipping, blanks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.scoring import score_items
from outcomes.synthetic.draws import Draws
from outcomes.synthetic.people import People


@dataclass(frozen=True)
class Measures:
    """The noise of writing down, one entry per episode and visit (the start included)."""

    #: Which episodes an instrument is taken in, by its id.
    taken: dict[str, np.ndarray]
    #: Noise of the ODI's items, episodes x visits x items.
    items: np.ndarray
    #: Which of those are left blank.
    blanks: np.ndarray
    #: Noise of the EQ-5D's dimensions, episodes x visits x dimensions.
    levels: np.ndarray
    #: Noise of the global impression, episodes x visits.
    impression: np.ndarray


def draw_measures(people: People, seed: int) -> Measures:
    """Draw the noise of writing down."""
    facts = read_facts("made_up_clinic")
    draws = Draws(seed, "measures")
    n, n_visits, items = len(people), len(facts["timepoints"]) + 1, facts["items"]
    own = items["patient_sd"] * draws.normal(n, 1, 10) + items["visit_sd"] * draws.normal(n, n_visits, 10)
    blank_share = np.full(10, items["blank_share"])
    blank_share[7] = items["blank_share_item_8"]  # the section that may be left blank
    return Measures(
        taken={
            name: people.is_in("region", *score["regions"]) if "regions" in score else np.ones(n, dtype=bool)
            for name, score in facts["scores"].items()
        },
        items=own + np.asarray(items["offsets"]),
        blanks=draws.uniform(n, n_visits, 10) < blank_share,
        levels=facts["eq5d_5l"]["noise_sd"] * draws.normal(n, n_visits, 5),
        impression=facts["pgic7"]["noise_sd"] * draws.normal(n, n_visits),
    )


def fill_items(latent: np.ndarray, measures: Measures, first: int = 0) -> np.ndarray:
    """Return the ODI's items, episodes x visits x items: rounded, clipped to 0-5, NaN where left blank."""
    visits = slice(first, first + latent.shape[1])
    items = np.clip(np.rint(latent[:, :, None] / 20 + measures.items[:, visits]), 0, 5)
    items[measures.blanks[:, visits] | ~measures.taken["odi"][:, None, None]] = np.nan
    return items


def observe_score(name: str, latent: np.ndarray, measures: Measures, first: int = 0) -> np.ndarray:
    """Return the scores that are written down, episodes x visits; NaN where the instrument is not taken."""
    if name == "odi":
        return score_visits(name, fill_items(latent, measures, first))
    facts = read_facts("made_up_clinic")["scores"][name]
    written = np.clip(np.round(latent, facts["decimals"]), 0, facts["maximum"])
    return np.where(measures.taken[name][:, None], written, np.nan)


def score_visits(name: str, items: np.ndarray, variant: str | None = None) -> np.ndarray:
    """Return the scores of items that stand as episodes x visits x items."""
    scores = score_items(name, items.reshape(-1, items.shape[2]), variant=variant).score
    return scores.reshape(items.shape[:2])


def rate_levels(odi: np.ndarray, nprs: np.ndarray, measures: Measures) -> np.ndarray:
    """Return the levels (1-5) of the EQ-5D from what is felt, episodes x visits x dimensions."""
    facts = read_facts("made_up_clinic")["eq5d_5l"]
    pain = np.clip(nprs, 0, 10) / 10
    function = np.where(measures.taken["odi"][:, None], np.clip(odi, 0, 100) / 100, pain)
    weight_odi, weight_nprs = np.asarray(facts["weight_odi"]), np.asarray(facts["weight_nprs"])
    burden = function[:, :, None] * weight_odi + pain[:, :, None] * weight_nprs + measures.levels
    return 1.0 + (burden[:, :, :, None] > np.asarray(facts["cuts"])).sum(axis=3)


def rate_change(pain: np.ndarray, measures: Measures) -> np.ndarray:
    """Return the global impression of change (1 very much improved ... 7) from pain, episodes x visits."""
    facts = read_facts("made_up_clinic")["pgic7"]
    answer = facts["intercept"] - facts["slope"] * (pain[:, :1] - pain) + measures.impression
    answer = np.clip(np.rint(answer), 1, 7)
    answer[:, 0] = np.nan
    return answer
