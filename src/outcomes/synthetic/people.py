"""The people of the made-up clinic: who comes when, to whom, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from outcomes.facts import read_facts
from outcomes.synthetic.draws import Draws

CATEGORIES = ("site", "region", "cause", "duration", "sex", "risk_group", "work_status")


@dataclass(frozen=True)
class People:
    """Episodes in the order of their start, as arrays with one entry per episode."""

    #: Number of the patient.
    patient: np.ndarray
    #: Time zero in days since 1970-01-01.
    start: np.ndarray
    #: Number of the therapist; those of a site follow each other.
    therapist: np.ndarray
    age_years: np.ndarray
    previous_episodes: np.ndarray
    #: Whether the patient declined the use of the records.
    declined: np.ndarray
    #: Whether work was recorded.
    work_recorded: np.ndarray
    #: For each of `CATEGORIES` the code into its names.
    codes: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self.patient)

    def is_in(self, category: str, *names: str) -> np.ndarray:
        """Return which episodes have one of these values of a category."""
        known = name_categories()[category]
        return np.isin(self.codes[category], [known.index(name) for name in names])

    @property
    def n_therapists(self) -> int:
        """Therapists of all sites."""
        facts = read_facts("made_up_clinic")["people"]
        return len(facts["shares"]["site"]) * facts["therapists_per_site"]

    @property
    def age_sds(self) -> np.ndarray:
        """Age in standard deviations from the clinic's mean."""
        facts = read_facts("made_up_clinic")["people"]
        return (self.age_years - facts["age_mean"]) / facts["age_sd"]

    def add_weights(self, weights: Mapping[str, float]) -> np.ndarray:
        """Return the sum of weights such as ``{"risk_group.high": 0.5, "age": 0.1}`` for each episode."""
        total = np.zeros(len(self))
        for key, weight in weights.items():
            column, _, name = key.partition(".")
            total += weight * (self.is_in(column, name) if name else self.age_sds)
        return total


def name_categories() -> dict[str, list[str]]:
    """Return the names behind the codes of each category."""
    return {name: list(shares) for name, shares in read_facts("made_up_clinic")["people"]["shares"].items()}


def count_days(iso_date: str) -> int:
    """Return the days from 1970-01-01 to an ISO date."""
    return (date.fromisoformat(iso_date) - date(1970, 1, 1)).days


def draw_people(n_episodes: int, seed: int) -> People:
    """Draw the episodes; a few of the last are second episodes of earlier patients."""
    facts = read_facts("made_up_clinic")["people"]
    draws = Draws(seed, "people")
    first, last = (
        count_days(read_facts("made_up_clinic")["calendar"][key]) for key in ("first_start", "last_start")
    )
    start = draws.whole_days((first, last), n_episodes)
    codes = {name: draws.category(facts["shares"][name], n_episodes) for name in CATEGORIES}
    therapists = facts["therapists_per_site"]
    ages = np.rint(facts["age_mean"] + facts["age_sd"] * draws.normal(n_episodes))
    people = People(
        patient=np.arange(n_episodes),
        start=start,
        therapist=codes["site"] * therapists + draws.whole_days((0, therapists - 1), n_episodes),
        age_years=np.clip(ages, facts["age_minimum"], facts["age_maximum"]).astype(np.int64),
        previous_episodes=draws.uniform(n_episodes) < facts["previous_episodes_share"],
        declined=draws.uniform(n_episodes) < facts["declined_share"],
        work_recorded=draws.uniform(n_episodes) >= facts["work_status_missing_share"],
        codes=codes,
    )
    return _order_by_start(_add_second_episodes(people, draws))


def _add_second_episodes(people: People, draws: Draws) -> People:
    """Turn the last few episodes into second ones of patients who started early enough."""
    facts = read_facts("made_up_clinic")
    n_second = round(len(people) * facts["people"]["second_episode_share"])
    gap, last = facts["calendar"]["second_episode_after_days"], count_days(facts["calendar"]["last_start"])
    firsts = np.flatnonzero(people.start[: len(people) - n_second] + gap <= last)[:n_second]
    seconds = len(people) - 1 - np.arange(len(firsts))
    earliest = people.start[firsts] + gap
    start = people.start.copy()
    start[seconds] = earliest + np.floor(draws.uniform(len(firsts)) * (last - earliest + 1)).astype(np.int64)
    age = people.age_years.copy()
    age[seconds] = np.minimum(
        age[firsts] + (start[seconds] - start[firsts]) // 365, facts["people"]["age_maximum"]
    )
    previous = people.previous_episodes.copy()
    previous[seconds] = True
    kept = {name: _copy_entries(people.codes[name], firsts, seconds) for name in ("site", "sex", "region")}
    return People(
        patient=_copy_entries(people.patient, firsts, seconds),
        start=start,
        therapist=_copy_entries(people.therapist, firsts, seconds),
        age_years=age,
        previous_episodes=previous,
        declined=_copy_entries(people.declined, firsts, seconds),
        work_recorded=people.work_recorded,
        codes={**people.codes, **kept},
    )


def _copy_entries(values: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[target] = values[source]
    return values


def _order_by_start(people: People) -> People:
    order = np.argsort(people.start, kind="stable")
    numbers = np.unique(people.patient[order], return_index=True, return_inverse=True)
    rank = np.empty(len(numbers[0]), dtype=np.int64)
    rank[np.argsort(numbers[1])] = np.arange(len(numbers[0]))
    fields = {name: getattr(people, name)[order] for name in People.__dataclass_fields__ if name != "codes"}
    fields["patient"] = rank[numbers[2]]
    return People(**fields, codes={name: codes[order] for name, codes in people.codes.items()})
