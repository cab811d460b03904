"""`judge_scale`: on which of an instrument's scales a column of scores is recorded, as far as it shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import erf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from outcomes.facts import OWN, Instrument, Scale, Text, Value, find_shown, list_scales, read_facts

_TOLERANCE = 1e-9
_MOST_POINTS = 20_000


@dataclass(frozen=True)
class ScaleEvidence:
    """What a column of scores shows of its scale."""

    #: Scales that headers or cells name.
    shown: tuple[str, ...] = ()
    #: The scale, other than the instrument's own, on which they seem to be recorded; None without doubt.
    suspected: str | None = None
    #: The evidence in counts, one clause each; no value of a patient.
    why: tuple[Text, ...] = ()
    #: Name of a scale to its meaning, the suspected one first, then ``own``; empty without doubt.
    readings: Mapping[str, str] = field(default_factory=dict)
    #: Whether a header or a cell names it, or only it holds the scores, so that a draft may write it.
    certain: bool = False
    #: Weight of the values' evidence for each other scale against the own one; empty where not looked at.
    weights: Mapping[str, float] = field(default_factory=dict)
    #: Whether only some of the scores seem to be on the suspected scale, the others on the own one.
    mixed: bool = False


def judge_scale(
    instrument: Instrument,
    values: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    headers: Iterable[str] = (),
    units: Mapping[str, int] | None = None,
    effect: tuple[float, int] | None = None,
    margin: float = 0.0,
) -> ScaleEvidence:
    """Judge on which scale scores are recorded, where nobody has said so.

    ``values`` are distinct scores as recorded, baseline and follow-ups together, ``counts`` how often each
    occurs; ``headers`` those of their columns, or in a long file names of the measure; ``units`` what is
    written behind numbers in cells, and how often; ``effect`` the mean improvement in standard deviations of
    it, as the instrument's own direction reads the scores, and the number of pairs; ``margin`` weight beyond
    the usual one, such as the logarithm of the number of groups looked at.

    A header or a cell that names another scale, and not the instrument's own, is a doubt by itself. Values
    are weighed for each other scale against the own one, as logarithms of likelihood ratios that add up:
    scores outside of either range, scores between the steps of either grid, mean and spread beside those of
    usual samples, a sharp lower or upper end, and improvement of the wrong sign. It is a doubt from the
    ``weight`` in ``checks.toml``, ``[scale]``, on.

    >>> from outcomes.facts import read_instrument
    >>> judge_scale(read_instrument("ndi"), [38, 40], headers=["NDI % start"]).suspected
    'percent'
    """
    scales = list_scales(instrument)
    found = np.asarray(values, dtype=float)
    often = np.ones(len(found), dtype=int) if counts is None else np.asarray(counts, dtype=int)
    kept = ~np.isnan(found) & (often > 0)
    found, often = found[kept], often[kept]
    n = int(often.sum())
    named, why = _read_signs(instrument, headers, units or {})
    shown = tuple(named)
    if named and OWN not in named:
        return _doubt(scales, ScaleEvidence(shown), shown, why, certain=True)
    others = [it for it in scales.values() if it.name != OWN and it.per is None]
    if not others or not n or instrument.scale_required:
        return ScaleEvidence(shown)
    sample = _Sample(scales[OWN], found, often, instrument, effect)
    weights = {it.name: sample.weigh(it) for it in others}
    undoubted = ScaleEvidence(shown, weights=weights)
    least = sample.usual.get("weight", read_facts("checks")["scale"]["weight"])
    needed = least * (2 if named else 1) + margin
    most = max(weights.values())
    # Where the numbers tell little between two scales, the one that the facts name first is the usual one.
    doubted = sorted(
        (it for it in weights if weights[it] >= needed), key=lambda it: weights[it] < most - least
    )
    if doubted:
        holding = [it.name for it in scales.values() if it.per is None and not _find_outside(it, found).any()]
        alone = doubted == holding
        return _doubt(scales, undoubted, tuple(doubted), sample.say(scales[doubted[0]]), certain=alone)
    mixed = next((it for it in others if sample.weigh_mixture(it) >= 2 * least + margin), None)
    if mixed is None:
        return undoubted
    doubt = _doubt(scales, undoubted, (mixed.name,), sample.say_mixture(mixed), certain=False)
    return replace(doubt, mixed=True)


def _doubt(
    scales: Mapping[str, Scale],
    seen: ScaleEvidence,
    names: tuple[str, ...],
    why: tuple[Text, ...],
    certain: bool,
) -> ScaleEvidence:
    readings = {key: scales[key].meaning for key in (*names, OWN)}
    return replace(seen, suspected=names[0], why=why, readings=readings, certain=certain)


def _read_signs(
    instrument: Instrument, headers: Iterable[str], units: Mapping[str, int]
) -> tuple[dict[str, None], tuple[Text, ...]]:
    """Return the scales that headers and cells name, and the clauses that say so."""
    named: dict[str, None] = {}
    why = []
    for header in dict.fromkeys(headers):
        found = find_shown(instrument, header)
        named |= dict.fromkeys(found)
        if found and OWN not in found:
            own = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}"}
            values: dict[str, Value] = {"header": repr(header), "instrument": instrument.called_short, **own}
            why.append(Text("findings.SCORE_SCALE.header_names_another", values))
    for unit, count in units.items():
        found = find_shown(instrument, unit)
        named |= dict.fromkeys(found)
        if found and OWN not in found:
            why.append(Text.of("findings.SCORE_SCALE.cells_written", n=count, unit=repr(unit)))
    return named, tuple(why)


def _find_outside(scale: Scale, values: np.ndarray) -> np.ndarray:
    return np.asarray((values < scale.low - _TOLERANCE) | (values > scale.high + _TOLERANCE))


class _Sample:
    """Scores held against the instrument's own scale and against others."""

    def __init__(
        self,
        own: Scale,
        values: np.ndarray,
        counts: np.ndarray,
        instrument: Instrument,
        effect: tuple[float, int] | None,
    ) -> None:
        self.own, self.effect = own, effect
        sentinel = _find_outside(own, values) & np.isin(values, read_facts("checks")["sentinel_scores"])
        self.values, self.counts = values[~sentinel], counts[~sentinel]
        self.n = int(self.counts.sum())
        self.limits = read_facts("checks")["scale"]
        self.usual = self.limits.get(
            instrument.unit, self.limits["bounded" if instrument.kind == "prom" else "open"]
        )
        self.decimals = _count_decimals(self.values)

    def weigh(self, other: Scale) -> float:
        """Return the weight of the evidence for a scale against the own one."""
        if not self.n:
            return 0.0
        weight = self._weigh_range(other) + self._weigh_grid(other) + self._weigh_effect(other)
        if self.n >= self.limits["fewest"]:
            weight += self._weigh_moments(other) + self._weigh_ends(other)
            if other.by_table and not self.decimals.any():
                weight -= log(self.usual.get("whole", 1.0))
        return weight

    def say(self, other: Scale) -> tuple[Text, ...]:
        """Return the evidence for a scale in counts."""
        own, where = self.own, self._count(_find_outside(self.own, self.values))
        clauses = []
        if where:
            own_ends = {"low": f"{own.low:g}", "high": f"{own.high:g}"}
            clauses.append(Text("findings.SCORE_SCALE.outside", {"n": where, "n_all": self.n, **own_ends}))
        ends = {"low": f"{other.low:g}", "high": f"{other.high:g}"}
        outside = self._count(_find_outside(other, self.values))
        clauses.append(Text("findings.SCORE_SCALE.within", {"n_outside": outside, "n_all": self.n, **ends}))
        n_own, n_other = (self._count(self._lie_on(scale)) for scale in (own, other))
        if n_own < n_other:
            off = Text.of("findings.SCORE_SCALE.between_steps", n=self.n - n_own, step=f"{own.step:g}")
            clauses.append(off)
        elif self._weigh_grid(other) > 0 and other.step is not None:
            usual = round(_find_shared(self.own, other, 0) * self.n)
            step = f"{other.step:g}"
            clauses.append(Text.of("findings.SCORE_SCALE.on_steps", n=n_other, step=step, usual=usual))
        if self._weigh_effect(other) > 1:
            clauses.append(Text.of("findings.SCORE_SCALE.against_direction"))
        return tuple(clauses)

    def weigh_mixture(self, other: Scale) -> float:
        """Return how surprising it is that all scores between the own steps lie within another scale."""
        within, on_own = ~_find_outside(other, self.values), self._lie_on(self.own)
        narrow = (other.high - other.low) / (self.own.high - self.own.low) <= self.limits["narrow_mixed"]
        # Steps that are no whole numbers are blurred by rounding.
        if not narrow and (self.own.step is None or self.own.step < 2 or self.own.step % 1):
            return 0.0
        n_off, n_on = self._count(~on_own & within & self._lie_on(other)), self._count(on_own)
        if self._count(~on_own & ~within) or n_off < self.limits["fewest_mixed"] or not n_on:
            return 0.0
        return -n_off * log(max(self._count(on_own & within), 0.5) / n_on)

    def say_mixture(self, other: Scale) -> tuple[Text, ...]:
        """Return in counts that some scores seem to be on another scale."""
        off, ends = self._count(~self._lie_on(self.own)), {"low": f"{other.low:g}", "high": f"{other.high:g}"}
        values: dict[str, Value] = {"n": off, "n_all": self.n, "step": f"{self.own.step:g}", **ends}
        return (Text("findings.SCORE_SCALE.some_within", values),)

    def _count(self, marked: np.ndarray) -> int:
        return int(self.counts[marked].sum())

    def _weigh_range(self, other: Scale) -> float:
        slip = self.limits["slip"]
        shares = [self._count(_find_outside(scale, self.values)) / self.n for scale in (self.own, other)]
        own, others = (self.n * weigh_excess(share, slip) for share in shares)
        return own - others

    def _lie_on(self, scale: Scale) -> np.ndarray:
        """Return which values lie on a scale's grid, to the decimals with which each is written."""
        if scale.step is None:
            return np.ones(len(self.values), dtype=bool)
        return _lie_on_grid(self.values, scale, self.decimals)

    def _weigh_grid(self, other: Scale) -> float:
        """Weigh how many scores lie on each of the grids, and on both, by what each scale makes likely.

        A score on neither, such as one with a blank item, tells nothing; nor does one at an end of both.
        """
        shared = np.intersect1d([self.own.low, self.own.high], [other.low, other.high])
        telling = ~np.isin(self.values, shared)
        on_own, on_other = self._lie_on(self.own) & telling, self._lie_on(other) & telling
        n = self._count(on_own | on_other)
        n_own, n_other, n_both = (self._count(it) for it in (on_own, on_other, on_own & on_other))
        least, slack = self.limits["on_grid"], self.limits["slack"]
        decimals = _find_usual(self.decimals, self.counts)
        by_own = _find_shared(self.own, other, decimals)
        by_other = _find_shared(other, self.own, decimals)
        own = _chance(n_own, n, least, 1) + _chance(n_both, n_own, by_own - slack, by_own + slack)
        others = _chance(n_other, n, least, 1) + _chance(n_both, n_other, by_other - slack, by_other + slack)
        return others - own

    def _weigh_moments(self, other: Scale) -> float:
        """Weigh mean and spread, as shares of each range, by how usual they are among samples of patients."""
        return self._find_surprise(self.own) - self._find_surprise(other)

    def _find_surprise(self, scale: Scale) -> float:
        mean, spread, n = self._find_moments(scale)
        if not n:
            return 0.0
        span, usual = scale.high - scale.low, self.limits["bounded"] if scale.by_table else self.usual
        mean = ((mean - scale.low) / span - usual["mean"]) / usual["mean_sd"]
        spread = log(max(spread / span, usual["least_spread"]) / usual["spread"])
        error = usual["spread_log_sd"] ** 2 + 1 / (2 * max(n - 1, 1))
        return 0.5 * (mean**2 + spread**2 / error)

    def _find_moments(self, scale: Scale) -> tuple[float, float, int]:
        """Return mean, standard deviation and number of the scores in a scale's range; others are slips."""
        inside = ~_find_outside(scale, self.values)
        values, counts = self.values[inside], self.counts[inside]
        if not counts.sum():
            return 0.0, 0.0, 0
        mean = float(np.average(values, weights=counts))
        return mean, sqrt(float(np.average((values - mean) ** 2, weights=counts))), int(counts.sum())

    def _weigh_ends(self, other: Scale) -> float:
        """Weigh that no score lies beyond the ends of one scale where the other still allows some."""
        return self._miss_beyond(other, self.own) - self._miss_beyond(self.own, other)

    def _miss_beyond(self, scale: Scale, wider: Scale) -> float:
        """Return how many scores one would expect beyond the ends of a scale where there are none."""
        missed, (mean, spread, _) = 0.0, self._find_moments(wider)
        near = self.limits["near_end"] * (scale.high - scale.low)
        for sign, end, last in ((-1, scale.low, wider.low), (1, scale.high, wider.high)):
            beyond = sign * (self.values - end)
            if sign * (last - end) <= _TOLERANCE or (beyond > _TOLERANCE).any():
                continue
            tail = self.n * _find_tail(abs(end - mean) / max(spread, _TOLERANCE))
            heap = self._count(beyond >= -near - _TOLERANCE)
            missed += max(min(tail, self.limits["tail_most"]), heap * self.limits["heap"])
        return missed

    def _weigh_effect(self, other: Scale) -> float:
        """Weigh an effect of the wrong sign where the other scale runs the other way."""
        if self.effect is None or other.factor > 0 or other.by_table:
            return 0.0
        size, pairs = self.effect
        if pairs < self.limits["fewest"]:
            return 0.0
        usual = self.limits["effect"]
        return -2 * size * usual["mean"] / (usual["sd"] ** 2 + 1 / pairs)


