"""What records are made of: the columns of their tables, therapies and time points."""

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


@dataclass(frozen=True)
class Therapy:
    """A kind of therapy."""

    #: Such as ``manual_therapy``.
    id: str
    #: Such as "manual therapy (mobilisation, manipulation, soft tissue)".
    label: str
    #: What fits a figure, such as "manual therapy".
    short_label: str
    #: ``exercise``, ``education``, ``manual``, ``control``, ...: where patients are few, therapies of one
    #: group count as one on a page for stakeholders. ``other`` groups nothing.
    group: str
    #: Hexadecimal, from the palette of Okabe and Ito.
    colour: str
    #: A matplotlib marker, so that colour is never the only difference.
    marker: str
    #: Order on a page.
    order: int
    #: Other spellings that sources may use, compared without case, spaces, hyphens and underscores.
    aliases: tuple[str, ...] = ()
    #: Labels in other languages, by language code.
    labels: Mapping[str, str] | None = None


@cache
def read_therapies() -> Mapping[str, Therapy]:
    """Return all therapies by id, in their order."""
    entries = [
        build_strictly(Therapy, {"id": id, "order": order, **content}, f"therapies.toml, [{id}]")
        for order, (id, content) in enumerate(read_facts("therapies").items())
    ]
    return {entry.id: entry for entry in entries}


@dataclass(frozen=True)
class Timepoint:
    """A time point."""

    #: Such as ``month_3``.
    id: str
    #: Such as "3 months".
    label: str
    #: Target day after time zero.
    day: int
    #: Window, both days included; absent where a source has labels only.
    first_day: int | None = None
    last_day: int | None = None
    #: False where reaching it depends on the outcome (end of therapy): described, never compared.
    comparable: bool = True


@cache
def read_timepoints() -> Mapping[str, Timepoint]:
    """Return the standard time points by id, in order of their days."""
    return {
        id: build_strictly(Timepoint, {"id": id, **content}, f"timepoints.toml, [{id}]")
        for id, content in read_facts("timepoints").items()
    }
