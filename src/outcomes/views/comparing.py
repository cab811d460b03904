"""Differences between therapies: which of them a view is about, and how one is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from outcomes.disclosure import MINUS, Release, split_mark, write_number
from outcomes.facts import read_facts
from outcomes.result import ALL
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


def pick_contrasts(
    contrasts: Release, labels: Labels, timepoint: str | None, *, all_pairs: bool = False
) -> pd.DataFrame:
    """Return the contrasts at a time point, those against the reference first, or these alone.

    One row per pair, with the columns of a release and the reference always as ``versus``.
    """
    table = contrasts.where(statistic="contrast", timepoint=timepoint).table
    reference = pick_reference(table, labels)
    if reference is None:
        return table
    turned = turn_to(table, reference)
    if not all_pairs:
        turned = turned[turned["versus"] == reference]
    order = labels.order([*turned["group"], *turned["versus"]])
    rank = {group: place for place, group in enumerate(order)}
    keys = [(row.versus != reference, rank[row.versus], rank[row.group]) for row in list_rows(turned)]
    return turned.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def turn_to(table: pd.DataFrame, reference: str | None) -> pd.DataFrame:
    """Return differences of which those from the reference are seen from the other side."""
    rows = [_turn_round(row) if row["group"] == reference else row for _, row in table.iterrows()]
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
    """Return whether intervals allow for several comparisons at a time point, and not only p-values do."""
    held = contrasts.where(statistic="contrast").table
    several = bool((held.groupby("timepoint").size() > 1).any())
    made = contrasts.origin.adjustment
    return several and made is not None and made.interval_adjustment != "none"


def tells_apart(row: Any) -> bool:
    """Return whether a difference can be told from none, allowing for the number of comparisons.

    Where its interval leaves out 0 and its p-value, adjusted for the comparisons at its time point, is small;
    without a p-value by the interval alone.
    """
    if not row.shown:
        return False
    outside = bool(row.conf_low > 0 or row.conf_high < 0)
    return outside and (
        pd.isna(row.p_value) or row.p_value < read_facts("appearance")["answer"]["clear_below"]
    )


def say_better(labels: Labels, better: bool = True) -> str:
    """Say what a better or worse score means, in the words of its domain: ``less disability``."""
    domain = labels.instrument.domain.split("_")[0]
    known = labels.words.list("sentences.domain")
    side = "better" if better else "worse"
    key = domain if domain in known else "other"
    if domain == "function":
        key = f"function_{labels.instrument.direction}"
    return labels.words.say(f"sentences.domain.{key}.{side}", measure=labels.measure)


def say_amount(row: Any, labels: Labels, release: Release) -> str:
    """Say a clear difference with its interval: ``**9.3 points** less (95 % interval 6.6 to 12.0)``."""
    low, high = (text.lstrip(MINUS) for text in write_ends(row, release))
    if row.estimate < 0:
        low, high = high, low
    said = {"low": low, "high": high, "unit": labels.unit, "side": _side(row.estimate, labels)}
    return labels.words.say("sentences.amount", amount=str(row.display).lstrip(MINUS), **said)


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
