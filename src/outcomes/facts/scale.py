"""`Scale`: one of the ways in which clinics record an instrument, with its range and how it shows."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.toml import build_strictly, read_facts

OWN = "own"
"""Name of the scale on which an instrument's scores are kept."""

_RANGE = re.compile(
    r"(?<![\d.])(-?\d+(?:\.\d+)?) ?(?:-|–|—|~|to|bis|至|から|à|a) ?(-?\d+(?:\.\d+)?)(?![\d.])"
)
_DENOMINATOR = re.compile(r"(?:(?<![\d/])/ ?|\b(?:out of|of|von|sur|de|max\.?) )(\d+)\b(?! ?/)")
_WORD = re.compile(r"%|[^\W\d_]+")


@dataclass(frozen=True)
class Scale:
    """A scale: score = factor * recorded + offset."""

    #: ``own``, or one of the instrument's ``scales``.
    name: str
    factor: float
    offset: float
    #: Range of what is recorded.
    low: float
    high: float
    #: Grid of what is recorded where every item was answered; None where any value is possible.
    step: float | None
    meaning: str
    #: Words, simplified, by which a header or a cell shows it.
    shown: tuple[str, ...] = field(default=(), repr=False)
    #: The measured length by which the recorded value is first divided.
    per: str | None = None
    #: Whether the recorded value is a sum of items that the instrument's table turns into the score.
    by_table: bool = False


@dataclass(frozen=True)
class _Declared:
    """A scale as a file declares it; ``sum_from`` is what the lowest answer of an item counts in a sum."""

    meaning: str
    factor: float | None = None
    offset: float = 0.0
    sum_from: int | None = None
    unit: str | None = None
    step: float | None = None
    per: str | None = None
    table: bool = False


def list_scales(instrument: Instrument) -> dict[str, Scale]:
    """Return the scales of an instrument by name, its own first.

    >>> from outcomes.facts import read_instrument
    >>> scale = list_scales(read_instrument("ohs"))["legacy_12_60"]
    >>> scale.low, scale.high, scale.step
    (12.0, 60.0, 1.0)
    >>> list_scales(read_instrument("koos:pain"))["sum"].high
    36.0
    """
    low, high, step = instrument.minimum, instrument.maximum, _find_step(instrument)
    # A score from 0 to 100 is as good as one in percent; "points" stands behind numbers of any scale.
    percent = _list_words("percent") if (low, high) == (0, 100) and instrument.kind == "prom" else ()
    words = (*percent, *(_list_words(instrument.unit) if instrument.unit != "points" else ()))
    own = Scale(OWN, 1.0, 0.0, float(low), float(high), step, f"{low:g} to {high:g}", words)
    others = {
        name: _build(instrument, name, it, own)
        for name, it in instrument.scales.items()
        if not it.get("table") or instrument.scoring_rule.rule == "lookup"
    }
    return {OWN: own, **others}


def find_shown(instrument: Instrument, text: str) -> tuple[str, ...]:
    """Return the names of the scales that a header or the unit of a cell shows.

    >>> from outcomes.facts import read_instrument
    >>> find_shown(read_instrument("ndi"), "NDI % start"), find_shown(read_instrument("odi"), "ODI /50")
    (('percent',), ('raw_0_50',))
    >>> find_shown(read_instrument("odi"), "ODI 6/52"), find_shown(read_instrument("nprs"), "pain 0-10")
    ((), ('own',))
    """
    return _find_shown(tuple(list_scales(instrument).values()), text)


@cache
def _find_shown(scales: tuple[Scale, ...], text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"(?<=\d)_(?=\d)", "-", plain).replace("_", " ")
    ranges = {(float(low), float(high)) for low, high in _RANGE.findall(plain)}
    ends = {float(end) for end in _DENOMINATOR.findall(plain)}
    tokens = f" {' '.join(_WORD.findall(plain))} "
    by_word = [scale.name for scale in scales if any(f" {word} " in tokens for word in scale.shown)]
    by_word += [
        scale.name for scale in scales if any(not word.isascii() and word in plain for word in scale.shown)
    ]
    by_range = [scale.name for scale in scales if (scale.low, scale.high) in ranges and not scale.per]
    by_end = [scale.name for scale in scales if scale.high in ends and scale.high > 1 and not scale.per]
    return tuple(dict.fromkeys(by_range or by_end or by_word))


def _list_words(unit: str | None) -> tuple[str, ...]:
    return tuple(read_facts("scale_words").get(unit or "", ()))


def _build(instrument: Instrument, name: str, content: Mapping[str, Any], own: Scale) -> Scale:
    told = build_strictly(_Declared, content, f"{instrument.id}, [scales] {name}")
    factor, offset = told.factor, told.offset
    if told.table:
        rule = instrument.scoring_rule
        low, high = (float(sum(ends)) for ends in rule.list_bounds(rule.n_items))
        return Scale(name, 1.0, 0.0, low, high, 1.0, told.meaning, _list_words(told.unit), by_table=True)
    if factor is None:
        if told.sum_from is None:
            raise FactsError(f"{instrument.id}, [scales] {name}: add factor = ... or sum_from = ...")
        factor, offset = _weigh_sum(instrument, told.sum_from)
    low, high = sorted(
        round((end - offset) / factor, 9) + 0.0 for end in (instrument.minimum, instrument.maximum)
    )
    step = told.step or (None if own.step is None or told.per else round(own.step / abs(factor), 12))
    return Scale(name, factor, offset, low, high, step, told.meaning, _list_words(told.unit), told.per)


def _weigh_sum(instrument: Instrument, sum_from: int) -> tuple[float, float]:
    """Return factor and offset of the sum of the answers, the lowest of each item counting ``sum_from``."""
    rule = instrument.scoring_rule
    lows, highs = rule.list_bounds(rule.n_items)
    least = float(rule.n_items * sum_from)
    most = least + sum(highs) - sum(lows)
    factor = (instrument.maximum - instrument.minimum) / (most - least)
    if len(rule.list_reversed(rule.n_items)) == rule.n_items:
        return -factor, instrument.maximum + factor * least
    return factor, instrument.minimum - factor * least


def _find_step(instrument: Instrument) -> float | None:
    """Return the grid of a score with every item answered: as declared, else as the items make it."""
    if instrument.step is not None:
        return float(instrument.step)
    rule = instrument.scoring_rule
    if rule.item_step is None or rule.weights or rule.recodes:
        return None
    lows, highs = rule.list_bounds(rule.n_items)
    if rule.rule == "percent_of_maximum":
        return rule.item_step * 100 / (sum(highs) - sum(lows))
    return rule.item_step / rule.n_items if rule.rule == "mean" and rule.n_items > 1 else None
