"""Secondary suppression within one result: what a reader could compute from its neighbours goes too.

In this order: steps of distributions (`thin_curves`); lines that add up (`protect_lines`); sites side by side
(`protect_sites`); limits of control charts (`protect_charts`); episodes in a flow (`protect_episodes`). Which
cells go depends on counts only, never on values or on the order of rows.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from outcomes.disclosure.decisions import UNSEEN, Decisions, Fate, Reason
from outcomes.disclosure.rules import Rules
from outcomes.disclosure.thresholds import Sizes
from outcomes.errors import DisclosureError, FactsError
from outcomes.facts import Statistic, read_instrument, read_words
from outcomes.result import ALL, Result

#: What tells one line across groups, or across the levels of a term, from the next.
_LINE = ("outcome", "statistic", "term", "versus", "timepoint", "x")
#: Kinds of which groups give nothing away together; a band spans k patients in every group.
_APART = frozenset({"check", "verdict", "band", "sites", "signal"})
_YEAR = re.compile(r"\d{4}")
#: Kinds by which sites are compared. Completeness has another base, and a band of it gives nothing away.
_OF_SITES = frozenset({"score", "share", "verdict"})


def thin_curves(table: pd.DataFrame, decisions: Decisions, sizes: Sequence[Sizes], rules: Rules) -> None:
    """Drop points of a distribution until at least k patients lie between any two that are shown.

    The difference of two points is the number of patients between them. Points are chosen outward from the
    amount that counts as improved, since its share stands in other tables too; without one, from the
    smallest amount.
    """
    curves: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(table.itertuples(index=False)):
        if rules.statistics[str(row.statistic)].kind == "curve" and decisions.is_shown(place):
            curves[str(row.outcome), str(row.statistic), str(row.group), str(row.timepoint)].append(place)
    amounts = table["x"].tolist()
    for (outcome, *_), places in curves.items():
        points = sorted(places, key=lambda place: amounts[place])
        start = _find_start(outcome, points, amounts)
        kept = _choose_points([sizes[place].part for place in points], start, rules.k)
        for number, place in enumerate(points):
            if number not in kept:
                decisions.settle(place, Fate.DROPPED, Reason.STEP)


def _choose_points(reached: Sequence[int], start: int, k: int) -> set[int]:
    """Return which points stay, by the patients who reach each; fewer reach a larger amount."""
    kept = {start}
    for way in (range(start + 1, len(reached)), range(start - 1, -1, -1)):
        last = reached[start]
        for number in way:
            if abs(reached[number] - last) >= k:
                kept.add(number)
                last = reached[number]
    return kept


def _find_start(outcome: str, points: Sequence[int], amounts: Sequence[float]) -> int:
    """Return the number of the point at the instrument's threshold for single patients, else 0."""
    try:
        thresholds = read_instrument(outcome).thresholds
    except FactsError:
        return 0
    cited = [entry for entry in thresholds if entry.rule == "absolute" and entry.level == "individual"]
    for entry in sorted(cited, key=lambda entry: not entry.default):
        found = [number for number, place in enumerate(points) if amounts[place] == entry.value]
        if found:
            return found[0]
    return 0


def protect_lines(table: pd.DataFrame, decisions: Decisions, sizes: Sequence[Sizes], rules: Rules) -> None:
    """Withhold further cells until no withheld one follows from those that are shown.

    A line is what adds up: the groups of a count, the levels of a term, the steps of a flow. A line with one
    withheld cell, or with withheld cells that hold fewer than k patients together, loses its smallest shown
    cell; where none is left it loses its total. Means do not add up, but a mean or share over all groups does
    give that of the missing ones: it is withheld, as is that of one half where the other half's is. A
    difference in a category whose shares are withheld would give them.
    """
    lines = _Lines(table, decisions, sizes, rules)
    while True:
        before = list(decisions.fates)
        lines.protect()
        if decisions.fates == before:
            return


@dataclass(frozen=True)
class _Line:
    """Positions of cells that add up to a total, or of which a total is the mean."""

    parts: list[int]
    total: int | None
    adds: bool


