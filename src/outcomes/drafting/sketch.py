"""`Sketch`: what a draft understood of a table, as the content of a source TOML with questions in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outcomes.drafting.column import SheetColumn, find_calendar, find_date_order, is_missing_word, list_codes
from outcomes.drafting.grid import Grid
from outcomes.drafting.layout import Layout
from outcomes.drafting.role import NUMERIC, Role, find_instrument, find_timepoint, order_timepoints
from outcomes.drafting.spelling import is_number, normalise
from outcomes.facts import (
    list_instruments,
    list_loinc_codes,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.records.files import simplify_name
from outcomes.records.gate import match_header

_SEPARATORS = (";", "+", "/", "&", ",", " and ")
#: Where patients come back in more rows than this, a row is an assessment.
_REPEATED = 0.2


def ask(question: str, **values: object) -> str:
    """Return a question as it stands in a draft: a text that begins with "?"."""
    return f"? {read_facts('drafting')['questions'][question].format(**values)}"


@dataclass
class Sketch:
    """What a table is, as far as it can be told.

    Parameters
    ----------
    grid : Grid
    layout : Layout
    columns : list of SheetColumn
    roles : list of Role
        One per column.
    """

    grid: Grid
    layout: Layout
    columns: list[SheetColumn]
    roles: list[Role]
    mapped: dict[str, SheetColumn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give each column of the schema the first column that fits it."""
        for column, role in zip(self.columns, self.roles, strict=True):
            if role.kind == "column" and role.name is not None:
                self.mapped.setdefault(role.name, column)
        if self.rows == "episode" and "date" in self.mapped:
            self.mapped.setdefault("start_date", self.mapped.pop("date"))

    @property
    def scores(self) -> list[tuple[SheetColumn, Role]]:
        """Return the columns that hold scores or items."""
        pairs = zip(self.columns, self.roles, strict=True)
        return [(column, role) for column, role in pairs if role.kind == "score"]

    @property
    def patients(self) -> Sequence[Hashable]:
        """Return the key of the patient of each row; rows themselves where no column tells patients apart."""
        column = self.mapped.get("patient_id")
        n_rows = len(self.columns[0].cells)
        keys = column.cells if column else (None,) * n_rows
        return [f"row {i}" if key is None else simplify_name(str(key)) for i, key in enumerate(keys)]

    @property
    def rows(self) -> str:
        """Return what one row is."""
        if any(role.timepoint for _, role in self.scores):
            return "episode"
        n_repeated = sum(count - 1 for count in Counter(self.patients).values())
        long = {"score", "instrument"} <= set(self.mapped)
        return "assessment" if long or n_repeated > _REPEATED * len(self.patients) else "episode"

    @property
    def instruments(self) -> list[str]:
        """Return the ids of the instruments that were recognised, in the order of the columns."""
        found = [role.name for _, role in self.scores if role.name]
        if "instrument" in self.mapped:
            codes, _ = list_codes(self.mapped["instrument"], self.patients)
            found += [id for id in map(find_instrument, codes) if id]
        return list(dict.fromkeys(found))

    @property
    def timepoints(self) -> list[str]:
        """Return the ids of the time points that were recognised, in their order."""
        found = [role.timepoint for _, role in self.scores if role.timepoint]
        if "timepoint" in self.mapped:
            codes, _ = list_codes(self.mapped["timepoint"], self.patients)
            found += [id for id in map(find_timepoint, codes) if id]
        return order_timepoints(found)


def describe_dates(sketch: Sketch) -> dict[str, str]:
    """Return the order and the calendar of the dates that are read, a question where they leave them open."""
    columns = [sketch.mapped[name] for name in ("start_date", "date") if name in sketch.mapped]
    pairs = zip(sketch.columns, sketch.roles, strict=True)
    columns += [column for column, role in pairs if role.kind == "score_date"]
    calendar = find_calendar(columns)
    if calendar is not None:
        return {"date_calendar": calendar if calendar == "roc" else ask("date_calendar")}
    order = find_date_order(columns)
    return {} if order in ("typed", "year-first") else {"date_order": order or ask("date_order")}


def list_numeric(sketch: Sketch) -> list[SheetColumn]:
    """Return the columns that are read as numbers."""
    scores = [column for column, _ in sketch.scores]
    return scores + [column for name, column in sketch.mapped.items() if name in NUMERIC]


def list_missing_words(sketch: Sketch) -> list[str]:
    """Return words that stand where numbers are expected: known ones for "missing", others as questions."""
    usual = {simplify_name(word) for part in ("always", "words") for word in read_facts("missing")[part]}
    found: dict[str, str] = {}
    for column in list_numeric(sketch):
        words = tuple(None if is_number(cell) else cell for cell in column.cells)
        known = {str(cell).strip().casefold() for cell in words if is_missing_word(cell)}
        found |= {simplify_name(word): word for word in sorted(known)}
        for code in list_codes(SheetColumn(column.header, words), sketch.patients)[0]:
            found.setdefault(simplify_name(code), ask("missing", code=repr(code)))
    return [word for key, word in found.items() if key not in usual]


def find_separator(sketch: Sketch) -> str | None:
    """Return what joins several therapies in one cell, None where nothing does."""
    column = sketch.mapped.get("therapy")
    if column is None:
        return None
    codes, _ = list_codes(column, sketch.patients, _therapy_names())
    keys = {simplify_name(code) for code in codes} | set(_therapy_names())
    for separator in _SEPARATORS:
        for code in codes:
            parts = [simplify_name(part) for part in code.split(separator)]
            if len(parts) > 1 and all(part in keys for part in parts):
                return separator
    return None


