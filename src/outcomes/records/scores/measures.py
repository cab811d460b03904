"""From a file's columns to scores: items scored by the instrument's rule, other scales brought to its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from outcomes.errors import FactsError
from outcomes.facts import Instrument, ScoreSpec, Text, read_instrument
from outcomes.records.columns.coded import Coded, is_known
from outcomes.records.columns.mapping import map_instruments
from outcomes.records.columns.numbers import find_missing, read_written
from outcomes.records.columns.part import Part, list_missing_codes, look_up_codes, refuse_hazards
from outcomes.records.scores.recorded import (
    Recorded,
    compare_total,
    convert,
    count_units,
    note_written,
    read_recorded,
    refuse_unit,
)
from outcomes.records.scoring import score_items

#: Where a score was computed from no items.
NO_ITEMS = -1
#: Where a score was converted by what is written in its cell.
STATED = -2


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
    """Return the measure called ``id`` or ``id:variant``, refusing a variant the instrument lacks."""
    variant = name.partition(":")[2] or None
    instrument = read_instrument(name)
    instrument.check_variant(variant)
    return Measure(instrument, variant)


@dataclass(frozen=True)
class ScoreColumn:
    """Scores of one column (or block of items) of a file, one entry per row that has one."""

    part: Part = field(repr=False)
    header: str
    rows: np.ndarray = field(repr=False)
    #: Those that occur; ``which`` holds each row's position among them.
    measures: tuple[Measure, ...]
    which: np.ndarray = field(repr=False)
    #: NaN where too few items were answered.
    score: np.ndarray = field(repr=False)
    #: Blank items, `NO_ITEMS` where none were given, `STATED` where the cell itself says its scale.
    n_missing: np.ndarray = field(repr=False)
    #: What declares it; None for a long file's score column.
    spec: ScoreSpec | None = None
    #: Name of a measure to what is written behind its numbers, and how often.
    units: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    #: Name of a measure to the headers, or in a long file the names, under which its scores stand.
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def collect_scores(part: Part) -> list[ScoreColumn]:
    """Return all score columns of a file."""
    found = [_read_score(part, spec) for spec in part.spec.scores]
    if "score" in part.spec.columns:
        found.append(_read_long_scores(part))
    return found


def _read_score(part: Part, spec: ScoreSpec) -> ScoreColumn:
    measure = build_measure(f"{spec.instrument}:{spec.variant}" if spec.variant else spec.instrument)
    units: dict[str, dict[str, int]] = {}
    if spec.items:
        score, n_missing, answered = _score_items(part, spec, measure)
        header = spec.items[0] if spec.column is None else spec.column
    else:
        assert spec.column is not None
        recorded = _read_column(part, spec.column, spec)
        converted = convert(
            recorded, measure.instrument, measure.variant, spec.scale, np.ones(part.n_rows, bool)
        )
        score = recorded.numbers.type_as(converted.score, np.isnan(converted.score)).spread(np.nan)
        answered, header = ~np.isnan(score), spec.column
        stated = recorded.numbers.rows(converted.stated)
        n_missing = np.where(stated, STATED, NO_ITEMS).astype(np.int16)
        units = {measure.name: count_units(recorded, answered)}
    rows = np.flatnonzero(answered)
    which, labels = np.zeros(len(rows), np.int16), {measure.name: (header,)}
    return ScoreColumn(
        part, header, rows, (measure,), which, score[rows], n_missing[rows], spec, units, labels
    )


def _read_column(part: Part, header: str, spec: ScoreSpec) -> Recorded:
    recorded = read_recorded(part, header, list_missing_codes(part, "score", spec.missing), not part.is_wide)
    note_written([recorded])
    return recorded


def _score_items(part: Part, spec: ScoreSpec, measure: Measure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score the items of each row; a row with an item that cannot be right has no score."""
    items = np.empty((part.n_rows, len(spec.items)))
    unusable = np.zeros(part.n_rows, dtype=bool)
    columns = []
    for number, header in enumerate(spec.items):
        recorded, bad = _read_item(part, header, spec, measure, number)
        items[:, number] = recorded.numbers.spread(np.nan)
        columns.append(recorded)
        unusable |= bad
    note_written(columns, measure.instrument, _list_letters(measure, len(spec.items), 0))
    scores = score_items(measure.instrument, items, variant=spec.variant, policy=spec.item_policy)
    problems = scores.problems
    kinds = problems[["item", "rule"]].drop_duplicates().sort_values(["item", "rule"])
    for item, rule in zip(kinds["item"], kinds["rule"], strict=True):
        found = problems[(problems["item"] == item) & (problems["rule"] == rule)]
        rows = found["row"].to_numpy(dtype=np.int64)
        words = {"what": found["reason"].iloc[0], "remedy": Text.of("findings.ITEM_RANGE.remedy")}
        part.refuse_values(spec.items[item - 1], rows, str(rule), whole=not part.is_wide, **words)
    answered: np.ndarray = np.asarray((~np.isnan(items)).any(axis=1))
    for key, flagged in scores.flags.groupby(["item", "meaning"], sort=True):
        item, meaning = int(str(key[0])), str(key[1])
        rows = np.isin(np.arange(part.n_rows), flagged["row"].to_numpy(dtype=np.int64))
        part.note_values(
            spec.items[max(item - 1, 0)], rows, "SCORE_FLAG", "accept_with_warning", what=meaning
        )
    unusable[problems["row"].to_numpy(dtype=np.int64)] = True
    score = np.where(unusable, np.nan, scores.score)
    if spec.column is not None:
        total = _read_column(part, spec.column, spec)
        score, answered = compare_total(total, spec, measure.instrument, score, answered)
    return score, scores.n_missing, answered & ~unusable


