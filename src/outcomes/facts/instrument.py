"""`Instrument`: an outcome measure with its range, direction, scoring, thresholds and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.toml import build_strictly, list_facts, read_facts


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
        Grid of the score where one exists (1 for the NPRS); None where any value is possible.
    direction : str
        ``higher_worse``, ``higher_better`` or ``none``.
    scoring : mapping
        The rule as data: see ``docs/architecture.md``; read by `outcomes.records.scoring`.
    variants : mapping
        Groups of allowed variants, for example ``{location = [...], recall = [...]}``; a variant is one
        name from one or more groups, joined by ``-`` in the order of the groups (``leg-average``).
    variant_required : bool
        Whether a score without a variant is refused (EQ-5D: the value set).
    scales : mapping
        Other ways in which clinics record it: name to ``{factor, offset}`` (score = factor * x + offset).
    thresholds : tuple of Threshold
    bands : tuple of mappings
        ``{low, high, label}``, without gaps.
    examples : tuple of mappings
        Worked examples ``{case, input, expected}``: its tests.
    caveats : tuple of str
        Traps, in words.
    licence, source, recall : str
    verified : bool
        Whether a public source was read; where not, users are told.
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
    from difflib import get_close_matches

    known = list_instruments()
    if id not in known:
        near = get_close_matches(str(id), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
        raise FactsError(f"There is no instrument {id!r}; {hint}")
    content = dict(read_facts(f"instruments/{id}"))
    where = f"instruments/{id}.toml"
    content["thresholds"] = [
        build_strictly(Threshold, entry, f"{where}, [[thresholds]] {number}")
        for number, entry in enumerate(content.get("thresholds", ()), start=1)
    ]
    return build_strictly(Instrument, content, where)


@cache
def list_instruments() -> tuple[str, ...]:
    """Return the ids of all instruments, sorted."""
    return tuple(list_facts("instruments"))