def _therapy_names() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for therapy in read_therapies().values():
        labels = (therapy.labels or {}).values()
        for name in (therapy.id, therapy.label, therapy.short_label, *therapy.aliases, *labels):
            names.setdefault(simplify_name(name), therapy.id)
    return names


def _missing_everywhere() -> set[str]:
    return {simplify_name(word) for word in read_facts("missing")["always"]}


def draft_therapies(sketch: Sketch) -> tuple[dict[str, str], int]:
    """Return each therapy code of the file with its therapy or a question, and how many were left out."""
    names, separator = _therapy_names(), find_separator(sketch)
    codes, n_others = list_codes(sketch.mapped["therapy"], sketch.patients, names)
    drafted = {}
    for code in codes:
        if simplify_name(code) in _missing_everywhere():
            continue
        if separator and separator in code:
            drafted[code] = ask("combination")
        else:
            drafted[code] = names.get(simplify_name(code)) or ask(
                "therapy", therapies=", ".join(read_therapies())
            )
    return drafted, n_others


def draft_categories(name: str, sketch: Sketch) -> tuple[dict[str, str], int]:
    """Return the codes of a category that the schema lacks, as questions, and how many were left out."""
    column = read_schema()["episodes"][name]
    known = {
        simplify_name(code)
        for code in (*column.allowed, *(column.labels or {}).values(), *(column.aliases or {}))
    }
    codes, n_others = list_codes(sketch.mapped[name], sketch.patients, known)
    asked = {
        code: ask("category", allowed=", ".join(column.allowed))
        for code in codes
        if simplify_name(code) not in known and not is_missing_word(code)
    }
    return asked, n_others


def draft_names(name: str, sketch: Sketch) -> dict[str, str]:
    """Return the codes of a long file's instruments or time points, each with its id or a question."""
    find, allowed = {
        "instrument": (find_instrument, list_instruments()),
        "timepoint": (find_timepoint, tuple(read_timepoints())),
    }[name]
    question = "instrument_code" if name == "instrument" else "timepoint"
    codes, _ = list_codes(sketch.mapped[name], sketch.patients, map(simplify_name, allowed))
    return {
        code: list_loinc_codes().get(code) or find(code) or ask(question, allowed=", ".join(allowed))
        for code in codes
        if simplify_name(code) not in _missing_everywhere()
    }


def draft_scores(sketch: Sketch) -> list[dict[str, Any]]:
    """Return one ``[[file.scores]]`` block per score, items of one questionnaire taken together."""
    blocks: dict[tuple[Any, ...], dict[str, Any]] = {}
    for column, role in sketch.scores:
        key = (role.name or column.header, role.timepoint, role.variant)
        block = blocks.setdefault(key, {"instrument": role.name or ask("instrument")})
        if role.variant:
            block["variant"] = role.variant
        if sketch.rows == "episode":
            block["timepoint"] = role.timepoint or ask("timepoint", allowed=", ".join(read_timepoints()))
        if role.item is None:
            block.setdefault("column", column.header)
            block |= _describe_scale(column, role)
        else:
            block.setdefault("items", {})[role.item] = column.header
        block |= _describe_variant(role)
        block |= _find_date_column(sketch, role)
    return [_order_items(block) for block in blocks.values()]


def _order_items(block: dict[str, Any]) -> dict[str, Any]:
    items = block.get("items")
    return {**block, "items": [items[number] for number in sorted(items)]} if items else block


def _describe_scale(column: SheetColumn, role: Role) -> dict[str, str]:
    """Return a question about the scale where the numbers lie outside, or where both ends are in use."""
    if role.name is None:
        return {}
    instrument = read_instrument(f"{role.name}:{role.variant or ''}")
    if instrument.scale_required:
        allowed = "; ".join(f"{name} ({it['meaning']})" for name, it in instrument.scales.items())
        return {"scale": ask("scale_required", instrument=instrument.short_name, allowed=allowed)}
    numbers = [float(str(cell).replace(",", ".").rstrip("% ")) for cell in column.filled if is_number(cell)]
    outside = sum(not instrument.minimum <= number <= instrument.maximum for number in numbers)
    if numbers and outside > len(numbers) / 2:
        allowed = ", ".join(instrument.scales) or "none"
        asked = ask("scale", minimum=instrument.minimum, maximum=instrument.maximum, allowed=allowed)
        return {"scale": asked}
    return {}


def _describe_variant(role: Role) -> dict[str, str]:
    """Return a question about the variant where an instrument needs one and the header names none."""
    if role.name is None or role.variant is not None:
        return {}
    instrument = read_instrument(role.name)
    if not instrument.variant_required:
        return {}
    allowed = " and of ".join(", ".join(names) for names in instrument.variants.values())
    if instrument.scoring_rule.value_sets:
        return {"variant": ask("value_set", instrument=instrument.short_name, allowed=allowed)}
    return {"variant": ask("variant", instrument=instrument.short_name, allowed=allowed)}


def _find_date_column(sketch: Sketch, score: Role) -> dict[str, str]:
    """Return the date column of a score's time point, the one that names its instrument before others."""
    dates = [
        (column, role)
        for column, role in zip(sketch.columns, sketch.roles, strict=True)
        if role.kind == "score_date" and role.timepoint == score.timepoint and role.name in (None, score.name)
    ]
    dates.sort(key=lambda pair: pair[1].name is None)
    return {"date_column": dates[0][0].header} if dates and sketch.rows == "episode" else {}


def needs_rekey(sketch: Sketch) -> bool:
    """Return whether the patient column holds a running number by which someone could be known."""
    column = sketch.mapped.get("patient_id")
    if column is None:
        return False
    words = set(read_facts("drafting")["rekey"]["words"])
    return bool(words & set(normalise(column.header).split())) or match_header(column.header) is not None
