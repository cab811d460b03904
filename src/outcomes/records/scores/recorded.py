"""`Recorded`: a column of scores as it stands in the file, brought to an instrument's own scale.

A recorded total beside the items of a form is held against their score, and used where they give none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from outcomes.facts import OWN, Instrument, ScoreSpec, Text, find_shown, list_scales, read_facts
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.mapping import map_numbers
from outcomes.records.columns.numbers import find_missing, read_written
from outcomes.records.columns.part import Part
from outcomes.records.conversion import rescale
from outcomes.records.problems import Answers, Values
from outcomes.records.scoring import score_items


@dataclass(frozen=True)
class Recorded:
    """Numbers of a column as recorded."""

    part: Part = field(repr=False)
    header: str
    #: As recorded, missing where refused.
    numbers: Coded = field(repr=False)
    #: Unit or denominator behind each distinct number, ``""`` for none.
    units: np.ndarray = field(repr=False)
    #: Rows whose number was written with something behind it, and those with a letter.
    changed: np.ndarray = field(repr=False)
    lettered: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Converted:
    """The distinct numbers of a column on an instrument's own scale."""

    score: np.ndarray
    #: Which were converted by what is written in the cell, whatever the source declares.
    stated: np.ndarray


def read_recorded(
    part: Part, header: str, missing: tuple[str, ...], whole: bool, letters: dict[str, str] | None = None
) -> Recorded:
    """Read a column of numbers, written forms included."""
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
    changed = np.logical_or.reduce([column.changed for column in columns])
    lettered = np.logical_or.reduce([column.lettered for column in columns])
    part.note_values(header, changed, "SCORE_WRITTEN", "repair_and_log")
    if instrument is not None and letters and lettered.any():
        values = {"instrument": instrument.called_short, "first": letters["a"], "measure": instrument.id}
        part.note_values(header, lettered, "SCORE_LETTERS", "repair_and_log", **values)


def convert(
    recorded: Recorded, instrument: Instrument, variant: str | None, scale: str | None, rows: np.ndarray
) -> Converted:
    """Bring the numbers of some rows to an instrument's own scale, those with a unit by their unit."""
    values = recorded.numbers.values
    score, stated = rescale(instrument, values, scale).copy(), np.zeros(len(values), dtype=bool)
    name, foreign = instrument.called_short, []
    for unit in dict.fromkeys(recorded.units[recorded.units != ""]):
        here = recorded.units == unit
        named = find_shown(instrument, unit)
        if not named:
            score[here] = np.nan
            no_scale = Text.of("findings.SCORE_UNIT_UNKNOWN.no_scale", instrument=name)
            refuse_unit(recorded, here, unit, no_scale, rows)
            continue
        chosen = scale if scale in named else OWN if OWN in named else named[0]
        score[here], stated[here] = rescale(instrument, values[here], chosen), True
        foreign += [unit] if chosen != OWN else []
    if foreign:
        converted = np.isin(recorded.units, foreign)
        _note_converted(recorded, converted, rows, instrument, "by_unit", units=", ".join(foreign))
    if instrument.scoring_rule.rule == "value_set":
        profile = _score_profiles(values, instrument, variant)
        known = ~np.isnan(profile)
        score, stated = np.where(known, profile, score), stated | known
        _note_converted(recorded, known, rows, instrument, "by_value_set")
    return Converted(score, stated)


def _note_converted(
    recorded: Recorded,
    distinct: np.ndarray,
    rows: np.ndarray,
    instrument: Instrument,
    how: str,
    **values: str,
) -> None:
    here, named = recorded.numbers.rows(distinct) & rows, {"instrument": instrument.called_short, **values}
    rule, header = f"SCORE_CONVERTED.{how}", recorded.header
    recorded.part.note_values(header, here, rule, "repair_and_log", measure=instrument.id, **named)


