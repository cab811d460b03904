"""Whether answers to items are coded from another number than the instrument's: asked where they look so."""

from collections.abc import Iterator, Sequence

import numpy as np

from outcomes.facts import FileSpec, Instrument, ScoreSpec, Text, read_facts, read_instrument
from outcomes.records.columns.numbers import find_missing, parse_numbers, read_written
from outcomes.records.columns.part import Part, list_missing_codes
from outcomes.records.problems import Problems, Values
from outcomes.records.scale_evidence import weigh_excess

CONFIRMED = "item_coding"
"""What ``confirmed`` names where answers that look coded otherwise are as they stand."""


def ask_item_codings(parts: Sequence[Part], problems: Problems) -> None:
    """Ask how answers are coded where none is the lowest of an instrument, or some lie beyond its range."""
    for alike, instrument, specs in _list_forms(parts):
        if _ask_letters(alike, instrument, specs, problems):
            continue
        shift, seen, n_beyond, n_end = _count_answers(alike, instrument, specs)
        weight = _weigh_shift(shift, seen, n_beyond, n_end)
        if weight < read_facts("checks")["scale"]["weight"]:
            continue
        name, lowest = instrument.called_short, 0 if shift > 0 else 1
        part, column = alike[0], specs[0].items[0]
        records = part.records(np.arange(part.n_rows))
        values: Values = {"instrument": name, "lowest": lowest, "column": column}
        if CONFIRMED in (*part.spec.confirmed, *(name for it in specs for name in it.confirmed)):
            told = "ITEM_CODING.as_they_stand"
            problems.note(told, records, "answered", measure=instrument.id, **values)
            continue
        values |= {"seen": seen, "n_end": n_end, "n_beyond": n_beyond, "coded": lowest + shift}
        rule = "ITEM_CODING.shifted_up" if shift > 0 else "ITEM_CODING.shifted_down"
        problems.ask(rule, _list_answers(instrument, shift), records, **values)


def _ask_letters(
    parts: Sequence[Part], instrument: Instrument, specs: Sequence[ScoreSpec], problems: Problems
) -> bool:
    """Ask what letters count where most answers are letters and the form has no known printed order."""
    rule = instrument.scoring_rule
    if rule.first_answer is not None:
        return False
    lows, highs = rule.list_bounds(rule.n_items)
    low, high = int(min(lows)), int(max(highs))
    letters = {chr(ord("a") + place): str(low + place) for place in range(min(high - low + 1, 26))}
    seen = n_lettered = 0
    for part in parts:
        for coded in (part.columns[name] for name in dict.fromkeys(h for spec in specs for h in spec.items)):
            counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.values))
            lettered = read_written(coded.values, letters=letters).lettered
            seen += int(counts[~find_missing(coded.values)].sum())
            n_lettered += int(counts[lettered].sum())
    if 2 * n_lettered <= seen:
        return False
    names = [letter.upper() for letter in letters]
    upwards, downwards = (
        ", ".join(f"{name} = {answer}" for name, answer in zip(names, answers, strict=True))
        for answers in (letters.values(), reversed(letters.values()))
    )
    values: Values = {"n": n_lettered, "seen": seen, "instrument": instrument.called_short}
    values |= {"first": names[0], "low": low, "high": high}
    answers = {
        f"item_codes = {{ {upwards} }}": Text.of("findings.ITEM_CODING.first_lowest"),
        f"item_codes = {{ {downwards} }}": Text.of("findings.ITEM_CODING.first_highest"),
    }
    records = parts[0].records(np.arange(parts[0].n_rows))
    problems.ask("ITEM_CODING.letters", answers, records, column=specs[0].items[0], **values)
    return True


