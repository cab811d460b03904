"""The one schema of records: which columns the tables have, their type, unit and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outcomes.facts.toml import build_strictly, read_facts


@dataclass(frozen=True)
class Column:
    """A column of a table of records."""

    name: str
    #: ``id``, ``category``, ``number``, ``integer``, ``date``, ``flag``.
    type: str
    #: One sentence.
    meaning: str
    unit: str = ""
    #: A value outside is refused as a cell.
    minimum: float | None = None
    maximum: float | None = None
    #: Allowed codes of a category; empty where any short name may stand.
    allowed: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    #: Other spellings to code, compared without case, spaces, hyphens and underscores.
    aliases: Mapping[str, str] | None = None
    label: str = ""
    required: bool = False
    #: Whether it is known at time zero and may adjust a comparison.
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
