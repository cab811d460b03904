"""How scores begin, go on and are written down: potential scores under every therapy from the same noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.scoring import score_items
from outcomes.synthetic.people import Draws, People, list_by_therapy


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
    """Return the ODI's items, episodes x visits x items: rounded, clipped to 0-5, NaN where left blank.

    ``latent`` is episodes x visits, the first of which has the number ``first`` (0 is the start).
    """
    visits = slice(first, first + latent.shape[1])
    items = np.clip(np.rint(latent[:, :, None] / 20 + measures.items[:, visits]), 0, 5)
    items[measures.blanks[:, visits] | ~measures.taken["odi"][:, None, None]] = np.nan
    return items


def observe_score(name: str, latent: np.ndarray, measures: Measures, first: int = 0) -> np.ndarray:
    """Return the scores that are written down, as `fill_items`; NaN where the instrument is not taken."""
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
    effects, modified = (
        np.array([score.get(key, {}).get(id, [0.0] * n_visits) for id in facts["therapies"]])[therapy]
        for key in ("effects", "modified")
    )
    column, name_of_those = facts["modifier"].split(".")
    share = facts["people"]["shares"][column][name_of_those]
    leaning = course.people.is_in(column, name_of_those) - share
    from_centre = np.nan_to_num(course.baseline[name] - score["centre"])
    steady = score["worse"] * score["prognosis"] * course.people.add_weights(facts["prognosis"])
    steady += course.therapist[name]
    return (
        np.asarray(score["usual_care"])
        + from_centre[:, None] * np.asarray(score["slope"])
        + steady[:, None]
        + effects
        + leaning[:, None] * modified
        + course.residuals[name]
    )


def follow_scores(course: Course, therapy: np.ndarray, name: str) -> np.ndarray:
    """Return the scores of one instrument that would be seen under a therapy, episodes x follow-ups."""
    return observe_score(name, follow_latent(course, therapy, name), course.measures, first=1)


def choose_therapy(course: Course, seed: int, confounding: float) -> np.ndarray:
    """Return each episode's therapy as a code, chosen by the observed baseline score and recorded covariates.

    ``confounding`` is a factor on all slopes; 0 is a choice at random.
    """
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
    odds = list_by_therapy(choice["intercept"]) + liking[people.therapist]
    for name, values in known.items():
        slopes = confounding * list_by_therapy(choice[name])
        odds = odds + np.asarray(values, dtype=float)[:, None] * slopes
    edges = np.cumsum(np.exp(odds - odds.max(axis=1, keepdims=True)), axis=1)
    return (draws.uniform(len(people), 1) * edges[:, -1:] >= edges).sum(axis=1)


def lead_severity(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the leading score (odi; nprs for the neck) in SDs from its centre, 0 where it is missing."""
    facts = read_facts("made_up_clinic")["scores"]
    odi, nprs = ((scores[id] - facts[id]["centre"]) / facts[id]["spread"] for id in ("odi", "nprs"))
    return np.nan_to_num(np.where(np.isnan(odi), nprs, odi))
