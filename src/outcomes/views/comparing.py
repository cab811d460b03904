"""Which comparisons of a release a view is about, and how they were made."""

from __future__ import annotations

import pandas as pd

from outcomes.disclosure import Release, split_mark, write_number
from outcomes.views.labels import WHOLE, Labels
from outcomes.views.released_rows import list_rows

_NUMBERS = ["estimate", "conf_low", "conf_high"]


def pick_time(release: Release, statistic: str, labels: Labels, timepoint: str | None = None) -> str | None:
    """Return the named time point, else the primary one where the release has it, else its last."""
    if timepoint is not None:
        return timepoint
    present = labels.order_times(
        release.table.loc[release.table["statistic"] == statistic, "timepoint"].dropna()
    )
    if labels.primary in present:
        return labels.primary
    return present[-1] if present else None


def pick_reference(table: pd.DataFrame, labels: Labels) -> str | None:
    """Return the declared reference where it is compared, else the last therapy that is."""
    groups = labels.order([*table["group"].dropna(), *table["versus"].dropna()])
    groups = [group for group in groups if group != WHOLE]
    if labels.reference in groups:
        return labels.reference
    return groups[-1] if groups else None


def pick_contrasts(
    contrasts: Release, labels: Labels, timepoint: str | None, *, all_pairs: bool = False
) -> pd.DataFrame:
    """Return the contrasts at a time point, those against the reference first.

    Parameters
    ----------
    contrasts : Release
    labels : Labels
    timepoint : str or None
    all_pairs : bool
        Whether pairs without the reference are kept.

    Returns
    -------
    pandas.DataFrame
        One row per pair, the columns of a release, the reference always as ``versus``.
    """
    table = contrasts.where(statistic="contrast", timepoint=timepoint).table
    reference = pick_reference(table, labels)
    if reference is None:
        return table
    rows = [turn_round(row) if row["group"] == reference else row for _, row in table.iterrows()]
    turned = pd.DataFrame(rows, columns=table.columns).astype(table.dtypes.to_dict())
    if not all_pairs:
        turned = turned[turned["versus"] == reference]
    order = labels.order([*turned["group"], *turned["versus"]])
    rank = {group: place for place, group in enumerate(order)}
    keys = [(row.versus != reference, rank[row.versus], rank[row.group]) for row in list_rows(turned)]
    return turned.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def turn_round(row: pd.Series) -> pd.Series:
    """Return a difference seen from the other side."""
    turned = row.copy()
    turned["group"], turned["versus"] = row["versus"], row["group"]
    turned["n"], turned["n_versus"] = row["n_versus"], row["n"]
    turned["estimate"], turned["conf_low"], turned["conf_high"] = (
        -row["estimate"],
        -row["conf_high"],
        -row["conf_low"],
    )
    if row["shown"]:
        written, mark = split_mark(str(row["display"]))
        decimals = len(written.partition(".")[2])
        turned[_NUMBERS] = turned[_NUMBERS] + 0.0
        turned["display"] = write_number(float(turned["estimate"]), decimals) + mark
    return turned


def list_adjusted(contrasts: Release, labels: Labels) -> list[str]:
    """Return in words what differences are adjusted for, the score at the start first."""
    made = contrasts.origin.adjustment
    terms = made.adjusted_for if made else ("score", *(contrasts.origin.covariates or ()))
    return [labels.covariate(str(term))[0] for term in dict.fromkeys(terms)]


def allows_for_several(contrasts: Release) -> bool:
    """Say whether intervals allow for several comparisons at a time point, and not only p-values do."""
    held = contrasts.where(statistic="contrast").table
    several = bool((held.groupby("timepoint").size() > 1).any())
    made = contrasts.origin.adjustment
    return several and made is not None and made.interval_adjustment != "none"
