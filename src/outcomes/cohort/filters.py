"""Filters written as text, as a report's parameter and the command line hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outcomes.errors import AnalysisError
from outcomes.facts import read_schema, read_words


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
            raise AnalysisError(read_words().say("cohort.errors.filter_text", text=repr(text)))
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
