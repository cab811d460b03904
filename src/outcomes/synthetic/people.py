"""The people of the made-up clinic: who comes when, to whom, with what; and the random numbers for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from outcomes.facts import read_facts


class Draws:
    """One stream of random numbers for one purpose, so that a new purpose changes no other stream.

    Only uniform numbers are taken from the generator (their stream is fixed by PCG64); normal numbers are
    made from them here, because numpy does not promise that its own stay the same in another version.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        key = [int(seed), *purpose.encode("ascii")]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def uniform(self, *shape: int) -> np.ndarray:
        """Return numbers in [0, 1)."""
        return self._generator.random(shape)

    def normal(self, *shape: int) -> np.ndarray:
        """Return standard normal numbers, by Box and Muller (1958, doi 10.1214/aoms/1177706645)."""
        size = int(np.prod(shape, dtype=np.int64))
        half = (size + 1) // 2
        radius = np.sqrt(-2.0 * np.log1p(-self._generator.random(half)))
        angle = 2.0 * np.pi * self._generator.random(half)
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size].reshape(shape)

    def category(self, shares: Mapping[str, float], size: int) -> np.ndarray:
        """Return codes into the names of ``shares``, drawn with those shares."""
        edges = np.cumsum(list(shares.values()))
        codes = np.searchsorted(edges, self.uniform(size) * edges[-1], side="right")
        return np.minimum(codes, len(edges) - 1).astype(np.int8)

    def whole_days(self, bounds: Sequence[int], size: int) -> np.ndarray:
        """Return whole days from the first to the last of ``bounds``, both included, each as likely."""
        first, last = bounds
        return first + np.floor(self.uniform(size) * (last - first + 1)).astype(np.int64)


CATEGORIES = ("site", "region", "cause", "duration", "sex", "risk_group", "work_status")


@dataclass(frozen=True)
class People:
    """Episodes as arrays with one entry per episode."""

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
    def observable_days(self) -> np.ndarray:
        """Days from each start until the records are taken."""
        return count_days(read_facts("made_up_clinic")["calendar"]["extracted_on"]) - self.start

    @property
    def is_second(self) -> np.ndarray:
        """Which episodes are their patient's second."""
        return self.patient < np.arange(len(self))

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


def list_by_therapy(values: Mapping[str, Any]) -> np.ndarray:
    """Return values by therapy in the order of the therapies' codes."""
    return np.array([values[id] for id in read_facts("made_up_clinic")["therapies"]])


def count_days(iso_date: str) -> int:
    """Return the days from 1970-01-01 to an ISO date."""
    return (date.fromisoformat(iso_date) - date(1970, 1, 1)).days


def draw_people(n_episodes: int, seed: int) -> People:
    """Draw the episodes, each of another patient."""
    facts, calendar = read_facts("made_up_clinic")["people"], read_facts("made_up_clinic")["calendar"]
    draws = Draws(seed, "people")
    days = [count_days(calendar[key]) for key in ("first_start", "last_start")]
    start = draws.whole_days(days, n_episodes)
    codes = {name: draws.category(facts["shares"][name], n_episodes) for name in CATEGORIES}
    therapists = facts["therapists_per_site"]
    ages = np.rint(facts["age_mean"] + facts["age_sd"] * draws.normal(n_episodes))
    return People(
        patient=np.arange(n_episodes),
        start=start,
        therapist=codes["site"] * therapists + draws.whole_days((0, therapists - 1), n_episodes),
        age_years=np.clip(ages, facts["age_minimum"], facts["age_maximum"]).astype(np.int64),
        previous_episodes=draws.uniform(n_episodes) < facts["previous_episodes_share"],
        declined=draws.uniform(n_episodes) < facts["declined_share"],
        work_recorded=draws.uniform(n_episodes) >= facts["work_status_missing_share"],
        codes=codes,
    )


def add_second_episodes(people: People, day: np.ndarray) -> People:
    """Turn the last episodes into second ones of the first patients.

    ``day`` has one entry per episode: how long after its start the patient's next one begins, infinite where
    none does before the records are taken. As many patients are kept as have room for all their episodes.
    """
    n_rows_needed = np.cumsum(1 + np.isfinite(day))
    firsts = np.flatnonzero(np.isfinite(day[: np.searchsorted(n_rows_needed, len(people), side="right")]))
    seconds = np.arange(len(people) - len(firsts), len(people))
    whose = np.arange(len(people))
    whose[seconds] = firsts
    kept = {name: people.codes[name][whose] for name in ("site", "sex", "region")}
    same = {name: getattr(people, name)[whose] for name in ("patient", "therapist", "declined")}
    gap = np.zeros(len(people), dtype=np.int64)
    gap[seconds] = day[firsts]
    second = gap > 0
    age = np.minimum(
        people.age_years[whose] + gap // 365, read_facts("made_up_clinic")["people"]["age_maximum"]
    )
    return replace(
        people,
        **same,
        start=people.start[whose] + gap,
        age_years=np.where(second, age, people.age_years),
        previous_episodes=people.previous_episodes | second,
        codes={**people.codes, **kept},
    )
