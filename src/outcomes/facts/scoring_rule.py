"""`ScoringRule`, `ItemPolicy` and `ValueSet`: how items become a score, as data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.toml import build_strictly, read_facts, read_table, suggest_name

#: How items become a score; each is written out in ``words/en/instrument_sheet.toml``.
RULES = (
    "single",  # the item is the score
    "sum",
    "count_endorsed",  # sum of items that are 0 or 1
    "mean",
    "percent_of_maximum",  # 0 to 100
    "weighted_sum",  # with `weights`
    "lookup",  # the sum's entry in `table`
    "value_set",  # an index from levels
    "quotient",  # first item by the second
    "difference",  # second item less the first
    "symmetry",  # smallest item as a percentage of the largest
)
_OF_TWO = ("quotient", "difference")
#: Rules under which a blank item cannot be filled from the others.
_UNFILLABLE = ("weighted_sum", "lookup", "value_set", "symmetry", *_OF_TWO)


@dataclass(frozen=True)
class ScoringRule:
    """The ``[scoring]`` table of an instrument. Items are numbered from 1."""

    #: One of `RULES`.
    rule: str
    #: Range of one item: of all alike, or one entry for each.
    item_minimum: float | tuple[float, ...]
    item_maximum: float | tuple[float, ...]
    #: Name of the missing-item policy that is used by default.
    missing: str
    #: Number of items; with ``n_items_maximum`` the smallest number.
    n_items: int = 1
    #: Largest number of items, where patients may name several.
    n_items_maximum: int | None = None
    #: Grid of the items; None where any value is possible.
    item_step: float | None = None
    #: Neutral labels of the items; ``item1``, ``item2``, ... where absent.
    items: tuple[str, ...] = ()
    #: Other missing-item policies that may be asked for.
    policies: tuple[str, ...] = ()
    #: Decimals to which a score is rounded; None keeps it as computed.
    decimals: int | None = None
    #: For ``value_set``: the file of facts with the coefficients, by variant.
    value_sets: str | None = None
    #: ``{items, values}``: what the answers of some items count, from the lowest answer on.
    recodes: tuple[Mapping[str, Any], ...] = ()
    #: Items of which the highest answer counts least: minimum + maximum - answer.
    reverse: tuple[int, ...] | str = ()
    #: Whether the answer that is printed first counts ``lowest`` or ``highest``: what A stands for where
    #: answers are recorded as letters; None where letters or numbers in printed order are not in use.
    first_answer: str | None = None
    #: Groups of items of which the highest alone counts, in the place of the first.
    highest_of: tuple[tuple[int, ...], ...] = ()
    #: For ``weighted_sum``: one for each item that counts.
    weights: tuple[float, ...] = ()
    #: For ``lookup``: name of the table that turns the sum into the score. One that is not among the
    #: package's ``conversions/`` is the user's own.
    table: str | None = None
    #: For ``quotient``: (first + offset) / second * factor.
    factor: float = 1.0
    offset: float = 0.0
    #: What a reader must see beside the score: ``{meaning}`` with ``at_least``, ``above`` or ``below``, of
    #: the ``item`` of that number, of the score where none is named.
    flags: tuple[Mapping[str, Any], ...] = ()
    #: For a subscale: its items' numbers in the whole form.
    form_items: tuple[int, ...] = ()
    #: For a subscale: number of items of the whole form.
    n_form_items: int = 0

    def __post_init__(self) -> None:
        """Refuse names of rules and policies that there are not, and parts that do not fit each other."""
        if self.rule not in RULES:
            raise FactsError(f"There is no scoring rule {self.rule!r}; {suggest_name(self.rule, RULES)}")
        for name in (self.missing, *self.policies):
            if name not in read_policies():
                hint = suggest_name(name, read_policies())
                raise FactsError(f"There is no missing-item policy {name!r}; {hint}")
        blanks_allowed = {self.missing, *self.policies} != {"none_missing"}
        if blanks_allowed and (self.rule in _UNFILLABLE or self.highest_of):
            raise FactsError(f"The scoring rule {self.rule!r} needs every item: missing = 'none_missing'.")
        if self.first_answer not in (None, "lowest", "highest"):
            raise FactsError(f'first_answer is "lowest" or "highest", not {self.first_answer!r}.')
        for problem in self._find_misfits():
            raise FactsError(f"The scoring rule {self.rule!r} {problem}.")

    def _find_misfits(self) -> Iterator[str]:
        n_counted = self.n_items - sum(len(group) - 1 for group in self.highest_of)
        if self.rule == "weighted_sum" and len(self.weights) != n_counted:
            yield f"needs {n_counted} weights, one for each item that counts"
        if self.rule == "lookup" and self.table is None:
            yield "needs a table"
        if self.rule in _OF_TWO and self.n_items != 2:
            yield "needs two items"
        for name in ("item_minimum", "item_maximum", "items"):
            given = getattr(self, name)
            if isinstance(given, tuple) and given and len(given) != self.n_items:
                yield f"needs {self.n_items} entries in {name}, one for each item"

    def list_bounds(self, n_items: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the smallest and the largest answer of each item."""
        low, high = self.item_minimum, self.item_maximum
        return (
            low if isinstance(low, tuple) else (float(low),) * n_items,
            high if isinstance(high, tuple) else (float(high),) * n_items,
        )

    def list_reversed(self, n_items: int) -> tuple[int, ...]:
        """Return the numbers of the items whose highest answer counts least."""
        return tuple(range(1, n_items + 1)) if self.reverse == "all" else tuple(map(int, self.reverse))

    def list_letters(self, number: int) -> dict[str, str]:
        """Return what the letters of an item's answers stand for, from ``a`` on; none where not in use.

        >>> from outcomes.facts import read_instrument
        >>> read_instrument("ndi").scoring_rule.list_letters(1)["f"]
        '5'
        """
        if self.first_answer is None or self.item_step is None:
            return {}
        lows, highs = self.list_bounds(self.n_items)
        low, high = lows[number - 1], highs[number - 1]
        answers = [low + place * self.item_step for place in range(round((high - low) / self.item_step) + 1)]
        ordered = answers if self.first_answer == "lowest" else answers[::-1]
        return {chr(ord("a") + place): f"{answer:g}" for place, answer in enumerate(ordered)}

    def narrow(self, numbers: tuple[int, ...], changes: Mapping[str, Any]) -> "ScoringRule":
        """Return the rule of a subscale: of the items of those numbers (none: all), with changed fields."""
        numbers = numbers or tuple(range(1, self.n_items + 1))
        place = {number: own for own, number in enumerate(numbers, start=1)}
        low, high = self.list_bounds(self.n_items)
        labels = self.label_items(self.n_items)
        recodes = [
            {"items": [place[n] for n in entry["items"] if n in place], "values": entry["values"]}
            for entry in self.recodes
        ]
        own: dict[str, Any] = {
            **vars(self),
            "n_items": len(numbers),
            "item_minimum": tuple(low[number - 1] for number in numbers),
            "item_maximum": tuple(high[number - 1] for number in numbers),
            "items": tuple(labels[number - 1] for number in numbers),
            "reverse": tuple(place[n] for n in self.list_reversed(self.n_items) if n in place),
            "recodes": tuple(entry for entry in recodes if entry["items"]),
            "flags": tuple(
                {**flag, "item": place[flag["item"]]} if "item" in flag else flag
                for flag in self.flags
                if flag.get("item", numbers[0]) in place
            ),
            "form_items": numbers,
            "n_form_items": self.n_items,
        }
        return build_strictly(ScoringRule, {**own, **changes}, "scoring of a subscale")

    def find_policy(self, name: str | None = None) -> "ItemPolicy":
        """Return a missing-item policy of the instrument, the default without a name; others are refused."""
        allowed = (self.missing, *self.policies)
        if name is not None and name not in allowed:
            raise FactsError(f"The missing-item policy {name!r} is not one of {', '.join(allowed)}.")
        return read_policies()[name or self.missing]

    def label_items(self, n_items: int) -> tuple[str, ...]:
        """Return the neutral labels of the items."""
        return self.items or tuple(f"item{number}" for number in range(1, n_items + 1))


