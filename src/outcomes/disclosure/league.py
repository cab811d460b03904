"""Sites side by side: enough of them, none too small and none so large that it is nearly the whole."""

from __future__ import annotations

from collections.abc import Sequence

from outcomes.disclosure.rules import Rules
from outcomes.disclosure.thresholds import Sizes
from outcomes.result import Result

_WHOLE = "all"
_JUDGED = frozenset({"score", "share", "verdict"})


def protect_league(result: Result, fates: Sequence[str], sizes: Sequence[Sizes], rules: Rules) -> list[str]:
    """Remove a comparison of sites that may not leave, whole.

    Where one site's number is withheld, those of the others and of all together would give it, and the limits
    of a funnel hold the number of all: so either every site is shown or none.

    Parameters
    ----------
    result : Result
    fates : sequence of str
        What became of each row so far.
    sizes : sequence of Sizes
        Patients behind each row.
    rules : Rules

    Returns
    -------
    list of str
        The fates; ``league`` for rows that leave no trace.
    """
    if result.name not in rules.league["analyses"] or _may_leave(result, fates, sizes, rules):
        return list(fates)
    kept = result.table["statistic"].isin(rules.league["always"])
    return [fate if stays else "league" for fate, stays in zip(fates, kept, strict=True)]


def _may_leave(result: Result, fates: Sequence[str], sizes: Sequence[Sizes], rules: Rules) -> bool:
    """Return whether every site is shown, none is too small or too large, and there are enough of them."""
    league, table = rules.league, result.table
    own: dict[str, int] = {}
    for row, fate, size in zip(table.itertuples(index=False), fates, sizes, strict=True):
        # Completeness has another base, and a band of it gives nothing away.
        if row.statistic in league["always"] or rules.kind_of.get(str(row.statistic)) not in _JUDGED:
            continue
        if fate == "unsaid":  # a limit at a number of patients that the earlier edition had none for
            continue
        if fate not in ("shown", "held") or row.term not in league["units"]:
            return False
        if row.group != _WHOLE:
            own[str(row.group)] = min(size.whole, own.get(str(row.group), size.whole))
    if len(own) < league["sites_at_least"] or min(own.values()) < max(league["n_at_least"], rules.k):
        return False
    return bool(max(own.values()) <= league["largest_share"] * sum(own.values()))
