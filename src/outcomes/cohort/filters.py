"""Filters on what was known at time zero: written as text, and applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort.refusals import refuse
from outcomes.facts import Column, Text, read_facts, read_schema


def read_filters(texts: Iterable[object]) -> dict[str, Any]:
    """Read filters written as text into what `select_cohort` takes as ``where``.

    Parameters
    ----------
    texts : iterable of str
        ``column=value``, ``column=one|other`` for either of several values, ``column=18..65`` for a range
        with both ends included, ``column=..30`` for one without a lower end.

    Returns
    -------
    dict
        Column to a value, a list of values, or ``(from, to)``.

    Raises
    ------
    AnalysisError
        When a text is not of that form. Whether column and values exist, `select_cohort` says.

    Examples
    --------
    >>> read_filters(["region=low_back|neck", "age_years=18..65", "previous_episodes=true"])
    {'region': ['low_back', 'neck'], 'age_years': ('18', '65'), 'previous_episodes': True}
    """
    filters: dict[str, Any] = {}
    for text in map(str, texts):
        name, sign, wanted = text.partition("=")
        name, wanted = name.strip(), wanted.strip()
        if not sign or not name or not wanted:
            raise refuse("filter_text", text=repr(text))
        filters[name] = _read_wanted(name, wanted)
    return filters


def write_filters(filters: Mapping[str, Iterable[str]]) -> list[str]:
    """Write chosen values of columns as `read_filters` reads them.

    Examples
    --------
    >>> write_filters({"region": ("low_back", "neck"), "sex": ("female",)})
    ['region=low_back|neck', 'sex=female']
    """
    return [f"{column}={'|'.join(values)}" for column, values in filters.items()]


def _read_wanted(name: str, wanted: str) -> Any:
    column = read_schema()["episodes"].get(name)
    kind = column.type if column else "category"
    if kind in ("number", "integer", "date"):
        low, dots, high = wanted.partition("..")
        return (low or None, high or None) if dots else wanted
    values: list[Any] = [part.strip() for part in wanted.split("|")]
    if kind == "flag":
        values = [{"true": True, "false": False}.get(value.casefold(), value) for value in values]
    return values if len(values) > 1 else values[0]


def apply_filters(
    episodes: pd.DataFrame, where: Mapping[str, Any] | None
) -> Iterator[tuple[Text, np.ndarray]]:
    """Yield for each filter the reason in a sentence and which episodes it excludes.

    ``where`` maps a column to a value, a list of values, or for numbers and dates ``(from, to)``, both
    included, None or empty text for an open end. None, empty text and a range open at both ends filter
    nothing.
    """
    columns = read_schema()["episodes"]
    allowed = [name for name, column in columns.items() if column.covariate] + read_facts("cohort")["filters"]
    for name, wanted in (where or {}).items():
        if name not in allowed:
            key = "filter_not_at_start" if name in columns else "filter_unknown"
            raise refuse(key, name=name, known=", ".join(allowed))
        ends = wanted if isinstance(wanted, tuple | list) else (wanted,)
        if all(end is None or (isinstance(end, str) and not end) for end in ends):
            continue
        column, values = columns[name], episodes[name]
        ranged = column.type in ("number", "integer", "date")
        inside, said = (_compare_range if ranged else _compare_values)(column, values, wanted)
        label = column.label or name.replace("_", " ")
        yield Text.of("cohort.flow.outside_filter", label=label, wanted=said), ~inside


def _compare_range(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, Text]:
    if not isinstance(wanted, tuple | list) or len(wanted) != 2:
        raise refuse("filter_range", name=column.name)
    try:
        low, high = (_read_end(column, end) for end in wanted)
    except (TypeError, ValueError):
        raise refuse("filter_range", name=column.name) from None
    inside = values.notna()
    if low is not None:
        inside = inside & (values >= low)
    if high is not None:
        inside = inside & (values <= high)
    kind = "both" if low is not None and high is not None else "from" if low is not None else "to"
    if column.type == "date" and kind != "both":
        kind = f"date_{kind}"
    said = Text.of(f"cohort.ranges.{kind}", low=wanted[0], high=wanted[1], unit=column.unit)
    return inside.fillna(False).to_numpy(dtype=bool), said


def _read_end(column: Column, end: Any) -> Any:
    if end is None or (isinstance(end, str) and not end):
        return None
    return pd.Timestamp(end) if column.type == "date" else float(end)


def _compare_values(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, str]:
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if column.type == "flag":
        if not all(isinstance(value, bool | np.bool_) for value in several):
            raise refuse("filter_flag", name=column.name)
    else:
        known = list(column.allowed) or sorted(str(value) for value in values.dropna().unique())
        if any(value not in known for value in several):
            raise refuse("filter_value", name=column.name, known=", ".join(known))
    inside = values.isin(several).to_numpy(dtype=bool)
    labels = column.labels or {}
    return inside, " / ".join(labels.get(str(value), str(value)) for value in several)
