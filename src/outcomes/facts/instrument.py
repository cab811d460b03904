"""`Instrument`: an outcome measure with its range, direction, scoring, sources and `Threshold`s."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.scoring_rule import ScoringRule, ValueSet, read_value_sets
from outcomes.facts.toml import build_strictly
from outcomes.facts.wording import Name

RULES = ("absolute", "percent", "percent_of_possible", "state")
COMPARISONS = ("<=", ">=", "<", ">")
#: Kinds that say that something matters; a detectable change (``MDC``) is measurement error alone.
MATTERING = ("MIC", "SCB", "PASS")


@dataclass(frozen=True)
class Threshold:
    """A cited cut-off for a change or a state."""

    #: Name by which a user chooses it, such as ``ostelo-2008-absolute``.
    id: str
    #: ``MIC`` (minimal important change), ``SCB`` (substantial clinical benefit), ``MDC`` (minimal detectable
    #: change) or ``PASS`` (patient acceptable symptom state).
    kind: str
    #: ``absolute`` (points of improvement), ``percent`` (of the baseline score), ``percent_of_possible`` (of
    #: what lies between the baseline score and the best one) or ``state`` (a score at follow-up).
    rule: str
    #: In points or percent.
    value: float
    #: ``individual``, ``group`` or ``between-group``: what the threshold may be laid over.
    level: str
    #: For whom, against what, and where it was published.
    population: str
    source: str
    #: Whether a public source was read.
    verified: bool
    anchor: str = ""
    #: ``<=``, ``<``, ``>=`` or ``>`` for a state; ``>=`` otherwise.
    comparison: str = ">="
    #: Whether reports use it when none is named.
    default: bool = False
    note: str = ""
    #: Parts of the body of that population, codes of ``schema.toml``; not told where absent.
    regions: tuple[str, ...] = ()
    #: Causes and durations of their complaints, codes of ``schema.toml``; not told where absent.
    causes: tuple[str, ...] = ()
    durations: tuple[str, ...] = ()
    #: Groups of therapies that they had, such as ``surgery``; any where absent.
    treatments: tuple[str, ...] = ()

    @property
    def short_source(self) -> str:
        """Who says so and when, such as ``Ostelo 2008``: the source up to its first comma."""
        return self.source.split(",")[0]


def parse_rule(text: str) -> Threshold | None:
    """Return a rule that is written out (``percent:30``), None where the text does not begin like one.

    >>> rule = parse_rule("state:<=1")
    >>> rule.rule, rule.comparison, rule.value, parse_rule("ostelo-2008-absolute")
    ('state', '<=', 1.0, None)
    """
    rule, separator, rest = text.partition(":")
    if not separator or rule not in RULES:
        return None
    comparison = ">="
    if rule == "state":
        comparison = next((sign for sign in COMPARISONS if rest.startswith(sign)), "")
        rest = rest.removeprefix(comparison)
    try:
        value = float(rest)
    except ValueError:
        value = math.nan
    if not comparison or not math.isfinite(value) or (rule != "state" and value <= 0):
        raise FactsError(f"{text!r} is no rule; write absolute:2, percent:30 or state:<=1.")
    return Threshold(text, "", rule, value, "individual", "", "", False, comparison=comparison)


@dataclass(frozen=True)
class Subscale:
    """One of several scores of a form: a subscale, or a version that is not to be mixed with others."""

    name: str
    #: Numbers of its items in the whole form; all of them where absent.
    items: tuple[int, ...] = ()
    #: What differs from the form's ``[scoring]``.
    scoring: Mapping[str, Any] = field(default_factory=dict)
    #: What differs from the form.
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    unit: str | None = None
    direction: str | None = None
    domain: str | None = None
    recall: str | None = None
    censored_at: float | None = None
    verified: bool | None = None
    #: LOINC code to what it codes.
    loinc: Mapping[str, str] = field(default_factory=dict)
    #: Its own; where the form has no score of its own (``variant_required``), those of the form hold for
    #: every subscale that has none.
    thresholds: tuple[Threshold, ...] = ()
    bands: tuple[Mapping[str, Any], ...] = ()


_OWN = ("minimum", "maximum", "step", "unit", "direction", "domain", "recall", "censored_at", "verified")


@dataclass(frozen=True)
class Instrument:
    """An outcome measure, read from ``facts/instruments/<id>.toml`` or the user's ``data/instruments/``.

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
        name from one or more groups, joined by ``-`` in the order of the groups (``leg-average``). The
        subscales are the first group, ``score``.
    variant_required : bool
        Whether a score without a name from each group is refused (EQ-5D: the value set).
    subscales : mapping of Subscale
        Scores that are computed from some or all items of the form by a rule of their own, by id.
    classes : tuple of mappings
        ``{label, at_least}``: classes that need several scores, such as ``{total = 4, psych = 4}``; the first
        whose smallest scores are all reached. ``total`` is the score without a variant.
    scales : mapping
        Other ways in which clinics record it: name to ``{factor, offset, meaning}`` (score = factor * x +
        offset); with ``per``, x is first divided by the measured length that ``per`` names. For a sum of the
        items ``sum_from`` stands instead of both: what the lowest answer counts in it; with ``table`` the
        table of scores turns it into the score. ``unit`` names the
        words of ``scale_words.toml`` that show it; ranges and steps follow (`list_scales`).
    scale_required : bool
        Whether a recorded score is refused where nobody says which of the ``scales`` it is on, because both
        ends are in use for better and nothing in the numbers tells which.
    thresholds : tuple of Threshold
    bands : tuple of mappings
        ``{low, high, label, verified}``, upwards and without gaps; a score belongs to the first whose
        ``high`` it does not exceed; with ``below = true`` it must lie below ``high``.
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
    regions : tuple of str
        Parts of the body that it is made for, codes of ``schema.toml``; any where absent.
    unchanged : tuple of float
        For ratings of change: lowest and highest score that mean unchanged.
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
    subscales: Mapping[str, Subscale] = field(default_factory=dict)
    classes: tuple[Mapping[str, Any], ...] = ()
    scales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scale_required: bool = False
    thresholds: tuple[Threshold, ...] = ()
    bands: tuple[Mapping[str, Any], ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    caveats: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    loinc: Mapping[str, str] = field(default_factory=dict)
    censored_at: float | None = None
    regions: tuple[str, ...] = ()
    unchanged: tuple[float, ...] = ()

    @property
    def called(self) -> Name:
        """What a sentence calls it."""
        return Name("instruments", self.id, self.name)

    @property
    def called_short(self) -> Name:
        """What a sentence calls it in short."""
        return Name("instruments_short", self.id, self.short_name)

    @property
    def called_unit(self) -> Name:
        """What a sentence calls its unit."""
        return Name("units", self.unit, self.unit)

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

    def threshold(self, id: str) -> Threshold:
        """Return a threshold by its id; an unknown one is refused with those that there are."""
        for entry in self.thresholds:
            if entry.id == id:
                return entry
        known = ", ".join(entry.id for entry in self.thresholds) or "none"
        raise FactsError(f"{self.name} has no threshold {id!r}; it has: {known}.")

    def find_larger_error(self, threshold: Threshold) -> float | None:
        """Return the largest verified detectable change that exceeds a change meant to matter, if any.

        Where one does, a patient's change of the threshold's size is not told from measurement error.
        """
        if (threshold.kind, threshold.rule, threshold.level) != ("MIC", "absolute", "individual"):
            return None
        errors = [
            entry.value
            for entry in self.thresholds
            if (entry.kind, entry.rule, entry.level) == ("MDC", "absolute", "individual") and entry.verified
        ]
        return max((error for error in errors if error > threshold.value), default=None)

    def check_variant(self, variant: str | None) -> None:
        """Refuse a variant that the instrument does not have, or an absent one that it needs."""
        parts = variant.split("-") if variant else []
        for names in self.variants.values():
            if parts and parts[0] in names:
                parts.pop(0)
            elif self.variant_required and (not parts or variant is None):
                known = ", ".join(names)
                raise FactsError(f"{self.name} needs a variant, one of: {known}.")
        if parts:
            known = ", ".join(name for names in self.variants.values() for name in names) or "none"
            raise FactsError(f"{self.name} has no variant {variant!r}; it has: {known}.")

    def find_value_set(self, variant: str | None) -> ValueSet | None:
        """Return the value set that a variant names; None where the instrument is not scored by one."""
        name = self.scoring.get("value_sets")
        sets = read_value_sets(name) if name is not None else {}
        return next((sets[part] for part in (variant or "").split("-") if part in sets), None)

    def name_variant(self, variant: str) -> str:
        """Return how a variant is called: subscales and value sets by their names, others as they are.

        >>> from outcomes.facts import read_instrument
        >>> read_instrument("eq5d_5l").name_variant("uk"), read_instrument("nprs").name_variant("leg-average")
        ('United Kingdom', 'leg, average')
        """
        value_set = self.find_value_set(variant)
        names = {part: entry.name for part, entry in self.subscales.items()}
        names |= {value_set.id: value_set.label} if value_set else {}
        return ", ".join(names.get(part, part).replace("_", " ") for part in variant.split("-"))

    def narrow(self, variant: str | None) -> "Instrument":
        """Return the instrument as a variant sees it: a subscale has a range and thresholds of its own."""
        self.check_variant(variant)
        chosen = [self.subscales[part] for part in (variant or "").split("-") if part in self.subscales]
        if not chosen:
            return self
        subscale = chosen[0]
        own = {key: getattr(subscale, key) for key in _OWN if getattr(subscale, key) is not None}
        for key in ("thresholds", "bands"):
            own[key] = getattr(subscale, key) or (getattr(self, key) if self.variant_required else ())
        return replace(
            self,
            **own,
            subscales={},
            classes=(),
            variant_required=False,
            scoring=narrow_scoring(self.scoring_rule, subscale),
        )


def narrow_scoring(rule: ScoringRule, subscale: Subscale) -> Mapping[str, Any]:
    """Return the ``[scoring]`` of a subscale."""
    return vars(rule.narrow(tuple(map(int, subscale.items)), subscale.scoring))
