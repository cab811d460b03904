"""The rules of disclosure control, read from ``facts/disclosure.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from outcomes.errors import DisclosureError
from outcomes.facts import read_facts

AUDIENCES = ("stakeholder", "team")


@dataclass(frozen=True)
class Rules:
    """What must stand behind a number before it leaves, and how exactly it is written.

    Parameters
    ----------
    profile : str
        Id of the profile whose rules they are.
    k : int
        Smallest number of distinct patients behind a cell, its complement and every statistic.
    cells : mapping
        Precision and the size that zero and full cells need.
    kind_of : mapping
        Statistic to its kind; one that is absent is withheld.
    roles : mapping
        Which statistics count harm, compare therapies or add up over levels.
    chains : tuple of mappings
        Flows, in which a withheld step could be computed from what remains before and after it.
    league : mapping
        When sites may be set side by side.
    kept_back : tuple of str
        Keys of sentences that do not leave.
    provenance : mapping
        What may be said of where a result comes from.
    team_only : mapping
        Analysis to its statistics that no page for stakeholders prints.
    complements : tuple of mappings
        Counts that are shown only where what they leave of another is no small number.
    importance : mapping
        What a reader misses most, where something must be withheld.
    quantities : mapping
        Which means are sums of the same quantity.
    joint : mapping
        Limits of time for what is checked together.
    ledger : mapping
        Which numbers of different editions are of one quantity.
    """

    profile: str
    k: int
    cells: Mapping[str, Any]
    kind_of: Mapping[str, str]
    roles: Mapping[str, Any]
    chains: tuple[Mapping[str, str], ...]
    league: Mapping[str, Any]
    kept_back: tuple[str, ...]
    provenance: Mapping[str, Any]
    team_only: Mapping[str, Any]
    complements: tuple[Mapping[str, str], ...]
    importance: Mapping[str, Any]
    quantities: Mapping[str, Any]
    joint: Mapping[str, Any]
    ledger: Mapping[str, Any]

    @property
    def full_cell_size(self) -> int:
        """Smallest group in which a share of 0 or 100 %, or a count of zero, is shown."""
        return int(self.cells["full_cell_factor"]) * self.k


@cache
def read_rules(k: int | None = None, profile: str | None = None) -> Rules:
    """Read the rules of a profile.

    Parameters
    ----------
    k : int, optional
        Distinct patients; the number of the profile where absent.
    profile : str, optional
        Id; ``standard`` where absent.

    Returns
    -------
    Rules

    Raises
    ------
    DisclosureError
        When there is no such profile, or `k` is no whole number or smaller than the profile allows.

    Examples
    --------
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
    kind_of = {statistic: kind for kind, statistics in facts["kinds"].items() for statistic in statistics}
    return Rules(
        profile, k, {**facts["cells"], **own.get("cells", {})}, kind_of, facts["roles"],
        tuple(facts["chains"]), facts["league"],
        tuple(facts["sentences"]["kept_back"]), facts["provenance"],
        facts["team_only"], tuple(facts["complements"]), facts["importance"], facts["quantities"],
        facts["joint"], facts["ledger"],
    )  # fmt: skip
