"""The mapped columns of a file as the gate sees them, and what their texts say that no code list declares."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import FileSpec, Source, read_facts, read_schema
from outcomes.records.columns import (
    limit_categories,
    list_instrument_spellings,
    list_spellings,
    list_therapy_spellings,
    list_timepoint_spellings,
    match_texts,
)
from outcomes.records.files import TextTable, simplify_name
from outcomes.records.gate.patterns import ValueRule
from outcomes.records.gate.person_names import find_known_names, find_person_names, has_title

_SHOWN_LINES = 10
#: Columns that hold persons, where one frequent name is enough.
_PERSONS = frozenset({"patient_id", "episode_id", "therapist"})
#: Columns whose words are the field's; schools of therapy are called after persons.
_TERMS = frozenset({"therapy", "instrument", "variant", "timepoint", "event"})
#: A title stands beside a blank or a full stop, or is written in Chinese or Japanese.
_MAY_HAVE_TITLE = r"\S[\s.]\S|[^\x00-\x7f]"
#: Names have no digits, and few marks.
_MAY_BE_NAME = r"^[^0-9#%&*+/:;<=>?@\\^|~]*$"


@dataclass(frozen=True)
class GatedColumn:
    """A mapped column as the gate sees it."""

    header: str
    #: Column of the schema it is mapped to; ``""`` for scores and what excludes records.
    name: str
    #: ``id``, ``category``, ``number`` or ``date``.
    kind: str
    #: One per row, -1 for a bad cell.
    codes: np.ndarray = field(repr=False)
    #: Distinct texts.
    texts: pa.Array = field(repr=False)
    #: First physical line of each row.
    lines: np.ndarray = field(repr=False)

    def count(self, hits: np.ndarray) -> tuple[int, tuple[int, ...]]:
        """Return how many rows hold one of the marked texts, and the first lines of those."""
        rows = np.flatnonzero(np.append(hits, False)[self.codes])
        return len(rows), tuple(int(line) for line in self.lines[rows[:_SHOWN_LINES]])


def list_gated_columns(text: TextTable, spec: FileSpec) -> list[GatedColumn]:
    """Return the mapped columns that a file has, each with what it is declared to be."""
    roles: dict[str, tuple[str, str]] = {}
    for entry in spec.exclude:
        roles[entry.column] = ("", "category")
    for score in spec.scores:
        roles |= {
            header: ("", "number") for header in (score.column, score.day_column, *score.items) if header
        }
        if score.date_column:
            roles[score.date_column] = ("", "date")
    for name, headers in spec.joined.items():
        roles |= {header: (name, "id") for header in headers if header not in roles}
    roles |= {header: (name, _find_kind(name)) for name, header in spec.columns.items()}
    return [
        GatedColumn(header, name, kind, *text.split(header), text.lines)
        for header, (name, kind) in roles.items()
        if header in text.table.column_names
    ]


def _find_kind(name: str) -> str:
    if name == "date":
        return "date"
    for columns in read_schema().values():
        if name in columns:
            kind = columns[name].type
            return kind if kind in ("id", "date", "category") else "number"
    return "category"


def judge_texts(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    """Search the undeclared texts of a category or of ids: free text, too many categories, persons' names."""
    open_ = find_open(column, spec, source)
    if not open_.any():
        return []
    strange = column.texts.filter(pa.array(open_))
    rules = _search_free_text(column, open_, strange)
    if column.kind == "category" and len(strange) > limit_categories(column.name):
        rules.append(ValueRule("CATEGORY_CARDINALITY", "many_texts", open_))
    return rules + _search_names(column, open_, strange)


def find_open(column: GatedColumn, spec: FileSpec, source: Source) -> np.ndarray:
    """Return which distinct texts are neither blank nor declared, as a mask."""
    open_ = ~match_texts(column.texts, r"^\s*$")
    known = _list_known(column.name, spec, source)
    if known:
        open_ &= np.array([simplify_name(text) not in known for text in column.texts.to_pylist()], dtype=bool)
    return open_


def _list_known(name: str, spec: FileSpec, source: Source) -> set[str]:
    known = {simplify_name(code) for code in spec.codes.get(name, {})}
    if name == "therapy":
        known |= set(list_therapy_spellings(source))
    elif name == "instrument":
        known |= set(list_instrument_spellings())
    elif name == "timepoint":
        known |= set(list_timepoint_spellings(source))
    for columns in read_schema().values():
        if name in columns:
            known |= set(list_spellings(columns[name]))
    return known


def _search_free_text(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    limits = read_facts("gate")["free_text"]
    lengths = pc.utf8_length(strange).to_numpy(zero_copy_only=False)
    n_rows = int(np.append(open_, False)[column.codes].sum())
    share = len(strange) / max(n_rows, 1)
    long = lengths.mean() > limits["mean_characters"] and share > limits["distinct_share"]
    spoken = bool(match_texts(strange, r"\S\s\S").any())
    longest = lengths.max() > limits["most_characters"]
    if column.kind == "id":
        free = spoken and (long or longest)
    else:
        many = n_rows >= limits["fewest_records"] and share > limits["distinct_share"]
        free = longest or many or (long and spoken and len(strange) > 1)
    return [ValueRule("PHI_FREE_TEXT", "free_text", open_)] if free else []


def _search_names(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    """Search names: any with a title, a frequent one among persons, many that look so elsewhere."""
    facts = read_facts("gate")["names"]
    found = match_texts(strange, _MAY_HAVE_TITLE)
    found[found] = [has_title(text) for text in strange.filter(pa.array(found)).to_pylist()]
    possible = np.flatnonzero(match_texts(strange, _MAY_BE_NAME))
    texts = strange.take(pa.array(possible)).to_pylist()

    def are_many(looks: np.ndarray) -> bool:
        return bool(looks.sum() >= facts["fewest"] and looks.sum() >= facts["share"] * len(strange))

    if column.name in _PERSONS:
        # Where most ids are codes with digits, a name is an exception among them.
        coded = match_texts(strange, r"\d").mean() > facts["share"]
        looks = find_person_names(texts)
        found[possible[find_known_names(texts) | (looks & (coded or are_many(looks)))]] = True
    elif column.name not in _TERMS:
        looks = find_known_names(texts, full=True)
        found[possible[looks & are_many(looks)]] = True
    hits = np.zeros(len(open_), dtype=bool)
    hits[np.flatnonzero(open_)[found]] = True
    return [ValueRule("PHI_NAME", "names", hits)] if hits.any() else []
