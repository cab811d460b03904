"""From a file's columns to scores: items scored by the instrument's rule, other scales brought to its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outcomes.errors import FactsError
from outcomes.facts import Instrument, ScoreSpec, read_facts, read_instrument
from outcomes.records.columns import (
    Coded,
    Part,
    find_missing,
    is_known,
    list_missing_codes,
    look_up_codes,
    map_instruments,
    map_numbers,
    refuse_hazards,
)
from outcomes.records.scales import rescale
from outcomes.records.scoring import score_items

#: Where a score was computed from no items.
NO_ITEMS = -1


@dataclass(frozen=True)
class Measure:
    """An instrument with its variant."""

    instrument: Instrument
    variant: str | None

    @property
    def name(self) -> str:
        """Id of the instrument with its variant."""
        return f"{self.instrument.id}:{self.variant}" if self.variant else self.instrument.id


def build_measure(name: str) -> Measure:
    """Return the measure called ``id`` or ``id:variant``, refusing a variant the instrument lacks.

    A subscale's range, direction and rule are its own.
    """
    variant = name.partition(":")[2] or None
    instrument = read_instrument(name)
    instrument.check_variant(variant)
    return Measure(instrument, variant)


def say_scales(instrument: Instrument, as_column: bool = False) -> str:
    """Return the remedy where nothing says on which of an instrument's scales a score is recorded."""
    told = " or ".join(f'scale = "{name}" ({it["meaning"]})' for name, it in instrument.scales.items())
    return f"give it as column = ... and add {told}" if as_column else f"add {told}"


@dataclass(frozen=True)
class ScoreColumn:
    """Scores of one column (or block of items) of a file, one entry per row that has one.

    Parameters
    ----------
    part : Part
    header : str
        What messages name.
    rows : numpy.ndarray of int
        Rows of the file.
    measures : tuple of Measure
        Those that occur; ``which`` holds each row's position among them.
    which : numpy.ndarray of int16
    score : numpy.ndarray of float
        NaN where too few items were answered.
    n_missing : numpy.ndarray of int16
        Blank items, `NO_ITEMS` where none were given.
    spec : ScoreSpec or None
        What declares it; None for a long file's score column.
    """

    part: Part = field(repr=False)
    header: str
    rows: np.ndarray = field(repr=False)
    measures: tuple[Measure, ...]
    which: np.ndarray = field(repr=False)
    score: np.ndarray = field(repr=False)
    n_missing: np.ndarray = field(repr=False)
    spec: ScoreSpec | None = None


def collect_scores(part: Part) -> list[ScoreColumn]:
    """Return all score columns of a file."""
    found = [_read_score(part, spec) for spec in part.spec.scores]
    if "score" in part.spec.columns:
        found.append(_read_long_scores(part))
    return found


def _read_score(part: Part, spec: ScoreSpec) -> ScoreColumn:
    measure = build_measure(f"{spec.instrument}:{spec.variant}" if spec.variant else spec.instrument)
    if spec.items:
        score, n_missing, answered = _score_items(part, spec, measure)
        header = spec.items[0] if spec.column is None else spec.column
    else:
        assert spec.column is not None
        numbers = _read_numbers(part, spec.column, spec)
        score = rescale(measure.instrument, numbers.spread(np.nan), spec.scale)
        answered, header = ~np.isnan(score), spec.column
        n_missing = np.full(part.n_rows, NO_ITEMS, dtype=np.int16)
    rows = np.flatnonzero(answered)
    return ScoreColumn(
        part, header, rows, (measure,), np.zeros(len(rows), np.int16), score[rows], n_missing[rows], spec
    )


def _read_numbers(part: Part, header: str, spec: ScoreSpec) -> Coded:
    missing = list_missing_codes(part, "score", spec.missing)
    return map_numbers(part, header, missing=missing, whole=not part.is_wide)