def weigh_excess(share: float, usual: float) -> float:
    """Return the weight per score of a share that exceeds the usual one.

    >>> weigh_excess(0.01, 0.01), round(weigh_excess(0.1, 0.01), 3)
    (0.0, 0.144)
    """
    if share <= usual:
        return 0.0
    rest = (1 - share) * log((1 - share) / (1 - usual)) if share < 1 else 0.0
    return share * log(share / usual) + rest


def _chance(k: int, n: int, low: float, high: float) -> float:
    """Return the log likelihood of k among n where the proportion may be any from low to high."""
    least = 1e-3
    p = min(max(k / n if n else low, low, least), high, 1 - least)
    return k * log(p) + (n - k) * log(1 - p)


def _find_tail(distance: float) -> float:
    return 0.5 * (1 - erf(distance / sqrt(2)))


def _count_decimals(values: np.ndarray) -> np.ndarray:
    """Return with how many decimals each value is written, at most six."""
    decimals = np.full(len(values), 6)
    for places in range(5, -1, -1):
        decimals[np.abs(values - np.round(values, places)) < _TOLERANCE] = places
    return decimals


def _find_usual(decimals: np.ndarray, counts: np.ndarray) -> int:
    """Return the decimals with which all but a few scores can be written."""
    if not len(decimals):
        return 0
    share = np.bincount(decimals, weights=counts).cumsum() / counts.sum()
    return int(np.searchsorted(share, 0.95))


def _lie_on_grid(values: np.ndarray, scale: Scale, decimals: np.ndarray | int) -> np.ndarray:
    """Return which values, written with so many decimals, are a step of the scale rounded."""
    assert scale.step is not None
    nearest = scale.low + np.rint((values - scale.low) / scale.step) * scale.step
    room = np.minimum(0.5 * 10.0 ** -np.asarray(decimals, dtype=float), 0.5)
    return np.asarray(np.abs(values - nearest) <= room + _TOLERANCE)


@cache
def _find_shared(scale: Scale, other: Scale, decimals: int) -> float:
    """Return the share of a scale's steps, where the ranges overlap, that are steps of the other too."""
    if scale.step is None or other.step is None:
        return 1.0 if other.step is None else min(10.0**-decimals / other.step, 1.0)
    points = np.arange(scale.low, scale.high + _TOLERANCE, scale.step)[:_MOST_POINTS]
    points = np.round(
        points[(points >= other.low - _TOLERANCE) & (points <= other.high + _TOLERANCE)], decimals
    )
    return float(_lie_on_grid(points, other, decimals).mean()) if len(points) else 1.0
