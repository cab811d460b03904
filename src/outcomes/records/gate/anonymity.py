"""How many patients share the same traits: the k report, counted over patients, never rows."""

from __future__ import annotations

import pandas as pd

from outcomes.errors import Finding
from outcomes.facts import Source

_SMALL = (2, 5, 11)
_DECADE = 10


def report_anonymity(episodes: pd.DataFrame, source: Source, file: str | None) -> Finding | None:
    """Warn where patients share their traits with fewer than ``k_min`` others; None where all share enough.

    Parameters
    ----------
    episodes : pandas.DataFrame
        One row per episode; a patient counts with the first. Missing values are a trait of their own, ages
        count by decade.
    source : Source
        Its ``quasi_identifiers`` and ``k_min``; 0 asks for no report.
    file : str or None
        What the finding names.
    """
    columns = [name for name in source.quasi_identifiers if name in episodes and episodes[name].notna().any()]
    if not columns or source.k_min < 1 or episodes.empty:
        return None
    people = episodes.drop_duplicates("patient_id")
    traits = pd.DataFrame({name: _coarsen(people[name]) for name in columns})
    size = traits.groupby(columns, dropna=False, observed=True)[columns[0]].transform("size")
    if int(size.min()) >= source.k_min:
        return None
    share = float((size < source.k_min).mean())
    mean_size = len(people) / len(traits.drop_duplicates())
    counts = ", ".join(f"{int((size < small).sum())} below {small}" for small in _SMALL)
    what = (
        f"{len(people)} patients by {', '.join(columns)}: the smallest group has {int(size.min())}; "
        f"patients in groups {counts}; {share:.0%} in groups below {source.k_min}; "
        f"average risk 1 in {mean_size:.1f}"
    )
    best = _suggest_coarser(traits, columns, source.k_min)
    return Finding(
        "K_ANONYMITY",
        "accept_with_warning",
        what,
        file,
        remedy=f"these records stay personal data; leaving out or coarsening {best} would help most",
    )


def _coarsen(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values // _DECADE
    return values.cat.codes if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("str")


def _suggest_coarser(traits: pd.DataFrame, columns: list[str], k: int) -> str:
    """Return the trait without which the fewest patients stand in small groups."""
    if len(columns) == 1:
        return columns[0]

    def count_small(left_out: str) -> int:
        others = [name for name in columns if name != left_out]
        size = traits.groupby(others, dropna=False, observed=True)[others[0]].transform("size")
        return int((size < k).sum())

    return min(columns, key=count_small)
