"""Differences between therapies: which of them a view is about, and how one is said in words."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import MINUS, Release, split_mark, write_number
from outcomes.facts import read_facts
from outcomes.result import ALL
from outcomes.views.claims import Truth, any_of, is_negative, is_positive, read_span
from outcomes.views.labels import Labels, capitalise
from outcomes.views.released_rows import list_rows, write_ends

_NUMBERS = ["estimate", "conf_low", "conf_high"]


def pick_time(release: Release, statistic: str, labels: Labels) -> str | None:
    """Return the primary time point where the release has it, else its last."""
    present = labels.order_times(
        release.table.loc[release.table["statistic"] == statistic, "timepoint"].dropna()
    )
    if labels.primary in present:
        return labels.primary
    return present[-1] if present else None


def pick_reference(table: pd.DataFrame, labels: Labels) -> str | None:
    """Return the declared reference where it is compared, else the last therapy that is."""
    groups = labels.order([*table["group"].dropna(), *table["versus"].dropna()])
    groups = [group for group in groups if group != ALL]
    if labels.reference in groups:
        return labels.reference
    return groups[-1] if groups else None


def pick_contrasts(contrasts: Release, labels: Labels, timepoint: str | None) -> pd.DataFrame:
    """Return the contrasts of all pairs at a time point, those against the reference first.

    One row per pair, with the columns of a release and the reference always as ``versus``.
    """
    table = contrasts.where(statistic="contrast", timepoint=timepoint).table
    reference = pick_reference(table, labels)
    if reference is None:
        return table
    turned = turn_to(table, reference)
    order = labels.order([*turned["group"], *turned["versus"]])
    rank = {group: place for place, group in enumerate(order)}
    keys = [(row.versus != reference, rank[row.versus], rank[row.group]) for row in list_rows(turned)]
    return turned.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def turn_to(table: pd.DataFrame, reference: str | None) -> pd.DataFrame:
    """Return differences of which those from the reference are seen from the other side."""
    return _turn_where(table, [group == reference for group in table["group"]])


def turn_to_better(table: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return differences whose ``group`` did better than their ``versus``, by the estimate."""
    return _turn_where(table, list(table["estimate"] * labels.instrument.sign < 0))


def _turn_where(table: pd.DataFrame, turned: list[bool]) -> pd.DataFrame:
    held = zip(turned, table.iterrows(), strict=True)
    rows = [_turn_round(row) if turn else row for turn, (_, row) in held]
    return pd.DataFrame(rows, columns=table.columns).astype(table.dtypes.to_dict())


def _turn_round(row: pd.Series) -> pd.Series:
    turned = row.copy()
    turned["group"], turned["versus"] = row["versus"], row["group"]
    turned["n"], turned["n_versus"] = row["n_versus"], row["n"]
    turned[_NUMBERS] = [-row["estimate"], -row["conf_high"], -row["conf_low"]]
    if row["shown"]:
        written, mark = split_mark(str(row["display"]))
        decimals = len(written.partition(".")[2])
        turned[_NUMBERS] = turned[_NUMBERS] + 0.0
        turned["display"] = write_number(float(turned["estimate"]), decimals) + mark
    return turned


def say_adjusted(contrasts: Release, labels: Labels) -> str:
    """Return in words what differences are adjusted for, the score at the start first."""
    made = contrasts.origin.adjustment
    terms = made.adjusted_for if made else ("score", *(contrasts.origin.covariates or ()))
    return labels.words.join(labels.covariate(str(term))[0] for term in dict.fromkeys(terms))


def list_compared(release: Release, statistic: str, labels: Labels) -> Iterator[tuple[str, str]]:
    """Yield the time points that an audience reads, the primary one first, each with its heading.

    Only the team sees the others, marked as secondary: a page that leaves answers one question.
    """
    times = labels.order_times(release.where(statistic=statistic).table["timepoint"])
    primary = labels.primary if labels.primary in times else times[-1]
    others = [time for time in times if time != primary] if release.audience == "team" else []
    for time in (primary, *others):
        key = "primary" if time == primary else "secondary"
        yield time, labels.words.say(f"views.table.{key}", time=capitalise(labels.time(time)))


