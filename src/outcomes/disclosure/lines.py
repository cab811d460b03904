"""Lines that add up: where one withheld cell could be computed from its neighbours, a second one goes too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure.rules import Rules
from outcomes.disclosure.thresholds import Sizes

#: Fates of a cell whose value a reader does not see.
_UNSEEN = frozenset({"withheld", "few", "dropped", "state"})
_WHOLE = "all"
#: What tells one line across groups, or across the levels of a term, from the next.
_LINE = ("outcome", "statistic", "term", "versus", "timepoint", "x")


def protect_lines(
    table: pd.DataFrame, fates: Sequence[str], sizes: Sequence[Sizes], rules: Rules
) -> list[str]:
    """Withhold further cells until no withheld one follows from those that are shown.

    A line is what adds up: the groups of a count, the levels of a term, the steps of a flow. A line with one
    withheld cell, or with withheld cells that hold fewer than k patients together, loses its smallest shown
    cell; where none is left it loses its total. Means do not add up, but
    a mean or share over all groups does give that of the missing ones: it is withheld, as is that of one half
    where the other half's is. A difference in a category whose shares are withheld would give them.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of a result.
    fates : sequence of str
        What the rows' own patients allow, one of `outcomes.disclosure.thresholds.FATES` each.
    sizes : sequence of Sizes
        Patients behind each row.
    rules : Rules

    Returns
    -------
    list of str
        The fates, some changed to ``withheld``. Which ones depends on counts only, never on values or on
        the order of rows.
    """
    now = list(fates)
    weights = [size.part for size in sizes]
    others = [size.sets.get("without", size.whole) for size in sizes]
    rows = list(table.itertuples(index=False))
    names = [_name(row) for row in rows]
    lines, chains = list(_find_lines(table, rules)), list(_find_chains(table, rules))
    bases = list(_lines_across_bases(table))
    while True:
        before = list(now)
        for parts, total, adds in lines:
            for i in _cells_to_lose(parts, total, adds, now, weights, others, names, rules.k):
                now[i] = "withheld"
        for pairs, totals in bases:
            for i in _totals_to_lose(pairs, totals, now, weights, rules.k):
                now[i] = "withheld"
        for i in _differences_that_tell(rows, now, rules):
            now[i] = "withheld"
        for first, steps in chains:
            _protect_chain(first, steps, now, weights, names, rules.k)
        if now == before:
            return now


def _name(row: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in (row.statistic, row.term, row.level, row.group, row.timepoint))


def _cells_to_lose(
    parts: Sequence[int],
    total: int | None,
    adds: bool,
    fates: Sequence[str],
    weights: Sequence[int],
    others: Sequence[int],
    names: Sequence[Hashable],
    k: int,
) -> Iterable[int]:
    """Return the cells that one line loses beside those that it has lost already."""
    unseen = [i for i in parts if fates[i] in _UNSEEN]
    # A share over all groups gives, less those shown, both sides of the shares that are not.
    sides = (weights,) if adds else (weights, others)
    held = min(sum(side[i] for i in unseen) for side in sides)
    if not unseen or (len(unseen) > 1 and held >= k):
        return []
    if not adds and total is not None:
        return [total] if fates[total] == "shown" else []
    shown = sorted((weights[i], names[i], i) for i in parts if fates[i] == "shown" and weights[i] > 0)
    if shown:
        return [shown[0][2]]
    return [total] if total is not None and fates[total] == "shown" else []


def _find_lines(table: pd.DataFrame, rules: Rules) -> Iterable[tuple[list[int], int | None, bool]]:
    yield from _lines_across_groups(table, rules)
    yield from _lines_across_levels(table, rules)


def _lines_across_groups(table: pd.DataFrame, rules: Rules) -> Iterable[tuple[list[int], int | None, bool]]:
    groups, statistics = table["group"].tolist(), table["statistic"].tolist()
    for indices in _collect(table, (*_LINE, "level")).values():
        kind = rules.kind_of.get(str(statistics[indices[0]]))
        # A band spans k patients in every group, so that bands give nothing away together.
        if kind in ("check", "verdict", "band", "sites", "signal"):
            continue
        parts = [i for i in indices if groups[i] != _WHOLE]
        whole = [i for i in indices if groups[i] == _WHOLE]
        halves = not whole and {groups[i] for i in parts} == set(rules.roles["halves"])
        adds = kind == "count"
        if len(parts) > 1 and (adds or whole or (halves and kind in ("share", "score"))):
            yield parts, whole[0] if whole else None, adds


def _lines_across_bases(table: pd.DataFrame) -> Iterable[tuple[list[list[int]], list[int]]]:
    """Yield shares of those seen and of those due together, by group: both count the same patients above."""
    groups, terms = table["group"].tolist(), table["term"].tolist()
    columns = [name for name in (*_LINE, "level") if name != "term"]
    for indices in _collect(table, columns).values():
        own: dict[str, list[int]] = defaultdict(list)
        for i in indices:
            if terms[i] in ("seen", "due"):
                own[str(groups[i])].append(i)
        totals = own.pop(_WHOLE, [])
        if totals and len(own) > 1:
            yield list(own.values()), totals


def _totals_to_lose(
    pairs: Sequence[Sequence[int]],
    totals: Sequence[int],
    fates: Sequence[str],
    weights: Sequence[int],
    k: int,
) -> list[int]:
    """Return the shares of all that would give the patients of groups shown on neither base."""
    unseen = [pair for pair in pairs if all(fates[i] in _UNSEEN for i in pair)]
    if not unseen or (len(unseen) > 1 and sum(weights[pair[0]] for pair in unseen) >= k):
        return []
    return [i for i in totals if fates[i] == "shown"]


def _lines_across_levels(table: pd.DataFrame, rules: Rules) -> Iterable[tuple[list[int], int | None, bool]]:
    adding = table["statistic"].isin(rules.roles["adds_over_level"]).to_numpy()
    for indices in _collect(table, (*_LINE, "group")).values():
        parts = [i for i in indices if adding[i]]
        if len(parts) > 1:
            yield parts, None, True


def _differences_that_tell(rows: Sequence[Any], fates: Sequence[str], rules: Rules) -> list[int]:
    """Return the shown differences in a category of which a share is withheld in one of the groups.

    One standardised difference and the shares of one group give those of the other.
    """
    hidden = defaultdict(set)
    for row, fate in zip(rows, fates, strict=True):
        if row.statistic in rules.roles["adds_over_level"] and fate in _UNSEEN:
            hidden[str(row.outcome), str(row.term), str(row.timepoint)].add(str(row.group))
    found = []
    for place, row in enumerate(rows):
        if row.statistic not in rules.roles["difference"] or fates[place] != "shown":
            continue
        groups = hidden[str(row.outcome), str(row.term), str(row.timepoint)]
        if groups & {str(row.group), str(row.versus)} or (row.group == _WHOLE and groups):
            found.append(place)
    return found


def _collect(table: pd.DataFrame, columns: Sequence[str]) -> Mapping[Hashable, list[int]]:
    """Return the positions of the rows that agree in the given columns."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    keys = table[list(columns)].astype(str).itertuples(index=False, name=None)
    for position, key in enumerate(keys):
        found[key].append(position)
    return found


