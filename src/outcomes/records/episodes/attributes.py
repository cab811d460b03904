"""From rows to what is constant within an episode: its therapy, site, patient's age band and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import Column, read_schema
from outcomes.records.columns import (
    Coded,
    Part,
    list_missing_codes,
    map_category,
    map_dates,
    map_flags,
    map_numbers,
    map_therapy,
    parse_numbers,
)
from outcomes.records.episodes.links import Links
from outcomes.records.problems import Problems

_NOT_ATTRIBUTES = frozenset({"episode_id", "patient_id", "excluded"})
_SESSION_COUNTS = frozenset({"n_sessions", "sessions_to_date"})


@dataclass(frozen=True)
class Attribute:
    """A column of the episodes as found in rows of all files.

    Parameters
    ----------
    column : Column
        Of the schema.
    header : str
        For messages.
    records, episode : numpy.ndarray of int
        One entry per row that has a value: its number in the ledger, its episode.
    codes : numpy.ndarray of int32
        Position in ``values``.
    values : numpy.ndarray
        Distinct values, sorted.
    """

    column: Column
    header: str
    records: np.ndarray = field(repr=False)
    episode: np.ndarray = field(repr=False)
    codes: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)

    def keep(self, rows: np.ndarray) -> Attribute:
        """Return the entries that ``rows`` marks."""
        return Attribute(
            self.column, self.header, self.records[rows], self.episode[rows], self.codes[rows], self.values
        )


def collect_attributes(parts: Sequence[Part], links: Links) -> tuple[dict[str, Attribute], list[np.ndarray]]:
    """Return the attributes that any file maps, and per part the rows whose therapy is blank.

    Rows refused so far still count as read; callers drop them.
    """
    schema = read_schema()["episodes"]
    found: dict[str, Attribute] = {}
    blanks = [np.zeros(part.n_rows, dtype=bool) for part in parts]
    for name, column in schema.items():
        if name in _NOT_ATTRIBUTES:
            continue
        pieces = []
        for number, part in enumerate(parts):
            if name in part.spec.columns and part.spec.rows in ("episode", "assessment"):
                typed, blank = _map_attribute(part, column)
                blanks[number] |= blank
                pieces.append((part, links.rows[number], typed))
        if pieces:
            found[name] = _join_pieces(column, pieces)
    return found, blanks


def _map_attribute(part: Part, column: Column) -> tuple[Coded, np.ndarray]:
    header = part.spec.columns[column.name]
    nowhere = np.zeros(part.n_rows, dtype=bool)
    if column.name == "therapy":
        return map_therapy(part, header)
    if column.type == "date":
        return map_dates(part, header, whole=True), nowhere
    if column.type == "flag":
        return map_flags(part, column.name, header), nowhere
    if column.type in ("number", "integer"):
        return _map_number(part, column, header), nowhere
    return map_category(part, column.name, header, column), nowhere


def _map_number(part: Part, column: Column, header: str) -> Coded:
    counts = column.name in _SESSION_COUNTS
    if column.name in part.spec.top_code:
        part.columns[header] = _top_code(part, header, part.spec.top_code[column.name])
    return map_numbers(
        part,
        header,
        missing=list_missing_codes(part, column.name),
        low=column.minimum,
        high=column.maximum,
        whole_number=column.type == "integer",
        whole=counts and not part.is_wide,
        rule="SESSIONS_RANGE" if counts else f"{column.name.split('_')[0].upper()}_RANGE",
        what=_say_range(column),
    )


def _top_code(part: Part, header: str, highest: float) -> Coded:
    """Return a column whose larger numbers are replaced by the largest that is kept."""
    coded = part.columns[header]
    values, _ = parse_numbers(coded.values, np.ones(len(coded.values), dtype=bool), part.spec.decimal)
    return Coded(coded.codes, np.where(values > highest, f"{highest:g}", coded.values))


def _say_range(column: Column) -> str:
    whole = "whole numbers " if column.type == "integer" else ""
    limits = f"{column.minimum:g} to {column.maximum:g} {column.unit}".strip()
    return f"not possible; allowed are {whole}from {limits}"


def _join_pieces(column: Column, pieces: list[tuple[Part, np.ndarray, Coded]]) -> Attribute:
    values = np.unique(np.concatenate([typed.values[typed.mark_used()] for _, _, typed in pieces]))
    records, episodes, codes = [], [], []
    for part, episode, typed in pieces:
        position = np.append(np.searchsorted(values, typed.values), -1).astype(np.int32)
        position[np.append(~typed.mark_used(), True)] = -1
        code = position[typed.codes]
        rows = np.flatnonzero((code >= 0) & (episode >= 0))
        records.append((part.place.start + rows).astype(np.int32))
        episodes.append(episode[rows])
        codes.append(code[rows])
    header = pieces[0][0].spec.columns[column.name]
    return Attribute(
        column, header, np.concatenate(records), np.concatenate(episodes), np.concatenate(codes), values
    )


def refuse_conflicts(attribute: Attribute, n_episodes: int, problems: Problems) -> None:
    """Refuse all records of an episode whose attribute changes from record to record."""
    attribute = attribute.keep(~problems.is_refused(attribute.records))
    first = take_first(attribute, n_episodes)
    differs = attribute.codes != first[attribute.episode]
    if differs.any():
        changing = np.zeros(n_episodes, dtype=bool)
        changing[attribute.episode[differs]] = True
        problems.refuse(
            attribute.records[changing[attribute.episode]],
            "KEY_ATTRIBUTE_CONFLICT",
            "a value that should not change within an episode does",
            column=attribute.header,
            outcome="quarantine_patient_pair",
        )


def take_first(attribute: Attribute, n_episodes: int) -> np.ndarray:
    """Return each episode's first code in the order of the files, -1 where it has none."""
    first = np.full(n_episodes, -1, dtype=np.int32)
    first[attribute.episode[::-1]] = attribute.codes[::-1]
    return first
