"""The one schema of records: which columns the tables have, their type, unit and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.facts.toml import build_strictly, read_facts


@dataclass(frozen=True)
class Column:
    """A column of a table of records.

    Parameters
    ----------
    name : str
    type : str
        ``id``, ``category``, ``number``, ``integer``, ``date``, ``flag``.
    meaning : str
        One sentence.
    unit : str
    minimum, maximum : float or None
        A value outside is refused as a cell.
    allowed : tuple of str
        Allowed codes of a category; empty where any short name may stand.
    aliases : mapping
        Other spellings to code, compared without case, spaces, hyphens and underscores.
    required : bool
    covariate : bool
        Whether it is known at time zero and may adjust a comparison.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    aliases: Mapping[str, str] | None = None
    label: str = ""
    required: bool = False
    covariate: bool = False


@cache
def read_schema() -> Mapping[str, Mapping[str, Column]]:
    """Return the tables ``episodes``, ``assessments``, ``sessions``, ``events``: mappings of columns."""
    return {
        table: {
            name: build_strictly(Column, {"name": name, **content}, f"schema.toml, [{table}.{name}]")
            for name, content in columns.items()
        }
        for table, columns in read_facts("schema").items()
    }