def _read_item(
    part: Part, header: str, spec: ScoreSpec, measure: Measure, number: int
) -> tuple[Recorded, np.ndarray]:
    """Return the numbers of an item, and which rows hold something that is none."""
    coded, missing = part.columns[header], list_missing_codes(part, "score", spec.missing)
    if spec.item_codes:
        codes = {code: str(value) for code, value in spec.item_codes.items()}
        named = {code.lower(): code for code in codes if len(code) == 1 and code.isalpha()}
        told = look_up_codes(codes, coded.values)
        again = look_up_codes(codes, read_written(coded.values, part.spec.decimal, named).texts)
        told = np.where(is_known(told), told, again)
        part.columns[header] = Coded(coded.codes, np.where(~is_known(told), coded.values, told))
        coded = part.columns[header]
    absent = find_missing(coded.values, missing)
    letters = _list_letters(measure, len(spec.items), number)
    recorded = read_recorded(part, header, missing, not part.is_wide, letters)
    _refuse_units(part, recorded, measure, len(spec.items), number)
    return recorded, np.isnan(recorded.numbers.spread(np.nan)) & ~coded.rows(absent)


def _list_letters(measure: Measure, n_items: int, number: int) -> dict[str, str]:
    """Return what letters stand for in an item, given by its position among those of the file."""
    rule = measure.instrument.scoring_rule
    place = number + 1 if n_items == rule.n_items else 1
    return rule.list_letters(place)


def _refuse_units(part: Part, recorded: Recorded, measure: Measure, n_items: int, number: int) -> None:
    """Refuse answers of an item whose denominator is not its highest answer."""
    rule = measure.instrument.scoring_rule
    highs = rule.list_bounds(rule.n_items)[1]
    highest = highs[number] if n_items == rule.n_items else max(highs)
    for unit in dict.fromkeys(recorded.units[recorded.units != ""]):
        wrong = recorded.units == unit
        if unit != f"/{highest:g}":
            what = Text.of("findings.SCORE_UNIT_UNKNOWN.not_highest", highest=f"{highest:g}")
            refuse_unit(recorded, wrong, unit, what, np.ones(part.n_rows, bool))
            recorded.numbers.values[wrong] = np.nan


def _read_long_scores(part: Part) -> ScoreColumn:
    """Read a long file: one score a row, its instrument in a column."""
    header = part.spec.columns["score"]
    recorded = read_recorded(part, header, list_missing_codes(part, "score"), not part.is_wide)
    note_written([recorded])
    numbers = recorded.numbers
    absent = find_missing(part.columns[header].values, list_missing_codes(part, "score"))
    part.note_values(header, part.columns[header].rows(absent), "SCORE_MISSING", "accept")
    names, codes = _read_measure_names(part)
    measures = tuple(build_measure(name) for name in names)
    codes = _refuse_undeclared(part, measures, codes)
    rows = np.flatnonzero((numbers.codes >= 0) & (codes >= 0))
    score, n_missing = np.full(len(rows), np.nan), np.full(len(rows), NO_ITEMS, np.int16)
    units, labels = {}, {}
    named = part.columns[part.spec.columns["instrument"]]
    for place, measure in enumerate(measures):
        own = codes[rows] == place
        meant = codes == place
        scale = find_scale(part, None, measure)
        converted = convert(recorded, measure.instrument, measure.variant, scale, meant)
        score[own] = converted.score[numbers.codes[rows[own]]]
        n_missing[own] = np.where(converted.stated[numbers.codes[rows[own]]], STATED, NO_ITEMS)
        units[measure.name] = count_units(recorded, rows[own])
        names = named.values[np.unique(named.codes[rows[own]])].tolist()
        labels[measure.name] = (*names, *([header] if len(measures) == 1 else []))
    known = ~np.isnan(score)
    rows, score, n_missing = rows[known], score[known], n_missing[known]
    return ScoreColumn(
        part, header, rows, measures, codes[rows].astype(np.int16), score, n_missing, None, units, labels
    )


def find_scale(part: Part, spec: ScoreSpec | None, measure: Measure) -> str | None:
    """Return the declared scale of a score: of its block, in a long file of its variant or of all."""
    if spec is not None:
        return spec.scale
    return part.spec.scales.get(measure.name, part.spec.scales.get(measure.instrument.id))


def _refuse_undeclared(part: Part, measures: tuple[Measure, ...], codes: np.ndarray) -> np.ndarray:
    """Refuse the records of instruments that need their scale declared and have none."""
    header, codes = part.spec.columns["instrument"], codes.copy()
    for place, measure in enumerate(measures):
        instrument = measure.instrument
        if instrument.scale_required and find_scale(part, None, measure) is None:
            rows = codes == place
            known = ", ".join(f'"{name}" ({it["meaning"]})' for name, it in instrument.scales.items())
            named = {"instrument": instrument.called_short, "name": measure.name, "known": known}
            part.refuse_values(header, rows, "SCALE_UNDECLARED", whole=True, **named)
            codes[rows] = -1
    return codes


def _read_measure_names(part: Part) -> tuple[list[str], np.ndarray]:
    """Return the measures of a long file and each row's position among them, -1 where refused."""
    instruments = map_instruments(part, part.spec.columns["instrument"]).merge_equal()
    names = [str(name) for name in instruments.values]
    codes = instruments.codes
    if "variant" in part.spec.columns:
        names, codes = _join_variants(part, names, codes)
    bad = np.array([name != "" and not _is_measure(name) for name in names] + [False])
    header = part.spec.columns.get("variant", part.spec.columns["instrument"])
    part.refuse_values(header, bad[codes], "VARIANT_UNKNOWN", whole=True)
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
