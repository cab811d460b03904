"""How a form is scored, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from outcomes.facts.scoring_rule import ScoringRule, read_policies
from outcomes.facts.toml import has_table
from outcomes.facts.wording import read_words


def describe_rule(rule: ScoringRule) -> Iterator[str]:
    """Yield how items become a score: the rule, what each item counts, blanks, rounding, the table."""
    n_items: object = rule.n_items
    if rule.n_items_maximum is not None:
        n_items = _say("up_to", fewest=rule.n_items, most=rule.n_items_maximum)
    yield _say(rule.rule, n_items=n_items, **_say_bounds(rule), **_say_terms(rule))
    yield from _describe_counts(rule)
    if rule.items:
        yield _say("labels", labels=", ".join(f"`{label}`" for label in rule.items))
    yield from _describe_blanks(rule)
    if rule.decimals is not None:
        yield _say("decimals" if rule.decimals else "whole", decimals=rule.decimals)
    if rule.table is not None and not has_table(f"conversions/{rule.table}"):
        yield _say("own_table", table=rule.table)
    for flag in rule.flags:
        yield _say("flag", meaning=flag["meaning"], when=_say_when(flag))


def _say(key: str, **values: object) -> str:
    return read_words().say(f"instrument_sheet.score.{key}", **values)


def _say_bounds(rule: ScoringRule) -> dict[str, str]:
    """Return the range of the items in words, the largest answer of each where they differ."""
    lows, highs = rule.list_bounds(rule.n_items)
    if len(set(lows)) == len(set(highs)) == 1:
        return {"low": f"{lows[0]:g}", "high": f"{highs[0]:g}"}
    told = ", ".join(f"{high:.15g}" for high in highs)
    return {"low": f"{min(lows):g}", "high": _say("differing", highs=told)}


def _say_terms(rule: ScoringRule) -> dict[str, str]:
    return {
        "offset": f" + {rule.offset:g}" if rule.offset else "",
        "factor": f" \u00d7 {rule.factor:g}" if rule.factor != 1 else "",
        "weights": ", ".join(f"{weight:g}" for weight in rule.weights),
        "table": str(rule.table),
    }


def _describe_counts(rule: ScoringRule) -> Iterator[str]:
    for entry in rule.recodes:
        values = ", ".join(f"{value:g}" for value in entry["values"])
        yield _say("recode", items=_join(entry["items"]), values=values)
    if rule.reverse == "all":
        yield _say("reverse_all")
    elif rule.reverse:
        yield _say("reverse", items=_join(rule.list_reversed(rule.n_items)))
    for group in rule.highest_of:
        yield _say("highest_of", items=_join(group))


def _describe_blanks(rule: ScoringRule) -> Iterator[str]:
    if rule.rule == "single":
        yield _say("missing_single")
    else:
        yield _say("missing", meaning=read_policies()[rule.missing].meaning, policy=rule.missing)
    if rule.policies:
        told = [f"`{name}` ({read_policies()[name].meaning})" for name in rule.policies]
        yield _say("policies", policies="; ".join(told))


def _say_when(flag: Mapping[str, Any]) -> str:
    key = next(name for name in ("at_least", "above", "below") if name in flag)
    what = _say("flag_item", item=flag["item"]) if "item" in flag else _say("flag_score")
    return _say(f"flag_{key}", what=what, value=f"{flag[key]:g}")


def _join(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
