"""Whether answers to items are coded from another number than the instrument's: asked where they look so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from outcomes.facts import FileSpec, Instrument, ScoreSpec, read_facts, read_instrument
from outcomes.records.columns import Part, find_missing, list_missing_codes, parse_numbers, read_written
from outcomes.records.problems import Problems
from outcomes.records.scale_evidence import weigh_excess

CONFIRMED = "item_coding"
"""What ``confirmed`` names where answers that look coded otherwise are as they stand."""


def ask_item_codings(parts: Sequence[Part], problems: Problems) -> None:
    """Ask how answers are coded where none is the lowest of an instrument, or some lie one beyond its range.

    Parameters
    ----------
    parts : sequence of Part
        The answers of an instrument are counted together over the files and time points of a block.
    problems : Problems
    """
    for alike, instrument, specs in _list_forms(parts):
        if _ask_letters(alike, instrument, specs, problems):
            continue
        shift, seen, n_beyond, n_end = _count_answers(alike, instrument, specs)
        weight = _weigh_shift(shift, seen, n_beyond, n_end)
        if weight < read_facts("checks")["scale"]["weight"]:
            continue
        part, spec = alike[0], specs[0]
        rows = np.arange(part.n_rows)
        lowest = 0 if shift > 0 else 1
        if CONFIRMED in (*part.spec.confirmed, *(name for it in specs for name in it.confirmed)):
            what = f"the items of the {instrument.short_name} are read as coded from {lowest}, as they stand"
            said = f"The source says that the items of the {instrument.short_name} are coded from {lowest}."
            problems.note(
                "ITEM_CODING", "answered", what, part.records(rows), column=spec.items[0], said=said,
                measure=instrument.id,
            )  # fmt: skip
            continue
        end, beyond = ("lowest", "above the highest") if shift > 0 else ("highest", "below the lowest")
        what = (
            f"of {seen} answers to the items of the {instrument.short_name} {n_end or 'none'} "
            f"{'is' if n_end < 2 else 'are'} the {end}, and {n_beyond} are one {beyond}: are they coded from "
            f"{lowest + shift} instead of {lowest}?"
        )
        problems.ask(
            "ITEM_CODING", what, _list_answers(instrument, shift), part.records(rows), column=spec.items[0]
        )


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
    what = (
        f"{n_lettered} of {seen} answers to the items of the {instrument.short_name} are letters: is "
        f"{names[0]} the answer that is coded {low}, or the one that is coded {high}?"
    )
    answers = {
        f"item_codes = {{ {upwards} }}": "A is the lowest; in its [[file.scores]]",
        f"item_codes = {{ {downwards} }}": "A is the highest",
    }
    part = parts[0]
    problems.ask("ITEM_CODING", what, answers, part.records(np.arange(part.n_rows)), column=specs[0].items[0])
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


def _list_answers(instrument: Instrument, shift: int) -> dict[str, str]:
    """Return the lines that say how answers are coded, the likeliest first."""
    rule = instrument.scoring_rule
    lows, highs = rule.list_bounds(rule.n_items)
    low, high = int(min(lows)), int(max(entry for entry in highs if entry - min(lows) <= 6))
    codes = range(low + shift, high + shift + 1)
    upwards = ", ".join(f"{code} = {code - shift}" for code in codes)
    downwards = ", ".join(f"{code} = {high + low + shift - code}" for code in codes)
    answers = {
        f"item_codes = {{ {upwards} }}": f"coded from {low + shift}; in its [[file.scores]]",
        f"item_codes = {{ {downwards} }}": f"coded from {low + shift} in reverse",
    }
    if rule.first_answer == "highest" or (shift > 0 and high - low == 1):
        answers = dict(reversed(answers.items()))
        if high - low == 1:
            answers = dict(
                zip(answers, ("1 = yes, 2 = no; in its [[file.scores]]", "1 = no, 2 = yes"), strict=True)
            )
    else:
        answers.popitem()
    return {**answers, f'confirmed = ["{CONFIRMED}"]': f"coded from {low}, as they stand"}
