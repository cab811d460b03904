"""Thresholds in the words of a page: the rule, who says so, and whether that was read."""

from __future__ import annotations

from outcomes.disclosure import write_number
from outcomes.facts import Threshold, parse_rule, read_words
from outcomes.facts.threshold import MATTERING
from outcomes.views.labels import Labels

#: How comparisons are written.
SIGNS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">"}


def find_rule(level: str, labels: Labels) -> Threshold | None:
    """Return the threshold of that id, or the rule that is written out."""
    known = (entry for entry in labels.instrument.thresholds if entry.id == level)
    return next(known, None) or parse_rule(level)


def name_rule(level: str, labels: Labels, *, source: bool = True) -> str:
    """Return in words the rule of a responder analysis, by its threshold's id or as written out.

    Parameters
    ----------
    level : str
        Such as ``ostelo-2008-absolute`` or ``percent:30``.
    labels : Labels
    source : bool
        Whether author and year follow; where the source was not read, that is said.
    """
    words = read_words()
    threshold = find_rule(level, labels)
    if threshold is None:
        return level
    rule = words.say(
        f"views.table.rule_{threshold.rule}", value=write_number(threshold.value, _decimals(threshold)),
        unit=labels.instrument.unit, comparison=SIGNS[threshold.comparison],
    )  # fmt: skip
    if threshold.kind == "MDC":
        rule = words.say("views.table.rule_detectable", rule=rule)
    return words.say("views.table.rule_source", rule=rule, source=cite(threshold)) if source else rule


def cite(threshold: Threshold) -> str:
    """Return who a threshold is from, in few words, and whether that source was not read.

    Examples
    --------
    >>> from outcomes.facts import read_instrument
    >>> cite(read_instrument("odi").threshold("ostelo-2008-absolute"))
    'Ostelo 2008'
    >>> cite(read_instrument("odi").threshold("copay-2008-absolute"))
    'Copay 2008, not read at the source'
    """
    words = read_words()
    if not threshold.source:
        return words.say("views.table.source_own")
    if not threshold.verified:
        return words.say("views.table.source_unread", source=threshold.short_source)
    return threshold.short_source


def pick_marked(labels: Labels, chosen: str | None = None) -> Threshold | None:
    """Return the threshold in points for single patients that a curve of improvement marks, if there is one.

    Parameters
    ----------
    labels : Labels
    chosen : str, optional
        Id of a threshold or a rule; where absent, the default one, else the first that was read and says that
        a change matters.
    """
    if chosen is not None:
        named = find_rule(chosen, labels)
        return named if named and (named.rule, named.level) == ("absolute", "individual") else None
    fitting = [
        entry
        for entry in labels.instrument.thresholds
        if (entry.rule, entry.level) == ("absolute", "individual")
        and entry.verified
        and entry.kind in MATTERING
    ]
    return next((entry for entry in fitting if entry.default), fitting[0] if fitting else None)


def say_marked(threshold: Threshold, labels: Labels) -> str:
    """Say what the marked threshold is: what a patient notices, or of what other kind."""
    words = read_words()
    values = {
        "value": f"{threshold.value:g}",
        "unit": labels.instrument.unit,
        "source": cite(threshold),
    }
    if threshold.kind == "MIC":
        return words.say("views.cumulative_threshold", **values)
    if not threshold.kind:
        return words.say("views.cumulative_threshold_own", **values)
    kind = words.say(f"instrument_sheet.thresholds.kind.{threshold.kind}")
    return words.say("views.cumulative_threshold_other", kind=kind, **values)


def _decimals(threshold: Threshold) -> int:
    return len(f"{threshold.value:g}".partition(".")[2])