def allows_for_several(contrasts: Release) -> bool:
    """Return whether there are several comparisons at a time point, which its intervals then allow for."""
    held = contrasts.where(statistic="contrast").table
    made = contrasts.origin.adjustment
    several = bool((held.groupby("timepoint").size() > 1).any())
    return several and made is not None and made.interval_adjustment != "none"


def tells_apart(row: Any, release: Release) -> Truth:
    """Return whether a pair can be told apart: whether its simultaneous interval leaves out 0.

    Where the interval as written ends at 0, the p-value decides, which belongs to it. Undecided where that
    does not either, or nothing is shown.
    """
    outside = any_of([is_positive(row, release, marked=True), is_negative(row, release, marked=True)])
    if outside is not None or not row.shown:
        return outside
    level = read_facts("appearance")["answer"]["clear_below"]
    return read_span(row, release, "p_value", marked=True).is_below(level)


def rank_groups(pairs: Sequence[Any], labels: Labels) -> list[str]:
    """Return the therapies of some pairs, the best first by their differences from the others."""
    ahead: dict[str, float] = defaultdict(float)
    for row in pairs:
        gain = row.estimate * labels.instrument.sign if row.shown else 0.0
        ahead[row.group] += gain
        ahead[row.versus] -= gain
    return sorted(labels.order(ahead), key=lambda group: -ahead[group])


def group_pairs(clear: Sequence[Any], order: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Return the pairs that can be told apart as sentences name them, each once, in the order of therapies.

    Therapies that did better (the ``group`` of a row) than the same others stand together with these.
    """
    better: dict[str, list[str]] = {}
    for group in order:
        worse = [other for other in order if any((row.group, row.versus) == (group, other) for row in clear)]
        if worse:
            better[group] = worse
    found: list[tuple[list[str], list[str]]] = []
    for group, worse in better.items():
        alike = next((groups for groups, others in found if others == worse), None)
        if alike is None:
            found.append(([group], worse))
        else:
            alike.append(group)
    return found


def say_better(labels: Labels) -> str:
    """Say what a better score means, in the words of its domain: ``less disability``."""
    domain = labels.instrument.domain.split("_")[0]
    known = labels.words.list("sentences.domain")
    key = domain if domain in known else "other"
    if domain == "function":
        key = f"function_{labels.instrument.direction}"
    return labels.words.say(f"sentences.domain.{key}", measure=labels.measure)


def say_amount(row: Any, labels: Labels, release: Release, versus: str = "") -> str:
    """Say a clear difference with its interval: ``**9.3 points** less (95 % interval 6.6 to 12.0)``."""
    low, high = (text.lstrip(MINUS) for text in write_ends(row, release))
    if row.estimate < 0:
        low, high = high, low
    said = {"low": low, "high": high, "unit": labels.unit, "side": _side(row.estimate, labels)}
    key = f"sentences.amount{'_than' if versus else ''}"
    return labels.words.say(key, amount=str(row.display).lstrip(MINUS), versus=versus, **said)


def say_between(row: Any, labels: Labels, release: Release) -> str:
    """Say an interval that holds none: ``from 3.1 points less to 1.2 more``."""
    low, high = (end.lstrip(MINUS) for end in write_ends(row, release))
    if row.conf_low < 0 < row.conf_high:
        said = {"low": low, "high": high, "low_side": _side(-1, labels), "high_side": _side(1, labels)}
        return labels.words.say("sentences.from_to", unit=labels.unit, **said)
    low, high = sorted((low, high), key=float)
    side = _side(row.estimate, labels)
    return labels.words.say("sentences.from_to_same", low=low, high=high, unit=labels.unit, side=side)


def _side(estimate: float, labels: Labels) -> str:
    return labels.words.say("sentences.more" if estimate > 0 else "sentences.less")