@dataclass(frozen=True)
class _Flow:
    """First count of a flow, and what each later step took away and left; None where there is no such row."""

    first: int | None
    steps: list[tuple[int | None, int | None]]


class _Lines:
    """Lines of one result, with the fates of their cells."""

    def __init__(
        self, table: pd.DataFrame, decisions: Decisions, sizes: Sequence[Sizes], rules: Rules
    ) -> None:
        self._decisions, self._rules = decisions, rules
        self._rows: list[Any] = list(table.itertuples(index=False))
        self._declared = [rules.statistics[str(row.statistic)] for row in self._rows]
        self._weights = [size.part for size in sizes]
        self._others = [size.sets.get("without", size.whole) for size in sizes]
        self._lines = [*self._across_groups(table), *self._across_levels(table)]
        self._bases = list(self._across_bases(table))
        self._flows = list(self._find_flows(table))

    def protect(self) -> None:
        """Apply each rule once."""
        for line in self._lines:
            self._decisions.withhold(self._cells_to_lose(line), Reason.NEIGHBOUR)
        for pairs, totals in self._bases:
            self._decisions.withhold(self._totals_to_lose(pairs, totals), Reason.NEIGHBOUR)
        found = _differences_that_tell(self._rows, self._decisions.fates, self._rules)
        self._decisions.withhold(found, Reason.DIFFERENCE)
        for flow in self._flows:
            self._protect_flow(flow)

    def _across_groups(self, table: pd.DataFrame) -> Iterator[_Line]:
        groups = table["group"].tolist()
        for places in _collect(table, (*_LINE, "level")).values():
            statistic = self._declared[places[0]]
            if statistic.kind in _APART:
                continue
            parts = [i for i in places if groups[i] != ALL]
            whole = [i for i in places if groups[i] == ALL]
            halves = not whole and {groups[i] for i in parts} == set(self._rules.roles["halves"])
            adds = "groups" in statistic.adds_over
            if len(parts) > 1 and (adds or whole or (halves and statistic.kind in ("share", "score"))):
                yield _Line(parts, whole[0] if whole else None, adds)

    def _across_levels(self, table: pd.DataFrame) -> Iterator[_Line]:
        for places in _collect(table, (*_LINE, "group")).values():
            parts = [i for i in places if "levels" in self._declared[i].adds_over]
            if len(parts) > 1:
                yield _Line(parts, None, True)

    def _across_bases(self, table: pd.DataFrame) -> Iterator[tuple[list[list[int]], list[int]]]:
        """Yield shares of those seen and of those due together, by group: both have one numerator."""
        for places in _collect(table, [name for name in (*_LINE, "level") if name != "term"]).values():
            own: dict[str, list[int]] = defaultdict(list)
            for i in places:
                if self._rows[i].term in ("seen", "due"):
                    own[str(self._rows[i].group)].append(i)
            totals = own.pop(ALL, [])
            if totals and len(own) > 1:
                yield list(own.values()), totals

    def _find_flows(self, table: pd.DataFrame) -> Iterator[_Flow]:
        terms = table["term"].astype(str).tolist()
        for statistic in dict.fromkeys(entry for entry in self._declared if "flow" in entry.adds_over):
            remaining = {terms[i]: i for i, one in enumerate(self._declared) if one.id == statistic.part_of}
            removed = {terms[i]: i for i, one in enumerate(self._declared) if one == statistic}
            order = list(dict.fromkeys([*remaining, *removed]))
            if len(order) > 1:
                steps = [(removed.get(term), remaining.get(term)) for term in order[1:]]
                yield _Flow(remaining.get(order[0]), steps)

    def _cells_to_lose(self, line: _Line) -> list[int]:
        """Return the cells that one line loses beside those that it has lost already."""
        unseen = self._find_unseen(line.parts)
        # A share over all groups gives, less those shown, both sides of the shares that are not.
        sides = (self._weights,) if line.adds else (self._weights, self._others)
        held = min(sum(side[i] for i in unseen) for side in sides)
        if not unseen or (len(unseen) > 1 and held >= self._rules.k):
            return []
        smallest = self._find_smallest(line.parts) if line.adds or line.total is None else None
        if smallest is not None:
            return [smallest]
        return [] if line.total is None or not self._decisions.is_shown(line.total) else [line.total]

    def _totals_to_lose(self, pairs: Sequence[Sequence[int]], totals: Sequence[int]) -> list[int]:
        """Return the shares of all that would give the patients of groups shown on neither base."""
        unseen = [pair for pair in pairs if len(self._find_unseen(pair)) == len(pair)]
        held = sum(self._weights[pair[0]] for pair in unseen)
        if not unseen or (len(unseen) > 1 and held >= self._rules.k):
            return []
        return [i for i in totals if self._decisions.is_shown(i)]

    def _protect_flow(self, flow: _Flow) -> None:
        """Withhold what remains after a step wherever it would tell how few the step took away.

        The steps between two counts that are shown form a line. It loses its smallest cell, or, where it has
        no other, is joined to the next line by withholding the count between. The first and the last count
        are kept as long as that suffices.
        """
        segment: list[int] = []
        for removed, remaining in flow.steps[:-1]:
            segment += [removed] if removed is not None else []
            if remaining is None or not self._decisions.is_shown(remaining):
                continue
            if self._hide_within(segment):
                segment = []
            else:
                self._decisions.withhold([remaining], Reason.FLOW)
        last, _ = flow.steps[-1]
        if self._hide_within([*segment, *([last] if last is not None else [])]):
            return
        inner = [i for _, i in flow.steps[:-1] if i is not None and self._decisions.is_shown(i)]
        for i in [*inner[-1:], flow.first][:1]:
            if i is not None and self._decisions.is_shown(i):
                self._decisions.withhold([i], Reason.FLOW)

    def _hide_within(self, segment: Sequence[int]) -> bool:
        """Return whether a segment tells nothing, if need be without its smallest shown cell."""
        unseen = self._find_unseen(segment)
        if not unseen or (len(unseen) > 1 and sum(self._weights[i] for i in unseen) >= self._rules.k):
            return True
        smallest = self._find_smallest(segment)
        if smallest is not None:
            self._decisions.withhold([smallest], Reason.FLOW)
        return smallest is not None

    def _find_unseen(self, places: Iterable[int]) -> list[int]:
        return [i for i in places if self._decisions.fates[i] in UNSEEN]

    def _find_smallest(self, places: Iterable[int]) -> int | None:
        """Return the shown cell of fewest patients that is not zero; None where there is none."""
        shown = [i for i in places if self._decisions.is_shown(i) and self._weights[i] > 0]
        return min(shown, key=lambda i: (self._weights[i], _name(self._rows[i]), i), default=None)


