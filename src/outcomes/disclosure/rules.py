"""The rules of disclosure control, read from ``facts/disclosure.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from outcomes.errors import DisclosureError
from outcomes.facts import Statistic, read_facts, read_statistics

AUDIENCES = ("stakeholder", "team")


@dataclass(frozen=True)
class Rules:
    """What must stand behind a number before it leaves, and how exactly it is written.

    What follows from the statistic of a number, its own declaration says: see `Rules.statistics`.
    """

    profile: str
    #: Smallest number of distinct patients behind a cell, its complement and every statistic.
    k: int
    #: Precision, and the size that zero and full cells need.
    cells: Mapping[str, Any]
    #: Terms of checks and of periods, and groups that are halves of a whole.
    roles: Mapping[str, Any]
    #: When sites may be set side by side.
    league: Mapping[str, Any]
    #: Keys of sentences that do not leave.
    kept_back: tuple[str, ...]
    #: What may be said of where a result comes from.
    #: What a reader misses most, beside the statistic, where something must be withheld.
    importance: Mapping[str, Any]
    #: Limits of time, in seconds, for what is checked together.
    joint: Mapping[str, Any]
    #: What a number depends on beside its quantity, for the ledger of releases.
    ledger: Mapping[str, Any]

    @property
    def full_cell_size(self) -> int:
        """Smallest group in which a share of 0 or 100 %, or a count of zero, is shown."""
        return int(self.cells["full_cell_factor"]) * self.k

    @property
    def statistics(self) -> Mapping[str, Statistic]:
        """Every statistic by id; one that is not among them is refused where a `Result` is built."""
        return read_statistics()


def check_audience(audience: str) -> None:
    """Refuse an audience that there is not."""
    if audience not in AUDIENCES:
        raise DisclosureError(f"There is no audience {audience!r}; choose {' or '.join(AUDIENCES)}.")


@cache
def read_rules(k: int | None = None, profile: str | None = None) -> Rules:
    """Read the rules of a profile, ``standard`` where none is named; `k` is that of the profile where absent.

    A DisclosureError where there is no such profile, or `k` is no whole number or smaller than it allows.

    >>> read_rules().k, read_rules(profile="nhs").k, read_rules(20, "nhs").k
    (11, 8, 20)
    """
    facts = read_facts("disclosure")
    profile = profile or facts["default_profile"]
    if profile not in facts["profiles"]:
        known = ", ".join(facts["profiles"])
        raise DisclosureError(f"There is no disclosure profile {profile!r}; choose one of: {known}.")
    own = facts["profiles"][profile]
    k = own["k"] if k is None else k
    if isinstance(k, bool) or not isinstance(k, int) or k < own["lowest_k"]:
        raise DisclosureError(
            f"k = {k!r} would show groups too small to hide a patient under the profile {profile!r}; "
            f"choose a whole number of {own['lowest_k']} or more."
        )
    return Rules(
        profile=profile,
        k=k,
        cells={**facts["cells"], **own.get("cells", {})},
        kept_back=tuple(facts["sentences"]["kept_back"]),
        **{name: facts[name] for name in ("roles", "league", "importance", "joint", "ledger")},
    )