def refuse_unit(recorded: Recorded, distinct: np.ndarray, unit: str, meaning: Text, rows: np.ndarray) -> None:
    """Refuse cells for what stands behind their number: no unit of theirs, or a day and a month.

    A denominator that a measure has makes a written score ("7/10"); any other may be half of a date that a
    spreadsheet made of a score ("3/5").
    """
    part = recorded.part
    dates = distinct & _find_days(recorded.numbers.values, unit)
    for rule, chosen in (("SCORE_DATE", dates), ("SCORE_UNIT_UNKNOWN", distinct & ~dates)):
        here, words = recorded.numbers.rows(chosen) & rows, {"unit": repr(unit), "meaning": meaning}
        part.refuse_values(recorded.header, here, rule, whole=not part.is_wide, **words)


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


def compare_total(
    recorded: Recorded, spec: ScoreSpec, instrument: Instrument, score: np.ndarray, answered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hold a recorded total against the score of the items; it stands in only where these give none.

    ``score`` (of the items) and ``answered`` have one entry per row of the file; both are returned with the
    totals that stand in.
    """
    part = recorded.part
    given = convert(recorded, instrument, spec.variant, spec.scale, np.ones(part.n_rows, bool)).score
    total = recorded.numbers.type_as(given, np.isnan(given)).spread(np.nan)
    gap = np.abs(total - score) / (instrument.maximum - instrument.minimum)
    differs = gap > read_facts("checks")["published"]["tolerance"]
    alone = np.isnan(score) & ~np.isnan(total)
    n_known = int((~np.isnan(score) | alone).sum())
    if differs.any():
        _doubt_total(recorded, spec, instrument, score, gap, n_known)
    if alone.any():
        shift = int(alone.sum()) / n_known
        told: Values = {"measure": instrument.id, "instrument": instrument.called_short}
        told["column"] = recorded.header
        part.problems.doubt("SCORE_TOTAL_ONLY", part.records(alone), shift, **told)
    return np.where(alone, total, score), answered | alone


def _doubt_total(
    recorded: Recorded,
    spec: ScoreSpec,
    instrument: Instrument,
    score: np.ndarray,
    gap: np.ndarray,
    n_known: int,
) -> None:
    """Doubt totals that differ from the score of the items, and the items as well where most of them do."""
    part, limits = recorded.part, read_facts("checks")
    differs = gap > limits["published"]["tolerance"]
    n_differ, n_both = int(differs.sum()), int((~np.isnan(gap)).sum())
    case, answers = "few", None
    if n_both >= limits["scale"]["fewest"] and 2 * n_differ > n_both:
        case, answers = "most", _list_total_answers(recorded, spec, instrument, score)
    part.problems.doubt(
        f"SCORE_TOTAL_DIFFERS.{case}",
        part.records(differs),
        float(gap[differs].sum()) / n_known,
        measure=instrument.id,
        answers=answers,
        column=recorded.header,
        confirmed="total" in (*spec.confirmed, *part.spec.confirmed),
        n=n_differ,
        n_all=n_both,
        instrument=instrument.called_short,
    )


def _list_total_answers(
    recorded: Recorded, spec: ScoreSpec, instrument: Instrument, score: np.ndarray
) -> Answers:
    """Return the answers, first the scales on which most totals are the score of the items."""
    raw = recorded.numbers.spread(np.nan)
    least = read_facts("checks")["published"]["tolerance"] * (instrument.maximum - instrument.minimum)
    lines = {}
    for name, scale in list_scales(instrument).items():
        if name == (spec.scale or OWN) or scale.per is not None or scale.by_table:
            continue
        gap = np.abs(raw * scale.factor + scale.offset - score)
        if 2 * (gap <= least).sum() > (~np.isnan(gap)).sum():
            both = Text.of("findings.SCORE_TOTAL_DIFFERS.both_right", scale=scale.meaning)
            lines[f'scale = "{name}"'] = both
    return lines | {
        'confirmed = ["total"]': Text.of("findings.SCORE_TOTAL_DIFFERS.items_right"),
        "item_codes = { ... }": Text.of("findings.SCORE_TOTAL_DIFFERS.total_right"),
    }