def _find_chains(
    table: pd.DataFrame, rules: Rules
) -> Iterable[tuple[int | None, list[tuple[int | None, int | None]]]]:
    """Yield each flow as its first count and its steps, each with what it took away and what remained."""
    statistics = table["statistic"].astype(str).tolist()
    terms = table["term"].astype(str).tolist()
    for entry in rules.chains:
        remaining = {terms[i]: i for i, name in enumerate(statistics) if name == entry["remaining"]}
        removed = {terms[i]: i for i, name in enumerate(statistics) if name == entry["removed"]}
        order = list(dict.fromkeys([*remaining, *removed]))
        if len(order) > 1 and removed:
            steps = [(removed.get(term), remaining.get(term)) for term in order[1:]]
            yield remaining.get(order[0]), steps


def _protect_chain(
    first: int | None,
    steps: Sequence[tuple[int | None, int | None]],
    fates: list[str],
    weights: Sequence[int],
    names: Sequence[Hashable],
    k: int,
) -> None:
    """Withhold what remains after a step wherever it would tell how few the step took away.

    The steps between two counts that are shown form a line. It loses its smallest cell, or, where it has no
    other, is joined to the next line by withholding the count between. The first and the last count are
    kept as long as that suffices.
    """
    segment: list[int] = []
    for removed, remaining in steps[:-1]:
        segment += [removed] if removed is not None else []
        if remaining is None or fates[remaining] != "shown":
            continue
        if not _tells(segment, fates, weights, k) or _lose_smallest(segment, fates, weights, names):
            segment = []
        else:
            fates[remaining] = "withheld"
    segment += [steps[-1][0]] if steps[-1][0] is not None else []
    if not _tells(segment, fates, weights, k) or _lose_smallest(segment, fates, weights, names):
        return
    inner = [i for _, i in steps[:-1] if i is not None and fates[i] == "shown"]
    for i in [*inner[-1:], first][:1]:
        if i is not None and fates[i] == "shown":
            fates[i] = "withheld"


def _lose_smallest(
    segment: Sequence[int], fates: list[str], weights: Sequence[int], names: Sequence[Hashable]
) -> bool:
    """Withhold the smallest shown cell of a segment that is not zero; say whether there was one."""
    shown = sorted((weights[i], names[i], i) for i in segment if fates[i] == "shown" and weights[i] > 0)
    if shown:
        fates[shown[0][2]] = "withheld"
    return bool(shown)


def _tells(segment: Sequence[int], fates: Sequence[str], weights: Sequence[int], k: int) -> bool:
    unseen = [i for i in segment if fates[i] in _UNSEEN]
    return bool(unseen) and (len(unseen) == 1 or sum(weights[i] for i in unseen) < k)