@dataclass(frozen=True)
class ItemPolicy:
    """A missing-item policy of ``item_policies.toml``."""

    id: str
    meaning: str
    #: What a blank item counts as: ``person_mean`` or ``zero``.
    blank: str
    #: Largest number of blank items with which there still is a score.
    most_missing: int | None = None
    #: Smallest number of answered items with which there is a score.
    least_answered: int = 1
    #: Smallest share of the items that must be answered, a proportion.
    least_share: float = 0.0


@cache
def read_policies() -> Mapping[str, ItemPolicy]:
    """Return all missing-item policies by id."""
    return {
        id: build_strictly(ItemPolicy, {"id": id, **content}, f"item_policies.toml, [{id}]")
        for id, content in read_facts("item_policies").items()
    }


@dataclass(frozen=True)
class ValueSet:
    """The coefficients with which levels become an index."""

    id: str
    label: str
    source: str
    #: Value of the state with every item at level 1, before any term.
    start: float = 1.0
    #: Item label to what each of its levels adds, from level 1 on.
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    #: What states add beside their levels, each with a ``coefficient``: ``any_at_least`` (once, when any item
    #: is at ``level`` or worse), ``count_beyond_first`` (the number of items at one of ``levels``, less one,
    #: to ``power``) or ``product`` (of the two ``items``, each counted from level 1 as 0).
    terms: tuple[Mapping[str, Any], ...] = ()
    #: Instead of start, levels and terms: a file of facts with one value for each state, the states in the
    #: order in which counting makes them (11111, 11112, ...), and the column of it.
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
