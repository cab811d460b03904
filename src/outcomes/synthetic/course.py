"""How scores begin and go on: potential scores under every therapy from the same noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.synthetic.draws import Draws
from outcomes.synthetic.measures import Measures, draw_measures, observe_score
from outcomes.synthetic.people import People


@dataclass(frozen=True)
class Course:
    """All that decides an episode's scores but the therapy."""

    people: People
    #: The noise of rounding into items and levels.
    measures: Measures
    #: Observed baseline score by instrument, one entry per episode; missing where it is not taken.
    baseline: Mapping[str, np.ndarray]
    #: Scores at the start before items and rounding.
    baseline_latent: Mapping[str, np.ndarray]
    #: Residual by instrument, episodes x follow-ups; the therapist's part, one entry per episode.
    residuals: Mapping[str, np.ndarray]
    therapist: Mapping[str, np.ndarray]


def draw_course(people: People, seed: int) -> Course:
    """Draw the baseline scores and all the noise of the follow-ups."""
    facts = read_facts("made_up_clinic")
    draws = Draws(seed, "course")
    measures = draw_measures(people, seed)
    severity, sharing = people.add_weights(facts["severity"]), facts["sharing"]
    shared = draws.normal(len(people))
    latent, baseline, residuals, therapist = {}, {}, {}, {}
    common = _draw_residuals(draws, people, len(facts["timepoints"]))
    liking = Draws(seed, "therapists")
    for name, score in facts["scores"].items():
        level = severity + mix_noise(sharing["severity"], shared, draws.normal(len(people)))
        latent[name] = score["mean"] + score["worse"] * score["spread"] * level
        baseline[name] = observe_score(name, latent[name][:, None], measures)[:, 0]
        own = _draw_residuals(draws, people, len(facts["timepoints"]))
        residual = mix_noise(sharing["scores"], common, own) * np.asarray(score["residual"])
        residuals[name] = score["worse"] * residual
        skill = liking.normal(people.n_therapists)
        therapist[name] = score["worse"] * score["therapist_sd"] * skill[people.therapist]
    return Course(people, measures, baseline, latent, residuals, therapist)


def _draw_residuals(draws: Draws, people: People, n_visits: int) -> np.ndarray:
    lasting = draws.normal(len(people), 1)
    passing = draws.normal(len(people), n_visits)
    return mix_noise(read_facts("made_up_clinic")["sharing"]["visits"], lasting, passing)


def mix_noise(share: float, common: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return noise of variance 1 of which a share is common."""
    return np.sqrt(share) * common + np.sqrt(1 - share) * own


def follow_latent(course: Course, therapy: np.ndarray, name: str) -> np.ndarray:
    """Return one instrument's scores under a therapy before items and rounding, episodes x follow-ups."""
    facts = read_facts("made_up_clinic")
    score = facts["scores"][name]
    n_visits = len(facts["timepoints"])
    effects = np.array([score["effects"].get(id, [0.0] * n_visits) for id in facts["therapies"]])
    from_centre = np.nan_to_num(course.baseline[name] - score["centre"])
    steady = score["worse"] * score["prognosis"] * course.people.add_weights(facts["prognosis"])
    steady += course.therapist[name]
    return (
        np.asarray(score["usual_care"])
        + from_centre[:, None] * np.asarray(score["slope"])
        + steady[:, None]
        + effects[therapy]
        + course.residuals[name]
    )


def follow_scores(course: Course, therapy: np.ndarray, name: str) -> np.ndarray:
    """Return the scores of one instrument that would be seen under a therapy, episodes x follow-ups."""
    return observe_score(name, follow_latent(course, therapy, name), course.measures, first=1)


def choose_therapy(course: Course, seed: int, confounding: float) -> np.ndarray:
    """Return each episode's therapy as a code, chosen by the observed baseline score and recorded covariates."""
    facts = read_facts("made_up_clinic")
    choice, people = facts["choice"], course.people
    draws = Draws(seed, "choice")
    liking = choice["therapist_sd"] * draws.normal(people.n_therapists, len(facts["therapies"]))
    known = {
        "score": lead_severity(course.baseline),
        "age": people.age_sds,
        "chronic": people.is_in("duration", "chronic"),
        "high_risk": people.is_in("risk_group", "high"),
    }
    odds = np.array([choice["intercept"][id] for id in facts["therapies"]]) + liking[people.therapist]
    for name, values in known.items():
        slopes = confounding * np.array([choice[name][id] for id in facts["therapies"]])
        odds = odds + np.asarray(values, dtype=float)[:, None] * slopes
    edges = np.cumsum(np.exp(odds - odds.max(axis=1, keepdims=True)), axis=1)
    return (draws.uniform(len(people), 1) * edges[:, -1:] >= edges).sum(axis=1)


def lead_severity(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the leading score (odi; nprs for the neck) in SDs from its centre, 0 where it is missing."""
    facts = read_facts("made_up_clinic")["scores"]
    odi, nprs = ((scores[id] - facts[id]["centre"]) / facts[id]["spread"] for id in ("odi", "nprs"))
    return np.nan_to_num(np.where(np.isnan(odi), nprs, odi))