def _score_items(part: Part, spec: ScoreSpec, measure: Measure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score the items of each row; a row with an item that cannot be right has no score."""
    items = np.empty((part.n_rows, len(spec.items)))
    unusable = np.zeros(part.n_rows, dtype=bool)
    for number, header in enumerate(spec.items):
        items[:, number], bad = _read_item(part, header, spec)
        unusable |= bad
    scores = score_items(measure.instrument, items, variant=spec.variant, policy=spec.item_policy)
    problems = scores.problems
    kinds = problems[["item", "rule"]].drop_duplicates().sort_values(["item", "rule"])
    for item, rule in zip(kinds["item"], kinds["rule"], strict=True):
        found = problems[(problems["item"] == item) & (problems["rule"] == rule)]
        rows = found["row"].to_numpy(dtype=np.int64)
        what = str(found["reason"].iloc[0])
        remedy = "if it means missing, add its spelling to [[file.scores]]: missing = [...]"
        part.refuse_values(spec.items[item - 1], rows, str(rule), what, whole=not part.is_wide, remedy=remedy)
    answered: np.ndarray = np.asarray((~np.isnan(items)).any(axis=1))
    for key, flagged in scores.flags.groupby(["item", "meaning"], sort=True):
        item, meaning = int(str(key[0])), str(key[1])
        rows = np.isin(np.arange(part.n_rows), flagged["row"].to_numpy(dtype=np.int64))
        part.note_values(spec.items[max(item - 1, 0)], rows, "SCORE_FLAG", "accept_with_warning", meaning)
    unusable[problems["row"].to_numpy(dtype=np.int64)] = True
    score = np.where(unusable, np.nan, scores.score)
    if spec.column is not None:
        score, answered = _compare_total(part, spec, measure, score, answered)
    return score, scores.n_missing, answered & ~unusable


def _read_item(part: Part, header: str, spec: ScoreSpec) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of an item, and which rows hold something that is none."""
    coded = part.columns[header]
    told = look_up_codes({code: str(value) for code, value in spec.item_codes.items()}, coded.values)
    if spec.item_codes:
        part.columns[header] = Coded(coded.codes, np.where(~is_known(told), coded.values, told))
        coded = part.columns[header]
    absent = find_missing(coded.values, list_missing_codes(part, "score", spec.missing))
    numbers = _read_numbers(part, header, spec).spread(np.nan)
    return numbers, np.isnan(numbers) & ~coded.rows(absent)


def _compare_total(
    part: Part, spec: ScoreSpec, measure: Measure, score: np.ndarray, answered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hold a published total against the score of the items; it stands in only where these give none."""
    assert spec.column is not None
    total = rescale(measure.instrument, _read_numbers(part, spec.column, spec).spread(np.nan), spec.scale)
    span = measure.instrument.maximum - measure.instrument.minimum
    differs = np.abs(total - score) > read_facts("checks")["published"]["tolerance"] * span
    part.note_values(
        spec.column,
        differs,
        "SCORE_TOTAL_DIFFERS",
        "accept_with_warning",
        "the recorded total is not the score of the items; the score of the items is used",
    )
    alone = np.isnan(score) & ~np.isnan(total)
    part.note_values(
        spec.column,
        alone,
        "SCORE_TOTAL_ONLY",
        "accept_with_warning",
        "the items give no score but a total is recorded; the total is used",
    )
    return np.where(alone, total, score), answered | alone


def _read_long_scores(part: Part) -> ScoreColumn:
    """Read a long file: one score a row, its instrument in a column."""
    header = part.spec.columns["score"]
    numbers = map_numbers(part, header, missing=list_missing_codes(part, "score"), whole=not part.is_wide)
    absent = find_missing(part.columns[header].values, list_missing_codes(part, "score"))
    part.note_values(
        header, part.columns[header].rows(absent), "SCORE_MISSING", "accept", "no score in the record"
    )
    names, codes = _read_measure_names(part)
    measures = tuple(build_measure(name) for name in names)
    codes = _refuse_undeclared(part, measures, codes)
    rows = np.flatnonzero((numbers.codes >= 0) & (codes >= 0))
    score = numbers.spread(np.nan)[rows]
    for place, measure in enumerate(measures):
        own = codes[rows] == place
        score[own] = rescale(measure.instrument, score[own], _find_scale(part, measure))
    return ScoreColumn(
        part,
        header,
        rows,
        measures,
        codes[rows].astype(np.int16),
        score,
        np.full(len(rows), NO_ITEMS, np.int16),
    )


def _find_scale(part: Part, measure: Measure) -> str | None:
    """Return how a long file records a measure, as declared for its variant or for all."""
    return part.spec.scales.get(measure.name, part.spec.scales.get(measure.instrument.id))


def _refuse_undeclared(part: Part, measures: tuple[Measure, ...], codes: np.ndarray) -> np.ndarray:
    """Refuse the records of instruments that need their scale declared and have none."""
    header, codes = part.spec.columns["instrument"], codes.copy()
    for place, measure in enumerate(measures):
        if measure.instrument.scale_required and _find_scale(part, measure) is None:
            rows = codes == place
            known = ", ".join(f'"{name}" ({it["meaning"]})' for name, it in measure.instrument.scales.items())
            what = f"{measure.instrument.short_name} is recorded in opposite ways, and nothing says which"
            remedy = f"add to [file.scales]: {measure.name} = one of {known}"
            part.refuse_values(header, rows, "SCALE_UNDECLARED", what, whole=True, remedy=remedy)
            codes[rows] = -1
    return codes


def _read_measure_names(part: Part) -> tuple[list[str], np.ndarray]:
    """Return the measures of a long file and each row's position among them, -1 where refused."""
    instruments = map_instruments(part, part.spec.columns["instrument"]).merge_equal()
    names = [str(name) for name in instruments.values]
    codes = instruments.codes
    if "variant" in part.spec.columns:
        names, codes = _join_variants(part, names, codes)
    bad = np.zeros(len(names), dtype=bool)
    for i, name in enumerate(names):
        bad[i] = name != "" and not _is_measure(name)
    header = part.spec.columns.get("variant", part.spec.columns["instrument"])
    part.refuse_values(
        header,
        np.append(bad, False)[codes],
        "VARIANT_UNKNOWN",
        "not a variant of the instrument, or none where it needs one",
        whole=True,
        remedy='map it: [file.codes.instrument] "<what stands in that cell>" = "nprs:average"',
    )
    kept = [i for i, name in enumerate(names) if name and not bad[i]]
    position = np.full(len(names) + 1, -1, dtype=np.int32)
    position[kept] = np.arange(len(kept))
    return [names[i] for i in kept], position[codes]


def _join_variants(part: Part, names: list[str], codes: np.ndarray) -> tuple[list[str], np.ndarray]:
    header = part.spec.columns["variant"]
    coded = part.columns[header]
    hazard = refuse_hazards(part, header, whole=True)
    target = look_up_codes(part.spec.codes.get("variant", {}), coded.values)
    texts = np.where(~is_known(target), coded.values, target)
    none = find_missing(texts, list_missing_codes(part, "variant"))
    variants = Coded(coded.codes, np.where(none | hazard, "", texts)).merge_equal()
    pairs = codes.astype(np.int64) * (len(variants.values) + 1) + variants.codes + 1
    distinct, inverse = np.unique(pairs, return_inverse=True)
    joined = []
    for pair in distinct:
        name, position = divmod(int(pair), len(variants.values) + 1)
        variant = str(variants.values[position - 1]) if position else ""
        joined.append("" if pair < 0 else f"{names[name]}:{variant}" if variant else names[name])
    return joined, inverse.astype(np.int32)


def _is_measure(name: str) -> bool:
    try:
        build_measure(name)
    except FactsError:
        return False
    return True
