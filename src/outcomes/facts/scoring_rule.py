"""`ScoringRule`, `ItemPolicy` and `ValueSet`: how items become a score, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.toml import build_strictly, read_facts, read_table, suggest_name

RULES = ("single", "sum", "count_endorsed", "mean", "percent_of_maximum", "value_set")


@dataclass(frozen=True)
class ScoringRule:
    """The ``[scoring]`` table of an instrument.

    Parameters
    ----------
    rule : str
        ``single`` (the item is the score), ``sum``, ``count_endorsed`` (sum of items that are 0 or 1),
        ``mean``, ``percent_of_maximum`` (0 to 100) or ``value_set`` (an index from levels).
    item_minimum, item_maximum : float
        Range of one item.
    missing : str
        Name of the missing-item policy that is used by default.
    n_items : int
        Number of items; with ``n_items_maximum`` the smallest number.
    n_items_maximum : int or None
        Largest number of items, where patients may name several.
    item_step : float or None
        Grid of one item; None where any value is possible.
    items : tuple of str
        Neutral labels of the items; ``item1``, ``item2``, ... where absent.
    policies : tuple of str
        Other missing-item policies that may be asked for.
    decimals : int or None
        Decimals to which a score is rounded; None keeps it as computed.
    value_sets : str or None
        For ``value_set``: the file of facts with the coefficients, by variant.
    """

    rule: str
    item_minimum: float
    item_maximum: float
    missing: str
    n_items: int = 1
    n_items_maximum: int | None = None
    item_step: float | None = None
    items: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    decimals: int | None = None
    value_sets: str | None = None

    def __post_init__(self) -> None:
        """Refuse names of rules and policies that there are not."""
        if self.rule not in RULES:
            raise FactsError(f"There is no scoring rule {self.rule!r}; {suggest_name(self.rule, RULES)}")
        for name in (self.missing, *self.policies):
            if name not in read_policies():
                hint = suggest_name(name, read_policies())
                raise FactsError(f"There is no missing-item policy {name!r}; {hint}")

    def find_policy(self, name: str | None = None) -> ItemPolicy:
        """Return a missing-item policy of the instrument, its default where no name is given.

        Raises
        ------
        FactsError
            When the instrument does not list the policy.
        """
        allowed = (self.missing, *self.policies)
        if name is not None and name not in allowed:
            raise FactsError(f"The missing-item policy {name!r} is not one of {', '.join(allowed)}.")
        return read_policies()[name or self.missing]

    def label_items(self, n_items: int) -> tuple[str, ...]:
        """Return the neutral labels of the items."""
        return self.items or tuple(f"item{number}" for number in range(1, n_items + 1))


@dataclass(frozen=True)
class ItemPolicy:
    """A missing-item policy of ``item_policies.toml``.

    Parameters
    ----------
    id, meaning : str
    blank : str
        What a blank item counts as: ``person_mean`` or ``zero``.
    most_missing : int or None
        Largest number of blank items with which there still is a score.
    least_answered : int
        Smallest number of answered items with which there is a score.
    """

    id: str
    meaning: str
    blank: str
    most_missing: int | None = None
    least_answered: int = 1


@cache
def read_policies() -> Mapping[str, ItemPolicy]:
    """Return all missing-item policies by id."""
    return {
        id: build_strictly(ItemPolicy, {"id": id, **content}, f"item_policies.toml, [{id}]")
        for id, content in read_facts("item_policies").items()
    }


@dataclass(frozen=True)
class ValueSet:
    """The coefficients with which levels become an index.

    Parameters
    ----------
    id, label, source : str
    start : float
        Value of the state with every item at level 1, before any term.
    levels : mapping
        Item label to what each of its levels adds, from level 1 on.
    terms : tuple of mappings
        What states add beside their levels, each with a ``coefficient``: ``any_at_least`` (once, when any
        item is at ``level`` or worse), ``count_beyond_first`` (the number of items at one of ``levels``,
        less one, to ``power``) or ``product`` (of the two ``items``, each counted from level 1 as 0).
    table, column : str or None
        Instead of start, levels and terms: a file of facts with one value for each state, the states in the
        order in which counting makes them (11111, 11112, ...), and the column of it.
    note : str
        What to know before using it.
    """

    id: str
    label: str
    source: str
    start: float = 1.0
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    terms: tuple[Mapping[str, Any], ...] = ()
    table: str | None = None
    column: str | None = None
    note: str = ""


@cache
def read_value_sets(name: str) -> Mapping[str, ValueSet]:
    """Return the value sets of one file of facts, such as ``value_sets/eq5d_5l``, by id."""
    return {
        id: build_strictly(ValueSet, {"id": id, **content}, f"{name}.toml, [{id}]")
        for id, content in read_facts(name).items()
    }


@cache
def read_state_values(table: str, column: str) -> tuple[float, ...]:
    """Return the values of all states from one column of a table of a value set, in the table's order."""
    return tuple(float(value) for value in read_table(table)[column])