def _name(row: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in (row.statistic, row.term, row.level, row.group, row.timepoint))


def _differences_that_tell(rows: Sequence[Any], fates: Sequence[str], rules: Rules) -> list[int]:
    """Return the shown differences in a category of which a share is withheld in one of the groups.

    One standardised difference and the shares of one group give those of the other.
    """
    hidden = defaultdict(set)
    declared = [rules.statistics[str(row.statistic)] for row in rows]
    for row, statistic, fate in zip(rows, declared, fates, strict=True):
        if "levels" in statistic.adds_over and fate in UNSEEN:
            hidden[str(row.outcome), str(row.term), str(row.timepoint)].add(str(row.group))
    found = []
    for place, (row, statistic) in enumerate(zip(rows, declared, strict=True)):
        if statistic.compares != "covariates" or fates[place] != Fate.SHOWN:
            continue
        groups = hidden[str(row.outcome), str(row.term), str(row.timepoint)]
        if groups & {str(row.group), str(row.versus)} or (row.group == ALL and groups):
            found.append(place)
    return found


def _collect(table: pd.DataFrame, columns: Sequence[str]) -> Mapping[Hashable, list[int]]:
    """Return the positions of the rows that agree in the given columns."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    keys = table[list(columns)].astype(str).itertuples(index=False, name=None)
    for position, key in enumerate(keys):
        found[key].append(position)
    return found


def protect_sites(result: Result, decisions: Decisions, sizes: Sequence[Sizes], rules: Rules) -> None:
    """Remove a comparison of sites that may not leave, whole.

    Where one site's number is withheld, those of the others and of all together would give it, and the limits
    of a funnel hold the number of all: so either every site is shown or none.
    """
    if result.name not in rules.league["analyses"]:
        return
    declared = [rules.statistics[str(name)] for name in result.table["statistic"]]
    if not _may_compare_sites(result, declared, decisions, sizes, rules):
        compared = [place for place, statistic in enumerate(declared) if statistic.kind != "sites"]
        decisions.leave_out(compared, Reason.SITES)


def _may_compare_sites(
    result: Result,
    declared: Sequence[Statistic],
    decisions: Decisions,
    sizes: Sequence[Sizes],
    rules: Rules,
) -> bool:
    """Return whether every site is shown, none is too small or too large, and there are enough of them."""
    league = rules.league
    own: dict[str, int] = {}
    for place, row in enumerate(result.table.itertuples(index=False)):
        if declared[place].kind not in _OF_SITES:
            continue
        fate = decisions.fates[place]
        if fate == Fate.LEFT_OUT and decisions.reasons[place][-1] == Reason.EARLIER_EDITION:
            continue  # a limit at a number of patients that the earlier edition had none for
        if fate not in (Fate.SHOWN, Fate.HELD) or row.term not in league["units"]:
            return False
        if row.group != ALL:
            own[str(row.group)] = min(sizes[place].whole, own.get(str(row.group), sizes[place].whole))
    if len(own) < league["sites_at_least"] or min(own.values()) < max(league["n_at_least"], rules.k):
        return False
    return bool(max(own.values()) <= league["largest_share"] * sum(own.values()))


def refuse_dates(result: Result, rules: Rules) -> None:
    """Refuse periods finer than a year where the profile lets none leave."""
    if not rules.cells["years_only"]:
        return
    periods = result.table[result.table["term"].isin(rules.roles["periods"])].dropna(subset="group")
    for row in periods.itertuples(index=False):
        of_period = rules.statistics[str(row.statistic)].in_chart == "period"
        if of_period and row.group != ALL and not _YEAR.fullmatch(str(row.group)):
            raise DisclosureError(read_words().say("release.years_only", profile=rules.profile))


def protect_charts(table: pd.DataFrame, decisions: Decisions, rules: Rules) -> None:
    """Remove limits and signals of which the centre, or the period's own number, is not shown."""
    roles = [rules.statistics[str(name)].in_chart for name in table["statistic"]]
    groups = table["group"].astype(str).tolist()
    if "limit" not in roles:
        return
    of_periods = [
        (group, fate)
        for group, fate, role in zip(groups, decisions.fates, roles, strict=True)
        if role == "period"
    ]
    shown = {group for group, fate in of_periods if fate == Fate.SHOWN}
    # Those of an earlier edition stand beside the centre of that edition, never beside a newer one.
    held = shown | {group for group, fate in of_periods if fate == Fate.HELD}
    for place, (group, role) in enumerate(zip(groups, roles, strict=True)):
        beside = held if decisions.fates[place] == Fate.HELD else shown
        if role == "limit" and not {ALL, group} <= beside:
            decisions.leave_out([place], Reason.CENTRE)


def protect_episodes(result: Result, decisions: Decisions, rules: Rules) -> None:
    """Remove all counts of episodes from a flow of which one may not be shown.

    Episodes less patients are later episodes of the same patients, so that a withheld one of these would be
    bounded by the others. Patients are counted in any case.
    """
    statistics = result.table["statistic"]
    counted = [place for place, name in enumerate(statistics) if rules.statistics[str(name)].of_episodes]
    if result.name == "flow" and not all(map(decisions.is_shown, counted)):
        decisions.leave_out(counted, Reason.EPISODES)
