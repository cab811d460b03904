"""Texts that no code list declares: free text, names of persons, too many of them."""

from __future__ import annotations

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
from outcomes.records.files import simplify_name
from outcomes.records.gate.column_values import ValueRule
from outcomes.records.gate.gated_column import GatedColumn
from outcomes.records.gate.person_names import find_known_names, find_person_names, has_title

#: Columns that hold persons, where one frequent name is enough.
_PERSONS = frozenset({"patient_id", "episode_id", "therapist"})
#: Columns whose words are the field's; schools of therapy are called after persons.
_TERMS = frozenset({"therapy", "instrument", "variant", "timepoint", "event"})
#: A title stands beside a blank or a full stop, or is written in Chinese or Japanese.
_MAY_HAVE_TITLE = r"\S[\s.]\S|[^\x00-\x7f]"
#: Names have no digits, and few marks.
_MAY_BE_NAME = r"^[^0-9#%&*+/:;<=>?@\\^|~]*$"


def judge_texts(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    """Judge the undeclared texts of a category or of ids.

    Parameters
    ----------
    column : GatedColumn
    spec : FileSpec
        Its declared codes are known texts.
    source : Source

    Returns
    -------
    list of ValueRule
        Free text, too many categories, persons' names.
    """
    open_ = find_open(column, spec, source)
    if not open_.any():
        return []
    strange = column.texts.filter(pa.array(open_))
    rules = _search_free_text(column, open_, strange)
    most = limit_categories(column.name)
    if column.kind == "category" and len(strange) > most:
        what = f"more than {most} different texts in a column of categories"
        rules.append(ValueRule("CATEGORY_CARDINALITY", what, open_, True))
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
    return [ValueRule("PHI_FREE_TEXT", "free text", open_, True)] if free else []


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
    return [ValueRule("PHI_NAME", "what look like persons' names", hits, True)] if hits.any() else []
