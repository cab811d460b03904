"""`Recorded`: a column of scores as it stands in the file, brought to an instrument's own scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import OWN, Instrument, find_shown
from outcomes.records.columns import Coded, Part, find_missing, map_numbers, read_written
from outcomes.records.scales import rescale
from outcomes.records.scoring import score_items

_WRITTEN = "numbers written with a unit, a denominator or a label were read as numbers"


@dataclass(frozen=True)
class Recorded:
    """Numbers of a column as recorded.

    Parameters
    ----------
    part : Part
    header : str
    numbers : Coded
        As recorded, missing where refused.
    units : numpy.ndarray of object
        Unit or denominator behind each distinct number, ``""`` for none.
    changed, lettered : numpy.ndarray of bool
        Rows whose number was written with something behind it, and those with a letter.
    """

    part: Part = field(repr=False)
    header: str
    numbers: Coded = field(repr=False)
    units: np.ndarray = field(repr=False)
    changed: np.ndarray = field(repr=False)
    lettered: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Converted:
    """The distinct numbers of a column on an instrument's own scale.

    Parameters
    ----------
    score : numpy.ndarray of float
    stated : numpy.ndarray of bool
        Which were converted by what is written in the cell, whatever the source declares.
    """

    score: np.ndarray
    stated: np.ndarray


def read_recorded(
    part: Part, header: str, missing: tuple[str, ...], whole: bool, letters: dict[str, str] | None = None
) -> Recorded:
    """Read a column of numbers, written forms included.

    Parameters
    ----------
    part : Part
    header : str
    missing : tuple of str
        Codes for missing here.
    whole : bool
        Whether a bad cell refuses its record.
    letters : dict, optional
        What letters stand for.
    """
    coded = part.columns[header]
    absent = find_missing(coded.values, missing)
    written = read_written(np.where(absent, "", coded.values), part.spec.decimal, letters)
    numbers = map_numbers(
        part, header, missing=missing, whole=whole, texts=np.where(absent, coded.values, written.texts)
    )
    changed, lettered = (coded.rows(marked & ~absent) for marked in (written.changed, written.lettered))
    return Recorded(part, header, numbers, written.units, changed & (numbers.codes >= 0), lettered)


def note_written(
    columns: Sequence[Recorded],
    instrument: Instrument | None = None,
    letters: Mapping[str, str] | None = None,
) -> None:
    """Note once for columns that belong together which numbers were written with something or as letters."""
    part, header = columns[0].part, columns[0].header
    changed, lettered = (
        np.logical_or.reduce([getattr(column, name) for column in columns])
        for name in ("changed", "lettered")
    )
    part.note_values(header, changed, "SCORE_WRITTEN", "repair_and_log", _WRITTEN)
    if instrument is not None and letters and lettered.any():
        said = f"Answers to the {instrument.short_name} given as letters count from A = {letters['a']} on."
        part.problems.note("SCORE_LETTERS", "repair_and_log", said[:-1], part.records(lettered),
                           column=header, said=said, measure=instrument.id)  # fmt: skip


def convert(
    recorded: Recorded, instrument: Instrument, variant: str | None, scale: str | None, rows: np.ndarray
) -> Converted:
    """Bring the numbers of some rows to an instrument's own scale, those with a unit by their unit.

    Parameters
    ----------
    recorded : Recorded
    instrument : Instrument
    variant : str or None
    scale : str or None
        As declared for numbers without a unit.
    rows : numpy.ndarray of bool
        Rows that are meant; what cannot be converted is refused in these.
    """
    values = recorded.numbers.values
    score, stated = rescale(instrument, values, scale).copy(), np.zeros(len(values), dtype=bool)
    foreign = []
    for unit in dict.fromkeys(recorded.units[recorded.units != ""]):
        here = recorded.units == unit
        named = find_shown(instrument, unit)
        if not named:
            score[here] = np.nan
            refuse_unit(recorded, here, unit, f"no known scale of the {instrument.short_name}", rows)
            continue
        chosen = scale if scale in named else OWN if OWN in named else named[0]
        score[here], stated[here] = rescale(instrument, values[here], chosen), True
        foreign += [unit] if chosen != OWN else []
    if foreign:
        _say(recorded, np.isin(recorded.units, foreign), rows, instrument,
             f"{instrument.short_name} scores that are written with their unit or denominator "
             f"({', '.join(foreign)}) are converted by it.")  # fmt: skip
    if instrument.scoring_rule.rule == "value_set":
        profile = _score_profiles(values, instrument, variant)
        known = ~np.isnan(profile)
        score, stated = np.where(known, profile, score), stated | known
        _say(
            recorded,
            known,
            rows,
            instrument,
            f"{instrument.short_name} profiles of five digits are scored by the value set.",
        )
    return Converted(score, stated)


def _say(
    recorded: Recorded, distinct: np.ndarray, rows: np.ndarray, instrument: Instrument, said: str
) -> None:
    part, here = recorded.part, recorded.numbers.rows(distinct) & rows
    part.problems.note("SCORE_CONVERTED", "repair_and_log", said.removesuffix("."), part.records(here),
                       column=recorded.header, said=said, measure=instrument.id)  # fmt: skip


def refuse_unit(recorded: Recorded, distinct: np.ndarray, unit: str, what: str, rows: np.ndarray) -> None:
    """Refuse cells for what stands behind their number: no unit of theirs, or a day and a month.

    A denominator that a measure has makes a written score ("7/10"); any other may be half of a date that a
    spreadsheet made of a score ("3/5").
    """
    part, remedy = recorded.part, "write the number alone, on one scale for the whole column"
    dates = distinct & _find_days(recorded.numbers.values, unit)
    cells = {
        "SCORE_DATE": (dates, f"written with {unit!r}, which is {what}: perhaps a date made of a score"),
        "SCORE_UNIT_UNKNOWN": (distinct & ~dates, f"written with {unit!r}, which is {what}"),
    }
    for rule, (chosen, reason) in cells.items():
        here = recorded.numbers.rows(chosen) & rows
        part.refuse_values(recorded.header, here, rule, reason, whole=not part.is_wide, remedy=remedy)


def _find_days(values: np.ndarray, unit: str) -> np.ndarray:
    """Return which numbers are with their denominator a day and a month, in either order."""
    other = int(unit[1:]) if unit[1:].isdigit() else 0
    whole = np.floor(values) == values
    return np.asarray(
        whole & (values >= 1) & ((values <= 31) & (1 <= other <= 12) | (values <= 12) & (1 <= other <= 31))
    )


def _score_profiles(values: np.ndarray, instrument: Instrument, variant: str | None) -> np.ndarray:
    """Return the index of health states that are written as one number (``11223``), NaN elsewhere."""
    rule = instrument.scoring_rule
    lows, highs = rule.list_bounds(rule.n_items)
    whole = np.where(np.isfinite(values) & (values == np.floor(values)), values, 0).astype(np.int64)
    digits = whole[:, None] // 10 ** np.arange(rule.n_items - 1, -1, -1) % 10
    known = ((digits >= lows) & (digits <= highs)).all(axis=1) & (whole < 10**rule.n_items)
    score = np.full(len(values), np.nan)
    if known.any():
        score[known] = score_items(instrument, digits[known].astype(float), variant=variant).score
    return score


def count_units(recorded: Recorded, rows: np.ndarray) -> dict[str, int]:
    """Return how many cells of some rows are written with each unit or denominator."""
    if not (recorded.units != "").any():
        return {}
    codes = recorded.numbers.codes[rows]
    count = np.bincount(codes[codes >= 0], minlength=len(recorded.units))
    found: Counter[str] = Counter()
    for unit, n in zip(recorded.units, count, strict=True):
        found[unit] += int(n)
    return {unit: n for unit, n in found.items() if unit and n}
