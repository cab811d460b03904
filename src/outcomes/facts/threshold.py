"""`Threshold`: a cited cut-off for a change or a state, and rules that a user writes out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from outcomes.errors import FactsError

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
    #: What to know before using it.
    note: str = ""
    #: Parts of the body of that population, codes of ``schema.toml``; not told where absent.
    regions: tuple[str, ...] = ()

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
