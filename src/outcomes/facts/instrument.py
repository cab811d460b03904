"""`Instrument`: an outcome measure with its range, direction, scoring, thresholds and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.scoring_rule import ScoringRule
from outcomes.facts.toml import build_strictly, list_facts, read_facts, suggest_name


@dataclass(frozen=True)
class Threshold:
    """A cited cut-off for a change or a state.

    Parameters
    ----------
    id : str
        Name by which a user chooses it, such as ``ostelo-2008-absolute``.
    kind : str
        ``MIC`` (minimal important change), ``MDC`` (minimal detectable change) or ``PASS``
        (patient acceptable symptom state).
    rule : str
        ``absolute`` (points of improvement), ``percent`` (of the baseline score) or ``state`` (a score
        at follow-up).
    value : float
        In points or percent.
    level : str
        ``individual``, ``group`` or ``between-group``: what the threshold may be laid over.
    population, anchor, source : str
        For whom, against what, and where it was published.
    verified : bool
        Whether a public source was read.
    comparison : str
        ``<=``, ``<``, ``>=`` or ``>`` for a state; ``>=`` otherwise.
    default : bool
        Whether reports use it when none is named.
    note : str
        What to know before using it.
    """

    id: str
    kind: str
    rule: str
    value: float
    level: str
    population: str
    source: str
    verified: bool
    anchor: str = ""
    comparison: str = ">="
    default: bool = False
    note: str = ""


_CHOICES = {
    "kind": ("MIC", "MDC", "PASS"),
    "rule": ("absolute", "percent", "state"),
    "level": ("individual", "group", "between-group"),
    "comparison": ("<=", "<", ">=", ">"),
    "direction": ("higher_worse", "higher_better", "none"),
}


@dataclass(frozen=True)
class Instrument:
    """An outcome measure, read from ``facts/instruments/<id>.toml``.

    Parameters
    ----------
    id, name, short_name, version : str
        ``odi``, "Oswestry Disability Index", "ODI", "2.1a (10 sections)".
    kind : str
        ``prom`` or ``clinical``.
    domain : str
        Such as ``pain_intensity``, ``function``, ``flexibility``, ``strength``, ``quality_of_life``,
        ``global_change``.
    unit : str
        ``points``, ``cm``, ``s``, ``mm``.
    minimum, maximum : float
        Range of the score.
    step : float or None
        Grid of a score with every item answered (1 for the NPRS); None where any value is possible.
    direction : str
        ``higher_worse``, ``higher_better`` or ``none``.
    scoring : mapping
        The rule as data; `scoring_rule` is the same, checked.
    variants : mapping
        Groups of allowed variants, for example ``{location = [...], recall = [...]}``; a variant is one
        name from one or more groups, joined by ``-`` in the order of the groups (``leg-average``).
    variant_required : bool
        Whether a score without a variant is refused (EQ-5D: the value set).
    scales : mapping
        Other ways in which clinics record it: name to ``{factor, offset, meaning}`` (score = factor * x +
        offset); with ``per``, x is first divided by the measured length that ``per`` names.
    thresholds : tuple of Threshold
    bands : tuple of mappings
        ``{low, high, label, verified}``, upwards and without gaps; a score belongs to the first whose
        ``high`` it does not exceed.
    examples : tuple of mappings
        Worked examples ``{case, input, expected or refused}``: its tests.
    caveats : tuple of str
        Traps, in words.
    licence, source, recall : str
    verified : bool
        Whether a public source was read; where not, users are told.
    aliases : tuple of str
        Other spellings that sources may use, compared without case, spaces, hyphens and underscores.
    loinc : mapping
        LOINC code to what it codes.
    censored_at : float or None
        Value at which the measurement stops, so that a score there is a bound.
    """

    id: str
    name: str
    short_name: str
    version: str
    kind: str
    domain: str
    unit: str
    minimum: float
    maximum: float
    direction: str
    scoring: Mapping[str, Any]
    licence: str
    source: str
    verified: bool
    step: float | None = None
    recall: str = ""
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variant_required: bool = False
    scales: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    bands: tuple[Mapping[str, Any], ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    caveats: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    loinc: Mapping[str, str] = field(default_factory=dict)
    censored_at: float | None = None

    @property
    def sign(self) -> int:
        """+1 where a higher score is better, -1 where it is worse: improvement = sign * change."""
        if self.direction == "none":
            raise FactsError(f"{self.name} has no direction, so improvement is not defined for it.")
        return 1 if self.direction == "higher_better" else -1

    @property
    def scoring_rule(self) -> ScoringRule:
        """The scoring, checked: unknown keys, rules and policies are errors."""
        return build_strictly(ScoringRule, self.scoring, f"{self.id}, [scoring]")

    @property
    def default_threshold(self) -> Threshold | None:
        """The threshold that reports use when none is named; None where none is verified."""
        return next((entry for entry in self.thresholds if entry.default), None)

    def find_band(self, score: float) -> str | None:
        """Return the label of the band of a score; None without bands or outside of them."""
        if not self.bands or score < self.bands[0]["low"]:
            return None
        return next((band["label"] for band in self.bands if score <= band["high"]), None)

    def is_censored(self, score: Any) -> Any:
        """Return whether scores stand where the measurement stops, elementwise for arrays."""
        return score == self.censored_at

    def threshold(self, id: str) -> Threshold:
        """Return a threshold by its id.

        Raises
        ------
        FactsError
            When the instrument has none of that name; the message lists those it has.
        """
        for entry in self.thresholds:
            if entry.id == id:
                return entry
        known = ", ".join(entry.id for entry in self.thresholds) or "none"
        raise FactsError(f"{self.name} has no threshold {id!r}; it has: {known}.")

    def check_variant(self, variant: str | None) -> None:
        """Refuse a variant that the instrument does not have, or an absent one that it needs."""
        if variant is None:
            if self.variant_required:
                known = ", ".join(name for names in self.variants.values() for name in names)
                raise FactsError(f"{self.name} needs a variant, one of: {known}.")
            return
        parts = variant.split("-")
        for names in self.variants.values():
            if parts and parts[0] in names:
                parts.pop(0)
        if parts:
            known = ", ".join(name for names in self.variants.values() for name in names) or "none"
            raise FactsError(f"{self.name} has no variant {variant!r}; it has: {known}.")


@cache
def read_instrument(id: str) -> Instrument:
    """Read an instrument by its id.

    Parameters
    ----------
    id : str
        Such as ``"odi"``; see `list_instruments`.

    Returns
    -------
    Instrument

    Raises
    ------
    FactsError
        When there is none of that name (the message suggests the nearest), or its file is wrong.

    Examples
    --------
    >>> read_instrument("odi").direction
    'higher_worse'
    """
    known = list_instruments()
    if id not in known:
        raise FactsError(f"There is no instrument {id!r}; {suggest_name(str(id), known)}")
    content = dict(read_facts(f"instruments/{id}"))
    where = f"instruments/{id}.toml"
    content["thresholds"] = [
        _build_threshold(entry, f"{where}, [[thresholds]] {number}")
        for number, entry in enumerate(content.get("thresholds", ()), start=1)
    ]
    instrument = build_strictly(Instrument, content, where)
    _ = instrument.scoring_rule
    _check_choice("direction", instrument.direction, where)
    return instrument


def _build_threshold(content: Mapping[str, Any], where: str) -> Threshold:
    threshold = build_strictly(Threshold, content, where)
    for key in ("kind", "rule", "level", "comparison"):
        _check_choice(key, getattr(threshold, key), where)
    return threshold


def _check_choice(key: str, value: str, where: str) -> None:
    if value not in _CHOICES[key]:
        raise FactsError(f"{where}: {key} = {value!r} is not one of {', '.join(map(repr, _CHOICES[key]))}")


@cache
def list_instruments() -> tuple[str, ...]:
    """Return the ids of all instruments, sorted."""
    return tuple(list_facts("instruments"))