def _list_forms(parts: Sequence[Part]) -> Iterator[tuple[list[Part], Instrument, list[ScoreSpec]]]:
    """Yield the blocks of items of each instrument, with the files that are read by them."""
    blocks: list[tuple[FileSpec, list[Part]]] = []
    for part in parts:
        known = next((entry for entry in blocks if entry[0] == part.spec), None)
        if known is None:
            blocks.append((part.spec, [part]))
        else:
            known[1].append(part)
    for spec, alike in blocks:
        forms: dict[str, list[ScoreSpec]] = {}
        for score in spec.scores:
            if score.items and not score.item_codes:
                forms.setdefault(score.instrument, []).append(score)
        for id, specs in forms.items():
            instrument = read_instrument(id)
            if instrument.scoring_rule.item_step == 1 and instrument.scoring_rule.n_items > 1:
                yield alike, instrument, specs


def _count_answers(
    parts: Sequence[Part], instrument: Instrument, specs: Sequence[ScoreSpec]
) -> tuple[int, int, int, int]:
    """Return how codes may be shifted, the answers seen, those one beyond the range and those at its end."""
    shift, seen, n_beyond, n_end = 0, 0, 0, 0
    for spec in specs:
        view = instrument if not spec.variant else instrument.narrow(spec.variant)
        rule = view.scoring_rule if len(spec.items) == view.scoring_rule.n_items else instrument.scoring_rule
        for header, low, high in zip(spec.items, *rule.list_bounds(len(spec.items)), strict=False):
            if high - low > read_facts("checks")["scale"]["widest_item"] or low not in (0, 1):
                continue
            shift = 1 if low == 0 else -1
            end, beyond = (low, high + 1) if shift > 0 else (high, low - 1)
            for part in parts:
                values, counts = _read_answers(part, header, spec)
                within = (values >= min(low, beyond)) & (values <= max(high, beyond))
                seen += int(counts[within].sum())
                n_beyond += int(counts[values == beyond].sum())
                n_end += int(counts[values == end].sum())
    return shift, seen, n_beyond, n_end


def _read_answers(part: Part, header: str, spec: ScoreSpec) -> tuple[np.ndarray, np.ndarray]:
    coded = part.columns[header]
    absent = find_missing(coded.values, list_missing_codes(part, "score", spec.missing))
    texts = read_written(coded.values, part.spec.decimal).texts
    values, _ = parse_numbers(texts, ~absent, part.spec.decimal)
    return values, np.bincount(coded.codes[coded.codes >= 0], minlength=len(values))


def _weigh_shift(shift: int, seen: int, n_beyond: int, n_end: int) -> float:
    """Return the weight of the evidence that all codes are shifted by one."""
    if not shift or not seen:
        return 0.0
    limits = read_facts("checks")["scale"]
    own, shifted = (weigh_excess(count / seen, limits["slip"]) for count in (n_beyond, n_end))
    rare = limits["rarest_lowest"] if shift > 0 else limits["rarest_highest"]
    return seen * (own - shifted + (rare if n_end == 0 else 0.0))


def _list_answers(instrument: Instrument, shift: int) -> dict[str, Text]:
    """Return the lines that say how answers are coded, the likeliest first."""
    rule = instrument.scoring_rule
    lows, highs = rule.list_bounds(rule.n_items)
    low, high = int(min(lows)), int(max(entry for entry in highs if entry - min(lows) <= 6))
    codes = range(low + shift, high + shift + 1)
    upwards, downwards = (
        ", ".join(f"{code} = {answer}" for code, answer in zip(codes, answers, strict=True))
        for answers in (range(low, high + 1), range(high, low - 1, -1))
    )
    upwards, downwards = (f"item_codes = {{ {pairs} }}" for pairs in (upwards, downwards))
    stand = {f'confirmed = ["{CONFIRMED}"]': Text.of("findings.ITEM_CODING.stand", low=low)}
    if high - low == 1 and (shift > 0 or rule.first_answer == "highest"):
        yes_first = Text.of("findings.ITEM_CODING.yes_first")
        return {downwards: yes_first, upwards: Text.of("findings.ITEM_CODING.no_first"), **stand}
    in_order = Text.of("findings.ITEM_CODING.in_order", coded=low + shift)
    if rule.first_answer == "highest":
        return {
            downwards: Text.of("findings.ITEM_CODING.in_reverse", coded=low + shift),
            upwards: in_order,
            **stand,
        }
    return {upwards: in_order, **stand}
